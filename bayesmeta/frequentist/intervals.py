"""Intervals and tests from an estimate: Wald and t, Q-profile for tau2, prediction."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainccinv, gammaincinv, ndtr, ndtri, stdtr, stdtrit

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit
from bayesmeta.frequentist.tau2 import tau2_where_q_is
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interval:
    """Lower and upper limit, in the unit of the estimate; batch axes as the estimate's."""

    low: FloatArray
    high: FloatArray


def require_level(level: float) -> None:
    """Refuse a coverage outside (0.5, 1): people write the error rate, 0.05.

    Raises
    ------
    ModelError
        The level is not a coverage.
    """
    if not 0.5 < level < 1.0:
        raise ModelError(
            f"level = {level} is not a coverage between 0.5 and 1. "
            "Write 0.95 for a 95% interval, not the error rate 0.05."
        )


def quantile_for(level: float, df: int | None = None) -> float:
    """Give how many standard errors an equal-tailed interval reaches on each side.

    Parameters
    ----------
    level : float
        Coverage, in (0.5, 1).
    df : int, optional
        Degrees of freedom of the t distribution; not given, the normal one.

    Returns
    -------
    float
        nan where `df` is 0.

    Examples
    --------
    >>> round(quantile_for(0.95), 6), round(quantile_for(0.95, df=4), 6)
    (1.959964, 2.776445)
    """
    require_level(level)
    tail = (1.0 - level) / 2.0
    if df is None:
        return float(-ndtri(tail))
    return float(-stdtrit(df, tail)) if df > 0 else float("nan")


def symmetric_interval(
    estimate: FloatArray | float, se: FloatArray | float, *, level: float, df: int | None = None
) -> Interval:
    """Give estimate -+ quantile x standard error.

    Parameters
    ----------
    estimate, se : (...)
        Estimate and standard error, on the analysis scale.
    level : float
        Coverage, in (0.5, 1).
    df : int, optional
        Degrees of freedom of the t distribution; not given, the normal one.

    Returns
    -------
    Interval

    Raises
    ------
    ModelError
        `level` is not a coverage.

    Examples
    --------
    >>> round(float(symmetric_interval(0.0, 1.0, level=0.95).high), 6)
    1.959964
    """
    half = quantile_for(level, df) * np.asarray(se, dtype=float)
    return Interval(low=np.asarray(estimate - half), high=np.asarray(estimate + half))


def two_sided_p(
    estimate: FloatArray | float, se: FloatArray | float, *, df: int | None = None
) -> FloatArray:
    """Give the two-sided p-value of the test that the effect is 0.

    Parameters
    ----------
    estimate, se : (...)
        Estimate and standard error, on the analysis scale.
    df : int, optional
        Degrees of freedom of the t distribution; not given, the normal one.

    Returns
    -------
    (...)
        nan where `df` is 0 or the standard error is 0.

    Examples
    --------
    >>> round(float(two_sided_p(1.959964, 1.0)), 6)
    0.05
    """
    estimate, se = np.asarray(estimate, dtype=float), np.asarray(se, dtype=float)
    ratio = np.abs(estimate) / np.where(se > 0, se, np.nan)
    if df is None:
        return np.asarray(2.0 * ndtr(-ratio))
    return np.asarray(2.0 * stdtr(df, -ratio)) if df > 0 else np.full_like(ratio, np.nan)


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
    upper, lower = 2.0 * gammainccinv(df / 2.0, tail), 2.0 * gammaincinv(df / 2.0, tail)
    return Interval(
        low=tau2_where_q_is(float(upper), y, v, X), high=tau2_where_q_is(float(lower), y, v, X)
    )


def q_profile_is_empty(y: FloatArray, S: FloatArray, X: FloatArray, *, level: float) -> bool:
    """Say whether no tau2 >= 0 is in the Q-profile interval: Q at 0 is below its lower quantile."""
    df = degrees_of_freedom(X)
    q = weighted_fit(*decorrelate(y, S, X)).q
    return bool(np.all(q < 2.0 * gammaincinv(df / 2.0, (1.0 - level) / 2.0)))


def prediction_interval(
    estimate: FloatArray | float,
    se: FloatArray | float,
    tau2: FloatArray | float,
    *,
    level: float,
    df: int | None = None,
) -> Interval:
    """Give the interval for the true effect of a new study.

    Parameters
    ----------
    estimate, se : (...)
        Estimate and its standard error (after Knapp and Hartung, if that is how it was made).
    tau2 : (...)
        Between-study variance, in squared units of `estimate`.
    level : float
        Coverage, in (0.5, 1).
    df : int, optional
        Degrees of freedom of the t distribution; not given, the normal one. Higgins, Thompson and
        Spiegelhalter have the number of studies minus 2; metafor by default what the confidence
        interval has.

    Returns
    -------
    Interval
        estimate -+ quantile x sqrt(se^2 + tau2); nan where `df` is 0.

    Raises
    ------
    ModelError
        `level` is not a coverage.

    References
    ----------
    Higgins, Thompson and Spiegelhalter (2009), JRSS A 172:137; Riley, Higgins and Deeks (2011),
    BMJ 342:d549.

    Examples
    --------
    >>> round(float(prediction_interval(0.0, 0.6, 0.64, level=0.95).high), 6)
    1.959964
    """
    spread = np.sqrt(np.asarray(se, dtype=float) ** 2 + np.asarray(tau2, dtype=float))
    return symmetric_interval(estimate, spread, level=level, df=df)
