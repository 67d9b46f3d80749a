"""The tests of what a published row prints of heterogeneity, and of the model chosen by it."""

import math

from bayesmeta.frequentist import METHODS
from bayesmeta.frequentist.rule import RANDOM_OR_FIXED, Rule, is_rule, parse_rule
from bayesmeta.printed import Printed
from bayesmeta.published.audited import LABELS, AuditedRow, Finding
from bayesmeta.published.rounding import (
    Interval,
    bounds_of,
    i2_of_q,
    p_of_q,
    q_of_i2,
    q_of_p,
    show_span,
    touch,
)


def find_heterogeneity_conflict(row: AuditedRow) -> list[Finding] | None:
    """Find Q, its p value, I2, tau2 and k that do not go together."""
    numbers = row.row
    there = [name for name in ("q", "q_p", "i2") if getattr(numbers, name) is not None]
    if numbers.k == 1 and there:
        shown = ", ".join(f"{LABELS[name]} {getattr(numbers, name).text}" for name in there)
        reason = f"{shown} is printed for one study, which has no heterogeneity"
        return [row.finding("heterogeneity", shown, "none", reason)]
    ways = _ways_to_q(row)
    pairs = [(a, b) for i, a in enumerate(ways) for b in list(ways)[i + 1 :]]
    if numbers.k is None or numbers.k < 2 or (not pairs and numbers.tau2 is None) or not ways:
        return None
    df, findings = numbers.k - 1, []
    for first, second in pairs:
        if not touch(ways[first], ways[second]):
            printed: Printed = getattr(numbers, second)
            allowed = show_span(_from_q(second, ways[first], df))
            given: Printed = getattr(numbers, first)
            reason = (
                f"{LABELS[first]} {given.text} of {numbers.k} studies gives {LABELS[second]} "
                f"{allowed}, where {printed.text} is printed"
            )
            findings.append(row.finding("heterogeneity", printed.text, allowed, reason))
    least = min(high for _, high in ways.values())
    if row.i2_from_q and numbers.tau2 is not None and numbers.tau2.low > 0 and least < df:
        reason = (
            f"tau2 is printed as {numbers.tau2.text}, but Q is at most {least:.3g}, below its "
            f"{df} degrees of freedom: the moment estimate is 0"
        )
        findings.append(row.finding("heterogeneity", numbers.tau2.text, "0", reason))
    return findings


def find_broken_rule(row: AuditedRow) -> list[Finding] | None:
    """Find a model that the publication's own rule does not choose."""
    if not row.rule or row.row.model is None:
        return None
    if not is_rule(row.rule):
        return _other_model(row, _word(row.rule), "")
    rule = parse_rule(row.rule, tuple(METHODS))
    held = [_holds(condition.sign, _quantity(row, condition.quantity), condition.number)
            for condition in rule.conditions]  # fmt: skip
    answer = _join(held, rule)
    if answer is None:
        return None
    seen = ", ".join(f"{name} {show_span(_quantity(row, name))}" for name in rule.quantities)
    return _other_model(row, _word(rule.chosen if answer else rule.otherwise), f", for {seen}")


def _other_model(row: AuditedRow, asked: str, seen: str) -> list[Finding]:
    printed = row.row.model or ""
    if asked == printed:
        return []
    reason = f"the model is printed as {printed}; the rule ({row.rule}) takes {asked}{seen}"
    return [row.finding("rule", printed, asked, reason)]


def _ways_to_q(row: AuditedRow) -> dict[str, Interval]:
    """Give the interval of Q by each number that tells of it."""
    numbers = row.row
    if numbers.k is None or numbers.k < 2:
        return {}
    df, found = numbers.k - 1, {}
    if numbers.q is not None:
        found["q"] = (max(0.0, numbers.q.low), numbers.q.high)
    if numbers.q_p is not None:
        found["q_p"] = q_of_p(bounds_of(numbers.q_p), df)
    if numbers.i2 is not None and row.i2_from_q:
        found["i2"] = q_of_i2(bounds_of(numbers.i2), df)
    return found


def _quantity(row: AuditedRow, name: str) -> Interval:
    """Give what is known of a quantity that a rule looks at."""
    numbers = row.row
    if name == "k":
        return (-math.inf, math.inf) if numbers.k is None else (float(numbers.k),) * 2
    printed = {"Q p": numbers.q_p, "I2": numbers.i2, "tau2": numbers.tau2}[name]
    if printed is not None:
        return bounds_of(printed)
    ways = _ways_to_q(row)
    if name == "tau2" or not ways or numbers.k is None:
        return -math.inf, math.inf
    q = next(iter(ways.values()))
    return p_of_q(q, numbers.k - 1) if name == "Q p" else i2_of_q(q, numbers.k - 1)


def _holds(sign: str, known: Interval, number: float) -> bool | None:
    """Tell whether a condition holds for all of an interval, or for none of it; else None."""
    low, high = known
    below = True if high <= number else (False if low >= number else None)
    if low == high == number:
        return "=" in sign
    if sign.startswith("<"):
        return below
    return None if below is None else not below


def _join(held: list[bool | None], rule: Rule) -> bool | None:
    decides = rule.joined == "or"
    if decides in held:
        return decides
    return None if None in held else not decides


def _word(method: str) -> str:
    if method in RANDOM_OR_FIXED:
        return method
    return "fixed" if METHODS[method].common else "random"


def _from_q(name: str, q: Interval, df: int) -> Interval:
    if name == "q":
        return q
    return p_of_q(q, df) if name == "q_p" else i2_of_q(q, df)
