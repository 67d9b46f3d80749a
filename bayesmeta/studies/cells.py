"""Tables as text cells, each with its place: what stands there before it is understood."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.printed import Printed
from bayesmeta.studies.refusal import refusal

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """A rectangular table of text, not yet understood.

    Attributes
    ----------
    frame : DataFrame
        Text cells, spaces around them removed; a missing cell is "".
    places : tuple of int
        Per row, the line of the file (header = line 1) or the row of the frame counted from 0.
    place : str
        "line" or "row", as in `Problem`.
    source : str
        Name of the table.
    written : frozenset of str
        Columns that hold their author's text, so that the digits tell the rounding.
    broken : frozenset of int
        Rows with more or fewer cells than the header; told in `problems`.
    problems : tuple of Problem
        What is wrong with the shape of the table.
    notes : tuple of str
        What a reader should know about the shape.
    """

    frame: pd.DataFrame
    places: tuple[int, ...]
    place: str
    source: str
    written: frozenset[str]
    broken: frozenset[int] = frozenset()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def cells_of_csv(data: bytes, source: str) -> Cells:
    r"""Split a comma-separated file into cells.

    Parameters
    ----------
    data : bytes
        UTF-8, with or without a byte order mark.
    source : str
        Name to use in messages.

    Returns
    -------
    Cells
        Empty lines are left out, and noted.

    Raises
    ------
    StudyTableError
        No table can be made out: empty, not UTF-8, another delimiter, no header, no rows.

    Examples
    --------
    >>> cells_of_csv(b"study\nHart \n", "trials.csv").frame.to_numpy().tolist()
    [['Hart']]
    """
    lines = _split(_decode(data, source), source)
    filled = [(place, line) for place, line in lines if any(line)]
    if not filled:
        raise refusal(source, [Problem(what="the file is empty", fix="Save the table again.")])
    (first, header), body = filled[0], filled[1:]
    problems = _header_problems(header, Problem(row=first, what="", fix=""))
    if not problems and not body:
        problems = [Problem(row=first, what="a header and no rows", fix="Add the studies.")]
    if problems:
        raise refusal(source, problems)

    width = len(header)
    rows = [(line + [""] * width)[:width] for _, line in body]
    broken = {i: len(line) for i, (_, line) in enumerate(body) if len(line) != width}
    skipped = [place for place, line in lines if place > first and not any(line)]
    frame, notes = _named(header, rows)
    if skipped:
        notes.append(f"empty lines skipped: {', '.join(map(str, skipped))}")
    return Cells(
        frame=frame,
        places=tuple(place for place, _ in body),
        place="line",
        source=source,
        written=frozenset(frame.columns),
        broken=frozenset(broken),
        problems=tuple(_ragged(body[i][0], cells, width) for i, cells in broken.items()),
        notes=tuple(notes),
    )


def cells_of_frame(table: pd.DataFrame, source: str) -> Cells:
    """Turn a frame into text cells; missing values become "".

    Parameters
    ----------
    table : DataFrame
        Any dtypes. A named index is read as a column.
    source : str
        Name to use in messages.

    Returns
    -------
    Cells
        Numbers are written so that they read back to the same number.

    Raises
    ------
    StudyTableError
        The frame has no rows or two columns of one name.

    Examples
    --------
    >>> frame = pd.DataFrame({"study": ["Hart", None], "n": [12.0, 0.1]})
    >>> cells_of_frame(frame, "DataFrame").frame.to_numpy().tolist()
    [['Hart', '12'], ['', '0.1']]
    """
    notes = []
    named = [name for name in table.index.names if name is not None]
    if named and not set(named) & set(table.columns):
        table = table.reset_index()
        notes.append(f"index read as columns: {', '.join(map(str, named))}")
    header = [str(name).strip() for name in table.columns]
    problems = _header_problems(header, Problem(what="", fix="", place="row"))
    if len(table) == 0:
        problems.append(Problem(what="the frame has no rows", fix="Add the studies."))
    if problems:
        raise refusal(source, problems)
    columns = [table.iloc[:, j].tolist() for j in range(len(header))]
    rows = [[_text(value) for value in row] for row in zip(*columns, strict=True)]
    frame, more_notes = _named(header, rows)
    return Cells(
        frame=frame,
        places=tuple(range(len(table))),
        place="row",
        source=source,
        written=frozenset(
            name
            for name, column in zip(header, columns, strict=True)
            if all(isinstance(value, str) or _text(value) == "" for value in column)
        ),
        notes=(*notes, *more_notes),
    )


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = Problem(
            row=data[: error.start].count(b"\n") + 1,
            value=f"byte 0x{data[error.start]:02x}",
            what="the file is not UTF-8 text",
            fix="Save it as UTF-8 (in Excel: 'CSV UTF-8').",
        )
        raise refusal(source, [problem]) from None


def _split(text: str, source: str) -> list[tuple[int, list[str]]]:
    """Give (first line, cells) of every record; quoted cells may run over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records = []
    while True:
        place = reader.line_num + 1
        try:
            records.append((place, [cell.strip() for cell in next(reader)]))
        except StopIteration:
            return records
        except csv.Error as error:
            problem = Problem(
                row=place,
                what=f"the quotation marks do not close ({error})",
                fix='Put a cell that holds a comma in "...", and write " inside it twice.',
            )
            raise refusal(source, [problem]) from None


def _header_problems(header: Sequence[str], at: Problem) -> list[Problem]:
    """Say why a header is none; `at` carries the place."""
    if len(header) == 1:
        for delimiter, name in _DELIMITERS.items():
            if delimiter in header[0]:
                what = f"the cells are separated by {name}, not by commas"
                fix = (
                    "Save the table with commas (and decimal points), or read it yourself and pass "
                    f"the frame: pandas.read_csv(path, sep={delimiter!r})."
                )
                return [Problem(row=at.row, place=at.place, what=what, fix=fix)]
    numbers = [name for name in header if _is_number(name)]
    if numbers and 2 * len(numbers) >= len(header):
        what = f"no header: the first line holds data ({', '.join(header)})"
        fix = "Put the names of the columns above them."
        return [Problem(row=at.row, place=at.place, what=what, fix=fix)]
    return [
        Problem(
            row=at.row,
            place=at.place,
            column=name,
            what=f"{header.count(name)} columns have this name",
            fix="Rename or remove all but one.",
        )
        for name in dict.fromkeys(header)
        if name and header.count(name) > 1
    ]


def _named(header: Sequence[str], rows: list[list[str]]) -> tuple[pd.DataFrame, list[str]]:
    """Make the frame; an unnamed column is left out if empty, else named after its position."""
    names, keep, notes = [], [], []
    for j, name in enumerate(header):
        if not name and not any(row[j] for row in rows):
            notes.append(f"column {j + 1} skipped: it has no name and no cells")
            continue
        if not name:
            notes.append(f"column {j + 1} has no name: called 'column {j + 1}'")
        names.append(name or f"column {j + 1}")
        keep.append(j)
    cells = {name: [row[j] for row in rows] for name, j in zip(names, keep, strict=True)}
    return pd.DataFrame(cells, dtype="str"), notes


def _ragged(line: int, cells: int, width: int) -> Problem:
    return Problem(
        row=line,
        what=f"{cells} cells, but the header has {width}",
        fix='Add or remove commas; a cell that holds a comma needs quotation marks ("1,234").',
    )


def _is_number(text: str) -> bool:
    try:
        Printed.parse(text)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        return str(int(number)) if number.is_integer() and abs(number) < 2**53 else str(value)
    return str(value).strip()
