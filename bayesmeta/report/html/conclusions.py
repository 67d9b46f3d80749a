"""Whether published, frequentist and Bayesian results lead to one conclusion."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.report.crosscheck_table import null_of
from bayesmeta.report.html.words import (
    Side,
    exact_rows,
    has_null,
    headline,
    side_of,
    side_of_printed,
)

type Change = Literal["reversed", "changed", "depends", "same", "alone"]

CHANGES: dict[Change, str] = {  # in the order of the index
    "reversed": "Opposite: one interval lies below, another above the null value",
    "changed": "The posterior and the publication, or all frequentist methods, differ",
    "depends": "It depends on the method, the likelihood or the reconstruction",
    "same": "The same",
    "alone": "Nothing to compare",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What each road concludes of one outcome.

    Attributes
    ----------
    outcome, headline, null : str
    published, frequentist, bayesian : tuple of Side
        Without repetition; several where it depends on method, likelihood or reconstruction; none
        where there is no such interval.
    failed : bool
        Whether a check failed.
    k : int or None
    status : str
        How sure the data are.
    """

    outcome: str
    headline: str
    null: str
    published: tuple[Side, ...]
    frequentist: tuple[Side, ...]
    bayesian: tuple[Side, ...]
    failed: bool
    k: int | None
    status: str

    @property
    def change(self) -> Change:
        """Tell in what way the roads differ; a limit that is the null to its rounding tells none.

        Examples
        --------
        >>> one = Conclusion(outcome="death", headline="", null="1", published=("below",),
        ...                  frequentist=("below", "includes"), bayesian=("includes",),
        ...                  failed=False, k=2, status="")
        >>> one.change
        'changed'
        """
        roads = [
            {side for side in road if side != "rounding"}
            for road in (self.published, self.frequentist, self.bayesian)
        ]
        published, frequentist, bayesian = roads
        every = published | frequentist | bayesian
        if sum(map(bool, roads)) < 2 and len(every) < 2:
            return "alone"
        if {"below", "above"} <= every:
            return "reversed"
        if bayesian and any(road and not road & bayesian for road in (published, frequentist)):
            return "changed"
        return "same" if len(every) == 1 else "depends"

    def as_data(self) -> dict[str, Any]:
        """Give plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"change": self.change}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Conclusion":
        """Read what `as_data` gave."""
        kept = {name: data[name] for name in cls.__slots__}
        for road in ("published", "frequentist", "bayesian"):
            kept[road] = tuple(cast(list[Side], kept[road]))
        return cls(**kept)


def conclude(result: CrossCheck) -> Conclusion:
    """Give the conclusions of one outcome; of one group, which has no null value, none."""
    printed: list[Side] = []
    if result.published is not None:
        printed = [side_of_printed(result.published, result.measure)]
    compared = has_null(result.measure)
    exact = [row for one in (result, *result.others) for row in exact_rows(one)]
    classic = [
        row for one in (result, *result.others) for row in one.rows if row.road == "frequentist"
    ]
    return Conclusion(
        outcome=result.outcome,
        headline=headline(result),
        null=null_of(result.measure),
        published=_once(printed) if compared else (),
        frequentist=_once(map(side_of, classic)) if compared else (),
        bayesian=_once(map(side_of, exact)) if compared else (),
        failed=result.failed,
        k=result.k,
        status="; ".join(result.status),
    )


def say_sides(sides: Iterable[Side], null: str) -> str:
    """Say where the intervals of one road lie.

    Examples
    --------
    >>> say_sides(("below", "includes"), "1")
    'below 1 or includes 1'
    """
    told = {
        "below": f"below {null}",
        "above": f"above {null}",
        "includes": f"includes {null}",
        "rounding": f"{null} to its rounding",
    }
    return " or ".join(told[side] for side in sides if side in told) or "none"


def _once(sides: Iterable[Side]) -> tuple[Side, ...]:
    return tuple(side for side in dict.fromkeys(sides) if side != "none")
