"""Prior distributions: of an effect (`mu`, any real number) and of a heterogeneity SD (`tau` >= 0).

Priors are written the same way in Python, on the command line and in comparison files::

    normal(mean, sd)  student_t(df, location, scale)  cauchy(location, scale)  flat  fixed(value)
    uniform(low, high)  half_normal(scale)  half_cauchy(scale)  half_student_t(df, scale)
    exponential(scale)  log_normal(meanlog, sdlog)  inverse_gamma(shape, scale)
    truncated(prior, low, high)  on_tau2(prior)

A prior of heterogeneity is on tau, never silently on tau^2: `on_tau2` puts one on tau^2, with its
Jacobian. Text is parsed, never evaluated.
"""

import ast
import difflib
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from scipy.special import gammainc, gammaincc, gammainccinv, gammaln, ndtr, ndtri, stdtr, stdtrit

from bayesmeta.errors import ModelError, Problem
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

_LOG_2PI = math.log(2 * math.pi)


class Prior(Protocol):
    """What an engine may ask of a prior; `str(prior)` is the text that `parse_prior` reads.

    Attributes
    ----------
    support : tuple of float
        The open interval on which the density is positive.
    proper : bool
        False where the density has no finite integral: the engine must then show that the
        posterior has one.
    tail_order : float
        The density falls as ``|x|**-tail_order`` far out; infinite where it falls faster, or
        where the support is bounded.
    """

    @property
    def support(self) -> tuple[float, float]: ...
    @property
    def proper(self) -> bool: ...
    @property
    def tail_order(self) -> float: ...
    def logpdf(self, x: FloatArray) -> FloatArray: ...
    def cdf(self, x: FloatArray) -> FloatArray: ...
    def sf(self, x: FloatArray) -> FloatArray: ...
    def quantile(self, p: FloatArray) -> FloatArray: ...
    def pymc_form(self) -> tuple[str, dict[str, Any]]: ...
    def pymc(self, name: str) -> "TensorVariable[Any, Any]": ...


def _number(x: float) -> str:
    text = repr(float(x))
    return text.removesuffix(".0")


class _Written:
    """Checks of the arguments, and the text of a prior, from its fields."""

    positive: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        problems = []
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if not math.isfinite(value):
                problems.append(self._fault(field.name, value, "is not finite", "Give a number"))
            elif field.name in self.positive and value <= 0:
                fault = "must be greater than 0"
                problems.append(self._fault(field.name, value, fault, "Give a positive number"))
        if problems:
            raise ModelError(f"The prior {self} cannot be used", problems)

    def _fault(self, name: str, value: float, what: str, fix: str) -> Problem:
        where = f"{name} of {_name(self)}"
        return Problem(column=where, value=_number(value), what=what, fix=fix)

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        raise NotImplementedError(f"{self} is not one distribution of PyMC")

    def pymc(self, name: str) -> "TensorVariable[Any, Any]":
        """Add the prior to the PyMC model in context, as the variable `name`."""
        import pymc as pm

        kind, arguments = self.pymc_form()
        return getattr(pm, kind)(name, **arguments)

    def __str__(self) -> str:
        arguments = [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
        text = ", ".join(_number(a) if isinstance(a, int | float) else str(a) for a in arguments)
        return f"{_name(self)}({text})" if text else _name(self)


@dataclass(frozen=True, slots=True)
class Normal(_Written):
    """Normal distribution with a mean and a standard deviation.

    Examples
    --------
    >>> Normal(0, 2.82).quantile(0.975).round(3)
    np.float64(5.527)
    """

    positive: ClassVar[tuple[str, ...]] = ("sd",)
    mean: float
    sd: float
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = math.inf

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`."""
        z = (np.asarray(x) - self.mean) / self.sd
        out: FloatArray = -0.5 * z**2 - 0.5 * _LOG_2PI - math.log(self.sd)
        return out

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        out: FloatArray = ndtr((np.asarray(x) - self.mean) / self.sd)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        out: FloatArray = ndtr((self.mean - np.asarray(x)) / self.sd)
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self.mean + self.sd * ndtri(p)
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "Normal", {"mu": self.mean, "sigma": self.sd}


@dataclass(frozen=True, slots=True)
class StudentT(_Written):
    """Student's t distribution with degrees of freedom, location and scale."""

    positive: ClassVar[tuple[str, ...]] = ("df", "scale")
    df: float
    location: float
    scale: float
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    proper: ClassVar[bool] = True

    @property
    def tail_order(self) -> float:
        """The density falls as ``|x|**-(df + 1)``."""
        return self.df + 1

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`."""
        df, z = self.df, (np.asarray(x) - self.location) / self.scale
        constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * math.log(df * math.pi)
        out: FloatArray = (
            constant - math.log(self.scale) - (df + 1) * np.log(np.hypot(1, z / df**0.5))
        )
        return out

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        out: FloatArray = stdtr(self.df, (np.asarray(x) - self.location) / self.scale)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        out: FloatArray = stdtr(self.df, (self.location - np.asarray(x)) / self.scale)
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self.location + self.scale * stdtrit(self.df, p)
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "StudentT", {"nu": self.df, "mu": self.location, "sigma": self.scale}


@dataclass(frozen=True, slots=True)
class Cauchy(_Written):
    """Cauchy distribution with location and scale."""

    positive: ClassVar[tuple[str, ...]] = ("scale",)
    location: float
    scale: float
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = 2.0

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`."""
        z = (np.asarray(x) - self.location) / self.scale
        out: FloatArray = -math.log(math.pi * self.scale) - 2 * np.log(np.hypot(1, z))
        return out

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        return _cauchy_upper((self.location - np.asarray(x)) / self.scale)

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return _cauchy_upper((np.asarray(x) - self.location) / self.scale)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self.location - self.scale / np.tan(math.pi * np.asarray(p))
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "Cauchy", {"alpha": self.location, "beta": self.scale}


def _cauchy_upper(z: FloatArray) -> FloatArray:
    out: FloatArray = np.arctan2(1.0, z) / math.pi
    return out


@dataclass(frozen=True, slots=True)
class Flat(_Written):
    """Density 1 everywhere on the line (on tau: on its positive half); not a distribution."""

    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    proper: ClassVar[bool] = False
    tail_order: ClassVar[float] = 0.0

    def logpdf(self, x: FloatArray) -> FloatArray:
        """0: the density is 1."""
        return np.zeros(np.shape(x))

    def cdf(self, x: FloatArray) -> FloatArray:
        """Raise: a flat prior has no distribution function."""
        raise ModelError(
            "The flat prior has no probabilities; use uniform(low, high) for a bounded one"
        )

    def sf(self, x: FloatArray) -> FloatArray:
        """Raise: a flat prior has no distribution function."""
        return self.cdf(x)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Raise: a flat prior has no distribution function."""
        return self.cdf(p)

    def pymc(self, name: str) -> "TensorVariable[Any, Any]":
        """Add the prior to the PyMC model in context."""
        import pymc as pm

        return pm.HalfFlat(name) if name == "tau" else pm.Flat(name)


@dataclass(frozen=True, slots=True)
class Fixed(_Written):
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
        return np.full(np.shape(p), float(self.value))

    def pymc(self, name: str) -> "TensorVariable[Any, Any]":
        """Add the value to the PyMC model in context, as a constant."""
        import pymc as pm
        import pytensor.tensor as pt

        return pm.Deterministic(name, pt.as_tensor_variable(float(self.value)))


@dataclass(frozen=True, slots=True)
class Uniform(_Written):
    """Uniform distribution between two bounds."""

    low: float
    high: float
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = math.inf

    def __post_init__(self) -> None:
        _Written.__post_init__(self)
        if self.high <= self.low:
            raise ModelError(f"The prior {self} is empty: give low < high, as in uniform(0, 5)")

    @property
    def support(self) -> tuple[float, float]:
        """The two bounds."""
        return (self.low, self.high)

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf outside the bounds."""
        inside = (np.asarray(x) >= self.low) & (np.asarray(x) <= self.high)
        return np.where(inside, -math.log(self.high - self.low), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        out: FloatArray = np.clip((np.asarray(x) - self.low) / (self.high - self.low), 0, 1)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x)."""
        out: FloatArray = np.clip((self.high - np.asarray(x)) / (self.high - self.low), 0, 1)
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self.low + (self.high - self.low) * np.asarray(p)
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "Uniform", {"lower": self.low, "upper": self.high}


class _Half(_Written):
    """A symmetric prior about 0, folded onto the positive half line."""

    support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    proper: ClassVar[bool] = True

    @property
    def _whole(self) -> Prior:
        raise NotImplementedError

    @property
    def tail_order(self) -> float:
        """That of the unfolded prior."""
        return self._whole.tail_order

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf below 0."""
        return np.where(np.asarray(x) >= 0, math.log(2) + self._whole.logpdf(x), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        x = np.maximum(x, 0)
        out: FloatArray = 1 - 2 * self._whole.sf(x)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        out: FloatArray = 2 * self._whole.sf(np.maximum(x, 0))
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self._whole.quantile((1 + np.asarray(p)) / 2)
        return out


@dataclass(frozen=True, slots=True)
class HalfNormal(_Half):
    """The positive half of a normal distribution about 0.

    Examples
    --------
    >>> HalfNormal(0.5).quantile(0.5).round(4)
    np.float64(0.3372)
    """

    positive: ClassVar[tuple[str, ...]] = ("scale",)
    scale: float

    @property
    def _whole(self) -> Prior:
        return Normal(0.0, self.scale)

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "HalfNormal", {"sigma": self.scale}


@dataclass(frozen=True, slots=True)
class HalfCauchy(_Half):
    """The positive half of a Cauchy distribution about 0."""

    positive: ClassVar[tuple[str, ...]] = ("scale",)
    scale: float

    @property
    def _whole(self) -> Prior:
        return Cauchy(0.0, self.scale)

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "HalfCauchy", {"beta": self.scale}


@dataclass(frozen=True, slots=True)
class HalfStudentT(_Half):
    """The positive half of a Student t distribution about 0."""

    positive: ClassVar[tuple[str, ...]] = ("df", "scale")
    df: float
    scale: float

    @property
    def _whole(self) -> Prior:
        return StudentT(self.df, 0.0, self.scale)

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "HalfStudentT", {"nu": self.df, "sigma": self.scale}


@dataclass(frozen=True, slots=True)
class Exponential(_Written):
    """Exponential distribution; `scale` is its mean."""

    positive: ClassVar[tuple[str, ...]] = ("scale",)
    scale: float
    support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = math.inf

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf below 0."""
        x = np.asarray(x)
        return np.where(x >= 0, -x / self.scale - math.log(self.scale), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        out: FloatArray = -np.expm1(-np.maximum(x, 0) / self.scale)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x)."""
        out: FloatArray = np.exp(-np.maximum(x, 0) / self.scale)
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = -self.scale * np.log1p(-np.asarray(p))
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "Exponential", {"scale": self.scale}


@dataclass(frozen=True, slots=True)
class LogNormal(_Written):
    """Log-normal distribution: the logarithm has mean `meanlog` and SD `sdlog`."""

    positive: ClassVar[tuple[str, ...]] = ("sdlog",)
    meanlog: float
    sdlog: float
    support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    proper: ClassVar[bool] = True
    tail_order: ClassVar[float] = math.inf

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf at and below 0."""
        positive = np.asarray(x) > 0
        log = np.log(np.where(positive, x, 1.0))
        return np.where(positive, Normal(self.meanlog, self.sdlog).logpdf(log) - log, -np.inf)

    def _log(self, x: FloatArray) -> FloatArray:
        positive = np.asarray(x) > 0
        return np.where(positive, np.log(np.where(positive, x, 1.0)), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        return Normal(self.meanlog, self.sdlog).cdf(self._log(x))

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return Normal(self.meanlog, self.sdlog).sf(self._log(x))

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = np.exp(self.meanlog + self.sdlog * ndtri(p))
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "LogNormal", {"mu": self.meanlog, "sigma": self.sdlog}


@dataclass(frozen=True, slots=True)
class InverseGamma(_Written):
    """Inverse-gamma distribution with shape and scale: 1/X is gamma with rate `scale`."""

    positive: ClassVar[tuple[str, ...]] = ("shape", "scale")
    shape: float
    scale: float
    support: ClassVar[tuple[float, float]] = (0.0, math.inf)
    proper: ClassVar[bool] = True

    @property
    def tail_order(self) -> float:
        """The density falls as ``x**-(shape + 1)``."""
        return self.shape + 1

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf at and below 0."""
        x = np.asarray(x, dtype=float)
        out = np.full(x.shape, -np.inf)
        inside = x > 1e-300
        safe = np.where(inside, x, 1.0)
        constant = self.shape * math.log(self.scale) - gammaln(self.shape)
        return np.where(inside, constant - (self.shape + 1) * np.log(safe) - self.scale / safe, out)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        return self._tail(x, gammaincc, 0.0)

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), accurate in the tail."""
        return self._tail(x, gammainc, 1.0)

    def _tail(self, x: FloatArray, of: Any, below: float) -> FloatArray:
        inside = np.asarray(x) > 0
        out: FloatArray = of(self.shape, self.scale / np.where(inside, x, 1.0))
        return np.where(inside, out, below)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        out: FloatArray = self.scale / gammainccinv(self.shape, p)
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        return "InverseGamma", {"alpha": self.shape, "beta": self.scale}


@dataclass(frozen=True, slots=True)
class Truncated(_Written):
    """A prior cut to (low, high) and renormalised; either bound may be infinite."""

    prior: Prior
    low: float
    high: float
    proper: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.prior.proper:
            raise ModelError(f"{self}: {self.prior} cannot be renormalised; use uniform(low, high)")
        if isinstance(self.prior, Fixed | Truncated | OnTau2):
            raise ModelError(
                f"{self}: {self.prior} cannot be truncated; give the bounds once, to the "
                "distribution itself, as in on_tau2(truncated(normal(0, 1), 0, inf))"
            )
        low, high = self.support
        if not low < high:
            raise ModelError(f"The prior {self} is empty: give low < high within its support")
        if not self._mass(low, high) > 0:
            raise ModelError(f"The prior {self} has no mass between its bounds; widen them")

    @property
    def support(self) -> tuple[float, float]:
        """The bounds, or those of the prior where they are tighter."""
        return (max(self.low, self.prior.support[0]), min(self.high, self.prior.support[1]))

    @property
    def tail_order(self) -> float:
        """Infinite where the support is bounded."""
        return self.prior.tail_order if math.inf in map(abs, self.support) else math.inf

    def _mass(self, low: FloatArray | float, high: FloatArray | float) -> FloatArray:
        """P(low < X < high) of the whole prior, from the tail that keeps its digits."""
        low, high = np.asarray(low, float), np.asarray(high, float)
        lower_tail = self.prior.cdf(high) - self.prior.cdf(low)
        upper_tail = self.prior.sf(low) - self.prior.sf(high)
        return np.where(self.prior.cdf(low) > 0.5, upper_tail, lower_tail)

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf outside the bounds."""
        low, high = self.support
        inside = (np.asarray(x) >= low) & (np.asarray(x) <= high)
        return np.where(inside, self.prior.logpdf(x) - np.log(self._mass(low, high)), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        low, high = self.support
        out: FloatArray = self._mass(low, np.clip(x, low, high)) / self._mass(low, high)
        return out

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x)."""
        low, high = self.support
        out: FloatArray = self._mass(np.clip(x, low, high), high) / self._mass(low, high)
        return out

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        low, high = self.support
        below = self.prior.cdf(np.asarray(low, float))
        p = np.asarray(p) * self._mass(low, high)
        out: FloatArray = np.clip(self.prior.quantile(below + p), low, high)
        return out

    def pymc_form(self) -> tuple[str, dict[str, Any]]:
        """Name of the PyMC distribution and its arguments."""
        import pymc as pm

        kind, arguments = self.prior.pymc_form()
        low, high = (None if math.isinf(bound) else bound for bound in self.support)
        whole = getattr(pm, kind).dist(**arguments)
        return "Truncated", {"dist": whole, "lower": low, "upper": high}


@dataclass(frozen=True, slots=True)
class OnTau2(_Written):
    """The prior of tau that follows from a prior of the variance tau^2."""

    prior: Prior

    def __post_init__(self) -> None:
        if isinstance(self.prior, OnTau2):
            raise ModelError(f"{self}: give one on_tau2 only")
        if self.prior.support[0] < 0 and self.prior.proper:
            raise ModelError(
                f"{self}: {self.prior} allows a negative variance; "
                f"use truncated({self.prior}, 0, inf)"
            )

    @property
    def support(self) -> tuple[float, float]:
        """Square roots of the bounds of tau^2."""
        return (math.sqrt(max(0.0, self.prior.support[0])), math.sqrt(self.prior.support[1]))

    @property
    def proper(self) -> bool:
        """As the prior of tau^2 is."""
        return self.prior.proper

    @property
    def tail_order(self) -> float:
        """p(tau) = 2 tau p(tau^2), so the order doubles and loses one."""
        return 2 * self.prior.tail_order - 1

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`, with the Jacobian 2 tau."""
        x = np.asarray(x, dtype=float)
        if isinstance(self.prior, Fixed):
            return np.where(x == self.support[0], 0.0, -np.inf)
        inside = x > 0
        safe = np.where(inside, x, 1.0)
        return np.where(inside, self.prior.logpdf(safe**2) + np.log(2 * safe), -np.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x)."""
        return self.prior.cdf(np.maximum(x, 0) ** 2)

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x)."""
        return self.prior.sf(np.maximum(x, 0) ** 2)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        return np.sqrt(self.prior.quantile(p))

    def pymc(self, name: str) -> "TensorVariable[Any, Any]":
        """Add the prior of the variance, `name`2, and its root to the PyMC model in context."""
        import pymc as pm

        return pm.Deterministic(name, pm.math.sqrt(self.prior.pymc(f"{name}2")))


PRIORS: dict[str, type[Any]] = {
    "normal": Normal,
    "student_t": StudentT,
    "cauchy": Cauchy,
    "flat": Flat,
    "fixed": Fixed,
    "uniform": Uniform,
    "half_normal": HalfNormal,
    "half_cauchy": HalfCauchy,
    "half_student_t": HalfStudentT,
    "exponential": Exponential,
    "log_normal": LogNormal,
    "inverse_gamma": InverseGamma,
    "truncated": Truncated,
    "on_tau2": OnTau2,
}


def _name(prior: object) -> str:
    return next(name for name, kind in PRIORS.items() if kind is type(prior))


def parse_prior(text: str) -> Prior:
    """Read a prior from its text; nothing is evaluated.

    Parameters
    ----------
    text : str
        As in ``"truncated(normal(0, 1), 0, inf)"``; arguments may be named.

    Returns
    -------
    Prior

    Raises
    ------
    ModelError
        The text is not a prior; the message says which part is not, and what is known.

    Examples
    --------
    >>> parse_prior("half_normal(0.5)")
    HalfNormal(scale=0.5)
    >>> str(parse_prior("on_tau2(log_normal(-2.14, 1.74))"))
    'on_tau2(log_normal(-2.14, 1.74))'
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as fault:
        raise ModelError(
            f"{text!r} is not a prior. Write it as in half_normal(0.5) or normal(0, 2.82)"
        ) from fault
    prior = _read_node(tree, text)
    if isinstance(prior, float):
        raise ModelError(
            f"{text!r} is a number, not a prior. For a known value write fixed({text})"
        )
    return prior


def _read_node(node: ast.expr, text: str) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _read_node(operand, text)
            if isinstance(inner, float):
                return -inner
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _read_node(operand, text)
        case ast.Name(id="inf"):
            return math.inf
        case ast.Name(id=name):
            return _make(name, [], {}, text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            named = {k.arg: _read_node(k.value, text) for k in keywords if k.arg is not None}
            return _make(name, [_read_node(a, text) for a in args], named, text)
    raise ModelError(f"{ast.unparse(node)!r} in {text!r} is neither a number nor a known prior")


def _make(name: str, args: list[Any], named: dict[str, Any], text: str) -> Any:
    if name not in PRIORS:
        near = difflib.get_close_matches(name.lower(), PRIORS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known priors: {', '.join(PRIORS)}"
        raise ModelError(f"Unknown prior {name!r} in {text!r}. {hint}")
    kind = PRIORS[name]
    wanted = [field.name for field in fields(kind)]
    signature = f"{name}({', '.join(wanted)})" if wanted else name
    given = [*wanted[: len(args)], *named]
    if len(args) + len(named) != len(wanted) or set(given) != set(wanted):
        raise ModelError(
            f"{text!r}: write {signature}; {len(args) + len(named)} arguments were given"
        )
    values = dict(zip(wanted, args, strict=False)) | named
    for key, value in values.items():
        if (key == "prior") is isinstance(value, float):
            kind_wanted = "a prior" if key == "prior" else "a number"
            raise ModelError(f"{text!r}: {key} of {signature} must be {kind_wanted}")
    return kind(**values)
