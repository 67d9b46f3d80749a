"""Estimators of the between-study variance tau2 that equate a quadratic form with its expectation.

Shapes are those of `decorrelate`; see `bayesmeta.frequentist.tau2` for the registry.
"""

import numpy as np

from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
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


def tau2_about(estimate: float, y: FloatArray, v: FloatArray) -> float:
    """Between-study variance as DerSimonian-Laird's, with Q about an estimate made otherwise.

    With Q about the Mantel-Haenszel estimate this is the tau2 of Review Manager's "M-H, random".

    Parameters
    ----------
    estimate : float
        Centre, on the analysis scale.
    y, v : (row,)
        At least two effects and their sampling variances.

    Returns
    -------
    float
        tau2 in squared units of `y`; 0 where Q is below its degrees of freedom.

    Raises
    ------
    DesignError
        One row only.

    References
    ----------
    Deeks and Higgins (2010), Statistical algorithms in Review Manager 5.

    Examples
    --------
    >>> round(tau2_about(0.5, np.array([0.1, 0.5, 0.9]), np.full(3, 0.04)), 6)
    0.12
    """
    X = np.ones((len(y), 1))
    excess = float(((y - estimate) ** 2 / v).sum()) - degrees_of_freedom(X)
    return max(0.0, excess / float(weighted_fit(y, v, X).trace_p))


def tau2_dl2(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by the method of moments in two steps.

    The weights of the second step are 1 / (sampling variance + DerSimonian-Laird's tau2).

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where the moment equation has a negative root.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    DerSimonian and Kacker (2007), Contemporary Clinical Trials 28:105.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_dl2(y, v, X).round(6))
    0.696931
    """
    first = tau2_dl(y, S, X)
    y, v, X = decorrelate(y, S, X)
    return _by_moments(y, v, X, weight=1.0 / (v + first[..., None]))


def tau2_he(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by the method of moments without weights (Hedges).

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where the moment equation has a negative root.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Hedges (1983), Psychological Bulletin 93:388, who took it from Cochran (1954), Biometrics
    10:101; with covariates, Raudenbush (2009), in Cooper, Hedges and Valentine (eds), chapter 16.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_he(y, v, X).round(6))
    0.736667
    """
    y, v, X = decorrelate(y, S, X)
    return _by_moments(y, v, X, weight=np.ones_like(v))


def tau2_hs(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance as Hunter and Schmidt have it: Q minus the number of rows.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where Q is below the number of rows. Too small on average.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Hunter and Schmidt (1990), Methods of Meta-Analysis; in this form, Viechtbauer (2005), Journal
    of Educational and Behavioral Statistics 30:261.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_hs(y, v, X).round(6))
    0.209343
    """
    degrees_of_freedom(X)
    fit = weighted_fit(*decorrelate(y, S, X))
    return np.asarray(np.maximum(0.0, (fit.q - y.shape[-1]) / fit.weight.sum(-1)))


def tau2_sj(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by Sidik and Jonkman's weighted residual variance.

    The starting value is the variance of the effects as they stand, with the number of rows as its
    divisor.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; above 0 unless all effects are equal. Too large on average
        where heterogeneity is small.

    Raises
    ------
    DesignError
        As many coefficients as rows.

    References
    ----------
    Sidik and Jonkman (2005), Applied Statistics 54:367; with covariates, the same authors (2005),
    Journal of Biopharmaceutical Statistics 15:823.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_sj(y, v, X).round(6))
    0.689473
    """
    df = degrees_of_freedom(X)
    start = y.var(-1)
    y, v, X = decorrelate(y, S, X)
    return np.asarray(start * weighted_fit(y, v + start[..., None], X).q / df)


def _by_moments(y: FloatArray, v: FloatArray, X: FloatArray, *, weight: FloatArray) -> FloatArray:
    """Equate y'Py for given weights with its expectation, tr(P diag(v)) + tau2 tr(P)."""
    degrees_of_freedom(X)
    fit = weighted_fit(y, 1.0 / weight, X)
    diagonal = weight * (1.0 - (fit.basis**2).sum(-1))  # of P
    return np.asarray(np.maximum(0.0, (fit.q - (diagonal * v).sum(-1)) / fit.trace_p))
