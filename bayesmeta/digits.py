"""Numbers as text: one number of decimals for a whole column, so that its digits line up."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

NONE = "-"  # where there is no number


def choose_decimals(values: Iterable[float], *, figures: int = 3) -> int:
    """Choose decimals that show the smallest of these numbers with `figures` digits.

    Parameters
    ----------
    values : iterable of float
        The column's main numbers; zeros, nan and infinities do not count.
    figures : int
        Significant digits wanted.

    Returns
    -------
    int
        From 0 to 4.

    Examples
    --------
    >>> choose_decimals([0.479, 0.647, float("nan")])
    3
    >>> choose_decimals([123.4])
    0
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    if not sizes:
        return 2
    return max(0, min(4, figures - 1 - math.floor(math.log10(min(sizes)))))


def show(value: float, decimals: int) -> str:
    """Write a number with so many decimals; very large ones with an exponent.

    Examples
    --------
    >>> show(0.4787, 3), show(float("nan"), 3), show(-0.0001, 2)
    ('0.479', '-', '0.00')
    """
    if math.isnan(value):
        return NONE
    if math.isinf(value) or abs(value) >= 1e5:
        return f"{value:.3g}"
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def show_interval(low: float, high: float, decimals: int) -> str:
    """Write an interval; "-" where there is none.

    Examples
    --------
    >>> show_interval(0.3242, 0.6952, 3)
    '0.324, 0.695'
    """
    if math.isnan(low) or math.isnan(high):
        return NONE
    return f"{show(low, decimals)}, {show(high, decimals)}"


def show_variances(values: Sequence[float]) -> list[str]:
    """Write a column of variances, with as many decimals as give the middle one three figures.

    One that is 0, at its bound or by assumption, is written 0.

    Examples
    --------
    >>> show_variances([0.0, 0.3663, 0.54, 0.0609, float("nan")])
    ['0', '0.366', '0.540', '0.061', '-']
    """
    sizes = [value for value in values if value > 0 and math.isfinite(value)]
    decimals = 2 - math.floor(math.log10(float(np.median(sizes)))) if sizes else 0
    return ["0" if value == 0 else show(value, max(0, decimals)) for value in values]


def show_probability(p: float) -> str:
    """Write a probability with four decimals, never as a rounded 0 or 1.

    Examples
    --------
    >>> show_probability(0.99966), show_probability(0.999999), show_probability(0.0)
    ('0.9997', '>0.9999', '<0.0001')
    """
    if math.isnan(p):
        return NONE
    if p < 0.00005:
        return "<0.0001"
    return ">0.9999" if p > 0.99995 else f"{p:.4f}"
