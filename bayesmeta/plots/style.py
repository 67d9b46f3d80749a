"""What all pictures share: colours, axes of the right size, rows, legends."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from bayesmeta.errors import ModelError
from bayesmeta.plots.figures import make_figure
from bayesmeta.plots.texts import font_families, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# Okabe and Ito's colours, in an order that differs in grey too
INK, GREY, BLUE, ORANGE = "#222222", "#8A8A8A", "#0072B2", "#E69F00"
PALE = "#D9D9D9"
OF_GROUPS = (  # colour, marker and line of each group
    (BLUE, "o", "-"), ("#D55E00", "s", "--"), (INK, "^", ":"), ("#CC79A7", "D", "-."),
)  # fmt: skip
SIZE = 9.0  # of text, points
_LABEL = 42  # letters in a line of a row's label


def make_axes(width: float = 4.8, height: float = 3.6) -> "Axes":
    """Make axes in a figure of their own; inches."""
    figure = make_figure(width, height)
    figure.set_layout_engine("constrained")
    return figure.add_subplot()


def tidy(ax: "Axes", *, size: float = SIZE) -> None:
    """Leave the left and the lower line of the frame, with small ticks."""
    for side in ("right", "top"):
        ax.spines[side].set_visible(False)
    ax.tick_params(labelsize=size, length=3, color=INK, labelcolor=INK)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.update({"size": size, "family": font_families(), "parse_math": False})


def set_percent(axis: "Axis") -> None:
    """Let an axis show probabilities as percentages, at round steps."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.6g}%"))


def require_probability(level: float) -> None:
    """Refuse a level that is no probability, such as 95 for 0.95."""
    if not 0 < level < 1:
        raise ModelError(f"level = {level} is no probability between 0 and 1, such as 0.95")


def widen(low: float, high: float, share: float = 0.04) -> tuple[float, float]:
    """Give ends a margin; 1 on each side where they are equal."""
    margin = share * (high - low) or 1.0
    return low - margin, high + margin


def wrap_label(label: str) -> str:
    """Break a long label of a row into lines."""
    return fill(label, _LABEL) or label


def row_height(labels: Sequence[str]) -> float:
    """Give the height of each row in points: less where there are many, more for broken labels."""
    more = max((wrap_label(label).count("\n") for label in labels), default=0)
    return (15.0 if len(labels) < 30 else 11.5) + 1.2 * row_size(len(labels)) * more


def row_size(count: int) -> float:
    """Give the size of letters in rows, points: smaller where there are many."""
    return SIZE if count < 30 else SIZE - 1.5


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
    beside = text_width(map(wrap_label, labels), row_size(len(labels))) / 72
    return make_axes(width + beside, extra + len(labels) * row_height(labels) / 72)


def set_rows(ax: "Axes", labels: Sequence[str]) -> None:
    """Write a label beside each row, 0 at the top."""
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_yticks(range(len(labels)))
    told = [wrap_label(label) for label in labels]
    ax.set_yticklabels(
        told, fontsize=row_size(len(labels)), parse_math=False, family=font_families()
    )
    ax.tick_params(axis="y", length=0, pad=8)
    ax.spines["left"].set_visible(False)


def add_legend(ax: "Axes", *, columns: int = 3) -> None:
    """Put the legend above the plot, where it covers nothing; long labels are wrapped."""
    size = SIZE - 1
    room = ax.bbox.width * 72 / ax.figure.dpi
    handles, labels = ax.get_legend_handles_labels()
    wrapped = [fill(label, max(20, int(room / (0.6 * size)) - 8)) for label in labels]
    widest = text_width(wrapped, size)
    legend = ax.legend(
        handles, wrapped, loc="lower left", bbox_to_anchor=(0, 1.01), frameon=False,
        prop={"size": size, "family": font_families()},
        ncols=max(1, min(columns, int(room / (0.85 * widest + 36)))),
        borderaxespad=0, columnspacing=1.4, handlelength=2.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
