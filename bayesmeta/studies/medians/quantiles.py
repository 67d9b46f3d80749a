"""Means and standard deviations out of medians, quartiles and ranges.

Arrays are (row,); a number that is not reported is NaN. Three forms of reporting are known:
median and range; median and quartiles; all five numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayesmeta.scales import FloatArray
from bayesmeta.studies.medians.families import FAMILIES


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiveNumbers:
    """Order statistics of samples; NaN where not reported.

    Attributes
    ----------
    low, q1, median, q3, high : (row,)
        Minimum, quartiles and maximum, in the unit of the outcome.
    n : (row,)
        Sample size, 5 or more.
    """

    low: FloatArray
    q1: FloatArray
    median: FloatArray
    q3: FloatArray
    high: FloatArray
    n: FloatArray

    @property
    def values(self) -> FloatArray:
        """Order statistics side by side, (row, 5)."""
        return np.stack([self.low, self.q1, self.median, self.q3, self.high], axis=-1)

    @property
    def probabilities(self) -> FloatArray:
        """Probabilities that quantile estimation gives to them, (row, 5)."""
        half = np.full_like(self.n, 0.5)
        return np.stack([1 / self.n, half / 2, half, 1.5 * half, 1 - 1 / self.n], axis=-1)

    @property
    def has_range(self) -> NDArray[np.bool_]:
        """Rows with minimum and maximum."""
        return ~np.isnan(self.low) & ~np.isnan(self.high)

    @property
    def has_quartiles(self) -> NDArray[np.bool_]:
        """Rows with both quartiles."""
        return ~np.isnan(self.q1) & ~np.isnan(self.q3)


def luo_mean(x: FiveNumbers) -> FloatArray:
    """Estimate the mean, by the optimal weights of mid-range, mid-quartile range and median.

    Parameters
    ----------
    x : FiveNumbers

    Returns
    -------
    (row,)
        In the unit of the outcome; unbiased for samples of a symmetric distribution.

    References
    ----------
    Luo, Wan, Liu and Tong (2018), Statistical Methods in Medical Research 27:1785-1805, eqs. 7, 11
    and 15.

    Examples
    --------
    >>> none = np.array([np.nan])
    >>> six = FiveNumbers(low=none, q1=np.array([4.0]), median=np.array([6.0]), q3=np.array([10.0]),
    ...                   high=none, n=np.array([20.0]))
    >>> luo_mean(six).round(4).tolist()
    [6.7195]
    """
    mid_range, mid_quartile = (x.low + x.high) / 2, (x.q1 + x.q3) / 2
    power = x.n**0.75
    by_range = _weighted(x.median, (mid_range, 4 / (4 + power)))
    by_quartiles = _weighted(x.median, (mid_quartile, 0.7 + 0.39 / x.n))
    by_all = _weighted(
        x.median, (mid_range, 2.2 / (2.2 + power)), (mid_quartile, 0.7 - 0.72 / x.n**0.55)
    )
    return _by_form(x, by_range, by_quartiles, by_all)


def wan_shi_sd(x: FiveNumbers) -> FloatArray:
    """Estimate the standard deviation, from range or interquartile range (Wan), or from both (Shi).

    Parameters
    ----------
    x : FiveNumbers

    Returns
    -------
    (row,)
        In the unit of the outcome; about unbiased for normal samples.

    References
    ----------
    Wan, Wang, Liu and Tong (2014), BMC Medical Research Methodology 14:135, eqs. 9 and 16; Shi,
    Luo, Weng, Zeng, Lin, Chu and Tong (2020), Research Synthesis Methods 11:641-654, eq. 10.

    Examples
    --------
    >>> none = np.array([np.nan])
    >>> six = FiveNumbers(low=none, q1=np.array([4.0]), median=np.array([6.0]), q3=np.array([10.0]),
    ...                   high=none, n=np.array([20.0]))
    >>> wan_shi_sd(six).round(4).tolist()
    [4.7871]
    """
    by_range = (x.high - x.low) / (2 * ndtri((x.n - 0.375) / (x.n + 0.25)))
    by_quartiles = (x.q3 - x.q1) / (2 * ndtri((0.75 * x.n - 0.125) / (x.n + 0.25)))
    weight = 1 / (1 + 0.07 * x.n**0.6)
    by_all = weight * by_range + (1 - weight) * by_quartiles
    return _by_form(x, by_range, by_quartiles, by_all)


def skewed(x: FiveNumbers) -> NDArray[np.bool_]:
    """Tell where the numbers are too skewed for a normal sample, at the 5% level.

    Parameters
    ----------
    x : FiveNumbers

    Returns
    -------
    (row,)
        True where the hypothesis of symmetry is rejected.

    References
    ----------
    Shi, Luo, Wan, Liu, Liu, Bian and Tong (2023), Statistical Methods in Medical Research
    32:1338-1360.

    Examples
    --------
    >>> none = np.array([np.nan])
    >>> skewed(FiveNumbers(low=none, q1=np.array([4.0]), median=np.array([5.0]),
    ...                    q3=np.array([14.0]), high=none, n=np.array([50.0]))).tolist()
    [True]
    """
    n = x.n
    of_range = np.abs((x.low + x.high - 2 * x.median) / (x.high - x.low))
    of_quartiles = np.abs((x.q1 + x.q3 - 2 * x.median) / (x.q3 - x.q1))
    of_all = np.maximum(2.65 * np.log(0.6 * n) / np.sqrt(n) * of_range, of_quartiles)
    statistic = _by_form(x, of_range, of_quartiles, of_all)
    critical = _by_form(
        x,
        1 / np.log(n + 9) + 2.5 / (n + 1),
        2.65 / np.sqrt(n) - 6 / n**2,
        3 / np.sqrt(n) - 40 / n**3,
    )
    return np.asarray(statistic >= critical)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimated:
    """Means and standard deviations (row,), and the distribution that gave each."""

    mean: FloatArray
    sd: FloatArray
    family: tuple[str, ...]


def quantile_estimation(x: FiveNumbers) -> Estimated:
    """Estimate mean and standard deviation by the distribution whose quantiles are nearest.

    Normal, log-normal, gamma, Weibull and, for numbers within (0, 1), beta distributions are fitted
    by least squares of the quantiles at 1/n, 1/4, 1/2, 3/4, 1 - 1/n; the one with the smallest sum
    of squares is taken. A sample with a number below 0 has the normal distribution only.

    Parameters
    ----------
    x : FiveNumbers

    Returns
    -------
    Estimated

    References
    ----------
    McGrath, Zhao, Steele, Thombs, Benedetti and the DEPRESSD Collaboration (2020), Statistical
    Methods in Medical Research 29:2520-2537. Their program estmeansd bounds the parameters in the
    unit of the data and puts 0.01 for 0; neither is done here.

    Examples
    --------
    >>> none = np.array([np.nan])
    >>> fitted = quantile_estimation(
    ...     FiveNumbers(low=np.array([2.0]), q1=none, median=np.array([4.0]), q3=none,
    ...                 high=np.array([9.0]), n=np.array([100.0])))
    >>> round(float(fitted.mean[0]), 4), round(float(fitted.sd[0]), 4), fitted.family
    (4.3473, 1.5022, ('log-normal',))
    """
    values, p = x.values, x.probabilities
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    fits = [family.fit(values, p, known) for family in FAMILIES]
    best = np.stack([fit.squares for fit in fits]).argmin(axis=0)
    rows = np.arange(len(best))
    return Estimated(
        mean=np.stack([fit.mean for fit in fits])[best, rows],
        sd=np.stack([fit.sd for fit in fits])[best, rows],
        family=tuple(FAMILIES[i].name for i in best),
    )


def _weighted(rest: FloatArray, *parts: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Average parts with their weights, and `rest` with what is left of 1."""
    out: FloatArray = rest + sum(weight * (part - rest) for part, weight in parts)
    return out


def _by_form(
    x: FiveNumbers, by_range: FloatArray, by_quartiles: FloatArray, by_all: FloatArray
) -> FloatArray:
    """Take the value of each row's form of reporting."""
    return np.where(
        x.has_range & x.has_quartiles, by_all, np.where(x.has_range, by_range, by_quartiles)
    )
