"""What all pictures share: colours, figures that pyplot does not know, axes of effects, labels."""

import unicodedata
from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.plots.ratio_ticks import ratio_ticks
from bayesmeta.scales import FloatArray, Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, in an order that differs in grey too
INK, GREY, BLUE, ORANGE = "#222222", "#8A8A8A", "#0072B2", "#E69F00"
PALE = "#D9D9D9"
OF_GROUPS = (  # colour, marker and line of each group
    (BLUE, "o", "-"), ("#D55E00", "s", "--"), (INK, "^", ":"), ("#CC79A7", "D", "-."),
)  # fmt: skip
SIZE = 9.0  # of text, points

_BELOW = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
_POSITIVE = (*_BELOW, 0.5, *(round(1 - x, 3) for x in _BELOW[::-1]))
_PLAIN = (*(-x for x in _POSITIVE[::-1]), 0.0, *_POSITIVE)  # ticks to choose from
_LABELS = 8  # labels beside points, at most
_CELL = {"F": 1.0, "W": 1.0}  # widths of characters, in sizes; by the East Asian width


def make_axes(width: float = 4.8, height: float = 3.6) -> "Axes":
    """Make axes in a figure of their own, which pyplot does not know; inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained").add_subplot()


def tidy(ax: "Axes", *, size: float = SIZE) -> None:
    """Leave the left and the lower line of the frame, with small ticks."""
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=size, length=3, color=INK, labelcolor=INK)
    ax.xaxis.label.set_fontsize(size)
    ax.yaxis.label.set_fontsize(size)


def null_value(measure: Measure) -> float | None:
    """Give the value of no effect on the analysis scale; None for one group, which has none."""
    return None if measure.layout in ("single", "single_rates") else 0.0


def name_axis(measure: Measure) -> str:
    """Name the axis of an effect on its natural scale."""
    how = ", logarithmic axis" if measure.scale.name == "log" else ""
    return f"{measure.label} ({measure.name}){how}"


def set_effect_axis(
    ax: "Axes", measure: Measure, low: float, high: float, *, which: Literal["x", "y"] = "x"
) -> None:
    """Let an axis show an effect: natural numbers, at even steps of the analysis scale.

    Parameters
    ----------
    ax : Axes
    measure : Measure
    low, high : float
        Ends of the axis, analysis scale.
    which : {"x", "y"}
        The axis.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    scale, axis = measure.scale, getattr(ax, f"{which}axis")
    natural_low, natural_high = scale.to_natural(np.array([low, high])).tolist()
    set_scale = getattr(ax, f"set_{which}scale")
    if scale.name == "log":
        set_scale("log")
        ticks = ratio_ticks(natural_low, natural_high)
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
        axis.set_minor_locator(NullLocator())
    elif scale.name != "identity":

        def forward(x: FloatArray) -> FloatArray:
            with np.errstate(all="ignore"):
                return scale.from_natural(x)

        set_scale("function", functions=(forward, scale.to_natural))
        ticks = bounded_ticks(scale, low, high)
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
    getattr(ax, f"set_{which}lim")(natural_low, natural_high)
    getattr(ax, f"set_{which}label")(name_axis(measure), color=INK)


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


def widen(low: float, high: float, share: float = 0.04) -> tuple[float, float]:
    """Give ends a margin; 1 on each side where they are equal."""
    margin = share * (high - low) or 1.0
    return low - margin, high + margin


def text_width(text: str, size: float = SIZE) -> float:
    """Estimate the width of a text in points, without drawing it."""
    return size * sum(_CELL.get(unicodedata.east_asian_width(c), 0.6) for c in text)


def row_height(count: int) -> float:
    """Give the height of a row in points: a little less where there are many."""
    return 15.0 if count < 30 else 11.5


def make_row_axes(labels: Sequence[str], *, width: float, extra: float) -> "Axes":
    """Make axes that hold a row for each label, which stands to the left of them.

    Parameters
    ----------
    labels : sequence of str
        From top to bottom.
    width : float
        Of the plot without the labels, inches.
    extra : float
        Height of what stands below and above the rows, inches.
    """
    beside = max(map(text_width, labels), default=0.0) / 72
    return make_axes(width + beside, extra + len(labels) * row_height(len(labels)) / 72)


def set_rows(ax: "Axes", labels: Sequence[str]) -> None:
    """Write a label beside each row, 0 at the top."""
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_yticks(range(len(labels)))
    size = SIZE if len(labels) < 30 else SIZE - 1.5
    ax.set_yticklabels([plain(label) for label in labels], fontsize=size)
    ax.tick_params(axis="y", length=0, pad=8)
    ax.spines["left"].set_visible(False)


def plain(text: str) -> str:
    """Keep dollar signs of a user's text from being taken for formulas."""
    return text.replace("$", r"\$")


def label_points(
    ax: "Axes",
    x: FloatArray,
    y: FloatArray,
    labels: Sequence[str],
    order: Sequence[int],
    *,
    radius: FloatArray | float = 2.0,
) -> None:
    """Write labels beside points where there is room: those in `order` come first.

    At most eight are written; none lies on another, on a point, or outside the axes, whose limits
    must be set before. A figure's layout may still move: sizes are those before it does.

    Parameters
    ----------
    ax : Axes
    x, y : (point,)
        Data coordinates.
    labels : sequence of str
    order : sequence of int
        Points to label, the most important first.
    radius : (point,) or float
        Of the points, in points.
    """
    from matplotlib.patheffects import withStroke

    halo = withStroke(linewidth=2, foreground="white")
    to_points = 72 / ax.figure.dpi
    at = ax.transData.transform(np.column_stack([x, y])) * to_points
    frame = np.array(ax.bbox.extents) * to_points
    r = np.broadcast_to(radius, len(labels))
    taken = list(np.column_stack([at[:, 0] - r, at[:, 1] - r, at[:, 0] + r, at[:, 1] + r]))
    size, written = SIZE - 1.5, 0
    for i in order:
        width, height = text_width(labels[i], size), 1.2 * size
        for side, up in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            left = at[i, 0] + (_beside(side, width, float(r[i]) + 2))
            low = at[i, 1] - height / 2 + up * (0.5 * height + (0.7 if side else 1) * r[i] + 1)
            box = np.array([left, low, left + width, low + height])
            inside = (box[:2] >= frame[:2]).all() and (box[2:] <= frame[2:]).all()
            others = [other for j, other in enumerate(taken) if j != i]
            if inside and not any(_overlap(box, other) for other in others):
                ax.annotate(
                    plain(labels[i]), (float(x[i]), float(y[i])),
                    (left - at[i, 0], low + height / 2 - at[i, 1]), textcoords="offset points",
                    va="center", size=size, color=INK, annotation_clip=False, path_effects=[halo],
                )  # fmt: skip
                taken.append(box)
                written += 1
                break
        if written == _LABELS:
            return


def _beside(side: int, width: float, gap: float) -> float:
    """Give the left end of a text right of (1), left of (-1) or centred on (0) a point at 0."""
    return gap if side > 0 else -width - gap if side else -width / 2


def _overlap(one: FloatArray, other: FloatArray) -> bool:
    return bool((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())


def add_legend(ax: "Axes", *, columns: int = 3) -> None:
    """Put the legend above the plot, where it covers nothing; long labels are wrapped."""
    size = SIZE - 1
    room = ax.bbox.width * 72 / ax.figure.dpi
    handles, labels = ax.get_legend_handles_labels()
    wrapped = [fill(label, max(20, int(room / (0.6 * size)) - 8)) for label in labels]
    widest = max(text_width(line, size) for label in wrapped for line in label.splitlines())
    ax.legend(
        handles, wrapped, loc="lower left", bbox_to_anchor=(0, 1.01), fontsize=size, frameon=False,
        ncols=max(1, min(columns, int(room / (0.85 * widest + 36)))),
        borderaxespad=0, columnspacing=1.4, handlelength=2.2,
    )  # fmt: skip
