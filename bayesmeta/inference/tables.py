"""Tables of log g_i on each study's own nodes, and the spline between them.

The nodes are even in x with theta = origin + unit * bend * sinh(x / bend). The error of the spline
is measured, and the table made finer until it is small.
"""

import math
from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import AccuracyError
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

_BEND = 6.0  # units after which a study's nodes begin to spread exponentially
_STEP = 0.14  # of the table, in standard errors near the centre; sums take every second node
_FINEST = 9  # times that the step may be reduced by the factor 0.7
_ERROR = 3e-9  # largest error of the splines, summed over studies
_ROUNDING, _SPIKE = 5e-9, 3e-8  # accepted of rounding: over all studies, and at one node
_CROWDED = 1e-9  # unit of a map about a rough point, in standard errors

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]
type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Tables of log g_i, one for each study.

    Attributes
    ----------
    center, scale : (study,)
        A study's estimate and standard error, about.
    origin, unit : (study,)
        Of the table's map: the same, but where a likelihood is rough at a point.
    first, step : (study,)
        First node and spacing of the table in x.
    log_g : (study, node)
        The table; an odd number of nodes.
    taylor : (study * interval, 8)
        Coefficients of the degree-7 spline through the table about the middle of each interval.
    error, allowed : float
        Largest error of the spline between the nodes, and the largest that was allowed.
    """

    center: FloatArray
    scale: FloatArray
    origin: FloatArray
    unit: FloatArray
    first: FloatArray
    step: FloatArray
    log_g: FloatArray
    taylor: FloatArray
    error: float
    allowed: float

    @property
    def last(self) -> FloatArray:
        """Last node of each table in x, (study,)."""
        out: FloatArray = self.first + self.step * (self.log_g.shape[1] - 1)
        return out

    @property
    def ends(self) -> FloatArray:
        """First and last theta of each table, (study, 2)."""
        x = np.stack([self.first, self.last], axis=1)
        return self._theta(x)

    def spacing(self, stride: int) -> FloatArray:
        """Distance of every `stride`-th node at each study's centre, (study,)."""
        out: FloatArray = stride * self.step * self.unit
        return out

    def spacing_at(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Distance of the nodes of the given studies at theta."""
        z = (theta - self.origin[study]) / (_BEND * self.unit[study])
        out: FloatArray = self.spacing(1)[study] * np.sqrt(1 + z * z)
        return out

    def nodes(self, stride: int) -> tuple[FloatArray, FloatArray]:
        """Theta and log(g dtheta) at every `stride`-th node, (study, node) each."""
        x = self.first[:, None] + self.step[:, None] * np.arange(self.log_g.shape[1])[::stride]
        slope = np.log(np.cosh(x / _BEND))
        spacing = np.log(self.spacing(stride))[:, None]
        return self._theta(x), self.log_g[:, ::stride] + slope + spacing

    def between(self, steps: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Theta at positions in steps from the first node, and log(g dtheta) there, (pair,)."""
        x = self.first[study] + self.step[study] * steps
        unit = self.unit[study]
        theta = from_line(x, self.origin[study], unit)
        slope = np.log(np.cosh(x / _BEND) * self.step[study] * unit)
        return theta, self.value(theta, study) + slope

    def value(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Log g of the given studies at theta, (pair,) each; straight on beyond the table."""
        return self.reach(theta, study)[0]

    def reach(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Log g of the given studies at theta, and how many steps beyond the table theta is."""
        c, u, _, beyond = self._locate(theta, study)
        f: FloatArray = c[..., 7]
        for power in range(6, -1, -1):
            f = f * u + c[..., power]
        if beyond.any():
            f = f + beyond * _derivative(c, u)
        return f, beyond

    def slopes(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of log g in theta."""
        c, u, away, beyond = self._locate(theta, study)
        d1, d2 = _derivative(c, u), np.zeros_like(u)
        for power in range(7, 1, -1):
            d2 = d2 * u + power * (power - 1) * c[..., power]
        d2 = np.where(beyond == 0, d2, 0.0)
        scale, step, cosh = self.unit[study], self.step[study], np.sqrt(1 + away * away)
        slope = d1 / (scale * step * cosh)  # d theta = scale cosh(x / bend) d x
        bend = (d2 / step**2 - (away / _BEND) * d1 / (step * cosh)) / (scale * cosh) ** 2
        return slope, bend

    def steps(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Where theta lies in the tables of the studies, in steps from their first nodes."""
        x = to_line(theta, self.origin[study], self.unit[study])
        out: FloatArray = (x - self.first[study]) / self.step[study]
        return out

    def log_g_at(self, theta: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Log g at theta (study, node), and whether it is beyond the table."""
        value, beyond = self.reach(theta, np.arange(len(theta))[:, None])
        return value, beyond != 0

    def _theta(self, x: FloatArray) -> FloatArray:
        return from_line(x, self.origin[:, None], self.unit[:, None])

    def _locate(
        self, theta: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Where theta lies in the tables.

        Gives Taylor coefficients (..., 8), the offset in steps from their centre, the distance
        from the study's centre in bends, and how many steps theta is beyond the table.
        """
        away = (theta - self.origin[study]) / (_BEND * self.unit[study])
        steps = (_BEND * np.arcsinh(away) - self.first[study]) / self.step[study]
        intervals = self.log_g.shape[1] - 1
        inside = np.clip(steps, 0, intervals)
        interval = np.minimum(inside.astype(np.intp), intervals - 1)
        return (
            self.taylor[study * intervals + interval], inside - interval - 0.5, away, steps - inside
        )  # fmt: skip


def tabulate(
    bound: BoundModel, low: FloatArray, high: FloatArray, *, allowed: float | None = None
) -> Tables:
    """Tabulate log g between theta = low and high (study,), or the bounds of the measure.

    `allowed` is the error of one table's spline; a larger one is met with fewer nodes.

    Raises
    ------
    AccuracyError
        A likelihood is too rough for its table.
    """
    origin, unit = _maps(bound)
    first, last = (to_line(end, origin, unit) for end in (low, high))
    return _tabulate(bound, first, last, allowed or _ERROR / len(bound.studies))


def extend(bound: BoundModel, tables: Tables, short: BoolArray) -> Tables:
    """Give longer tables for the studies and sides (study, 2) that are `short`."""
    first, last = tables.first, tables.last
    more = np.minimum(0.3 * (last - first), _BEND)  # about three times as far, at most
    first = np.where(short[:, 0], first - more, first)
    last = np.where(short[:, 1], last + more, last)
    return _tabulate(bound, first, last, tables.allowed)


def _tabulate(bound: BoundModel, first: FloatArray, last: FloatArray, allowed: float) -> Tables:
    center, scale = bound.data.y, bound.data.se
    origin, unit = _maps(bound)
    ends = getattr(bound.data, "ends", None)
    if ends is not None:  # not beyond the bounds of the measure
        low, high = to_line(ends.T, origin, unit)
        first, last = np.maximum(first, low), np.minimum(last, high)
    step = _STEP if allowed <= _ERROR else 2 * _STEP
    error = np.inf
    for _ in range(_FINEST):
        half = int(np.ceil((last - first).max() / (2 * step)))
        nodes = 2 * max(half, 8) + 1
        spacing = (last - first) / (nodes - 1)
        x = first[:, None] + spacing[:, None] * np.arange(nodes)
        theta = from_line(x, origin[:, None], unit[:, None])
        log_g = bound.model.likelihood.log_g(bound.data, theta)
        before = error
        taylor, error, noise = _interpolate(log_g)
        if error > 0.5 * before and noise < _ROUNDING and 100 * error < _SPIKE:
            # more nodes do not help: log g is rounded (counts of 1e6), at random
            error = noise / len(center)
            allowed = max(allowed, error)
        if error <= allowed:
            return Tables(
                center=center,
                scale=scale,
                origin=origin,
                unit=unit,
                first=first,
                step=spacing,
                log_g=log_g,
                taylor=taylor,
                error=error,
                allowed=allowed,
            )
        step *= 0.7
    raise AccuracyError(
        f"The table of a study's log likelihood is still wrong by {error:.0e} between its "
        'nodes: the likelihood has a kink. engine="nuts" does not need a table'
    )


def _maps(bound: BoundModel) -> tuple[FloatArray, FloatArray]:
    """Origins and units of the studies' maps, (study,).

    About the estimate, in standard errors; where the data mark a likelihood as rough at 0, about
    0, in units so small that the nodes crowd there like a geometric series.
    """
    data = bound.data
    rough = getattr(data, "rough", None)
    if rough is None:
        return data.y, data.se
    return np.where(rough, 0.0, data.y), np.where(rough, _CROWDED * data.se, data.se)


def from_line(x: FloatArray, origin: FloatArray, unit: FloatArray) -> FloatArray:
    """From the even line of a table to theta."""
    out: FloatArray = origin + unit * _BEND * np.sinh(x / _BEND)
    return out


def to_line(theta: FloatArray, origin: FloatArray, unit: FloatArray) -> FloatArray:
    """From theta to the even line of a table."""
    out: FloatArray = _BEND * np.arcsinh((theta - origin) / (_BEND * unit))
    return out


def _derivative(c: FloatArray, u: FloatArray) -> FloatArray:
    """Differentiate a polynomial with coefficients c (..., 8) at u."""
    d = np.zeros_like(u)
    for power in range(7, 0, -1):
        d = d * u + power * c[..., power]
    return d


def _interpolate(log_g: FloatArray) -> tuple[FloatArray, float, float]:
    """Degree-7 spline through even nodes (study, node), as Taylor coefficients about midpoints.

    Its error is estimated from the spline through every second node, at the nodes left out:
    halving the step divides the error by 2^8, and 100 is counted on. Where g has fallen far, its
    relative error counts for less: no integrand is large there unless N is far out too. If what is
    seen there is rounding, its size over all studies is the last number.
    """
    from scipy.interpolate import make_interp_spline

    nodes = np.arange(log_g.shape[1], dtype=float)
    spline = make_interp_spline(nodes, log_g.T, k=7)
    middle = nodes[:-1] + 0.5
    taylor = np.stack([spline(middle, nu=m) / math.factorial(m) for m in range(8)], axis=-1)
    coarse = make_interp_spline(nodes[::2], log_g.T[::2], k=7)
    weight = 1 + np.abs(log_g.max(axis=1, keepdims=True) - log_g)[:, 1::2]
    seen = np.abs(coarse(nodes[1::2]).T - log_g[:, 1::2]) / weight
    noise = float(np.sqrt((seen**2).mean(axis=1).sum()))
    return (
        np.ascontiguousarray(taylor.transpose(1, 0, 2)).reshape(-1, 8),
        float(seen.max()) / 100,
        noise,
    )
