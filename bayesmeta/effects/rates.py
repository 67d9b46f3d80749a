"""Effects of events in person-time: log rate ratio, rate difference.

`x, t` are events and person-time of an arm, 1 the treated and 2 the control arm.
"""

import numpy as np

from bayesmeta.effects.estimable import correct_zeros, estimable_effects
from bayesmeta.effects.measure import Correction, Effects, Measure
from bayesmeta.effects.shared_control import of_log_rate_ratio, of_rate_difference
from bayesmeta.scales import IDENTITY, LOG, FloatArray
from bayesmeta.studies.arrays import SingleRates, TwoArmRates


def log_rate_ratio(
    x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log incidence rate ratio and its variance (Poisson).

    Parameters
    ----------
    x1, t1, x2, t2 : (...)
        Events and person-time of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        log(x1/t1 / (x2/t2)) and 1/x1 + 1/x2.

    References
    ----------
    Rothman, Greenland and Lash (2008), Modern Epidemiology, 3rd ed., chapter 14.

    Examples
    --------
    >>> y, v = log_rate_ratio(*np.array([7.0, 1344, 11, 1988]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.060506, 0.233766)
    """
    return np.log(x1 / t1 / (x2 / t2)), 1 / x1 + 1 / x2


def rate_difference(
    x1: FloatArray, t1: FloatArray, x2: FloatArray, t2: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Incidence rate difference and its variance (Poisson).

    Parameters
    ----------
    x1, t1, x2, t2 : (...)
        Events and person-time of the treated, then of the control arm.

    Returns
    -------
    y, v : (...)
        x1/t1 - x2/t2 and x1/t1^2 + x2/t2^2, per unit of the person-time.

    References
    ----------
    Rothman, Greenland and Lash (2008), Modern Epidemiology, 3rd ed., chapter 14.

    Examples
    --------
    >>> y, v = rate_difference(*np.array([7.0, 100, 4, 100]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.03, 0.0011)
    """
    return x1 / t1 - x2 / t2, x1 / t1 / t1 + x2 / t2 / t2


def log_rate(x: FloatArray, t: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log incidence rate of one group and its variance (Poisson).

    Parameters
    ----------
    x, t : (...)
        Events and person-time.

    Returns
    -------
    y, v : (...)
        log(x/t), per unit of the person-time, and 1/x.

    Examples
    --------
    >>> y, v = log_rate(*np.array([4.0, 100.0]))
    >>> round(float(y), 6), float(v)
    (-3.218876, 0.25)
    """
    return np.log(x / t), 1 / x


IRR = Measure(
    name="IRR",
    label="incidence rate ratio",
    scale=LOG,
    layout="rates",
    compute=log_rate_ratio,
    shared=of_log_rate_ratio,
)
IRD = Measure(
    name="IRD",
    label="incidence rate difference",
    scale=IDENTITY,
    layout="rates",
    compute=rate_difference,
    shared=of_rate_difference,
)

IRLN = Measure(
    name="IRLN",
    label="incidence rate",
    scale=LOG,
    layout="single_rates",
    compute=log_rate,
    transformed="log rate",
)


def single_rate_effects(
    rates: SingleRates, measure: Measure, *, correction: Correction, source: str
) -> Effects:
    """Compute the effects of one group with person-time under a zero rule.

    Parameters
    ----------
    rates : SingleRates
        Events and person-time.
    measure : Measure
        One that is computed from them.
    correction : {"only0", "all", "none"}
        1/2 is added to the events of groups without one, of all groups, or of none.
    source : str
        Name of the table, for messages.

    Returns
    -------
    Effects
        With the rule, the rows that it touched, and notes that say so.

    Raises
    ------
    StudyTableError
        Studies whose effect is infinite or has no variance; with "none" only.
    """
    events = rates.events.astype(np.float64)
    corrected = correct_zeros(events == 0, measure, correction)
    return estimable_effects(
        rates.study,
        (events + corrected / 2, rates.time),
        measure,
        source=source,
        fix="Use correction='only0', or drop the study.",
        correction=correction,
        corrected=corrected,
        added="1/2 added to the events",
    )


def rate_effects(
    rates: TwoArmRates, measure: Measure, *, correction: Correction, source: str
) -> Effects:
    """Compute the effects of two-arm studies with person-time under a zero rule.

    Parameters
    ----------
    rates : TwoArmRates
        Events and person-time of both arms.
    measure : Measure
        One that is computed from rates.
    correction : {"only0", "all", "none"}
        1/2 is added to the events of both arms of studies with an arm without events (as
        metafor's ``escalc`` does), of all studies, or of none.
    source : str
        Name of the table, for messages.

    Returns
    -------
    Effects
        With the rule, the rows that it touched, and notes that say so.

    Raises
    ------
    StudyTableError
        Studies whose effect is infinite or has no variance; with "none" only.
    """
    events = np.stack([rates.events_treated, rates.events_control]).astype(np.float64)
    corrected = correct_zeros((events == 0).any(axis=0), measure, correction)
    x1, x2 = events + corrected / 2
    return estimable_effects(
        rates.study,
        (x1, rates.time_treated, x2, rates.time_control),
        measure,
        source=source,
        fix="Use correction='only0', or drop the study.",
        correction=correction,
        corrected=corrected,
        added="1/2 added to the events of both arms",
    )
