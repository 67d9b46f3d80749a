"""Grouped Kaplan-Meier curves, with the range over what may have become of those lost."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.frequentist.survival import grouped_kaplan_meier
from bayesmeta.plots.style import GREY, INK, OF_GROUPS, add_legend, make_axes, set_percent, tidy
from bayesmeta.plots.time_rows import set_times, write_row
from bayesmeta.scales import FloatArray
from bayesmeta.studies.time_tables import LifeTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "////", "....", "xxxx")  # bands differ in grey too


def kaplan_meier(
    table: LifeTable,
    *,
    event: str = "event",
    unit: str = "",
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the cumulative probability of an event from numbers at risk between visits.

    Steps: 1 - Kaplan-Meier, taken at the end of each interval, where those who leave have the same
    prospects as those who stay. Bars: Greenwood's variance, interval on the scale log(-log S); none
    at 0 or 1. Band: no assumption at all, from "none of those lost ever has the event" to "each of
    them has it when lost". Numbers at risk stand below the axis where there is room.

    Parameters
    ----------
    table : LifeTable
        From `read_life_table`.
    event : str
        Name of the event, for the axis.
    unit : str
        Of time, for the name of the axis.
    level : float
        Coverage of the intervals.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x time; y the probability, from 0 to 1.

    Raises
    ------
    ModelError
        A level that is no coverage.

    References
    ----------
    Kaplan and Meier (1958), JASA 53:457-481; the interval, Kalbfleisch and Prentice (1980), 1.3;
    the band, Horowitz and Manski (2000), JASA 95:77-84.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> frame = bm.load_frame("tani_2018_sle_cohort/time_to_response").iloc[:3]
    >>> renal = frame.rename(
    ...     columns={"interval_start_months": "start", "interval_end_months": "end"}
    ... )
    >>> table = bm.read_life_table(renal)
    >>> ax = bm.plots.kaplan_meier(table, event="renal response", unit="months")
    >>> ax.get_ylabel()
    'cumulative probability of renal response'
    """
    groups = list(dict.fromkeys(table.group))
    if ax is None:
        ax = make_axes(4.8, 3.6 + 0.2 * len(groups))
    last = float(table.end.max())
    ax.set_xlim(min(0.0, float(table.start.min())), 1.03 * last)
    set_times(ax, np.unique([*table.start, *table.end]))
    for i, group in enumerate(groups):
        own = np.array([label == group for label in table.group])
        start, end, at_risk, events = (
            getattr(table, name)[own] for name in ("start", "end", "at_risk", "events")
        )
        curve = grouped_kaplan_meier(at_risk, events, level=level)
        colour, marker, dashes = OF_GROUPS[i % len(OF_GROUPS)]
        time = np.append(start[0], end)
        ax.step(time, _from_zero(1 - curve.survival), where="post", color=colour, linewidth=1.5,
                linestyle=dashes)  # fmt: skip
        beside = end + (i - (len(groups) - 1) / 2) * 0.012 * last
        ax.plot(beside, 1 - curve.survival, marker, color=colour, markersize=4.5)
        ax.plot([], [], marker=marker, linestyle=dashes, color=colour, markersize=4.5,
                label=group or "Kaplan-Meier")  # fmt: skip
        ax.vlines(beside, 1 - curve.high, 1 - curve.low, colors=colour, linewidth=1.1)
        ax.fill_between(time, _from_zero(1 - curve.none_respond), _from_zero(1 - curve.all_respond),
                        step="post", facecolor=colour, edgecolor=colour, alpha=0.2,
                        linewidth=0, hatch=_HATCHES[i % len(_HATCHES)])  # fmt: skip
        numbers = [f"{n:.0f}" if np.isfinite(n) else "?" for n in at_risk]
        write_row(ax, "at risk", i, len(groups), start, numbers)
    ax.fill([], [], facecolor=GREY, alpha=0.35, label="none to all of those lost")
    ax.set_ylim(0, 1.02)
    set_percent(ax.yaxis)
    ax.set_xlabel(f"time, {unit}" if unit else "time", color=INK)
    ax.set_ylabel(f"cumulative probability of {event}", color=INK)
    tidy(ax)
    add_legend(ax, columns=2)
    return ax


def _from_zero(probability: FloatArray) -> FloatArray:
    return np.append(0.0, probability)
