"""Standard errors out of printed intervals and p-values, with what the rounding leaves open."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]

_FLOAT_NOISE = 1e-9  # relative; limits that were computed, not printed, carry rounding of their own


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Range:
    """Numbers, and between what bounds they may lie.

    Attributes
    ----------
    value, low, high : (row,)
        The number, the smallest and the largest that it can be; NaN where there is none.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def log(self) -> "Range":
        """Give the logarithms; -inf at 0 and below."""
        with np.errstate(divide="ignore"):
            parts = [np.log(np.maximum(part, 0)) for part in (self.value, self.low, self.high)]
        return Range(value=parts[0], low=parts[1], high=parts[2])

    def overlaps(self, other: "Range") -> BoolArray:
        """Say where two ranges have a number in common."""
        found: BoolArray = (self.low <= other.high) & (other.low <= self.high)
        return found


def spread_of_interval(estimate: Range, low: Range, high: Range, z: FloatArray) -> Range:
    """Give the standard error of a Wald interval, estimate -+ z SE.

    Parameters
    ----------
    estimate, low, high : Range
        The estimate and its limits on the scale on which the interval is symmetric (logarithms
        of ratios).
    z : (row,)
        Normal quantile of the interval: 1.959964 for 95%.

    Returns
    -------
    Range
        `value` is (high - low) / (2 z). `low` and `high` bound every standard error for which some
        estimate within its rounding has both limits within theirs. There is none, and
        `low` > `high`, where the interval is not symmetric about its estimate.

    Notes
    -----
    With s = z SE and an estimate m, m + s must lie in the range of the upper limit and m - s in
    that of the lower one. The ranges of m that this leaves for one s have a common point if every
    two of them do, which is linear in s.

    Examples
    --------
    >>> numbers = np.log([[2.41, 2.405, 2.415], [1.46, 1.455, 1.465], [3.99, 3.985, 3.995]])
    >>> m, low, high = (Range(value=v, low=a, high=b) for v, a, b in numbers[..., None])
    >>> se = spread_of_interval(m, low, high, np.array([1.959964]))
    >>> np.stack([se.value, se.low, se.high]).round(4).ravel().tolist()
    [0.2565, 0.2555, 0.2577]
    """
    with np.errstate(invalid="ignore", over="ignore"):
        smallest = np.max(
            [(high.low - low.high) / 2, high.low - estimate.high, estimate.low - low.high], axis=0
        )
        largest = np.min(
            [(high.high - low.low) / 2, high.high - estimate.low, estimate.high - low.low], axis=0
        )
        value = (high.value - low.value) / 2
        noise = _FLOAT_NOISE * np.abs(value)
        ends = np.maximum(smallest - noise, 0), largest + noise
    return Range(value=value / z, low=ends[0] / z, high=ends[1] / z)


def spread_of_p(estimate: Range, p: Range) -> Range:
    """Give the standard error at which a two-sided Wald test has this p-value: abs(estimate) / z.

    Parameters
    ----------
    estimate : Range
        On the analysis scale, so that 0 is no effect.
    p : Range
        Two-sided.

    Returns
    -------
    Range
        `high` is inf where p may be 1, `low` is 0 where p or the estimate may be 0.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> estimate = Range(value=one, low=one, high=one)
    >>> p = Range(value=0.05 * one, low=0.045 * one, high=0.055 * one)
    >>> se = spread_of_p(estimate, p)
    >>> np.stack([se.value, se.low, se.high]).round(4).ravel().tolist()
    [0.5102, 0.4988, 0.5211]
    """
    size = _size(estimate)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = [-ndtri(np.clip(part, 0, 1) / 2) for part in (p.value, p.low, p.high)]
        return Range(value=size.value / z[0], low=size.low / z[1], high=size.high / z[2])


def z_of(estimate: Range, se: Range) -> Range:
    """Give the size of the Wald statistic, abs(estimate) / se."""
    size = _size(estimate)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return Range(value=size.value / se.value, low=size.low / se.high, high=size.high / se.low)


def z_of_p(p: Range) -> Range:
    """Give the size of the Wald statistic that has a two-sided p-value."""
    low, value, high = (-ndtri(np.clip(part, 0, 1) / 2) for part in (p.high, p.value, p.low))
    return Range(value=value, low=low, high=high)


def two_sided_p(z: FloatArray) -> FloatArray:
    """Give the two-sided p-value of a Wald statistic."""
    p: FloatArray = 2 * ndtr(-np.abs(z))
    return p


def digits_of(se: Range) -> FloatArray:
    """Count the significant digits to which a standard error is known; NaN where not known.

    Examples
    --------
    >>> se = Range(value=np.array([0.2565]), low=np.array([0.2553]), high=np.array([0.2577]))
    >>> digits_of(se).tolist()
    [2.0]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.maximum(se.high - se.value, se.value - se.low)
        sure = np.floor(-np.log10(2 * error) + _FLOAT_NOISE)
        return np.floor(np.log10(se.value)) + 1 + sure


def _size(estimate: Range) -> Range:
    """Give the absolute value."""
    inside = (estimate.low <= 0) & (estimate.high >= 0)
    ends = np.abs(np.stack([estimate.low, estimate.high]))
    return Range(
        value=np.abs(estimate.value),
        low=np.where(inside, 0.0, ends.min(axis=0)),
        high=ends.max(axis=0),
    )
