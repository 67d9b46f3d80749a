"""What stands below a forest plot: the name of the axis, the good direction, the legend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.plots.columns import Sheet
from bayesmeta.plots.effect_axis import name_axis
from bayesmeta.plots.forest_layouts import Layout
from bayesmeta.plots.forest_lines import Line
from bayesmeta.plots.forest_weights import not_as_reported
from bayesmeta.plots.style import BLUE, GREY, INK
from bayesmeta.plots.texts import font_families, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = 16.0  # points
_STEP = 1.55  # from line to line, in heights of letters


def foot_height(result: CrossCheck, size: float) -> float:
    """Give the height of everything below the axis, in points."""
    count = 2 + (_directions(result) is not None) + bool(not_as_reported(result).any())
    return _TICKS + count * _STEP * size + 6


def draw_foot(
    ax: "Axes",
    result: CrossCheck,
    sheet: Sheet,
    lines: Sequence[Line],
    null: float | None,
    layout: Layout,
) -> None:
    """Write the good direction, the name of the axis, the legend and what a star means."""
    size, below = sheet.size, _TICKS + 0.6 * sheet.size
    plot = ax.bbox.width * 72 / ax.figure.dpi
    if null is not None and _draw_directions(ax, result, sheet, null):
        below += _STEP * size
    ax.set_xlabel(name_axis(result.measure), size=size, color=INK)
    ax.xaxis.set_label_coords(
        0.5, -below / plot * ax.bbox.width / ax.bbox.height, transform=ax.transAxes
    )
    ax.xaxis.label.set_verticalalignment("center")
    below += _STEP * size
    ax.legend(
        handles=_handles(lines, layout),
        loc="center",
        ncols=4,
        fontsize=size - 1,
        frameon=False,
        columnspacing=1.2,
        handletextpad=0.3,
        borderpad=0,
        bbox_to_anchor=(0.5 + (sheet.right - sheet.left) / 2 / plot,
                        -below * ax.figure.dpi / 72 / ax.bbox.height),
    )  # fmt: skip
    if not_as_reported(result).any():
        below += _STEP * size
        ax.annotate("* not as reported: see the notes", (0, 0), (-sheet.left, -below), color=INK,
                    xycoords="axes fraction", textcoords="offset points", ha="left",
                    va="center", size=size - 1, parse_math=False)  # fmt: skip


def _handles(lines: Sequence[Line], layout: Layout) -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    kinds = {line.kind for line in lines}
    blue = BLUE if layout.coloured else GREY
    out: list[object] = []
    if "study" in kinds:
        out.append(Line2D([], [], marker="s", color=INK, markersize=5, label="observed"))
    if any(line.kind == "study" and np.isfinite(line.second.estimate) for line in lines):
        out.append(Line2D([], [], marker="o", color=blue, markerfacecolor="white",
                          markersize=4, label="shrunken"))  # fmt: skip
    if "pooled" in kinds:
        out.append(Line2D([], [], marker="D", color=GREY, markeredgecolor=INK, markersize=5,
                          label="pooled, line: prediction"))  # fmt: skip
    if "posterior" in kinds:
        out.append(Patch(facecolor=blue, alpha=0.5, label="posterior of the mean effect"))
    return out


# --- directions ----------------------------------------------------------------------------------


def _directions(result: CrossCheck) -> tuple[str, str] | None:
    """Say on which side of no effect it is good, where it is known."""
    arms = result.arms
    if result.better is None or arms is None:
        return None
    treated, control = (f"favours {arm}" for arm in arms)
    left, right = (treated, control) if result.better == "lower" else (control, treated)
    return f"← {left}", f"{right} →"


def _draw_directions(ax: "Axes", result: CrossCheck, sheet: Sheet, null: float) -> bool:
    """Write both directions on their sides of no effect; tell whether there are any."""
    told = _directions(result)
    if told is None:
        return False
    size, plot = sheet.size, ax.bbox.width * 72 / ax.figure.dpi
    fraction = ax.transAxes.inverted().transform(ax.transData.transform((null, 0)))[0]
    left, right = (text_width([text], size) for text in told)
    low, high = left + 6 - sheet.left, plot + sheet.right - right - 6  # stay within the figure
    middle = max(min(float(fraction) * plot, high), low)
    for text, shift, align in zip(told, (-6, 6), ("right", "left"), strict=True):
        ax.annotate(text, (middle / plot, 0), (shift, -_TICKS - 0.6 * size),
                    xycoords="axes fraction", textcoords="offset points", ha=align, va="center",
                    size=size, color=INK, parse_math=False, family=font_families())  # fmt: skip
    return True
