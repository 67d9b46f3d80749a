"""Marginals of model averages: mixtures of posteriors, and a point of positive probability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.quantiles import (
    FARTHEST,
    IntervalKind,
    as_points,
    find_interval,
    outermost,
    require_probabilities,
    solve_about_normal,
)
from bayesmeta.inference.shown import Shown
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Blend(Shown):
    """A mixture of distributions of one parameter, each with a density.

    Attributes
    ----------
    parts : sequence of Marginal
        Of shape ().
    weights : (part,)
        Probabilities of the parts; they sum to 1.
    """

    parts: Sequence[Marginal]
    weights: FloatArray

    def _mix(self, values: Sequence[FloatArray]) -> FloatArray:
        return np.asarray(sum(w * v for w, v in zip(self.weights, values, strict=True)))

    @property
    def mean(self) -> FloatArray:
        """Mean; nan where a part has none."""
        return self._mix([part.mean for part in self.parts])

    @property
    def sd(self) -> FloatArray:
        """Standard deviation; nan where a part has none."""
        mean = self.mean
        return np.sqrt(self._mix([part.sd**2 + (part.mean - mean) ** 2 for part in self.parts]))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return self._mix([part.cdf(x) for part in self.parts])

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return self._mix([part.sf(x) for part in self.parts])

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x."""
        return self._mix([part.pdf(x) for part in self.parts])

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Value with probability p below it."""
        low, high = outermost([part.quantile(FARTHEST) for part in self.parts])
        ends = outermost([part.quantile([0.0, 1.0]) for part in self.parts])

        def cdf_and_pdf(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            return self.cdf(x), self.pdf(x)

        return solve_about_normal(self, cdf_and_pdf, low, high, p, ends=ends)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (2,)."""
        return find_interval(self, level, kind)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class WithAtom(Shown):
    """A distribution that is one value with probability `share`, and `rest` otherwise.

    Attributes
    ----------
    atom : float
    share : float
        Probability of the value itself.
    rest : Marginal
        Distribution of shape (), where it is not that value; with a density.
    """

    atom: float
    share: float
    rest: Marginal

    @property
    def mean(self) -> FloatArray:
        """Mean; nan where the rest has none."""
        return self.share * self.atom + (1 - self.share) * self.rest.mean

    @property
    def sd(self) -> FloatArray:
        """Standard deviation; nan where the rest has none."""
        away = (self.rest.mean - self.atom) ** 2
        return np.sqrt((1 - self.share) * (self.rest.sd**2 + self.share * away))

    def cdf(self, x: ArrayLike) -> FloatArray:
        """P(X <= x)."""
        return (1 - self.share) * self.rest.cdf(x) + self.share * (np.asarray(x) >= self.atom)

    def sf(self, x: ArrayLike) -> FloatArray:
        """P(X > x)."""
        return (1 - self.share) * self.rest.sf(x) + self.share * (np.asarray(x) < self.atom)

    def pdf(self, x: ArrayLike) -> FloatArray:
        """Density at x of the part that has one; its integral is 1 - `share`."""
        return (1 - self.share) * self.rest.pdf(x)

    def quantile(self, p: ArrayLike) -> FloatArray:
        """Smallest value with probability p at or below it."""
        below = (1 - self.share) * self.rest.cdf(self.atom)

        def find(p: FloatArray) -> FloatArray:
            require_probabilities(p)
            inside = ((p > below) | (below <= 0)) & (p <= below + self.share)
            moved = np.where(p > below, p - self.share, p) / (1 - self.share)
            x = self.rest.quantile(np.clip(np.where(inside, 0.5, moved), 0.0, 1.0).reshape(-1))
            return np.where(inside, self.atom, x.reshape(p.shape))

        return as_points(find, p)

    def interval(self, level: float = 0.95, kind: IntervalKind = "eti") -> FloatArray:
        """Equal-tailed or shortest interval, (2,)."""
        return find_interval(self, level, kind)
