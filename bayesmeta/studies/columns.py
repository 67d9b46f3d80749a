"""Which column plays which part: names brought into the layouts' form, and names in the way."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bayesmeta.errors import Problem
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.correlations_within import PAIRED_COLUMNS
from bayesmeta.studies.estimates.spellings import SPELLINGS, plain
from bayesmeta.studies.kinds import KEYS, NUMBERS
from bayesmeta.studies.layouts import KNOWN_COLUMNS, STUDY_NAMES, Layout
from bayesmeta.studies.medians.rows import ARMS
from bayesmeta.studies.refusal import did_you_mean, refusal

_KNOWN = tuple(
    dict.fromkeys((*KNOWN_COLUMNS, *PAIRED_COLUMNS, *(name for arm in ARMS for name in arm.five)))
)
_PLAIN = {plain(name): name for name in _KNOWN}


def with_columns_by_hand(cells: Cells, columns: Mapping[str, str]) -> tuple[Cells, tuple[str, ...]]:
    """Give columns the names that the layouts know, as the user told.

    Parameters
    ----------
    cells : Cells
        The table.
    columns : mapping of str to str
        Known name to the name in the table.

    Returns
    -------
    Cells, tuple of str
        The table with its columns renamed, and notes that say so.

    Raises
    ------
    StudyTableError
        No such name or column, a column named twice, or a name that another column has.
    """
    problems = list(_misnamed(list(cells.frame.columns), columns))
    if problems:
        raise refusal(cells.source, problems)
    changed = {old: new for new, old in columns.items() if old != new}
    notes = tuple(f"column {old!r} read as {new!r}, as told" for old, new in changed.items())
    return _renamed(cells, changed), notes


def with_known_names(cells: Cells) -> tuple[Cells, tuple[str, ...]]:
    """Rename what differs from a known column in its capitals and signs only; find the label.

    Returns
    -------
    Cells, tuple of str
        The table with its columns renamed, and notes that say so.
    """
    columns = list(cells.frame.columns)
    times = Counter(plain(column) for column in columns)
    rename = {
        column: _PLAIN[plain(column)]
        for column in columns
        if plain(column) in _PLAIN and times[plain(column)] == 1
    }
    names = [rename.get(column, column) for column in columns]
    if "study" not in names:
        label = next((name for name in STUDY_NAMES if name in names), None)
        if label is not None:
            rename[columns[names.index(label)]] = "study"
    changed = {old: new for old, new in rename.items() if old != new}
    notes = tuple(f"column {old!r} read as {new!r}" for old, new in changed.items())
    return _renamed(cells, changed), notes


def without_empty_outcome(cells: Cells) -> tuple[Cells, tuple[str, ...]]:
    """Leave out a column `outcome` without any text, as tables that name no outcome have it."""
    if "outcome" not in cells.frame or (cells.frame["outcome"] != "").any():
        return cells, ()
    notes = ("column 'outcome' skipped: it is empty",)
    return replace(cells, frame=cells.frame.drop(columns="outcome")), notes


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


def _misnamed(names: list[str], columns: Mapping[str, str]) -> Iterator[Problem]:
    """Find what is wrong with the names that a user gave to columns."""
    known = dict.fromkeys((*_KNOWN, *SPELLINGS))
    times = Counter(columns.values())
    for new, old in columns.items():
        if new not in known:
            fix = did_you_mean(new, known)
            yield Problem(
                column="columns", value=repr(new), what="no layout has this name", fix=fix
            )
        if old not in names:
            fix = did_you_mean(old, names)
            yield Problem(column="columns", value=repr(old), what="no such column", fix=fix)
        if times[old] > 1:
            what = "this column is given two names"
            yield Problem(column="columns", value=repr(old), what=what, fix="Name it once.")
        if new != old and new in names and new not in columns.values():
            what = f"the table has a column of this name beside {old!r}"
            fix = "Rename or remove one of them."
            yield Problem(column="columns", value=repr(new), what=what, fix=fix)


def _renamed(cells: Cells, changed: Mapping[str, str]) -> Cells:
    written = frozenset(changed.get(name, name) for name in cells.written)
    return replace(cells, frame=cells.frame.rename(columns=dict(changed)), written=written)
