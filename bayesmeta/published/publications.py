"""The audit of a bundled publication: its rows, its rule, and the counts behind them."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from bayesmeta.frequentist.software import Software
from bayesmeta.printed import Printed
from bayesmeta.published.audit import Audit, audit
from bayesmeta.published.audited import AuditedRow, read_p
from bayesmeta.published.percentages import PrintedShare, find_wrong_percentage
from bayesmeta.published.results import PublishedResult, load_published
from bayesmeta.studies import StudyTable, load_frame, read_studies
from bayesmeta.studies.bundled import bundled_folders, bundled_frames, read_source


def audit_publication(name: str) -> Audit:
    """Audit every row that a bundled publication prints.

    Parameters
    ----------
    name : str
        One of `available_published()`.

    Returns
    -------
    Audit
        Of all rows with an estimate. A row whose counts are known is computed again from them by
        the publication's own method; where several tables of counts are possible, one must fit.
        Then of all percentages whose counts are printed too.

    Raises
    ------
    StudyTableError
        There is no publication of this name.

    Examples
    --------
    >>> found = audit_publication("zhou_2019_lupus_nephritis")
    >>> sorted({(finding.row, finding.check) for finding in found.findings})[0]
    ('zhou-3-06', 'p value')
    """
    found = audit(read_audited(name))
    shares = tuple(_shares(name))
    return replace(
        found,
        rows=found.rows + len(shares),
        tests=found.tests + len(shares),
        findings=(*found.findings, *(one for share in shares for one in
                                     find_wrong_percentage(share))),
    )  # fmt: skip


def read_audited(name: str) -> tuple[AuditedRow, ...]:
    """Read the rows of a bundled publication as `audit` takes them.

    Raises
    ------
    StudyTableError
        There is no publication of this name.
    """
    results = load_published(name)
    source = read_source(bundled_folders()[name])
    software: Software = source.get("software", "metafor")
    behind = dict(_counts_behind(name))
    known = {result.row_id for result in results if result.printed is not None}
    return tuple(
        AuditedRow(
            name=result.row_id,
            row=replace(result.printed, p=_p(result)),
            measure=result.measure,
            comparison=result.comparison,
            outcome=result.outcome,
            restates=result.restates if result.restates in known else "",
            rule=source.get("rule", ""),
            studies=behind.get(result.row_id, ()),
            software=software,
        )
        for result in results
        if result.printed is not None
    )


def _p(result: PublishedResult) -> Printed | None:
    try:
        return read_p(result.p)
    except ValueError:  # words: nothing to test
        return None


def _shares(name: str) -> Iterator[PrintedShare]:
    """Give the percentages whose counts are printed; inferred counts are no evidence."""
    if f"{name}/single_arm" not in bundled_frames():
        return
    frame = load_frame(f"{name}/single_arm")
    there = (frame[["xi", "ni", "percent_printed"]] != "").all(axis=1)
    for row in frame[there & (frame["status"] == "printed")].to_dict("records"):
        try:
            percent = Printed.parse(row["percent_printed"])
        except ValueError:  # words
            continue
        yield PrintedShare(
            name=row["study"],
            outcome=row["outcome"],
            events=int(row["xi"]),
            n=int(row["ni"]),
            percent=percent,
        )


def _counts_behind(name: str) -> Iterator[tuple[str, tuple[StudyTable, ...]]]:
    """Give the possible tables of each row with counts; the arm named first is the treated one."""
    if f"{name}/binary" not in bundled_frames():
        return
    frame = load_frame(f"{name}/binary")
    if "row" not in frame:
        return
    for row, rows in frame.groupby("row", sort=False):
        yield str(row), tuple(_table(part) for _, part in rows.groupby("solution", sort=False))


def _table(part: pd.DataFrame) -> StudyTable:
    arms = tuple(dict.fromkeys(part["arm"]))
    table = read_studies(part[["study", "arm", "events", "n"]].reset_index(drop=True))
    return table.select(arms=(arms[0], arms[1]))
