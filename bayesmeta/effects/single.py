"""Proportions of one group: raw, log, logit, arcsine and double arcsine.

`x, m` are persons with and without the event, `n` all of them.
"""

import numpy as np

from bayesmeta.effects.estimable import correct_zeros, estimable_effects
from bayesmeta.effects.measure import Correction, Effects, Measure
from bayesmeta.scales import ARCSINE, IDENTITY, LOG, LOGIT, FloatArray
from bayesmeta.studies.arrays import SingleCounts


def logit_proportion(x: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log odds of one group and their variance.

    Parameters
    ----------
    x, m : (...)
        Persons with and without the event.

    Returns
    -------
    y, v : (...)
        log(x / m) and 1/x + 1/m.

    Examples
    --------
    >>> y, v = logit_proportion(*np.array([16.0, 1.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (2.772589, 1.0625)
    """
    return np.log(x / m), 1 / x + 1 / m


def proportion(x: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Proportion and its binomial variance.

    Parameters
    ----------
    x, m : (...)
        Persons with and without the event.

    Returns
    -------
    y, v : (...)
        p = x/n and p (1 - p) / n.

    Examples
    --------
    >>> y, v = proportion(*np.array([16.0, 1.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.941176, 0.003257)
    """
    n = x + m
    return x / n, x / n * m / n / n


def log_proportion(x: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log proportion and its variance (delta method).

    Parameters
    ----------
    x, m : (...)
        Persons with and without the event.

    Returns
    -------
    y, v : (...)
        log(x/n) and 1/x - 1/n, the latter without the cancellation.

    Examples
    --------
    >>> y, v = log_proportion(*np.array([16.0, 1.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.060625, 0.003676)
    """
    n = x + m
    return np.log(x / n), m / n / x


def arcsine_proportion(x: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Arcsine-transformed proportion and its variance.

    Parameters
    ----------
    x, m : (...)
        Persons with and without the event.

    Returns
    -------
    y, v : (...)
        arcsin sqrt(x/n), in radians from 0 to pi/2, and 1/(4 n).

    Examples
    --------
    >>> y, v = arcsine_proportion(*np.array([1.0, 3.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (0.523599, 0.0625)
    """
    n = x + m
    return np.arcsin(np.sqrt(x / n)), 0.25 / n


def double_arcsine(x: FloatArray, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Freeman and Tukey's double arcsine of a proportion, and its variance.

    Parameters
    ----------
    x, m : (...)
        Persons with and without the event.

    Returns
    -------
    y, v : (...)
        (arcsin sqrt(x/(n + 1)) + arcsin sqrt((x + 1)/(n + 1))) / 2, in radians, and
        1/(4 n + 2).

    References
    ----------
    Freeman and Tukey (1950), Annals of Mathematical Statistics 21:607-611, halved as in metafor.

    Examples
    --------
    >>> y, v = double_arcsine(*np.array([16.0, 1.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (1.281907, 0.014286)
    """
    n = x + m
    y = (np.arcsin(np.sqrt(x / (n + 1))) + np.arcsin(np.sqrt((x + 1) / (n + 1)))) / 2
    return y, 0.25 / (n + 0.5)


def invert_double_arcsine(y: FloatArray, n: FloatArray) -> FloatArray:
    """Proportion whose double arcsine in a group of `n` is `y`.

    Exact for one group. Of a pooled value there is no one `n`: the harmonic mean of the groups,
    which Miller proposed, can mislead (Schwarzer et al. 2019). `Scale` ARCSINE, by which results
    are shown on the natural scale, is the limit of this for large `n`: sin(y)^2.

    Parameters
    ----------
    y : (...)
        Double arcsine, as `double_arcsine` gives it.
    n : (...)
        Size of the group.

    Returns
    -------
    (...)
        Proportion; 0 below the double arcsine of no events, 1 above that of events only.

    References
    ----------
    Miller (1978), The American Statistician 32:138; Schwarzer, Chemaitelly, Abu-Raddad and
    Ruecker (2019), Research Synthesis Methods 10:476-483.

    Examples
    --------
    >>> y, _ = double_arcsine(*np.array([3.0, 9.0]))
    >>> round(float(invert_double_arcsine(y, np.array(12.0))), 10)
    0.25
    """
    n = np.asarray(n, dtype=np.float64)
    lowest, highest = (double_arcsine(np.zeros_like(n), n)[0], double_arcsine(n, 0 * n)[0])
    inside = np.clip(y, lowest, highest)
    sine = np.sin(2 * inside)
    root = np.sqrt(np.clip(1 - (sine + (sine - 1 / sine) / n) ** 2, 0, None))
    p = (1 - np.sign(np.cos(2 * inside)) * root) / 2
    out: FloatArray = np.where(y <= lowest, 0.0, np.where(y >= highest, 1.0, p))
    return out


PLO = Measure(
    name="PLO",
    label="proportion",
    scale=LOGIT,
    layout="single",
    compute=logit_proportion,
    transformed="log odds",
)
PR = Measure(name="PR", label="proportion", scale=IDENTITY, layout="single", compute=proportion)
PLN = Measure(
    name="PLN",
    label="proportion",
    scale=LOG,
    layout="single",
    compute=log_proportion,
    transformed="log proportion",
)
PAS = Measure(
    name="PAS",
    label="proportion",
    scale=ARCSINE,
    layout="single",
    compute=arcsine_proportion,
    transformed="arcsine",
    zero_rule=False,
)
PFT = Measure(
    name="PFT",
    label="proportion",
    scale=ARCSINE,
    layout="single",
    compute=double_arcsine,
    transformed="double arcsine",
    zero_rule=False,
)


def single_effects(
    counts: SingleCounts, measure: Measure, *, correction: Correction, source: str
) -> Effects:
    """Compute transformed proportions of one group per study under a zero rule.

    Parameters
    ----------
    counts : SingleCounts
        Events and sizes.
    measure : Measure
        One that is computed from counts of one group.
    correction : {"only0", "all", "none"}
        1/2 is added to events and non-events of studies without one of them (as metafor's
        ``escalc`` does; PAS and PFT need it not), of all studies, or of none.
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
    x = counts.events.astype(np.float64)
    m = counts.n - x
    corrected = correct_zeros((x == 0) | (m == 0), measure, correction)
    return estimable_effects(
        counts.study,
        (x + corrected / 2, m + corrected / 2),
        measure,
        source=source,
        fix="Use correction='only0', PAS or PFT, or drop the study.",
        correction=correction,
        corrected=corrected,
        added="1/2 added to events and non-events",
    )
