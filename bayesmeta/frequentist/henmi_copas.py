"""Henmi and Copas's interval: about the common-effect estimate, with a random-effects error."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc, ndtri

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.intervals import Interval, require_level
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
    rows : int
        Effects pooled.
    sums : tuple of float
        W1, W2, W3, W4 of the paper: the sum of the weights 1 / v, and the sums of their second to
        fourth powers over W1.
    """

    estimate: float
    se: float
    tau2: float
    rows: int
    sums: tuple[float, float, float, float]

    def two_sided_p(self, value: float = 0.0) -> float:
        """Give the p-value of the test that the effect is `value`."""
        w1, w2, *_ = self.sums
        ratio = abs(self.estimate - value) * np.sqrt(w1) / (1.0 + self.tau2 * w2)
        return 2.0 * self._tail(float(ratio))

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
                w1, w2, *_ = self.sums
                half = high * (1.0 + self.tau2 * w2) / np.sqrt(w1)
                return Interval(
                    low=np.asarray(self.estimate - half), high=np.asarray(self.estimate + half)
                )
        raise NotEstimableError(
            f"The Henmi-Copas interval did not converge in {_STEPS} steps. Choose hksj."
        )

    def _tail(self, x: float) -> float:
        """Integrate P(Q < f(r / x) | r) over the normal density of r above x, on a log scale."""
        if x <= 0.0:
            return 0.5
        w1, w2, w3, w4 = self.sums
        half = np.log1p(_FAR / x) / 2.0
        r = x * np.exp(half * (_NODES + 1.0))
        df, tau2 = self.rows - 1, self.tau2
        spread = 1.0 + tau2 * w2  # variance of R
        excess = (r**2 - 1.0) / spread  # r is in units of the SD of R
        mean = df + tau2 * (w1 - w2) + tau2**2 * excess * (w3 - w2**2)
        variance = (
            2.0 * df
            + 4.0 * tau2 * (w1 - w2)
            + 2.0 * tau2**2 * (w1 * w2 - 2.0 * w3 + w2**2)
            + 4.0 * tau2**2 * excess * (w3 - w2**2)
            + 4.0 * tau2**3 * excess * (w4 - 2.0 * w2 * w3 + w2**3)
            + 2.0 * tau2**4 * (1.0 - 2.0 * r**2) / spread**2 * (w3 - w2**2) ** 2
        )
        below = (w1 / w2 - 1.0) * ((r / x) ** 2 - 1.0) + df
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
    w1 = float(w.sum())
    w2, w3, w4 = (float(w1 * ((w / w1) ** n).sum() * w1 ** (n - 2)) for n in (2, 3, 4))
    estimate = float((w * y).sum() / w1)
    estimate += float((w * (y - estimate)).sum() / w1)  # keeps the digits of y near 1e6
    q = float((w * (y - estimate) ** 2).sum())
    share = w / w1
    tau2 = max(0.0, (q - df) / float((w * (1.0 - share)).sum()))
    se = float(np.sqrt((tau2 * w2 + 1.0) / w1))
    return HenmiCopas(estimate=estimate, se=se, tau2=tau2, rows=len(y), sums=(w1, w2, w3, w4))
