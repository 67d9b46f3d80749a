"""Means tables whose rows give medians, quartiles or ranges where means are not reported."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.assemble import parse_numbers
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.derived import Derived, blank_cells, counted_rows
from bayesmeta.studies.layouts import find_layout
from bayesmeta.studies.medians.quantiles import (
    FiveNumbers,
    luo_mean,
    quantile_estimation,
    skewed,
    wan_shi_sd,
)
from bayesmeta.studies.reading import Conversion, Reading, unused
from bayesmeta.studies.rules import Sheet

DEFAULT: Conversion = "luo-wan"
SMALLEST = 5
_NAMES = {
    "luo-wan": "Luo 2018, Wan 2014, Shi 2020",
    "quantile-estimation": "quantile estimation, McGrath 2020",
}
_WAYS = "Give mean and sd, or median with q1 and q3, with min and max, or with all four"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOfFive:
    """Columns of one arm: mean, sd, n, and its five numbers."""

    mean: str
    sd: str
    n: str
    five: tuple[str, str, str, str, str]


ARMS = (
    ArmOfFive(mean="mean", sd="sd", n="n", five=("min", "q1", "median", "q3", "max")),
    ArmOfFive(mean="m1i", sd="sd1i", n="n1i", five=("min1i", "q1_1i", "med1i", "q3_1i", "max1i")),
    ArmOfFive(mean="m2i", sd="sd2i", n="n2i", five=("min2i", "q1_2i", "med2i", "q3_2i", "max2i")),
)


def with_blank_means(cells: Cells) -> Cells:
    """Give a table of medians the columns of a means table, empty, for `means_of_medians`."""
    frame = cells.frame
    if find_layout(frame.columns) is not None:
        return cells
    blank = {
        column: ""
        for arm in ARMS
        if arm.five[2] in frame and arm.n in frame
        for column in (arm.mean, arm.sd)
        if column not in frame
    }
    return replace(cells, frame=frame.assign(**blank)) if blank else cells


def means_of_medians(sheet: Sheet, reading: Reading) -> Derived:
    """Fill in means and standard deviations where five numbers, or three of them, are given.

    Parameters
    ----------
    sheet : Sheet
        A table of means.
    reading : Reading
        Its `conversion` names the method; None is "luo-wan".

    Returns
    -------
    Derived
        Cells with a number stay as they are.
    """
    method = reading.conversion or DEFAULT
    frame = sheet.cells.frame
    arms = [arm for arm in ARMS if arm.mean in sheet.numbers and {*arm.five} & {*frame.columns}]
    parts = [_of_arm(sheet, arm, method) for arm in arms if sheet.layout.kind == "means"]
    converted = [part for part in parts if any(part.told) or part.problems]
    if reading.conversion is not None and not converted:
        why = "no row has a median in place of a mean"
        return Derived(problems=(unused(reading, "conversion", why),))
    rows = sorted({i for part in converted for i, text in enumerate(part.told) if text})
    told = [
        "; ".join(filter(None, texts)) for texts in zip(*(p.told for p in converted), strict=True)
    ]
    note = f"made out of medians ({_NAMES[method]}): means or sds of {counted_rows(sheet, rows)}"
    return Derived(
        numbers={name: column for part in converted for name, column in part.numbers.items()},
        used=frozenset().union(*(part.used for part in converted)),
        told=tuple(told),
        notes=(*([note] if rows else []), *(text for part in converted for text in part.notes)),
        problems=tuple(problem for part in converted for problem in part.problems),
    )


def _of_arm(sheet: Sheet, arm: ArmOfFive, method: Conversion) -> Derived:
    """Convert the rows of one arm that lack a mean or a standard deviation."""
    frame, n = sheet.cells.frame, sheet.numbers[arm.n]
    there = [name for name in arm.five if name in frame]
    parsed = parse_numbers(sheet.cells, there)
    values = [parsed.get(name, np.full(len(frame), np.nan)) for name in arm.five]
    blank = {name: blank_cells(sheet, name) for name in (arm.mean, arm.sd, *arm.five)}
    told_any = ~np.all([blank[name] for name in arm.five], axis=0)
    wanted = np.flatnonzero((blank[arm.mean] | blank[arm.sd]) & told_any)
    lacking = [i for i in map(int, wanted) if i not in sheet.cells.broken]
    problems = {
        i: p for i in lacking for p in _problems(sheet, arm, i, [x[i] for x in values], blank)
    }
    rows = [i for i in lacking if i not in problems and n[i] >= SMALLEST]
    x = FiveNumbers(**dict(zip(("low", "q1", "median", "q3", "high"), np.array(values)[:, rows],
                               strict=True)), n=n[rows])  # fmt: skip
    mean, sd, families = _converted(x, method)
    told, notes = [""] * len(frame), []
    numbers = {name: sheet.numbers[name].copy() for name in (arm.mean, arm.sd)}
    for made, (i, family) in enumerate(zip(rows, families, strict=True)):
        made_of = [name for name in (arm.mean, arm.sd) if blank[name][i]]
        for name, value in ((arm.mean, mean[made]), (arm.sd, sd[made])):
            if name in made_of:
                numbers[name][i] = value
        given = ", ".join(name for name in there if not blank[name][i])
        told[i] = f"{' and '.join(made_of)} made out of {given} ({family}, {_NAMES[method]})"
    for i in problems:  # the table is refused: do not say as well that the mean is missing
        for name in (arm.mean, arm.sd):
            numbers[name][i] = 1.0
    by_normal = skewed(x) & (np.array(families) == "normal")
    if by_normal.any():
        doubtful = [rows[j] for j in map(int, np.flatnonzero(by_normal))]
        notes.append(
            "the numbers around the median are skewed (Shi 2023), which a conversion for normal "
            f"data does not allow for, in {counted_rows(sheet, doubtful)}"
            + ("" if method != DEFAULT else "; compare conversion='quantile-estimation'")
        )
    return Derived(
        numbers=numbers,
        used=frozenset(there) if lacking else frozenset(),
        told=tuple(told),
        notes=tuple(notes),
        problems=tuple(problems.values()),
    )


def _converted(
    x: FiveNumbers, method: Conversion
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Give means, standard deviations, and the distribution that made each."""
    if method == "luo-wan":
        return luo_mean(x), wan_shi_sd(x), ("normal",) * len(x.n)
    fitted = quantile_estimation(x)
    return fitted.mean, fitted.sd, fitted.family


def _problems(
    sheet: Sheet,
    arm: ArmOfFive,
    i: int,
    values: list[float],
    blank: Mapping[str, NDArray[np.bool_]],
) -> Iterator[Problem]:
    """Say why five numbers of a row cannot be converted; the first reason only."""
    known = [(name, x) for name, x in zip(arm.five, values, strict=True) if not np.isnan(x)]
    unreadable = [
        name for name, x in zip(arm.five, values, strict=True) if np.isnan(x) and not blank[name][i]
    ]
    low, q1, median, q3, high = (not np.isnan(x) for x in values)
    falling = [b for (a, x), (b, y) in pairwise(known) if y < x]
    if unreadable:
        what = "text where a number is needed"
        yield sheet.at(i, unreadable[0], what, "Write a plain number such as 12 or 0.35.")
    elif not median or low != high or q1 != q3 or not (low or q1):
        yield sheet.at(i, arm.five[2], "too few numbers to make a mean and an sd of", f"{_WAYS}.")
    elif falling:
        what = "minimum, quartiles, median and maximum do not rise in this order"
        yield sheet.at(i, falling[0], what, "Are the columns swapped?")
    elif known[0][1] == known[-1][1] or (q1 and values[1] == values[3]):
        what = "no spread about the median, so that the sd would be zero"
        yield sheet.at(i, arm.five[2], what, "Find the sd elsewhere, or remove the study.")
    elif sheet.numbers[arm.n][i] < SMALLEST:
        what = f"fewer than {SMALLEST} patients are too few to make a mean of a median"
        yield sheet.at(i, arm.n, what, "Find mean and sd elsewhere, or remove the study.")
