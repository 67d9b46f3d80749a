"""The findings of an audit as a table for a terminal, and as plain data."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bayesmeta.published.audit import Audit

if TYPE_CHECKING:
    from rich.console import Group


def audit_table(found: Audit, *, title: str = "") -> "Group":
    """Make the list of findings: row, what it is of, which test, and the reason."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    lines: list[Text | Padding] = []
    for one in found.findings:
        of = ", ".join(filter(None, (one.outcome, one.comparison)))
        of = f": {of}" if of else ""
        lines.append(Text(one.row, style="bold").append(f"{of} [{one.check}]", style="not bold"))
        lines.append(Padding(Text(one.reason), (0, 0, 0, 2)))
    told = (
        f"{_count(found.tests, 'test')} of {_count(found.rows, 'printed row')}: "
        f"{_count(len(found.findings), 'finding')}."
    )
    caption = (
        "Each printed number stands for what its rounding allows. A finding says that numbers "
        "cannot all be right, not which of them is wrong."
    )
    return Group(
        Text(": ".join(filter(None, ("Audit", title))), style="bold"),
        *lines,
        Text(told, style="bold"),
        Text(caption, style="dim"),
    )


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def audit_as_data(found: Audit, *, version: str) -> dict[str, Any]:
    """Give an audit as the command line's ``audit --json`` does."""
    findings = [asdict(one) for one in found.findings]
    return {
        "bayesmeta": version,
        "rows": found.rows,
        "tests": found.tests,
        "findings": findings,
    }
