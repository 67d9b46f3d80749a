"""Printed percentages held against the counts printed beside them."""

import math
from dataclasses import dataclass

from bayesmeta.printed import Printed
from bayesmeta.published.audited import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedShare:
    """A percentage with its counts, all as printed.

    Attributes
    ----------
    name, outcome : str
    events, n : int
    percent : Printed
    """

    name: str
    outcome: str = ""
    events: int
    n: int
    percent: Printed


def find_wrong_percentage(share: PrintedShare) -> list[Finding]:
    """Find a percentage that its counts do not round to, and say if they were cut or rounded up.

    Examples
    --------
    >>> share = PrintedShare(name="baseline", events=28, n=38, percent=Printed.parse("73.6"))
    >>> find_wrong_percentage(share)[0].reason
    '28 of 38 are 73.68%, printed as 73.6%: cut, not rounded'
    """
    value = 100 * share.events / share.n
    if share.percent.admits(value):
        return []
    unit = 2 * share.percent.half_unit
    steps, printed = value / unit, round(share.percent.value / unit)
    how = ": cut, not rounded" if printed == math.floor(steps) else (
        ": rounded up, not to the nearest" if printed == math.ceil(steps) else "")  # fmt: skip
    reason = f"{share.events} of {share.n} are {value:.4g}%, printed as {share.percent.text}%{how}"
    return [
        Finding(
            row=share.name,
            comparison="",
            outcome=share.outcome,
            check="percentage",
            printed=f"{share.percent.text}%",
            allowed=f"{value:.4g}%",
            reason=reason,
        )
    ]
