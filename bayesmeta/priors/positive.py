"""Priors on the positive half line, for a heterogeneity SD or its square."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import gammainc, gammaincc, gammainccinv, gammaincinv, gammaln

from bayesmeta.priors.line import Cauchy, Normal, StudentT, SymmetricPrior
from bayesmeta.priors.protocol import ContinuousPrior, Positive, PymcForm
from bayesmeta.scales import FloatArray


class PositivePrior(ContinuousPrior):
    """A prior on (0, inf)."""

    __slots__ = ()

    @property
    def support(self) -> tuple[float, float]:
        """The positive half line."""
        return (0.0, math.inf)


class HalfPrior(PositivePrior):
    """A prior symmetric about 0, folded: X = unit * abs(Z)."""

    __slots__ = ()

    @property
    @abstractmethod
    def _whole(self) -> SymmetricPrior:
        """The prior before it was folded."""

    @property
    def tail_order(self) -> float:
        """That of the prior before it was folded."""
        return self._whole.tail_order

    def _logpdf(self, x: FloatArray) -> FloatArray:
        return math.log(2) + self._whole.logpdf(x)

    def _cdf(self, x: FloatArray) -> FloatArray:
        standard, _, unit = self._whole._form
        return standard.within(x / unit)

    def _sf(self, x: FloatArray) -> FloatArray:
        standard, _, unit = self._whole._form
        return standard.beyond(x / unit)

    def _quantile(self, p: FloatArray) -> FloatArray:
        standard, _, unit = self._whole._form
        return unit * standard.point(p, 1 - p)

    def _isf(self, p: FloatArray) -> FloatArray:
        standard, _, unit = self._whole._form
        return unit * standard.point(1 - p, p)

    def pymc_unfolded(self) -> PymcForm:
        """Name of the unfolded PyMC distribution: PyMC cannot truncate every folded one."""
        return self._whole.pymc_form()


@dataclass(frozen=True, slots=True)
class HalfNormal(HalfPrior):
    """The positive half of a normal distribution about 0.

    Examples
    --------
    >>> HalfNormal(0.5).quantile(0.5).round(4)
    np.float64(0.3372)
    """

    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("HalfNormal", "sigma")

    @property
    def _whole(self) -> SymmetricPrior:
        return Normal(0, self.scale)


@dataclass(frozen=True, slots=True)
class HalfCauchy(HalfPrior):
    """The positive half of a Cauchy distribution about 0."""

    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("HalfCauchy", "beta")

    @property
    def _whole(self) -> SymmetricPrior:
        return Cauchy(0, self.scale)


@dataclass(frozen=True, slots=True)
class HalfStudentT(HalfPrior):
    """The positive half of a Student t distribution about 0."""

    df: Positive
    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("HalfStudentT", "nu", "sigma")

    @property
    def _whole(self) -> SymmetricPrior:
        return StudentT(self.df, 0, self.scale)


@dataclass(frozen=True, slots=True)
class Exponential(PositivePrior):
    """Exponential distribution; `scale` is its mean."""

    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("Exponential", "scale")

    def _logpdf(self, x: FloatArray) -> FloatArray:
        return -x / self.scale - math.log(self.scale)

    def _cdf(self, x: FloatArray) -> FloatArray:
        return -np.expm1(-x / self.scale)

    def _sf(self, x: FloatArray) -> FloatArray:
        return np.exp(-x / self.scale)

    def _quantile(self, p: FloatArray) -> FloatArray:
        return -self.scale * np.log1p(-p)

    def _isf(self, p: FloatArray) -> FloatArray:
        return -self.scale * np.log(p)


@dataclass(frozen=True, slots=True)
class LogNormal(PositivePrior):
    """Log-normal distribution: the logarithm has mean `meanlog` and SD `sdlog`."""

    meanlog: float
    sdlog: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("LogNormal", "mu", "sigma")

    @property
    def _log(self) -> Normal:
        return Normal(self.meanlog, self.sdlog)

    def _logpdf(self, x: FloatArray) -> FloatArray:
        z = (np.log(x) - self.meanlog) / self.sdlog
        constant = self.meanlog + math.log(self.sdlog * math.sqrt(2 * math.pi))
        return -z * (z / 2 + self.sdlog) - constant  # Jacobian log x = meanlog + sdlog z inside

    def _cdf(self, x: FloatArray) -> FloatArray:
        return self._log.cdf(np.log(x))

    def _sf(self, x: FloatArray) -> FloatArray:
        return self._log.sf(np.log(x))

    def _quantile(self, p: FloatArray) -> FloatArray:
        return np.exp(self._log.quantile(p))

    def _isf(self, p: FloatArray) -> FloatArray:
        return np.exp(self._log.isf(p))


@dataclass(frozen=True, slots=True)
class InverseGamma(PositivePrior):
    """Inverse-gamma distribution with shape and scale: 1/X is gamma with rate `scale`."""

    shape: Positive
    scale: Positive
    pymc_names: ClassVar[tuple[str, ...]] = ("InverseGamma", "alpha", "beta")

    @property
    def tail_order(self) -> float:
        """The density falls as ``x**-(shape + 1)``."""
        return self.shape + 1

    def _logpdf(self, x: FloatArray) -> FloatArray:
        x = np.maximum(x, np.finfo(float).smallest_subnormal)  # at 0, log x - 1/x would be nan
        constant = self.shape * math.log(self.scale) - gammaln(self.shape)
        return constant - (self.shape + 1) * np.log(x) - self.scale / x

    def _cdf(self, x: FloatArray) -> FloatArray:
        return gammaincc(self.shape, self.scale / x)

    def _sf(self, x: FloatArray) -> FloatArray:
        return gammainc(self.shape, self.scale / x)

    def _quantile(self, p: FloatArray) -> FloatArray:
        return self.scale / gammainccinv(self.shape, p)

    def _isf(self, p: FloatArray) -> FloatArray:
        return self.scale / gammaincinv(self.shape, p)
