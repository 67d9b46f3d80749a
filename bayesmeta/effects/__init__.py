"""From data to effects on the analysis scale: the measures, and the way to use them."""

from bayesmeta.effects.binary import CORRECTIONS, OR, RD, RR, binary_effects
from bayesmeta.effects.contrast import GEN, contrast_effects
from bayesmeta.effects.measure import Correction, Effects, Measure
from bayesmeta.errors import ModelError
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

MEASURES: dict[str, Measure] = {measure.name: measure for measure in (OR, RR, RD, GEN)}


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
        Counts with arms and one outcome chosen, or contrasts. Contrasts are used as they are:
        with a ratio measure they must be logarithms already.
    measure : str
        A key of `MEASURES`.
    correction : {"only0", "all", "none"}
        Zero-cell rule for counts: 1/2 is added to all four cells of tables with a zero cell (as
        metafor's ``escalc`` does), of all tables, or of none.

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
    if studies.layout == "contrast":
        if studies.measure not in (None, chosen.name) and chosen is not GEN:
            raise ModelError(
                f"{studies.source} holds estimates of measure {studies.measure}, not {measure}. "
                "Use that measure, or GEN to take the estimates as they are."
            )
        return contrast_effects(studies.contrast(), chosen)
    if chosen.compute is None:
        counted = ", ".join(name for name, m in MEASURES.items() if m.compute is not None)
        raise ModelError(
            f"{measure} takes contrasts, but {studies.source} holds counts: use one of {counted}."
        )
    return binary_effects(studies.two_arm(), chosen, correction=correction, source=studies.source)
