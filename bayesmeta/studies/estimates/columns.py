"""Which columns of a table hold estimates and what says how precise they are, and on what scale."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.estimates.spellings import (
    RATIO_MEASURES,
    SPELLINGS,
    Part,
    is_error_of_measure,
    limit_of,
    measure_of,
    plain,
)
from bayesmeta.studies.layouts import Layout
from bayesmeta.studies.reading import ContrastScale, Reading, as_level, unused
from bayesmeta.studies.rules import MISSING

_DEFAULT_LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateColumns:
    """A table of estimates: its columns, and how its numbers are meant.

    Attributes
    ----------
    estimate : str
        Column of the estimates.
    se, variance, ci_low, ci_high, p, level : str or None
        Columns of standard errors and variances on the analysis scale, limits, two-sided
        p-values and coverages, where the table has them.
    measure : str or None
        What the estimates measure, where it is said.
    scale : {"analysis", "ratio"}
        Scale of estimates and limits.
    coverage : float
        Of the intervals, where no column tells it.
    """

    estimate: str
    se: str | None = None
    variance: str | None = None
    ci_low: str | None = None
    ci_high: str | None = None
    p: str | None = None
    level: str | None = None
    measure: str | None = None
    scale: ContrastScale = "analysis"
    coverage: float = _DEFAULT_LEVEL

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are used, the estimate's first."""
        parts = (getattr(self, part) for part in SPELLINGS)
        return tuple(column for column in parts if column is not None)

    @property
    def interval(self) -> bool:
        """The table has intervals."""
        return self.ci_low is not None

    @property
    def told(self) -> str:
        """How the notes say it."""
        what = f"{self.estimate} (ratios, turned into logarithms)" if self.ratio else self.estimate
        sources = []
        if self.se is not None:
            of = " of the logarithm" if self.ratio else ""
            sources.append(f"its standard error {self.se}{of}")
        if self.variance is not None:
            of = " of the logarithm" if self.ratio else ""
            sources.append(f"its sampling variance {self.variance}{of}")
        text = f"read as one contrast per study: {what}"
        text += f" and {', '.join(sources)}" if sources else ""
        if self.interval:
            low, high = self.ci_low, self.ci_high
            ends = f"log {high} - log {low}" if self.ratio else f"{high} - {low}"
            wald = f"{100 * self.coverage:g}%" if self.level is None else f"({self.level})"
            z = f"{ndtri((1 + self.coverage) / 2):.6f}" if self.level is None else "z"
            text += "; " if sources else " with "
            text += f"{low}, {high} taken as its Wald {wald} interval, so that "
            text += f"se = ({ends}) / (2 x {z})"
        if self.p is not None:
            size = f"|log {self.estimate}|" if self.ratio else f"|{self.estimate}|"
            text += "; " if sources or self.interval else " with "
            text += f"{self.p} taken as its two-sided Wald p-value, so that se = {size} / z"
        several = bool(sources) + self.interval + (self.p is not None) > 1
        return text + ("; the first of these that a row gives is used" if several else "")

    @property
    def ratio(self) -> bool:
        """Estimates and limits are ratios."""
        return self.scale == "ratio"


def find_estimates(cells: Cells, reading: Reading) -> EstimateColumns | None:
    """Find the columns of a table of estimates; None if it is none.

    Parameters
    ----------
    cells : Cells
        The table.
    reading : Reading
        What the user told.

    Returns
    -------
    EstimateColumns or None
        None without a column of estimates, or without one for their precision.
    """
    parts, level = _parts(list(cells.frame.columns))
    estimate = parts.pop("estimate", None)
    named = [name for name in cells.frame.columns if measure_of(name) is not None]
    if estimate is None:
        estimate = named[0] if named else None
    precise = {"se", "variance", "ci_low", "p"} & set(parts)
    if estimate is None or not precise:
        return None
    said = measure_of(reading.columns.get(estimate, estimate))
    measure, scale = said if said is not None else (None, None)
    if parts.get("ci_low") is None:
        parts.pop("level", None)  # a level of nothing is a covariate
    return EstimateColumns(
        estimate=estimate,
        measure=reading.measure or measure,
        scale=reading.scale or scale or "analysis",
        coverage=reading.level or level or _DEFAULT_LEVEL,
        **parts,
    )


def imprecise(cells: Cells) -> Problem | None:
    """Say that a table has estimates, and nothing like a column of their precision."""
    names = list(cells.frame.columns)
    words = [name for name in names if len(name) > 1]  # d alone may be a cell of a 2x2 table
    found = _parts(names)[0].get("estimate") or next(filter(measure_of, words), None)
    if found is None or any(map(limit_of, names)):
        return None
    what = f"the columns {', '.join(names)} fit no known layout: {found} holds estimates, and no "
    what += "column says how precise they are"
    fix = (
        "Add se, vi, ci_low and ci_high (each limit in a column of its own) or p; or tell which "
        "columns these are: columns={'ci_low': 'from', 'ci_high': 'to'}."
    )
    return Problem(what=what, fix=fix)


def contradictions(cells: Cells, columns: EstimateColumns, reading: Reading) -> Iterator[Problem]:
    """Find what the user and the names of the columns say against each other."""
    said = measure_of(reading.columns.get(columns.estimate, columns.estimate))
    if said is not None and reading.measure not in (None, said[0]):
        what = f"named after {said[0]}, but measure = {reading.measure!r} was told"
        fix = "Leave measure out, or rename the column."
        yield Problem(column=columns.estimate, what=what, fix=fix)
    if columns.ratio and columns.measure is not None and columns.measure not in RATIO_MEASURES:
        what = f"{columns.measure} is no ratio"
        yield Problem(value="scale = 'ratio'", what=what, fix="Leave scale out.")
    named = [name for name in cells.frame.columns if measure_of(name) is not None]
    if said is not None and len(named) > 1:
        what = f"several columns hold estimates: {', '.join(named)}"
        fix = f"Name the one to read: columns={{'estimate': {named[0]!r}}}, or remove the others."
        yield Problem(what=what, fix=fix)
    level = _parts(list(cells.frame.columns))[1]
    if reading.level is not None and columns.interval:
        if columns.level is not None:
            what = f"the table has a column of levels, and level = {reading.level:g} was told"
            yield Problem(column=columns.level, what=what, fix="Give one of the two.")
        elif level is not None and abs(level - reading.level) > 1e-9:
            what = f"its name says {100 * level:g}%, and level = {reading.level:g} was told"
            yield Problem(column=columns.ci_low, what=what, fix="Leave level out.")


def unasked(reading: Reading, layout: Layout, columns: EstimateColumns | None) -> Iterator[Problem]:
    """Find what was told about estimates, where the table has none or no intervals."""
    if columns is None:
        for name in ("measure", "scale", "level"):
            if getattr(reading, name) is not None:
                yield unused(reading, name, f"these are no estimates (read as {layout.kind})")
    elif reading.level is not None and not columns.interval:
        yield unused(reading, "level", "there are no intervals")


def coverages(cells: Cells, columns: EstimateColumns) -> tuple[FloatArray, list[int]]:
    """Give the coverage of every row's interval, and the rows where it is none.

    An empty cell means the coverage of the table. ``90``, ``90%`` and ``0.9`` are the same.
    """
    coverage = np.full(len(cells.frame), columns.coverage)
    wrong = []
    if columns.level is not None:
        for i, text in enumerate(cells.frame[columns.level]):
            if text.lower() not in MISSING and i not in cells.broken:
                try:
                    coverage[i] = as_level(float(text.removesuffix("%")))
                except ValueError:
                    wrong.append(i)
    return coverage, wrong


def _parts(names: list[str]) -> tuple[dict[Part, str], float | None]:
    """Give the column of each part by the spellings that come first, and the level in a name."""
    by_name: dict[str, str] = {}
    for name in names:
        by_name.setdefault(plain(name), name)
    found: dict[Part, str] = {}
    for part, spellings in SPELLINGS.items():
        for spelling in spellings:
            if spelling in by_name:
                found[part] = by_name[spelling]
                break
    if "se" not in found:
        named = [name for name in names if is_error_of_measure(name)]
        found |= {"se": named[0]} if named else {}
    levels = []
    for name in names:
        limit = limit_of(name)
        if limit is not None and limit[0] not in found:
            found[limit[0]] = name
        if limit is not None and limit[1] is not None and found[limit[0]] == name:
            levels.append(limit[1])
    if ("ci_low" in found) != ("ci_high" in found) or len(set(levels)) > 1:
        found.pop("ci_low", None)
        found.pop("ci_high", None)
    return found, levels[0] if levels and "ci_low" in found else None
