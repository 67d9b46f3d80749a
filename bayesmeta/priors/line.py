"""Priors on the whole line, for an effect."""

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Never

import numpy as np

from bayesmeta.errors import ModelError, Problem
from bayesmeta.priors.protocol import (
    ContinuousPrior,
    Curve,
    Positive,
    PymcForm,
    Variable,
    WrittenPrior,
    spec_text,
)
from bayesmeta.priors.standard import CAUCHY, NORMAL, Standard, student
from bayesmeta.scales import FloatArray


class SymmetricPrior(ContinuousPrior):
    """X = centre + unit * Z, with Z of a standard density symmetric about 0."""

    __slots__ = ()

    @property
    @abstractmethod
    def _form(self) -> tuple[Standard, float, float]:
        """The density of Z, the centre and the unit."""

    def _logpdf(self, x: FloatArray) -> FloatArray:
        standard, centre, unit = self._form
        return standard.logpdf(np.abs(x - centre) / unit) - math.log(unit)

    def _cdf(self, x: FloatArray) -> FloatArray:
        standard, centre, unit = self._form
        return _upper(standard, (centre - x) / unit)

    def _sf(self, x: FloatArray) -> FloatArray:
        standard, centre, unit = self._form
        return _upper(standard, (x - centre) / unit)

    def _quantile(self, p: FloatArray) -> FloatArray:
        return self._beyond_centre(np.sign(p - 0.5), np.minimum(p, 1 - p))

    def _isf(self, p: FloatArray) -> FloatArray:
        return self._beyond_centre(np.sign(0.5 - p), np.minimum(p, 1 - p))

    def _beyond_centre(self, side: FloatArray, tail: FloatArray) -> FloatArray:
        """Give the point on a side (-1, 1; 0: centre) with probability `tail` further out."""
        standard, centre, unit = self._form
        return centre + unit * side * standard.point(1 - 2 * tail, 2 * tail)

    def _from_centre(self, x: FloatArray) -> FloatArray:
        """P(centre < X <= x), negative below the centre."""
        standard, centre, unit = self._form
        z = (x - centre) / unit
        return np.sign(z) * standard.within(np.abs(z)) / 2

    def _to_centre(self, q: FloatArray) -> FloatArray:
        standard, centre, unit = self._form
        share = 2 * np.abs(q)
        with np.errstate(divide="ignore"):
            return centre + unit * np.sign(q) * standard.point(share, 1 - share)

    def measures(self) -> tuple[tuple[Curve, Curve], ...]:
        """Besides the two tails, from the centre."""
        return (*ContinuousPrior.measures(self), (self._from_centre, self._to_centre))


def _upper(standard: Standard, z: FloatArray) -> FloatArray:
    """P(Z > z)."""
    size = np.abs(z)
    return np.where(z > 0, standard.beyond(size) / 2, 0.5 + standard.within(size) / 2)


@dataclass(frozen=True, slots=True)
class Normal(SymmetricPrior):
    """Normal distribution with a mean and a standard deviation.

    Examples
    --------
    >>> Normal(0, 2.82).quantile(0.975).round(3)
    np.float64(5.527)
    """

    mean: float
    sd: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("Normal", "mu", "sigma")

    @property
    def _form(self) -> tuple[Standard, float, float]:
        return NORMAL, self.mean, self.sd


@dataclass(frozen=True, slots=True)
class StudentT(SymmetricPrior):
    """Student's t distribution with degrees of freedom, location and scale."""

    df: Positive
    location: float
    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("StudentT", "nu", "mu", "sigma")

    @property
    def _form(self) -> tuple[Standard, float, float]:
        return student(self.df), self.location, self.scale

    @property
    def tail_order(self) -> float:
        """The density falls as ``|x|**-(df + 1)``."""
        return self.df + 1


@dataclass(frozen=True, slots=True)
class Cauchy(SymmetricPrior):
    """Cauchy distribution with location and scale."""

    location: float
    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("Cauchy", "alpha", "beta")

    @property
    def _form(self) -> tuple[Standard, float, float]:
        return CAUCHY, self.location, self.scale

    @property
    def tail_order(self) -> float:
        """The density falls as ``x**-2``."""
        return 2.0


@dataclass(frozen=True, slots=True)
class Uniform(ContinuousPrior):
    """Uniform distribution between two bounds."""

    low: float
    high: float
    pymc_names: ClassVar[tuple[str, ...]] = ("Uniform", "lower", "upper")

    def joint_problems(self) -> Iterator[Problem]:
        """Yield the fault of bounds that are out of order."""
        if self.low >= self.high:
            fault = f"is not below high = {spec_text(self.high)}"
            yield self.problem("low", fault, "Give low < high, as in uniform(0, 5)")

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return (self.low, self.high)

    def _logpdf(self, x: FloatArray) -> FloatArray:
        return np.full(np.shape(x), -math.log(self.high - self.low))

    def _cdf(self, x: FloatArray) -> FloatArray:
        return (x - self.low) / (self.high - self.low)

    def _sf(self, x: FloatArray) -> FloatArray:
        return (self.high - x) / (self.high - self.low)

    def _quantile(self, p: FloatArray) -> FloatArray:
        return self.low + (self.high - self.low) * p

    def _isf(self, p: FloatArray) -> FloatArray:
        return self.high - (self.high - self.low) * p


@dataclass(frozen=True, slots=True)
class Flat(WrittenPrior):
    """Density 1 everywhere on the line (on tau: on its positive half); not a distribution."""

    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    proper: ClassVar[bool] = False
    tail_order: ClassVar[float] = 0.0

    def logpdf(self, x: FloatArray) -> FloatArray:
        """0: the density is 1."""
        return np.zeros(np.shape(x))

    def cdf(self, x: FloatArray) -> Never:  # noqa: ARG002
        """Raise: a flat prior has no probabilities."""
        raise ModelError(
            "The flat prior has no probabilities; use uniform(low, high) for a bounded one"
        )

    sf = quantile = cdf

    def pymc_form(self) -> PymcForm:
        """Name of the PyMC distribution and its arguments."""
        return "Flat", {}

    def pymc(self, name: str) -> Variable:
        """Add the prior to the PyMC model in context; `tau` and its square are positive."""
        import pymc as pm

        positive = name in ("tau", "tau2")
        variable: Variable = pm.HalfFlat(name) if positive else pm.Flat(name)
        return variable


@dataclass(frozen=True, slots=True)
class Fixed(WrittenPrior):
    """A known value: `fixed(0)` of tau is the common-effect model."""

    value: float
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = math.inf

    @property
    def support(self) -> tuple[float, float]:
        """The single point."""
        return (self.value, self.value)

    def logpdf(self, x: FloatArray) -> FloatArray:
        """0 at the value (a unit mass), -inf elsewhere."""
        return np.where(np.asarray(x) == self.value, 0.0, -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        return np.where(np.asarray(x) >= self.value, 1.0, 0.0)

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x)."""
        return np.where(np.asarray(x) < self.value, 1.0, 0.0)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value, whatever `p` is."""
        return np.full(np.shape(p), self.value)

    def pymc(self, name: str) -> Variable:
        """Add the value to the PyMC model in context, as a constant."""
        import pymc as pm
        import pytensor.tensor as pt

        value: Variable = pm.Deterministic(name, pt.as_tensor_variable(np.float64(self.value)))
        return value
