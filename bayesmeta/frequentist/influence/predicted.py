"""True effects of the studies as the random-effects model predicts them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesmeta.effects import Correction, get_measure
from bayesmeta.frequentist.independent import independent_effects, pool_batch, require_two
from bayesmeta.frequentist.intervals.simple import symmetric_interval
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blups:
    """Best linear unbiased predictions of the studies' true effects, analysis scale.

    Attributes
    ----------
    measure, method : str
        Effect measure; "EE" or estimator of tau2.
    study : tuple of str
        Labels.
    observed, prediction, se, pi_low, pi_high : (study,)
        Effect as observed; true effect as predicted, its standard error and interval, in which
        tau2 counts as known.
    shrinkage : (study,)
        Weight of the mean effect in the prediction, v / (v + tau2).
    level : float
        Coverage of the intervals.
    notes : tuple of str
        What should be known.
    """

    measure: str
    method: str
    study: tuple[str, ...]
    observed: FloatArray
    prediction: FloatArray
    se: FloatArray
    pi_low: FloatArray
    pi_high: FloatArray
    shrinkage: FloatArray
    level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per study: analysis scale, the natural one beside it."""
        scale = get_measure(self.measure).scale
        frame = pd.DataFrame({"study": self.study, "scale": scale.name})
        for name in ("observed", "prediction", "se", "pi_low", "pi_high", "shrinkage"):
            frame[name] = getattr(self, name)
        frame["natural_scale"] = self.measure
        for name in ("observed", "prediction", "pi_low", "pi_high"):
            frame[f"natural_{name}"] = scale.to_natural(getattr(self, name))
        return frame


def blups(
    studies: StudyTable,
    measure: str,
    *,
    method: str = "REML",
    level: float = 0.95,
    correction: Correction = "only0",
) -> Blups:
    """Predict the true effect of each study: its own, drawn towards the mean.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    method : str
        "EE" (all predictions are the mean), or an estimator of tau2, a key of `TAU2`.
    level : float
        Coverage of the intervals, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    Blups

    Raises
    ------
    ModelError
        Unknown measure or method, or a level that is not a coverage.
    NotEstimableError
        One study only; or the search for tau2 did not converge.

    References
    ----------
    Robinson (1991), Statistical Science 6:15; Raudenbush and Bryk (1985), Journal of Educational
    Statistics 10:75, whose posterior means these are.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> blups(load("bcg"), "OR").prediction[:2].round(4).tolist()
    [-0.8392, -1.315]
    """
    effects = independent_effects(studies, measure, correction=correction)
    require_two(effects.y, "A prediction of true effects")
    y, v = effects.y, effects.v
    pooled = pool_batch(y, v, method=method, level=level)
    shrinkage = v / (v + pooled.tau2)
    prediction = y + shrinkage * (pooled.estimate - y)
    se = np.sqrt((1.0 - shrinkage) * v + shrinkage**2 * pooled.se**2)
    limits = symmetric_interval(prediction, se, level=level)
    return Blups(
        measure=measure,
        method=method,
        study=effects.study,
        observed=y,
        prediction=prediction,
        se=se,
        pi_low=limits.low,
        pi_high=limits.high,
        shrinkage=shrinkage,
        level=level,
        notes=effects.notes,
    )
