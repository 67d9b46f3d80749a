"""Risk of bias in bars: the share of studies with each judgement, by domain."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.plots.risk_of_bias_style import LOOKS
from bayesmeta.plots.style import INK, add_legend, make_row_axes, set_percent, set_rows, tidy
from bayesmeta.studies.risk_of_bias import RiskOfBias

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def risk_of_bias_summary(table: RiskOfBias, *, ax: "Axes | None" = None) -> "Axes":
    """Draw a bar for each domain: the share of studies with each judgement, each study alike.

    The parts have hatches as well as colours.

    Parameters
    ----------
    table : RiskOfBias
        From `read_risk_of_bias`.
    ax : Axes, optional
        Where to draw. Not given, a figure that grows with the domains is made, the `figure` of the
        result.

    Returns
    -------
    Axes
        x the share of studies, from 0 to 1.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> import pandas as pd
    >>> judged = pd.DataFrame({
    ...     "study": ["Trial A", "Trial B", "Trial C"],
    ...     "randomisation": ["low", "some", "low"],
    ...     "missing data": ["high", "low", "unclear"],
    ... })
    >>> ax = bm.plots.risk_of_bias_summary(bm.read_risk_of_bias(judged))
    >>> [round(float(bar.get_width()), 3) for bar in ax.patches[:2]]  # low
    [0.667, 0.333]
    """
    if ax is None:
        ax = make_row_axes(
            table.domain, width=4.2, extra=0.4 + 0.25 * len(table.domain) ** 0.5 + 0.3
        )
    columns = list(zip(*table.judgement, strict=True))
    left = np.zeros(len(table.domain))
    for judgement, (colour, _, hatch, name) in LOOKS.items():
        share = np.array([column.count(judgement) / len(column) for column in columns])
        ax.barh(range(len(columns)), share, left=left, height=0.7, color=colour, hatch=hatch,
                edgecolor=INK, linewidth=0.6, label=name)  # fmt: skip
        left = left + share
    ax.set_xlim(0, 1)
    set_percent(ax.xaxis)
    ax.set_xlabel(f"share of {len(table.study)} studies", color=INK)
    tidy(ax)
    set_rows(ax, table.domain)
    add_legend(ax, columns=4)
    return ax
