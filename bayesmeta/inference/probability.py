"""Probabilities of intervals, in units that are said."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.errors import ModelError
from bayesmeta.inference.marginals import Marginal
from bayesmeta.scales import FloatArray

type UnitScale = Literal["natural", "analysis"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Probabilities of an effect below, inside and above a region of practical equivalence.

    `low` and `high` are as they were given, in units of `scale`: "OR" or "log OR", for example.
    """

    low: float
    high: float
    scale: str
    below: float
    inside: float
    above: float


def to_analysis(
    bounds: tuple[float, float], parameter: str, measure: Measure, scale: UnitScale
) -> tuple[float, float]:
    """Bring the bounds of an interval to the analysis scale.

    Raises
    ------
    ModelError
        The scale is not known or not one of the parameter, a bound is no number or outside the
        natural scale, or the bounds are out of order.
    """
    low, high = bounds
    if scale not in ("natural", "analysis"):
        raise ModelError(f'scale = {scale!r} is neither "natural" nor "analysis"')
    if math.isnan(low) or math.isnan(high) or not low < high:
        raise ModelError(f"low = {low} must be below high = {high}")
    if scale == "analysis" or measure.scale.name == "identity":
        return low, high
    if parameter == "tau":
        raise ModelError(
            f"tau is an SD on the analysis scale ({measure.analysis_label}) and has no natural "
            'one. Give scale="analysis"'
        )
    ends = measure.scale.to_natural(np.array([-np.inf, np.inf]))
    inside = np.clip([low, high], *ends)
    if not np.array_equal(inside, [low, high]) and np.isfinite([low, high]).all():
        raise ModelError(
            f"({low:g}, {high:g}) is not an interval of {measure.name}, which lies between "
            f"{ends[0]:g} and {ends[1]:g}; its {measure.analysis_label} needs "
            'scale="analysis"'
        )
    with np.errstate(divide="ignore"):
        a, b = measure.scale.from_natural(inside).tolist()
    return a, b


def probability_below_zero(marginal: Marginal) -> float:
    """P(X < 0), not of 0 itself; nan of what a model does not have.

    Examples
    --------
    >>> from bayesmeta.inference.marginals import NormalMixture
    >>> known = NormalMixture(means=np.zeros(1), sds=np.zeros(1), weights=np.ones(1))
    >>> probability_below_zero(known), float(known.cdf(0.0))
    (0.0, 1.0)
    """
    return float(marginal.cdf(np.nextafter(0.0, -1.0)))


def probability_between(marginal: Marginal, low: float, high: float) -> FloatArray:
    """P(low < X <= high), from the tail that keeps its digits."""
    lower = marginal.cdf(high) - marginal.cdf(low)
    upper = marginal.sf(low) - marginal.sf(high)
    return np.where(np.asarray(marginal.cdf(low)) > 0.5, upper, lower)
