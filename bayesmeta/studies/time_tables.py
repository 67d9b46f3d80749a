"""Tables over time: responses at visits, and numbers at risk between visits."""

from dataclasses import dataclass

import numpy as np

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.plain_table import Source, missing_columns, numbers_of, read_cells, refuse


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responses:
    """Events out of persons seen, at each time.

    Attributes
    ----------
    group : tuple of str
        One label per row; "" where the table has no groups.
    time, events, n : (row,)
    source : str
    """

    group: tuple[str, ...]
    time: FloatArray
    events: FloatArray
    n: FloatArray
    source: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LifeTable:
    """Persons at risk at the start of intervals, and events within.

    Attributes
    ----------
    group : tuple of str
        One label per row; "" where the table has no groups.
    start, end, at_risk, events : (row,)
        Each group's intervals follow each other; `at_risk` is nan where it is not known.
    source : str
    """

    group: tuple[str, ...]
    start: FloatArray
    end: FloatArray
    at_risk: FloatArray
    events: FloatArray
    source: str


def read_responses(source: Source) -> Responses:
    """Read a table with the columns time, events and n, and group where there are several.

    Raises
    ------
    StudyTableError
        With every problem: missing columns, cells that are no counts, more events than persons, a
        time given twice.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"time": [3, 6], "events": [21, 19], "n": [29, 25]})
    >>> read_responses(table).events.tolist()
    [21.0, 19.0]
    """
    cells = read_cells(source)
    refuse(cells, missing_columns(cells, ("time", "events", "n")))
    (time, bad), (events, worse), (n, worst) = (
        numbers_of(cells, name, whole=name != "time") for name in ("time", "events", "n")
    )
    problems = [*bad, *worse, *worst]
    group = _groups(cells)
    for i in range(len(time)):
        if events[i] > n[i]:
            problems.append(_at(cells, i, "events", f"more events than persons (n = {n[i]:g})"))
        if n[i] == 0:
            problems.append(_at(cells, i, "n", "nobody was seen", "Leave the row out."))
        if any(group[j] == group[i] and time[j] == time[i] for j in range(i)):
            problems.append(_at(cells, i, "time", "the time is given twice in its group"))
    refuse(cells, problems)
    return Responses(group=group, time=np.array(time), events=np.array(events), n=np.array(n),
                     source=cells.source)  # fmt: skip


def read_life_table(source: Source) -> LifeTable:
    """Read a table with the columns start, end, at_risk and events, and group where there are more.

    `at_risk` may be empty where there are no events.

    Raises
    ------
    StudyTableError
        With every problem: missing columns, cells that are no numbers, intervals that do not follow
        each other from time 0 or later, more events than persons, more at risk than before.

    Examples
    --------
    >>> import pandas as pd
    >>> visits = {"start": [0, 3], "end": [3, 6], "at_risk": [24, 5], "events": [15, 4]}
    >>> read_life_table(pd.DataFrame(visits)).at_risk.tolist()
    [24.0, 5.0]
    """
    cells = read_cells(source)
    names = ("start", "end", "at_risk", "events")
    refuse(cells, missing_columns(cells, names))
    numbers, problems = {}, []
    for name in names:
        numbers[name], bad = numbers_of(
            cells, name, whole=name in ("at_risk", "events"), empty=name == "at_risk"
        )
        problems.extend(bad)
    start, end, at_risk, events = numbers.values()
    group = _groups(cells)
    last: dict[str, int] = {}
    for i in range(len(start)):
        if end[i] <= start[i]:
            problems.append(_at(cells, i, "end", "the interval ends before it starts"))
        if events[i] > at_risk[i]:
            problems.append(_at(cells, i, "events", f"more events than at risk ({at_risk[i]:g})"))
        if np.isnan(at_risk[i]) and events[i] > 0:
            problems.append(_at(cells, i, "at_risk", "events, and no number at risk"))
        before = last.get(group[i])
        if before is None and np.isnan(at_risk[i]):
            problems.append(_at(cells, i, "at_risk", "the first interval has no number at risk"))
        if before is not None:
            if start[i] != end[before]:
                problems.append(
                    _at(cells, i, "start", f"the interval before ends at {end[before]:g}")
                )
            if at_risk[i] > at_risk[before] - events[before]:
                left = at_risk[before] - events[before]
                problems.append(_at(cells, i, "at_risk", f"only {left:g} were left without event"))
        last[group[i]] = i
    refuse(cells, problems)
    arrays = {name: np.array(column) for name, column in numbers.items()}
    return LifeTable(group=group, source=cells.source, **arrays)


def _groups(cells: Cells) -> tuple[str, ...]:
    frame = cells.frame
    return tuple(frame["group"]) if "group" in frame.columns else ("",) * len(frame)


def _at(cells: Cells, i: int, column: str, what: str, fix: str = "Correct the table.") -> Problem:
    value = str(cells.frame[column].iloc[i]) or "empty"
    return Problem(
        row=cells.places[i], place=cells.place, column=column, value=value, what=what, fix=fix
    )
