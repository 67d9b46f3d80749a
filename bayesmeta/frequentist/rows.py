"""One row of the reference table per method: from a `Task` to a `PooledEstimate`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayesmeta.effects import Effects, compute_effects
from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.counts import (
    MANTEL_HAENSZEL,
    REVMAN,
    BoolArray,
    CountEstimate,
    Tables,
    peto_or,
)
from bayesmeta.frequentist.intervals import (
    prediction_interval,
    q_profile,
    symmetric_interval,
    two_sided_p,
)
from bayesmeta.frequentist.inverse_variance import (
    heterogeneity,
    heterogeneity_about,
    knapp_hartung_scale,
)
from bayesmeta.frequentist.least_squares import WeightedFit, decorrelate, weighted_fit
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
)
from bayesmeta.frequentist.tau2 import TAU2, tau2_about
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

_NAN = float("nan")
_AT_BOUND = "tau2 is at its lower bound 0: the weights are those of a common effect"
_NUMBERS = ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "tau2_ci_low", "tau2_ci_high",
            "i2", "h2", "q", "q_p", "pi_low", "pi_high")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What is to be pooled, and how its interval is to be made.

    Attributes
    ----------
    studies : StudyTable
        One comparison of one outcome; Mantel-Haenszel takes its counts.
    effects : Effects
        Effects of the studies, on the analysis scale.
    measure : str
        Effect measure.
    interval : str
        "wald", "t", "hksj" or "hksj-adhoc".
    level : float
        Coverage, in (0.5, 1).
    pi : str
        "metafor" or "hts", the quantile of prediction intervals.
    """

    studies: StudyTable
    effects: Effects
    measure: str
    interval: IntervalMethod
    level: float
    pi: PredictionMethod


def undefined_row(name: str, label: str, task: Task, notes: Sequence[str] = ()) -> PooledEstimate:
    """Give a row whose numbers are all undefined."""
    return PooledEstimate(
        method=name,
        label=label,
        measure=task.measure,
        k=len(set(task.effects.study)),
        level=task.level,
        interval=task.interval,
        q_df=None,
        pi_method=None,
        notes=tuple(notes),
        **dict.fromkeys(_NUMBERS, _NAN),
    )


def pool_common(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by inverse-variance pooling at tau2 = 0."""
    y, v, X = _rows(task)
    row = _with_effect(row, weighted_fit(y, v, X), task)
    row = _noted(replace(row, tau2=0.0), *task.effects.notes)
    if task.interval in ("hksj", "hksj-adhoc"):
        row = _noted(row, f"{task.interval} takes the error from the spread of the studies, "
                          "which a common effect has none of")  # fmt: skip
    return _with_heterogeneity(row, y, v, X, tau2=None)


def pool_random(row: PooledEstimate, task: Task, *, estimator: str) -> PooledEstimate:
    """Fill a row by inverse-variance pooling with tau2 from an entry of `TAU2`."""
    y, v, X = _rows(task)
    if len(y) == 1:
        row = _with_effect(row, weighted_fit(y, v, X), task)
        row = _noted(row, *task.effects.notes, "tau not estimable from one study")
        return _with_heterogeneity(row, y, v, X, tau2=None)
    tau2 = float(TAU2[estimator](y, v, X))
    row = _with_effect(row, weighted_fit(y, v + tau2, X), task)
    row = _noted(replace(row, tau2=tau2), *task.effects.notes)
    if tau2 == 0.0:
        row = _noted(row, _AT_BOUND)
    row = _with_heterogeneity(row, y, v, X, tau2=tau2)
    return _with_tau2_interval(_with_prediction(row, task), y, v, X)


def pool_mantel_haenszel(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Mantel-Haenszel in metafor's form: nothing is added to the sums."""
    tables = Tables.of(task.studies.two_arm())
    zero = tables.double_zero
    _require_two_sided(zero)
    row = _with_counts(row, MANTEL_HAENSZEL[task.measure](tables), task)
    if zero.any():
        row = _noted(row, f"Q leaves out double-zero studies: {_named(task, zero)}")
    if np.any(task.effects.corrected & ~zero):
        row = _noted(row, "nothing is added to the sums; the effects in Q have 1/2 added, as in EE")
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
        row = _noted(row, "tau not estimable from one study")
        row = _with_effect(row, weighted_fit(y, v, X), task)
        return replace(row, q=0.0, q_df=0, q_p=1.0)
    tau2 = tau2_about(centre, y, v)
    row = replace(_with_effect(row, weighted_fit(y, v + tau2, X), task), tau2=tau2)
    row = _with_spread(row, effects, kept, centre=centre)
    if tau2 == 0.0:
        row = _noted(row, _AT_BOUND)
    return _with_tau2_interval(_with_prediction(row, task), y, v, X)


def _revman(
    row: PooledEstimate, task: Task
) -> tuple[PooledEstimate, CountEstimate, Effects, BoolArray]:
    """Give the row with k and notes, the Mantel-Haenszel estimate, the effects and who is kept."""
    tables = Tables.of(task.studies.two_arm())
    zero = tables.double_zero
    if task.measure == "RD":
        kept = np.ones_like(zero)
    else:
        _require_two_sided(zero)
        kept = ~zero
    used = tables.take(kept)
    pooled = REVMAN[task.measure](used.with_half_added())
    row = replace(row, k=int(kept.sum()))
    if used.has_zero.any():
        row = _noted(row, f"1/2 added to every cell of: {_named(task, kept & tables.has_zero)}")
    if not kept.all():
        row = _noted(row, f"double-zero studies left out: {_named(task, ~kept)}")
    effects = compute_effects(task.studies, task.measure, correction="only0")
    return row, pooled, effects, kept


def pool_peto(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by Peto's one-step odds ratio; Q is about it, with its own weights."""
    tables = Tables.of(task.studies.two_arm())
    zero = tables.double_zero
    pooled = peto_or(tables)
    row = _with_interval(row, float(pooled.estimate), float(pooled.se), task.level)
    row = replace(row, tau2=0.0, q=float(pooled.q), q_df=int(pooled.q_df), q_p=float(pooled.q_p))
    if zero.any():
        row = _noted(row, f"double-zero studies add nothing: {_named(task, zero)}")
    if not row.q_df:
        return row
    excess = max(0.0, row.q - row.q_df)
    return replace(row, i2=100.0 * excess / row.q if excess else 0.0, h2=row.q / row.q_df)


def _rows(task: Task) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give independent rows and the design of one pooled effect."""
    effects = task.effects
    return decorrelate(effects.y, effects.S, np.ones((len(effects.y), 1)))


def _with_effect(row: PooledEstimate, fit: WeightedFit, task: Task) -> PooledEstimate:
    """Add the pooled effect, its interval and its test."""
    estimate, variance = float(fit.beta[0]), float(fit.cov[0, 0])
    df = len(fit.residual) - 1
    if task.interval == "wald":
        return _with_interval(row, estimate, np.sqrt(variance), task.level)
    if df == 0:
        row = replace(row, estimate=estimate, se=float(np.sqrt(variance)))
        return _noted(
            row, f"{task.interval} interval undefined: one study leaves no degree of freedom"
        )
    if task.interval == "t":
        return _with_interval(row, estimate, np.sqrt(variance), task.level, df=df)
    scale = float(knapp_hartung_scale(fit, never_narrower=task.interval == "hksj-adhoc"))
    if scale < 1.0:
        row = _noted(row, f"the hksj error is {np.sqrt(scale):.3g} of the plain one; hksj-adhoc "
                          "never goes below it")  # fmt: skip
    return _with_interval(row, estimate, np.sqrt(scale * variance), task.level, df=df)


def _with_interval(
    row: PooledEstimate, estimate: float, se: float, level: float, *, df: int | None = None
) -> PooledEstimate:
    limits = symmetric_interval(estimate, se, level=level, df=df)
    return replace(
        row,
        estimate=estimate,
        se=float(se),
        ci_low=float(limits.low),
        ci_high=float(limits.high),
        p_value=float(two_sided_p(estimate, se, df=df)),
    )


def _with_heterogeneity(
    row: PooledEstimate, y: FloatArray, v: FloatArray, X: FloatArray, *, tau2: float | None
) -> PooledEstimate:
    """Add Q, I2 and H2; one row has a Q of 0 with no degree of freedom, and neither I2 nor H2."""
    if len(y) == 1:
        return replace(row, q=0.0, q_df=0, q_p=1.0)
    found = heterogeneity(y, v, X)
    return replace(
        row,
        q=float(found.q),
        q_df=found.df,
        q_p=float(found.p),
        i2=float(found.i2(tau2)),
        h2=float(found.h2(tau2)),
    )


def _with_tau2_interval(
    row: PooledEstimate, y: FloatArray, v: FloatArray, X: FloatArray
) -> PooledEstimate:
    limits = q_profile(y, v, X, level=row.level)
    if limits.high == 0.0:
        row = _noted(
            row, "no tau2 >= 0 is in its Q-profile interval: less spread than chance gives"
        )
    return replace(row, tau2_ci_low=float(limits.low), tau2_ci_high=float(limits.high))


def _with_prediction(row: PooledEstimate, task: Task) -> PooledEstimate:
    if task.pi == "hts":
        df, name = row.k - 2, "t(k - 2): estimate +- t"
        if df == 0:
            row = _noted(row, "prediction interval undefined: t(k - 2) needs three studies")
    elif task.interval == "wald":
        df, name = None, "z: estimate +- z"
    else:
        df, name = row.k - 1, "t(k - 1): estimate +- t"
    limits = prediction_interval(row.estimate, row.se, row.tau2, level=row.level, df=df)
    return replace(
        row,
        pi_low=float(limits.low),
        pi_high=float(limits.high),
        pi_method=f"{name} sqrt(se^2 + tau2)",
    )


def _with_counts(row: PooledEstimate, pooled: CountEstimate, task: Task) -> PooledEstimate:
    row = _with_interval(row, float(pooled.estimate), float(pooled.se), task.level)
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
            "or nothing but events). A binomial likelihood with proper priors can be fitted."
        )


def _named(task: Task, marked: NDArray[np.bool_]) -> str:
    return ", ".join(task.studies.two_arm().study[i] for i in np.flatnonzero(marked))


def _noted(row: PooledEstimate, *notes: str) -> PooledEstimate:
    return replace(row, notes=(*row.notes, *notes))
