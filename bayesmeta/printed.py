"""Numbers as they were printed: the digits say how far a number can be from its true value."""

import math
import re
from dataclasses import dataclass
from typing import Literal

type Bound = Literal["exact", "below", "above"]

_BOUNDS: dict[str, Bound] = {"": "exact", "<": "below", ">": "above"}
_PLAIN = re.compile(
    r"(?P<sign>[<>]?)\s*"
    r"(?P<digits>[+-]?(?:\d+(?:\.(?P<decimals>\d*))?|\.(?P<only>\d+))(?:[eE](?P<power>[+-]?\d+))?)",
    re.A,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A number as it was printed, with what its rounding leaves open.

    Attributes
    ----------
    text : str
        The text as printed, spaces around it removed.
    value : float
        The number itself; for a bound ("<0.001") the limit that was printed.
    half_unit : float
        Half a unit of the last digit printed, in the unit of `value`.
    bound : {"exact", "below", "above"}
        "below" for "<", "above" for ">", otherwise "exact" (exact up to rounding).
    """

    text: str
    value: float
    half_unit: float
    bound: Bound = "exact"

    @classmethod
    def parse(cls, text: str) -> "Printed":
        """Read one printed number.

        Parameters
        ----------
        text : str
            Digits with a decimal point, an exponent if need be, "<" or ">" in front.

        Returns
        -------
        Printed
            The number with its rounding.

        Raises
        ------
        ValueError
            The text is not a plain finite number: a decimal comma, a thousands separator, a
            percent sign, a word.

        Examples
        --------
        >>> p = Printed.parse("2.41")
        >>> p.value, p.half_unit, p.bound
        (2.41, 0.005, 'exact')
        >>> Printed.parse("<0.0001").bound
        'below'
        """
        stripped = text.strip()
        match = _PLAIN.fullmatch(stripped)
        if match is None:
            raise ValueError(f"{text!r} is not a plain number such as 2.41, 1e-3 or <0.001")
        value = float(match["digits"])
        last = int(match["power"] or 0) - len(match["decimals"] or match["only"] or "")
        half_unit = float(f"5e{last - 1}")
        if not math.isfinite(value) or not math.isfinite(half_unit):
            raise ValueError(f"{text!r} is too large for a number")
        return cls(
            text=stripped,
            value=value,
            half_unit=half_unit,
            bound=_BOUNDS[match["sign"]],
        )

    @property
    def low(self) -> float:
        """Smallest number that would have been printed so."""
        if self.bound == "exact":
            return self.value - self.half_unit
        return -math.inf if self.bound == "below" else self.value

    @property
    def high(self) -> float:
        """Largest number that would have been printed so."""
        if self.bound == "exact":
            return self.value + self.half_unit
        return self.value if self.bound == "below" else math.inf

    def admits(self, value: float) -> bool:
        """Tell whether a number could have been printed so.

        The ends of the rounding count (both ways of rounding a half are in use), with an error of
        floating-point arithmetic.

        Examples
        --------
        >>> Printed.parse("5.13").admits(5.1324), Printed.parse("<0.001").admits(0.002)
        (True, False)
        """
        finite = [abs(end) for end in (self.low, self.high) if math.isfinite(end)]
        guard = 8 * math.ulp(max(finite))
        return self.low - guard <= value <= self.high + guard
