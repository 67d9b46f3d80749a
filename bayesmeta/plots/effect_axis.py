"""Axes of effects: their names, their scales, and ticks at numbers that a reader would choose."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.plots.ratio_ticks import ratio_ticks
from bayesmeta.plots.style import INK, SIZE
from bayesmeta.scales import FloatArray, Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BELOW = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
_POSITIVE = (*_BELOW, 0.5, *(round(1 - x, 3) for x in _BELOW[::-1]))
_PLAIN = (*(-x for x in _POSITIVE[::-1]), 0.0, *_POSITIVE)  # ticks to choose from


def null_value(measure: Measure) -> float | None:
    """Give the value of no effect on the analysis scale; None for one group, which has none."""
    return None if measure.layout in ("single", "single_rates") else 0.0


def name_axis(measure: Measure) -> str:
    """Name the axis of an effect on its natural scale."""
    how = ", logarithmic axis" if measure.scale.name == "log" else ""
    return f"{measure.label} ({measure.name}){how}"


def set_axis(
    ax: "Axes",
    which: Literal["x", "y"],
    scale: Scale,
    limits: tuple[float, float],
    size: float = SIZE,
    *,
    bend: bool = False,
) -> None:
    """Make the horizontal or the vertical axis one of effects: logarithmic for ratios.

    Parameters
    ----------
    ax : Axes
    which : {"x", "y"}
    scale : Scale
    limits : (float, float)
        Ends of the axis, natural scale.
    size : float
        Of the numbers, points.
    bend : bool
        Make the axis even in the analysis scale whichever it is, such as log odds; else only
        ratios are not even in natural numbers.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    ticks = None
    set_scale = ax.set_xscale if which == "x" else ax.set_yscale
    if scale.name == "log":
        set_scale("log")
        ticks = ratio_ticks(*limits)
    elif bend and scale.name != "identity":

        def forward(x: FloatArray) -> FloatArray:
            with np.errstate(all="ignore"):
                return scale.from_natural(x)

        set_scale("function", functions=(forward, scale.to_natural))
        low, high = forward(np.array(limits)).tolist()
        ticks = bounded_ticks(scale, low, high)
    axis = ax.xaxis if which == "x" else ax.yaxis
    if ticks is not None:
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axis.set_minor_locator(NullLocator())
    (ax.set_xlim if which == "x" else ax.set_ylim)(*limits)
    axis.set_tick_params(labelsize=size, length=3, color=INK)


def set_effect_axis(ax: "Axes", measure: Measure, low: float, high: float) -> None:
    """Let the horizontal axis show an effect, even in the analysis scale, and name it.

    Parameters
    ----------
    ax : Axes
    measure : Measure
    low, high : float
        Ends of the axis, analysis scale.
    """
    left, right = measure.scale.to_natural(np.array([low, high])).tolist()
    set_axis(ax, "x", measure.scale, (left, right), bend=True)
    ax.set_xlabel(name_axis(measure), color=INK)


def bounded_ticks(scale: Scale, low: float, high: float) -> list[float]:
    """Choose ticks on a scale that bends, such as log odds: plain numbers at some distance.

    Parameters
    ----------
    scale : Scale
    low, high : float
        Ends of the axis, analysis scale.

    Examples
    --------
    >>> from bayesmeta.scales import LOGIT
    >>> bounded_ticks(LOGIT, -5.0, 1.0)
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7]
    """
    with np.errstate(all="ignore"):
        places = scale.from_natural(np.array(_PLAIN))
    kept: list[float] = []
    last = -np.inf
    for natural, place in zip(_PLAIN, places.tolist(), strict=True):
        if low <= place <= high and place - last >= 0.08 * (high - low):
            kept.append(natural)
            last = place
    return kept if len(kept) > 1 else [float(f"{x:.3g}") for x in scale.to_natural(
        np.linspace(low, high, 5))]  # fmt: skip
