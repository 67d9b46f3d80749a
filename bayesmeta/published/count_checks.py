"""A published row held against the studies behind it."""

from bayesmeta.frequentist import fitting_methods, pool
from bayesmeta.frequentist.rule import RANDOM_OR_FIXED
from bayesmeta.frequentist.software import meant_by, name_methods
from bayesmeta.published.audited import AuditedRow, Finding
from bayesmeta.published.recomputed import Digits, compare_digits
from bayesmeta.studies import StudyTable


def find_other_digits(row: AuditedRow) -> list[Finding] | None:
    """Find digits that the studies behind the row do not give, by the method of the publication."""
    measure = row.named_measure
    if not row.studies or measure is None or (row.row.model is None and not row.rule):
        return None
    tried = [_recompute(row, studies, measure.name) for studies in row.studies]
    fewest = min(tried, key=lambda one: sum(not digits.same for digits in one[1]))
    method, compared = fewest
    among = f" (nearest of {len(tried)} possible tables)" if len(tried) > 1 else ""
    return [
        row.finding(
            "counts", one.printed.text, f"{one.found:.4g}",
            f"{one.name} is printed as {one.printed.text}; the studies give {one.found:.4g} by "
            f"{method}{among}",
        )
        for one in compared
        if not one.same
    ]  # fmt: skip


def _recompute(
    row: AuditedRow, studies: StudyTable, measure: str
) -> tuple[str, tuple[Digits, ...]]:
    """Pool one table as the publication did, and put the digits side by side."""
    fitting = fitting_methods(studies, measure)
    word = row.row.model or row.rule
    if word in RANDOM_OR_FIXED:
        name = meant_by(row.software, fitting)[word]
    else:
        name = name_methods(row.rule, row.software, fitting)
    pooled = pool(studies, measure, methods=[name], keep=True).rows[0]
    return name, compare_digits(row.row, pooled)
