"""Effects that are given: contrasts with their variances."""

import numpy as np

from bayesmeta.effects.measure import Effects, Measure
from bayesmeta.scales import IDENTITY, LOG
from bayesmeta.studies.arrays import Contrasts

GEN = Measure(name="GEN", label="effect", scale=IDENTITY, layout="contrast")
HR = Measure(
    name="HR",
    label="hazard ratio",
    scale=LOG,
    layout="contrast",
    default_effect_prior="normal(0, 2.82)",
    default_heterogeneity_prior="half_normal(0.5)",
)


def contrast_effects(contrasts: Contrasts, measure: Measure) -> Effects:
    """Take contrasts as effects on the analysis scale of a measure.

    Parameters
    ----------
    contrasts : Contrasts
        Estimates and variances, on the analysis scale of `measure` (log for ratios).
    measure : Measure
        What they measure.

    Returns
    -------
    Effects
        The same numbers, with a note on the scale that they were taken to be on, and on each row
        whose standard error was derived or is known to few digits.
    """
    return Effects(
        study=contrasts.study,
        y=contrasts.estimate,
        S=contrasts.variance,
        measure=measure,
        correction="none",
        corrected=np.zeros(len(contrasts.study), dtype=np.bool_),
        notes=(f"estimates taken as {measure.analysis_label}, on the scale of the table",),
        row_notes=contrasts.notes,
    )
