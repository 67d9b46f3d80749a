"""The bundled results of publications: every printed row, and what is known behind it."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import pandas as pd

from bayesmeta.errors import Problem, StudyTableError
from bayesmeta.printed import Printed
from bayesmeta.published.row import PublishedModel, PublishedRow
from bayesmeta.studies.bundled import bundled_folders, bundled_tables, read_source
from bayesmeta.studies.library import load_frame
from bayesmeta.studies.refusal import did_you_mean

type Status = Literal[
    "printed",
    "reconstructed uniquely",
    "candidates",
    "inferred",
    "published row",
    "not analysable",
]

_STATUS: dict[str, Status] = {  # of a study's numbers; the first that occurs is the row's
    "inferred": "inferred",
    "reconstructed-candidate": "candidates",
    "reconstructed-unique": "reconstructed uniquely",
    "printed": "printed",
}
_FILE = "published.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedResult:
    """One printed result of a publication, and what can be analysed of it.

    Attributes
    ----------
    row_id : str
        Name of the row in the bundled files.
    table : str
        Where the publication prints it.
    comparison, outcome, subgroup : str
        What was compared; the subgroup is "" where there is none.
    k, n_treated, n_control : int or None
        Studies and patients, where they are printed.
    measure, model : str
        Effect measure and model, in the words of the publication's tables.
    printed : PublishedRow or None
        The numbers; None where no estimate is printed.
    p : str
        The P value as text: "NS" and words are no numbers, and are here only.
    units : str
    status : str
        "printed": the studies' own numbers are printed (counts, or means and SDs).
        "reconstructed uniquely": one set of counts gives every printed digit. "candidates":
        several do. "inferred": counts follow from a printed percentage and an arm size known
        elsewhere. "published row": the printed summary alone. "not analysable": see `reason`.
    reason : str
        Why a result is not analysable, else "".
    restates : str
        The row that this one repeats, elsewhere in the publication; "" for a result of its own.
    note : str
        What to know of the row.

    Examples
    --------
    >>> first = load_published("zhou_2019_lupus_nephritis")[0]
    >>> first.outcome, first.printed.estimate.text, first.status
    ('complete remission', '2.41', 'published row')
    """

    row_id: str
    table: str
    comparison: str
    outcome: str
    subgroup: str
    k: int | None
    n_treated: int | None
    n_control: int | None
    measure: str
    model: str
    printed: PublishedRow | None
    p: str
    units: str
    status: Status
    reason: str
    restates: str
    note: str


def available_published() -> dict[str, str]:
    """List the publications whose printed results are bundled.

    Returns
    -------
    dict of str to str
        Title of each publication by the name that `load_published` takes.

    Examples
    --------
    >>> list(available_published())[0]
    'kraaij_2016_lupus_nephritis'
    """
    return {
        name: str(read_source(folder)["title"])
        for name, folder in bundled_folders().items()
        if (folder / _FILE).is_file()
    }


@cache
def load_published(name: str) -> tuple[PublishedResult, ...]:
    """Load every result that a publication prints.

    Parameters
    ----------
    name : str
        One of `available_published()`.

    Returns
    -------
    tuple of PublishedResult
        In the order of the publication, restatements included; all numbers as they were printed.

    Raises
    ------
    StudyTableError
        There is no publication of this name.

    Examples
    --------
    >>> rows = {row.row_id: row for row in load_published("zhou_2019_lupus_nephritis")}
    >>> [limit.text for limit in rows["zhou-2-15"].printed.ci], rows["zhou-2-15"].status
    (['0.75', '35.02'], 'reconstructed uniquely')
    """
    known = available_published()
    if name not in known:
        problem = Problem(
            value=name, what="no bundled publication has this name", fix=did_you_mean(name, known)
        )
        raise StudyTableError("No results were read; nothing was fitted.", [problem])
    frame = load_frame(f"{name}/{_FILE.removesuffix('.csv')}")
    records = [dict(zip(frame.columns, cells, strict=True)) for cells in frame.to_numpy().tolist()]
    rows = {row["row"]: row for row in records}
    behind = _studies_behind(name)
    return tuple(_result(row, rows, behind) for row in rows.values())


def _studies_behind(name: str) -> dict[str, set[str]]:
    """Give the statuses of the studies' numbers behind each row that has any."""
    frames = [load_frame(table) for table in bundled_tables() if table.startswith(f"{name}/")]
    linked = [frame[["row", "status"]] for frame in frames if "row" in frame]
    if not linked:
        return {}
    return {str(row): set(part["status"]) for row, part in pd.concat(linked).groupby("row")}


def _result(
    row: dict[str, str], rows: dict[str, dict[str, str]], behind: dict[str, set[str]]
) -> PublishedResult:
    printed = _printed(row)
    original = rows.get(row["restates"], row)
    status, reason = _status(original, _printed(original), behind)
    texts = ("table", "comparison", "outcome", "subgroup", "measure", "model", "p", "units")
    return PublishedResult(
        row_id=row["row"],
        k=_whole(row["k"]),
        n_treated=_whole(row["n_treated"]),
        n_control=_whole(row["n_control"]),
        printed=printed,
        status=status,
        reason=reason,
        restates=row["restates"],
        note=row["note"],
        **{name: row[name] for name in texts},
    )


def _status(
    row: dict[str, str], printed: PublishedRow | None, behind: dict[str, set[str]]
) -> tuple[Status, str]:
    """Give the status of a row, and why it cannot be analysed."""
    resting = row["rests_on"].split("; ") if row["rests_on"] else [row["row"]]
    found: set[str] = set().union(*(behind.get(one, set()) for one in resting))
    for text, status in _STATUS.items():
        if text in found:
            return status, ""
    if printed is None:
        return "not analysable", "no estimate is printed"
    if printed.ci is None and printed.p is None:
        return "not analysable", "neither an interval nor a P value is printed"
    return "published row", ""


def _printed(row: dict[str, str]) -> PublishedRow | None:
    estimate = _number(row["estimate"])
    if estimate is None:
        return None
    low, high = _number(row["ci_low"]), _number(row["ci_high"])
    return PublishedRow(
        model=_model(row["model"]),
        estimate=estimate,
        ci=None if low is None or high is None else (low, high),
        k=_whole(row["k"]),
        p=_number(row["p"]),
        q_p=_number(row["q_p"]),
        i2=_number(row["i2"]),
    )


def _model(text: str) -> PublishedModel | None:
    """Read "fixed (Mantel-Haenszel)" as fixed, but a rule that leaves it open as nothing."""
    first, _, rest = text.partition(" ")
    if rest.startswith("if "):
        return None
    models: dict[str, PublishedModel] = {"fixed": "fixed", "random": "random"}
    return models.get(first)


def _number(text: str) -> Printed | None:
    """Read a printed number; None for a blank, "NS" and other words."""
    try:
        return Printed.parse(text)
    except ValueError:
        return None


def _whole(text: str) -> int | None:
    return int(text) if text else None
