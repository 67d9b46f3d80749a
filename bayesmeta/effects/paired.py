"""Effects of two measurements of the same persons: changes, and crossover trials.

`m1, sd1` are mean and standard deviation after (or under treatment), `m2, sd2` before (or under
control), of `n` persons; `r` is the correlation of the two measurements. In a crossover trial
without carry-over MC is the effect of treatment, with the paired standard error (Elbourne et al.
2002).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesmeta.effects.continuous import hedges_factor
from bayesmeta.effects.estimable import estimable_effects
from bayesmeta.effects.measure import Effects, Measure
from bayesmeta.scales import IDENTITY, FloatArray
from bayesmeta.studies.arrays import Pairs

_FIX = "A standardised change needs 3 persons: use MC, or drop the study."


def mean_change(
    m1: FloatArray, sd1: FloatArray, m2: FloatArray, sd2: FloatArray, n: FloatArray, r: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean change and its variance.

    Parameters
    ----------
    m1, sd1, m2, sd2, n, r : (...)
        Mean and standard deviation after, then before; persons; correlation.

    Returns
    -------
    y, v : (...)
        m1 - m2 and (sd1^2 + sd2^2 - 2 r sd1 sd2) / n, in the unit of the outcome and its square.

    References
    ----------
    Elbourne, Altman, Higgins, Curtin, Worthington and Vail (2002), International Journal of
    Epidemiology 31:140-149.

    Examples
    --------
    >>> y, v = mean_change(*np.array([26, 30**0.5, 22, 20**0.5, 60, 0.7]))
    >>> round(float(y), 6), round(float(v), 6)
    (4.0, 0.261786)
    """
    return m1 - m2, _variance_of_change(sd1, sd2, r) / n


def standardised_change(
    m1: FloatArray, sd1: FloatArray, m2: FloatArray, sd2: FloatArray, n: FloatArray, r: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean change in standard deviations of the change, corrected for bias, and its variance.

    Parameters
    ----------
    m1, sd1, m2, sd2, n, r : (...)
        Mean and standard deviation after, then before; persons; correlation.

    Returns
    -------
    y, v : (...)
        g, the mean change over the standard deviation of the change times the exact factor of
        `hedges_factor` with n - 1 degrees of freedom, and 1/n + g^2 / (2 n), as metafor's vtype
        "LS"; not a number for fewer than 3 persons.

    References
    ----------
    Gibbons, Hedeker and Davis (1993), Journal of Educational Statistics 18:271-279.

    Examples
    --------
    >>> y, v = standardised_change(*np.array([38.5, 11.6, 30.6, 15.0, 20, 0.47]))
    >>> round(float(y), 4), round(float(v), 4)
    (0.5417, 0.0573)
    """
    g = _factor(n) * (m1 - m2) / np.sqrt(_variance_of_change(sd1, sd2, r))
    return g, 1 / n + g**2 / (2 * n)


def raw_standardised_change(
    m1: FloatArray,
    sd1: FloatArray,  # noqa: ARG001  every formula of pairs takes the same data
    m2: FloatArray,
    sd2: FloatArray,
    n: FloatArray,
    r: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Mean change in standard deviations before, corrected for bias, and its variance.

    Parameters
    ----------
    m1, sd1, m2, sd2, n, r : (...)
        Mean and standard deviation after, then before; persons; correlation. The standard
        deviation after is not used. (metafor's ``escalc`` takes the one before as ``sd1i``.)

    Returns
    -------
    y, v : (...)
        g = c(n - 1) (m1 - m2) / sd2, with c of `hedges_factor`, and
        2 (1 - r)/n + g^2 / (2 n), as metafor's vtype "LS"; not a number for fewer than 3 persons.

    References
    ----------
    Becker (1988), British Journal of Mathematical and Statistical Psychology 41:257-278, eq. 13.

    Examples
    --------
    >>> y, v = raw_standardised_change(*np.array([38.5, 11.6, 30.6, 15.0, 20, 0.47]))
    >>> round(float(y), 4), round(float(v), 4)
    (0.5056, 0.0594)
    """
    g = _factor(n) * (m1 - m2) / sd2
    return g, 2 * (1 - r) / n + g**2 / (2 * n)


def _variance_of_change(sd1: FloatArray, sd2: FloatArray, r: FloatArray) -> FloatArray:
    """sd1^2 + sd2^2 - 2 r sd1 sd2, without the cancellation for r near 1."""
    out: FloatArray = (sd1 - sd2) ** 2 + 2 * (1 - r) * sd1 * sd2
    return out


def _factor(n: FloatArray) -> FloatArray:
    return np.where(n > 2, hedges_factor(np.maximum(n - 1, 2.0)), np.nan)


MC = Measure(name="MC", label="mean change", scale=IDENTITY, layout="paired", compute=mean_change)
SMCC = Measure(
    name="SMCC",
    label="standardised mean change (by its own SD)",
    scale=IDENTITY,
    layout="paired",
    compute=standardised_change,
)
SMCR = Measure(
    name="SMCR",
    label="standardised mean change (by the SD before)",
    scale=IDENTITY,
    layout="paired",
    compute=raw_standardised_change,
)


def paired_effects(groups: Sequence[Pairs], measure: Measure, *, source: str) -> Effects:
    """Compute changes, or how much larger they are under treatment than under control.

    Parameters
    ----------
    groups : sequence of Pairs
        One group per study; or the treated and the control group, which are independent: then
        the effect is the difference of the two groups' own effects, its variance their sum.
    measure : Measure
        One that is computed from pairs.
    source : str
        Name of the table, for messages.

    Returns
    -------
    Effects
        On the analysis scale of `measure`.

    Raises
    ------
    StudyTableError
        Standardised changes of fewer than 3 persons.

    References
    ----------
    Becker (1988), British Journal of Mathematical and Statistical Psychology 41:257-278, for the
    difference of two groups.
    """
    data = [
        (x.mean_post, x.sd_post, x.mean_pre, x.sd_pre, x.n.astype(np.float64), x.r) for x in groups
    ]
    if len(data) == 1:
        return estimable_effects(groups[0].study, data[0], measure, source=source, fix=_FIX)
    two = replace(measure, compute=lambda *both: _difference(measure, both))
    effects = estimable_effects(groups[0].study, (*data[0], *data[1]), two, source=source, fix=_FIX)
    return replace(effects, measure=measure)


def _difference(measure: Measure, both: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Subtract the control group's effect from that of the treated, which come first."""
    if measure.compute is None:
        raise TypeError(f"{measure.name} has no formula")
    y1, v1 = measure.compute(*both[:6])
    y2, v2 = measure.compute(*both[6:])
    return y1 - y2, v1 + v2
