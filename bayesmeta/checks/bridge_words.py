"""The sentences of a bridge: what a step changed, in numbers and no more than these."""

from collections.abc import Iterator

import numpy as np

from bayesmeta.checks.rows import Row
from bayesmeta.effects import Measure
from bayesmeta.frequentist import PooledEstimate
from bayesmeta.published.recomputed import compare_digits
from bayesmeta.published.row import PublishedRow

_CHANGES = {
    "inverse variance": "Studies are weighted by their inverse variances, not by their counts",
    "random effects": "True effects may differ between studies (random, not common effect)",
    "REML": "tau2 is estimated by REML",
    "Hartung-Knapp": "The error of the mean is taken from the spread of the studies, with t "
    "quantiles (Hartung-Knapp)",
    "vague tau prior": "tau is integrated over under a vague prior, not set to one estimate; the "
    "effect prior is flat",
    "heterogeneity prior": "tau gets the prior of the model",
    "effect prior": "The effect gets the prior of the model",
    "likelihood": "The data enter by the likelihood of the model, not as normal estimates",
    "form": "The true effects are distributed as in the model",
}


def say_published(published: PublishedRow, measure: Measure) -> str:
    """Say what is printed, in its own digits."""
    limits = [] if published.ci is None else [one.text for one in published.ci]
    interval = f" ({' to '.join(limits)})" if limits else ""
    named = {
        "p": published.p,
        "Q p": published.q_p,
        "I2": published.i2,
        "tau2": published.tau2,
    }
    others = [f"{name} {one.text}" for name, one in named.items() if one is not None]
    told = [f"{measure.name} {published.estimate.text}{interval}"]
    told += [f"{published.model} effects"] if published.model else []
    return f"Printed: {', '.join([*told, *others])}."


def say_recomputed(
    method: str,
    taken: str,
    pooled: PooledEstimate,
    published: PublishedRow | None,
    row: Row,
    measure: Measure,
) -> str:
    """Say whether the method of the publication gives the printed digits."""
    rule = "" if method == taken else f" (by the rule: {method})"
    how = f"The studies, pooled by {taken}{rule}"
    if not np.isfinite(row.estimate):
        return f"{how}: undefined for these data: {'; '.join(row.notes)}."
    estimate, low, high = _natural(row, measure)
    numbers = f"{measure.name} {estimate} ({low} to {high})"
    if published is None:
        return f"{how}: {numbers}."
    digits = compare_digits(published, pooled)
    wrong = [f"{one.name} {one.found:.4g}, where {one.printed.text} is printed" for one in digits
             if not one.same]  # fmt: skip
    right = ", ".join(one.name for one in digits if one.same)
    if not wrong:
        return f"{how}, give the printed digits of {right}."
    same = f" The printed digits of {right} are met." if right else ""
    return f"{how}: {'; '.join(wrong)}.{same}"


def say_change(name: str, before: Row | None, after: Row, measure: Measure) -> str:
    """Say what a step changes, against the last one that is defined.

    Parameters
    ----------
    name : str
        Of the step.
    before : Row or None
        The last step with an interval; None if there is none.
    after : Row
        The step.
    measure : Measure

    Returns
    -------
    str
        Numbers on the natural scale, to three figures; the width of the interval is compared on
        the analysis scale.
    """
    if not np.isfinite([after.estimate, after.ci_low, after.ci_high]).all():
        known = () if before is None else before.notes
        reasons = [note for note in after.notes if note not in known] or ["no interval"]
        return f"{_CHANGES[name]}. Undefined for these data: {'; '.join(reasons).rstrip('.')}."
    if before is None:
        estimate, low, high = _natural(after, measure)
        return f"{_CHANGES[name]}: {measure.name} {estimate} ({low} to {high})."
    return f"{_CHANGES[name]}: {'; '.join(_differences(before, after, measure))}."


def _differences(before: Row, after: Row, measure: Measure) -> Iterator[str]:
    """Give the differences of two rows, one by one."""
    was, now = _natural(before, measure)[0], _natural(after, measure)[0]
    yield f"{measure.name} stays {now}" if was == now else f"{measure.name} {was} becomes {now}"
    yield _widths(before.ci_high - before.ci_low, after.ci_high - after.ci_low)
    null = f"{float(measure.scale.to_natural(np.zeros(1))[0]):g}"
    includes = [row.ci_low <= 0.0 <= row.ci_high for row in (before, after)]
    if includes[0] != includes[1]:
        yield f"it {'now includes' if includes[1] else 'no longer includes'} {null}"
    if np.isfinite([before.tau, after.tau]).all():
        first, second = _figures(before.tau), _figures(after.tau)
        yield f"tau stays {second}" if first == second else f"tau {first} becomes {second}"
    elif np.isfinite(after.tau):
        yield f"tau is {_figures(after.tau)}"
    shown = [_probability(row.p_below_null) for row in (before, after)]
    if shown[0] != shown[1]:
        yield f"P({measure.name} < {null}) {shown[0]} becomes {shown[1]}"


def _widths(was: float, now: float) -> str:
    """Compare two widths; the Hartung-Knapp interval of identical effects has none."""
    if was <= 0 or now <= 0:
        return "the interval has no length" if now <= 0 else "the interval has a length again"
    ratio = f"{now / was:.2f}"
    same = ratio == "1.00"
    return "the interval keeps its width" if same else f"the interval is {ratio} times as wide"


def _natural(row: Row, measure: Measure) -> list[str]:
    """Write estimate and limits on the natural scale, to three figures."""
    numbers = np.array([row.estimate, row.ci_low, row.ci_high])
    return [_figures(one) for one in measure.scale.to_natural(numbers).tolist()]


def _figures(value: float) -> str:
    return f"{value:#.3g}".removesuffix(".") if value else "0"


def _probability(p: float) -> str:
    if not 0.00005 <= p <= 0.99995:
        return "undefined" if np.isnan(p) else ("<0.0001" if p < 0.5 else ">0.9999")
    return f"{p:.4f}"
