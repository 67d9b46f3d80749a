"""Kendall's rank correlation and its null distribution."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayesmeta.scales import FloatArray

EXACT_BELOW = 50  # rows; as many or more take the normal approximation, as in R's cor.test


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """Kendall's tau-b, its two-sided p-value, and whether that is exact or normal."""

    tau: float
    p: float
    exact: bool


def kendall(x: FloatArray, y: FloatArray) -> RankCorrelation:
    """Correlate two variables by their ranks.

    The p-value is exact below 50 rows without ties; else it comes from the normal approximation
    with the variance for ties and no continuity correction.

    Parameters
    ----------
    x, y : (row,)
        At least two rows.

    Returns
    -------
    RankCorrelation
        nan where one of the variables is constant.

    References
    ----------
    Kendall (1970), Rank Correlation Methods, 4th edition, chapters 1, 4 and 5.

    Examples
    --------
    >>> found = kendall(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 9.0]))
    >>> found.tau, round(found.p, 6), found.exact
    (1.0, 0.333333, True)
    """
    n = len(x)
    pairs = n * (n - 1) / 2
    score = _sign_products(x, y)
    ties_x, ties_y = _tie_sizes(x), _tie_sizes(y)
    tied_x, tied_y = (float((t * (t - 1)).sum()) / 2 for t in (ties_x, ties_y))
    if tied_x == pairs or tied_y == pairs:
        return RankCorrelation(tau=float("nan"), p=float("nan"), exact=False)
    tau = score / np.sqrt((pairs - tied_x) * (pairs - tied_y))
    exact = n < EXACT_BELOW and tied_x == tied_y == 0
    p = _exact_p(round((pairs + score) / 2), n) if exact else _normal_p(score, n, ties_x, ties_y)
    return RankCorrelation(tau=float(tau), p=p, exact=exact)


def _sign_products(x: FloatArray, y: FloatArray) -> float:
    signs = np.sign(x[:, None] - x) * np.sign(y[:, None] - y)
    return float(signs.sum()) / 2


def _tie_sizes(x: FloatArray) -> FloatArray:
    return np.unique(x, return_counts=True)[1].astype(float)


def _exact_p(concordant: int, n: int) -> float:
    """Double the smaller tail of the number of concordant pairs among all orders of n rows."""
    probability = np.ones(1)
    for size in range(2, n + 1):  # one more row adds 0 to size - 1 concordant pairs, all alike
        probability = np.convolve(probability, np.full(size, 1.0 / size))
    below, above = probability[: concordant + 1].sum(), probability[concordant:].sum()
    return min(1.0, 2.0 * float(min(below, above)))


def _normal_p(score: float, n: int, ties_x: FloatArray, ties_y: FloatArray) -> float:
    variance = float(n * (n - 1) * (2 * n + 5))
    variance -= sum(float((t * (t - 1) * (2 * t + 5)).sum()) for t in (ties_x, ties_y))
    twos = [float((t * (t - 1)).sum()) for t in (ties_x, ties_y)]
    threes = [float((t * (t - 1) * (t - 2)).sum()) for t in (ties_x, ties_y)]
    total = variance / 18 + twos[0] * twos[1] / (2 * n * (n - 1))
    if n > 2:
        total += threes[0] * threes[1] / (9 * n * (n - 1) * (n - 2))
    return 2.0 * float(ndtr(-abs(score) / np.sqrt(total)))
