"""What a publication prints for an outcome: numbers as texts, as they were printed."""

import math
from typing import cast, get_args

from bayesmeta.comparison.section import Section
from bayesmeta.errors import StudyTableError
from bayesmeta.printed import Printed
from bayesmeta.published.results import load_published
from bayesmeta.published.row import PublishedModel, PublishedRow
from bayesmeta.studies.refusal import did_you_mean

_POSSIBLE = {  # values of numbers whose scale is known
    "p": (0.0, 1.0),
    "q": (0.0, math.inf),
    "q_p": (0.0, 1.0),
    "i2": (0.0, 100.0),
    "tau2": (0.0, math.inf),
}
_AS_PRINTED = "digits and < carry information that a number loses"


def read_published(outcome: Section) -> PublishedRow | None:
    """Read the published row of an outcome: a table, or the name of a bundled row.

    None if there is none, or it is wrong.
    """
    if isinstance(outcome.values.get("published"), str):
        return _bundled_row(outcome)
    section = outcome.section("published", required=False)
    if section is None:
        return None
    model = section.choice("model", get_args(PublishedModel.__value__), default="")
    k = section.take("k", int, "2", required=False)
    if k is not None and k < 1:
        section.fault("k", "not a number of studies", "Write k = 2.")
    estimate = _read_printed(section, "estimate", required=True)
    numbers = {key: _read_printed(section, key) for key in ("p", "q", "q_p", "i2", "tau2")}
    ci = _read_interval(section)
    section.close()
    if model is None or estimate is None:
        return None
    named = cast(PublishedModel, model) if model else None
    return PublishedRow(model=named, estimate=estimate, ci=ci, k=k, **numbers)


def _bundled_row(outcome: Section) -> PublishedRow | None:
    """Find a row by the names of its publication and of itself, such as "zhou_2019/zhou-2-15"."""
    name = outcome.text("published", "zhou_2019_lupus_nephritis/zhou-2-15") or ""
    publication, _, row_id = name.rpartition("/")
    try:
        rows = {row.row_id: row for row in load_published(publication)}
    except StudyTableError as error:
        for problem in error.problems:
            outcome.fault("published", problem.what, problem.fix)
        return None
    if row_id not in rows:
        fix = did_you_mean(row_id, tuple(rows))
        outcome.fault("published", "not a row of this publication", fix)
        return None
    if rows[row_id].printed is None:
        outcome.fault("published", f"not analysable: {rows[row_id].reason}", "Remove the outcome.")
    return rows[row_id].printed


def _read_printed(section: Section, key: str, *, required: bool = False) -> Printed | None:
    if isinstance(section.values.get(key), int | float):
        section.known.append(key)
        value = section.values[key]
        section.fault(key, f"a number, and {_AS_PRINTED}", f'Write {key} = "{value}" as printed.')
        return None
    text = section.text(key, "0.10", required=required)
    return None if text is None else _as_printed(section, key, text)


def _read_interval(section: Section) -> tuple[Printed, Printed] | None:
    limits = section.take("ci", list, '["0.75", "35.02"]', required=False)
    if limits is None:
        return None
    if len(limits) != 2 or not all(isinstance(limit, str) for limit in limits):
        what = f"not two texts ({_AS_PRINTED})"
        section.fault("ci", what, 'Write ci = ["0.75", "35.02"] as printed.')
        return None
    low, high = (_as_printed(section, "ci", limit) for limit in limits)
    if low is None or high is None:
        return None
    if low.value > high.value:
        section.fault("ci", f"{low.text} is above {high.text}", "Are the limits swapped?")
    return low, high


def _as_printed(section: Section, key: str, text: str) -> Printed | None:
    try:
        printed = Printed.parse(text)
    except ValueError as error:
        section.fault(key, str(error), "Write it as printed, with a decimal point.")
        return None
    low, high = _POSSIBLE.get(key, (-math.inf, math.inf))
    if not low <= printed.value <= high:
        what = f"below {low:g}" if printed.value < low else f"above {high:g}"
        section.fault(key, what, "Write it as the publication prints it.")
    return printed
