"""The funnel plot, with contours of significance and the studies that trim and fill adds."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.effects import Effects
from bayesmeta.errors import ModelError
from bayesmeta.frequentist.bias.trim_fill import TrimFill
from bayesmeta.plots.effect_axis import null_value, set_effect_axis
from bayesmeta.plots.effect_points import effect_points
from bayesmeta.plots.style import BLUE, INK, add_legend, make_axes, tidy, widen

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from bayesmeta.scales import FloatArray

CONTOURS = ((0.1, 0.05, "#E6E6E6"), (0.05, 0.01, "#D0D0D0"), (0.01, 0.0, "#BABABA"))
_Z = float(ndtri(0.975))


def funnel(effects: Effects, *, filled: TrimFill | None = None, ax: "Axes | None" = None) -> "Axes":
    """Draw a funnel plot: each study's effect over its standard error, the precise ones on top.

    The dashed lines hold 95% of studies if all have one true effect, the common-effect estimate
    (dotted). The shades tell the two-sided p-value of a study against no effect: white above 0.1,
    then to 0.05, to 0.01 and below (Peters and others 2008); studies
    missing from the shades have another reason than significance. Effects of one group have no such
    value, and no shades.

    Parameters
    ----------
    effects : Effects
        From `compute_effects`.
    filled : TrimFill, optional
        Shows the studies that `trim_and_fill` adds, as open circles, and the effect with them.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x natural scale; y standard error on the analysis scale, 0 on top.

    Raises
    ------
    ModelError
        `filled` is of another measure.
    NotEstimableError
        A single study.

    References
    ----------
    Peters and others (2008), Journal of Clinical Epidemiology 61:991-996.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> trials = bm.load("bcg")
    >>> filled = bm.trim_and_fill(trials, "RR")
    >>> ax = bm.plots.funnel(bm.compute_effects(trials, "RR"), filled=filled)
    >>> ax.get_ylabel()
    'standard error (log RR)'
    """
    measure = effects.measure
    if filled is not None and filled.measure != measure.name:
        raise ModelError(
            f"filled is of {filled.measure}, the effects are {measure.name}: give both of one"
        )
    points = effect_points(effects, "A funnel plot")
    y, se, centre = points.y, points.se, points.common
    more_y = np.empty(0) if filled is None else filled.filled_y
    more_se = np.empty(0) if filled is None else np.sqrt(filled.filled_v)
    top = 1.08 * float(np.concatenate([se, more_se]).max())
    null = null_value(measure)
    at = [*y, *more_y, centre - _Z * top, centre + _Z * top]
    at += [] if null is None else [null]
    low, high = widen(float(np.min(at)), float(np.max(at)))
    to_natural = measure.scale.to_natural
    ax = make_axes() if ax is None else ax
    set_effect_axis(ax, measure, low, high)
    ax.set_ylim(top, 0)
    if null is not None:
        _shade(ax, measure.scale.to_natural, null, low, high, top)
    sides = np.linspace(0, top, 60)
    for sign in (-1, 1):
        x = to_natural(np.clip(centre + sign * _Z * sides, low, high))
        ax.plot(x, sides, "--", color=INK, linewidth=0.9,
                label="95% if one true effect" if sign < 0 else "_")  # fmt: skip
    ax.axvline(float(to_natural(np.array(centre))), color=INK, linestyle=":", linewidth=1.0,
               label="common effect")  # fmt: skip
    size = 5.0 if len(y) < 60 else 3.5
    ax.plot(to_natural(y), se, "o", color=BLUE, markeredgecolor="white", markeredgewidth=0.5,
            markersize=size, label="study")  # fmt: skip
    if filled is not None:
        ax.plot(to_natural(more_y), more_se, "o", color=INK, markerfacecolor="white",
                markersize=size, label=f"filled in ({filled.k0})")  # fmt: skip
        adjusted = float(to_natural(np.array(float(filled.adjusted.estimate))))
        ax.axvline(adjusted, color=INK, linestyle="-.", linewidth=1.0,
                   label=f"{filled.method} with filled in")  # fmt: skip
    ax.set_ylabel(f"standard error ({measure.analysis_label})", color=INK)
    tidy(ax)
    add_legend(ax, columns=3)
    return ax


def _shade(
    ax: "Axes", to_natural: "Callable[[FloatArray], FloatArray]", null: float, low: float,
    high: float, top: float,
) -> None:  # fmt: skip
    """Shade where the p-value against no effect is small, between the ends of the axis."""
    se = np.linspace(0, top, 120)
    for outer, inner, colour in CONTOURS:
        near = -ndtri(outer / 2) * se
        far = np.full_like(se, np.inf) if inner == 0 else -ndtri(inner / 2) * se
        for sign in (-1, 1):
            left, right = (to_natural(np.clip(null + sign * z, low, high)) for z in (near, far))
            label = f"p < {outer:g}" if sign < 0 else "_"
            ax.fill_betweenx(se, left, right, color=colour, linewidth=0, zorder=0, label=label)
