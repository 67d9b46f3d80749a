"""What the numbers of an outcome say, in plain words and never more than they say."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.rows import Row
from bayesmeta.digits import choose_decimals, show, show_probability
from bayesmeta.effects import Measure
from bayesmeta.published.row import PublishedRow
from bayesmeta.report.crosscheck_table import null_of

type Side = Literal["below", "above", "includes", "rounding", "none"]

_ONE_GROUP = ("single", "single_rates")  # an effect of such data has no null value


def has_null(measure: Measure) -> bool:
    """Tell whether there is an effect of no difference: one group alone has none."""
    return measure.layout not in _ONE_GROUP


def side_of(row: Row) -> Side:
    """Tell where an interval lies; an end on the null value belongs to it.

    Examples
    --------
    >>> side_of(Row(road="exact", method="normal", label="", ci_low=0.0, ci_high=1.0))
    'includes'
    """
    if not np.isfinite([row.ci_low, row.ci_high]).all():
        return "none"
    if row.ci_low > 0:
        return "above"
    return "below" if row.ci_high < 0 else "includes"


def side_of_printed(published: PublishedRow, measure: Measure) -> Side:
    """Tell where a printed interval lies, if its rounding tells."""
    if published.ci is None:
        return "none"
    low, high = published.ci
    null = float(measure.scale.to_natural(np.zeros(1))[0])
    if low.low > null:
        return "above"
    if high.high < null:
        return "below"
    inside = low.high < null < high.low
    return "includes" if inside else "rounding"


def headline(result: CrossCheck) -> str:
    """Say the result of an outcome in one sentence.

    Parameters
    ----------
    result : CrossCheck

    Returns
    -------
    str
        Median and interval of the first exact posterior, where it lies, and on what it rests. A
        failed check comes first.
    """
    row = exact_rows(result)[0]
    warning = "A check failed, do not rely on these numbers: " if result.failed else ""
    if side_of(row) == "none":
        return f"There is no posterior: {'; '.join(row.notes).rstrip('.')}."
    measure = result.measure
    of = f" of {' against '.join(result.arms)}" if result.arms and has_null(measure) else ""
    numbers = f"{measure.label}{of} {_numbers(row, measure)[0]} "
    low, high = _numbers(row, measure)[1:]
    numbers += f"({100 * result.level:g}% posterior interval {low} to {high}; {_rests_on(result)})"
    told = warning + (numbers if warning else numbers[0].upper() + numbers[1:])
    if not has_null(measure):
        return f"{told}."
    return f"{told}: {_where(row, result)}{_hedge(result, row)}."


def sentences(result: CrossCheck) -> tuple[str, ...]:
    """Say what else there is to know: chance of benefit, a new study, other roads, limits."""
    return tuple(_sentences(result, exact_rows(result)[0]))


def exact_rows(result: CrossCheck) -> list[Row]:
    """Give the rows of the exact posteriors, those without one too."""
    return [row for row in result.rows if row.road == "exact"]


def _sentences(result: CrossCheck, row: Row) -> Iterator[str]:
    yield from (f"{v.subject}: {v.text}." for v in result.verdicts if not v.ok)
    if side_of(row) != "none":
        yield from _of_posterior(result, row)
    yield from _of_likelihoods(result)
    yield from _of_reconstructions(result)
    if has_null(result.measure):
        yield from _of_frequentist(result)
        yield from _of_published(result)


def _of_posterior(result: CrossCheck, row: Row) -> Iterator[str]:
    measure, null = result.measure, null_of(result.measure)
    if _one_group_twice(result):
        yield (
            "It is the change of one group: without a control group it is not known how much of "
            "it the treatment made."
        )
    if has_null(measure):
        name = f"that the {measure.label} is below {null}"
        p = row.p_below_null
        if result.better is not None:
            name, p = "of benefit", 1 - p if result.better == "higher" else p
        yield (
            f"With this model and its priors the probability {name} is {show_probability(p)}; it "
            "says nothing of the size of the effect."
        )
    known_tau = row.tau_low == row.tau_high
    if result.k == 1:
        told = "tau is set" if known_tau else "what is said of tau comes from its prior"
        yield (
            "There is one study, so that nothing is pooled: one study does not show how true "
            f"effects differ, and {told}."
        )
    elif known_tau:
        yield (
            f"tau is set to {show(row.tau, 3) if row.tau else 0}, not found from the data: the "
            "interval leaves out that true effects may differ otherwise, and says nothing of a "
            "new study."
        )
    elif np.isfinite([row.pi_low, row.pi_high]).all():
        low, high = _limits(row.pi_low, row.pi_high, measure)
        includes = row.pi_low <= 0 <= row.pi_high and has_null(measure)
        yield (
            f"The true {measure.label} of a new study is expected between {low} and {high}"
            f"{f', which includes {null}' if includes else ''}."
        )
    if result.studies is None:
        yield (
            "All of this follows from the published row alone: the data of its studies are not "
            "known, and no likelihood but that of the row and no NUTS run can be held against it."
        )


def _of_likelihoods(result: CrossCheck) -> Iterator[str]:
    """Hold the likelihoods against each other."""
    rows = [row for row in exact_rows(result) if side_of(row) != "none"]
    for row in rows[1:]:
        estimate, low, high = _numbers(row, result.measure)
        told = f"The {row.method} likelihood gives {estimate} ({low} to {high})"
        if not has_null(result.measure):
            yield f"{told}."
        elif side_of(row) == side_of(rows[0]):
            yield f"{told}: the same conclusion."
        else:
            yield f"{told}: another conclusion, so that it depends on the likelihood."


def _of_reconstructions(result: CrossCheck) -> Iterator[str]:
    if not result.others:
        return
    every = [exact_rows(one)[0] for one in (result, *result.others)]
    shown = [_numbers(row, result.measure)[0] for row in every if np.isfinite(row.estimate)]
    count = f"The counts are one of {len(every)} tables that give what was printed"
    if not shown:
        yield f"{count}."
        return
    ordered = sorted(shown, key=float)
    spread = f"over all of them the estimate goes from {ordered[0]} to {ordered[-1]}"
    sides = {side_of(row) for row in every}
    if not has_null(result.measure):
        yield f"{count}; {spread}."
    elif len(sides) == 1:
        yield f"{count}; {spread}, with the same conclusion."
    else:
        yield f"{count}; {spread}, and the conclusion depends on which of them is true."


def _of_frequentist(result: CrossCheck) -> Iterator[str]:
    rows = [row for row in result.rows if row.road == "frequentist" and side_of(row) != "none"]
    null = null_of(result.measure)
    by_side = {
        side: [row.label.split(",")[0] for row in rows if side_of(row) == side]
        for side in dict.fromkeys(map(side_of, rows))
    }
    told = [f"{_interval_is(side, null)} by {_listed(names)}" for side, names in by_side.items()]
    if len(told) == 1:
        yield f"Frequentist: the interval {told[0]}."
    elif told:
        yield f"Frequentist, it depends on the method: the interval {'; it '.join(told)}."


def _of_published(result: CrossCheck) -> Iterator[str]:
    if result.published is None:
        return
    printed, null = result.published, null_of(result.measure)
    side = side_of_printed(printed, result.measure)
    if side == "none" or printed.ci is None:
        yield f"Published: {printed.estimate.text}, without an interval."
        return
    told = f"Published: {printed.estimate.text} ({printed.ci[0].text} to {printed.ci[1].text}), "
    if side == "rounding":
        yield (
            f"{told}where a limit is {null} to its rounding: the digits do not tell whether the "
            f"interval includes {null}."
        )
        return
    own = side_of(exact_rows(result)[0])
    same = "the same conclusion" if own == side else "the posterior leads to another conclusion"
    yield f"{told}which {_interval_is(side, null)}{'' if own == 'none' else f': {same}'}."


# --- parts of sentences --------------------------------------------------------------------------


def _one_group_twice(result: CrossCheck) -> bool:
    return result.studies is not None and result.studies.layout == "paired"


def _rests_on(result: CrossCheck) -> str:
    if result.k is None:
        count = "number of studies not known"
    else:
        count = "1 study" if result.k == 1 else f"{result.k} studies"
    return f"{count}, from the published row alone" if result.studies is None else count


def _where(row: Row, result: CrossCheck) -> str:
    null, side = null_of(result.measure), side_of(row)
    if side == "includes":
        return f"the interval includes {null}, so that the direction is open"
    if result.better is None:
        return f"the whole interval lies {side} {null}"
    good = (side == "above") == (result.better == "higher")
    what = "change" if _one_group_twice(result) else "effect"
    told = f"the whole interval lies {side} {null}, where the {what} is {'good' if good else 'bad'}"
    return told


def _hedge(result: CrossCheck, row: Row) -> str:
    """Say in the same breath that another likelihood or reconstruction concludes otherwise."""
    first = side_of(row)
    others = [one for one in exact_rows(result)[1:] if side_of(one) != "none"]
    reasons = []
    if any(side_of(one) != first for one in others):
        reasons.append("likelihood")
    if any(side_of(exact_rows(one)[0]) != first for one in result.others):
        reasons.append("reconstruction of the counts")
    return f"; this depends on the {' and the '.join(reasons)}" if reasons else ""


def _interval_is(side: Side, null: str) -> str:
    return f"includes {null}" if side == "includes" else f"lies {side} {null}"


def _numbers(row: Row, measure: Measure) -> list[str]:
    """Write estimate and limits on the natural scale; a limit off the null is not shown as it."""
    natural = measure.scale.to_natural(np.array([row.estimate, row.ci_low, row.ci_high])).tolist()
    decimals = _decimals(natural, (row.ci_low, row.ci_high), measure)
    return [_shown(number, decimals) for number in natural]


def _limits(low: float, high: float, measure: Measure) -> list[str]:
    natural = measure.scale.to_natural(np.array([low, high])).tolist()
    decimals = _decimals(natural, (low, high), measure)
    return [_shown(number, decimals) for number in natural]


def _shown(number: float, decimals: int) -> str:
    """Write a number; one that would be all zeros with its first digit instead."""
    text = show(number, decimals)
    return f"{number:.1g}" if number and not text.strip("-0.") else text


def _decimals(natural: Sequence[float], limits: Sequence[float], measure: Measure) -> int:
    null = float(measure.scale.to_natural(np.zeros(1))[0])
    decimals = choose_decimals(natural[:1])
    ends = [end for end, limit in zip(natural[-2:], limits, strict=True) if limit != 0]
    while decimals < 9 and any(show(end, decimals) == show(null, decimals) for end in ends):
        decimals += 1
    return decimals


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
