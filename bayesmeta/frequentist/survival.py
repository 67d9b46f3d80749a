"""Kaplan and Meier's estimate from grouped times, with Greenwood's variance; one proportion."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesmeta.frequentist.intervals.simple import require_level
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurvivalCurve:
    """Probability of no event yet, at the end of each interval.

    Attributes
    ----------
    survival, se : (interval,)
        The estimate, and Greenwood's standard error.
    low, high : (interval,)
        Interval by log(-log S); nan where S is 1 or 0.
    none_respond, all_respond : (interval,)
        What bounds S whatever becomes of those lost: none of them ever has the event, or each has
        it when lost. These hold without any assumption on why persons leave.
    """

    survival: FloatArray
    se: FloatArray
    low: FloatArray
    high: FloatArray
    none_respond: FloatArray
    all_respond: FloatArray


def grouped_kaplan_meier(
    at_risk: FloatArray, events: FloatArray, *, level: float = 0.95
) -> SurvivalCurve:
    """Estimate survival from numbers at risk at the start of intervals, and events within.

    Those who leave within an interval count as at risk in it, and leave for reasons that have
    nothing to do with the event.

    Parameters
    ----------
    at_risk : (interval,)
        nan is not known, and allowed where there is no event.
    events : (interval,)
    level : float
        Coverage of the interval.

    References
    ----------
    Kaplan and Meier (1958), JASA 53:457-481; Greenwood (1926); the interval, Kalbfleisch and
    Prentice (1980), 1.3; the bounds, Horowitz and Manski (2000), JASA 95:77-84.

    Examples
    --------
    >>> curve = grouped_kaplan_meier(np.array([21.0, 17.0]), np.array([3.0, 1.0]))
    >>> curve.survival.round(3), curve.se.round(4)
    (array([0.857, 0.807]), array([0.0764, 0.0869]))
    """
    require_level(level)
    n = np.where(events == 0, np.inf, at_risk)
    survival = np.cumprod(1 - events / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(events == 0, 0.0, events / (n * (n - events)))
        spread = np.sqrt(np.cumsum(terms))
        se = np.where(survival > 0, survival * spread, np.nan)
        shift = ndtri((1 + level) / 2) * spread / np.log(survival)
        low, high = survival ** np.exp(-shift), survival ** np.exp(shift)
    defined = (survival > 0) & (survival < 1)
    total = float(at_risk[0])
    happened = np.cumsum(events)
    # lost by the end of an interval: whoever is not at risk in the next, and had no event
    after = np.append(at_risk[1:], at_risk[-1] - events[-1])
    seen = np.where(np.isnan(after), 0.0, after)
    return SurvivalCurve(
        survival=survival,
        se=se,
        low=np.where(defined, low, np.nan),
        high=np.where(defined, high, np.nan),
        none_respond=1 - happened / total,
        all_respond=seen / total,
    )


def wilson_interval(events: FloatArray, n: FloatArray, *, level: float = 0.95) -> FloatArray:
    """Wilson's score interval of proportions, (..., 2).

    References
    ----------
    Wilson (1927), JASA 22:209-212; recommended by Newcombe (1998), Statistics in Medicine
    17:857-872.

    Examples
    --------
    >>> wilson_interval(np.array([81.0, 0.0]), np.array([263.0, 20.0])).round(4).tolist()
    [[0.2553, 0.3662], [0.0, 0.1611]]
    """
    require_level(level)
    z = ndtri((1 + level) / 2)
    p = events / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    out: FloatArray = np.clip(np.stack([centre - half, centre + half], axis=-1), 0, 1)
    return out
