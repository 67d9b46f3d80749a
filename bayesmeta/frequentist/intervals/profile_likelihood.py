"""The profile likelihood of the mean effect: tau2 is maximised over, for each mean anew."""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtri

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.intervals.simple import Interval, require_level
from bayesmeta.frequentist.least_squares import decorrelate, weighted_fit
from bayesmeta.frequentist.tau2.likelihood import fit_ml
from bayesmeta.frequentist.tau2.log_likelihood import log_likelihood
from bayesmeta.scales import FloatArray

_GRID = 64  # values of the mean, and of tau2, at which the deviance is looked at first
_STEPS = 100  # of the search for a limit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileInterval:
    """The means that a likelihood ratio test does not reject.

    Attributes
    ----------
    limits : Interval
        The outermost of them, on the analysis scale.
    connected : bool
        False where some means between the limits are rejected too.
    """

    limits: Interval
    connected: bool


def deviance(mean: FloatArray, y: FloatArray, S: FloatArray, X: FloatArray) -> FloatArray:
    """Give twice the log likelihood ratio of the best mean to a given one.

    Parameters
    ----------
    mean : (...)
        Means on the analysis scale.
    y : (row,)
        Effects on the analysis scale.
    S : (row,) or (row, row)
        Sampling variances or covariance of `y`; positive definite.
    X : (row, 1)
        One column of ones.

    Returns
    -------
    (...)
        0 at the maximum likelihood estimate; chi-squared(1) under the given mean, for many studies.

    Raises
    ------
    DesignError
        One row only.
    NotEstimableError
        A maximum over tau2 was not found.

    References
    ----------
    Hardy and Thompson (1996), Statistics in Medicine 15:619.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> float(deviance(np.array(0.0), y, v, X).round(4))
    2.4244
    """
    return _deviance(mean, *decorrelate(y, S, X))[0]


def profile_p(y: FloatArray, S: FloatArray, X: FloatArray, *, mean: float = 0.0) -> float:
    """Give the p-value of the likelihood ratio test that the mean effect is `mean`."""
    return float(chdtrc(1, np.maximum(0.0, deviance(np.asarray(mean), y, S, X))))


def profile_interval(
    y: FloatArray, S: FloatArray, X: FloatArray, *, level: float = 0.95
) -> ProfileInterval:
    """Give the profile likelihood interval of the mean effect.

    Parameters
    ----------
    y, S, X : arrays
        As for `deviance`.
    level : float
        Coverage, in (0.5, 1).

    Returns
    -------
    ProfileInterval

    Raises
    ------
    DesignError
        One row only.
    ModelError
        `level` is not a coverage.
    NotEstimableError
        A search did not end.

    References
    ----------
    Hardy and Thompson (1996), Statistics in Medicine 15:619.

    Examples
    --------
    >>> y, v, X = np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1))
    >>> limits = profile_interval(y, v, X).limits
    >>> float(limits.low.round(4)), float(limits.high.round(4))
    (-0.3454, 1.9213)
    """
    require_level(level)
    target = float(ndtri((1.0 - level) / 2.0) ** 2)  # chi-squared(1) quantile
    y, v, X = decorrelate(y, S, X)
    fit = weighted_fit(y, v + fit_ml(y, v, X).tau2, X)
    centre, se = float(fit.beta[0]), float(np.sqrt(fit.cov[0, 0]))
    side = np.array([-1.0, 1.0])
    reach = np.full(2, 4.0 * se)
    for _ in range(_STEPS):
        short = _deviance(centre + side * reach, y, v, X)[0] <= target
        if not short.any():
            break
        reach = np.where(short, 2.0 * reach, reach)
    else:
        raise _unfinished()
    grid = _steps(centre, side, reach, y, v, X)
    inside = _deviance(centre + side * grid, y, v, X)[0] <= target
    last = len(grid) - 1 - inside[::-1].argmax(0)  # the outermost step that is not rejected
    low, high = grid[last, [0, 1]], grid[last + 1, [0, 1]]
    at = (low + high) / 2.0
    for _ in range(_STEPS):
        value, slope = _deviance(centre + side * at, y, v, X)
        low, high = np.where(value <= target, at, low), np.where(value <= target, high, at)
        step = (target - value) / np.where(side * slope > 0, side * slope, np.nan)
        scale = 1e-13 * (reach + abs(centre))
        if np.all((np.abs(step) <= scale) | (high - low <= scale)):
            limits = centre + side * at
            connected = bool(np.all(inside[:-1] >= inside[1:]))
            return ProfileInterval(
                limits=Interval(low=np.asarray(limits[0]), high=np.asarray(limits[1])),
                connected=connected,
            )
        ahead = at + step
        at = np.where((ahead > low) & (ahead < high), ahead, (low + high) / 2.0)
    raise _unfinished()


def _steps(
    centre: float, side: FloatArray, reach: FloatArray, y: FloatArray, v: FloatArray, X: FloatArray
) -> FloatArray:
    """Give distances (step, side) from the centre at which the deviance is looked at.

    Every peak of the profile is the pooled mean at some tau2, and may be narrow: beside even steps
    there are those means.
    """
    smallest, largest = v.min(), v.max() + np.ptp(y) ** 2
    tau2 = smallest * np.expm1(np.linspace(0.0, np.log1p(largest / smallest), _GRID))
    means = weighted_fit(y, v + tau2[:, None], X).beta
    even = reach * np.linspace(0.0, 1.0, _GRID)[:, None]
    return np.sort(np.concatenate([even, np.clip(side * (means - centre), 0.0, reach)]), axis=0)


def _deviance(
    mean: FloatArray, y: FloatArray, v: FloatArray, X: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Give the deviance of means, and its derivative by the mean, of independent rows."""
    left = y - np.asarray(mean, dtype=float)[..., None] * X[:, 0]  # (..., row)
    nothing = X[:, :0]  # with the mean known there is no coefficient left
    every = np.broadcast_to(v, left.shape)
    tau2 = fit_ml(left, every, nothing).tau2
    here = log_likelihood(tau2, left, every, nothing)
    best = log_likelihood(fit_ml(y, v, X).tau2, y, v, X)
    slope = -2.0 * (left * X[:, 0] / (v + tau2[..., None])).sum(-1)
    return np.asarray(2.0 * (best - here)), np.asarray(slope)


def _unfinished() -> NotEstimableError:
    return NotEstimableError(
        f"The profile likelihood interval did not converge in {_STEPS} steps. Choose wald or hksj."
    )
