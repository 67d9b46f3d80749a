"""Risk of bias as traffic lights: a sign for each study and domain."""

from typing import TYPE_CHECKING

from bayesmeta.plots.risk_of_bias_style import LOOKS
from bayesmeta.plots.style import (
    INK,
    PALE,
    SIZE,
    make_row_axes,
    row_height,
    set_rows,
    tidy,
)
from bayesmeta.plots.texts import font_families, text_width
from bayesmeta.studies.risk_of_bias import RiskOfBias

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def risk_of_bias(table: RiskOfBias, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the judgements as traffic lights: studies down, domains across.

    Each light has a sign too (+ low, – some concerns, × high, ? unclear), for print in grey and
    readers who do not see the colours.

    Parameters
    ----------
    table : RiskOfBias
        From `read_risk_of_bias`.
    ax : Axes, optional
        Where to draw. Not given, a figure that grows with studies and domains is made, the `figure`
        of the result.

    Returns
    -------
    Axes
        x the place of the domain, y that of the study, both from 0.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> import pandas as pd
    >>> judged = pd.DataFrame({
    ...     "study": ["Trial A", "Trial B", "Trial C"],
    ...     "randomisation": ["low", "some", "low"],
    ...     "missing data": ["high", "low", "unclear"],
    ... })
    >>> ax = bm.plots.risk_of_bias(bm.read_risk_of_bias(judged))
    >>> [tick.get_text() for tick in ax.get_xticklabels()]
    ['randomisation', 'missing data']
    """
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D

    step = row_height(table.study) / 72
    if ax is None:
        above = text_width(table.domain, SIZE) / 72
        ax = make_row_axes(table.study, width=max(1.5 * step * len(table.domain) + 0.3, 3.2),
                           extra=above + 0.75)  # fmt: skip
    size = 10.5 if len(table.study) < 30 else 8.5
    for name, (colour, sign, _, _) in LOOKS.items():
        places = [(j, i) for i, row in enumerate(table.judgement) for j, one in enumerate(row)
                  if one == name]  # fmt: skip
        if places:
            x, y = zip(*places, strict=True)
            ax.plot(x, y, "o", color=colour, markeredgecolor=INK, markeredgewidth=0.6,
                    markersize=size)  # fmt: skip
            ax.plot(x, y, linestyle="", marker=sign, color=INK, markersize=0.55 * size,
                    markeredgewidth=1.2)  # fmt: skip
    ax.set_xlim(-0.7, len(table.domain) - 0.3)
    ax.xaxis.tick_top()
    tidy(ax)
    ax.set_xticks(range(len(table.domain)), table.domain, rotation=90, fontsize=SIZE,
                  parse_math=False, family=font_families())  # fmt: skip
    ax.tick_params(axis="x", length=0)
    set_rows(ax, table.study)
    ax.hlines([i + 0.5 for i in range(len(table.study) - 1)], *ax.get_xlim(), colors=PALE,
              linewidth=0.5, zorder=0)  # fmt: skip
    lights = [
        (Line2D([], [], marker="o", linestyle="", color=colour, markeredgecolor=INK,
                markersize=size),
         Line2D([], [], marker=sign, linestyle="", color=INK, markersize=0.55 * size))
        for colour, sign, _, _ in LOOKS.values()
    ]  # fmt: skip
    ax.legend(lights, [name for _, _, _, name in LOOKS.values()], loc="upper center",
              bbox_to_anchor=(0.5, 0.0), ncols=2, fontsize=SIZE - 1, frameon=False,
              handler_map={tuple: HandlerTuple(ndivide=1)})  # fmt: skip
    return ax
