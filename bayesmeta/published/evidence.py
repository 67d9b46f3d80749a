"""What a published row says in numbers: each printed number as the interval of its rounding."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesmeta.effects import Measure
from bayesmeta.errors import Problem, PublishedRowError
from bayesmeta.printed import Printed
from bayesmeta.published.heterogeneity import Interval, find_q
from bayesmeta.published.row import PublishedRow
from bayesmeta.published.weights import StudyWeights

FLAG = 1.5  # Q/(k - 1) of a fixed row above which the reading fails
_MILD = 1.25  # ratio of the halves of an interval that is taken to be roughly symmetric
_DOMAINS = {
    "log": (0.0, math.inf),
    "logit": (0.0, 1.0),
    "arcsine": (0.0, 1.0),
    "fisher z": (-1.0, 1.0),
    "identity": (-math.inf, math.inf),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowEvidence:
    """What the likelihood of a published row is made from, on the analysis scale.

    Attributes
    ----------
    estimate, se : (low, high)
        Pooled estimate and its standard error, between the bounds of their rounding.
    weights : StudyWeights
        Of the k studies; one study where k is not printed.
    random : bool
        Whether the weights contain the paper's tau2 (a random-effects row).
    q : (low, high) or None
        Cochran's Q; None where nothing printed tells it.
    common : bool
        k is not printed: the row is read as one study of a common effect.
    flagged : bool
        A fixed row with Q/(k - 1) above 1.5, where the model fails.
    notes : tuple of str
        What was assumed.
    """

    estimate: Interval
    se: Interval
    weights: StudyWeights
    random: bool
    q: Interval | None
    common: bool
    flagged: bool
    notes: tuple[str, ...]


def read_row(
    row: PublishedRow,
    measure: Measure,
    *,
    sizes: Sequence[float] | None = None,
    unit_sd: float | None = None,
    implied_q_p: Printed | None = None,
    level: float = 0.95,
) -> RowEvidence:
    """Read what a row says; see `from_published` for the arguments.

    Raises
    ------
    PublishedRowError
        With all that is wrong with the row.
    """
    problems = list(_problems(row, measure, sizes, unit_sd, implied_q_p, level))
    _raise(problems)
    estimate = _to_analysis(row.estimate, measure)
    se, of_se = _find_se(row, measure, estimate, level)
    _raise([of_se] if isinstance(of_se, Problem) else [])
    assert isinstance(of_se, tuple)
    notes = [*_rounding_note(se), *of_se]
    if row.k is None:
        notes.append(
            "the number of studies is not printed: the row is read as one study, common effect "
            "(tau = 0); it says nothing of heterogeneity or of a new study"
        )
    k = row.k or 1
    weights = StudyWeights.build(k if row.k is None or sizes is None else np.asarray(sizes))
    c = None if unit_sd is None or sizes is None else unit_sd**2 / float(np.mean(sizes))
    random, q, of_q = find_q(row, weights, se, common_variance=c, implied_q_p=implied_q_p)
    _raise([of_q] if isinstance(of_q, Problem) else [])
    assert isinstance(of_q, tuple)
    ratio = 0.0 if random or q is None or k == 1 else _typical(q) / (k - 1)
    notes.extend(_fixed_note(ratio))
    if k > 1:
        notes.append(_weights_note(weights, sizes))
    return RowEvidence(
        estimate=estimate,
        se=se,
        weights=weights,
        random=random,
        q=q,
        common=row.k is None,
        flagged=ratio > FLAG,
        notes=(*notes, *of_q),
    )


def _raise(problems: list[Problem]) -> None:
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise PublishedRowError(f"The published row has {count}; nothing was fitted", problems)


def _typical(q: Interval) -> float:
    return 0.5 * (q[0] + q[1]) if math.isfinite(q[1]) else q[0]


def _fixed_note(ratio: float) -> Iterator[str]:
    """Warn of a fixed row by its Q/(k - 1)."""
    if ratio > FLAG:
        yield (
            f"flagged: a fixed-effect row with Q/(k - 1) about {ratio:.2g}, above {FLAG}, where "
            "studies of equal precision are not what its standard error means: the posterior may "
            "be off by several SDs. Use the study data, or a random-effects row"
        )
    elif ratio > 1:
        yield (
            f"a fixed-effect row with Q/(k - 1) about {ratio:.2g}, above 1: where the studies "
            "differ in precision mu may be off by some tenths of its SD"
        )


def _weights_note(weights: StudyWeights, sizes: Sequence[float] | None) -> str:
    if sizes is None:
        return f"the {weights.k} studies are taken to be equally precise"
    return (
        f"the variances of the {weights.k} studies are taken to be proportional to 1/size; Q has "
        "the gamma distribution with its mean and variance (exact at tau = 0 and for equal sizes)"
    )


def _rounding_note(se: Interval) -> Iterator[str]:
    spread = se[1] / se[0] - 1
    if spread > 0.1:
        yield (
            f"the printed digits leave the standard error between {se[0]:.3g} and {se[1]:.3g}; "
            "it is averaged over"
        )


def _problems(
    row: PublishedRow,
    measure: Measure,
    sizes: Sequence[float] | None,
    unit_sd: float | None,
    implied_q_p: Printed | None,
    level: float,
) -> Iterator[Problem]:
    yield from _effect_problems(row, measure)
    for name, number, high in (
        ("p", row.p, 1.0),
        ("q_p", row.q_p, 1.0),
        ("implied_q_p", implied_q_p, 1.0),
        ("i2", row.i2, 100.0),
        ("q", row.q, math.inf),
        ("tau2", row.tau2, math.inf),
    ):
        if number is not None and not 0 <= number.value <= high:
            what = "is below 0" if number.value < 0 else f"is above {high:g}"
            yield _problem(name, number, what, "Write it as the publication prints it.")
    if row.k is not None and row.k < 1:
        what, fix = "is not a number of studies", "Give 1 or more, or leave k out."
        yield Problem(column="k", value=str(row.k), what=what, fix=fix)
    if sizes is not None:
        yield from _size_problems(row, sizes)
    if unit_sd is not None and not (math.isfinite(unit_sd) and unit_sd > 0):
        fix = "Give the SD that makes a study's standard error unit_sd / sqrt(size)."
        yield Problem(column="unit_sd", value=str(unit_sd), what="is not positive", fix=fix)
    if unit_sd is not None and sizes is None:
        what, fix = "has no meaning without sizes", "Give sizes, one for each study."
        yield Problem(column="unit_sd", value=str(unit_sd), what=what, fix=fix)
    if not 0.5 <= level < 1:
        what, fix = "is not the probability of an interval", "Give 0.95 for 95% limits."
        yield Problem(column="level", value=str(level), what=what, fix=fix)


def _size_problems(row: PublishedRow, sizes: Sequence[float]) -> Iterator[Problem]:
    array = np.asarray(sizes, dtype=float)
    if row.k is None or len(array) != row.k:
        printed = "not printed" if row.k is None else str(row.k)
        what = f"{len(array)} sizes, and k is {printed}"
        yield Problem(column="sizes", what=what, fix="Give k, and one size for each study.")
    if not (np.isfinite(array).all() and (array > 0).all()):
        what = "not all are finite and above 0"
        yield Problem(column="sizes", what=what, fix="Give the number of patients of each study.")


def _effect_problems(row: PublishedRow, measure: Measure) -> Iterator[Problem]:
    """Faults of estimate and limits: off the scale, in the wrong order, apart from each other."""
    low, high = _DOMAINS[measure.scale.name]
    estimate, fine = row.estimate, True
    if estimate.bound != "exact":
        yield _problem("estimate", estimate, "is a bound, not an estimate", "Leave the row out.")
        fine = False
    elif not low < estimate.value < high:
        what = f"is not inside ({low:g}, {high:g}), where the {measure.label} lies"
        fix = "Was its logarithm, or another measure, printed?"
        if estimate.value == low and measure.scale.name == "log":
            fix = "An estimate that rounds to 0 has no logarithm; use the study data."
        yield _problem("estimate", estimate, what, fix)
        fine = False
    if row.ci is None:
        if row.p is None:
            what = "there is neither an interval nor a p value, so no standard error"
            yield Problem(column="ci", what=what, fix="Give ci, or p of the effect.")
        return
    lower, upper = row.ci
    for limit in row.ci:
        if not low <= limit.value <= high:
            what = f"is not inside ({low:g}, {high:g}), where the {measure.label} lies"
            yield _problem("ci", limit, what, "Was its logarithm, or another measure, printed?")
            fine = False
    if lower.value > upper.value:
        what, fix = f"the lower limit is above the upper, {upper.text}", "Are the limits swapped?"
        yield _problem("ci", lower, what, fix)
    elif fine and not (estimate.high >= lower.low and estimate.low <= upper.high):
        what = f"is outside its interval ({lower.text} to {upper.text})"
        yield _problem("estimate", estimate, what, "Look for a misprint, or another row's number.")


def _problem(name: str, number: Printed, what: str, fix: str) -> Problem:
    return Problem(column=name, value=number.text, what=what, fix=fix)


def _to_analysis(number: Printed, measure: Measure) -> Interval:
    """Bounds of a printed number on the analysis scale; infinite at the ends of its domain."""
    ends = np.clip([number.low, number.high], *_DOMAINS[measure.scale.name])
    with np.errstate(divide="ignore"):
        low, high = measure.scale.from_natural(ends)
    return float(low), float(high)


def _find_se(
    row: PublishedRow, measure: Measure, estimate: Interval, level: float
) -> tuple[Interval, tuple[str, ...] | Problem]:
    """Bounds of the standard error, and what was done to have them, or what is wrong."""
    if row.ci is None:
        se = _se_from_p(row.p, estimate)
        if se[0] > 0 and se[1] < math.inf:
            return se, ("the standard error is derived from the p value of the effect",)
        what = "does not give a standard error: an open bound, or an effect that rounds to nothing"
        assert row.p is not None
        return se, _problem("p", row.p, what, "Give the interval.")
    z = float(ndtri(0.5 + level / 2))
    (l1, l2), (h1, h2) = (_to_analysis(limit, measure) for limit in row.ci)
    (a, b) = estimate
    lower, upper = ((a - l2) / z, (b - l1) / z), ((h1 - b) / z, (h2 - a) / z)
    whole = (h1 - l2) / (2 * z), (h2 - l1) / (2 * z)
    se, note = _choose_part(lower, upper, whole, _se_from_p(row.p, estimate))
    text = f"{row.ci[0].text} to {row.ci[1].text}"
    if not (se[0] > 0 and math.isfinite(se[1])):
        what = "too few digits are printed to give a standard error"
        fix = "Give p of the effect instead of ci, or use the study data."
        if note is None:
            what = (
                f"not symmetric about the estimate on the scale of the {measure.analysis_label}: "
                f"the lower half gives a standard error of {_middle(lower):.3g}, the upper "
                f"{_middle(upper):.3g}"
            )
            fix = "If a limit is a misprint, leave ci out and give p, or give the right limit."
        return se, Problem(column="ci", value=text, what=what, fix=fix)
    assert note is not None
    return se, note


def _choose_part(
    lower: Interval, upper: Interval, whole: Interval, from_p: Interval
) -> tuple[Interval, tuple[str, ...] | None]:
    """Take the standard error from the whole interval, or from the half that can be believed.

    None in place of the notes where neither half can.
    """
    for half, limit, other in ((upper, lower, "lower"), (lower, upper, "upper")):
        if math.isinf(limit[1]) and math.isfinite(half[1]):
            text = f"the {other} limit is at the end of the scale: only the other one is used"
            return half, (text,)
    if _meet(lower, upper):
        return whole, ()
    agree = [_meet(lower, from_p), _meet(upper, from_p)]
    if sum(agree) == 1 and math.isfinite(from_p[1]):
        used, other = ("lower", "upper") if agree[0] else ("upper", "lower")
        text = (
            f"the {other} limit agrees neither with the estimate and the {used} limit nor with p, "
            f"and is probably a misprint: the standard error is that of the {used} limit"
        )
        return (lower if agree[0] else upper), (text,)
    ratio = _middle(upper) / _middle(lower) if _middle(lower) > 0 else math.inf
    if 1 / _MILD <= ratio <= _MILD:
        text = "the interval is not symmetric about the estimate: its whole width is used"
        return whole, (text,)
    return (0.0, math.inf), None


def _se_from_p(p: Printed | None, estimate: Interval) -> Interval:
    """Bounds of the standard error from the two-sided p value of a z test."""
    if p is None:
        return 0.0, math.inf
    low, high = (float(-ndtri(min(max(end, 0.0), 1.0) / 2)) for end in (p.high, p.low))
    nearest = 0.0 if estimate[0] <= 0 <= estimate[1] else min(abs(end) for end in estimate)
    farthest = max(abs(end) for end in estimate)
    return nearest / high if high > 0 else math.inf, farthest / low if low > 0 else math.inf


def _meet(one: Interval, other: Interval) -> bool:
    slack = 1e-9 * (abs(one[0]) + abs(other[0]))
    return max(one[0], other[0]) <= min(one[1], other[1]) + slack


def _middle(interval: Interval) -> float:
    return 0.5 * (interval[0] + interval[1])
