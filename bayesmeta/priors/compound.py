"""Priors made of another prior: cut to an interval, or put on tau^2."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import Problem
from bayesmeta.priors.line import Fixed
from bayesmeta.priors.protocol import (
    Bound,
    ContinuousPrior,
    Curve,
    Prior,
    PymcForm,
    Variable,
    WrittenPrior,
    spec_text,
)
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True)
class Truncated(ContinuousPrior):
    """A prior cut to (low, high) and renormalised; either bound may be infinite."""

    prior: Prior
    low: Bound
    high: Bound

    def joint_problems(self) -> Iterator[Problem]:
        """Yield the fault of a prior without mass between the bounds."""
        if not isinstance(self.prior, ContinuousPrior) or isinstance(self.prior, Truncated):
            fix = "Give a distribution and its bounds once, as in truncated(normal(0, 1), 0, inf)"
            if not self.prior.proper:
                fix = "Use uniform(low, high)"
            yield self.problem("prior", "cannot be truncated", fix)
        elif self.low >= self.high:
            fault = f"is not below high = {spec_text(self.high)}"
            yield self.problem("low", fault, "Give low < high")
        elif not self._mass >= np.finfo(float).tiny:
            fault = "has no mass between the bounds"
            yield self.problem("prior", fault, "Widen them, or put them where its density is")

    @property
    def _whole(self) -> ContinuousPrior:
        assert isinstance(self.prior, ContinuousPrior)  # checked when built
        return self.prior

    @property
    def support(self) -> tuple[float, float]:
        """The bounds, or those of the prior where they are tighter."""
        low, high = self.prior.support
        return (max(self.low, low), min(self.high, high))

    @property
    def tail_order(self) -> float:
        """That of the prior, on a side that is not cut; infinite on bounded support."""
        return self.prior.tail_order if math.inf in map(abs, self.support) else math.inf

    def _measure(self, bound: FloatArray) -> tuple[Curve, Curve]:
        """Give the F of the whole prior, and its inverse, with the origin nearest `bound`."""
        return min(self._whole.measures(), key=lambda measure: abs(measure[0](bound)))

    @property
    def _mass(self) -> FloatArray:
        """P(low < X < high) before the cut."""
        low, high = np.array(self.support)
        F, _ = self._measure(low)
        return F(high) - F(low)

    def _logpdf(self, x: FloatArray) -> FloatArray:
        return self.prior.logpdf(x) - np.log(self._mass)

    def _cdf(self, x: FloatArray) -> FloatArray:
        low, _ = np.array(self.support)
        F, _ = self._measure(low)
        return (F(x) - F(low)) / self._mass

    def _sf(self, x: FloatArray) -> FloatArray:
        _, high = np.array(self.support)
        F, _ = self._measure(high)
        return (F(high) - F(x)) / self._mass

    def _quantile(self, p: FloatArray) -> FloatArray:
        low, _ = np.array(self.support)
        F, inverse = self._measure(low)
        return np.clip(inverse(F(low) + p * self._mass), *self.support)

    def _isf(self, p: FloatArray) -> FloatArray:
        _, high = np.array(self.support)
        F, inverse = self._measure(high)
        return np.clip(inverse(F(high) - p * self._mass), *self.support)

    def pymc_form(self) -> PymcForm:
        """Name of the PyMC distribution and its arguments."""
        import pymc as pm

        kind, arguments = self._whole.pymc_unfolded()
        low, high = (None if math.isinf(x) else np.float64(x) for x in self.support)
        whole = getattr(pm, kind).dist(**arguments)
        return "Truncated", {"dist": whole, "lower": low, "upper": high}


@dataclass(frozen=True, slots=True)
class OnTau2(WrittenPrior):
    """The prior of tau that follows from a prior of the variance tau^2."""

    prior: Prior

    def joint_problems(self) -> Iterator[Problem]:
        """Yield the fault of a prior that allows a negative variance."""
        if isinstance(self.prior, OnTau2):
            yield self.problem("prior", "is on tau2 already", "Give one on_tau2 only")
        elif self.prior.support[0] < 0 and self.prior.proper:
            fix = "Give fixed(0) or above"
            if not isinstance(self.prior, Fixed):
                fix = "Cut it at 0, as in on_tau2(truncated(normal(0, 1), 0, inf))"
            yield self.problem("prior", "allows a negative variance", fix)

    @property
    def support(self) -> tuple[float, float]:
        """Square roots of the bounds of tau^2."""
        low, high = self.prior.support
        return (math.sqrt(max(0.0, low)), math.sqrt(high))

    @property
    def proper(self) -> bool:
        """As the prior of tau^2 is."""
        return self.prior.proper

    @property
    def tail_order(self) -> float:
        """p(tau) = 2 tau p(tau^2), so the order doubles and loses one."""
        return 2 * self.prior.tail_order - 1

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`, with the Jacobian 2 tau; -inf outside the support."""
        x = np.asarray(x, dtype=float)
        if isinstance(self.prior, Fixed):
            return np.where(x == self.support[0], 0.0, -np.inf)
        density = self.prior.logpdf(self._squared(x))
        with np.errstate(divide="ignore", invalid="ignore"):  # where the density is 0
            jacobian = math.log(2) + np.log(np.maximum(x, 0))
            return np.where((x < 0) | (density == -np.inf), -np.inf, density + jacobian)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(tau <= x)."""
        return self.prior.cdf(self._squared(x))

    def sf(self, x: FloatArray) -> FloatArray:
        """P(tau > x)."""
        return self.prior.sf(self._squared(x))

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        return np.sqrt(self.prior.quantile(p))

    def _squared(self, x: FloatArray) -> FloatArray:
        """Give tau^2 at tau = x, exact at the ends of the support and negative below 0."""
        x = np.asarray(x, dtype=float)
        with np.errstate(over="ignore"):
            square: FloatArray = x * np.abs(x)
        for tau, tau2 in zip(self.support, self.prior.support, strict=True):
            square = np.where(x == tau, max(tau2, 0.0), square)
        return square

    def pymc(self, name: str) -> Variable:
        """Add the prior of the variance, `name`2, and its root to the PyMC model in context."""
        import pymc as pm

        tau: Variable = pm.Deterministic(name, pm.math.sqrt(self.prior.pymc(f"{name}2")))
        return tau
