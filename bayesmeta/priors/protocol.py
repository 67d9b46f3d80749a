"""What a prior is: its interface, the checks of its arguments, and its text."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from bayesmeta.errors import ModelError, Problem
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

# The type of a field says what its argument may be; a plain float is any finite number.
Positive = Annotated[float, "finite and greater than 0"]
Bound = Annotated[float, "may be infinite"]

type PymcForm = tuple[str, dict[str, Any]]
type Variable = TensorVariable[Any, Any]
type Curve = Callable[[FloatArray], FloatArray]


@runtime_checkable
class Prior(Protocol):
    """What an engine may ask of a prior; `str(prior)` is the text that `parse_prior` reads."""

    @property
    def support(self) -> tuple[float, float]:
        """The open interval on which the density is positive."""

    @property
    def proper(self) -> bool:
        """False: no finite integral; the engine must then show that the posterior has one."""

    @property
    def tail_order(self) -> float:
        """The density falls as ``|x|**-tail_order``; infinite: faster, or bounded support."""

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf outside the support."""

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x), to its last digits in the lower tail."""

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), to its last digits in the upper tail."""

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""

    def pymc_form(self) -> PymcForm:
        """Name of the PyMC distribution and its arguments."""

    def pymc(self, name: str) -> Variable:
        """Add the prior to the PyMC model in context, as the variable `name`."""


@dataclass(frozen=True, slots=True)
class WrittenPrior:
    """A prior whose fields are the arguments of its text, in this order."""

    def __post_init__(self) -> None:
        problems = [p for field in fields(self) for p in self._argument(field.name, field.type)]
        problems = problems or list(self.joint_problems())
        if problems:
            raise ModelError(f"The prior {self} cannot be used", problems)

    def _argument(self, name: str, kind: object) -> Iterator[Problem]:
        """Check one argument, and keep a number as a float."""
        value = getattr(self, name)
        if kind is Prior:
            if not isinstance(value, Prior) or isinstance(value, type):
                yield self.problem(name, "is not a prior", "Give one, as in half_normal(0.5)")
        elif isinstance(value, bool) or not isinstance(value, Real):
            yield self.problem(name, "is not a number", "Give a number")
        elif math.isnan(x := _to_float(value)) or (math.isinf(x) and kind is not Bound):
            yield self.problem(name, "is not finite", "Give a finite number")
        elif kind is Positive and x <= 0:
            yield self.problem(name, "must be greater than 0", "Give a positive number")
        else:
            object.__setattr__(self, name, x)

    def joint_problems(self) -> Iterator[Problem]:
        """Yield the faults of arguments that are good one by one."""
        yield from ()

    def problem(self, name: str, what: str, fix: str) -> Problem:
        """Describe one fault of the argument `name`."""
        where = f"{name} of {spec_name(type(self))}"
        return Problem(column=where, value=spec_text(getattr(self, name)), what=what, fix=fix)

    def pymc_form(self) -> PymcForm:
        """Name of the PyMC distribution and its arguments."""
        raise NotImplementedError(f"{self} is not one distribution of PyMC")

    def pymc(self, name: str) -> Variable:
        """Add the prior to the PyMC model in context, as the variable `name`."""
        import pymc as pm

        kind, arguments = self.pymc_form()
        variable: Variable = getattr(pm, kind)(name, **arguments)
        return variable

    def __str__(self) -> str:
        arguments = ", ".join(spec_text(getattr(self, field.name)) for field in fields(self))
        name = spec_name(type(self))
        return f"{name}({arguments})" if arguments else name


def spec_name(kind: type[Any]) -> str:
    """Name of a prior in text: its class in snake case."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def spec_text(argument: object) -> str:
    """Text of an argument: that of a whole number has no decimal point."""
    return str(argument).removesuffix(".0")


def _to_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:  # an int beyond the floats
        return math.inf


class ContinuousPrior(WrittenPrior, ABC):
    """A distribution with a density, from five formulas that hold on its closed support.

    At an end of the support a formula may pass through an infinity (log 0, 1/0), never nan.
    """

    __slots__ = ()
    proper: ClassVar[bool] = True
    pymc_names: ClassVar[tuple[str, ...]]  # the distribution, its arguments in our order

    @property
    def support(self) -> tuple[float, float]:
        """The open interval on which the density is positive."""
        return (-math.inf, math.inf)

    @property
    def tail_order(self) -> float:
        """The density falls as ``|x|**-tail_order``; infinite: faster than any power."""
        return math.inf

    @abstractmethod
    def _logpdf(self, x: FloatArray) -> FloatArray: ...
    @abstractmethod
    def _cdf(self, x: FloatArray) -> FloatArray: ...
    @abstractmethod
    def _sf(self, x: FloatArray) -> FloatArray: ...
    @abstractmethod
    def _quantile(self, p: FloatArray) -> FloatArray: ...
    @abstractmethod
    def _isf(self, p: FloatArray) -> FloatArray: ...

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density at `x`; -inf outside the support."""
        low, high = self.support
        if low == -math.inf and high == math.inf:
            with np.errstate(over="ignore"):  # far out, where the density is 0
                return self._logpdf(np.asarray(x, dtype=float))
        outside = (np.asarray(x) < low) | (np.asarray(x) > high)
        return np.where(outside, -np.inf, self._inside(self._logpdf, x))

    def cdf(self, x: FloatArray) -> FloatArray:
        """P(X <= x), to its last digits in the lower tail."""
        return self._inside(self._cdf, x)

    def sf(self, x: FloatArray) -> FloatArray:
        """P(X > x), to its last digits in the upper tail."""
        return self._inside(self._sf, x)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` below it."""
        with np.errstate(divide="ignore", over="ignore"):  # infinite at p = 0 or 1
            return self._quantile(np.asarray(p, dtype=float))

    def isf(self, p: FloatArray) -> FloatArray:
        """Give the value with probability `p` above it."""
        with np.errstate(divide="ignore", over="ignore"):
            return self._isf(np.asarray(p, dtype=float))

    def _inside(self, formula: Curve, x: FloatArray) -> FloatArray:
        x = np.clip(np.asarray(x, dtype=float), *self.support) + 0.0  # +0.0: no negative zero
        with np.errstate(divide="ignore", over="ignore"):
            return formula(x)

    def measures(self) -> tuple[tuple[Curve, Curve], ...]:
        """Distribution functions F counted from different origins, with their inverses.

        P(a < X < b) is F(b) - F(a) for each; the one with F near 0 at `a` keeps the digits.
        """
        return ((self.cdf, self.quantile), (lambda x: -self.sf(x), lambda q: self.isf(-q)))

    def pymc_form(self) -> PymcForm:
        """Name of the PyMC distribution and its arguments."""
        kind, *names = self.pymc_names
        # not Python's floats: PyTensor would hold a whole number, and its logarithm, in float32
        values = (np.float64(getattr(self, field.name)) for field in fields(self))
        return kind, dict(zip(names, values, strict=True))

    def pymc_unfolded(self) -> PymcForm:
        """As `pymc_form`, for truncation to a part of the support."""
        return self.pymc_form()
