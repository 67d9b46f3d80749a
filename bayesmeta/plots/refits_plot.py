"""Leave-one-out and cumulative pooling: the pooled effect of each set of studies."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects import get_measure
from bayesmeta.frequentist.influence.deletion import Refits
from bayesmeta.plots.effect_axis import null_value, set_effect_axis
from bayesmeta.plots.style import BLUE, GREY, INK, SIZE, make_row_axes, set_rows, tidy, widen

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def refits(result: Refits, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the pooled effect without each study, or with each study added, and its interval.

    A row is the effect of a set of studies: "without Hart", or "+ Hart" after those above. tau,
    where it is estimated, stands on the right.

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
        x natural scale.

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
    ax = make_row_axes(labels, width=4.4, extra=0.85) if ax is None else ax
    null = null_value(measure)
    ends = np.array([result.estimate, result.ci_low, result.ci_high])
    reach = [float(np.min(ends)), float(np.max(ends)), *([] if null is None else [null])]
    set_effect_axis(ax, measure, *widen(min(reach), max(reach)))
    rows = np.arange(len(labels))
    estimate, low, high = measure.scale.to_natural(ends)
    ax.hlines(rows, low, high, colors=INK, linewidth=1.1)
    ax.plot(estimate, rows, "s", color=BLUE, markersize=4.2)
    if null is not None:
        ax.axvline(float(measure.scale.to_natural(np.array(null))), color=GREY, linewidth=0.8,
                   zorder=0)  # fmt: skip
    tidy(ax)
    set_rows(ax, labels)
    size = SIZE if len(labels) < 30 else SIZE - 1.5
    name = "common effect" if result.method == "EE" else result.method
    ax.set_title(f"{result.kind}, {name}, {100 * result.level:g}% interval", loc="left",
                 fontsize=SIZE, color=INK)  # fmt: skip
    if np.isfinite(result.tau2).any() and result.method != "EE":
        ax.annotate("tau", (1, 1), (8, 6), xycoords="axes fraction", textcoords="offset points",
                    size=SIZE, color=INK)  # fmt: skip
        for row, tau2 in enumerate(result.tau2):
            text = f"{np.sqrt(tau2):.2f}" if np.isfinite(tau2) else "–"
            written = ax.annotate(
                text, (1, row), (8, 0), xycoords=("axes fraction", "data"), va="center",
                textcoords="offset points", size=size, color=INK,
            )  # fmt: skip
            written.set_in_layout(row == len(labels) - 1)  # all are alike: a layout asks each
    return ax
