"""Marginal distributions: one protocol for exact and sampled ones.

All take and give arrays: a marginal of shape () is one parameter, of shape (study,) one for each
study; `quantile(p)` of p (point,) is (..., point).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, ndtr, stdtr, stdtrit

from bayesmeta.inference.quantiles import (
    CLOSE,
    IntervalKind,
    as_points,
    find_interval,
    outermost,
    require_interval,
    solve_about_normal,
)
from bayesmeta.inference.shown import Shown
from bayesmeta.scales import FloatArray


class Marginal(Protocol):
    """A posterior distribution of one parameter, or of one for each study."""

    @property
    def mean(self) -> FloatArray:
        """Posterior mean; nan where it does not exist."""
        ...

    @property
    def sd(self) -> FloatArray:
        """Posterior standard deviation; nan where it does not exist."""
        ...

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (..., point); for a number, (...)."""
        ...

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        ...

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        ...

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it; at 0 and 1 the ends of the support."""
        ...

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NormalMixture(Shown):
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
        known = (away == 0) & (self.sds[..., None, :] == 0)
        return np.where(known, np.inf, out)  # at a known value: P(X <= value) = 1

    def _mix(self, component: FloatArray) -> FloatArray:
        out: FloatArray = (component * self.weights[..., None, :]).sum(axis=-1)
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (..., point); for a number, (...)."""
        return as_points(lambda x: self._mix(ndtr(self._z(x))), x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return as_points(lambda x: self._mix(ndtr(-self._z(x))), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return as_points(lambda x: self._mix(self._density(self._z(x))), x)

    def _density(self, z: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):  # nan of a known value, which has none
            out: FloatArray = np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * self.sds[..., None, :])
        return out

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Points beyond which the density is 0 in floating point numbers."""
        reach = 39.0 * self.sds
        return (self.means - reach).min(axis=-1), (self.means + reach).max(axis=-1)

    def quantile(self, p: ArrayLike, *, close: float = CLOSE) -> FloatArray:
        """Value with probability p below it; `close` as for `solve_quantile`."""
        low, high = self.reach
        spreads = self.sds > 0
        ends = (
            np.where(spreads, -np.inf, self.means).min(axis=-1),
            np.where(spreads, np.inf, self.means).max(axis=-1),
        )
        known = bool((self.sds == 0).any())
        means, weights = self.means[..., None, :], self.weights[..., None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = 1 / self.sds[..., None, :]
            heights = weights * rate / np.sqrt(2 * np.pi)

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            z = (x[..., None] - means) * rate
            if known:
                z = np.where(np.isnan(z), np.inf, z)  # at a known value: P(X <= value) = 1
            below = np.vecdot(ndtr(z), weights)
            np.square(z, out=z)
            z *= -0.5
            return below, np.vecdot(np.exp(z, out=z), heights)

        return solve_about_normal(self, cdf_and_pdf, low, high, p, ends=ends, close=close)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudentMixture:
    """A part of a `Mixture`: t distributions about nodes, of a new study's effect.

    `means`, `scales` and `weights` (node,); the weights sum to this part's share.
    """

    means: FloatArray
    scales: FloatArray
    weights: FloatArray
    df: float

    def _z(self, x: FloatArray) -> FloatArray:
        out: FloatArray = (x[..., None] - self.means) / self.scales
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x) for x (point,), giving (point,); for a number, ()."""
        return as_points(lambda x: stdtr(self.df, self._z(x)) @ self.weights, x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return as_points(lambda x: stdtr(self.df, -self._z(x)) @ self.weights, x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        half = (self.df + 1) / 2
        log_peak = gammaln(half) - gammaln(self.df / 2) - 0.5 * np.log(np.pi * self.df)
        heights = self.weights / self.scales * np.exp(log_peak)
        return as_points(lambda x: (1 + self._z(x) ** 2 / self.df) ** -half @ heights, x)

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Points that less than 1e-15 lies beyond."""
        reach = stdtrit(self.df, 1 - 1e-15) * self.scales
        return (self.means - reach).min(axis=-1), (self.means + reach).max(axis=-1)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Infinite ends: this part is asked for its ends only."""
        return as_points(lambda p: np.where(p < 0.5, -np.inf, np.inf), p)


class Part(Protocol):
    """What a mixture asks of its parts, whose weights they carry."""

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Give the part's share of P(X <= x)."""
        ...

    def sf(self, x: ArrayLike) -> FloatArray:
        """Give the part's share of P(X > x)."""
        ...

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Give the part's share of the density."""
        ...

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Give the ends of the part's support, at p = 0 and 1."""
        ...

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Finite points between which the part lies, but for rounding."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mixture(Shown):
    """A mixture of marginals of one parameter; the weights are in the parts."""

    parts: Sequence["Part"]
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
        low, high = outermost([np.stack(part.reach, axis=-1) for part in self.parts])
        ends = outermost([part.quantile([0.0, 1.0]) for part in self.parts])

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            return self.cdf(x), self.pdf(x)

        return solve_about_normal(self, cdf_and_pdf, low, high, p, ends=ends)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        return find_interval(self, level, kind)


@dataclass(frozen=True, slots=True, repr=False)
class Undefined(Shown):
    """What a model does not have, such as tau of unrelated effects: nan throughout."""

    @property
    def mean(self) -> FloatArray:
        """Nan."""
        return np.asarray(np.nan)

    @property
    def sd(self) -> FloatArray:
        """Nan."""
        return np.asarray(np.nan)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Nan for every x."""
        return np.full(np.shape(x), np.nan)

    def sf(self, x: ArrayLike) -> FloatArray:
        """Nan for every x."""
        return np.full(np.shape(x), np.nan)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Nan for every x."""
        return np.full(np.shape(x), np.nan)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Nan for every p."""
        return np.full(np.shape(p), np.nan)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:  # noqa: ARG002
        """Nan at both ends."""
        return np.full(2, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Empirical(Shown):
    """A sample of a posterior.

    Attributes
    ----------
    draws : (..., draw)
        All chains end to end.
    has_mean, has_sd : bool
        Whether the moments exist in the posterior that was sampled.
    """

    draws: FloatArray
    has_mean: bool = True
    has_sd: bool = True

    @property
    def mean(self) -> FloatArray:
        """Mean of the draws; nan where the posterior has none."""
        out: FloatArray = self.draws.mean(axis=-1)
        return out if self.has_mean else np.full_like(out, np.nan)

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of the draws; nan where the posterior has none."""
        out: FloatArray = self.draws.std(axis=-1, ddof=1)
        return out if self.has_sd else np.full_like(out, np.nan)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """Share of the draws at or below x."""
        return as_points(lambda x: (self.draws[..., None, :] <= x[..., None]).mean(axis=-1), x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """Share of the draws above x."""
        return as_points(lambda x: (self.draws[..., None, :] > x[..., None]).mean(axis=-1), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Kernel estimate of the density: normal kernel, Silverman's bandwidth."""
        spread = np.minimum(self.draws.std(axis=-1), np.subtract(*self._quartiles()) / 1.349)
        width = 0.9 * spread[..., None, None] * self.draws.shape[-1] ** -0.2

        def density(x: FloatArray) -> FloatArray:
            z = (x[..., None] - self.draws[..., None, :]) / width
            out: FloatArray = (np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * width)).mean(axis=-1)
            return out

        return as_points(density, x)

    def _quartiles(self) -> tuple[FloatArray, FloatArray]:
        upper, lower = np.quantile(self.draws, [0.75, 0.25], axis=-1)
        return upper, lower

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Quantile of the draws (linear interpolation); at 0 and 1 the smallest and largest draw.

        Draws do not reach the ends of the posterior's support.
        """
        return as_points(
            lambda p: (
                np.moveaxis(np.quantile(self.draws, p.reshape(-1), axis=-1), 0, -1)
                if p.ndim == 1
                else np.stack([np.quantile(d, q) for d, q in zip(self.draws, p, strict=True)])
            ),
            p,
        )

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (..., 2)."""
        if kind == "eti":
            return find_interval(self, level, kind)
        require_interval(level, kind)
        ordered = np.sort(self.draws, axis=-1)
        inside = int(np.ceil(level * ordered.shape[-1]))
        low, high = ordered[..., : -inside or None], ordered[..., inside:]
        best = np.argmin(high - low[..., : high.shape[-1]], axis=-1)[..., None]
        ends = [np.take_along_axis(side, best, axis=-1)[..., 0] for side in (low, high)]
        return np.stack(ends, axis=-1)
