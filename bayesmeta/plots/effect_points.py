"""Effects of studies as points: with standard errors and the common effect through them."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.effects import Effects
from bayesmeta.errors import NotEstimableError
from bayesmeta.scales import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectPoints:
    """Effects, standard errors and the common effect; analysis scale.

    Attributes
    ----------
    y, se : (study,)
    common : float
        Generalised least squares: correlated errors are taken into account.
    """

    y: FloatArray
    se: FloatArray
    common: float


def effect_points(effects: Effects, plot: str) -> EffectPoints:
    """Give effects with standard errors, and their common effect, for a plot of this name.

    Raises
    ------
    NotEstimableError
        A single study, which has nothing to be held against.

    Examples
    --------
    >>> from bayesmeta.effects import compute_effects
    >>> from bayesmeta.studies import load
    >>> round(effect_points(compute_effects(load("bcg"), "OR"), "A plot").common, 4)
    -0.4361
    """
    if len(effects.y) < 2:
        raise NotEstimableError(f"{plot} needs two studies.")
    y, S = effects.y, effects.S
    weights = 1 / S if S.ndim == 1 else np.linalg.solve(S, np.ones_like(y))
    se = np.sqrt(S if S.ndim == 1 else np.diagonal(S))
    return EffectPoints(y=y, se=se, common=float(weights @ y / weights.sum()))
