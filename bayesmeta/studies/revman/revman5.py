"""The older export of RevMan 5, brought into the form of RevMan Web's data rows.

An analysis is a row that names its data type, then its studies; subgroups are rows of their own,
without a standard error. A study's row fills the columns of other data types with 0.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace

import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.refusal import refusal

SIGNATURE = ("Comparison Number", "Outcome Number", "Subgroup Number", "Name", "Data Type")
_COLUMNS: Mapping[str, Mapping[str, str]] = {  # by the first three letters of the data type
    "DIC": {
        "Events 1": "Experimental cases",
        "Total 1": "Experimental N",
        "Events 2": "Control cases",
        "Total 2": "Control N",
    },
    "CON": {
        "Mean 1": "Experimental mean",
        "SD 1": "Experimental SD",
        "Total 1": "Experimental N",
        "Mean 2": "Control mean",
        "SD 2": "Control SD",
        "Total 2": "Control N",
    },
    "IPD": {"O-E": "O-E", "Variance": "Variance"},
}


def of_revman5(cells: Cells) -> tuple[Cells, tuple[str, ...]]:
    """Turn the data of a RevMan 5 file into rows as RevMan Web writes them.

    Parameters
    ----------
    cells : Cells
        Any table; what is no such file is given back as it is.

    Returns
    -------
    Cells, tuple of str
        The rows of the studies, and how RevMan analysed them.

    Raises
    ------
    StudyTableError
        Generic inverse variance, whose scale this file does not tell; an unknown data type.
    """
    frame = cells.frame
    if not set(SIGNATURE) <= set(frame.columns):
        return cells, ()
    rows: list[dict[str, str]] = []
    kept: list[int] = []
    notes: list[str] = []
    problems: list[Problem] = []
    name = kind = subgroup = last = ""
    for i, row in enumerate(frame.astype(str).to_dict("records")):
        number = f"{row['Comparison Number']}.{row['Outcome Number']}"
        if row["Data Type"]:
            name, kind, subgroup, last = row["Name"], row["Data Type"], "", "0"
            if kind[:3] not in _COLUMNS:
                what = f"analysis {number} holds data of type {kind}, whose scale is left open"
                fix = "Export it from RevMan Web, or give estimate and se in a table of their own."
                problems.append(Problem(row=cells.places[i], place=cells.place, column="Data Type",
                                        value=kind, what=what, fix=fix))  # fmt: skip
            notes.extend(_told(f"{number} {name}", row))
        elif row["Outcome Number"] == "0" or not row["Name"]:
            continue  # the name of a comparison
        elif row["Subgroup Number"] != last and not row.get("SE", ""):
            subgroup, last = row["Name"], row["Subgroup Number"]
        elif kind[:3] in _COLUMNS:
            kept.append(i)
            rows.append(
                {
                    "Analysis group": row["Comparison Number"],
                    "Analysis number": row["Outcome Number"],
                    "Analysis name": name,
                    "Subgroup": subgroup,
                    "Study": row["Name"],
                    "Study year": row.get("Year of study", ""),
                }
                | {new: row.get(old, "") for old, new in _COLUMNS[kind[:3]].items()}
            )
    if not rows and not problems:
        problems.append(Problem(what="no row of a study", fix="Export data and analyses again."))
    if problems:
        raise refusal(cells.source, problems)
    table = pd.DataFrame(rows, dtype="str").fillna("")
    return (
        replace(
            cells,
            frame=table,
            places=tuple(cells.places[i] for i in kept),
            broken=frozenset(new for new, old in enumerate(kept) if old in cells.broken),
            written=frozenset(table.columns),
        ),
        (*notes, "RevMan's own results left out"),
    )


def _told(analysis: str, row: Mapping[Hashable, str]) -> Iterator[str]:
    """Say how RevMan analysed it, and what its arms are."""
    how = [row.get(part, "") for part in ("Statistical Method", "Effect Measure", "Analysis Model")]
    if any(how):
        yield f"RevMan analysed {analysis} as {', '.join(filter(None, how))}"
    arms = [row.get(f"Group Label {i}", "") for i in (1, 2)]
    if all(arms):
        yield f"{analysis}: treated: {arms[0]}; control: {arms[1]}"
