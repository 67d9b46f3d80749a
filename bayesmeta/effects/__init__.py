"""From data to effects on the analysis scale: the measures, and the way to use them."""

from bayesmeta.effects.binary import AS, CORRECTIONS, OR, PETO, RD, RR, binary_effects
from bayesmeta.effects.continuous import MD, ROM, SMD, VR, D, mean_effects
from bayesmeta.effects.contrast import GEN, HR, contrast_effects
from bayesmeta.effects.correlation import COR, ZCOR, correlation_effects
from bayesmeta.effects.measure import Correction, Effects, Measure
from bayesmeta.effects.paired import MC, SMCC, SMCR, paired_effects
from bayesmeta.effects.rates import IRD, IRLN, IRR, rate_effects, single_rate_effects
from bayesmeta.effects.single import PAS, PFT, PLN, PLO, PR, single_effects
from bayesmeta.effects.trial_design import with_trial_design
from bayesmeta.errors import ModelError
from bayesmeta.scales import LOG
from bayesmeta.studies.kinds import HELD
from bayesmeta.studies.layouts import LayoutKind
from bayesmeta.studies.refusal import did_you_mean
from bayesmeta.studies.table import StudyTable

__all__ = [
    "CORRECTIONS",
    "MEASURES",
    "Correction",
    "Effects",
    "Measure",
    "compute_effects",
    "get_measure",
]

MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        OR,
        RR,
        RD,
        PETO,
        AS,
        MD,
        SMD,
        D,
        ROM,
        VR,
        IRR,
        IRD,
        IRLN,
        PLO,
        PR,
        PLN,
        PAS,
        PFT,
        MC,
        SMCC,
        SMCR,
        ZCOR,
        COR,
        HR,
        GEN,
    )
}


def get_measure(name: str) -> Measure:
    """Look a measure up by its name.

    Parameters
    ----------
    name : str
        A key of `MEASURES`.

    Returns
    -------
    Measure
        The registered measure.

    Raises
    ------
    ModelError
        No measure has this name; the message suggests the nearest.

    Examples
    --------
    >>> get_measure("RR").label
    'risk ratio'
    """
    if name not in MEASURES:
        raise ModelError(f"unknown measure {name!r}. {did_you_mean(name, MEASURES)}")
    return MEASURES[name]


def compute_effects(
    studies: StudyTable, measure: str, *, correction: Correction = "only0"
) -> Effects:
    """Compute the effect of every study, on the analysis scale.

    Parameters
    ----------
    studies : StudyTable
        Data with arms and one outcome chosen, or contrasts. Contrasts are used as they are:
        with a ratio measure they must be logarithms already.
    measure : str
        A key of `MEASURES`.
    correction : {"only0", "all", "none"}
        Zero-cell rule for counts: 1/2 is added to all four cells of tables with a zero cell (as
        metafor's ``escalc`` does), of all tables, or of none; with person-time, to the events of
        both arms. The arcsine measures AS, PAS and PFT need no 1/2 for zeros, as in metafor.

    Returns
    -------
    Effects
        Effects, variances, the rule in force and the studies that it touched.

    Raises
    ------
    ModelError
        Unknown measure or correction, or a measure that these data do not have.
    StudyTableError
        Arms or outcome not chosen; without correction, studies whose effect is infinite.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> compute_effects(load("bcg"), "OR").y[:2].round(4).tolist()
    [-0.9387, -1.6662]
    """
    chosen = get_measure(measure)
    if correction not in CORRECTIONS:
        raise ModelError(
            f"unknown correction {correction!r}. {did_you_mean(correction, CORRECTIONS)}"
        )
    kind: LayoutKind = "paired" if studies.layout == "paired arms" else studies.layout
    if kind == "contrast":
        if studies.ratios and chosen is not GEN and chosen.scale is not LOG:
            raise ModelError(
                f"{studies.source} holds ratios, turned into logarithms, and {measure} is no "
                "ratio. Use the measure of the ratios, or GEN to take the logarithms as they are."
            )
        if studies.measure not in (None, chosen.name) and chosen is not GEN:
            get_measure(studies.measure)
            raise ModelError(
                f"{studies.source} holds estimates of measure {studies.measure}, not {measure}. "
                "Use that measure, or GEN to take the estimates as they are."
            )
    elif chosen.layout != kind:
        have = ", ".join(name for name, m in MEASURES.items() if m.layout == kind)
        raise ModelError(
            f"{measure} takes {HELD[chosen.layout]}, but {studies.source} holds "
            f"{HELD[studies.layout]}: use one of {have}."
        )
    return with_trial_design(_plain_effects(studies, chosen, correction), studies.design())


def _plain_effects(studies: StudyTable, chosen: Measure, correction: Correction) -> Effects:
    """Compute effects as if every row were a trial of its own, persons randomised one by one."""
    source = studies.source
    if studies.layout == "contrast":
        return contrast_effects(studies.contrast(), chosen)
    if studies.layout in ("paired", "paired arms"):
        return paired_effects(studies.paired(), chosen, source=source)
    if studies.layout == "means":
        return mean_effects(studies.means(), chosen, source=source)
    if studies.layout == "correlation":
        return correlation_effects(studies.correlations(), chosen, source=source)
    if studies.layout == "rates":
        return rate_effects(studies.rates(), chosen, correction=correction, source=source)
    if studies.layout == "single_rates":
        rates = studies.single_rates()
        return single_rate_effects(rates, chosen, correction=correction, source=source)
    if studies.layout == "single":
        return single_effects(studies.single(), chosen, correction=correction, source=source)
    return binary_effects(studies.two_arm(), chosen, correction=correction, source=source)
