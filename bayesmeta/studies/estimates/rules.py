"""What a table of estimates must satisfy: one generator per rule, misprints among them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bayesmeta.errors import Problem
from bayesmeta.studies.estimates.parse import Estimates, Numbers
from bayesmeta.studies.estimates.spread import Range, spread_of_interval, two_sided_p
from bayesmeta.studies.rules import LARGEST_NUMBER, Sheet, why_no_number

_USE_SE = "or give se to use it knowingly"


def estimate_problems(sheet: Sheet, table: Estimates) -> list[Problem]:
    """Collect everything that is wrong with the numbers of a table of estimates."""
    rules = (
        _unreadable,
        _without_precision,
        _no_levels,
        _spreads_unfit,
        _no_ratios,
        _intervals_unfit,
        _p_unfit,
    )
    found = [problem for rule in rules for problem in rule(sheet, table)]
    told = {problem.row for problem in found}
    return found + [one for one in _beyond_reckoning(sheet, table) if one.row not in told]


def _unreadable(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find cells that hold no number; a precision may be missing, an estimate not."""
    parts = (table.estimate, table.se, table.variance, table.ci_low, table.ci_high, table.p)
    for part in parts:
        if part is None:
            continue
        wrong = part.bad | (part.bound & (part is not table.p))
        wrong |= part.blank & (part is table.estimate)
        for i in sheet.whole_rows(wrong):
            text = sheet.text(i, part.name)
            why = why_no_number(text)
            if part is table.p and text.lower().replace(".", "") == "ns":
                why = "no p-value", "Leave the cell empty, or write >0.05 if that was meant."
            yield sheet.at(i, part.name, *why)


def _without_precision(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find rows with nothing that gives a standard error."""
    sources = [part for part in (table.se, table.variance, table.p) if part is not None]
    empty = np.ones(len(table.z), dtype=np.bool_)
    for part in sources:
        empty &= part.blank
    if table.ci_low is not None and table.ci_high is not None:
        half = table.ci_low.blank ^ table.ci_high.blank
        for i in sheet.whole_rows(half & empty):
            missing = table.ci_low if table.ci_low.blank[i] else table.ci_high
            yield sheet.at(i, missing.name, "only one limit is given", "Give both, or se.")
        empty &= table.ci_low.blank & table.ci_high.blank
    lone = sources[0] if len(sources) == 1 and table.ci_low is None else None
    for i in sheet.whole_rows(empty):
        if lone is not None:
            yield sheet.at(i, lone.name, "no number", "Fill it in, or remove the study.")
        else:
            what = f"nothing says how precise it is ({', '.join(table.columns.columns[1:])})"
            yield sheet.at(i, None, what, "Fill one of them in, or remove the study.")


def _no_levels(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find levels that are no coverage."""
    for i in table.unknown_level:
        fix = (
            "Write 0.95 or 95 for a 95% interval; or rename the column, if it holds another thing."
        )
        yield sheet.at(i, table.columns.level, "no coverage between 0.5 and 1", fix)


def _spreads_unfit(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find standard errors and variances that are not above zero, or not of one another."""
    for part, name in ((table.se, "standard error"), (table.variance, "variance")):
        if part is None:
            continue
        spread = part.range.value
        with np.errstate(over="ignore"):
            variance = spread if part is table.variance else spread**2
        for i in _rows(spread < 0):
            yield sheet.at(i, part.name, f"a negative {name}", "Check the sign and the column.")
        for i in _rows((spread >= 0) & (variance == 0)):
            fix = "Derive it from the reported interval or p value, or remove the study."
            yield sheet.at(i, part.name, f"a {name} of zero would give infinite weight", fix)
        for i in _rows(np.isinf(variance)):
            yield sheet.at(i, part.name, f"too large a {name}", "Check the digits.")
    if table.se is not None and table.variance is not None:
        se, v = table.se.range, table.variance.range
        noise = 1e-9 * np.abs(v.value)
        apart = (np.maximum(se.low, 0) ** 2 > v.high + noise) | (se.high**2 < v.low - noise)
        for i in _rows(apart & (se.value > 0) & (v.value > 0)):
            what = f"not the square of {table.se.name} = {sheet.text(i, table.se.name)}"
            yield sheet.at(i, table.variance.name, what, "Correct or remove one of the two.")


def _no_ratios(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find ratios that have no logarithm."""
    if not table.columns.ratio:
        return
    for part in (table.estimate, table.ci_low, table.ci_high):
        if part is None:
            continue
        for i in _rows(part.range.value < 0):
            fix = "Are these logarithms? scale='analysis' (--scale analysis)."
            yield sheet.at(i, part.name, "a ratio is above 0", fix)
        for i in _rows(part.range.value == 0):
            if part is table.ci_low and _positive(table, i):
                low = 2 * table.effect.value[i] - np.log(_value(table.ci_high, i))
                fix = f"Give more digits ({np.exp(low):.2g} fits estimate and upper limit), or se."
            else:
                fix = "Give more digits, or the counts."
            yield sheet.at(i, part.name, "a ratio of 0 has no logarithm", fix)


def _intervals_unfit(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find intervals in the wrong order, or not symmetric about their estimate.

    Rounding is taken into account; a row that gives its standard error is left alone.
    """
    low, high, m = table.ci_low, table.ci_high, table.estimate
    if low is None or high is None:
        return
    ends, free = (low.range, high.range), np.isnan(table.of_se.value)
    swapped = ends[0].value >= ends[1].value
    for i in _rows(swapped & free):
        what = f"not below the upper limit ({sheet.text(i, high.name)})"
        yield sheet.at(i, low.name, what, "Are the limits swapped?")
    finite = np.isfinite(table.of_interval.value) & np.isfinite(table.effect.value)
    for i in _rows(table.asymmetric & free & ~swapped & finite):
        limits = f"({sheet.text(i, low.name)}, {sheet.text(i, high.name)})"
        outside = m.range.value[i] < ends[0].value[i] or m.range.value[i] > ends[1].value[i]
        what = f"outside its interval {limits}" if outside else f"not the middle of {limits}"
        yield sheet.at(i, m.name, f"{what}; {_middle(table, i)}", _remedy(table, i, outside))


def _p_unfit(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find p-values that are none, that give no standard error, or that contradict the rest."""
    if table.p is None:
        return
    name, p = table.p.name, table.p.range
    for i in _rows((p.value < 0) | (p.value > 1)):
        yield sheet.at(i, name, "no probability", "Check the column.")
    sane = (p.value >= 0) & (p.value <= 1)
    alone = np.isnan(table.of_se.value) & np.isnan(table.of_interval.value) & sane
    if table.ci_low is not None and table.ci_high is not None:
        alone &= table.ci_low.blank & table.ci_high.blank
    for i in _rows(alone):
        found = _useless_p(table, i)
        if found is not None:
            yield sheet.at(i, name, found, "Give the interval, se or more digits of p.")
    free = np.isnan(table.of_se.value) & ~table.asymmetric & sane
    for i in _rows(table.p_contradicts & free):
        wald = two_sided_p(table.effect.value[i] / table.of_interval.value[i])
        what = f"estimate and interval give p = {wald:.2g}"
        fix = f"Probably a misprint: correct it, remove the p-value, {_USE_SE}."
        yield sheet.at(i, name, what, fix)


def _beyond_reckoning(sheet: Sheet, table: Estimates) -> Iterator[Problem]:
    """Find standard errors that follow from sound numbers and cannot be squared."""
    for i in _rows(np.abs(table.effect.value) > LARGEST_NUMBER):
        yield sheet.at(i, table.estimate.name, "too large a number", "Check the digits.")
    se = table.chosen.value
    for i in _rows((se > LARGEST_NUMBER) | (se < 1 / LARGEST_NUMBER)):
        what = "the standard error that follows is beyond reckoning"
        yield sheet.at(i, table.estimate.name, what, "Check the digits.")


def _useless_p(table: Estimates, i: int) -> str | None:
    """Say why a p-value alone gives no standard error."""
    if table.p is None:
        return None
    p, effect = table.p.range, float(table.effect.value[i])
    if table.p.bound[i]:
        z = float(-ndtri(p.value[i] / 2))
        if p.low[i] < 0 and z > 0:
            return f"a bound: it says only that se is below {abs(effect) / z:.3g}"
        return "a bound gives no standard error"
    if p.value[i] == 0:
        return "a p-value of 0 gives no standard error: it was rounded down"
    if p.value[i] == 1:
        return "a p-value of 1 gives no standard error: it was rounded up"
    return "an estimate of no effect has no standard error by its p-value" if effect == 0 else None


def _middle(table: Estimates, i: int) -> str:
    """Say what the middle of an interval is, as it would be printed."""
    middle = (_end(table, table.ci_low, i) + _end(table, table.ci_high, i)) / 2
    where = " (ratio scale)" if table.columns.ratio else ""
    return f"the middle of the interval is {_show(table, middle, i)}{where}"


def _remedy(table: Estimates, i: int, outside: bool) -> str:
    """Say what would fit, and what to do."""
    m, low, high = (
        table.effect.value[i],
        *(_end(table, part, i) for part in (table.ci_low, table.ci_high)),
    )
    other = _fits_otherwise(table, i)
    fits = []
    if m < high:
        fits.append(f"a lower limit of {_show(table, 2 * m - high, i)}")
    if m > low:
        fits.append(f"an upper limit of {_show(table, 2 * m - low, i)}")
    hint = "Are two columns swapped? " if outside else ""
    return (
        f"{other or hint}Probably a misprint: {' or '.join(fits)} would fit. Correct it, {_USE_SE}."
    )


def _fits_otherwise(table: Estimates, i: int) -> str:
    """Ask for the other scale where the interval is symmetric there."""
    parts = (table.estimate, table.ci_low, table.ci_high)
    m, low, high = (_cut(part, i) for part in parts if part is not None)
    if not table.columns.ratio:
        if min(m.value[0], low.value[0]) <= 0:
            return ""
        m, low, high = m.log(), low.log(), high.log()
    se = spread_of_interval(m, low, high, table.z[i : i + 1])
    if se.low[0] > se.high[0]:
        return ""
    what, scale = ("logarithms", "analysis") if table.columns.ratio else ("ratios", "ratio")
    return f"Are these {what}? scale={scale!r} (--scale {scale}). "


def _show(table: Estimates, x: float, i: int) -> str:
    """Write a number of the analysis scale as the row prints its own."""
    parts = (table.estimate, table.ci_low, table.ci_high)
    decimals = max(int(part.decimals[i]) for part in parts if part is not None)
    return f"{np.exp(x) if table.columns.ratio else x:.{min(decimals, 6)}f}"


def _end(table: Estimates, part: Numbers | None, i: int) -> float:
    """Give a limit on the analysis scale."""
    value = _value(part, i)
    return float(np.log(value)) if table.columns.ratio else value


def _value(part: Numbers | None, i: int) -> float:
    return float("nan") if part is None else float(part.range.value[i])


def _positive(table: Estimates, i: int) -> bool:
    return _value(table.estimate, i) > 0 and _value(table.ci_high, i) > 0


def _cut(part: Numbers, i: int) -> Range:
    r = part.range
    return Range(value=r.value[i : i + 1], low=r.low[i : i + 1], high=r.high[i : i + 1])


def _rows(where: NDArray[np.bool_]) -> list[int]:
    return [int(i) for i in np.flatnonzero(where)]
