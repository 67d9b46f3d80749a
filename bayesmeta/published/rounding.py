"""Arithmetic on printed numbers: every result is the interval that their rounding allows.

No tolerance enters but the error of floating-point arithmetic itself (`touch`).
"""

import math

import numpy as np
from scipy.special import chdtrc, chdtri, ndtr, ndtri, stdtr

from bayesmeta.effects import Measure
from bayesmeta.printed import Printed
from bayesmeta.scales import FloatArray

type Interval = tuple[float, float]

_TINY = float(np.finfo(np.float64).tiny)
_RANGES: dict[str, Interval] = {
    "log": (_TINY, math.inf),
    "logit": (_TINY, 1 - 2.0**-53),
    "fisher z": (-1 + 2.0**-53, 1 - 2.0**-53),
    "arcsine": (0.0, 1.0),
    "RD": (-1.0, 1.0),
}


def bounds_of(printed: Printed) -> Interval:
    """Give the interval of a printed number."""
    return printed.low, printed.high


def touch(first: Interval, second: Interval) -> bool:
    """Tell whether two intervals have a point in common, ends included."""
    low, high = max(first[0], second[0]), min(first[1], second[1])
    if low <= high:
        return True
    return low - high <= 8 * math.ulp(max(abs(low), abs(high)))


def same_number(first: Printed, second: Printed) -> bool:
    """Tell whether two prints can be of one number: the same digits, or a rounded form of them.

    Examples
    --------
    >>> P = Printed.parse
    >>> same_number(P("-3.16"), P("-3.2")), same_number(P("-3.16"), P("-3.1"))
    (True, False)
    >>> same_number(P("0.004"), P("<0.05"))
    True
    """
    if first.half_unit == second.half_unit and first.bound == second.bound:
        return first.value == second.value
    return max(first.low, second.low) < min(first.high, second.high)


def allowed_range(measure: Measure) -> Interval:
    """Give the values that a measure can have, on its natural scale."""
    whole = (-math.inf, math.inf)
    return _RANGES.get(measure.name, _RANGES.get(measure.scale.name, whole))


def to_analysis(printed: Printed, measure: Measure) -> Interval:
    """Give the interval of a printed effect on the analysis scale, cut to what the measure can be.

    Examples
    --------
    >>> from bayesmeta.effects import MEASURES
    >>> low, high = to_analysis(Printed.parse("2.0"), MEASURES["OR"])
    >>> round(low, 4), round(high, 4)
    (0.6678, 0.7178)
    """
    low, high = allowed_range(measure)
    ends = np.clip([printed.low, printed.high], low, high)
    first, last = measure.scale.from_natural(ends).tolist()
    return first, last


def middle(low: Interval, high: Interval) -> Interval:
    """Give the middle of an interval whose limits are intervals."""
    return (low[0] + high[0]) / 2, (low[1] + high[1]) / 2


def corners(estimate: Interval, low: Interval, high: Interval) -> FloatArray:
    """Give the corners of all (lower, upper) limits that have the estimate in their middle.

    The limits that the rounding allows are a rectangle, and those whose middle can be the estimate
    a strip across it; what both share is a polygon, and empty where nothing fits.

    Returns
    -------
    (corner, 2)
    """
    sums = (2 * estimate[0], 2 * estimate[1])
    box = [(a, b) for a in low for b in high if touch((a + b, a + b), sums)]
    cuts = [(a, s - a) for a in low for s in sums if high[0] <= s - a <= high[1]]
    cuts += [(s - b, b) for b in high for s in sums if low[0] <= s - b <= low[1]]
    return np.array(box + cuts, dtype=np.float64).reshape(-1, 2)


def p_of_interval(limits: FloatArray, *, level: float, df: int | None = None) -> Interval:
    """Give the p values of the test of 0 that go with intervals, from their corners.

    Parameters
    ----------
    limits : (corner, 2)
        As `corners` gives them, at least one. The test statistic is a ratio of two linear
        functions of the limits, so that its extremes are at corners.
    level : float
        Coverage of the intervals.
    df : int, optional
        Degrees of freedom of the t distribution; not given, the normal one.

    Examples
    --------
    >>> low, high = p_of_interval(np.array([[0.0, 1.0]]), level=0.95)
    >>> round(low, 6), round(high, 6)
    (0.05, 0.05)
    """
    tail = (1 - level) / 2
    sums, lengths = limits.sum(axis=1), limits[:, 1] - limits[:, 0]
    there = lengths > 0
    # towards an interval of no length the statistic grows without bound
    ratio = np.where(there | (sums == 0), sums, np.copysign(np.inf, sums))
    ratio = ratio / np.where(there, lengths, 1.0)
    quantile = -ndtri(tail) if df is None else -_t_quantile(df, tail)
    return p_of_statistic((quantile * ratio.min(), quantile * ratio.max()), df)


def p_of_statistic(z: Interval, df: int | None = None) -> Interval:
    """Give the two-sided p values of an interval of a normal or t statistic."""
    sizes = sorted(map(abs, z))
    smallest = 0.0 if z[0] <= 0 <= z[1] else sizes[0]
    ends = np.array([-sizes[1], -smallest])
    low, high = (2 * (ndtr(ends) if df is None else stdtr(df, ends))).tolist()
    return low, high


def _t_quantile(df: int, p: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


# --- Cochran's Q ---------------------------------------------------------------------------------


def q_of_p(p: Interval, df: int) -> Interval:
    """Give Cochran's Q from its p value."""
    low, high = np.clip(p, 0.0, 1.0).tolist()
    return float(chdtri(df, high)), (float(chdtri(df, low)) if low > 0 else math.inf)


def p_of_q(q: Interval, df: int) -> Interval:
    """Give the p value of Cochran's Q."""
    low, high = (chdtrc(df, max(0.0, end)) if math.isfinite(end) else 0.0 for end in reversed(q))
    return float(low), float(high)


def q_of_i2(i2: Interval, df: int) -> Interval:
    """Give Q from I2 = 100 (Q - df)/Q; an I2 of 0 leaves any Q up to df."""
    low, high = i2
    return (df / (1 - low / 100) if low > 0 else 0.0), (
        df / (1 - max(high, 0.0) / 100) if high < 100 else math.inf
    )


def i2_of_q(q: Interval, df: int) -> Interval:
    """Give I2 in percent from Q.

    Examples
    --------
    >>> i2_of_q((1.0, 4.0), 2)
    (0.0, 50.0)
    """
    low, high = (100 * (1 - df / end) if end > df else 0.0 for end in q)
    return low, high


def show_span(ends: Interval) -> str:
    """Write an interval to three figures, as one number where its ends look the same.

    Examples
    --------
    >>> show_span((0.0883, 0.0934)), show_span((0.5, 0.5001))
    ('0.0883 to 0.0934', '0.5')
    """
    low, high = (f"{end:.3g}" for end in ends)
    return low if low == high else f"{low} to {high}"
