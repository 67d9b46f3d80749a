"""The CSV files of data rows that RevMan Web and RevMan 5 export, as ordinary study tables.

RevMan Web's data package holds them as ``NAME-data-rows.csv``; RevMan 5 wrote them by File, Export,
Data and analyses. Both hold all analyses of a review in one file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from bayesmeta.errors import Problem
from bayesmeta.studies.assemble import parse_numbers
from bayesmeta.studies.cells import Cells
from bayesmeta.studies.reading import Reading, unused
from bayesmeta.studies.refusal import did_you_mean, listed, refusal
from bayesmeta.studies.revman.revman5 import of_revman5

type Kind = Literal["counts", "means", "estimates", "O-E and variance"]

SIGNATURE = ("Analysis group", "Analysis number", "Study")
RESULTS = ("Weight", "Mean", "CI start", "CI end")
_COLUMNS: Mapping[Kind, Mapping[str, str]] = {
    "counts": {
        "Experimental cases": "ai",
        "Experimental N": "n1i",
        "Control cases": "ci",
        "Control N": "n2i",
    },
    "means": {
        "Experimental mean": "m1i",
        "Experimental SD": "sd1i",
        "Experimental N": "n1i",
        "Control mean": "m2i",
        "Control SD": "sd2i",
        "Control N": "n2i",
    },
    "estimates": {"GIV Mean": "estimate", "GIV SE": "se"},
    "O-E and variance": {"O-E": "O-E", "Variance": "Variance"},
}
_SIGN: Mapping[Kind, str] = {  # a row that fills this column is of that kind; the first wins
    "estimates": "GIV SE",
    "O-E and variance": "O-E",
    "means": "Experimental mean",
    "counts": "Experimental cases",
}
_ALL = tuple(dict.fromkeys(name for columns in _COLUMNS.values() for name in columns))


def with_plain_rows(
    cells: Cells, reading: Reading
) -> tuple[Cells, tuple[str, ...], Mapping[str, str]]:
    """Turn the data rows of a RevMan file into a table that the layouts know.

    Every analysis becomes an outcome, such as "1.2 Remission". Where a study stands in several
    subgroups of one analysis, each of its subgroups becomes an outcome, so that nobody is counted
    twice. A table that RevMan did not write is given back as it is.

    Parameters
    ----------
    cells : Cells
        Any table.
    reading : Reading
        Whose `analysis` names one analysis to read.

    Returns
    -------
    Cells, tuple of str, mapping of str to str
        The table, notes that say how it came about, and RevMan's names of its columns.

    Raises
    ------
    StudyTableError
        No such analysis; several kinds of data; an analysis asked for in another kind of table.
    """
    cells, notes = of_revman5(cells)
    if not set(SIGNATURE) <= set(cells.frame.columns):
        if reading.analysis is not None:
            fix = "Leave it out; select(outcome=NAME), or --outcome, chooses an outcome."
            why = "RevMan did not write this table"
            raise refusal(cells.source, [unused(reading, "analysis", why, fix)])
        return cells, (), {}
    names = _names(cells.frame)
    kinds = _kinds(cells.frame, names)
    if reading.analysis is not None:
        chosen = _chosen(reading.analysis, kinds, cells.source)
        cells, names = _rows(cells, names == chosen), names[names == chosen]
        others = [name for name in kinds if name != chosen]
        notes = tuple(
            note for note in notes if not any(f" {name}" in f" {note}" for name in others)
        )
        notes = (*notes, f"other analyses left out: {', '.join(others)}") if others else notes
        kinds = {chosen: kinds[chosen]}
    if len(set(kinds.values())) > 1:
        raise refusal(cells.source, [_mixed(kinds)])
    kind = next(iter(kinds.values()))
    outcome, split = _outcomes(cells.frame, names)
    notes = (f"read as the data rows of RevMan: {_TOLD[kind]}", *notes, *split)
    own = {new: old for old, new in _COLUMNS[kind].items()}
    own |= {"estimate": "O-E", "variance": "Variance"} if kind == "O-E and variance" else {}
    return _plain(cells, outcome, kind), (*notes, *_left_out(cells)), own


_TOLD: Mapping[Kind, str] = {
    "counts": "cases out of N, experimental arm as treated",
    "means": "mean, SD and N, experimental arm as treated",
    "estimates": "GIV Mean and GIV SE, on the scale on which RevMan pools (logarithms of ratios)",
    "O-E and variance": "O-E and its variance V as estimate (O-E)/V with variance 1/V, which is "
    "Peto's log odds ratio, or the log hazard ratio of a log-rank test",
}


def _names(frame: pd.DataFrame) -> np.ndarray:
    """Name the analysis of every row, such as "1.2 Remission"."""
    name = frame.get("Analysis name", pd.Series("", index=frame.index))
    joined = frame["Analysis group"] + "." + frame["Analysis number"] + " " + name
    return joined.str.strip().to_numpy(dtype=object)


def _kinds(frame: pd.DataFrame, names: np.ndarray) -> dict[str, Kind]:
    """Say for every analysis what its rows hold, by the columns that they fill."""
    kinds: dict[str, Kind] = {}
    for name in dict.fromkeys(names.tolist()):
        rows = frame[names == name]
        filled = [
            kind for kind, column in _SIGN.items() if column in frame and (rows[column] != "").any()
        ]
        kinds[name] = filled[0] if filled else "counts"
    return kinds


def _chosen(asked: str, kinds: Mapping[str, Kind], source: str) -> str:
    """Find an analysis by its number, its name, or both."""
    for name in kinds:
        if asked in (name, *name.split(" ", 1)):
            return name
    problem = Problem(value=asked, what="no such analysis", fix=did_you_mean(asked, kinds))
    raise refusal(source, [problem])


def _mixed(kinds: Mapping[str, Kind]) -> Problem:
    """Say which analyses hold which kind of data."""
    by_kind: dict[Kind, list[str]] = {}
    for name, kind in kinds.items():
        by_kind.setdefault(kind, []).append(name)
    what = "; ".join(f"{kind}: {listed(names)}" for kind, names in by_kind.items())
    first = next(iter(kinds)).split(" ", 1)[0]
    return Problem(
        what=f"the analyses hold several kinds of data ({what})",
        fix=f"Choose one: analysis={first!r} (--analysis {first}).",
    )


def _outcomes(frame: pd.DataFrame, names: np.ndarray) -> tuple[list[str], tuple[str, ...]]:
    """Name the outcome of every row; a subgroup is one where its analysis repeats a study."""
    outcome = names.copy()
    notes = []
    if "Subgroup" in frame:
        for name in dict.fromkeys(names.tolist()):
            rows = frame[names == name]
            places = rows.groupby("Study", sort=False)["Subgroup"].nunique()
            twice = places.index[places > 1].tolist()
            if twice:
                subgroup = rows["Subgroup"].where(rows["Subgroup"] != "", "no subgroup")
                outcome[names == name] = name + ": " + subgroup
                notes.append(
                    f"{name}: {', '.join(twice)} in several subgroups, each read as an outcome of "
                    "its own, for they may hold the same persons"
                )
    return outcome.tolist(), tuple(notes)


def _plain(cells: Cells, outcome: Sequence[str], kind: Kind) -> Cells:
    """Keep the columns of one kind of data under the names that the layouts know."""
    frame = cells.frame
    keep = {name: new for name, new in _COLUMNS[kind].items() if name in frame}
    extra = [
        name
        for name in frame.columns
        if name not in (*_ALL, *SIGNATURE, *RESULTS, "Analysis name") and (frame[name] != "").any()
    ]
    plain = frame[["Study", *keep, *extra]].rename(columns={"Study": "study"} | keep)
    plain.insert(1, "outcome", list(outcome))
    written = frozenset(({"study", "outcome"} | set(keep.values()) | set(extra)) & set(plain))
    cells = replace(cells, frame=plain, written=written)
    return _observed_minus_expected(cells) if kind == "O-E and variance" else cells


def _observed_minus_expected(cells: Cells) -> Cells:
    """Turn O-E and V into (O-E)/V with variance 1/V; what is no number stays as it is."""
    numbers = parse_numbers(cells, ["O-E", "Variance"])
    o_e, v = numbers["O-E"], numbers["Variance"]
    fine = ~np.isnan(o_e) & (v > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        made = {"estimate": (o_e / v, "O-E"), "variance": (1 / v, "Variance")}
    frame = cells.frame.drop(columns=["O-E", "Variance"])
    for name, (value, column) in made.items():
        text = zip(fine, value, cells.frame[column], strict=True)
        frame[name] = [repr(float(x)) if ok else given for ok, x, given in text]
    return replace(cells, frame=frame, written=cells.written - {"O-E", "Variance"})


def _left_out(cells: Cells) -> Iterator[str]:
    """Say which columns are RevMan's own results."""
    there = [name for name in RESULTS if name in cells.frame]
    if there:
        yield f"RevMan's own results left out: {', '.join(there)}"


def _rows(cells: Cells, keep: np.ndarray) -> Cells:
    """Keep some rows, each with its place."""
    kept = np.flatnonzero(keep).tolist()
    return replace(
        cells,
        frame=cells.frame.iloc[kept].reset_index(drop=True),
        places=tuple(cells.places[i] for i in kept),
        broken=frozenset(new for new, old in enumerate(kept) if old in cells.broken),
    )
