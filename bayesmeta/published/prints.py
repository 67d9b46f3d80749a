"""Numbers beside their print: would they have been printed so, and how they would be printed."""

import math

import numpy as np
from numpy.typing import NDArray

from bayesmeta.printed import Printed
from bayesmeta.scales import FloatArray

_SLACK = 1e-9  # of rounding in the computation, beside that of the print


def agrees_with_print(values: FloatArray | float, printed: Printed) -> NDArray[np.bool_]:
    """Mark the values that would have been printed so.

    Examples
    --------
    >>> bool(agrees_with_print(0.1046, Printed.parse("0.10")))
    True
    """
    number = np.asarray(values)
    return np.asarray((number >= printed.low - _SLACK) & (number <= printed.high + _SLACK))


def write_as_printed(value: float, printed: Printed) -> str:
    """Write a value with the digits of a print; a bound that holds is written as that bound.

    Examples
    --------
    >>> write_as_printed(0.0951, Printed.parse("0.10"))
    '0.10'
    >>> write_as_printed(0.0002, Printed.parse("<0.01"))
    '<0.01'
    """
    if printed.bound != "exact" and agrees_with_print(value, printed):
        return printed.text
    decimals = max(0, round(-math.log10(2.0 * printed.half_unit)))
    return f"{value:.{decimals}f}"
