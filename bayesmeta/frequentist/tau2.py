"""Estimators of the between-study variance tau2, for any design and sampling covariance.

Shapes are those of `decorrelate`: `y` (..., row), `S` (..., row) variances or (..., row, row)
covariance, `X` (..., row, coefficient). An estimator is a function (y, S, X) -> tau2 (...), in
squared units of `y`, and its line in `TAU2`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesmeta.frequentist.convergence import not_converged
from bayesmeta.frequentist.least_squares import (
    WeightedFit,
    decorrelate,
    degrees_of_freedom,
    weighted_fit,
)
from bayesmeta.frequentist.maximum_likelihood import tau2_ml, tau2_reml
from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RootFit:
    """A tau2 at which an equation in Q holds, and how it was reached.

    Attributes
    ----------
    tau2 : (...)
        Root, in squared units of the effects; 0 where there is none above.
    boundary : (...)
        True where tau2 is 0 because Q is at or below its target from there.
    iterations : int
        Steps until the last member of the batch converged.
    last_step : (...)
        Size of the last Newton step, relative to tau2 plus the smallest sampling variance.
    """

    tau2: FloatArray
    boundary: BoolArray
    iterations: int
    last_step: FloatArray


def tau2_pm(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by Paule and Mandel; see `fit_pm`.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`; 0 where Q is not above its degrees of freedom.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        The iteration did not converge.

    References
    ----------
    Paule and Mandel (1982), Journal of Research of the National Bureau of Standards 87:377.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_pm(y, v, X).round(6))
    0.713199
    """
    return fit_pm(y, S, X).tau2


def fit_pm(
    y: FloatArray, S: FloatArray, X: FloatArray, *, tol: float = 1e-14, max_iterations: int = 500
) -> RootFit:
    """Find the tau2 at which Q(tau2) is its degrees of freedom, and report how.

    Q falls and is convex, so Newton's steps from 0 approach the root from one side and cannot miss
    it.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.
    tol : float
        Relative size of the last step, against tau2 plus the smallest sampling variance.
    max_iterations : int
        Steps allowed.

    Returns
    -------
    RootFit

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        A step is still larger than `tol` after `max_iterations`.

    References
    ----------
    Paule and Mandel (1982), Journal of Research of the National Bureau of Standards 87:377;
    DerSimonian and Kacker (2007), Contemporary Clinical Trials 28:105.

    Examples
    --------
    >>> fit = fit_pm(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1)))
    >>> float(fit.tau2.round(6)), bool(fit.boundary), bool(fit.last_step < 1e-14)
    (0.12, False, True)
    """
    df = degrees_of_freedom(X)
    return _newton("PM", df, y, S, X, tol=tol, max_iterations=max_iterations)


def tau2_eb(y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Between-study variance by empirical Bayes; see `fit_eb`.

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.

    Returns
    -------
    (...)
        tau2 in squared units of `y`: that of Paule and Mandel, by another road.

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        The iteration did not converge.

    References
    ----------
    Morris (1983), JASA 78:47.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(tau2_eb(y, v, X).round(6))
    0.713199
    """
    return fit_eb(y, S, X).tau2


def fit_eb(
    y: FloatArray, S: FloatArray, X: FloatArray, *, tol: float = 1e-13, max_iterations: int = 500
) -> RootFit:
    """Iterate the empirical Bayes equation for tau2 until it stands still, and report how.

    Each step goes to the weighted mean of k / (k - p) (residual^2) - v, kept inside a bracket of
    the root that each Q narrows; where a step has not halved the error, the next one halves the
    bracket, on the scale of log(smallest sampling variance + tau2).

    Parameters
    ----------
    y, S, X : arrays
        As for `tau2_dl`.
    tol : float
        Relative size of the last Newton step, against tau2 plus the smallest sampling variance.
    max_iterations : int
        Steps allowed.

    Returns
    -------
    RootFit

    Raises
    ------
    DesignError
        As many coefficients as rows.
    NotEstimableError
        A Newton step would still be larger than `tol` after `max_iterations`.

    References
    ----------
    Morris (1983), JASA 78:47; Berkey, Hoaglin, Mosteller and Colditz (1995), Statistics in
    Medicine 14:395. The bracket: with RSS the residual sum of squares without weights,
    Q(tau2) <= RSS / (v_min + tau2).

    Examples
    --------
    >>> fit = fit_eb(np.array([0.1, 0.5, 0.9]), np.full(3, 0.04), np.ones((3, 1)))
    >>> float(fit.tau2.round(6)), bool(fit.boundary), bool(fit.last_step < 1e-13)
    (0.12, False, True)
    """
    df, k = degrees_of_freedom(X), X.shape[-2]
    y, v, X = decorrelate(y, S, X)
    smallest = v.min(-1)
    rss = weighted_fit(y, np.ones_like(v), X).q
    t = low = np.zeros(np.broadcast_shapes(rss.shape, smallest.shape))
    high = np.maximum(0.0, rss / df * (1.0 + 1e-12) - smallest)
    error = np.full_like(t, np.inf)
    for iteration in range(1, max_iterations + 1):
        fit = weighted_fit(y, v + t[..., None], X)
        low, high = np.where(fit.q > df, t, low), np.where(fit.q > df, high, t)
        before, error = error, np.abs(_newton_step(fit, df)) / (t + smallest)
        error = np.where((t == 0) & (fit.q <= df), 0.0, error)
        done = (error <= tol) | (high - low <= tol * (t + smallest))
        if np.all(done):
            return RootFit(tau2=t, boundary=t == 0, iterations=iteration, last_step=error)
        ahead = t + (fit.q / df - 1.0) * k / fit.weight.sum(-1)
        halfway = np.sqrt((smallest + low) * (smallest + high)) - smallest
        inside = (ahead >= low) & (ahead <= high) & (error <= before / 2)
        t = np.where(done, t, np.where(inside, ahead, np.clip(halfway, low, high)))
    raise not_converged("EB", done, error, tol=tol, steps=max_iterations)


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
    return _newton("tau2 by its Q statistic", target, y, S, X, tol=1e-14, max_iterations=500).tau2


def _by_moments(y: FloatArray, v: FloatArray, X: FloatArray, *, weight: FloatArray) -> FloatArray:
    """Equate y'Py for given weights with its expectation, tr(P diag(v)) + tau2 tr(P)."""
    degrees_of_freedom(X)
    fit = weighted_fit(y, 1.0 / weight, X)
    diagonal = weight * (1.0 - (fit.basis**2).sum(-1))  # of P
    return np.asarray(np.maximum(0.0, (fit.q - (diagonal * v).sum(-1)) / fit.trace_p))


def _newton(
    name: str,
    target: FloatArray | float,
    y: FloatArray,
    S: FloatArray,
    X: FloatArray,
    *,
    tol: float,
    max_iterations: int,
) -> RootFit:
    """Find where Q(tau2) = y'P(tau2)y meets its target, from 0 upwards."""
    y, v, X = decorrelate(y, S, X)
    target = np.asarray(target, dtype=float)
    smallest = v.min(-1)
    t = np.zeros(np.broadcast_shapes(target.shape, y.shape[:-1], v.shape[:-1]))
    error = np.full_like(t, np.inf)
    for iteration in range(1, max_iterations + 1):
        # Q behaves as 1 / tau2 at most: a step doubles v + tau2 or converges
        step = np.maximum(0.0, _newton_step(weighted_fit(y, v + t[..., None], X), target))
        t = t + step
        error = step / (t + smallest)
        if np.all(error <= tol):
            return RootFit(tau2=t, boundary=t == 0, iterations=iteration, last_step=error)
    raise not_converged(name, error <= tol, error, tol=tol, steps=max_iterations)


def _newton_step(fit: WeightedFit, target: FloatArray | float) -> FloatArray:
    slope = ((fit.weight * fit.residual) ** 2).sum(-1)  # y'PPy = -dQ / dtau2
    return np.asarray((fit.q - target) / np.where(slope > 0, slope, 1.0))


TAU2: dict[str, Callable[[FloatArray, FloatArray, FloatArray], FloatArray]] = {
    "DL": tau2_dl,
    "REML": tau2_reml,
    "ML": tau2_ml,
    "PM": tau2_pm,
    "EB": tau2_eb,
    "SJ": tau2_sj,
    "HE": tau2_he,
    "HS": tau2_hs,
    "DL2": tau2_dl2,
}
