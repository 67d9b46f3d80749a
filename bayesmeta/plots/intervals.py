"""Estimates with intervals on an axis of effects: its ends, bars and their arrows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.plots.style import INK
from bayesmeta.scales import FloatArray, Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """An estimate with its interval, natural scale; nan where there is none."""

    estimate: float = np.nan
    low: float = np.nan
    high: float = np.nan

    @property
    def ends(self) -> tuple[float, float, float]:
        """Give the three numbers."""
        return self.estimate, self.low, self.high

    @property
    def whole(self) -> bool:
        """Whether all three are there."""
        return bool(np.isfinite(self.ends).all())


NO_MARK = Mark()


def as_mark(numbers: FloatArray) -> Mark:
    """Make a mark of three numbers."""
    estimate, low, high = map(float, numbers)
    return Mark(estimate=estimate, low=low, high=high)


def choose_limits(
    scale: Scale, core: FloatArray, near: FloatArray, far: FloatArray
) -> tuple[float, float]:
    """Choose the ends of an axis.

    Parameters
    ----------
    scale : Scale
    core, near, far : arrays
        Natural scale; nan and infinities do not count. All of `core` is inside; `near` as far as it
        is within the width of the core from it, `far` within a third of that.

    Returns
    -------
    float, float
        Natural scale.
    """
    inner, nearer, farther = (_analysis(scale, numbers) for numbers in (core, near, far))
    if not inner.size:
        inner = nearer if nearer.size else np.zeros(1)
    low, high = float(inner.min()), float(inner.max())
    for numbers, share in ((nearer, 1.0), (farther, 0.35)):
        reach = share * (high - low) or 1.0
        ends = np.concatenate([[low, high], numbers])
        low, high = max(float(ends.min()), low - reach), min(float(ends.max()), high + reach)
    margin = 0.03 * (high - low) or 0.5
    natural = scale.to_natural(np.array([low - margin, high + margin]))
    return float(natural[0]), float(natural[1])


def _analysis(scale: Scale, natural: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = scale.from_natural(np.asarray(natural, dtype=float).ravel())
    return numbers[np.isfinite(numbers)]


def draw_bars(
    ax: "Axes",
    marks: Sequence[Mark],
    positions: Sequence[float] | FloatArray,
    colour: str,
    *,
    width: float,
) -> None:
    """Draw intervals, with an arrow where one leaves the axis."""
    left, right = ax.get_xlim()
    ends = np.array([(max(mark.low, left), min(mark.high, right)) for mark in marks])
    ends = ends.reshape(-1, 2)
    inside = ends[:, 0] < ends[:, 1]
    at = np.asarray(positions, dtype=float)[inside]
    ax.hlines(at, ends[inside, 0], ends[inside, 1], colors=colour, linewidth=width)
    for mark, position in zip(marks, positions, strict=True):
        draw_arrows(ax, mark, float(position), colour)


def draw_arrows(ax: "Axes", mark: Mark, position: float, colour: str) -> None:
    """Draw an arrow at each end of the axis that an interval goes on beyond."""
    left, right = ax.get_xlim()
    for outside, end, marker in ((mark.low < left, left, "<"), (mark.high > right, right, ">")):
        if outside:
            ax.plot(end, position, marker, color=colour, markersize=4, clip_on=False, zorder=4)


def draw_diamond(ax: "Axes", mark: Mark, position: float, colour: str) -> None:
    """Draw a pooled estimate and its interval as a diamond."""
    from matplotlib.patches import Polygon

    estimate, low, high = mark.ends
    corners = [(low, position), (estimate, position - 0.3), (high, position),
               (estimate, position + 0.3)]  # fmt: skip
    ax.add_patch(
        Polygon(corners, facecolor=colour, edgecolor=INK, linewidth=0.6, zorder=3, gid="diamond")
    )
    draw_arrows(ax, mark, position, colour)


def split_heads(heads: Sequence[str], width: int = 16) -> list[str]:
    """Break headings into lines of about `width` letters."""
    from textwrap import wrap

    return ["\n".join(wrap(head, width, break_long_words=False)) or head for head in heads]
