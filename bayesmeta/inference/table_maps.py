"""Lines on which the tables of log g are even: about an estimate, or within bounds."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

BEND = 6.0  # standard errors after which a study's nodes begin to spread exponentially
_CROWDED = 1e-9  # unit of a map about a rough point, in standard errors
_FINE = 0.35  # largest unit of a logit: steps resolve a normal that the bounds may cut

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SinhLines:
    """``origin + unit * BEND * sinh(x / BEND)`` for each study; origin, unit (study,)."""

    origin: FloatArray
    unit: FloatArray

    def point(self, x: FloatArray, study: IndexArray) -> FloatArray:
        """From the line to theta."""
        out: FloatArray = self.origin[study] + self.unit[study] * BEND * np.sinh(x / BEND)
        return out

    def line(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """From theta to the line."""
        away = (theta - self.origin[study]) / (BEND * self.unit[study])
        out: FloatArray = BEND * np.arcsinh(away)
        return out

    def slope(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Give the derivative of theta by x."""
        z = (theta - self.origin[study]) / (BEND * self.unit[study])
        out: FloatArray = self.unit[study] * np.hypot(1, z)
        return out

    def bend(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Give the second derivative of theta by x, over the first."""
        z = (theta - self.origin[study]) / (BEND * self.unit[study])
        out: FloatArray = z / (BEND * np.hypot(1, z))
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogitLines:
    """``expit(origin + unit * x)`` for each study: theta in (0, 1)."""

    origin: FloatArray
    unit: FloatArray

    def point(self, x: FloatArray, study: IndexArray) -> FloatArray:
        """From the line to theta."""
        out: FloatArray = expit(self.origin[study] + self.unit[study] * x)
        return out

    def line(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """From theta to the line; beyond the bounds as at them."""
        out: FloatArray = (logit(_inside(theta)) - self.origin[study]) / self.unit[study]
        return out

    def slope(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Give the derivative of theta by x."""
        p = _inside(theta)
        out: FloatArray = self.unit[study] * p * (1 - p)
        return out

    def bend(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Give the second derivative of theta by x, over the first."""
        out: FloatArray = self.unit[study] * (1 - 2 * theta)
        return out


def _inside(p: FloatArray) -> FloatArray:
    """Keep rounded probabilities from the very bounds."""
    return np.clip(p, 1e-100, 1 - 1e-16)


type Lines = SinhLines | LogitLines


def lay_lines(bound: BoundModel) -> Lines:
    """Lines of the studies' tables.

    About the estimate, in standard errors; where the data mark a likelihood as rough at 0, or list
    a break point, about that, in units so small that the nodes crowd there like a geometric
    series. Probabilities have their log odds.
    """
    data = bound.data
    if getattr(data, "domain", None) == (0.0, 1.0):
        unit = np.minimum(data.se / (data.y * (1 - data.y)), _FINE)
        return LogitLines(origin=logit(data.y), unit=unit)
    breaks = list_breaks(bound)
    if breaks:
        return SinhLines(origin=np.full_like(data.y, breaks[0]), unit=_CROWDED * data.se)
    rough = getattr(data, "rough", None)
    if rough is None:
        return SinhLines(origin=data.y, unit=data.se)
    return SinhLines(
        origin=np.where(rough, 0.0, data.y), unit=np.where(rough, _CROWDED * data.se, data.se)
    )


def list_breaks(bound: BoundModel) -> tuple[float, ...]:
    """Points of theta at which likelihoods may bend sharply."""
    out: tuple[float, ...] = getattr(bound.data, "breaks", ())
    return out
