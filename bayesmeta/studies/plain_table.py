"""Small tables beside the study tables: read strictly, every problem told at once."""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.cells import Cells, cells_of_csv, cells_of_frame
from bayesmeta.studies.refusal import did_you_mean, refusal

type Source = pd.DataFrame | str | PathLike[str]


def read_cells(source: Source) -> Cells:
    """Read a frame or the path of a comma-separated file as text cells.

    Raises
    ------
    StudyTableError
        The file cannot be opened, or is no table.
    """
    if isinstance(source, pd.DataFrame):
        return cells_of_frame(source, "DataFrame")
    path = Path(source)
    try:
        return cells_of_csv(path.read_bytes(), path.name)
    except OSError as error:
        what = f"the file cannot be read ({error.strerror})"
        raise refusal(str(path), [Problem(what=what, fix="Check the path.")]) from None


def missing_columns(cells: Cells, wanted: Sequence[str]) -> Iterator[Problem]:
    """Tell the columns that are wanted and not there."""
    for name in wanted:
        if name not in cells.frame.columns:
            nearest = did_you_mean(name, cells.frame.columns)
            fix = f"The columns needed are {', '.join(wanted)}. {nearest}"
            yield Problem(column=name, what="the column is missing", fix=fix)


def read_number(text: str) -> float | None:
    """Read a finite number; None where there is none.

    Examples
    --------
    >>> read_number("2.5"), read_number("1,5"), read_number("inf")
    (2.5, None, None)
    """
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None


def numbers_of(
    cells: Cells, column: str, *, whole: bool, empty: bool = False
) -> tuple[list[float], list[Problem]]:
    """Read a column of numbers that are not negative; nan and a problem where that fails.

    Parameters
    ----------
    cells : Cells
    column : str
    whole : bool
        Counts: whole numbers only.
    empty : bool
        Whether an empty cell is nan without being a problem.
    """
    numbers, problems = [], []
    kind = "a whole number" if whole else "a number"
    for i, text in enumerate(cells.frame[column]):
        number = read_number(text)
        good = number is not None and number >= 0 and not (whole and number % 1)
        numbers.append(float(number) if number is not None and good else float("nan"))
        if not good and not (empty and text == ""):
            problems.append(
                Problem(row=cells.places[i], place=cells.place, column=column,
                        value=text or "empty", what=f"is not {kind} of at least 0",
                        fix="Correct the cell.")
            )  # fmt: skip
    return numbers, problems


def refuse(cells: Cells, problems: Iterable[Problem]) -> None:
    """Raise all problems of a table, in the order of its rows; nothing where there are none."""
    found = [*cells.problems, *problems]
    if found:
        raise refusal(cells.source, sorted(found, key=lambda problem: problem.row or 0))
