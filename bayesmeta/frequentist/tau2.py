"""Estimators of the between-study variance tau2, for any design and sampling covariance.

Shapes are those of `decorrelate`: `y` (..., row), `S` (..., row) variances or (..., row, row)
covariance, `X` (..., row, coefficient). An estimator is a function (y, S, X) -> tau2 (...), in
squared units of `y`, and its line in `TAU2`.
"""

from collections.abc import Callable

import numpy as np

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.frequentist.maximum_likelihood import tau2_reml
from bayesmeta.scales import FloatArray


def tau2_dl(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by the method of moments (DerSimonian-Laird).

    Parameters
    ----------
    y : (..., row)
        Effects on the analysis scale (log for ratios).
    S : (..., row) or (..., row, row)
        Sampling variances or covariance of `y`, in squared units of `y`; positive definite.
    X : (..., row, coefficient)
        Design of full column rank; one column of ones is the plain random-effects model.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where the moment equation has a negative root.

    Raises
    ------
    DesignError
        As many coefficients as rows: no degree of freedom is left for heterogeneity.

    References
    ----------
    DerSimonian and Laird (1986), Controlled Clinical Trials 7:177; with covariates, Raudenbush
    (2009), in Cooper, Hedges and Valentine (eds), chapter 16.

    Examples
    --------
    >>> float(tau2_dl(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))).round(6))
    0.12
    """
    df = degrees_of_freedom(X)
    fit = weighted_fit(*decorrelate(y, S, X))
    excess = fit.q - df  # Q minus its expectation at tau2 = 0
    return np.asarray(np.maximum(0.0, excess / fit.trace_p))


def tau2_where_q_is(
    target: FloatArray | float, y: FloatArray, S: FloatArray, X: FloatArray
) -> FloatArray:
    """Give the tau2 at which the generalised Q statistic has a given value.

    Q(tau2) = y'P(tau2)y falls and is convex, so Newton's steps from 0 approach the root from one
    side and cannot miss it.

    Parameters
    ----------
    target : (...)
        Positive value that Q should have; its axes are the batch axes.
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where Q(0) is not above the target.

    Raises
    ------
    NotEstimableError
        The steps did not end.

    References
    ----------
    Viechtbauer (2007), Statistics in Medicine 26:37; DerSimonian and Kacker (2007), Contemporary
    Clinical Trials 28:105.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1))
    >>> float(tau2_where_q_is(2.0, y, v, X).round(6))
    0.12
    """
    y, v, X = decorrelate(y, S, X)
    target = np.asarray(target, dtype=float)
    smallest = v.min(-1)
    t = np.zeros(np.broadcast_shapes(target.shape, y.shape[:-1], v.shape[:-1]))
    for _ in range(500):  # Q behaves as 1 / tau2 at most: a step doubles v + tau2 or converges
        fit = weighted_fit(y, v + t[..., None], X)
        slope = ((fit.weight * fit.residual) ** 2).sum(-1)  # y'PPy = -dQ / dtau2
        step = np.maximum(0.0, (fit.q - target) / np.where(slope > 0, slope, 1.0))
        t = t + step
        if np.all(step <= 1e-14 * (t + smallest)):
            return t
    raise NotEstimableError("The search for tau2 by its Q statistic did not end.")


TAU2: dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
    "DL": tau2_dl,
    "REML": tau2_reml,
}
