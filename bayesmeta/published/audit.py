"""The audit: every published row is tested against itself before it is believed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import pandas as pd

from bayesmeta.errors import ModelError, Problem
from bayesmeta.published import count_checks, effect_checks, spread_checks
from bayesmeta.published.audited import AuditedRow, Finding
from bayesmeta.published.restated import find_restatement
from bayesmeta.published.row import PublishedRow

type Check = Callable[[AuditedRow], list[Finding] | None]

CHECKS: dict[str, Check] = {
    "number": effect_checks.find_impossible_numbers,
    "measure": effect_checks.find_wrong_measure,
    "order": effect_checks.find_wrong_order,
    "symmetry": effect_checks.find_asymmetry,
    "p value": effect_checks.find_wrong_p,
    "t test": effect_checks.find_wrong_t_test,
    "heterogeneity": spread_checks.find_heterogeneity_conflict,
    "rule": spread_checks.find_broken_rule,
    "counts": count_checks.find_other_digits,
}
RESTATEMENT = "restatement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    rows : int
        Rows that were tested.
    tests : int
        Tests that were made: those for which a row prints enough.
    findings : tuple of Finding
        What cannot be right, in the order of the rows.
    """

    rows: int
    tests: int
    findings: tuple[Finding, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give one row a finding: row, comparison, outcome, check, printed, allowed, reason."""
        names = [field.name for field in fields(Finding)]
        cells = [[getattr(one, name) for name in names] for one in self.findings]
        return pd.DataFrame(cells, columns=names)


def audit(rows: PublishedRow | AuditedRow | Sequence[AuditedRow]) -> Audit:
    """Test published rows against themselves, and against the rows that they restate.

    Every printed number stands for the interval that its rounding allows, and all arithmetic is
    on intervals: a finding says that no numbers which would be printed so can all be true. What
    it does not say is which of them is wrong.

    Parameters
    ----------
    rows : PublishedRow, AuditedRow or sequence of AuditedRow
        A bare `PublishedRow` is tested as far as it goes without a measure.

    Returns
    -------
    Audit

    Raises
    ------
    ModelError
        Two rows have one name, or a row restates one that is not there.

    Examples
    --------
    >>> from bayesmeta.printed import Printed
    >>> row = PublishedRow(model="fixed", k=2, estimate=Printed.parse("0.90"),
    ...                    ci=(Printed.parse("0.90"), Printed.parse("4.18")))
    >>> found = audit(AuditedRow(name="infection", row=row, measure="OR"))
    >>> print(found.findings[0].reason)
    the interval 0.90 to 4.18 has its middle at 1.94 (1.93 to 1.95 as rounded), not at the \
estimate 0.90; with the estimate the upper limit asks for a lower one of 0.191 to 0.196, and the \
lower limit for an upper one of 0.885 to 0.915
    """
    if isinstance(rows, PublishedRow):
        rows = AuditedRow(name="", row=rows)
    rows = (rows,) if isinstance(rows, AuditedRow) else tuple(rows)
    known = _by_name(rows)
    tests, findings = 0, []
    for row in rows:
        answers = [check(row) for check in CHECKS.values()]
        answers.append(find_restatement(row, known))
        made = [answer for answer in answers if answer is not None]
        tests += len(made)
        findings += [finding for answer in made for finding in answer]
    return Audit(rows=len(rows), tests=tests, findings=tuple(findings))


def _by_name(rows: Sequence[AuditedRow]) -> dict[str, AuditedRow]:
    known = {row.name: row for row in rows}
    names = [row.name for row in rows]
    problems = [
        Problem(value=name, what=f"{names.count(name)} rows have this name", fix="Name them apart.")
        for name in known
        if names.count(name) > 1
    ]
    problems += [
        Problem(
            value=row.name,
            what=f"restates {row.restates!r}, which is not among the rows",
            fix="Audit the rows of a publication together.",
        )
        for row in rows
        if row.restates and row.restates not in known
    ]
    if problems:
        raise ModelError("The rows cannot be audited.", problems)
    return known
