"""Responses over time: the share of those seen at each visit, with its interval."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.frequentist.survival import wilson_interval
from bayesmeta.plots.style import (
    INK,
    OF_GROUPS,
    add_legend,
    make_axes,
    set_percent,
    tidy,
    widen,
)
from bayesmeta.plots.time_rows import set_times, write_row
from bayesmeta.studies.time_tables import Responses

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def response_over_time(
    table: Responses, *, unit: str = "", level: float = 0.95, ax: "Axes | None" = None
) -> "Axes":
    """Draw the share of responders among those seen at each time, with Wilson's interval.

    The denominator is those seen at that time: if who leaves differs from who stays, the shares are
    not those of all who started. Responders of those seen, r/n, stand below the axis where
    there is room.

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
        x time, groups side by side at each; y the share, from 0 to 1.

    Raises
    ------
    ModelError
        A level that is no coverage.

    References
    ----------
    Wilson (1927), JASA 22:209-212.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> cohort = bm.load_frame("tani_2018_sle_cohort/single_arm")
    >>> seen = cohort.query("category == 'response' and subgroup == 'all'").rename(
    ...     columns={"event": "group", "xi": "events", "ni": "n"}
    ... )
    >>> seen["time"] = seen["timepoint"].str.removesuffix(" months")
    >>> table = bm.read_responses(seen[["group", "time", "events", "n"]])
    >>> ax = bm.plots.response_over_time(table, unit="months")
    >>> ax.get_xlabel()
    'time, months'
    """
    groups = list(dict.fromkeys(table.group))
    if ax is None:
        ax = make_axes(4.8, 3.4 + 0.2 * len(groups))
    times = np.unique(table.time)
    low, high = widen(float(times[0]), float(times[-1]), 0.08)
    beside = 0.016 * (high - low)
    ax.set_xlim(low - beside * len(groups) / 2, high + beside * len(groups) / 2)
    set_times(ax, times)
    for i, group in enumerate(groups):
        own = np.array([label == group for label in table.group])
        order = np.argsort(table.time[own])
        time, events, n = (column[own][order] for column in (table.time, table.events, table.n))
        x = time + (i - (len(groups) - 1) / 2) * beside
        share, ends = events / n, wilson_interval(events, n, level=level)
        colour, marker, dashes = OF_GROUPS[i % len(OF_GROUPS)]
        ax.vlines(x, ends[:, 0], ends[:, 1], colors=colour, linewidth=1.2)
        ax.plot(x, share, marker=marker, linestyle=dashes, color=colour, markersize=5,
                linewidth=1.0, label=group or "_all")  # fmt: skip
        counts = [f"{r:.0f}/{k:.0f}" for r, k in zip(events, n, strict=True)]
        write_row(ax, "r/n", i, len(groups), time, counts)
    ax.set_ylim(0, 1)
    set_percent(ax.yaxis)
    ax.set_xlabel(f"time, {unit}" if unit else "time", color=INK)
    ax.set_ylabel(f"responders of those seen, {100 * level:g}% interval", color=INK)
    tidy(ax)
    if any(groups):
        add_legend(ax, columns=2)
    return ax
