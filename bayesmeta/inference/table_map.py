"""Where the nodes of the studies' tables lie: maps between theta and an even line x."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmeta.inference.bounds import find_room, rebound, unbound
from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.scales import FloatArray

TABLE_BEND = 6.0  # standard errors after which a study's nodes begin to spread exponentially
NEAR = 1e-9  # distance from a break point, in standard errors, within which nodes are even
_CROWD = 1.0  # the table's step over this is that of the logarithm of the distance to the point
_FINE = 0.175  # largest unit within bounds: steps resolve a normal that the bounds may cut


def find_break(data: Any) -> tuple[float, NDArray[np.bool_]] | None:
    """Give the point at which likelihoods of study data may bend sharply, and which do (study,).

    The `breaks` of the data say where; which studies they concern says `rough`, else all.
    """
    breaks = getattr(data, "breaks", ())
    if not breaks:
        return None
    rough = getattr(data, "rough", None)
    return breaks[0], np.ones(len(data.y), dtype=bool) if rough is None else rough


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainMap:
    """``x = bend * arsinh((u - origin) / (bend * unit))``, elementwise, with u from `unbound`.

    Attributes
    ----------
    origin, unit : (study,)
        A study's estimate and standard error, on the scale of u.
    domain : (low, high) or None
    """

    origin: FloatArray
    unit: FloatArray
    domain: tuple[float, float] | None

    def take(self, study: NDArray[np.intp]) -> "PlainMap":
        """Give the maps of the studies at `study`, of its shape."""
        return PlainMap(origin=self.origin[study], unit=self.unit[study], domain=self.domain)

    def line(self, value: FloatArray) -> FloatArray:
        """From theta to x."""
        away = (unbound(value, self.domain) - self.origin) / (TABLE_BEND * self.unit)
        out: FloatArray = TABLE_BEND * np.arcsinh(away)
        return out

    def point(self, x: FloatArray) -> FloatArray:
        """From x to theta."""
        u = self.origin + self.unit * (TABLE_BEND * np.sinh(x / TABLE_BEND))
        return rebound(u, self.domain)

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        out: FloatArray = -np.log(self.slopes(self.point(x))[0])
        return out

    def slopes(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of x in theta."""
        q = (unbound(theta, self.domain) - self.origin) / (TABLE_BEND * self.unit)
        cosh = np.sqrt(1 + q * q)
        first = 1 / (self.unit * cosh)
        second = -first * first * q / (TABLE_BEND * cosh)
        if self.domain is None:
            return first, second
        below, above = find_room(theta, self.domain)
        rise, bend = 0.5 * (1 / below + 1 / above), 0.5 * (1 / above**2 - 1 / below**2)
        return first * rise, second * rise**2 + first * bend


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableMap:
    """A study's map, whose nodes crowd at a point where its likelihood may bend sharply.

    Attributes
    ----------
    plain : PlainMap
    at : float
        The break point.
    crowd, near : (study,), or None
        How closely nodes crowd there (0: not at all), and down to which distance.
    """

    plain: PlainMap
    at: float = 0.0
    crowd: FloatArray | None = None
    near: FloatArray | None = None

    @classmethod
    def of(cls, data: Any) -> "TableMap":
        """About the estimates of study data, within their `domain`, crowding at their break."""
        domain, found = getattr(data, "domain", None), find_break(data)
        origin, unit = data.y, data.se
        if domain is not None:
            below, above = find_room(origin, domain)
            origin = unbound(origin, domain)
            unit = np.minimum(unit * 0.5 * (1 / below + 1 / above), _FINE)
        plain = PlainMap(origin=origin, unit=unit, domain=domain)
        if found is None:
            return cls(plain=plain)
        at, rough = found
        return cls(plain=plain, at=at, crowd=np.where(rough, _CROWD, 0.0), near=NEAR * data.se)

    def take(self, study: NDArray[np.intp]) -> "TableMap":
        """Give the maps of the studies at `study`, of its shape."""
        plain = self.plain.take(study)
        if self.crowd is None or self.near is None:
            return TableMap(plain=plain)
        return TableMap(plain=plain, at=self.at, crowd=self.crowd[study], near=self.near[study])

    def line(self, theta: FloatArray) -> FloatArray:
        """From theta to x."""
        x = self.plain.line(theta)
        if self.crowd is None or self.near is None:
            return x
        return x + self.crowd * np.arcsinh((theta - self.at) / self.near)

    def point(self, x: FloatArray) -> FloatArray:
        """From x to theta."""
        if self.crowd is None or self.near is None:
            return self.plain.point(x)
        return CrowdedMap(base=self.plain, near=self.near, weight=self.crowd, at=self.at).point(x)

    def slopes(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of x in theta."""
        first, second = self.plain.slopes(theta)
        if self.crowd is None or self.near is None:
            return first, second
        away = theta - self.at
        distance = np.hypot(away, self.near)
        by_crowd = self.crowd / distance
        return first + by_crowd, second - by_crowd * away / distance**2
