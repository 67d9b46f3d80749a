"""The prediction interval over the confidence distribution of tau2 (Nagashima and others)."""

import numpy as np
from scipy.special import gammainccinv, gammaincinv, gammaln, ndtr

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.intervals.simple import Interval, require_level
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.frequentist.tau2.intervals import q_under_heterogeneity
from bayesmeta.frequentist.tau2.quadratic_form import mixture_cdf, mixture_cdf_slope
from bayesmeta.scales import FloatArray

_TOL = 1e-8  # of the limits, relative to the length of the interval
_NEGLIGIBLE = 1e-14  # probability beyond the nodes
_ROUNDS = 4  # of halving the steps
_STEPS = 200  # of the search for a limit


def nagashima_interval(
    y: FloatArray, S: FloatArray, X: FloatArray, *, level: float = 0.95
) -> Interval:
    """Give the prediction interval that allows for the uncertainty of tau2.

    The effect of a new study is mu(t) + sqrt(t) Z - se(t) T: Z is normal, T is t with k - 1 degrees
    of freedom, mu(t) and se(t) are the pooled effect and its Knapp-Hartung error at tau2 = t, and t
    has the confidence distribution P(Q > q | tau2 = t) that the exact distribution of Cochran's Q
    gives. Its authors draw t, Z and T; here their distribution is integrated, with steps that are
    halved until the limits stand still.

    Parameters
    ----------
    y : (row,)
        Effects on the analysis scale.
    S : (row,) or (row, row)
        Sampling variances or covariance of `y`; positive definite.
    X : (row, 1)
        One column of ones.
    level : float
        Coverage, in (0.5, 1).

    Returns
    -------
    Interval

    Raises
    ------
    DesignError
        One row only.
    ModelError
        `level` is not a coverage.
    NotEstimableError
        The limits did not settle.

    References
    ----------
    Nagashima, Noma and Furukawa (2019), Statistical Methods in Medical Research 28:1689; R package
    pimeta, method "boot".

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> interval = nagashima_interval(y, v, X)
    >>> float(interval.low.round(3)), float(interval.high.round(3))
    (-3.159, 4.725)
    """
    require_level(level)
    df = degrees_of_freedom(X)
    q, growth = q_under_heterogeneity(y, S, X)
    y, v, X = decorrelate(y, S, X)
    plain = weighted_fit(y, v, X)
    if q <= 1e-20 * df:  # identical effects: tau2 is 0 with certainty, and nothing is left to vary
        return Interval(low=plain.beta[0], high=plain.beta[0])
    # P(tau2 > t) is about (q / t)^(df / 2) for large t, P(tau2 < t) proportional to t for small
    start = np.log(_NEGLIGIBLE * min(1.0, float(q)) / growth.max())
    end = np.log((1.0 + q) / growth.min()) - 2.0 / df * np.log(_NEGLIGIBLE)
    tails = np.array([(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    before = np.full(2, np.inf)
    step = 0.5
    for _ in range(_ROUNDS):
        log_t = start + step * np.arange(int((end - start) / step) + 2)
        t = np.exp(log_t)
        weights = 1.0 + t[:, None] * growth
        density = -mixture_cdf_slope(np.broadcast_to(q, t.shape), weights, t[:, None] * growth)
        at_zero = 1.0 - mixture_cdf(q, np.ones_like(growth))
        t = np.concatenate([[0.0], t])
        share = np.concatenate([[at_zero], step * density])
        fit = weighted_fit(y, v + t[:, None], X)
        ratio, inner = _chi_squared_nodes(df, step)
        spread = np.sqrt(t[:, None] + (fit.q / df * fit.cov[:, 0, 0])[:, None] / ratio)
        share2 = share[:, None] * inner
        limits = _quantiles(tails, fit.beta, spread, share2 / share2.sum())
        if np.all(np.abs(limits - before) <= _TOL * (limits[1] - limits[0])):
            return Interval(low=np.asarray(limits[0]), high=np.asarray(limits[1]))
        before, step = limits, step / 2.0
    raise NotEstimableError(
        "Nagashima's prediction interval did not settle: its limits still move by "
        f"{float(np.abs(limits - before).max()):.0e}. Choose pi='hts'."
    )


def _chi_squared_nodes(df: int, step: float) -> tuple[FloatArray, FloatArray]:
    """Give values of chi-squared(df) / df, evenly spaced on the log scale, and their weights."""
    shape = df / 2.0
    ends = np.log([gammaincinv(shape, 1e-16), gammainccinv(shape, 1e-16)])
    spacing = step / 2.0 * min(1.0, 2.0 / np.sqrt(df))
    log_half = ends[0] + spacing * np.arange(int((ends[1] - ends[0]) / spacing) + 2)
    log_density = shape * log_half - np.exp(log_half) - gammaln(shape)
    return np.exp(log_half) / shape, spacing * np.exp(log_density)


def _quantiles(p: FloatArray, mean: FloatArray, sd: FloatArray, share: FloatArray) -> FloatArray:
    """Find quantiles of a mixture of normals: `mean` (node, 1), `sd` and `share` (node, node)."""
    scale = float(np.exp((share * np.log(sd)).sum()))
    centre = float((share * mean).sum())

    def excess(x: FloatArray) -> FloatArray:
        z = (x[:, None, None] - mean) / sd
        return np.asarray((share * ndtr(z)).sum((1, 2)) - p)

    low, high = np.full(2, centre - scale), np.full(2, centre + scale)
    for _ in range(_STEPS):
        below, above = excess(low) < 0, excess(high) > 0
        if below.all() and above.all():
            break
        low = np.where(below, low, centre - 2.0 * (centre - low))
        high = np.where(above, high, centre + 2.0 * (high - centre))
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        over = excess(middle) > 0
        low, high = np.where(over, low, middle), np.where(over, middle, high)
        if np.all(high - low <= 1e-12 * (high[1] - low[0])):
            break
    return np.asarray((low + high) / 2.0)
