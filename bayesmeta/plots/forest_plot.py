"""The forest plot: studies as observed and as the exact posterior has them, and the pooled rows."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.plots.forest_lines import BLUE, GREY, INK, Line, Mark, forest_lines, not_as_reported
from bayesmeta.plots.ratio_ticks import ratio_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PLOT = 3.8 * 72  # width of the plot itself, points
_GAP = 12.0  # between columns of text, points
_EDGE = 8.0  # around everything, points
_FOOT = 78.0  # below the plot: ticks, directions, name of the axis, legend; points


def forest(result: CrossCheck, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a forest plot of a cross-check.

    A square and its line are a study's observed effect and interval, the square's area its weight
    under a common effect; the circle and line below are the same effect as the first exact
    posterior has it. A diamond is a pooled effect and its interval, the line through it the
    prediction interval of a new study. An arrow: the interval goes on outside the axis. A star: the
    effect is not simply that of the numbers reported, and the notes say why.

    Parameters
    ----------
    result : CrossCheck
        What to draw.
    ax : Axes, optional
        Where to draw; texts go beside it. Not given, a figure of the right size is made, which is
        the `figure` of the result and not known to pyplot.

    Returns
    -------
    Axes
        Ratios on a logarithmic axis.
    """
    lines = forest_lines(result)
    size = 9.0 if len(lines) < 30 else 7.5
    columns = _columns(lines, size)
    if ax is None:
        ax = _make_axes(len(lines), columns, size)
    _set_axis(ax, result, lines, size)
    for position, line in enumerate(lines):
        if line.kind == "study":
            _draw_study(ax, line, position)
        elif line.kind == "pooled":
            _draw_pooled(ax, line, position)
        _write(ax, line, position, columns, size)
    _draw_rules(ax, lines, columns)
    _draw_foot(ax, result, lines, size)
    if result.outcome:
        ax.annotate(result.outcome, (0, 1), (-sum(columns[:3]), 0.8 * size), color=INK,
                    xycoords="axes fraction", textcoords="offset points", size=size + 2,
                    weight="bold")  # fmt: skip
    return ax


# --- layout --------------------------------------------------------------------------------------


def _columns(lines: Sequence[Line], size: float) -> list[float]:
    """Give the widths of the five columns of text, in points: label, two counts | two texts."""
    rows = [(line.label, *line.counts, *line.texts) for line in lines if line.kind != "pooled"]
    label, *rest = (_width(column, size) for column in zip(*rows, strict=True))
    pooled = _width([line.label for line in lines], size)  # these run on below the counts
    return [max(label, pooled - rest[0] - rest[1]), *rest]


def _width(texts: Sequence[str], size: float) -> float:
    """Measure the widest of these texts, in bold type, with a gap; 0 where all are empty."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(weight="bold", size=size)
    shapes = {re.sub(r"\d", "0", text) for text in texts if text}  # all digits are equally wide
    longest = sorted(shapes, key=lambda text: (len(text), text))[-12:]  # measuring takes a while
    widths = [TextPath((0, 0), text, size=size, prop=font).get_extents().width for text in longest]
    return float(max(widths)) + _GAP if widths else 0.0


def _make_axes(count: int, columns: Sequence[float], size: float) -> "Axes":
    from matplotlib.figure import Figure

    left, right = sum(columns[:3]) + _EDGE, sum(columns[3:]) + _EDGE
    width = left + _PLOT + right
    head = 2.6 * size
    height = head + count * _line_height(size) + _FOOT
    figure = Figure(figsize=(width / 72, height / 72), dpi=150)
    ax = figure.add_axes((left / width, _FOOT / height, _PLOT / width, 1 - (_FOOT + head) / height))
    return ax


def _line_height(size: float) -> float:
    return 2.25 * size


def _write(ax: "Axes", line: Line, position: int, columns: Sequence[float], size: float) -> None:
    """Write the texts of a line: labels from the left, numbers up to the right."""
    weight = "bold" if line.kind == "head" else "normal"
    label, treated, control, first, second = columns
    left = -(label + treated + control)

    def put(text: str, side: float, offset: float, align: str, colour: str = INK) -> None:
        if text:
            ax.annotate(
                text, (side, position), (offset, 0), xycoords=("axes fraction", "data"),
                textcoords="offset points", ha=align, va="center", color=colour, size=size,
                weight=weight, annotation_clip=False,
            )  # fmt: skip

    put(line.label, 0.0, left, "left")
    put(line.counts[0], 0.0, -control - _GAP, "right")
    put(line.counts[1], 0.0, -_GAP, "right")
    put(line.texts[0], 1.0, first, "right")
    put(line.texts[1], 1.0, first + second, "right", BLUE if line.kind == "study" else INK)


def _draw_rules(ax: "Axes", lines: Sequence[Line], columns: Sequence[float]) -> None:
    """Draw a rule below each heading, across plot and texts."""
    points = ax.bbox.width * 72 / ax.figure.dpi
    ends = (-sum(columns[:3]) / points, 1 + sum(columns[3:]) / points)
    for position, line in enumerate(lines):
        if line.kind == "head":
            ax.plot(ends, [position + 0.45] * 2, transform=ax.get_yaxis_transform(), color=GREY,
                    linewidth=0.6, clip_on=False)  # fmt: skip


# --- axis ----------------------------------------------------------------------------------------


def _set_axis(ax: "Axes", result: CrossCheck, lines: Sequence[Line], size: float) -> None:
    scale = result.measure.scale
    low, high = _limits(result, lines)
    natural = scale.to_natural(np.array([low, high, 0.0]))
    ratios = scale.name == "log"
    if ratios:
        ax.set_xscale("log")
    ax.set_xlim(float(natural[0]), float(natural[1]))
    if ratios:
        from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

        ticks = ratio_ticks(float(natural[0]), float(natural[1]))
        ax.xaxis.set_major_locator(FixedLocator(ticks))
        ax.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_yticks([])
    ax.tick_params(axis="x", labelsize=size, length=3, color=INK)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    heads = [position for position, line in enumerate(lines) if line.kind == "head"]
    for first, last in zip(heads, [*heads[1:], len(lines)], strict=True):
        ax.vlines(float(natural[2]), first + 0.5, last - 0.5, colors=GREY, linewidth=0.8, zorder=0)


def _limits(result: CrossCheck, lines: Sequence[Line]) -> tuple[float, float]:
    """Choose ends, analysis scale: all estimates and pooled intervals fit in; the rest if near."""
    from_natural = result.measure.scale.from_natural
    needed = [0.0]
    wanted = [0.0]
    for line in lines:
        with np.errstate(divide="ignore"):  # a ratio printed as 0.00 has no place on the axis
            marks = from_natural(np.array([line.mark.ends, line.second.ends]))
        marks[np.isinf(marks)] = np.nan
        needed.extend(marks.ravel() if line.kind == "pooled" else marks[:, 0])
        wanted.extend(marks.ravel())
    low, high = float(np.nanmin(needed)), float(np.nanmax(needed))
    reach = 0.35 * (high - low) or 1.0
    low = max(float(np.nanmin(wanted)), low - reach)
    high = min(float(np.nanmax(wanted)), high + reach)
    margin = 0.03 * (high - low)
    return low - margin, high + margin


# --- marks ---------------------------------------------------------------------------------------


def _draw_study(ax: "Axes", line: Line, position: int) -> None:
    both = np.isfinite(line.second.estimate)
    upper = position - 0.13 if both else position
    _bar(ax, line.mark, upper, INK, width=1.1)
    ax.plot(line.mark.estimate, upper, "s", color=INK, markersize=2.2 + 4.8 * np.sqrt(line.weight))
    if both:
        lower = position + 0.22
        _bar(ax, line.second, lower, BLUE, width=1.1)
        ax.plot(line.second.estimate, lower, "o", markeredgecolor=BLUE, markerfacecolor="white",
                markersize=3.6, markeredgewidth=1.0)  # fmt: skip


def _draw_pooled(ax: "Axes", line: Line, position: int) -> None:
    estimate, low, high = line.mark.ends
    _bar(ax, line.second, position, line.colour, width=1.4)
    if np.isfinite([estimate, low, high]).all():
        ax.fill(
            [low, estimate, high, estimate],
            [position, position - 0.3, position, position + 0.3],
            facecolor=line.colour,
            edgecolor=INK,
            linewidth=0.6,
            zorder=3,
        )


def _bar(ax: "Axes", mark: Mark, position: float, colour: str, *, width: float) -> None:
    """Draw an interval, with an arrow where it leaves the axis."""
    if not np.isfinite([mark.low, mark.high]).any():
        return
    left, right = ax.get_xlim()
    ax.hlines(position, max(mark.low, left), min(mark.high, right), colors=colour, linewidth=width)
    for outside, end, marker in ((mark.low < left, left, "<"), (mark.high > right, right, ">")):
        if outside:
            ax.plot(end, position, marker, color=colour, markersize=4, clip_on=False)


# --- below the axis ------------------------------------------------------------------------------


def _draw_foot(ax: "Axes", result: CrossCheck, lines: Sequence[Line], size: float) -> None:
    """Write the name of the axis, the good direction and the legend below the plot."""
    from matplotlib.lines import Line2D

    measure = result.measure
    null = float(measure.scale.to_natural(np.array([0.0]))[0])
    name = f"{measure.label} ({measure.name})"
    if measure.scale.name == "log":
        name += ", logarithmic axis"
    directions = _directions(result)
    ax.annotate(name, (0.5, 0), (0, -38 if directions else -28), xycoords="axes fraction",
                textcoords="offset points", ha="center", va="center", size=size,
                color=INK)  # fmt: skip
    for text, align, shift in directions:
        ax.annotate(text, (null, 0), (shift, -24), xycoords=("data", "axes fraction"),
                    textcoords="offset points", ha=align, va="center", size=size,
                    color=INK)  # fmt: skip
    if not_as_reported(result).any():
        ax.annotate("* not as reported: see the notes", (0.5, 0), (0, -70), color=INK,
                    xycoords="axes fraction", textcoords="offset points", ha="center",
                    va="center", size=size - 1)  # fmt: skip
    handles = [Line2D([], [], marker="s", color=INK, markersize=5, label="observed")]
    if any(line.kind == "study" and np.isfinite(line.second.estimate) for line in lines):
        handles.append(Line2D([], [], marker="o", color=BLUE, markerfacecolor="white",
                              markersize=4, label="exact posterior"))  # fmt: skip
    handles.append(Line2D([], [], marker="D", color=GREY, markeredgecolor=INK, markersize=5,
                          label="pooled, line: prediction"))  # fmt: skip
    ax.legend(
        handles=handles,
        loc="center",
        ncols=3,
        fontsize=size - 1,
        frameon=False,
        columnspacing=1.2,
        bbox_to_anchor=(0.5, -58 / ax.bbox.height * ax.figure.dpi / 72),
    )


def _directions(result: CrossCheck) -> list[tuple[str, str, float]]:
    """Say on which side of the null value the effect is good, where it is known."""
    arms = result.arms
    if result.better is None or arms is None:
        return []
    treated, control = (f"favours {arm}" for arm in arms)
    left, right = (treated, control) if result.better == "lower" else (control, treated)
    return [(f"← {left}", "right", -6.0), (f"{right} →", "left", 6.0)]
