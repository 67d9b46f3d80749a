"""Which column plays which part: names brought into the layouts' form, and names in the way."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from bayesmeta.errors import Problem
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.layouts import KNOWN_COLUMNS, STUDY_NAMES, Layout
from bayesmeta.studies.table import KEYS, NUMBERS


def with_known_names(cells: Cells) -> tuple[Cells, tuple[str, ...]]:
    """Rename what differs from a known column in case only, and find the study label.

    Returns
    -------
    Cells, tuple of str
        The table with its columns renamed, and notes that say so.
    """
    columns = list(cells.frame.columns)
    lowered = Counter(column.lower() for column in columns)
    rename = {
        column: column.lower()
        for column in columns
        if column.lower() in KNOWN_COLUMNS and lowered[column.lower()] == 1
    }
    names = [rename.get(column, column) for column in columns]
    if "study" not in names:
        label = next((name for name in STUDY_NAMES if name in names), None)
        if label is not None:
            rename[columns[names.index(label)]] = "study"
    changed = {old: new for old, new in rename.items() if old != new}
    notes = tuple(f"column {old!r} read as {new!r}" for old, new in changed.items())
    written = frozenset(changed.get(name, name) for name in cells.written)
    return replace(cells, frame=cells.frame.rename(columns=changed), written=written), notes


def with_studies(cells: Cells) -> tuple[Cells, tuple[str, ...]]:
    """Give every study a number where no column labels them, and note it."""
    if "study" in cells.frame:
        return cells, ()
    labels = [f"study {i + 1}" for i in range(len(cells.frame))]
    frame = cells.frame.assign(study=labels)
    return replace(cells, frame=frame), ("no study labels: the rows are numbered",)


def number_columns(cells: Cells, layout: Layout) -> tuple[str, ...]:
    """Name the columns that must hold numbers, those that need not be there last."""
    totals = (arm.n for arm in layout.arms if arm.n in cells.frame)
    return tuple(dict.fromkeys((*layout.numbers, *totals)))


def covariate_columns(cells: Cells, layout: Layout) -> tuple[str, ...]:
    """Name the columns that the layout does not use."""
    used = {"study", "outcome", *layout.labels, *number_columns(cells, layout)}
    return tuple(column for column in cells.frame.columns if column not in used)


def taken_names(cells: Cells, layout: Layout) -> Iterator[Problem]:
    """Find columns named like one that the reader makes out of others."""
    for column in covariate_columns(cells, layout):
        if column in (*KEYS[layout.kind], *NUMBERS[layout.kind]):
            what = f"the reader makes a column of this name out of {', '.join(layout.numbers)}"
            yield Problem(column=column, what=what, fix="Rename or remove one of them.")
