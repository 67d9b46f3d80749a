"""Effects of two-by-two tables: log odds ratio, log risk ratio, differences of risks.

`a, b` are events and non-events of the treated arm, `c, d` of the control arm.
"""

from collections.abc import Sequence

import numpy as np

from bayesmeta.effects.measure import BoolArray, Correction, Effects, Measure
from bayesmeta.effects.shared_control import (
    of_arcsine_difference,
    of_log_odds_ratio,
    of_log_risk_ratio,
    of_risk_difference,
)
from bayesmeta.errors import Problem
from bayesmeta.scales import IDENTITY, LOG, FloatArray
from bayesmeta.studies.arrays import TwoArmCounts
from bayesmeta.studies.refusal import refusal

CORRECTIONS: dict[Correction, str] = {
    "only0": "1/2 is added to every cell of tables with a zero cell",
    "all": "1/2 is added to every cell of every table",
    "none": "nothing is added to any cell",
}


def log_odds_ratio(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log odds ratio and its variance (Woolf).

    Parameters
    ----------
    a, b, c, d : (...)
        Events, non-events of the treated arm, events, non-events of the control arm.

    Returns
    -------
    y, v : (...)
        log(ad / bc) and 1/a + 1/b + 1/c + 1/d.

    References
    ----------
    Woolf (1955), Annals of Human Genetics 19:251-253.

    Examples
    --------
    >>> y, v = log_odds_ratio(*np.array([4.0, 119.0, 11.0, 128.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.938694, 0.357125)
    """
    return np.log(a * d / (b * c)), 1 / a + 1 / b + 1 / c + 1 / d


def log_risk_ratio(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log risk ratio and its variance (delta method).

    Parameters
    ----------
    a, b, c, d : (...)
        Events, non-events of the treated arm, events, non-events of the control arm.

    Returns
    -------
    y, v : (...)
        log(a/n1 / (c/n2)) and 1/a - 1/n1 + 1/c - 1/n2, the latter without the cancellation.

    References
    ----------
    Katz, Baptista, Azen and Pike (1978), Biometrics 34:469-474.

    Examples
    --------
    >>> y, v = log_risk_ratio(*np.array([4.0, 119.0, 11.0, 128.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.889311, 0.325585)
    """
    n1, n2 = a + b, c + d
    return np.log(a * n2 / (c * n1)), b / (a * n1) + d / (c * n2)


def risk_difference(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Risk difference and its variance (two independent proportions).

    Parameters
    ----------
    a, b, c, d : (...)
        Events, non-events of the treated arm, events, non-events of the control arm.

    Returns
    -------
    y, v : (...)
        a/n1 - c/n2 and ab/n1^3 + cd/n2^3.

    Examples
    --------
    >>> y, v = risk_difference(*np.array([4.0, 119.0, 11.0, 128.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.046616, 0.00078)
    """
    n1, n2 = a + b, c + d
    return (a * d - b * c) / (n1 * n2), a * b / n1**3 + c * d / n2**3


def log_peto_odds_ratio(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log odds ratio by Peto's one-step method, and its variance.

    Biased where effects are large or arms very unequal.

    Parameters
    ----------
    a, b, c, d : (...)
        Events, non-events of the treated arm, events, non-events of the control arm.

    Returns
    -------
    y, v : (...)
        (a - E) / V and 1 / V, with the hypergeometric mean E and variance V of `a`.

    References
    ----------
    Yusuf, Peto, Lewis, Collins and Sleight (1985), Progress in Cardiovascular Diseases
    27:335-371.

    Examples
    --------
    >>> y, v = log_peto_odds_ratio(*np.array([4.0, 119.0, 11.0, 128.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.860383, 0.282836)
    """
    n1, n2 = a + b, c + d
    n = n1 + n2
    V = (a + c) / n * (b + d) / n * n1 * (n2 / (n - 1))
    return (a * d - b * c) / n / V, 1 / V


def arcsine_difference(
    a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Difference of arcsine-transformed risks and its variance.

    Parameters
    ----------
    a, b, c, d : (...)
        Events, non-events of the treated arm, events, non-events of the control arm.

    Returns
    -------
    y, v : (...)
        arcsin sqrt(a/n1) - arcsin sqrt(c/n2) in radians, and 1/(4 n1) + 1/(4 n2).

    References
    ----------
    Ruecker, Schwarzer, Carpenter and Olkin (2009), Statistics in Medicine 28:721-738.

    Examples
    --------
    >>> y, v = arcsine_difference(*np.array([4.0, 119.0, 11.0, 128.0]))
    >>> round(float(y), 6), round(float(v), 6)
    (-0.103836, 0.003831)
    """
    n1, n2 = a + b, c + d
    return np.arcsin(np.sqrt(a / n1)) - np.arcsin(np.sqrt(c / n2)), 0.25 / n1 + 0.25 / n2


OR = Measure(
    name="OR",
    label="odds ratio",
    scale=LOG,
    layout="binary",
    compute=log_odds_ratio,
    shared=of_log_odds_ratio,
    default_effect_prior="normal(0, 2.82)",
    default_heterogeneity_prior="half_normal(0.5)",
)
RR = Measure(
    name="RR",
    label="risk ratio",
    scale=LOG,
    layout="binary",
    compute=log_risk_ratio,
    shared=of_log_risk_ratio,
    default_effect_prior="normal(0, 2.82)",
    default_heterogeneity_prior="half_normal(0.5)",
)
RD = Measure(
    name="RD",
    label="risk difference",
    scale=IDENTITY,
    layout="binary",
    compute=risk_difference,
    shared=of_risk_difference,
)
PETO = Measure(
    name="PETO",
    label="Peto odds ratio",
    scale=LOG,
    layout="binary",
    compute=log_peto_odds_ratio,
)
AS = Measure(
    name="AS",
    label="arcsine difference",
    scale=IDENTITY,
    layout="binary",
    compute=arcsine_difference,
    shared=of_arcsine_difference,
    zero_rule=False,
)


def binary_effects(
    counts: TwoArmCounts, measure: Measure, *, correction: Correction, source: str
) -> Effects:
    """Compute the effects of two-arm studies under a zero-cell rule.

    Parameters
    ----------
    counts : TwoArmCounts
        Counts of the treated and the control arm.
    measure : Measure
        One that is computed from counts.
    correction : {"only0", "all", "none"}
        Zero-cell rule; see `CORRECTIONS`. "only0" is the default of metafor's ``escalc``.
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
    if measure.compute is None:
        raise TypeError(f"{measure.name} is not computed from counts")
    a, c = counts.events_treated, counts.events_control
    table = np.stack([a, counts.n_treated - a, c, counts.n_control - c]).astype(np.float64)
    zero = (table == 0).any(axis=0)
    if not measure.zero_rule:
        zero = np.zeros_like(zero)
    corrected = {"only0": zero, "all": np.ones_like(zero), "none": np.zeros_like(zero)}[correction]
    with np.errstate(divide="ignore", invalid="ignore"):
        y, v = measure.compute(*(table + corrected / 2))
        loadings = None if measure.shared is None else measure.shared(*(table + corrected / 2))
    estimable = np.isfinite(y) & np.isfinite(v) & (v > 0)
    if not estimable.all():
        raise refusal(source, _not_estimable(counts.study, ~estimable, table, measure))
    empty = (table[[0, 2]] == 0).all(axis=0) | (table[[1, 3]] == 0).all(axis=0)
    return Effects(
        study=counts.study,
        y=y,
        S=v,
        measure=measure,
        correction=correction,
        corrected=corrected,
        notes=_notes(counts.study, correction, corrected, corrected & empty),
        row_notes=tuple("1/2 added to every cell" if row else "" for row in corrected),
        loadings=loadings,
    )


def _not_estimable(
    studies: Sequence[str], where: BoolArray, table: FloatArray, measure: Measure
) -> list[Problem]:
    return [
        Problem(
            study=study,
            value=" ".join(f"{cell:g}" for cell in cells),
            what=f"the {measure.analysis_label} of this table is infinite or has no variance",
            fix="Use correction='only0' or a binomial likelihood, or drop the study.",
        )
        for study, cells, bad in zip(studies, table.T, where, strict=True)
        if bad
    ]


def _notes(
    studies: Sequence[str], correction: Correction, corrected: BoolArray, one_sided: BoolArray
) -> tuple[str, ...]:
    notes = []
    if correction == "all":
        notes.append("1/2 added to every cell of all studies")
    elif corrected.any():
        notes.append(f"1/2 added to every cell of {_told(studies, corrected, 'with a zero cell')}")
    if one_sided.any():
        where = _told(studies, one_sided, "without events, or without non-events, in both arms")
        notes.append(f"the effect comes from the added 1/2 alone in {where}")
    return tuple(notes)


def _told(studies: Sequence[str], where: BoolArray, which: str) -> str:
    names = [study for study, chosen in zip(studies, where, strict=True) if chosen]
    return f"{len(names)} {'study' if len(names) == 1 else 'studies'} {which}: {', '.join(names)}"
