"""A published row with what an audit needs to know of it, and what it may find."""

from dataclasses import dataclass

from bayesmeta.effects import MEASURES, Measure
from bayesmeta.frequentist.software import Software
from bayesmeta.printed import Printed
from bayesmeta.published.row import PublishedRow
from bayesmeta.studies import StudyTable

LABELS = {"p": "p", "q": "Q", "q_p": "Q p", "i2": "I2", "tau2": "tau2"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AuditedRow:
    """A published row, where it stands, and what it rests on.

    Attributes
    ----------
    name : str
        Of the row, by which others restate it.
    row : PublishedRow
    measure : str
        As printed: "OR". One that is no key of `MEASURES`, or "", leaves the tests that need a
        scale unmade; "t (2 df)" is a t statistic.
    comparison, outcome : str
        For people.
    restates : str
        Name of the row that this one repeats; "" for a result of its own.
    rule : str
        By which the publication chose its model, such as "random if Q p < 0.1 else fixed".
    studies : tuple of StudyTable
        The studies behind the row; several where several tables are possible, of which one must
        give the printed digits.
    software : {"metafor", "RevMan 5"}
        Whose methods "random" and "fixed" mean.
    t_interval : bool
        Whether intervals and p values are by t(k - 1), not by the normal distribution.
    i2_from_q : bool
        Whether I2 is 100 (Q - df)/Q, as in RevMan and Stata; not so where it is made from tau2
        by REML.
    """

    name: str
    row: PublishedRow
    measure: str = ""
    comparison: str = ""
    outcome: str = ""
    restates: str = ""
    rule: str = ""
    studies: tuple[StudyTable, ...] = ()
    software: Software = "metafor"
    t_interval: bool = False
    i2_from_q: bool = True

    @property
    def named_measure(self) -> Measure | None:
        """The measure, if it is one."""
        return MEASURES.get(self.measure)

    def finding(self, check: str, printed: str, allowed: str, reason: str) -> "Finding":
        """Make a finding of this row."""
        return Finding(
            row=self.name,
            comparison=self.comparison,
            outcome=self.outcome,
            check=check,
            printed=printed,
            allowed=allowed,
            reason=reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Printed numbers that cannot all be right.

    Attributes
    ----------
    row, comparison, outcome : str
    check : str
        A key of `CHECKS`, or "restatement".
    printed : str
        What is printed.
    allowed : str
        What the other printed numbers leave for it, with their rounding.
    reason : str
        The finding, in words.
    """

    row: str
    comparison: str
    outcome: str
    check: str
    printed: str
    allowed: str
    reason: str


def read_p(text: str) -> Printed:
    """Read a printed p value, with NS for one above 0.05.

    Parameters
    ----------
    text : str
        Such as "0.01", "<0.001" or "NS".

    Returns
    -------
    Printed

    Raises
    ------
    ValueError
        The text is neither.

    Examples
    --------
    >>> read_p("NS").bound, read_p("NS").value, read_p("<0.05").high
    ('above', 0.05, 0.05)
    """
    if text.strip().upper() in ("NS", "N.S.", "N.S"):
        return Printed(text=text.strip(), value=0.05, half_unit=0.005, bound="above")
    return Printed.parse(text)
