"""Distributions of an increasing function of a parameter, as a marginal of their own."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.errors import AccuracyError
from bayesmeta.inference.marginals import Empirical, Marginal
from bayesmeta.inference.quantiles import (
    FARTHEST,
    IntervalKind,
    as_points,
    find_interval,
    solve_about_normal,
)
from bayesmeta.inference.shown import Shown
from bayesmeta.once import Taken, once
from bayesmeta.scales import FloatArray

type Curve = Callable[[FloatArray], FloatArray]

_LEGENDRE, _LEGENDRE_WEIGHTS = np.polynomial.legendre.leggauss(20)
_TAIL = np.array([1e-13, 1e-11, 1e-9, 1e-7, 1e-5, 1e-4, 1e-3, 0.01, 0.04, 0.1, 0.2, 0.35])
_KNOTS = np.concatenate([_TAIL, [0.5], 1 - _TAIL[::-1]])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mapped(Shown):
    """Value h(X, b): X a parameter, h increasing in X, and b averaged over nodes.

    Attributes
    ----------
    base : Marginal
        Of X, of shape ().
    forward : callable
        X (point,) -> h (point, node).
    backward : callable
        Value (point,) -> the X that give it (point, node); -inf below the range of h, inf above.
    slope : callable
        Derivative of `backward` by the value, (point, node); used inside the range only.
    weights : (node,)
        Of the nodes of b; they sum to 1. One node where there is no b.
    has_moments : bool
        False where mean and SD are not given.
    """

    base: Marginal
    forward: Curve
    backward: Curve
    slope: Curve
    weights: FloatArray
    has_moments: bool = True
    _taken: Taken = field(default_factory=Taken, init=False)

    @property
    @once
    def _moments(self) -> tuple[FloatArray, FloatArray]:
        """Mean and SD: quantiles of the base, which take their time, lie behind them."""
        if not self.has_moments:
            return np.asarray(np.nan), np.asarray(np.nan)
        x, w = expectation_rule(self.base)
        values = self.forward(x)
        mean = w @ (values @ self.weights)
        return np.asarray(mean), np.sqrt(w @ ((values - mean) ** 2 @ self.weights))

    @property
    def mean(self) -> FloatArray:
        """Mean; nan where it is not given."""
        return self._moments[0]

    @property
    def sd(self) -> FloatArray:
        """Standard deviation; nan where it is not given."""
        return self._moments[1]

    def _shares(self, value: FloatArray, share: Curve, at_low: float, at_high: float) -> FloatArray:
        """Average what `share` gives at the X behind each value, over the nodes."""
        x = self.backward(value)
        inside = np.isfinite(x)
        out = np.where(x < 0, at_low, at_high)
        out[inside] = share(x[inside])
        mixed: FloatArray = out @ self.weights
        return mixed

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(value <= x)."""
        return as_points(lambda x: self._shares(x, self.base.cdf, 0.0, 1.0), x)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(value > x)."""
        return as_points(lambda x: self._shares(x, self.base.sf, 1.0, 0.0), x)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""

        def density(value: FloatArray) -> FloatArray:
            x = self.backward(value)
            inside = np.isfinite(x)
            out = np.zeros(x.shape)
            out[inside] = self.base.pdf(x[inside])
            with np.errstate(divide="ignore", invalid="ignore"):
                product = np.where(out > 0, out * self.slope(value), 0.0)
            mixed: FloatArray = product @ self.weights
            return mixed

        return as_points(density, x)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        if len(self.weights) == 1:
            return as_points(
                lambda p: self.forward(self.base.quantile(p.reshape(-1)))[:, 0].reshape(p.shape), p
            )
        (low, high), ends = self._ends

        def cdf_and_pdf(value: FloatArray) -> tuple[FloatArray, FloatArray]:
            flat = value.reshape(-1)
            return self.cdf(flat).reshape(value.shape), self.pdf(flat).reshape(value.shape)

        return solve_about_normal(self, cdf_and_pdf, low, high, p, ends=ends)

    @property
    @once
    def _ends(self) -> tuple[tuple[FloatArray, FloatArray], ...]:
        """Values that all quantiles lie between, and the ends of the support."""
        found = (self.forward(self.base.quantile(p)) for p in (FARTHEST, [0.0, 1.0]))
        return tuple((values[0].min(), values[1].max()) for values in found)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (2,)."""
        return find_interval(self, level, kind)


def expectation_rule(marginal: Marginal) -> tuple[FloatArray, FloatArray]:
    """Points and weights of expectations of bounded smooth functions of a parameter.

    Gauss-Legendre between quantiles, far into both tails, with the density; of a sample its draws,
    of a known value the value.

    Raises
    ------
    AccuracyError
        The density does not integrate to 1 by this rule.
    """
    if isinstance(marginal, Empirical):
        n = marginal.draws.shape[-1]
        return marginal.draws, np.full(n, 1 / n)
    knots = marginal.quantile(_KNOTS)
    if knots[0] == knots[-1]:
        return knots[:1], np.ones(1)
    low, half = knots[:-1, None], np.diff(knots)[:, None] / 2
    x = (low + half * (1 + _LEGENDRE)).reshape(-1)
    weights = (half * _LEGENDRE_WEIGHTS).reshape(-1) * marginal.pdf(x)
    missing = abs(float(weights.sum()) - 1)
    if missing > 1e-8:
        raise AccuracyError(
            f"The density of a parameter integrates to 1 only within {missing:.0e} by the rule for "
            "expectations. Its quantiles are not concerned"
        )
    return x, weights
