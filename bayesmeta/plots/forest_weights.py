"""Weights of studies in a forest plot, and which of them have a star."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """Weights of the studies, and the method that they are of.

    Attributes
    ----------
    percent : (study,)
        They sum to 100.
    row : PooledEstimate or None
        What they lead to; None where the cross-check has no inverse-variance method.
    """

    percent: FloatArray
    row: PooledEstimate | None


def weigh(result: CrossCheck) -> Weights:
    """Weigh the studies by inverse variances, as REML has them, else the first such method."""
    effects = result.effects
    if effects is None:
        return Weights(percent=np.zeros(0), row=None)
    rows = [
        row
        for row in result.reference
        if (row.method == "EE" or row.method in TAU2)
        and np.isfinite([row.tau2, row.estimate]).all()
    ]
    random = [row for row in rows if np.isfinite(row.tau2_ci_high)]
    chosen = next((row for row in random if row.method == "REML"), None)
    chosen = chosen or next(iter(random or rows), None)
    tau2 = 0.0 if chosen is None else chosen.tau2
    if effects.S.ndim == 1:
        w = 1 / (effects.S + tau2)
    else:
        w = np.linalg.solve(effects.S + tau2 * np.eye(len(effects.y)), np.ones(len(effects.y)))
    return Weights(percent=100 * w / w.sum(), row=chosen)


def not_as_reported(result: CrossCheck) -> NDArray[np.bool_]:
    """Tell, per study, whether its effect is not simply that of the numbers reported.

    Made out of other numbers (medians, an assumed correlation), inflated for clusters, of a control
    arm that it shares, or with 1/2 added to zero cells: the notes say which.
    """
    if result.studies is None or result.effects is None:
        return np.zeros(0, dtype=np.bool_)
    design = result.studies.design()
    made = np.array([bool(text) for text in design.told])
    shared = (design.shared is not None) & (design.rows_of_control > 1)
    found: NDArray[np.bool_] = (
        made | (design.design_effect != 1) | shared | result.effects.corrected
    )
    return found
