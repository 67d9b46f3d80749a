"""The true effect of a new study where effects are bounded: mixtures of truncated normals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.inference.plane import Surface
from bayesmeta.inference.quantiles import as_points
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.scales import FloatArray

_CUT = 1e-11  # posterior mass that narrow random effects may have beyond the bounds


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


def cut_moments(surface: Surface, form: TruncatedRandomEffects) -> tuple[FloatArray, FloatArray]:
    """Mean and SD of a new study's effect, from the moments of a truncated normal at each node."""
    plane, mass = surface.plane, surface.mass
    mu, tau = plane.mu, plane.tau[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = (form.low - mu) / tau, (form.high - mu) / tau
        share = np.exp(form.log_inside(mu, tau))
        at_a, at_b = (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) / share for z in (a, b))
        edges = np.where(np.isfinite(a), a * at_a, 0.0) - np.where(np.isfinite(b), b * at_b, 0.0)
    mean = mu + tau * (at_a - at_b)
    variance = tau**2 * (1 + edges - (at_a - at_b) ** 2)
    center = (mass * mean).sum()
    return np.asarray(center), np.sqrt((mass * (variance + (mean - center) ** 2)).sum())


def cut_nodes(
    surface: Surface,
    form: TruncatedRandomEffects,
    rows: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
) -> CutMixture:
    """Give truncated normals about the nodes of mu in the given rows (tau,).

    Raises
    ------
    AccuracyError
        In the other rows, where tau is small against the nodes' distance, the bounds matter.
    """
    mu, tau = surface.plane.mu, surface.plane.tau[:, None]
    log_inside = form.log_inside(mu, tau)
    beyond = float((surface.mass * -np.expm1(log_inside))[~rows].sum())
    if beyond > _CUT:
        raise AccuracyError(
            f"The posterior of mu reaches the bounds ({form.low:g}, {form.high:g}) where tau is "
            'small, which is not resolved. Use engine="nuts", or a ratio measure'
        )
    means = mu[rows]
    weights = (surface.mass * np.exp(-log_inside))[rows]
    whole = NormalMixture(
        means=means.reshape(-1),
        sds=np.broadcast_to(tau[rows], means.shape).reshape(-1),
        weights=weights.reshape(-1),
    )
    return CutMixture(whole=whole, low=form.low, high=form.high)
