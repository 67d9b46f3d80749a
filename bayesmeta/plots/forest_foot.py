"""What stands below a forest plot: the name of the axis, the good direction, the legend."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.plots.columns import Sheet
from bayesmeta.plots.effect_axis import name_axis
from bayesmeta.plots.forest_layouts import Layout
from bayesmeta.plots.forest_line import Line
from bayesmeta.plots.forest_weights import not_as_reported
from bayesmeta.plots.intervals import Mark
from bayesmeta.plots.style import BLUE, GREY, INK
from bayesmeta.plots.texts import font_families, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = 19.0  # points
_STEP = 1.55  # from line to line, in heights of letters


def foot_height(result: CrossCheck, size: float, notes: int) -> float:
    """Give the height of everything below the axis, with so many notes, in points."""
    count = 2 + (_directions(result) is not None) + notes + bool(not_as_reported(result).any())
    return _TICKS + (count * _STEP + 0.5) * size + 6


def draw_foot(
    ax: "Axes",
    result: CrossCheck,
    sheet: Sheet,
    lines: Sequence[Line],
    notes: Sequence[str],
    null: float | None,
    layout: Layout,
) -> None:
    """Write the good direction, the name of the axis, the legend, notes and what a star means."""
    from matplotlib.legend_handler import HandlerLine2D

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
    handles = _handles(lines, layout)
    ax.legend(
        handles=handles,
        loc="center",
        ncols=5,
        handler_map={one: HandlerLine2D(numpoints=2) for one in handles if _has_two_ends(one)},
        fontsize=size - 1,
        frameon=False,
        columnspacing=1.2,
        handletextpad=0.3,
        borderpad=0,
        bbox_to_anchor=(0.5 + (sheet.right - sheet.left) / 2 / plot,
                        -below * ax.figure.dpi / 72 / ax.bbox.height),
    )  # fmt: skip
    if not_as_reported(result).any():
        notes = (*notes, "* not as reported: see the notes")
    below += 0.5 * size
    for note in notes:
        below += _STEP * size
        ax.annotate(note, (0, 0), (-sheet.left, -below), xycoords="axes fraction", color=INK,
                    textcoords="offset points", ha="left", va="center", size=size,
                    parse_math=False, family=font_families())  # fmt: skip


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
                          linestyle="none", label="pooled"))  # fmt: skip
    if "posterior" in kinds:
        out.append(Patch(facecolor=blue, alpha=0.5, label="posterior of the mean effect"))
    if any(np.isfinite(mark.low) for line in lines for mark in _predictions(line)):
        out.append(Line2D([], [], marker="|", color=GREY, linewidth=1.0, markersize=5,
                          label="prediction interval"))  # fmt: skip
    return out


def _has_two_ends(handle: object) -> bool:
    return getattr(handle, "get_marker", str)() == "|"


def _predictions(line: Line) -> tuple[Mark, ...]:
    if line.kind == "prediction":
        return (line.mark,)
    return (line.second,) if line.kind in ("pooled", "posterior") else ()


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
