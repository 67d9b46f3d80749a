"""Responses over time: the share of those seen at each visit, with its interval."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.frequentist.survival import wilson_interval
from bayesmeta.plots.style import INK, OF_GROUPS, SIZE, add_legend, make_axes, tidy, widen
from bayesmeta.studies.time_tables import Responses

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def response_over_time(
    table: Responses, *, unit: str = "", level: float = 0.95, ax: "Axes | None" = None
) -> "Axes":
    """Draw the share of responders among those seen at each time, with Wilson's interval.

    The denominator is those seen at that time: if who leaves differs from who stays, the shares are
    not those of all who started. The counts stand below the axis.

    Parameters
    ----------
    table : Responses
        From `read_responses`.
    unit : str
        Of time, for the name of the axis.
    level : float
        Coverage of the intervals.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        Groups lie side by side at each time.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> import pandas as pd
    >>> seen = pd.DataFrame({"time": [3, 6, 12], "events": [21, 19, 19], "n": [29, 25, 20]})
    >>> ax = bm.plots.response_over_time(bm.read_responses(seen), unit="months")
    >>> ax.get_xlabel()
    'time, months'
    """
    from matplotlib.ticker import PercentFormatter

    groups = list(dict.fromkeys(table.group))
    if ax is None:
        ax = make_axes(4.8, 3.4 + 0.2 * len(groups))
    times = np.unique(table.time)
    step = float(np.diff(times).min()) if len(times) > 1 else 1.0
    for i, group in enumerate(groups):
        own = np.array([label == group for label in table.group])
        order = np.argsort(table.time[own])
        time, events, n = (column[own][order] for column in (table.time, table.events, table.n))
        x = time + (i - (len(groups) - 1) / 2) * min(0.12, 0.6 / len(groups)) * step
        share, ends = events / n, wilson_interval(events, n, level=level)
        colour, marker, dashes = OF_GROUPS[i % len(OF_GROUPS)]
        ax.vlines(x, ends[:, 0], ends[:, 1], colors=colour, linewidth=1.2)
        ax.plot(x, share, marker=marker, linestyle=dashes, color=colour, markersize=5,
                linewidth=1.0, label=group or "_all")  # fmt: skip
        for at, r, k in zip(time, events, n, strict=True):
            ax.annotate(f"{r:.0f}/{k:.0f}", (at, 0), (0, -38 - 11 * i), ha="center", color=colour,
                        xycoords=("data", "axes fraction"), textcoords="offset points",
                        size=SIZE - 1.5)  # fmt: skip
    ax.set_xlim(*widen(float(times[0]), float(times[-1]), 0.1))
    ax.set_xticks(times)
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_xlabel(f"time, {unit}" if unit else "time", color=INK)
    ax.set_ylabel(f"responders of those seen, {100 * level:g}% interval", color=INK)
    tidy(ax)
    if any(groups):
        add_legend(ax, columns=2)
    return ax
