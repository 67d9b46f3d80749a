"""The true effect of a new study where effects are bounded: mixtures of truncated normals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.quadrature import SinhMap
from bayesmeta.inference.quantiles import as_points
from bayesmeta.inference.rough import take_rows
from bayesmeta.inference.sinc import SincDensity
from bayesmeta.inference.surface import Surface
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_REACH = 8.5  # SDs of a normal on each side of its mean
_LEGENDRE = np.polynomial.legendre.leggauss(48)
_TOGETHER = 1 << 21  # numbers held at once


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutMixture:
    """A mixture of normals, each cut to the same bounds; a part of a `Mixture`.

    Attributes
    ----------
    whole : NormalMixture
        The normals, each with its weight over what the bounds leave of it.
    low, high : float
    """

    whole: NormalMixture
    low: float
    high: float

    def _lost(self, side: int) -> FloatArray:
        """Weight of the normals beyond a bound, -1 or 1."""
        away = (self.low - self.whole.means) if side < 0 else (self.whole.means - self.high)
        out: FloatArray = self.whole.weights @ ndtr(away / self.whole.sds)
        return out

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x), this part's share of it."""
        inside = np.clip(np.asarray(x, dtype=float), self.low, self.high)
        return np.asarray(self.whole.cdf(inside) - self._lost(-1))

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), this part's share of it."""
        inside = np.clip(np.asarray(x, dtype=float), self.low, self.high)
        return np.asarray(self.whole.sf(inside) - self._lost(1))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x, 0 beyond the bounds."""
        points = np.asarray(x, dtype=float)
        return np.where((points > self.low) & (points < self.high), self.whole.pdf(points), 0.0)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Bounds: this part is asked for its ends only."""
        return as_points(lambda p: np.where(p < 0.5, self.low, self.high), p)

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Bounds."""
        return np.asarray(self.low), np.asarray(self.high)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutKernels:
    """Truncated normals with narrow kernels, about a density of mu; a part of a `Mixture`.

    Beyond the reach of a kernel the density of mu decides; within it the two are integrated
    together, from bound to bound.

    Attributes
    ----------
    of_mu : SincDensity
        A component for each row.
    tau : (row,)
    form : TruncatedRandomEffects
    """

    of_mu: SincDensity
    tau: FloatArray
    form: TruncatedRandomEffects

    @property
    def _ends(self) -> tuple[FloatArray | float, FloatArray | float]:
        """Ends of the lines of mu, short of the bounds."""
        assert not isinstance(self.of_mu.coordinate, SinhMap)
        return self.of_mu.coordinate.scan[:2]

    def _rows(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mass of mu below the kernels' reach (row, point); points in reach and their weights."""
        tau, of_mu = self.tau[:, None], self.of_mu
        low, high = (
            np.clip(x + side * _REACH * tau, self.form.low, self.form.high) for side in (-1, 1)
        )
        start, step = of_mu.start[:, None], of_mu.step[:, None]
        below = of_mu._cdf_at((of_mu.coordinate.line(low) - start) / step)
        z, weights = _LEGENDRE
        half = (high - low)[..., None] / 2
        mu = low[..., None] + half * (1 + z)
        first, last = (np.reshape(end, (-1, 1)) for end in self._ends)
        line = np.clip(of_mu.coordinate.line(mu.reshape(len(tau), -1)), first, last)
        slope = np.exp(-of_mu.coordinate.log_slope(line))
        density = of_mu._density_at((line - start) / step) / step * slope
        return below, mu, density.reshape(mu.shape) * half * weights

    def _sum(self, x: FloatArray, *, density: bool) -> FloatArray:
        flat = x.reshape(-1)
        out = np.empty(len(flat))
        tau = np.maximum(self.tau, 1e-300)[:, None, None]
        size = len(self.tau) * len(_LEGENDRE[0]) * self.of_mu.masses.shape[-1]
        chunk = max(1, _TOGETHER // size)
        for begin in range(0, len(flat), chunk):  # a chunk of points, to bound the memory
            part = flat[begin : begin + chunk]
            below, mu, weight = self._rows(part)
            with np.errstate(over="ignore", under="ignore"):
                z = (part[:, None] - mu) / tau
                if density:
                    share = np.exp(-0.5 * z**2) / (tau * np.sqrt(2 * np.pi))
                else:
                    share = ndtr(z) - ndtr((self.form.low - mu) / tau)
                share = share / np.exp(self.form.log_inside(mu, tau))
            total = (weight * share).sum(axis=-1) + (0.0 if density else below)
            out[begin : begin + chunk] = total.sum(axis=0)
        return out.reshape(x.shape)

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x), this part's share of it."""
        whole = self.of_mu.masses.sum()

        def inside(x: FloatArray) -> FloatArray:
            found = self._sum(np.clip(x, self.form.low, self.form.high), density=False)
            return np.where(x >= self.form.high, whole, np.where(x <= self.form.low, 0.0, found))

        return as_points(inside, x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x), this part's share of it."""
        return np.asarray(self.of_mu.masses.sum() - self.cdf(x))

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x, 0 beyond the bounds."""

        def inside(x: FloatArray) -> FloatArray:
            found = self._sum(np.clip(x, self.form.low, self.form.high), density=True)
            return np.where((x > self.form.low) & (x < self.form.high), found, 0.0)

        return as_points(inside, x)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Bounds: this part is asked for its ends only."""
        return as_points(lambda p: np.where(p < 0.5, self.form.low, self.form.high), p)

    @property
    def reach(self) -> tuple[FloatArray, FloatArray]:
        """Bounds."""
        return np.asarray(self.form.low), np.asarray(self.form.high)


def cut_kernels(
    surface: Surface,
    form: TruncatedRandomEffects,
    rows: "np.ndarray[tuple[int], np.dtype[np.intp]]",
) -> CutKernels:
    """Give narrow truncated normals in the given rows of tau."""
    plane = surface.plane
    assert plane.of_mu is not None
    of_mu = SincDensity(
        start=plane.x_low[rows],
        step=plane.x_step[rows],
        masses=surface.mass[rows],
        coordinate=take_rows(plane.of_mu, rows),
    )
    return CutKernels(of_mu=of_mu, tau=plane.tau[rows], form=form)


def cut_moments(
    mu: FloatArray, tau: FloatArray, form: TruncatedRandomEffects
) -> tuple[FloatArray, FloatArray]:
    """Means and variances of truncated normals about mu with SD tau, of the shape of mu."""
    tau = np.broadcast_to(tau, mu.shape)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a, b = (form.low - mu) / tau, (form.high - mu) / tau
        share = np.exp(form.log_inside(mu, tau))
        at_a, at_b = (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / share for z in (a, b))
        edges = np.where(np.isfinite(a), a * at_a, 0.0) - np.where(np.isfinite(b), b * at_b, 0.0)
        mean = mu + tau * (at_a - at_b)
        variance = tau**2 * (1 + edges - (at_a - at_b) ** 2)
    wide = tau > form.high - form.low  # the formulas cancel
    z, weight = _LEGENDRE
    half = (form.high - form.low) / 2
    theta = form.low + half * (1 + z)
    inside = weight * np.exp(-0.5 * ((theta - mu[wide, None]) / tau[wide, None]) ** 2)
    inside /= inside.sum(axis=1, keepdims=True)
    mean[wide] = inside @ theta
    variance[wide] = (inside * (theta - mean[wide, None]) ** 2).sum(axis=1)
    return mean, variance


def cut_nodes(
    surface: Surface,
    form: TruncatedRandomEffects,
    rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
) -> CutMixture:
    """Give truncated normals about the nodes of mu in the given rows (tau,)."""
    mu, tau = surface.plane.mu, surface.plane.tau[:, None]
    log_inside = form.log_inside(mu, tau)
    means = mu[rows]
    weights = (surface.mass * np.exp(-log_inside))[rows]
    whole = NormalMixture(
        means=means.reshape(-1),
        sds=np.broadcast_to(tau[rows], means.shape).reshape(-1),
        weights=weights.reshape(-1),
    )
    return CutMixture(whole=whole, low=form.low, high=form.high)
