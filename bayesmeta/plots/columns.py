"""Columns of text beside an axes: how wide they are, and where they go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bayesmeta.plots.figures import make_figure
from bayesmeta.plots.style import GREY, INK
from bayesmeta.plots.texts import font_families, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 12.0  # between columns, points
EDGE = 8.0  # around everything, points


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of text: its key in the cells of a line, its side of the plot, its alignment."""

    key: str
    side: Literal["left", "right"]
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Columns in their places.

    Attributes
    ----------
    columns : tuple of Column
    anchors : tuple of float
        Where the text of each is aligned, in points right of its edge of the axes.
    left, right : float
        Width of all text on each side, points.
    size : float
        Of the letters, points.
    """

    columns: tuple[Column, ...]
    anchors: tuple[float, ...]
    left: float
    right: float
    size: float


def place(
    columns: Sequence[Column],
    cells: Sequence[Mapping[str, str]],
    *,
    size: float,
    spans: Sequence[str] = (),
    span_to: str = "",
) -> Sheet:
    """Give each column the width that its cells need.

    Parameters
    ----------
    columns : sequence of Column
        From left to right.
    cells : sequence of mapping
        Key of a column to text, for each line; columns that are empty throughout are left out.
    size : float
        Of the letters, points.
    spans : sequence of str
        Texts that begin in the first column and may run on.
    span_to : str
        Key of the first column that they may not touch; "" for the plot.
    """
    used = [column for column in columns if any(line.get(column.key) for line in cells)]
    widths = [
        text_width((line.get(column.key, "") for line in cells), size, bold=True) + GAP
        for column in used
    ]
    left = [i for i, column in enumerate(used) if column.side == "left"]
    free = next((i for i in left if used[i].key == span_to), len(left))
    need = text_width(spans, size, bold=True) + GAP if spans else 0.0
    if left:
        widths[0] += max(0.0, need - sum(widths[:free]))
    anchors, total = [], sum(widths[i] for i in left)
    begin = -total
    for i, column in enumerate(used):
        if column.side == "right" and (i == 0 or used[i - 1].side == "left"):
            begin = GAP
        anchors.append(begin if column.align == "left" else begin + widths[i] - GAP)
        begin += widths[i]
    right = sum(widths) - total
    return Sheet(columns=tuple(used), anchors=tuple(anchors), left=total, right=right, size=size)


def write(
    ax: "Axes",
    sheet: Sheet,
    position: float,
    cells: Mapping[str, str],
    *,
    bold: bool = False,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Write the cells of a line at height `position`; `colours` by the keys of columns."""
    for column, anchor in zip(sheet.columns, sheet.anchors, strict=True):
        if text := cells.get(column.key):
            ax.annotate(
                text, (0.0 if column.side == "left" else 1.0, position), (anchor, 0),
                xycoords=("axes fraction", "data"), textcoords="offset points", ha=column.align,
                va="center", color=(colours or {}).get(column.key, INK), size=sheet.size,
                weight="bold" if bold else "normal", annotation_clip=False, parse_math=False,
                family=font_families(), multialignment=column.align,
            )  # fmt: skip


def span(
    ax: "Axes", sheet: Sheet, position: float, text: str, *, bold: bool = False, colour: str = INK
) -> None:
    """Write a text that begins in the first column and runs on."""
    ax.annotate(
        text, (0.0, position), (-sheet.left, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="left", va="center", color=colour, size=sheet.size,
        weight="bold" if bold else "normal", annotation_clip=False, parse_math=False,
        family=font_families(),
    )  # fmt: skip


def rule(ax: "Axes", sheet: Sheet, position: float) -> None:
    """Draw a line across plot and texts."""
    points = ax.bbox.width * 72 / ax.figure.dpi
    ends = (-sheet.left / points, 1 + sheet.right / points)
    ax.plot(ends, [position] * 2, transform=ax.get_yaxis_transform(), color=GREY, linewidth=0.6,
            clip_on=False, gid="rule")  # fmt: skip


def make_sheet_axes(sheet: Sheet, *, plot: float, body: float, head: float, foot: float) -> "Axes":
    """Make axes in a figure of the size that columns and plot need (points)."""
    width = EDGE + sheet.left + plot + sheet.right + EDGE
    height = head + body + foot
    figure = make_figure(width / 72, height / 72)
    at = ((EDGE + sheet.left) / width, foot / height, plot / width, body / height)
    ax: Axes = figure.add_axes(at)
    return ax


def make_room(
    ax: "Axes", *, left: float = 0.0, right: float = 0.0, head: float = 0.0, foot: float = 0.0
) -> None:
    """Move axes that are given, so that their texts fit in where they were; points.

    A layout engine does that by itself. Where there is no room for a plot as well, texts go beyond.
    """
    figure = ax.get_figure(root=True)
    if figure is None or figure.get_layout_engine() is not None:
        return
    points = 72 / figure.dpi
    box, (wide, high) = ax.get_position(), (points * side for side in ax.figure.bbox.size)
    width = box.width - (left + right) / wide
    height = box.height - (head + foot) / high
    if width > 0.2 * box.width and height > 0.2 * box.height:
        ax.set_position((box.x0 + left / wide, box.y0 + foot / high, width, height))
