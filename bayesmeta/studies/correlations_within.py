"""The correlation of two measurements of one person: told, worked out, or assumed."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from bayesmeta.errors import Problem
from bayesmeta.studies.assemble import parse_numbers
from bayesmeta.studies.derived import Derived, blank_cells, counted_rows
from bayesmeta.studies.reading import Reading, unused
from bayesmeta.studies.rules import LARGEST_NUMBER, Sheet

_WAYS = (
    "Give it in a column r; or sd_change, t or p of the paired comparison, from which it follows; "
    "or assume one for all studies that tell none: read_studies(..., correlation=0.5)."
)
_LARGEST = 1 - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A column that tells the correlation, and how the notes say it."""

    columns: tuple[str, ...]
    told: str


SOURCES = {
    "r": Source(columns=("r", "ri"), told=""),
    "sd_change": Source(columns=("sd_change",), told="the sd of the change"),
    "t": Source(columns=("t", "ti"), told="the paired t"),
    "p": Source(columns=("p", "pi"), told="the paired p"),
}
PAIRED_COLUMNS = tuple(column for source in SOURCES.values() for column in source.columns)


def correlation_of_change(sd1: float, sd2: float, sd_change: float) -> float:
    """Give the correlation of two measurements, from their SDs and the SD of the change.

    Parameters
    ----------
    sd1, sd2, sd_change : float
        Standard deviations in the unit of the outcome.

    Returns
    -------
    float
        (sd1^2 + sd2^2 - sd_change^2) / (2 sd1 sd2); outside [-1, 1] if they cannot belong together.

    References
    ----------
    Higgins et al. (eds), Cochrane Handbook for Systematic Reviews of Interventions, 6.5.2.8.

    Examples
    --------
    >>> round(correlation_of_change(6.4, 7.1, 4.5), 4)
    0.7826
    """
    return (sd1**2 + sd2**2 - sd_change**2) / (2 * sd1 * sd2)


def sd_of_change(change: float, n: float, t: float) -> float:
    """Give the standard deviation of a change, from its mean and the t of the paired test.

    Examples
    --------
    >>> sd_of_change(2.0, 16, 4.0)
    2.0
    """
    return float(abs(change / t) * n**0.5)


def within_correlations(sheet: Sheet, reading: Reading) -> Derived:
    """Give the correlation of every row of a table of pairs.

    Parameters
    ----------
    sheet : Sheet
        A table of two measurements of the same persons.
    reading : Reading
        Its `correlation` is assumed where a row tells none.

    Returns
    -------
    Derived
        A number column "r".
    """
    assumed = reading.correlation
    if not sheet.layout.kind.startswith("paired"):
        if assumed is None:
            return Derived()
        why = "this table does not hold two measurements of one person"
        return Derived(problems=(unused(reading, "correlation", why),))
    frame = sheet.cells.frame
    there = [column for column in PAIRED_COLUMNS if column in frame]
    parsed = parse_numbers(sheet.cells, there)
    blank = {column: blank_cells(sheet, column) for column in there}
    r = np.full(len(frame), np.nan)
    problems, told, assumed_rows = [], [""] * len(frame), []
    told_rows: dict[str, list[int]] = {}
    for i in range(len(frame)):
        if i in sheet.cells.broken:
            continue
        found = next((c for c in there if not blank[c][i]), None)
        if found is None and assumed is None:
            problems.append(sheet.at(i, None, "the correlation of the two measurements is not "
                                              "known", _WAYS))  # fmt: skip
        elif found is None:
            r[i], told[i] = assumed, f"correlation {assumed:g} assumed"
            assumed_rows.append(i)
        else:
            source = next(key for key, value in SOURCES.items() if found in value.columns)
            r[i], fault = _from(sheet, i, found, source, float(parsed[found][i]))
            if fault is not None:
                problems.append(fault)
            elif source != "r":
                told[i] = f"correlation {r[i]:.3g} from {SOURCES[source].told}"
                told_rows.setdefault(source, []).append(i)
    notes = [
        f"correlation worked out from {SOURCES[source].told} in {counted_rows(sheet, rows)}"
        for source, rows in told_rows.items()
    ]
    if assumed_rows:
        notes.append(f"correlation {assumed:g} assumed in {counted_rows(sheet, assumed_rows)}")
    return Derived(
        numbers={"r": np.where(np.isnan(r), 0.0, r)},
        used=frozenset(there),
        told=tuple(told),
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _from(
    sheet: Sheet, i: int, column: str, source: str, value: float
) -> tuple[float, Problem | None]:
    """Give the correlation that a cell tells, and why it tells none."""
    post, sd1, pre, sd2, n = (sheet.numbers[name][i] for name in sheet.layout.groups[0][:5])
    known = min(sd1, sd2) * LARGEST_NUMBER > 1 and n >= 2 and _measurable(post, pre, sd1, sd2)

    def at(what: str, fix: str) -> tuple[float, Problem]:
        return 0.0, sheet.at(i, column, what, fix)

    if np.isnan(value):
        return at(
            "no plain number", "Write one such as 0.35; a bound such as <0.05 tells too little."
        )
    if source == "r":
        if not -1 < value < 1:
            return at("no correlation: it is outside (-1, 1)", "Check the digits.")
        return value, None
    if not known:
        return 0.0, None  # the other cells of the row are told by the rules
    if value != 0 and not _measurable(value, 1 / value):
        return at("a number beyond measure", "Check the digits.")
    if source == "p":
        if not 0 < value < 1:
            return at("no p value between 0 and 1", "Check the digits.")
        value = -float(stdtrit(n - 1, value / 2))
    if source != "sd_change":
        if post == pre or value == 0:
            what = "a change of 0 has t = 0 whatever the correlation is"
            return at(what, "Give r or sd_change instead.")
        value = sd_of_change(post - pre, n, value)
    if value <= 0:
        return at("a standard deviation that is not above 0", "Check the digits.")
    r = correlation_of_change(sd1, sd2, value)
    if not -_LARGEST < r < _LARGEST:
        what = (
            f"with these standard deviations the correlation would be {r:.3g}, outside (-1, 1): "
            "probably a misprint"
        )
        return at(what, "Check mean, sd, n and this number against the report (se or sd?).")
    return r, None


def _measurable(*values: float) -> bool:
    """Say that these are numbers, none so large that its square may overflow."""
    return all(abs(value) < LARGEST_NUMBER for value in values)  # false for nan
