"""Columns that tell the design of trials: clusters, and control arms that rows share."""

from collections.abc import Iterable, Iterator

import numpy as np

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.assemble import parse_numbers
from bayesmeta.studies.derived import Derived, blank_cells, counted_rows, named_rows
from bayesmeta.studies.layouts import LayoutKind
from bayesmeta.studies.reading import Reading, unused
from bayesmeta.studies.rules import Sheet

_CLUSTER_COLUMNS = ("icc", "cluster_size", "design_effect")
_YES, _NO = ("yes", "true", "1", "y"), ("no", "false", "0", "n")
_SHARE_WAYS = (
    "Say what to do about it: shared='split' divides the control arm among its rows, "
    "shared='covariance' keeps it whole and gives the rows their covariance."
)


def design_effects(sheet: Sheet, reading: Reading) -> Derived:  # noqa: ARG001  a table tells it all
    """Give the design effect of every row of a table with cluster trials.

    1 + (m - 1) icc, with the mean cluster size m and the intra-cluster correlation icc, or as the
    column `design_effect` has it; 1 where the cells are empty. Estimates of contrast tables are
    taken to allow for clusters already, unless a column `unadjusted` says yes.

    References
    ----------
    Higgins et al. (eds), Cochrane Handbook for Systematic Reviews of Interventions, 23.1.4.
    """
    frame, cells = sheet.cells.frame, sheet.cells
    kind = sheet.layout.kind
    columns = [name for name in _CLUSTER_COLUMNS if name in frame]
    if kind == "correlation" or not columns:
        return Derived()
    if columns in (["icc"], ["cluster_size"]):
        other = {"icc": "cluster_size", "cluster_size": "icc"}[columns[0]]
        return Derived(notes=(f"{columns[0]} without {other}: no design effect is made of it",))
    if kind == "contrast" and "unadjusted" not in frame:
        note = (
            "standard errors taken to allow for clusters already; a column unadjusted with yes "
            "has those of its rows inflated"
        )
        return Derived(notes=(note,))
    numbers = parse_numbers(cells, columns)
    problems = list(_cluster_problems(sheet, columns, numbers))
    effect = np.ones(len(frame))
    if "cluster_size" in numbers and "icc" in numbers:
        given = 1 + (numbers["cluster_size"] - 1) * numbers["icc"]
        effect = np.where(np.isnan(given), effect, given)
    if "design_effect" in numbers:
        given = numbers["design_effect"]
        effect = np.where(np.isnan(given), effect, given)
    used = {*columns}
    if kind == "contrast":
        used.add("unadjusted")
        problems.extend(_unclear(sheet))
        asked = frame["unadjusted"].str.lower().isin(_YES).to_numpy()
        effect = np.where(asked, effect, 1.0)
    if not problems:
        problems.extend(_arms_differ(sheet, effect))
    rows = [int(i) for i in np.flatnonzero(effect != 1)]
    note = f"cluster trials, with a design effect, in {counted_rows(sheet, rows)}"
    return Derived(
        columns={"design_effect": effect.tolist()},
        used=frozenset(used),
        notes=(note,) if rows else (),
        problems=tuple(problems),
    )


def shared_controls(sheet: Sheet, reading: Reading) -> Derived:
    """Give the label of the control arm of every row of a wide table where some are shared."""
    frame = sheet.cells.frame
    if "shared_control" not in frame or not sheet.layout.wide:
        if reading.shared is not None and "shared_control" not in frame:
            why = "no column shared_control says which rows share an arm"
            fix = (
                "Add the column to a table with both arms in a row: the same label in the rows "
                "of one control arm, empty elsewhere; or leave shared out."
            )
            return Derived(problems=(unused(reading, "shared", why, fix),))
        return Derived(notes=tuple(_may_share(sheet)))
    blank = blank_cells(sheet, "shared_control")
    labels = ["" if empty else text for empty, text in zip(blank, frame["shared_control"],
                                                          strict=True)]  # fmt: skip
    outcomes = frame["outcome"].tolist() if "outcome" in frame else [""] * len(frame)
    groups: dict[tuple[str, str], list[int]] = {}
    for i, key in enumerate(zip(outcomes, labels, strict=True)):
        groups.setdefault(key, []).append(i)
    groups = {key: rows for key, rows in groups.items() if key[1] and len(rows) > 1}
    problems = list(_unlike(sheet, groups.values()))
    if groups and reading.shared is None:
        first = next(iter(groups.values()))
        what = f"several rows share this control arm: {named_rows(sheet, first)}"
        problems.append(sheet.at(first[0], "shared_control", what, _SHARE_WAYS))
    done = {"split": "to be divided among them", "covariance": "to be kept whole", None: ""}
    notes = [
        f"one control arm of {named_rows(sheet, rows)}, {done[reading.shared]}"
        for rows in groups.values()
    ]
    return Derived(
        columns={"shared_control": labels},
        used=frozenset({"shared_control"}),
        notes=tuple(dict.fromkeys(notes)),
        problems=tuple(problems),
    )


def reserved_names(covariates: Iterable[str], kind: LayoutKind) -> Iterator[Problem]:
    """Find covariates that bear the name of a column that the reader makes, and are not used."""
    fixes = {
        "design_effect": "Add a column unadjusted (yes: inflate the variance) to estimates; or "
        "remove it: it is for trials, not for correlations.",
        "shared_control": "It is for tables with both arms of a comparison in one row: remove it; "
        "select(arms=...) counts no arm twice.",
    }
    if kind == "contrast":
        fixes["shared_control"] = (
            "Estimates do not tell how precise their control arm is: give the data of both arms, "
            "or keep one comparison of each trial."
        )
    for name in covariates:
        if name in fixes:
            what = "the reader keeps a column of this name, and cannot use this one"
            yield Problem(column=name, what=what, fix=fixes[name])


def _cluster_problems(
    sheet: Sheet, columns: list[str], numbers: dict[str, FloatArray]
) -> Iterator[Problem]:
    """Find design columns that make no design effect."""
    bounds = {
        "icc": (0.0, 1.0, "an intra-cluster correlation is from 0 to 1"),
        "cluster_size": (1.0, np.inf, "a mean cluster size is 1 or more"),
        "design_effect": (1.0, np.inf, "a design effect is 1 or more"),
    }
    blank = {column: blank_cells(sheet, column) for column in columns}
    for column in columns:
        low, high, what = bounds[column]
        for i, value in enumerate(numbers[column]):
            if i in sheet.cells.broken or blank[column][i]:
                continue
            if not low <= value <= high:
                yield sheet.at(i, column, what, "Correct it, or leave it empty.")
    for i in range(len(sheet.cells.frame)):
        empty = {column: bool(blank[column][i]) for column in columns}
        if i in sheet.cells.broken:
            continue
        if empty.get("icc", True) != empty.get("cluster_size", True):
            column = "icc" if empty.get("icc", True) else "cluster_size"
            what = "one of icc and cluster_size without the other"
            yield sheet.at(i, column if column in columns else None, what, "Give both, or none.")
        elif not empty.get("design_effect", True) and not empty.get("icc", True):
            what = "a design effect besides icc and cluster_size"
            yield sheet.at(i, "design_effect", what, "Give it, or the two that make it.")


def _arms_differ(sheet: Sheet, effect: FloatArray) -> Iterator[Problem]:
    """Find trials whose arms, one row each, have not one design effect."""
    if sheet.layout.wide or "arm" not in sheet.layout.labels:
        return
    first: dict[str, int] = {}
    for i in range(len(effect)):
        j = first.setdefault(sheet.text(i, "study"), i)
        if effect[i] != effect[j]:
            what = f"a design effect of {effect[i]:.4g}, but {effect[j]:.4g} in another arm"
            fix = "Give the icc and the mean cluster size of the whole trial in all its rows."
            yield sheet.at(i, None, what, fix)


def _unclear(sheet: Sheet) -> Iterator[Problem]:
    """Find cells of the column `unadjusted` that are neither yes nor no."""
    blank = blank_cells(sheet, "unadjusted")
    for i, text in enumerate(sheet.cells.frame["unadjusted"]):
        if text.lower() not in (*_YES, *_NO) and not blank[i]:
            what = "neither yes nor no"
            fix = "yes: the standard error ignores clusters and is to be inflated; no: it does not."
            yield sheet.at(i, "unadjusted", what, fix)


def _control_columns(sheet: Sheet) -> tuple[str, ...]:
    """Name the number columns of the control arm of a wide table."""
    if sheet.layout.arms:
        arm = sheet.layout.arms[1]
        return (arm.events, arm.n if arm.others is None else arm.others)
    return sheet.layout.groups[1]


def _unlike(sheet: Sheet, groups: Iterable[list[int]]) -> Iterator[Problem]:
    """Find rows of one control arm that do not agree about it, or about its clusters."""
    told = [name for name in _CLUSTER_COLUMNS if name in sheet.cells.frame]
    numbers = {**sheet.numbers, **parse_numbers(sheet.cells, told)}
    for rows in groups:
        for column in (*_control_columns(sheet), *told):
            cells = numbers[column]
            for i in rows[1:]:
                if not np.array_equal(cells[i], cells[rows[0]], equal_nan=True):
                    what = f"not as in study {sheet.text(rows[0], 'study')!r}, whose arm it is"
                    fix = "Correct it, or the label in shared_control."
                    yield sheet.at(i, column, what, fix)


def _may_share(sheet: Sheet) -> Iterator[str]:
    """Say which rows look like comparisons of one trial with one control arm."""
    if not sheet.layout.wide or "study" not in sheet.cells.written:
        return
    frame = sheet.cells.frame
    outcomes = frame["outcome"].tolist() if "outcome" in frame else [""] * len(frame)
    words = [text.split(maxsplit=1)[:1] for text in frame["study"].tolist()]
    cells = np.stack([sheet.numbers[column] for column in _control_columns(sheet)], axis=1).tolist()
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, (word, outcome, arm) in enumerate(zip(words, outcomes, cells, strict=True)):
        alike.setdefault((*word, outcome, *arm), []).append(i)
    for rows in alike.values():
        if len(rows) > 1:
            yield (
                f"{named_rows(sheet, rows)}: the same control arm twice? If so, say it in a column "
                "shared_control, or its patients count more than once"
            )
