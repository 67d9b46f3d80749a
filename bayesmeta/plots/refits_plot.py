"""Leave-one-out and cumulative pooling: the pooled effect of each set of studies."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.digits import choose_decimals, show
from bayesmeta.effects import get_measure
from bayesmeta.frequentist.influence.deletion import Refits
from bayesmeta.plots.effect_axis import null_value, set_effect_axis
from bayesmeta.plots.style import (
    BLUE,
    GREY,
    INK,
    SIZE,
    make_row_axes,
    row_size,
    set_rows,
    tidy,
    widen,
)
from bayesmeta.plots.texts import align_intervals, show_numbers, text_width
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GAP = 12.0  # between columns, points


def refits(result: Refits, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the pooled effect without each study, or with each study added, and its interval.

    A row is the effect of a set of studies: "without Hart", or "+ Hart" after those above. The
    numbers stand on the right, with tau where it is estimated.

    Parameters
    ----------
    result : Refits
        From `leave_one_out` or `cumulative`.
    ax : Axes, optional
        Where to draw. Not given, a figure that grows with the studies is made, the `figure` of the
        result.

    Returns
    -------
    Axes
        x natural scale; tau on the analysis scale.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.refits(bm.leave_one_out(bm.load("bcg"), "OR"))
    >>> ax.get_yticklabels()[0].get_text()
    'without Aronson 1948'
    """
    measure = get_measure(result.measure)
    before = "+ " if result.kind == "cumulative" else "without "
    labels = [f"{before}{study}" for study in result.study]
    ends = np.array([result.estimate, result.ci_low, result.ci_high])
    natural = measure.scale.to_natural(ends)
    columns = _columns(result, natural, ratios=measure.scale.name == "log")
    widths = [text_width([head, *texts], SIZE) + _GAP for head, texts in columns]
    if ax is None:
        ax = make_row_axes(labels, width=3.6 + sum(widths) / 72, extra=0.85)
    null = null_value(measure)
    reach = [float(np.nanmin(ends)), float(np.nanmax(ends)), *([] if null is None else [null])]
    set_effect_axis(ax, measure, *widen(min(reach), max(reach)))
    rows = np.arange(len(labels))
    ax.hlines(rows, natural[1], natural[2], colors=INK, linewidth=1.1)
    ax.plot(natural[0], rows, "s", color=BLUE, markersize=4.2)
    if null is not None:
        ax.axvline(float(measure.scale.to_natural(np.array(null))), color=GREY, linewidth=0.8,
                   zorder=0)  # fmt: skip
    tidy(ax)
    set_rows(ax, labels)
    name = "common effect" if result.method == "EE" else result.method
    ax.set_title(f"{result.kind}, {name}", loc="left", fontsize=SIZE, color=INK)
    for (head, texts), anchor in zip(columns, np.cumsum(widths).tolist(), strict=True):
        ax.annotate(head, (1, 1), (anchor, 6), xycoords="axes fraction", ha="right",
                    textcoords="offset points", size=SIZE, color=INK)  # fmt: skip
        for row, text in enumerate(texts):
            written = ax.annotate(
                text, (1, row), (anchor, 0), xycoords=("axes fraction", "data"), va="center",
                ha="right", textcoords="offset points", size=row_size(len(labels)), color=INK,
            )  # fmt: skip
            written.set_in_layout(row == 0)  # all end at one place: a layout asks each
    return ax


def _columns(
    result: Refits, natural: FloatArray, *, ratios: bool
) -> list[tuple[str, Sequence[str]]]:
    """Give headings and texts: the effects with intervals, and tau where it is estimated."""
    decimals = None if ratios else choose_decimals(natural[0].tolist())
    effects = align_intervals([show_numbers(row, decimals) for row in natural.T])
    columns: list[tuple[str, Sequence[str]]] = [
        (f"{result.measure} [{100 * result.level:g}%]", effects)
    ]
    if np.isfinite(result.tau2).any() and result.method != "EE":
        columns.append(("tau", [show(tau, 2) for tau in np.sqrt(result.tau2).tolist()]))
    return columns
