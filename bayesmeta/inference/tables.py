"""Tables of log g_i on each study's own nodes, and the spline between them.

The nodes are even on the line of a `TableMap`. The error of the spline is measured, and the table
made finer until it is small.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import erfcx

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.table_map import TABLE_BEND, TableMap
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray

_STEP = 0.14  # of the table, in standard errors near the centre; sums take every second node
_WIDER, _AT = 0.17, 2e-10  # the step at that allowed error of one table, which is less often met
_FINEST = 10  # times that the step may be reduced by the factor 0.7
_ERROR = 3e-9  # largest error of the splines, summed over studies
_ROUNDED = 4 * float(np.finfo(float).eps)  # of log g, relative to itself
_ROUNDING, _SPIKE = 5e-9, 3e-8  # accepted of rounding: over all studies, and at one node
DEEP = 32.0  # log units below the top of log g from which hardly any integrand has a share

type IndexArray = np.ndarray[tuple[int, ...], np.dtype[np.intp]]
type BoolArray = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """Tables of log g_i, one for each study.

    Attributes
    ----------
    center, scale : (study,)
        A study's estimate and standard error, about.
    lines : TableMap
        The studies' maps between theta and x.
    first, step : (study,)
        First node and spacing of the table in x.
    theta, log_g : (study, node)
        The table; an odd number of nodes.
    log_spacing : (study, node)
        Log of the distance of the nodes in theta.
    taylor : (study * interval, 8)
        Coefficients of the degree-7 spline through the table about the middle of each interval.
    error, allowed : float
        Largest error of the spline between the nodes, over 1 plus the fall of log g from its top,
        and the largest that was allowed.
    counted : float
        Fall to which the table was made so exact; further down `errors` say how wrong it is.
    errors, falls : (study, node // 2)
        Error of the spline between every second node and the next such one, and how far log g is
        below its top there.
    halved : int
        How often the usual step was halved.
    """

    center: FloatArray
    scale: FloatArray
    lines: TableMap
    first: FloatArray
    step: FloatArray
    theta: FloatArray
    log_g: FloatArray
    log_spacing: FloatArray
    taylor: FloatArray
    error: float
    allowed: float
    errors: FloatArray
    falls: FloatArray
    counted: float
    halved: int = 0

    @property
    def last(self) -> FloatArray:
        """Last node of each table in x, (study,)."""
        out: FloatArray = self.first + self.step * (self.log_g.shape[1] - 1)
        return out

    @property
    def ends(self) -> FloatArray:
        """First and last theta of each table, (study, 2)."""
        return self.theta[:, [0, -1]]

    def beyond(
        self, mu: FloatArray, tau: FloatArray, study: IndexArray, side: IndexArray
    ) -> FloatArray:
        """How many end terms lie beyond a table's end (0 below, 1 above), for pairs, (pair,).

        The integrand falls there at least as fast as it does at the end, if g goes on as it ends;
        and is no more than the normal density times g at the end. One at least.
        """
        end = -side  # the first node, or the last
        inner = np.where(side == 0, 1, -2)
        theta, out = self.theta[study, end], np.where(side == 0, -1.0, 1.0)
        z = out * (theta - mu) / tau
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # on a bound
            falls = (self.log_g[study, inner] - self.log_g[study, end]) / np.abs(
                self.theta[study, inner] - theta
            )
            slope = np.maximum(np.maximum(falls, 0.0) + z / tau, 0.0)
            width = np.minimum(1 / slope, tau * np.sqrt(np.pi / 2) * erfcx(z / np.sqrt(2)))
            if self.lines.plain.domain is not None:
                width = np.minimum(width, np.abs(np.take(self.lines.plain.domain, side) - theta))
            many = width / np.exp(self.log_spacing[study, end])
        return np.where(many > 1, many, 1.0)

    def errors_within(self, fall: FloatArray) -> FloatArray:
        """Largest error of each study's spline where log g is at most `fall` (pair, study) down."""
        order = np.argsort(self.falls, axis=1)
        down, errors = (np.take_along_axis(a, order, axis=1) for a in (self.falls, self.errors))
        last = (down <= fall[..., None] + 1).sum(axis=-1) - 1
        worst = np.maximum.accumulate(errors, axis=1)
        return np.asarray(worst[np.arange(len(worst)), np.maximum(last, 0)])

    def spacing_at(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Distance of the nodes of the given studies at theta, but for their crowding."""
        out: FloatArray = self.step[study] / self.lines.plain.take(study).slopes(theta)[0]
        return out

    def nodes(self, stride: int) -> tuple[FloatArray, FloatArray]:
        """Theta and log(g dtheta) at every `stride`-th node, (study, node) each."""
        part = np.s_[:, ::stride]
        return self.theta[part], self.log_g[part] + self.log_spacing[part] + np.log(stride)

    def between(self, steps: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Theta at positions in steps from the first node, and log(g dtheta) there, (pair,)."""
        lines = self.lines.take(study)
        theta = lines.point(self.first[study] + self.step[study] * steps)
        log_slope = np.log(self.step[study] / lines.slopes(theta)[0])
        return theta, self.value(theta, study) + log_slope

    def value(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Log g of the given studies at theta, (pair,) each; straight on beyond the table."""
        return self.reach(theta, study)[0]

    def reach(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """Log g of the given studies at theta, and how many steps beyond the table theta is."""
        c, u, beyond = self._locate(theta, study)
        f = c[..., 7] * u
        for power in range(6, 0, -1):  # in place: the arrays are large
            f += c[..., power]
            f *= u
        f += c[..., 0]
        if beyond.any():
            f += beyond * _derivatives(c, u)[1]
        return f, beyond

    def slopes(self, theta: FloatArray, study: IndexArray) -> tuple[FloatArray, FloatArray]:
        """First and second derivatives of log g in theta."""
        return self.expand(theta, study)[1:3]

    def expand(
        self, theta: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Log g, its first and second derivatives in theta, and steps beyond the table."""
        c, u, beyond = self._locate(theta, study)
        f, d1, d2 = _derivatives(c, u)
        if beyond.any():
            f += beyond * d1
            d2[beyond != 0] = 0.0
        rise, bend = (d / self.step[study] for d in self.lines.take(study).slopes(theta))
        return f, d1 * rise, d2 * rise**2 + d1 * bend, beyond

    def sharpest(self) -> FloatArray:
        """Largest -(log g)'' of each study in theta in the middle of its intervals, (study,)."""
        study = np.arange(len(self.center))[:, None]
        theta = 0.5 * (self.theta[:, 1:] + self.theta[:, :-1])
        rise, bend = (d / self.step[:, None] for d in self.lines.take(study).slopes(theta))
        c = self.taylor.reshape(*theta.shape, -1)
        out: FloatArray = -(2 * c[..., 2] * rise**2 + c[..., 1] * bend).min(axis=1)
        return out

    def steps(self, theta: FloatArray, study: IndexArray) -> FloatArray:
        """Where theta lies in the tables of the studies, in steps from their first nodes."""
        x = self.lines.take(study).line(theta)
        out: FloatArray = (x - self.first[study]) / self.step[study]
        return out

    def log_g_at(self, theta: FloatArray) -> tuple[FloatArray, BoolArray]:
        """Log g at theta (study, node), and whether it is beyond the table."""
        value, beyond = self.reach(theta, np.arange(len(theta))[:, None])
        return value, beyond != 0

    def _locate(
        self, theta: FloatArray, study: IndexArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Where theta lies in the tables.

        Gives Taylor coefficients (..., 8), the offset in steps from their centre, and how many
        steps theta is beyond the table.
        """
        steps = (self.lines.take(study).line(theta) - self.first[study]) / self.step[study]
        intervals = self.log_g.shape[1] - 1
        inside = np.clip(steps, 0, intervals)
        interval = np.minimum(inside.astype(np.intp), intervals - 1)
        return (
            self.taylor.take(study * intervals + interval, axis=0),  # much faster than by index
            inside - interval - 0.5,
            steps - inside,
        )


def tabulate(
    bound: BoundModel,
    low: FloatArray,
    high: FloatArray,
    *,
    allowed: float | None = None,
    counted: float = math.inf,
    halved: int = 0,
) -> Tables:
    """Tabulate log g between theta = low and high (study,), or the bounds of the measure.

    `allowed` is the error of one table's spline, where log g is no more than `counted` below its
    top; a larger one is met with fewer nodes. The usual step is halved `halved` times.

    Raises
    ------
    AccuracyError
        A likelihood is too rough for its table.
    """
    lines = TableMap.of(bound.data)
    first, last = lines.line(low), lines.line(high)
    allowed = allowed or _ERROR / len(bound.studies)
    ends = getattr(bound.data, "ends", None)
    return _tabulate(
        bound, lines, first, last, ends, allowed=allowed, counted=counted, halved=halved
    )


def extend(bound: BoundModel, tables: Tables, short: BoolArray) -> Tables:
    """Give longer tables for the studies and sides (study, 2) that are `short`."""
    first, last = tables.first, tables.last
    more = np.minimum(0.3 * (last - first), TABLE_BEND)  # about three times as far, at most
    first = np.where(short[:, 0], first - more, first)
    last = np.where(short[:, 1], last + more, last)
    ends = getattr(bound.data, "last_ends", getattr(bound.data, "ends", None))
    return _tabulate(
        bound,
        tables.lines,
        first,
        last,
        ends,
        allowed=tables.allowed,
        counted=tables.counted,
        halved=tables.halved,
    )


def _tabulate(
    bound: BoundModel,
    lines: TableMap,
    first: FloatArray,
    last: FloatArray,
    ends: FloatArray | None,
    *,
    allowed: float,
    counted: float,
    halved: int,
) -> Tables:
    center, scale = bound.data.y, bound.data.se
    column = lines.take(np.arange(len(center))[:, None])
    if ends is not None:  # not beyond the bounds of the measure
        low, high = lines.line(ends.T)
        first, last = np.maximum(first, low), np.minimum(last, high)
    step = 2 * _STEP
    if allowed <= _ERROR:  # the error is of the eighth power of the step
        step = float(np.clip(_WIDER * (allowed / _AT) ** 0.125, _STEP, _WIDER))
    step /= 2**halved
    error = np.inf
    for _ in range(_FINEST):
        half = int(np.ceil((last - first).max() / (2 * step)))
        nodes = 2 * max(half, 8) + 1
        spacing = (last - first) / (nodes - 1)
        x = first[:, None] + spacing[:, None] * np.arange(nodes)
        theta = column.point(x)
        log_g = bound.model.likelihood.log_g(bound.data, theta)
        before = error
        taylor, errors, falls, noise = _interpolate(log_g)
        error = float((errors / (1 + falls))[falls <= counted].max(initial=0.0))
        if error > 0.5 * before and noise < _ROUNDING and 100 * error < _SPIKE:
            # more nodes do not help: log g is rounded (counts of 1e6), at random
            error = noise / len(center)  # of each study: they add up
            errors = errors + error
            allowed = max(allowed, error)
        if error <= allowed:
            return Tables(
                center=center,
                scale=scale,
                lines=lines,
                first=first,
                step=spacing,
                theta=theta,
                log_g=log_g,
                log_spacing=np.log(spacing[:, None] / column.slopes(theta)[0]),
                taylor=taylor,
                error=error,
                allowed=allowed,
                errors=errors,
                falls=falls,
                counted=counted,
                halved=halved,
            )
        step *= 0.7
    raise AccuracyError(
        f"The table of a study's log likelihood is still wrong by {error:.0e} between its "
        'nodes: the likelihood has a kink. engine="nuts" does not need a table'
    )


def _derivatives(c: FloatArray, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Value and two derivatives of a polynomial with coefficients c (..., 8) at u.

    By repeated synthetic division, in place.
    """
    f, d1, half_d2 = c[..., 7].copy(), np.zeros_like(u), np.zeros_like(u)
    for power in range(6, -1, -1):
        half_d2 *= u
        half_d2 += d1
        d1 *= u
        d1 += f
        f *= u
        f += c[..., power]
    half_d2 *= 2
    return f, d1, half_d2


def _interpolate(log_g: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Degree-7 spline through even nodes (study, node), as Taylor coefficients about midpoints.

    Its errors (study, node // 2) are estimated from the spline through every second node, at the
    nodes left out: halving the step divides the error by 2^8, and 100 is counted on. The next
    numbers say how far log g is below its top there: a relative error counts for less where g
    has fallen far, as no integrand is large there unless N is far out too; where all integrands
    are, `StudyIntegral.error` counts it in full. If what is seen is rounding, its size over all
    studies is the last number.
    """
    from scipy.interpolate import make_interp_spline

    nodes = np.arange(log_g.shape[1], dtype=float)
    spline = make_interp_spline(nodes, log_g.T, k=7)
    middle = nodes[:-1] + 0.5
    taylor = np.stack([spline(middle, nu=m) / math.factorial(m) for m in range(8)], axis=-1)
    coarse = make_interp_spline(nodes[::2], log_g.T[::2], k=7)
    falls = np.abs(log_g.max(axis=1, keepdims=True) - log_g)[:, 1::2]
    seen = np.abs(coarse(nodes[1::2]).T - log_g[:, 1::2])
    noise = float(np.sqrt(((seen / (1 + falls)) ** 2).mean(axis=1).sum()))
    return (
        np.ascontiguousarray(taylor.transpose(1, 0, 2)).reshape(-1, 8),
        seen / 100 + _ROUNDED * (1 + falls),
        falls,
        noise,
    )
