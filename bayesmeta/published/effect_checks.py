"""The tests of a published row's effect against itself: numbers, limits, p value.

Each gives the findings, or None where the row does not print enough for it.
"""

import math
import re
from collections.abc import Iterator

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.frequentist.intervals.simple import quantile_for
from bayesmeta.printed import Printed
from bayesmeta.published.audited import LABELS, AuditedRow, Finding
from bayesmeta.published.recomputed import PRINTED_LEVEL
from bayesmeta.published.rounding import (
    Interval,
    allowed_range,
    bounds_of,
    corners,
    middle,
    p_of_interval,
    p_of_statistic,
    show_span,
    to_analysis,
    touch,
)

_ONE_GROUP = ("single", "single_rates")  # their p values test nothing that is printed
_T_STATISTIC = re.compile(r"t \((\d+) df\)")


def find_impossible_numbers(row: AuditedRow) -> list[Finding] | None:
    """Find probabilities outside [0, 1], I2 outside [0, 100], negative Q or tau2, no studies."""
    ranges = {"p": (0, 1), "q_p": (0, 1), "i2": (0, 100), "q": (0, math.inf),
              "tau2": (0, math.inf)}  # fmt: skip
    there = [name for name in ranges if getattr(row.row, name) is not None]
    if not there and row.row.k is None:
        return None
    findings = []
    for name, (low, high) in ranges.items():
        printed: Printed | None = getattr(row.row, name)
        if printed is not None and not low <= printed.value <= high:
            allowed = f"{low} to {high}" if math.isfinite(high) else f"at least {low}"
            reason = f"{LABELS[name]} is printed as {printed.text}, and must be {allowed}"
            findings.append(row.finding("number", printed.text, allowed, reason))
    if row.row.k is not None and row.row.k < 1:
        reason = f"{row.row.k} studies are printed"
        findings.append(row.finding("number", str(row.row.k), "at least 1", reason))
    return findings


def find_wrong_measure(row: AuditedRow) -> list[Finding] | None:
    """Find numbers that the named measure cannot have, such as a negative ratio."""
    measure = row.named_measure
    if measure is None:
        return None
    low, high = allowed_range(measure)
    wrong = [one for one in _effect(row) if one.high < low or one.low > high]
    if not wrong:
        return []
    positive = measure.scale.name == "log"
    allowed = "above 0" if positive else f"{low:.0f} to {high:.0f}"
    texts = ", ".join(one.text for one in wrong)
    reason = f"{measure.name} = {texts} cannot be: {measure.name} is {allowed}"
    if positive and not _asymmetric(row, None):
        reason += "; as a difference the row is consistent"
    return [row.finding("measure", texts, allowed, reason)]


def find_wrong_order(row: AuditedRow) -> list[Finding] | None:
    """Find limits in the wrong order, or an estimate outside them."""
    if row.row.ci is None:
        return None
    low, high = row.row.ci
    between = f"{low.text} to {high.text}"
    if low.low > high.high:
        reason = f"the lower limit {low.text} is above the upper limit {high.text}"
        return [row.finding("order", between, "lower below upper", reason)]
    estimate = row.row.estimate
    if touch(bounds_of(estimate), (low.low, high.high)):
        return []
    reason = f"the estimate {estimate.text} is outside its interval, {between}"
    return [row.finding("order", estimate.text, between, reason)]


def find_asymmetry(row: AuditedRow) -> list[Finding] | None:
    """Find an interval without its estimate in the middle, on the analysis scale."""
    if row.row.ci is None or row.named_measure is None or find_wrong_order(row):
        return None
    measure = _scale(row)
    if not _asymmetric(row, measure):
        return []
    estimate, low, high = (_move(one, measure) for one in _effect(row))
    texts = [one.text for one in _effect(row)]
    centre = middle(low, high)
    point = middle(*((value, value) for value in _points(row, measure)[1:]))[0]
    lower = (2 * estimate[0] - high[1], 2 * estimate[1] - high[0])
    upper = (2 * estimate[0] - low[1], 2 * estimate[1] - low[0])
    reason = (
        f"the interval {texts[1]} to {texts[2]} has its middle at {_shown(point, measure)} "
        f"({_between(centre, measure)} as rounded), not at the estimate {texts[0]}; with the "
        f"estimate the upper limit asks for a lower one of {_between(lower, measure)}, and the "
        f"lower limit for an upper one of {_between(upper, measure)}"
        f"{_which_fits(row, estimate, low, high)}"
    )
    return [row.finding("symmetry", f"{texts[0]} ({texts[1]} to {texts[2]})",
                        f"middle {_between(centre, measure)}", reason)]  # fmt: skip


def find_wrong_p(row: AuditedRow) -> list[Finding] | None:
    """Find a p value that does not go with the interval (and the estimate in its middle)."""
    measure, printed = _scale(row), row.row.p
    if row.row.ci is None or printed is None or row.named_measure is None:
        return None
    if measure is not None and measure.layout in _ONE_GROUP:
        return None
    df = None
    if row.t_interval:
        if row.row.k is None or row.row.k < 2:
            return None
        df = row.row.k - 1
    estimate, low, high = (_move(one, measure) for one in _effect(row))
    found = corners(estimate, low, high)
    if not len(found):  # no estimate in the middle: the limits alone
        found = np.array([(a, b) for a in low for b in high if a < b])
    if not len(found):
        return None
    p = p_of_interval(found, level=PRINTED_LEVEL, df=df)
    if touch(p, bounds_of(printed)):
        return []
    by = "the normal distribution" if df is None else f"t with {df} df"
    texts = [one.text for one in row.row.ci]
    reason = (
        f"p is printed as {printed.text}; the interval {texts[0]} to {texts[1]} gives "
        f"{show_span(p)} by {by}"
    )
    return [row.finding("p value", printed.text, show_span(p), reason)]


def find_wrong_t_test(row: AuditedRow) -> list[Finding] | None:
    """Find a p value that does not go with a t statistic."""
    match, printed = _T_STATISTIC.fullmatch(row.measure), row.row.p
    if match is None or printed is None:
        return None
    p = p_of_statistic(bounds_of(row.row.estimate), int(match[1]))
    if touch(p, bounds_of(printed)):
        return []
    reason = f"p is printed as {printed.text}; t = {row.row.estimate.text} with {match[1]} df "
    return [row.finding("t test", printed.text, show_span(p), f"{reason}gives {show_span(p)}")]


# --- parts ---------------------------------------------------------------------------------------


def _effect(row: AuditedRow) -> Iterator[Printed]:
    yield row.row.estimate
    yield from row.row.ci or ()


def _is_beyond(row: AuditedRow) -> bool:
    """Tell whether the row has numbers that the measure by its name cannot have."""
    measure = row.named_measure
    if measure is None:
        return False
    low, high = allowed_range(measure)
    return any(one.high < low or one.low > high for one in _effect(row))


def _scale(row: AuditedRow) -> Measure | None:
    """Give the measure on whose scale the interval is symmetric; None for the numbers as such."""
    return None if _is_beyond(row) else row.named_measure


def _move(printed: Printed, measure: Measure | None) -> Interval:
    return bounds_of(printed) if measure is None else to_analysis(printed, measure)


def _points(row: AuditedRow, measure: Measure | None) -> list[float]:
    values = np.array([one.value for one in _effect(row)])
    if measure is None:
        return [float(x) for x in values]
    low, high = allowed_range(measure)
    return [float(x) for x in measure.scale.from_natural(np.clip(values, low, high))]


def _asymmetric(row: AuditedRow, measure: Measure | None) -> bool:
    if row.row.ci is None:
        return False
    estimate, low, high = (_move(one, measure) for one in _effect(row))
    return not touch(estimate, middle(low, high))


def _which_fits(row: AuditedRow, estimate: Interval, low: Interval, high: Interval) -> str:
    """Say which limit the p value fits, if it fits one of them."""
    if row.row.p is None or row.t_interval:
        return ""
    z = quantile_for(PRINTED_LEVEL)
    fits = []
    for limit, sign in ((low, -1.0), (high, 1.0)):
        reach = [sign * (end - e) for end in limit for e in estimate]
        if min(reach) <= 0:
            fits.append(False)
            continue
        ratios = [z * e / (sign * (end - e)) for end in limit for e in estimate]
        p = p_of_statistic((min(ratios), max(ratios)))
        fits.append(touch(p, bounds_of(row.row.p)))
    if sum(fits) != 1:
        return ""
    return f"; p = {row.row.p.text} goes with the {'lower' if fits[0] else 'upper'} limit"


def _shown(value: float, measure: Measure | None) -> str:
    natural = value if measure is None else float(measure.scale.to_natural(np.array(value)))
    return f"{natural:.3g}"


def _between(ends: Interval, measure: Measure | None) -> str:
    first, last = (_shown(end, measure) for end in ends)
    return first if first == last else f"{first} to {last}"
