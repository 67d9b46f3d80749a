"""Intervals and tests from an estimate and its standard error: Wald and t, and prediction."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from bayesmeta.errors import ModelError
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
