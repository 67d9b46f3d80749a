"""Numbers below an axis of time: a row for each group, told apart by its marker."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmeta.plots.style import INK, OF_GROUPS, SIZE
from bayesmeta.plots.texts import text_width
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GLYPHS = {"o": "●", "s": "■", "^": "▲", "D": "◆"}  # the markers of the groups as letters
_TOP, _STEP = 38.0, 11.0  # points below the axis, and from row to row


def set_times(ax: "Axes", times: FloatArray) -> None:
    """Mark these times on the axis, where there is room; limits must be set before."""
    labels = [f"{time:g}" for time in times]
    kept = _with_room(ax, times, labels, SIZE)
    ax.set_xticks([float(times[i]) for i in kept], [labels[i] for i in kept])


def write_row(
    ax: "Axes", head: str, group: int, groups: int, times: FloatArray, texts: Sequence[str]
) -> None:
    """Write the numbers of a group below their times, where there is room.

    Parameters
    ----------
    ax : Axes
        Its limits must be set before.
    head : str
        Stands before the first row.
    group, groups : int
        Which row it is, of how many.
    times : (number,)
    texts : sequence of str
    """
    colour, marker, _ = OF_GROUPS[group % len(OF_GROUPS)]
    size, down = SIZE - 1.5, -_TOP - _STEP * group
    told = [head if group == 0 else "", _GLYPHS[marker] if groups > 1 else ""]
    ax.annotate(" ".join(filter(None, told)), (0, 0), (-14, down), ha="right", size=size,
                color=INK if groups == 1 else colour, xycoords="axes fraction",
                textcoords="offset points")  # fmt: skip
    for i in _with_room(ax, times, texts, size):
        ax.annotate(texts[i], (float(times[i]), 0), (0, down), ha="center", color=colour,
                    xycoords=("data", "axes fraction"), textcoords="offset points",
                    size=size)  # fmt: skip


def _with_room(ax: "Axes", times: FloatArray, texts: Sequence[str], size: float) -> list[int]:
    """Choose the texts, from the left, that do not touch the one before."""
    left, right = ax.get_xlim()
    unit = 0.9 * ax.bbox.width * 72 / ax.figure.dpi / (right - left)  # a layout may still narrow it
    kept: list[int] = []
    end = -float("inf")
    for i, text in enumerate(texts):
        at, half = unit * float(times[i]), text_width([text], size) / 2
        if at - half >= end + 3:
            kept.append(i)
            end = at + half
    return kept
