"""The frames of a study table, made from cells that passed every rule."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayesmeta.printed import Printed
from bayesmeta.scales import FloatArray
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.kinds import KEYS, NUMBERS
from bayesmeta.studies.rules import MISSING, Sheet

TREATED_CONTROL = ("treated", "control")


def parse_numbers(cells: Cells, columns: Sequence[str]) -> dict[str, FloatArray]:
    """Read number columns; NaN where a cell is no plain finite number, or its row is broken."""
    return {
        column: np.array(
            [
                np.nan if i in cells.broken else _number(text)
                for i, text in enumerate(cells.frame[column])
            ]
        )
        for column in columns
    }


def binary_frame(sheet: Sheet) -> pd.DataFrame:
    """Give counts, one row per study, arm and outcome; the index is the row of the cells."""
    cells, numbers = sheet.cells.frame, sheet.numbers
    parts = []
    for arm, label in zip(sheet.layout.arms, TREATED_CONTROL, strict=False):
        events = numbers[arm.events]
        n = numbers[arm.n] if arm.others is None else events + numbers[arm.others]
        part: dict[str, object] = {"study": cells["study"]}
        if "arm" in KEYS[sheet.layout.kind]:
            part["arm"] = label if sheet.layout.wide else cells["arm"]
        part |= {
            "outcome": cells.get("outcome", ""),
            "events": events.astype(np.int64),
            "n": n.astype(np.int64),
        }
        parts.append(pd.DataFrame(part, index=cells.index))
    return pd.concat(parts).sort_index(kind="stable")


def group_frame(sheet: Sheet) -> pd.DataFrame:
    """Give one row per study, group and outcome, of other data than counts of two arms."""
    cells, layout = sheet.cells.frame, sheet.layout
    parts = []
    for columns, label in zip(layout.groups, TREATED_CONTROL, strict=False):
        part: dict[str, object] = {"study": cells["study"]}
        if "arm" in KEYS[layout.kind]:
            part["arm"] = label if layout.wide else cells["arm"]
        part["outcome"] = cells.get("outcome", "")
        for name, column in zip(NUMBERS[layout.kind], columns, strict=True):
            count = name in ("events", "n")
            part[name] = sheet.numbers[column].astype(np.int64 if count else np.float64)
        parts.append(pd.DataFrame(part, index=cells.index))
    return pd.concat(parts).sort_index(kind="stable")


def covariate_frame(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Give covariates as numbers where every cell that is there is one, else as text."""
    return pd.DataFrame({column: _covariate(frame[column]) for column in columns}, frame.index)


def _number(text: str) -> float:
    try:
        printed = Printed.parse(text)
    except ValueError:
        return np.nan
    return printed.value if printed.bound == "exact" else np.nan


def _covariate(column: pd.Series) -> pd.Series:
    numbers = column.map(_number).astype(np.float64)
    missing = column.str.lower().isin(MISSING)
    if missing.all() or (numbers.isna() & ~missing).any():
        return column
    whole = not missing.any() and bool((numbers % 1 == 0).all()) and numbers.abs().max() < 2**53
    return numbers.astype(np.int64) if whole else numbers
