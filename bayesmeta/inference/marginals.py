"""Marginal distributions: one protocol for exact and sampled ones.

All take and give arrays: a marginal of shape () is one parameter, of shape (study,) one for each
study; `quantile(p)` of p (point,) is (..., point).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri, sici

from bayesmeta.inference.quadrature import SinhMap, SupportMap
from bayesmeta.scales import FloatArray

type IntervalKind = Literal["eti", "hdi"]


class Marginal(Protocol):
    """A posterior distribution of one parameter, or of one for each study.

    `mean` and `sd` are nan where the moment does not exist.
    """

    @property
    def mean(self) -> FloatArray: ...
    @property
    def sd(self) -> FloatArray: ...
    def cdf(self, x: ArrayLike) -> FloatArray: ...
    def sf(self, x: ArrayLike) -> FloatArray: ...
    def pdf(self, x: ArrayLike) -> FloatArray: ...
    def quantile(self, p: ArrayLike) -> FloatArray: ...
    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray: ...


def solve_quantile(
    cdf_and_pdf: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    p: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    start: FloatArray,
) -> FloatArray:
    """Points at which a cdf reaches p, by Newton steps kept inside a shrinking bracket.

    Parameters
    ----------
    cdf_and_pdf : callable
        x (..., point) -> cdf and pdf at x, both (..., point).
    p : (..., point)
        Probabilities; 0 and 1 give the ends of the bracket.
    low, high, start : broadcastable to p
        Points below and above every quantile, and where to begin.

    Newton steps double the digits, so the step from a cdf within 1e-9 of p, relative to the
    nearer tail, is the last.
    """
    low, high = (np.broadcast_to(end, p.shape).astype(float) for end in (low, high))
    x = np.clip(start, low, high)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(200):
            f, slope = cdf_and_pdf(x)
            below = f < p
            low, high = np.where(below, x, low), np.where(below, high, x)
            newton = x - (f - p) / slope
            inside = (newton >= low) & (newton <= high)
            move = np.where(inside, newton, 0.5 * (low + high))
            done = inside & (np.abs(f - p) <= 1e-9 * np.minimum(p, 1 - p))
            x = move
            if np.all(done | (high - low <= 4e-16 * np.abs(x)) | (p <= 0) | (p >= 1)):
                break
    return np.where(p <= 0, low, np.where(p >= 1, high, x))


def shortest_interval(marginal: Marginal, level: float) -> FloatArray:
    """Shortest interval of probability `level`, (..., 2): the HDI of a unimodal density.

    The lower tail probability is searched on a grid that is narrowed about the shortest interval.
    """
    low = np.zeros(np.shape(marginal.mean))
    width = np.full(low.shape, 1.0 - level)
    for _ in range(9):
        p = low[..., None] + width[..., None] * np.linspace(0, 1, 17)
        ends = _paired_quantiles(marginal, p, level)
        best = np.argmin(ends[..., 1] - ends[..., 0], axis=-1)[..., None]
        chosen = np.take_along_axis(p, best, axis=-1)[..., 0]
        width = width / 6
        low = np.clip(chosen - width / 2, 0, 1 - level - width)
    out: FloatArray = np.take_along_axis(ends, best[..., None], axis=-2)[..., 0, :]
    return out


def _paired_quantiles(marginal: Marginal, p: FloatArray, level: float) -> FloatArray:
    return np.stack([marginal.quantile(p), marginal.quantile(p + level)], axis=-1)


def find_interval(marginal: Marginal, level: float, kind: IntervalKind) -> FloatArray:
    """Equal-tailed ("eti") or shortest ("hdi") interval of probability `level`, (..., 2)."""
    if kind == "hdi":
        return shortest_interval(marginal, level)
    return marginal.quantile([(1 - level) / 2, (1 + level) / 2])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalMixture:
    """A finite mixture of normals: exact marginals of the Gaussian family.

    Attributes
    ----------
    means, sds : (..., node)
        Of the components; an sd may be 0 (a known value).
    weights : (node,) or (..., node)
        Sum to 1, or to this part's share of a `Mixture`.
    has_mean, has_sd : bool
        Whether the moments exist in the posterior that the nodes stand for.
    """

    means: FloatArray
    sds: FloatArray
    weights: FloatArray
    has_mean: bool = True
    has_sd: bool = True

    @property
    def mean(self) -> FloatArray:
        """Posterior mean; nan where it does not exist."""
        out: FloatArray = (self.weights * self.means).sum(axis=-1)
        return out if self.has_mean else np.full_like(out, np.nan)

    @property
    def sd(self) -> FloatArray:
        """Posterior standard deviation; nan where it does not exist."""
        center = (self.weights * self.means).sum(axis=-1)[..., None]
        spread = self.weights * (self.sds**2 + (self.means - center) ** 2)
        out: FloatArray = np.sqrt(spread.sum(axis=-1))
        return out if self.has_sd else np.full_like(out, np.nan)

    def _z(self, x: ArrayLike) -> FloatArray:
        away = np.asarray(x, dtype=float)[..., None] - self.means[..., None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            out: FloatArray = away / self.sds[..., None, :]
        return np.where(np.isnan(out), np.inf, out)  # at a known value: P(X <= value) = 1

    def _mix(self, component: FloatArray) -> FloatArray:
        out: FloatArray = (component * self.weights[..., None, :]).sum(axis=-1)
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (..., point); for a number, (...)."""
        return _as_points(lambda x: self._mix(ndtr(self._z(x))), x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return _as_points(lambda x: self._mix(ndtr(-self._z(x))), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return _as_points(lambda x: self._mix(self._density(self._z(x))), x)

    def _density(self, z: FloatArray) -> FloatArray:
        out: FloatArray = np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * self.sds[..., None, :])
        return out

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        reach = 39.0 * self.sds
        low, high = (self.means - reach).min(axis=-1), (self.means + reach).max(axis=-1)

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            z = self._z(x)
            return self._mix(ndtr(z)), self._mix(self._density(z))

        return _solve_about_normal(self, cdf_and_pdf, low, high, p)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


def _solve_about_normal(
    marginal: "NormalMixture | SincDensity | Mixture",
    cdf_and_pdf: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    low: FloatArray,
    high: FloatArray,
    p: ArrayLike,
) -> FloatArray:
    """Quantiles of a marginal that is about normal: begun at the normal quantiles."""
    mean, sd = marginal.mean[..., None], marginal.sd[..., None]
    known = np.isfinite(mean) & np.isfinite(sd) & (sd > 0)
    center = np.where(known, mean, 0.5 * (low + high)[..., None])
    scale = np.where(known, sd, (high - low)[..., None])

    def solve(p: FloatArray) -> FloatArray:
        p = _spread(p, low) if p.ndim == 1 else p
        guess = center + scale * np.where(known, ndtri(np.clip(p, 1e-300, 1 - 1e-16)), 0.0)
        return solve_quantile(cdf_and_pdf, p, low[..., None], high[..., None], start=guess)

    return _as_points(solve, p)


def _as_points(function: Callable[[FloatArray], FloatArray], x: ArrayLike) -> FloatArray:
    """Apply a function of (point,) to a number as well."""
    points = np.asarray(x, dtype=float)
    if points.ndim == 0:
        out: FloatArray = function(points[None])[..., 0]
        return out
    return function(points)


def _spread(p: FloatArray, like: FloatArray) -> FloatArray:
    """Probabilities for every leading index: (point,) -> (..., point)."""
    return np.broadcast_to(p, (*like.shape, p.shape[-1]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SincDensity:
    """A density known by its masses at even nodes of a mapped line, exact between them.

    Between nodes the density is the sinc interpolant, whose integral is the sine integral: it
    converges as the trapezoid rule through the same nodes does (Stenger 1993).

    Attributes
    ----------
    start, step : (..., component)
        First node and spacing on the line.
    masses : (..., component, node)
        Sum to 1 over components and nodes, or to this part's share of a `Mixture`.
    coordinate : SupportMap or SinhMap
        The map from the line to the parameter; a SinhMap has arrays (..., component).
    shift : (..., component)
        Added to the parameter (components that are copies of one density, moved).
    """

    start: FloatArray
    step: FloatArray
    masses: FloatArray
    coordinate: SupportMap | SinhMap
    shift: FloatArray | None = None
    has_mean: bool = True
    has_sd: bool = True

    def _values(self) -> FloatArray:
        nodes = np.arange(self.masses.shape[-1])
        points = self.coordinate.point(self.start[..., None] + self.step[..., None] * nodes)
        return points if self.shift is None else points + self.shift[..., None]

    @property
    def mean(self) -> FloatArray:
        """Posterior mean; nan where it does not exist."""
        out: FloatArray = (self.masses * self._values()).sum(axis=(-2, -1))
        return out if self.has_mean else np.full_like(out, np.nan)

    @property
    def sd(self) -> FloatArray:
        """Posterior standard deviation; nan where it does not exist."""
        values = self._values()
        center = (self.masses * values).sum(axis=(-2, -1))[..., None, None]
        out: FloatArray = np.sqrt((self.masses * (values - center) ** 2).sum(axis=(-2, -1)))
        return out if self.has_sd else np.full_like(out, np.nan)

    def _line(self, x: FloatArray) -> FloatArray:
        """Positions in steps from the first node, (..., component, point)."""
        moved = x[..., None, :] if self.shift is None else x[..., None, :] - self.shift[..., None]
        return (self.coordinate.line(moved) - self.start[..., None]) / self.step[..., None]

    def _cdf_at(self, steps: FloatArray) -> FloatArray:
        """Cumulative mass of each component at positions (..., component, point)."""
        away = steps[..., None] - np.arange(self.masses.shape[-1])
        share = 0.5 + sici(np.pi * away)[0] / np.pi
        out: FloatArray = (share @ self.masses[..., None])[..., 0]
        return out

    def _density_at(self, steps: FloatArray) -> FloatArray:
        """Density of each component per step, at positions (..., component, point)."""
        away = steps[..., None] - np.arange(self.masses.shape[-1])
        out: FloatArray = (np.sinc(away) @ self.masses[..., None])[..., 0]
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (..., point); for a number, (...)."""
        return _as_points(lambda x: self._clip(self._cdf_at(self._line(x)).sum(axis=-2)), x)

    def _clip(self, probability: FloatArray) -> FloatArray:
        """Cut the rounding of a sum of masses, some 1e-16, off the ends of its range."""
        return np.clip(probability, 0.0, self.masses.sum(axis=(-2, -1))[..., None])

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), to the accuracy of the nodes in absolute terms."""
        total = self.masses.sum(axis=(-2, -1))
        return _as_points(lambda x: self._clip(total[..., None] - self.cdf(x)), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""

        def density(x: FloatArray) -> FloatArray:
            per_step = self._density_at(self._line(x)) * self._steps_per_unit(x)
            return np.maximum(per_step.sum(axis=-2), 0.0)

        return _as_points(density, x)

    def _steps_per_unit(self, x: FloatArray) -> FloatArray:
        moved = x[..., None, :] if self.shift is None else x[..., None, :] - self.shift[..., None]
        line = self.coordinate.line(moved)
        inside = np.isfinite(line)
        slope = self.coordinate.log_slope(np.where(inside, line, 0.0))
        out: FloatArray = np.where(inside, np.exp(-slope), 0.0) / self.step[..., None]
        return out

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        if self.masses.shape[-2] == 1:  # one component: solve on the line, where it is smooth
            return _as_points(self._quantile_on_line, p)
        values = self._values()
        low, high = values.min(axis=(-2, -1)), values.max(axis=(-2, -1))

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            steps = self._line(x)
            density = self._density_at(steps) * self._steps_per_unit(x)
            return self._cdf_at(steps).sum(axis=-2), density.sum(axis=-2)

        return _solve_about_normal(self, cdf_and_pdf, low, high, p)

    def _quantile_on_line(self, p: FloatArray) -> FloatArray:
        def cdf_and_pdf(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
            inner = steps[..., None, :]
            return self._cdf_at(inner)[..., 0, :], self._density_at(inner)[..., 0, :]

        low = np.zeros(self.masses.shape[:-2])
        p = _spread(p, low) if p.ndim == 1 else p
        below, above = self._node_bracket(p)
        steps = solve_quantile(cdf_and_pdf, p, below, above, start=0.5 * (below + above))
        line = (self.start + self.step * steps)[..., None, :]  # (..., component, point)
        points = self.coordinate.point(line)[..., 0, :]
        return points if self.shift is None else points + self.shift

    def _node_bracket(self, p: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Nodes about each quantile, so that it is found in few steps."""
        nodes = np.arange(self.masses.shape[-1], dtype=float)
        at_nodes = self._cdf_at(np.broadcast_to(nodes, self.masses.shape))[..., 0, :]
        index = (p[..., None] > at_nodes[..., None, :]).sum(axis=-1).astype(float)
        return np.maximum(index - 2, 0), np.minimum(index + 1, nodes[-1])

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """A mixture of marginals of one parameter; the weights are in the parts."""

    parts: Sequence["NormalMixture | SincDensity"]
    mean: FloatArray
    sd: FloatArray

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return np.asarray(sum(part.cdf(x) for part in self.parts))

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return np.asarray(sum(part.sf(x) for part in self.parts))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return np.asarray(sum(part.pdf(x) for part in self.parts))

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        ends = [part.quantile([0.0, 1.0]) for part in self.parts]
        low: FloatArray = np.min([end[..., 0] for end in ends], axis=0)
        high: FloatArray = np.max([end[..., 1] for end in ends], axis=0)

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            return self.cdf(x), self.pdf(x)

        return _solve_about_normal(self, cdf_and_pdf, low, high, p)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Empirical:
    """A sample of a posterior.

    Attributes
    ----------
    draws : (..., draw)
        All chains end to end.
    """

    draws: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Mean of the draws."""
        out: FloatArray = self.draws.mean(axis=-1)
        return out

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of the draws."""
        out: FloatArray = self.draws.std(axis=-1, ddof=1)
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Share of the draws at or below x."""
        return _as_points(
            lambda x: (self.draws[..., None, :] <= x[..., None]).mean(axis=-1), x
        )

    def sf(self, x: ArrayLike) -> FloatArray:
        """Share of the draws above x."""
        return _as_points(lambda x: (self.draws[..., None, :] > x[..., None]).mean(axis=-1), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Kernel estimate of the density: normal kernel, Silverman's bandwidth."""
        spread = np.minimum(self.sd, np.subtract(*self._quartiles()) / 1.349)
        width = 0.9 * spread[..., None, None] * self.draws.shape[-1] ** -0.2

        def density(x: FloatArray) -> FloatArray:
            z = (x[..., None] - self.draws[..., None, :]) / width
            out: FloatArray = (np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * width)).mean(axis=-1)
            return out

        return _as_points(density, x)

    def _quartiles(self) -> tuple[FloatArray, FloatArray]:
        upper, lower = np.quantile(self.draws, [0.75, 0.25], axis=-1)
        return upper, lower

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Quantile of the draws (linear interpolation)."""
        return _as_points(
            lambda p: np.moveaxis(np.quantile(self.draws, p.reshape(-1), axis=-1), 0, -1)
            if p.ndim == 1
            else np.stack([np.quantile(d, q) for d, q in zip(self.draws, p, strict=True)]),
            p,
        )

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        if kind == "eti":
            return find_interval(self, level, kind)
        ordered = np.sort(self.draws, axis=-1)
        inside = int(np.ceil(level * ordered.shape[-1]))
        low, high = ordered[..., : -inside or None], ordered[..., inside:]
        best = np.argmin(high - low[..., : high.shape[-1]], axis=-1)[..., None]
        ends = [np.take_along_axis(side, best, axis=-1)[..., 0] for side in (low, high)]
        return np.stack(ends, axis=-1)
