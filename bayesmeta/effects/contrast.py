"""Effects that are given: contrasts with their variances."""

import numpy as np

from bayesmeta.effects.measure import Effects, Measure
from bayesmeta.scales import IDENTITY
from bayesmeta.studies.arrays import Contrasts

GEN = Measure(name="GEN", label="effect", scale=IDENTITY, layout="contrast")


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
        The same numbers, with a note on the scale that they were taken to be on.
    """
    return Effects(
        study=contrasts.study,
        y=contrasts.estimate,
        S=contrasts.variance,
        measure=measure,
        correction="none",
        corrected=np.zeros(len(contrasts.study), dtype=np.bool_),
        notes=(f"estimates taken as {measure.analysis_label}, on the scale of the table",),
        row_notes=("",) * len(contrasts.study),
    )
