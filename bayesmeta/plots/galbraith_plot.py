"""Galbraith's radial plot: standardised effects over precision."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.effects import Effects, Measure
from bayesmeta.plots.effect_axis import name_axis, null_value
from bayesmeta.plots.effect_points import effect_points
from bayesmeta.plots.point_labels import label_points
from bayesmeta.plots.ratio_ticks import ratio_ticks
from bayesmeta.plots.style import BLUE, GREY, INK, SIZE, add_legend, make_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Z = float(ndtri(0.975))


def galbraith(effects: Effects, *, ax: "Axes | None" = None) -> "Axes":
    """Draw Galbraith's radial plot: z = effect / SE over precision 1 / SE.

    A line from the origin has its effect as slope: the solid one is the common effect, the dashed
    ones lie 1.96 above and below it and hold 95% of studies if there is one true effect. A line
    from the origin through a study meets the right axis at the study's effect. Studies outside the
    dashed lines are named, the furthest first, where there is room.

    Parameters
    ----------
    effects : Effects
        From `compute_effects`.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        Both axes without unit but for the analysis scale; the right one on the natural scale.

    Raises
    ------
    NotEstimableError
        A single study.

    References
    ----------
    Galbraith (1988), Statistics in Medicine 7:889-894.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.galbraith(bm.compute_effects(bm.load("bcg"), "OR"))
    >>> ax.get_xlabel()
    'precision 1 / SE (log OR)'
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator

    points = effect_points(effects, "A radial plot")
    precision, z = 1 / points.se, points.y / points.se
    right = 1.08 * float(precision.max())
    at = np.array([*z, _Z, -_Z, points.common * right + _Z, points.common * right - _Z])
    margin = 0.05 * float(at.max() - at.min())
    ax = make_axes() if ax is None else ax
    ax.set_xlim(0, right)
    ax.set_ylim(float(at.min()) - margin, float(at.max()) + margin)
    ends = np.array([0.0, right])
    ax.plot(ends, points.common * ends, color=INK, linewidth=1.0, label="common effect")
    for sign in (-1, 1):
        ax.plot(ends, points.common * ends + sign * _Z, "--", color=INK, linewidth=0.9,
                label="95% if one true effect" if sign < 0 else "_")  # fmt: skip
    if null_value(effects.measure) is not None:
        ax.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.plot(precision, z, "o", color=BLUE, markeredgecolor="white", markeredgewidth=0.5,
            markersize=5.0 if len(z) < 60 else 3.5, label="study")  # fmt: skip
    ticks = _effect_ticks(effects.measure, *(end / right for end in ax.get_ylim()))
    beside = ax.secondary_yaxis("right")
    beside.yaxis.set_major_locator(FixedLocator([right * effect for effect, _ in ticks]))
    beside.yaxis.set_major_formatter(FixedFormatter([label for _, label in ticks]))
    beside.tick_params(labelsize=SIZE, length=3, color=INK, labelcolor=INK)
    beside.set_ylabel(name_axis(effects.measure), color=INK, fontsize=SIZE)
    ax.set_xlabel(f"precision 1 / SE ({effects.measure.analysis_label})", color=INK)
    ax.set_ylabel("standardised effect z = effect / SE", color=INK)
    tidy(ax)
    add_legend(ax, columns=3)
    far = np.abs(z - points.common * precision)
    order = [int(i) for i in np.argsort(-far) if far[i] > _Z]
    label_points(ax, precision, z, effects.study, order)
    return ax


def _effect_ticks(measure: Measure, low: float, high: float) -> list[tuple[float, str]]:
    """Choose effects to mark on the right axis: analysis scale, and the natural one as text."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted((low, high))
    scale = measure.scale
    natural_low, natural_high = scale.to_natural(np.array([low, high])).tolist()
    if scale.name == "log":
        natural = ratio_ticks(natural_low, natural_high)
    else:
        natural = [float(f"{x:.6g}") for x in MaxNLocator(7).tick_values(natural_low, natural_high)]
    with np.errstate(all="ignore"):
        effects = scale.from_natural(np.array(natural))
    kept = zip(natural, effects.tolist(), strict=True)
    return [(effect, f"{x:g}") for x, effect in kept if low <= effect <= high]
