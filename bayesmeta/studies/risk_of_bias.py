"""Judgements of the risk of bias: one row per study, one column per domain."""

from dataclasses import dataclass
from typing import Literal

from bayesmeta.errors import Problem
from bayesmeta.studies.plain_table import Source, missing_columns, read_cells, refuse
from bayesmeta.studies.refusal import did_you_mean

type Judgement = Literal["low", "some", "high", "unclear"]

JUDGEMENTS: tuple[Judgement, ...] = ("low", "some", "high", "unclear")
_WRITTEN: dict[str, Judgement] = {
    **{one: one for one in JUDGEMENTS},
    "some concerns": "some",
    "moderate": "some",
    "no information": "unclear",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskOfBias:
    """Judgements as they were made.

    Attributes
    ----------
    study, domain : tuple of str
        Rows and columns.
    judgement : tuple of tuple of {"low", "some", "high", "unclear"}
        A tuple for each study, in the order of the domains.
    source : str
        Name of the table.
    """

    study: tuple[str, ...]
    domain: tuple[str, ...]
    judgement: tuple[tuple[Judgement, ...], ...]
    source: str


def read_risk_of_bias(source: Source) -> RiskOfBias:
    """Read a table of judgements: a column `study`, and one for each domain.

    Parameters
    ----------
    source : DataFrame or path
        Cells are low, some (or some concerns, moderate), high, unclear (or no information); upper
        or lower case.

    Returns
    -------
    RiskOfBias
        Domains in the order of the columns.

    Raises
    ------
    StudyTableError
        With every problem: a missing column, a study without a label or given twice, a cell that is
        no judgement.

    References
    ----------
    Sterne and others (2019), RoB 2, BMJ 366:l4898, for low, some concerns and high.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"study": ["Hart"], "randomisation": ["Some concerns"]})
    >>> read_risk_of_bias(table).judgement
    (('some',),)
    """
    cells = read_cells(source)
    refuse(cells, missing_columns(cells, ("study",)))
    domains = tuple(name for name in cells.frame.columns if name != "study")
    problems = []
    if not domains:
        problems.append(
            Problem(what="there is no domain beside study", fix="Add a column for each domain.")
        )
    seen: set[str] = set()
    for i, study in enumerate(cells.frame["study"]):
        if study == "" or study in seen:
            what = "the study has no label" if study == "" else "the study is given twice"
            problems.append(Problem(row=cells.places[i], place=cells.place, column="study",
                                    value=study or "empty", what=what,
                                    fix="Give each study one row."))  # fmt: skip
        seen.add(study)
    rows: list[tuple[Judgement, ...]] = []
    for i, row in enumerate(cells.frame[list(domains)].to_numpy().tolist()):
        judged = [_WRITTEN.get(" ".join(text.lower().split())) for text in row]
        for domain, text, found in zip(domains, row, judged, strict=True):
            if found is None:
                problems.append(
                    Problem(row=cells.places[i], place=cells.place, column=domain,
                            study=str(cells.frame["study"].iloc[i]), value=text or "empty",
                            what="is no judgement", fix=did_you_mean(text, JUDGEMENTS))
                )  # fmt: skip
        rows.append(tuple(found for found in judged if found is not None))
    refuse(cells, problems)
    return RiskOfBias(
        study=tuple(cells.frame["study"]),
        domain=domains,
        judgement=tuple(rows),
        source=cells.source,
    )
