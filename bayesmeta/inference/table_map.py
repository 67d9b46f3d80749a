"""Where the nodes of the studies' tables lie: maps between theta and an even line x."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.scales import FloatArray

TABLE_BEND = 6.0  # standard errors after which a study's nodes begin to spread exponentially
NEAR = 1e-9  # distance from a rough point, in standard errors, within which nodes are even
_CROWD = 1.0  # the table's step over this is that of the logarithm of the distance to the point


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlainMap:
    """``x = bend * arsinh((u - origin) / (bend * unit))``, elementwise.

    u is theta, or artanh of its place between bounds that become -1 and 1.

    Attributes
    ----------
    origin, unit : (study,)
        A study's estimate and standard error, on the scale of u.
    domain : (low, high) or None
    """

    origin: FloatArray
    unit: FloatArray
    domain: tuple[float, float] | None

    def take(self, study: "NDArray[np.intp]") -> "PlainMap":
        """Give the maps of the studies at `study`, of its shape."""
        return PlainMap(origin=self.origin[study], unit=self.unit[study], domain=self.domain)

    def line(self, value: FloatArray) -> FloatArray:
        """From theta to x."""
        u = value if self.domain is None else np.arctanh(_place(value, self.domain)[0])
        out: FloatArray = TABLE_BEND * np.arcsinh((u - self.origin) / (TABLE_BEND * self.unit))
        return out

    def point(self, x: FloatArray) -> FloatArray:
        """From x to theta."""
        u = self.origin + self.unit * (TABLE_BEND * np.sinh(x / TABLE_BEND))
        if self.domain is None:
            return u
        low, high = self.domain
        out: FloatArray = 0.5 * (low + high) + 0.5 * (high - low) * np.tanh(u)
        return out

    def log_slope(self, x: FloatArray) -> FloatArray:
        """Logarithm of the derivative of `point`."""
        out: FloatArray = -np.log(self.slopes(self.point(x))[0])
        return out

    def slopes(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of x in theta."""
        u, first, second = theta, np.ones(()), np.zeros(())
        if self.domain is not None:
            z, k = _place(theta, self.domain)
            u, first = np.arctanh(z), k / (1 - z**2)
            second = 2 * z * first**2
        q = (u - self.origin) / (TABLE_BEND * self.unit)
        unit = self.unit * np.hypot(1, q)
        bent = (first / unit) ** 2 * q / (TABLE_BEND * np.hypot(1, q))
        return first / unit, second / unit - bent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TableMap:
    """A study's map, whose nodes crowd at 0 where its likelihood is rough.

    Attributes
    ----------
    plain : PlainMap
    crowd, near : (study,), or None
        How closely nodes crowd at 0 (0: not at all), and down to which distance.
    """

    plain: PlainMap
    crowd: FloatArray | None = None
    near: FloatArray | None = None

    @classmethod
    def of(cls, data: Any) -> "TableMap":
        """About the estimates of study data, within their `domain`, crowding where `rough`."""
        domain, rough = getattr(data, "domain", None), getattr(data, "rough", None)
        origin, unit = data.y, data.se
        if domain is not None:
            z, k = _place(origin, domain)
            origin, unit = np.arctanh(z), unit * k / (1 - z**2)
        plain = PlainMap(origin=origin, unit=unit, domain=domain)
        if rough is None or not rough.any():
            return cls(plain=plain)
        return cls(plain=plain, crowd=np.where(rough, _CROWD, 0.0), near=NEAR * data.se)

    def take(self, study: "NDArray[np.intp]") -> "TableMap":
        """Give the maps of the studies at `study`, of its shape."""
        plain = self.plain.take(study)
        if self.crowd is None or self.near is None:
            return TableMap(plain=plain)
        return TableMap(plain=plain, crowd=self.crowd[study], near=self.near[study])

    def line(self, theta: FloatArray) -> FloatArray:
        """From theta to x."""
        x = self.plain.line(theta)
        if self.crowd is None or self.near is None:
            return x
        return x + self.crowd * np.arcsinh(theta / self.near)

    def point(self, x: FloatArray) -> FloatArray:
        """From x to theta."""
        if self.crowd is None or self.near is None:
            return self.plain.point(x)
        return CrowdedMap(base=self.plain, near=self.near, weight=self.crowd).point(x)

    def slopes(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of x in theta."""
        first, second = self.plain.slopes(theta)
        if self.crowd is None or self.near is None:
            return first, second
        distance = np.hypot(theta, self.near)
        by_crowd = self.crowd / distance
        return first + by_crowd, second - by_crowd * theta / distance**2


def _place(theta: FloatArray, domain: tuple[float, float]) -> tuple[FloatArray, float]:
    """Place of theta between bounds that become -1 and 1, and its derivative in theta."""
    low, high = domain
    k = 2 / (high - low)
    return np.clip((theta - 0.5 * (low + high)) * k, -1 + 1e-15, 1 - 1e-15), k
