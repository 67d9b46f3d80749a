"""The layouts of study tables that are known, and how one is recognised by its columns."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from bayesmeta.errors import Problem

type LayoutKind = Literal[
    "binary",
    "means",
    "rates",
    "single",
    "single_rates",
    "paired",
    "paired arms",
    "correlation",
    "contrast",
]

STUDY_NAMES = ("study", "trial", "author", "authors", "studlab", "slab")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmColumns:
    """Columns that hold the counts of one arm.

    Attributes
    ----------
    events : str
        Patients with the event.
    others : str or None
        Patients without it, where the layout gives them instead of `n`.
    n : str
        All patients; where `others` is given it need not be there, but must agree if it is.
    """

    events: str
    n: str
    others: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way of writing a study table.

    Attributes
    ----------
    kind : LayoutKind
        What the table holds.
    numbers : tuple of str
        Number columns that make the layout; all must be there.
    told : str
        How the notes say it; "" for estimates, which say it themselves.
    labels : tuple of str
        Label columns that must be there.
    arms : tuple of ArmColumns
        Counts of the arms in one row: one in a tidy table, treated and control in a wide one.
    groups : tuple of tuple of str
        The same for other data than counts of two arms: columns in the order of the table's own.
    """

    kind: LayoutKind
    numbers: tuple[str, ...]
    told: str = ""
    labels: tuple[str, ...] = ()
    arms: tuple[ArmColumns, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """All columns that must be there."""
        return (*self.labels, *self.numbers)

    @property
    def wide(self) -> bool:
        """Both arms stand in one row."""
        return len(self.arms) == 2 or len(self.groups) == 2


LAYOUTS = (
    Layout(
        kind="binary",
        labels=("study", "arm"),
        numbers=("events", "n"),
        arms=(ArmColumns(events="events", n="n"),),
        told="read as one row per study and arm: events out of n",
    ),
    Layout(
        kind="binary",
        numbers=("ai", "bi", "ci", "di"),
        arms=(
            ArmColumns(events="ai", others="bi", n="n1i"),
            ArmColumns(events="ci", others="di", n="n2i"),
        ),
        told="read as a wide two-arm table: ai events, bi non-events (treated), "
        "ci events, di non-events (control)",
    ),
    Layout(
        kind="binary",
        numbers=("ai", "n1i", "ci", "n2i"),
        arms=(ArmColumns(events="ai", n="n1i"), ArmColumns(events="ci", n="n2i")),
        told="read as a wide two-arm table: ai events out of n1i (treated), "
        "ci events out of n2i (control)",
    ),
    Layout(
        kind="means",
        labels=("study", "arm"),
        numbers=("mean", "sd", "n"),
        groups=(("mean", "sd", "n"),),
        told="read as one row per study and arm: mean, standard deviation sd, n",
    ),
    Layout(
        kind="means",
        numbers=("m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"),
        groups=(("m1i", "sd1i", "n1i"), ("m2i", "sd2i", "n2i")),
        told="read as a wide two-arm table: mean m1i, standard deviation sd1i, n1i (treated), "
        "m2i, sd2i, n2i (control)",
    ),
    Layout(
        kind="rates",
        labels=("study", "arm"),
        numbers=("events", "time"),
        groups=(("events", "time"),),
        told="read as one row per study and arm: events in a person-time",
    ),
    Layout(
        kind="rates",
        numbers=("x1i", "t1i", "x2i", "t2i"),
        groups=(("x1i", "t1i"), ("x2i", "t2i")),
        told="read as a wide two-arm table: x1i events in person-time t1i (treated), "
        "x2i events in t2i (control)",
    ),
    Layout(
        kind="single",
        numbers=("xi", "mi"),
        arms=(ArmColumns(events="xi", others="mi", n="ni"),),
        told="read as one group per study: xi events, mi non-events",
    ),
    Layout(
        kind="single",
        numbers=("xi", "ni"),
        groups=(("xi", "ni"),),
        told="read as one group per study: xi events out of ni",
    ),
    Layout(
        kind="single_rates",
        numbers=("xi", "ti"),
        groups=(("xi", "ti"),),
        told="read as one group per study: xi events in person-time ti",
    ),
    Layout(
        kind="paired arms",
        labels=("study", "arm"),
        numbers=("mean_post", "sd_post", "mean_pre", "sd_pre", "n"),
        groups=(("mean_post", "sd_post", "mean_pre", "sd_pre", "n", "r"),),
        told="read as one row per study and arm, every person measured twice: mean_post, sd_post "
        "after, mean_pre, sd_pre before, n persons",
    ),
    Layout(
        kind="paired",
        numbers=("mean_post", "sd_post", "mean_pre", "sd_pre", "n"),
        groups=(("mean_post", "sd_post", "mean_pre", "sd_pre", "n", "r"),),
        told="read as one group per study, every person measured twice: mean_post, sd_post after, "
        "mean_pre, sd_pre before, n persons",
    ),
    Layout(
        kind="paired",
        numbers=("m1i", "sd1i", "m2i", "sd2i", "ni"),
        groups=(("m1i", "sd1i", "m2i", "sd2i", "ni", "r"),),
        told="read as one group per study, every person measured twice: mean m1i, standard "
        "deviation sd1i after (or under treatment), m2i, sd2i before (or under control), ni "
        "persons",
    ),
    Layout(
        kind="correlation",
        numbers=("ri", "ni"),
        groups=(("ri", "ni"),),
        told="read as one correlation per study: ri of ni pairs",
    ),
    Layout(kind="contrast", numbers=("estimate", "se")),  # and more: see `find_estimates`
    Layout(kind="contrast", numbers=("estimate", "ci_low", "ci_high")),
    Layout(kind="contrast", numbers=("estimate", "p")),
    Layout(kind="contrast", numbers=("yi", "vi")),
    Layout(kind="contrast", numbers=("yi", "sei")),
)

FURTHER_COLUMNS = (
    *("median", "q1", "q3", "sd_change"),
    *("icc", "cluster_size", "design_effect", "unadjusted", "shared_control"),
)
KNOWN_COLUMNS = tuple(
    dict.fromkeys(
        [
            *STUDY_NAMES,
            "outcome",
            *FURTHER_COLUMNS,
            *(column for layout in LAYOUTS for column in layout.required),
            *(arm.n for layout in LAYOUTS for arm in layout.arms),
        ]
    )
)


def find_layout(columns: Collection[str]) -> Layout | None:
    """Give the first layout whose columns are all there.

    Examples
    --------
    >>> find_layout(["study", "yi", "vi", "year"]).numbers
    ('yi', 'vi')
    """
    for layout in LAYOUTS:
        if set(layout.required) <= set(columns):
            return layout
    return None


def unreadable(columns: Collection[str]) -> Problem:
    """Say which columns were found, which layouts there are, what is missing or misspelt.

    Examples
    --------
    >>> unreadable(["study", "arm", "event", "n"]).what
    "the columns study, arm, event, n fit no known layout (missing: events; 'event' is near it)"
    """
    what = f"the columns {', '.join(columns)} fit no known layout"
    lacking = [(one, [name for name in one.required if name not in columns]) for one in LAYOUTS]
    almost = [(one, names) for one, names in lacking if len(names) == 1 and len(one.required) > 2]
    if almost:
        _, (missing,) = max(almost, key=lambda pair: len(pair[0].required))
        near = get_close_matches(missing, set(columns) - set(KNOWN_COLUMNS), n=1)
        what += f" (missing: {missing}" + (f"; {near[0]!r} is near it)" if near else ")")
    by_hand = "columns={'events': 'deaths'} (--columns events=deaths)"
    known = " | ".join(", ".join(layout.required) for layout in LAYOUTS)
    return Problem(
        what=what, fix=f"Rename the columns to one of: {known}; or tell which is which: {by_hand}."
    )
