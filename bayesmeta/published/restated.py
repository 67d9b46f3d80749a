"""A number that a publication prints twice: both prints must be of one number."""

from collections.abc import Iterator, Mapping

from bayesmeta.printed import Printed
from bayesmeta.published.audited import AuditedRow, Finding
from bayesmeta.published.rounding import same_number
from bayesmeta.published.row import PublishedRow


def find_restatement(row: AuditedRow, known: Mapping[str, AuditedRow]) -> list[Finding] | None:
    """Hold a row against the one that it restates: the same digits, or a rounded form of them."""
    if not row.restates:
        return None
    original = known[row.restates]
    pairs = [(name, ours, theirs) for name, ours, theirs in _pairs(row.row, original.row)
             if not same_number(ours, theirs)]  # fmt: skip
    words = [
        (name, ours, theirs)
        for name, ours, theirs in (
            ("measure", row.measure, original.measure),
            ("model", row.row.model or "", original.row.model or ""),
            ("k", str(row.row.k or ""), str(original.row.k or "")),
        )
        if ours and theirs and ours != theirs
    ]
    if not pairs and not words:
        return []
    here = [*((name, a.text, b.text) for name, a, b in pairs), *words]
    others = _same_numbers_elsewhere(row, known)
    hint = f"; the same numbers are printed for {others}" if others and pairs else ""
    told = "; ".join(f"{name} {ours}, where {row.restates} has {theirs}" for name, ours, theirs in
                     here)  # fmt: skip
    printed = ", ".join(f"{name} {ours}" for name, ours, _ in here)
    allowed = ", ".join(f"{name} {theirs}" for name, _, theirs in here)
    return [row.finding("restatement", printed, allowed, told + hint)]


def _pairs(ours: PublishedRow, theirs: PublishedRow) -> Iterator[tuple[str, Printed, Printed]]:
    for (name, first), (_, second) in zip(_numbers(ours), _numbers(theirs), strict=True):
        if first is not None and second is not None:
            yield name, first, second


def _numbers(row: PublishedRow) -> Iterator[tuple[str, Printed | None]]:
    low, high = row.ci or (None, None)
    yield from (("estimate", row.estimate), ("lower limit", low), ("upper limit", high))
    yield from (("p", row.p), ("Q", row.q), ("Q p", row.q_p), ("I2", row.i2), ("tau2", row.tau2))


def _same_numbers_elsewhere(row: AuditedRow, known: Mapping[str, AuditedRow]) -> str:
    """Name the original rows with the estimate and limits of this one, digit by digit."""
    own = _texts(row.row)
    found = [f"{other.name} ({other.outcome})" if other.outcome else other.name
             for other in known.values()
             if other is not row and not other.restates and _texts(other.row) == own]  # fmt: skip
    return ", ".join(found)


def _texts(row: PublishedRow) -> tuple[str, ...]:
    return tuple(one.text for one in (row.estimate, *(row.ci or ())))
