"""Confidence intervals of the between-study variance tau2: Q-profile and generalised Q."""

from collections.abc import Callable

import numpy as np
from scipy.special import gammainccinv, gammaincinv

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.intervals.simple import Interval, require_level
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.frequentist.tau2.quadratic_form import mixture_cdf, mixture_cdf_slope
from bayesmeta.frequentist.tau2.roots import tau2_where_q_is
from bayesmeta.scales import FloatArray

_STEPS = 200  # of the search for a limit


def q_profile(y: FloatArray, S: FloatArray, X: FloatArray, *, level: float = 0.95) -> Interval:
    """Give the Q-profile interval of tau2: where the generalised Q meets its chi-squared quantiles.

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale.
    S : (..., row) or (..., row, row)
        Sampling variances or covariance of `y`; positive definite.
    X : (..., row, coefficient)
        Design of full column rank.
    level : float
        Coverage, in (0.5, 1).

    Returns
    -------
    Interval
        In squared units of `y`; (0, 0) where the data agree better than chance would have it and
        no tau2 >= 0 is in the interval.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    ModelError
        `level` is not a coverage.

    References
    ----------
    Viechtbauer (2007), Statistics in Medicine 26:37.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> interval = q_profile(y, v, X)
    >>> float(interval.low.round(4)), float(interval.high.round(4))
    (0.0034, 6.2797)
    """
    require_level(level)
    df = degrees_of_freedom(X)
    y, v, X = decorrelate(y, S, X)
    tail = (1.0 - level) / 2.0
    # chi-squared quantiles: half of one is a gamma(df / 2) quantile
    targets = 2.0 * np.array([gammainccinv(df / 2.0, tail), gammaincinv(df / 2.0, tail)])
    batch = targets.reshape(2, *(1,) * (y.ndim - 1))
    low, high = tau2_where_q_is(batch, y, v, X)
    return Interval(low=np.asarray(low), high=np.asarray(high))


def generalised_q(y: FloatArray, S: FloatArray, X: FloatArray, *, level: float = 0.95) -> Interval:
    """Give the generalised-Q interval of tau2: where the observed Q meets its exact quantiles.

    Q has the fixed weights of DerSimonian and Laird, 1 / sampling variance, and is compared with
    its exact distribution under each tau2; it becomes the test of homogeneity at tau2 = 0.

    Parameters
    ----------
    y : (row,)
        Effects on the analysis scale.
    S : (row,) or (row, row)
        Sampling variances or covariance of `y`; positive definite.
    X : (row, coefficient)
        Design of full column rank.
    level : float
        Coverage, in (0.5, 1).

    Returns
    -------
    Interval
        In squared units of `y`; (0, 0) where no tau2 >= 0 is in the interval.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    ModelError
        `level` is not a coverage.
    NotEstimableError
        The distribution of Q was not found to the accuracy wanted, or the search did not end.

    References
    ----------
    Jackson (2013), Research Synthesis Methods 4:220; with covariates, Jackson, Turner, Rhodes and
    Viechtbauer (2014), BMC Medical Research Methodology 14:103.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> interval = generalised_q(y, v, X)  # equal variances: that of the Q-profile
    >>> float(interval.low.round(4)), float(interval.high.round(4))
    (0.0034, 6.2797)
    """
    require_level(level)
    q, growth = q_under_heterogeneity(y, S, X)
    tail = (1.0 - level) / 2.0
    above = np.array([tail, 1.0 - tail])  # P(Q > q) at the two limits; it grows with tau2
    target = np.where(1.0 - mixture_cdf(q, np.ones_like(growth)) >= above, np.nan, above)
    log_t, low, high = np.full(2, np.log(1.0 / growth.max())), np.full(2, -690.0), np.full(2, 690.0)
    for _ in range(_STEPS):
        t = np.exp(log_t)[:, None]
        weights = 1.0 + t * growth
        missing = 1.0 - mixture_cdf(np.broadcast_to(q, 2), weights) - target
        low, high = np.where(missing < 0, log_t, low), np.where(missing < 0, high, log_t)
        slope = -mixture_cdf_slope(np.broadcast_to(q, 2), weights, t * growth)
        step = -missing / np.where(slope > 0, slope, np.nan)
        done = np.isnan(target) | (np.abs(step) < 1e-13) | (high - low < 1e-13)
        if np.all(done):
            limit = np.where(np.isnan(target), 0.0, np.exp(log_t))
            return Interval(low=np.asarray(limit[0]), high=np.asarray(limit[1]))
        ahead = log_t + np.clip(step, -3.0, 3.0)
        inside = (ahead > low) & (ahead < high)
        log_t = np.where(done, log_t, np.where(inside, ahead, (low + high) / 2.0))
    raise NotEstimableError(
        f"The generalised-Q interval of tau2 did not converge in {_STEPS} steps. "
        "The Q-profile interval needs no such search."
    )


def q_under_heterogeneity(
    y: FloatArray, S: FloatArray, X: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the observed Q and what its distribution is made of.

    Parameters
    ----------
    y, S, X : arrays
        As for `generalised_q`.

    Returns
    -------
    q : float
        Cochran's Q, with weights 1 / sampling variance.
    growth : (rows - coefficients,)
        Q is the sum of (1 + tau2 growth) chi-squared(1), one over unit of tau2.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Biggerstaff and Jackson (2008), Statistics in Medicine 27:6093.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> q, growth = q_under_heterogeneity(y, v, X)
    >>> float(q.round(9)), growth.round(9).tolist()
    (8.0, [25.0, 25.0])
    """
    degrees_of_freedom(X)
    fit = weighted_fit(*decorrelate(y, S, X))
    complete, _ = np.linalg.qr(fit.basis, mode="complete")
    rest = complete[..., fit.basis.shape[-1] :]  # orthonormal, and orthogonal to W^(1/2) X
    inside = np.einsum("...rp,...r,...rq->...pq", rest, fit.weight, rest)
    return fit.q, np.asarray(np.linalg.eigvalsh(inside))


TAU2_INTERVALS: dict[str, Callable[..., Interval]] = {
    "q-profile": q_profile,
    "generalised-q": generalised_q,
}
