"""What is made out of further columns of a table, and what must be said about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmeta.errors import Problem
from bayesmeta.scales import FloatArray
from bayesmeta.studies.reading import Reading
from bayesmeta.studies.rules import MISSING, Sheet

NOTHING: Mapping[str, FloatArray] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Derived:
    """Numbers that were made, not read; the empty one changes nothing.

    Attributes
    ----------
    numbers : mapping of str to (row,)
        Number columns to add to those of the sheet, or to put in their place.
    columns : mapping of str to (row,)
        Columns to add to the frame of the table.
    used : frozenset of str
        Columns that were used for it, and so are no covariates.
    told : tuple of str
        Per row, what was made; "" where nothing was. Empty if nothing was in any row.
    notes : tuple of str
        The same for the table.
    problems : tuple of Problem
        Why it could not be made.
    """

    numbers: Mapping[str, FloatArray] = field(default_factory=lambda: NOTHING)
    columns: Mapping[str, Sequence[object]] = field(default_factory=lambda: MappingProxyType({}))
    used: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def made_before(sheet: Sheet, reading: Reading) -> Derived:  # noqa: ARG001  a table tells it all
    """Keep what a column `derived` says of numbers that were made before, row by row.

    The frame of a study table has such a column, so that its marks survive being read again.
    """
    if "derived" not in sheet.cells.frame:
        return Derived()
    texts = zip(sheet.cells.frame["derived"].tolist(), blank_cells(sheet, "derived"), strict=True)
    told = tuple("" if blank else text for text, blank in texts)
    rows = [i for i, text in enumerate(told) if text]
    note = f"marked in column derived as made, not reported: {counted_rows(sheet, rows)}"
    return Derived(used=frozenset({"derived"}), told=told, notes=(note,) if rows else ())


def derived_frame(parts: Sequence[Derived], index: pd.Index) -> pd.DataFrame:
    """Give the columns that a table's frame gets, on the rows of the cells."""
    columns: dict[str, Sequence[object]] = {}
    told = [part.told for part in parts if any(part.told)]
    if told:
        rows = zip(*told, strict=True)
        columns["derived"] = ["; ".join(filter(None, row)) for row in rows]
    for part in parts:
        columns.update(part.columns)
    return pd.DataFrame(columns, index=index)


def blank_cells(sheet: Sheet, column: str) -> NDArray[np.bool_]:
    """Tell which cells of a column are empty or marked as missing; all, if there is none."""
    if column not in sheet.cells.frame:
        return np.ones(len(sheet.cells.frame), dtype=np.bool_)
    return np.asarray(sheet.cells.frame[column].str.lower().isin(MISSING), dtype=np.bool_)


def named_rows(sheet: Sheet, rows: Sequence[int]) -> str:
    """Name the studies (and arms) of rows, in their order."""
    arm = "arm" in sheet.layout.labels
    return ", ".join(
        sheet.text(i, "study") + (f" ({sheet.text(i, 'arm')})" if arm else "") for i in rows
    )


def counted_rows(sheet: Sheet, rows: Sequence[int]) -> str:
    """Count rows in words, and name them: "2 rows: Hart, Maki"."""
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}: {named_rows(sheet, rows)}"
