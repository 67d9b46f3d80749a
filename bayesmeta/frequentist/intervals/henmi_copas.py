"""Henmi and Copas's interval: about the common-effect estimate, with a random-effects error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, ndtri

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.intervals.simple import Interval, require_level
from bayesmeta.frequentist.least_squares import degrees_of_freedom
from bayesmeta.scales import FloatArray

_STEPS = 100  # of the search for the critical value
_FAR = 10.0  # standard deviations of the estimate beyond which nothing is integrated
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


@dataclass(frozen=True, slots=True, kw_only=True)
class HenmiCopas:
    """Henmi and Copas's estimate, its standard error and the moments that its interval needs.

    Attributes
    ----------
    estimate, se : float
        Common-effect estimate, and its standard error under heterogeneity.
    tau2 : float
        DerSimonian and Laird's.
    df : int
        Effects pooled, minus 1.
    total : float
        Sum of the weights 1 / v.
    sums : tuple of float
        With shares p of that total and m their weighted mean, sum p^2: m, sum p (1 - p),
        sum p (p - m)^2, sum p^2 (1 - p)^2 + sum over pairs p_i^2 p_j^2, and sum p^2 (p - m)^2.
        These are the paper's W2, W1 - W2, W3 - W2^2, W1 W2 - 2 W3 + W2^2 and
        W4 - 2 W2 W3 + W2^3 in powers of W1, without its cancellations.
    """

    estimate: float
    se: float
    tau2: float
    df: int
    total: float
    sums: tuple[float, float, float, float, float]

    def two_sided_p(self, value: float = 0.0) -> float:
        """Give the p-value of the test that the effect is `value`."""
        return 2.0 * self._tail(abs(self.estimate - value) / self._unit)

    def interval(self, level: float) -> Interval:
        """Give the values that the test does not reject at 1 - level.

        Raises
        ------
        ModelError
            `level` is not a coverage.
        NotEstimableError
            The search did not end.
        """
        require_level(level)
        alpha = 1.0 - level
        low, high = 0.0, float(-ndtri(alpha / 2.0))
        for _ in range(_STEPS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if 2.0 * self._tail(middle) > alpha else (low, middle)
            if high - low <= 1e-14 * high:
                half = high * self._unit
                return Interval(
                    low=np.asarray(self.estimate - half), high=np.asarray(self.estimate + half)
                )
        raise NotEstimableError(
            f"The Henmi-Copas interval did not converge in {_STEPS} steps. Choose hksj."
        )

    @property
    def _unit(self) -> float:
        return float((1.0 + self.tau2 * self.total * self.sums[0]) / np.sqrt(self.total))

    def _tail(self, x: float) -> float:
        """Integrate P(Q < f(r / x) | r) over the normal density of r above x, on a log scale."""
        if x <= 0.0:
            return 0.5
        m, a, b, c, d = self.sums
        half = np.log1p(_FAR / x) / 2.0
        r = x * np.exp(half * (_NODES + 1.0))
        df, t = self.df, self.tau2 * self.total
        spread = 1.0 + t * m  # variance of R
        excess = (r**2 - 1.0) / spread  # r is in units of the SD of R
        mean = df + t * a + t**2 * excess * b
        variance = (
            2.0 * df
            + 4.0 * t * a
            + 2.0 * t**2 * (c + 2.0 * excess * b)
            + 4.0 * t**3 * excess * d
            + 2.0 * (t**2 * b / spread) ** 2 * (1.0 - 2.0 * r**2)
        )
        below = a / m * ((r / x) ** 2 - 1.0) + df
        inside = gammainc(mean**2 / variance, below * mean / variance)
        density = np.exp(-(r**2) / 2.0) / np.sqrt(2.0 * np.pi)
        return float(half * (_WEIGHTS * inside * density * r).sum())


def fit_henmi_copas(y: FloatArray, v: FloatArray) -> HenmiCopas:
    """Estimate the mean by common-effect weights, with an error that allows for heterogeneity.

    The weights do not follow the small studies as tau2 grows, so that the estimate moves less with
    the studies that were not published. tau2 is DerSimonian and Laird's, and its uncertainty is in
    the interval: Q is taken as a gamma variable given the estimate.

    Parameters
    ----------
    y, v : (row,)
        Independent effects on the analysis scale, and their sampling variances.

    Returns
    -------
    HenmiCopas

    Raises
    ------
    DesignError
        One row only.

    References
    ----------
    Henmi and Copas (2010), Statistics in Medicine 29:2969; metafor's `hc` is the same.

    Examples
    --------
    >>> fit = fit_henmi_copas(np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]))
    >>> limits = fit.interval(0.95)
    >>> round(fit.estimate, 4), round(float(limits.low), 4), round(float(limits.high), 4)
    (0.5353, -1.2063, 2.2769)
    """
    df = degrees_of_freedom(np.ones((len(y), 1)))
    w = 1.0 / v
    total = float(w.sum())
    estimate = float((w * y).sum() / total)
    estimate += float((w * (y - estimate)).sum() / total)  # keeps the digits of y near 1e6
    q = float((w * (y - estimate) ** 2).sum())
    p = w / total
    other = ~np.eye(len(p), dtype=bool)
    rest = (other * p).sum(1)  # 1 - p
    gap = (p * (p[:, None] - p)).sum(1)  # p - m
    m, a = float((p**2).sum()), float((p * rest).sum())
    b, d = float((p * gap**2).sum()), float((p**2 * gap**2).sum())
    c = float((p**2 * (rest**2 + (other * p**2).sum(1))).sum())
    tau2 = max(0.0, (q - df) / (total * a))
    return HenmiCopas(
        estimate=estimate,
        se=float(np.sqrt((1.0 + tau2 * total * m) / total)),
        tau2=tau2,
        df=df,
        total=total,
        sums=(m, a, b, c, d),
    )
