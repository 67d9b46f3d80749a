"""Quantiles and intervals of any marginal, from its cdf."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from bayesmeta.errors import ModelError
from bayesmeta.scales import FloatArray

type IntervalKind = Literal["eti", "hdi"]
type Ends = tuple[FloatArray | float, FloatArray | float]

CLOSE = 1e-6  # see `solve_quantile`
EVERYWHERE = (-np.inf, np.inf)  # ends of a support without bounds
FARTHEST = np.array([1e-300, 1 - 2.0**-53])  # probabilities next to 0 and 1
_GOLDEN = (5**0.5 - 1) / 2
_ROOT_2PI = float(np.sqrt(2 * np.pi))


class Quantiled(Protocol):
    """What is asked of a marginal here."""

    @property
    def mean(self) -> FloatArray:
        """Mean; nan where it does not exist."""
        ...

    @property
    def sd(self) -> FloatArray:
        """Standard deviation; nan where it does not exist."""
        ...

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        ...


class Dense(Quantiled, Protocol):
    """What is asked of a marginal for its shortest interval."""

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        ...


def solve_quantile(
    cdf_and_pdf: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    p: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    start: FloatArray,
    ends: Ends = EVERYWHERE,
    close: float = CLOSE,
) -> FloatArray:
    """Points at which a cdf reaches p, by Newton steps kept inside a shrinking bracket.

    Parameters
    ----------
    cdf_and_pdf : callable
        x (..., point) -> cdf and pdf at x, both (..., point).
    p : (..., point)
        Probabilities; 0 and 1 give the ends of the support.
    low, high, start : broadcastable to p
        Finite points below and above every quantile between those, and where to begin.
    ends : pair, broadcastable to p
        Of the support.
    close : float
        The step from a cdf within `close` of p, relative to the nearer tail, is the last.

    The steps are Newton's for the normal score of the cdf, which is a straight line for a normal
    distribution. They double the digits, so the last step from 1e-6 leaves rounding. Where a step
    has hardly helped, as far out where rounding makes up the density, the bracket is halved.

    Raises
    ------
    ModelError
        p is no probability.
    """
    require_probabilities(p)
    low, high = (np.broadcast_to(end, p.shape).astype(float) for end in (low, high))
    x = np.clip(start, low, high)
    several = p.ndim > 1  # parameters: all of their points are taken until the last is there
    open_ = (p > 0) & (p < 1)
    f, slope = np.full(p.shape, np.nan), np.full(p.shape, np.nan)
    score, tail = ndtri(p), np.minimum(p, 1 - p)
    last = np.full(p.shape, np.inf)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(200):
            if several:
                f, slope = cdf_and_pdf(x)
            elif open_.any():
                f[open_], slope[open_] = cdf_and_pdf(x[open_])
            below = f < p
            low, high = np.where(below, x, low), np.where(below, high, x)
            at = ndtri(f)
            newton = x - (at - score) * np.exp(-0.5 * at**2) / (_ROOT_2PI * slope)
            away = np.abs(f - p)
            near = away <= close * tail
            inside = (newton >= low) & (newton <= high) & ((away < 0.9 * last) | near)
            move, last = np.where(inside, newton, 0.5 * (low + high)), away
            x = move if several else np.where(open_, move, x)
            there = (inside & near) | (high - low <= 4e-16 * np.abs(x)) | (p <= 0) | (p >= 1)
            open_ = open_ & ~there
            if np.all(there if several else ~open_):
                break
    return np.where(p <= 0, ends[0], np.where(p >= 1, ends[1], x))


def shortest_interval(marginal: Dense, level: float) -> FloatArray:
    """Shortest interval of probability `level`, (..., 2): the HDI of a unimodal density.

    The lower tail probability is searched on a grid, and about the best point of it by secants,
    for ends of the same density. Where that does not settle, as about a point of positive
    probability, it is searched by the golden section.
    """
    shape = np.shape(marginal.mean)
    p = np.linspace(0, 1 - level, 17)
    ends = _interval_from(marginal, np.broadcast_to(p, (*shape, len(p))), level)
    best = np.argmin(np.diff(ends)[..., 0], axis=-1)
    about = np.stack([np.maximum(best - 1, 0), best, np.minimum(best + 1, len(p) - 1)], axis=-1)
    first, found, last = np.moveaxis(np.take_along_axis(ends, about[..., None], axis=-2), -2, 0)
    low, high = p[about[..., 0]], p[about[..., 2]]
    balanced, settled = _balance(marginal, level, (low, high), (first, last))
    shorter = np.diff(balanced) <= np.diff(found) * (1 + 1e-12)
    at_end = (best == 0) | (best == len(p) - 1)
    if np.all(settled & (shorter[..., 0] | at_end)):
        return np.where(shorter, balanced, found)
    return _search_golden(marginal, level, (low, high), found)


def _balance(
    marginal: Dense,
    level: float,
    within: tuple[FloatArray, FloatArray],
    outer: tuple[FloatArray, FloatArray],
) -> tuple[FloatArray, "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"]:
    """Intervals with the same density at both ends, (..., 2), and whether they settled, (...).

    By the Illinois rule (Dowell and Jarratt 1971) for the log ratio of the two densities, between
    the lower tail probabilities `within` (...), whose intervals are `outer` (..., 2).
    """

    def tilt(ends: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            f = np.log(marginal.pdf(ends))
            out: FloatArray = f[..., 0] - f[..., 1]
        return out

    (low, high), (at_low, at_high) = within, (tilt(ends) for ends in outer)
    bracketed = (at_low < 0) & (at_high > 0)
    ends, settled = outer[0], np.zeros(np.shape(low), dtype=bool)
    last = np.full(np.shape(low), np.nan)  # whether the step before was too low
    least = 1e-9 * (1 - level)
    for _ in range(40):
        if not bracketed.all() or settled.all():
            break
        with np.errstate(invalid="ignore"):
            new = (low * at_high - high * at_low) / (at_high - at_low)
        new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
        ends = _interval_from(marginal, new[..., None], level)[..., 0, :]
        found = tilt(ends)
        settled = (np.abs(found) < 1e-8) | (high - low < least)
        below = found < 0
        share = np.where(below == last, 0.5, 1.0)  # of an end that has stayed twice
        at_low = np.where(below, found, share * at_low)
        at_high = np.where(below, share * at_high, found)
        last = below
        low, high = np.where(below, new, low), np.where(below, high, new)
    return ends, settled


def _search_golden(
    marginal: Quantiled, level: float, within: tuple[FloatArray, FloatArray], found: FloatArray
) -> FloatArray:
    """Shortest interval by the golden section, between lower tail probabilities; or `found`."""
    low, high = within
    inner = [high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)]
    tried = [_interval_from(marginal, at[..., None], level)[..., 0, :] for at in inner]
    for _ in range(32):
        left = np.diff(tried[0])[..., 0] < np.diff(tried[1])[..., 0]
        low, high = np.where(left, low, inner[0]), np.where(left, inner[1], high)
        new = np.where(left, high - _GOLDEN * (high - low), low + _GOLDEN * (high - low))
        ends = _interval_from(marginal, new[..., None], level)[..., 0, :]
        inner = [np.where(left, new, inner[1]), np.where(left, inner[0], new)]
        side = left[..., None]
        tried = [np.where(side, ends, tried[1]), np.where(side, tried[0], ends)]
    for ends in tried:
        shorter = np.diff(ends) < np.diff(found)
        found = np.where(shorter, ends, found)
    return found


def _interval_from(marginal: Quantiled, p: FloatArray, level: float) -> FloatArray:
    """Intervals with p (..., point) below them, (..., point, 2)."""
    return np.stack([marginal.quantile(p), marginal.quantile(p + level)], axis=-1)


def require_probabilities(p: FloatArray) -> None:
    """Refuse what is no probability, but for rounding; nan is let through."""
    beyond = np.abs(p - 0.5) > 0.5 + 1e-9
    if beyond.any():
        raise ModelError(
            f"p = {p[beyond].flat[0]:g} is no probability. Give quantiles between 0 and 1, such as "
            "0.975"
        )


def require_interval(level: float, kind: IntervalKind) -> None:
    """Refuse intervals that there are not.

    Raises
    ------
    ModelError
        `level` is not between 0 and 1, or `kind` is not known.
    """
    if not isinstance(level, Real) or not 0 < level < 1:
        raise ModelError(
            f"level = {level!r} is not the probability of an interval. Write 0.95 for a 95% "
            "interval"
        )
    if kind not in get_args(IntervalKind.__value__):
        raise ModelError(
            f'kind = {kind!r} is not known. Give "eti" for the equal-tailed interval, "hdi" for '
            "the shortest"
        )


def find_interval(marginal: Dense, level: float, kind: IntervalKind) -> FloatArray:
    """Equal-tailed ("eti") or shortest ("hdi") interval of probability `level`, (..., 2).

    Raises
    ------
    ModelError
        `level` is not between 0 and 1, or `kind` is not known.
    """
    require_interval(level, kind)
    if kind == "hdi":
        return shortest_interval(marginal, level)
    return marginal.quantile([(1 - level) / 2, (1 + level) / 2])


def solve_about_normal(
    marginal: Quantiled,
    cdf_and_pdf: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    low: FloatArray,
    high: FloatArray,
    p: ArrayLike,
    *,
    ends: Ends = EVERYWHERE,
    close: float = CLOSE,
) -> FloatArray:
    """Quantiles of a marginal that is about normal: begun at the normal quantiles.

    `low`, `high` and `ends` (...) are those of `solve_quantile`.
    """
    mean, sd = marginal.mean[..., None], marginal.sd[..., None]
    known = np.isfinite(mean) & np.isfinite(sd) & (sd > 0)
    center = np.where(known, mean, 0.5 * (low + high)[..., None])
    scale = np.where(known, sd, (high - low)[..., None])

    def solve(p: FloatArray) -> FloatArray:
        p = spread(p, low) if p.ndim == 1 else p
        guess = center + scale * np.where(known, ndtri(np.clip(p, 1e-300, 1 - 1e-16)), 0.0)
        first, last = (np.asarray(end)[..., None] for end in ends)
        return solve_quantile(
            cdf_and_pdf, p, low[..., None], high[..., None],
            start=guess, ends=(first, last), close=close,
        )  # fmt: skip

    return as_points(solve, p)


def as_points(function: Callable[[FloatArray], FloatArray], x: ArrayLike) -> FloatArray:
    """Apply a function of (point,) to a number as well."""
    points = np.asarray(x, dtype=float)
    if points.ndim == 0:
        out: FloatArray = function(points[None])[..., 0]
        return out
    return function(points)


def spread(p: FloatArray, like: FloatArray) -> FloatArray:
    """Probabilities for every leading index: (point,) -> (..., point)."""
    return np.broadcast_to(p, (*like.shape, p.shape[-1]))


def outermost(ends: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Lowest of the first and highest of the last of pairs (..., 2)."""
    pairs = np.stack(ends)
    return pairs[..., 0].min(axis=0), pairs[..., 1].max(axis=0)
