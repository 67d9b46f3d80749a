"""The rows of methods that pool the counts themselves: Mantel-Haenszel, RevMan's forms, Peto."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import Effects, compute_effects
from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.counts.person_time import mantel_haenszel_ird, mantel_haenszel_irr
from bayesmeta.frequentist.counts.tables import (
    MANTEL_HAENSZEL,
    REVMAN,
    BoolArray,
    CountEstimate,
    Tables,
    peto_or,
)
from bayesmeta.frequentist.inverse_variance import heterogeneity_about
from bayesmeta.frequentist.least_squares import weighted_fit
from bayesmeta.frequentist.reference import PooledEstimate
from bayesmeta.frequentist.rows import (
    AT_BOUND,
    ONE_STUDY,
    Spread,
    Task,
    noted,
    with_effect,
    with_interval,
    with_prediction,
    with_tau2_interval,
)
from bayesmeta.frequentist.tau2.moments import tau2_about

POOLED_COUNTS: dict[str, Callable[[Any], CountEstimate]] = {
    **MANTEL_HAENSZEL,
    "IRR": mantel_haenszel_irr,
    "IRD": mantel_haenszel_ird,
}


def pool_mantel_haenszel(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Mantel-Haenszel in metafor's form: nothing is added to the sums.

    The counts are those of 2x2 tables, or events in person-time.
    """
    cells = task.cells()
    zero = cells.double_zero
    _require_two_sided(zero)
    row = _with_counts(row, POOLED_COUNTS[task.measure](cells), task)
    if task.measure == "RD":
        row = noted(row, "error of Sato, Greenland and Robins (1989), as in metafor")
    if zero.any():
        row = noted(row, f"Q leaves out double-zero studies: {_named(task, zero)}")
    if np.any(task.effects.corrected & ~zero):
        row = noted(row, "nothing is added to the sums; the effects in Q have 1/2 added, as in EE")
    return _with_spread(row, task.effects, ~zero)


def pool_revman(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Mantel-Haenszel in the form of RevMan 5 and Stata.

    1/2 is added to every cell of a table with a zero, before the sums and before the effects that
    Q compares; for OR and RR a double-zero study is left out of both.
    """
    row, pooled, effects, kept = _revman(row, task)
    return _with_spread(_with_counts(row, pooled, task), effects, kept)


def pool_revman_random(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Review Manager's "M-H, random".

    Inverse-variance weights with DerSimonian and Laird's tau2, whose Q is about the
    Mantel-Haenszel estimate of `pool_revman`; corrections and left-out studies are as there.
    """
    row, pooled, effects, kept = _revman(row, task)
    centre = float(pooled.estimate)
    y, v = effects.y[kept], effects.S[kept]
    X = np.ones((len(y), 1))
    if len(y) == 1:
        row = noted(row, ONE_STUDY)
        row = with_effect(row, weighted_fit(y, v, X), task)
        return replace(row, q=0.0, q_df=0, q_p=1.0)
    tau2 = tau2_about(centre, y, v)
    row = replace(with_effect(row, weighted_fit(y, v + tau2, X), task), tau2=tau2)
    row = _with_spread(row, effects, kept, centre=centre)
    if tau2 == 0.0:
        row = noted(row, AT_BOUND)
    spread = task.spread
    if effects is not task.effects or not kept.all():
        spread = Spread.of(y, v, tau2_interval=task.tau2_interval, level=task.level)
    return with_tau2_interval(with_prediction(row, spread, task), spread, task)


def _revman(
    row: PooledEstimate, task: Task
) -> tuple[PooledEstimate, CountEstimate, Effects, BoolArray]:
    """Give the row with k and notes, the Mantel-Haenszel estimate, the effects and who is kept."""
    tables = _tables(task)
    zero = tables.double_zero
    if task.measure == "RD":
        kept = np.ones_like(zero)
    else:
        _require_two_sided(zero)
        kept = ~zero
    used = tables.take(kept)
    pooled = REVMAN[task.measure](used.with_half_added())
    row = replace(row, k=int(kept.sum()))
    if task.measure == "RD":
        row = noted(row, "error of Greenland and Robins (1985), as in RevMan")
    if used.has_zero.any():
        row = noted(row, f"1/2 added to every cell of: {_named(task, kept & tables.has_zero)}")
    if not kept.all():
        row = noted(row, f"double-zero studies left out: {_named(task, ~kept)}")
    effects = task.effects
    if effects.correction != "only0":
        effects = compute_effects(task.studies, task.measure, correction="only0")
    return row, pooled, effects, kept


def pool_peto(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Peto's one-step odds ratio; Q is about it, with its own weights."""
    tables = _tables(task)
    zero = tables.double_zero
    pooled = peto_or(tables)
    row = with_interval(row, float(pooled.estimate), float(pooled.se), task.level)
    row = replace(row, tau2=0.0, q=float(pooled.q), q_df=int(pooled.q_df), q_p=float(pooled.q_p))
    if zero.any():
        row = noted(row, f"double-zero studies add nothing: {_named(task, zero)}")
    if not row.q_df:
        return row
    excess = max(0.0, row.q - row.q_df)
    return replace(row, i2=100.0 * excess / row.q if excess else 0.0, h2=row.q / row.q_df)


def _with_counts(row: PooledEstimate, pooled: CountEstimate, task: Task) -> PooledEstimate:
    row = with_interval(row, float(pooled.estimate), float(pooled.se), task.level)
    return replace(row, tau2=0.0)


def _with_spread(
    row: PooledEstimate, effects: Effects, kept: BoolArray, *, centre: float | None = None
) -> PooledEstimate:
    """Add Q about the row's estimate or another, with inverse-variance weights, over `kept`."""
    if kept.sum() < 2:
        return replace(row, q=0.0, q_df=0, q_p=1.0)
    centre = row.estimate if centre is None else centre
    found = heterogeneity_about(centre, effects.y[kept], effects.S[kept])
    return replace(
        row,
        q=float(found.q),
        q_df=found.df,
        q_p=float(found.p),
        i2=float(found.i2()),
        h2=float(found.h2()),
    )


def _require_two_sided(zero: BoolArray) -> None:
    if zero.all():
        raise NotEstimableError(
            "Mantel-Haenszel has no estimate: every study is double-zero (no event in either arm, "
            "or nothing but events). A likelihood of the counts with proper priors can be fitted."
        )


def _named(task: Task, marked: NDArray[np.bool_]) -> str:
    return ", ".join(task.studies.studies[i] for i in np.flatnonzero(marked))


def _tables(task: Task) -> Tables:
    return cast(Tables, task.cells())
