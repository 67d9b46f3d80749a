"""Estimators of the between-study variance tau2 that are the root of an equation in Q(tau2).

Shapes are those of `decorrelate`; see `bayesmeta.frequentist.tau2` for the registry.
"""

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
from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]


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
    flat = slope < 1e-300  # all residuals are 0, or so small that a quotient would overflow
    return np.asarray((fit.q - target) / np.where(flat, 1.0, slope))
