"""What a study table must satisfy: one generator per rule, one tuple of rules per kind.

A rule sees the table as its author wrote it, so that it can name the author's own columns. A cell
that is no number is told once, by `numbers_readable`; it is NaN to the other rules, which are
written so that NaN never offends.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.printed import Printed
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.layouts import Layout

MISSING = ("", "na", "n/a", "nan", "none", "null", ".", "-", "?")
_LARGEST_COUNT = 2**53
_OFF_CENTRE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A table whose layout is known, with its numbers read.

    Attributes
    ----------
    cells : Cells
        Text of the table; its columns carry the names that the layout knows.
    layout : Layout
        How the table is written.
    numbers : DataFrame
        Number columns of the layout, float; NaN where a cell is not a plain finite number.
    """

    cells: Cells
    layout: Layout
    numbers: pd.DataFrame

    def at(self, i: int, column: str, what: str, fix: str) -> Problem:
        """Make a problem of the cell in row `i` of `column`."""
        frame = self.cells.frame
        return Problem(
            row=self.cells.places[i],
            place=self.cells.place,
            study=frame["study"].iloc[i] or None,
            column=column,
            value=frame[column].iloc[i] or None,
            what=what,
            fix=fix,
        )

    def place_of(self, i: int) -> str:
        """Name the place of row `i`, such as "line 4"."""
        return f"{self.cells.place} {self.cells.places[i]}"


type Rule = Callable[[Sheet], Iterator[Problem]]


def labels_present(sheet: Sheet) -> Iterator[Problem]:
    """Every row says its study, and its arm and outcome where the table has them."""
    for column in ("study", "arm", "outcome"):
        if column not in (*sheet.layout.labels, "study", "outcome"):
            continue
        if column in sheet.cells.frame:
            for i in np.flatnonzero(sheet.cells.frame[column] == ""):
                if i not in sheet.cells.broken:
                    yield sheet.at(i, column, "no label", "Repeat the label in every row.")


def rows_distinct(sheet: Sheet) -> Iterator[Problem]:
    """No study (and arm, and outcome) is given twice."""
    frame = sheet.cells.frame
    key = [name for name in ("study", *sheet.layout.labels[1:], "outcome") if name in frame]
    column, fix = "study", "Tell the studies apart in their labels, or remove the copy."
    if "arm" in sheet.layout.labels:
        column, fix = "arm", "Label each arm of a study apart, or add the rows up."
    first: dict[tuple[str, ...], int] = {}
    for i, label in enumerate(frame[key].itertuples(index=False, name=None)):
        if label in first and all(label):
            yield sheet.at(i, column, f"given twice (first in {sheet.place_of(first[label])})", fix)
        first.setdefault(label, i)


def numbers_readable(sheet: Sheet) -> Iterator[Problem]:
    """Every cell of a number column is a plain finite number."""
    for column in sheet.numbers:
        for i in np.flatnonzero(sheet.numbers[column].isna()):
            if i not in sheet.cells.broken:
                what, fix = _why_no_number(sheet.cells.frame[column].iloc[i])
                yield sheet.at(i, column, what, fix)


def counts_whole(sheet: Sheet) -> Iterator[Problem]:
    """Counts are whole and not negative."""
    for column in sheet.numbers:
        count = sheet.numbers[column]
        for i in np.flatnonzero(count < 0):
            yield sheet.at(i, column, "a negative count", "Counts start at 0.")
        for i in np.flatnonzero(count.notna() & (count >= 0) & (count % 1 != 0)):
            fix = "Give the number of patients, not a mean, a percentage or an adjusted count."
            yield sheet.at(i, column, "a fraction of a patient", fix)
        for i in np.flatnonzero(count > _LARGEST_COUNT):
            yield sheet.at(i, column, "too many patients to count", "Check the digits.")


def events_within_n(sheet: Sheet) -> Iterator[Problem]:
    """No arm has more events than patients."""
    for arm in sheet.layout.arms:
        if arm.others is None:
            events, n = sheet.numbers[arm.events], sheet.numbers[arm.n]
            for i in np.flatnonzero((events > n) & (n > 0)):
                what = f"more events than patients ({arm.n} = {sheet.cells.frame[arm.n].iloc[i]})"
                yield sheet.at(i, arm.events, what, "Are the columns swapped?")


def totals_agree(sheet: Sheet) -> Iterator[Problem]:
    """Where events, non-events and patients are all given, they add up."""
    for arm in sheet.layout.arms:
        if arm.others is not None and arm.n in sheet.numbers:
            total = sheet.numbers[arm.events] + sheet.numbers[arm.others]
            for i in np.flatnonzero((sheet.numbers[arm.n] - total).abs() > 0):
                what = f"{arm.events} + {arm.others} = {total.iloc[i]:g} is another number"
                yield sheet.at(i, arm.n, what, f"Correct one of them, or remove {arm.n}.")


def arms_not_empty(sheet: Sheet) -> Iterator[Problem]:
    """Every arm has patients."""
    for arm in sheet.layout.arms:
        column, n = arm.n, sheet.numbers.get(arm.n)
        if arm.others is not None:
            column, n = arm.events, sheet.numbers[arm.events] + sheet.numbers[arm.others]
        if n is not None:
            for i in np.flatnonzero(n == 0):
                yield sheet.at(i, column, "an arm without patients", "Correct it, or remove it.")


def arms_paired(sheet: Sheet) -> Iterator[Problem]:
    """A study has at least two arms (for every outcome that it reports)."""
    if sheet.layout.wide:
        return
    frame = sheet.cells.frame
    key = ["study", "outcome"] if "outcome" in frame else ["study"]
    arms: dict[tuple[str, ...], list[int]] = {}
    for i, label in enumerate(frame[key].itertuples(index=False, name=None)):
        arms.setdefault(label, []).append(i)
    for label, rows in arms.items():
        if len(rows) == 1 and all(label) and rows[0] not in sheet.cells.broken:
            fix = "Add the other arm's row; is the study spelt alike in both?"
            yield sheet.at(rows[0], "arm", "the only arm of this study", fix)


def spreads_positive(sheet: Sheet) -> Iterator[Problem]:
    """Standard errors and variances are above zero."""
    for column, name in (("se", "standard error"), ("sei", "standard error"), ("vi", "variance")):
        if column in sheet.numbers:
            spread = sheet.numbers[column]
            variance = spread if column == "vi" else spread**2
            for i in np.flatnonzero(spread < 0):
                yield sheet.at(i, column, f"a negative {name}", "Check the sign and the column.")
            for i in np.flatnonzero((spread >= 0) & (variance == 0)):
                what = f"a {name} of zero would give infinite weight"
                fix = "Derive it from the reported interval or p value, or remove the study."
                yield sheet.at(i, column, what, fix)
            for i in np.flatnonzero(np.isinf(variance)):
                yield sheet.at(i, column, f"too large a {name}", "Check the digits.")


def intervals_ordered(sheet: Sheet) -> Iterator[Problem]:
    """Intervals go from low to high and hold their estimate near the middle."""
    if "ci_low" not in sheet.layout.numbers:
        return
    estimate, low, high = (sheet.numbers[name] for name in ("estimate", "ci_low", "ci_high"))
    frame = sheet.cells.frame
    for i in np.flatnonzero((low >= high).to_numpy()):
        what = f"not below the upper limit ({frame['ci_high'].iloc[i]})"
        yield sheet.at(i, "ci_low", what, "Are the limits swapped?")
    outside = (low < high) & ((estimate < low) | (estimate > high))
    for i in np.flatnonzero(outside):
        what = f"outside its interval ({frame['ci_low'].iloc[i]} to {frame['ci_high'].iloc[i]})"
        yield sheet.at(i, "estimate", what, "Are two columns swapped?")
    off = (estimate - (low + high) / 2).abs() - _rounding(frame)
    for i in np.flatnonzero((off > _OFF_CENTRE * (high - low) / 2) & (low < high) & ~outside):
        what = "far from the middle of its interval, which is then not a Wald interval"
        fix = "Are these ratios? Give logarithms of all three. Otherwise give se."
        yield sheet.at(i, "estimate", what, fix)


COMMON_RULES: tuple[Rule, ...] = (labels_present, rows_distinct, numbers_readable)
BINARY_RULES: tuple[Rule, ...] = (
    *COMMON_RULES,
    counts_whole,
    events_within_n,
    totals_agree,
    arms_not_empty,
    arms_paired,
)
CONTRAST_RULES: tuple[Rule, ...] = (*COMMON_RULES, spreads_positive, intervals_ordered)


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
    rules = BINARY_RULES if sheet.layout.kind == "binary" else CONTRAST_RULES
    found = [*sheet.cells.problems, *(problem for rule in rules for problem in rule(sheet))]
    return sorted(found, key=lambda problem: -1 if problem.row is None else problem.row)


def _why_no_number(text: str) -> tuple[str, str]:
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


def _rounding(frame: pd.DataFrame) -> pd.Series:
    """Give how far rounding alone can move the estimate off the middle of its interval."""

    def half_unit(text: str) -> float:
        try:
            return Printed.parse(text).half_unit
        except ValueError:
            return np.nan

    estimate, low, high = (frame[name].map(half_unit) for name in ("estimate", "ci_low", "ci_high"))
    return estimate + (low + high) / 2
