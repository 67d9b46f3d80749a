"""What a study table must satisfy: one generator per rule, one tuple of rules per kind.

A rule sees the table as its author wrote it, so that it can name the author's own columns. A cell
that is no number is told once, by `numbers_unreadable`; to the other rules it is NaN, which
compares false with everything and so offends none of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.kinds import SETS
from bayesmeta.studies.layouts import Layout, LayoutKind

MISSING = ("", "na", "n/a", "nan", "none", "null", ".", "-", "?")
_LARGEST_COUNT = 2**53
LARGEST_NUMBER = 1e100  # beyond it, or below its inverse, squares may overflow
_MEASURED = (
    *("mean", "sd", "m1i", "sd1i", "m2i", "sd2i", "time", "t1i", "t2i", "ti", "ri"),
    *("mean_post", "sd_post", "mean_pre", "sd_pre", "r"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A table whose layout is known, with its numbers read.

    Attributes
    ----------
    cells : Cells
        Text of the table; its columns carry the names that the layout knows.
    layout : Layout
        How the table is written.
    numbers : mapping of str to (row,)
        Number columns; NaN where a cell is no plain finite number.
    """

    cells: Cells
    layout: Layout
    numbers: Mapping[str, FloatArray]

    def text(self, i: int, column: str) -> str:
        """Give a cell as it was written."""
        frame = self.cells.frame
        return str(frame[column].iloc[i]) if column in frame else ""

    def at(self, i: int, column: str | None, what: str, fix: str) -> Problem:
        """Make a problem of the cell in row `i` of `column`, or of the whole row."""
        return Problem(
            row=self.cells.places[i],
            place=self.cells.place,
            study=self.text(i, "study") or None,
            column=column,
            value=None if column is None else self.text(i, column) or None,
            what=what,
            fix=fix,
        )

    def whole_rows(self, where: NDArray[np.bool_]) -> list[int]:
        """Give the rows where a condition holds, without those that lack or exceed cells."""
        return [i for i in _rows(where) if i not in self.cells.broken]


type Rule = Callable[[Sheet], Iterator[Problem]]


def labels_missing(sheet: Sheet) -> Iterator[Problem]:
    """Find rows that do not say their study, arm or outcome."""
    for column in dict.fromkeys(("study", *sheet.layout.labels, "outcome")):
        if column in sheet.cells.frame:
            for i in sheet.whole_rows((sheet.cells.frame[column] == "").to_numpy()):
                yield sheet.at(i, column, "no label", "Give one in every row.")


def rows_repeated(sheet: Sheet) -> Iterator[Problem]:
    """Find studies (and arms, and outcomes) that are given twice."""
    column = "arm" if "arm" in sheet.layout.labels else None
    fix = "Tell the studies apart in their labels, or remove the copy."
    if column is not None:
        fix = "Label each arm of a study apart, or add the rows up."
    elif sheet.layout.wide:
        fix += (
            " Comparisons of one trial with one control arm: label them apart and give them one "
            "label in a column shared_control."
        )
    labels = ("study", *sheet.layout.labels, "outcome")
    named = len([name for name in dict.fromkeys(labels) if name in sheet.cells.frame])
    for label, rows in _grouped(sheet, (*labels, *SETS)):
        if all(label[:named]):
            what = f"given twice (first in {sheet.cells.place} {sheet.cells.places[rows[0]]})"
            for i in rows[1:]:
                yield sheet.at(i, column, what, fix)


def numbers_unreadable(sheet: Sheet) -> Iterator[Problem]:
    """Find cells of number columns that are no plain finite number."""
    for column, number in sheet.numbers.items():
        for i in sheet.whole_rows(np.isnan(number)):
            yield sheet.at(i, column, *why_no_number(sheet.text(i, column)))


def counts_not_whole(sheet: Sheet) -> Iterator[Problem]:
    """Find counts that are negative, fractional or beyond counting."""
    for column in sheet.numbers:
        if not _counts(sheet.layout, column):
            continue
        count = sheet.numbers[column]
        for i in _rows(count < 0):
            yield sheet.at(i, column, "a negative count", "Counts start at 0.")
        for i in _rows((count > 0) & (count % 1 > 0)):
            fix = "Give the number of patients, not a mean, a percentage or an adjusted count."
            yield sheet.at(i, column, "a fraction of a patient", fix)
        for i in _rows(count > _LARGEST_COUNT):
            yield sheet.at(i, column, "too many patients to count", "Check the digits.")


def events_exceed_n(sheet: Sheet) -> Iterator[Problem]:
    """Find arms with more events than patients."""
    for arm in sheet.layout.arms:
        if arm.others is None:
            n = sheet.numbers[arm.n]
            for i in _rows((sheet.numbers[arm.events] > n) & (n > 0)):
                what = f"more events than patients ({arm.n} = {sheet.text(i, arm.n)})"
                yield sheet.at(i, arm.events, what, "Are the columns swapped?")


def totals_disagree(sheet: Sheet) -> Iterator[Problem]:
    """Find arms whose events and non-events do not add up to their patients."""
    for arm in sheet.layout.arms:
        if arm.others is not None and arm.n in sheet.numbers:
            total = sheet.numbers[arm.events] + sheet.numbers[arm.others]
            for i in _rows(np.abs(sheet.numbers[arm.n] - total) > 0):
                what = f"but {arm.events} + {arm.others} = {total[i]:g}"
                yield sheet.at(i, arm.n, what, f"Correct one of them, or remove {arm.n}.")


def arms_empty(sheet: Sheet) -> Iterator[Problem]:
    """Find arms without patients."""
    for arm in sheet.layout.arms:
        if arm.others is None:
            column, n = arm.n, sheet.numbers[arm.n]
        else:
            column, n = arm.events, sheet.numbers[arm.events] + sheet.numbers[arm.others]
        for i in _rows(n == 0):
            yield sheet.at(i, column, "an arm without patients", "Correct or remove the study.")


def groups_exceeded(sheet: Sheet) -> Iterator[Problem]:
    """Find single groups that are empty, or with more events than persons."""
    for events, n in sheet.layout.groups:
        for i in _rows((sheet.numbers[events] > sheet.numbers[n]) & (sheet.numbers[n] > 0)):
            what = f"more events than patients ({n} = {sheet.text(i, n)})"
            yield sheet.at(i, events, what, "Are the columns swapped?")
        for i in _rows(sheet.numbers[n] == 0):
            yield sheet.at(i, n, "a group without patients", "Correct or remove the study.")


def deviations_unfit(sheet: Sheet) -> Iterator[Problem]:
    """Find standard deviations that are not above zero, or whose arm has no two patients."""
    for mean, sd, n in _samples(sheet.layout):
        for i in _rows(sheet.numbers[sd] < 0):
            yield sheet.at(i, sd, "a negative standard deviation", "Check the column.")
        for i in _rows(sheet.numbers[sd] == 0):
            fix = "Derive it from the reported standard error or interval, or remove the study."
            yield sheet.at(i, sd, "a standard deviation of zero gives infinite weight", fix)
        for i in _rows((sheet.numbers[n] >= 0) & (sheet.numbers[n] < 2)):
            what = "an arm of fewer than 2 patients has no standard deviation"
            yield sheet.at(i, n, what, "Correct or remove the study.")
        for column in (mean, sd):
            for i in _rows(np.abs(sheet.numbers[column]) > LARGEST_NUMBER):
                yield sheet.at(i, column, "too large a number", "Check the digits.")
        for i in _rows((sheet.numbers[sd] > 0) & (sheet.numbers[sd] < 1 / LARGEST_NUMBER)):
            yield sheet.at(i, sd, "too small a standard deviation", "Check the digits.")


def times_not_positive(sheet: Sheet) -> Iterator[Problem]:
    """Find arms without person-time."""
    for _, time in sheet.layout.groups:
        for i in _rows(sheet.numbers[time] <= 0):
            yield sheet.at(i, time, "no person-time", "Correct or remove the study.")
        far = (sheet.numbers[time] > LARGEST_NUMBER) | (sheet.numbers[time] < 1 / LARGEST_NUMBER)
        for i in _rows(far & (sheet.numbers[time] > 0)):
            yield sheet.at(i, time, "a person-time beyond measure", "Check the digits.")


def correlations_unfit(sheet: Sheet) -> Iterator[Problem]:
    """Find correlations outside (-1, 1), or of fewer than 4 pairs."""
    for r, n in sheet.layout.groups:
        for i in _rows(np.abs(sheet.numbers[r]) > 1):
            yield sheet.at(i, r, "no correlation: it is outside (-1, 1)", "Check the digits.")
        for i in _rows(np.abs(sheet.numbers[r]) == 1):
            fix = "Give more digits, or remove the study."
            yield sheet.at(i, r, "a correlation of 1 or -1 has no variance", fix)
        for i in _rows((sheet.numbers[n] >= 0) & (sheet.numbers[n] < 4)):
            what = "a correlation of fewer than 4 pairs has no variance"
            yield sheet.at(i, n, what, "Correct or remove the study.")


def arms_single(sheet: Sheet) -> Iterator[Problem]:
    """Find studies that report one arm only."""
    if sheet.layout.wide or "arm" not in sheet.layout.labels:
        return
    for label, rows in _grouped(sheet, ("study", "outcome")):
        if len(rows) == 1 and all(label) and rows[0] not in sheet.cells.broken:
            fix = "Add the other arm's row; is the study spelt alike in both?"
            yield sheet.at(rows[0], "arm", "the only arm of this study", fix)


COMMON_RULES: tuple[Rule, ...] = (labels_missing, rows_repeated, numbers_unreadable)
BINARY_RULES: tuple[Rule, ...] = (
    *COMMON_RULES,
    counts_not_whole,
    events_exceed_n,
    totals_disagree,
    arms_empty,
    arms_single,
)
MEANS_RULES: tuple[Rule, ...] = (*COMMON_RULES, counts_not_whole, deviations_unfit, arms_single)
RATES_RULES: tuple[Rule, ...] = (*COMMON_RULES, counts_not_whole, times_not_positive, arms_single)
SINGLE_RULES: tuple[Rule, ...] = (
    *COMMON_RULES,
    counts_not_whole,
    totals_disagree,
    arms_empty,
    groups_exceeded,
)
CORRELATION_RULES: tuple[Rule, ...] = (*COMMON_RULES, counts_not_whole, correlations_unfit)
CONTRAST_RULES: tuple[Rule, ...] = (labels_missing, rows_repeated)  # numbers: estimate_rules

RULES: dict[LayoutKind, tuple[Rule, ...]] = {
    "binary": BINARY_RULES,
    "means": MEANS_RULES,
    "rates": RATES_RULES,
    "single": SINGLE_RULES,
    "single_rates": (*COMMON_RULES, counts_not_whole, times_not_positive),
    "paired": MEANS_RULES,
    "paired arms": MEANS_RULES,
    "correlation": CORRELATION_RULES,
    "contrast": CONTRAST_RULES,
}


def problems_of(sheet: Sheet) -> list[Problem]:
    """Collect what every rule has to say, in the order of the table.

    Parameters
    ----------
    sheet : Sheet
        A table with a known layout.

    Returns
    -------
    list of Problem
        Problems of the shape first, then by row.
    """
    found = [
        *sheet.cells.problems,
        *(problem for rule in RULES[sheet.layout.kind] for problem in rule(sheet)),
    ]
    return sorted(
        dict.fromkeys(found), key=lambda problem: -1 if problem.row is None else problem.row
    )


def _samples(layout: Layout) -> Iterator[tuple[str, str, str]]:
    """Give the columns of mean, standard deviation and size of every sample in a row."""
    for *means, n in (group[:5] for group in layout.groups):
        yield from ((mean, sd, n) for mean, sd in zip(means[::2], means[1::2], strict=True))


def _counts(layout: Layout, column: str) -> bool:
    """Say whether a number column of this layout holds counts."""
    return layout.kind == "binary" or column not in _MEASURED


def why_no_number(text: str) -> tuple[str, str]:
    """Say why a cell is no plain finite number, and what to do."""
    if text.lower() in MISSING:
        return "no number", "Fill it in, or remove the study."
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return "a comma in a number", "Write decimals with a point and thousands without a mark."
    if re.fullmatch(r"[+-]?inf(inity)?|[+-]?∞", text.lower()):
        return "an infinite number", "Give raw counts, which need no finite estimate, or remove it."
    if re.fullmatch(r"[<>]\s*[\d.]+", text):
        return "a bound, not a number", "Give the number itself."
    if "\N{MINUS SIGN}" in text or "\N{EN DASH}" in text:
        return "a typographic dash in a number", "Write the minus sign as -."
    return "text where a number is needed", "Write a plain number such as 12 or 0.35."


def _rows(where: NDArray[np.bool_]) -> list[int]:
    return [int(i) for i in np.flatnonzero(where)]


def _grouped(sheet: Sheet, labels: Iterable[str]) -> list[tuple[tuple[str, ...], list[int]]]:
    """Group the rows by those of the label columns that the table has."""
    frame = sheet.cells.frame
    key = [name for name in dict.fromkeys(labels) if name in frame]
    groups: dict[tuple[str, ...], list[int]] = {}
    for i, label in enumerate(frame[key].itertuples(index=False, name=None)):
        groups.setdefault(label, []).append(i)
    return list(groups.items())
