"""The tables of one outcome: its data, the cross-check, the reconstructions, the bridge."""

import numpy as np
import pandas as pd

from bayesmeta.checks.bridge import Bridge
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.digits import NONE
from bayesmeta.plots.forest_lines import whole_lines
from bayesmeta.published.row import PublishedRow
from bayesmeta.report.bridge_table import bridge_caption, bridge_cells, bridge_columns
from bayesmeta.report.crosscheck_table import (
    ROADS,
    crosscheck_caption,
    crosscheck_cells,
    crosscheck_columns,
    range_cells,
    range_columns,
    row_label,
)
from bayesmeta.report.html.table import Table

_NOT_DATA = ("outcome", "row", "comparison", "solution")  # what chose the rows, not what is in them


def crosscheck_page_table(result: CrossCheck) -> Table:
    """Give the cross-check, one row per road and method, with its notes in words."""
    columns = crosscheck_columns(result)
    rows = [
        (row_label(row), *cells[: len(columns)])
        for row, cells in zip(result.rows, crosscheck_cells(result), strict=True)
    ]
    own = [
        f"{ROADS[row.road]}, {row_label(row)}: {note}."
        for row in result.rows
        for note in row.notes
        if note not in result.notes
    ]
    sampled = any(row.road == "nuts" for row in result.rows)
    return Table(
        name="crosscheck",
        caption="Published, frequentist and Bayesian, side by side",
        columns=("method", *columns),
        rows=tuple(rows),
        groups=tuple(ROADS[row.road] for row in result.rows),
        notes=(" ".join(crosscheck_caption(result, sampled)), *dict.fromkeys(own)),
    )


def ranges_page_table(result: CrossCheck) -> Table | None:
    """Give the ranges over all reconstructions; None where there is but one table."""
    if not result.others:
        return None
    return Table(
        name="reconstructions",
        caption=f"Lowest and highest over all {1 + len(result.others)} reconstructions",
        columns=("method", *range_columns(result)),
        rows=tuple(tuple(row) for row in range_cells(result)),
        notes=(
            "Each reconstruction gives what was printed; the other tables show the first of them.",
        ),
    )


def data_page_table(result: CrossCheck) -> Table:
    """Give the studies as they were read, or the published row where nothing else is known."""
    if result.studies is None:
        return printed_page_table(result.published)
    frame = result.studies.frame.drop(columns=list(_NOT_DATA), errors="ignore")
    filled = [name for name in frame if name == "study" or any(map(_cell, frame[name]))]
    shown = frame[filled].map(_cell)
    words = [i for i, name in enumerate(filled) if not pd.api.types.is_numeric_dtype(frame[name])]
    told = f", reconstruction 1 of {1 + len(result.others)}" if result.others else ""
    return Table(
        name="data",
        caption=f"Data as read{told}",
        columns=tuple(map(str, filled)),
        rows=tuple(tuple(row) for row in shown.itertuples(index=False, name=None)),
        text_columns=tuple(words),
        notes=(*(f"{text.capitalize()}." for text in result.status),
               *(f"{note}." for note in result.notes)),
    )  # fmt: skip


def printed_page_table(published: PublishedRow | None) -> Table:
    """Give what the publication prints, in its own digits."""
    if published is None:
        return Table(name="published", caption="Published", columns=("what", "printed"), rows=())
    numbers = {
        "model": published.model or "not named",
        "estimate": published.estimate.text,
        "95% interval": ", ".join(one.text for one in published.ci) if published.ci else NONE,
        "number of studies": "not printed" if published.k is None else str(published.k),
    }
    for label, one in (("p", published.p), ("Q", published.q), ("p of Q", published.q_p),
                       ("I2, %", published.i2), ("tau2", published.tau2)):  # fmt: skip
        if one is not None:
            numbers[label] = one.text
    return Table(
        name="published",
        caption="As published",
        columns=("what", "printed"),
        rows=tuple(numbers.items()),
    )


def bridge_page_table(bridge: Bridge) -> Table:
    """Give the bridge: a row per step, with what it changed."""
    rows = [
        (step.label, *cells, step.sentence)
        for step, cells in zip(bridge.steps, bridge_cells(bridge), strict=True)
    ]
    columns = ("step", *bridge_columns(bridge), "what it changes")
    return Table(
        name="bridge",
        caption="From the published number to the posterior, one assumption at a time",
        columns=columns,
        rows=tuple(rows),
        text_columns=(len(columns) - 1,),
        notes=(*bridge_caption(bridge), *(f"Left out: {text}." for text in bridge.left_out)),
    )


def forest_page_table(result: CrossCheck) -> Table:
    """Give the numbers of the forest plot, line by line."""
    lines = whole_lines(result)
    heads = [line for line in lines if line.kind == "head"]
    of_studies = {key: " ".join(text.split()) for key, text in heads[0].cells.items()}
    keys = [key for key in of_studies if key != "second"]
    shrunken = "second" in of_studies and len(heads) > 1
    rows, groups, notes, group = [], [], [], ""
    for line in lines:
        if line.kind in ("head", "group"):
            group = "Studies" if line.label == "Study" else line.label
        elif line.kind == "note":
            notes.append(line.label)
        elif line.cells:
            second = line.cells.get("second", "")
            both = (second, "") if line.kind == "study" else ("", second)
            rows.append((line.label, *(line.cells.get(key, "") for key in keys),
                         *both[0 if shrunken else 1 :]))  # fmt: skip
            groups.append(group)
    seconds = (of_studies["second"],) if shrunken else ()
    return Table(
        name="forest",
        caption="The numbers of the forest plot",
        columns=("line", *(of_studies[key] for key in keys), *seconds, "prediction interval"),
        rows=tuple(rows),
        groups=tuple(groups),
        notes=tuple(notes),
    )


def _cell(value: object) -> str:
    """Write a cell of the data as it was read: whole numbers without a point, nothing for NaN."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
