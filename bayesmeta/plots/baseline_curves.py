"""Absolute effects over a range of baseline risks: numbers that two pictures draw."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmeta.errors import ModelError
from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.style import require_probability
from bayesmeta.scales import FloatArray

_POINTS = 61


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaselineCurves:
    """Absolute effects at each baseline risk; interval ends and median.

    Attributes
    ----------
    baseline : (point,)
        Risks without treatment.
    risk, difference : (point, 3)
        Lower end, median and upper end of the risk with treatment, and of that risk less the
        baseline.
    """

    baseline: FloatArray
    risk: FloatArray
    difference: FloatArray


def baseline_curves(
    post: Posterior,
    baseline: tuple[float, float],
    *,
    parameter: Literal["mu", "theta_new"],
    level: float,
) -> BaselineCurves:
    """Ask `Posterior.absolute_risk` over a range of baseline risks.

    Raises
    ------
    ModelError
        A measure without absolute risks, an unknown parameter, or a range or level that is none.
    """
    if parameter not in ("mu", "theta_new"):
        raise ModelError(
            f'parameter = {parameter!r}: absolute risks are given for "mu" and "theta_new"'
        )
    low, high = baseline
    if not 0 < low < high < 1:
        raise ModelError(
            f"baseline = {baseline} is no range of risks: give two, rising, between 0 and 1, such "
            "as (0.05, 0.4)"
        )
    require_probability(level)
    # closer where curves bend: towards both ends
    at = low + (high - low) * np.sin(np.linspace(0, np.pi / 2, _POINTS)) ** 2
    probs = [(1 - level) / 2, 0.5, (1 + level) / 2]
    found = [post.absolute_risk(float(b), parameter=parameter) for b in at]
    return BaselineCurves(
        baseline=at,
        risk=np.array([one.risk.quantile(probs) for one in found]),
        difference=np.array([one.difference.quantile(probs) for one in found]),
    )
