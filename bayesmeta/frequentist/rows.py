"""One row of the reference table per method: from a `Task` to a `PooledEstimate`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Self

import numpy as np

from bayesmeta.effects import Effects
from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.counts.person_time import PersonTime
from bayesmeta.frequentist.counts.tables import Tables
from bayesmeta.frequentist.intervals.henmi_copas import fit_henmi_copas
from bayesmeta.frequentist.intervals.nagashima import nagashima_interval
from bayesmeta.frequentist.intervals.profile_likelihood import profile_interval, profile_p
from bayesmeta.frequentist.intervals.simple import (
    Interval,
    prediction_interval,
    symmetric_interval,
    two_sided_p,
)
from bayesmeta.frequentist.inverse_variance import (
    Heterogeneity,
    heterogeneity,
    knapp_hartung_scale,
)
from bayesmeta.frequentist.least_squares import WeightedFit, decorrelate, weighted_fit
from bayesmeta.frequentist.reference import (
    IntervalMethod,
    PooledEstimate,
    PredictionMethod,
    Tau2IntervalMethod,
)
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.frequentist.tau2.intervals import TAU2_INTERVALS
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

AT_BOUND = "tau2 is at its lower bound 0: the weights are those of a common effect"
ONE_STUDY = "tau not estimable from one study"
_NAN = float("nan")
_NUMBERS = ("estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "tau2_ci_low", "tau2_ci_high",
            "i2", "i2_ci_low", "i2_ci_high", "h2", "h2_ci_low", "h2_ci_high", "q", "q_p", "pi_low",
            "pi_high")  # fmt: skip
_NAGASHIMA = "Nagashima: quantiles over the confidence distribution of tau2"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """Independent effects to pool, and what every random-effects row says of their spread.

    Attributes
    ----------
    y, v : (row,)
        Effects and sampling variances, decorrelated.
    X : (row, 1)
        Design of one pooled effect.
    found : Heterogeneity or None
        None where there is one row only.
    tau2_limits, new_effect : callable
        Interval of tau2, and Nagashima's prediction interval; computed once, when first wanted.
    """

    y: FloatArray
    v: FloatArray
    X: FloatArray
    found: Heterogeneity | None
    tau2_limits: Callable[[], Interval]
    new_effect: Callable[[], Interval]

    @classmethod
    def of(
        cls, y: FloatArray, S: FloatArray, *, tau2_interval: Tau2IntervalMethod, level: float
    ) -> Self:
        """Prepare effects (row,) with variances (row,) or covariance (row, row)."""
        y, v, X = decorrelate(y, S, np.ones((len(y), 1)))
        return cls(
            y=y,
            v=v,
            X=X,
            found=heterogeneity(y, v, X) if len(y) > 1 else None,
            tau2_limits=cache(partial(TAU2_INTERVALS[tau2_interval], y, v, X, level=level)),
            new_effect=cache(partial(nagashima_interval, y, v, X, level=level)),
        )


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
        How the interval of the effect is made.
    level : float
        Coverage, in (0.5, 1).
    pi : str
        How prediction intervals are made.
    tau2_interval : str
        How the interval of tau2 is made.
    spread : Spread
        The effects, independent, and what all rows share.
    cells : callable
        Gives the counts of 2x2 tables, or of events in person-time; read once, when first wanted.
    """

    studies: StudyTable
    effects: Effects
    measure: str
    interval: IntervalMethod
    level: float
    pi: PredictionMethod
    tau2_interval: Tau2IntervalMethod
    spread: Spread
    cells: Callable[[], Tables | PersonTime]


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
        tau2_interval=None,
        pi_method=None,
        notes=tuple(notes),
        **dict.fromkeys(_NUMBERS, _NAN),
    )


def pool_common(row: PooledEstimate, task: Task) -> PooledEstimate:
    """Fill a row by inverse-variance pooling at tau2 = 0."""
    spread = task.spread
    row = with_effect(row, weighted_fit(spread.y, spread.v, spread.X), task)
    row = noted(replace(row, tau2=0.0), *task.effects.notes)
    if task.interval in ("hksj", "hksj-adhoc"):
        row = noted(row, f"{task.interval} takes the error from the spread of the studies, "
                         "which a common effect has none of")  # fmt: skip
    return with_heterogeneity(row, spread.found, tau2=None)


def pool_random(row: PooledEstimate, task: Task, *, estimator: str) -> PooledEstimate:
    """Fill a row by inverse-variance pooling with tau2 from an entry of `TAU2`."""
    spread = task.spread
    y, v, X = spread.y, spread.v, spread.X
    if len(y) == 1:
        row = with_effect(row, weighted_fit(y, v, X), task)
        row = noted(row, *task.effects.notes, ONE_STUDY)
        return with_heterogeneity(row, None, tau2=None)
    tau2 = float(TAU2[estimator](y, v, X))
    row = with_effect(row, weighted_fit(y, v + tau2, X), task)
    row = noted(replace(row, tau2=tau2), *task.effects.notes)
    if tau2 == 0.0:
        row = noted(row, AT_BOUND)
    row = with_heterogeneity(row, spread.found, tau2=tau2)
    return with_tau2_interval(with_prediction(row, spread, task), spread, task)


# --- parts of a row ------------------------------------------------------------------------------


def with_effect(row: PooledEstimate, fit: WeightedFit, task: Task) -> PooledEstimate:
    """Add the pooled effect, its interval and its test."""
    estimate, variance = float(fit.beta[0]), float(fit.cov[0, 0])
    df = len(fit.residual) - 1
    if task.interval == "wald":
        return with_interval(row, estimate, np.sqrt(variance), task.level)
    if df == 0:
        row = replace(row, estimate=estimate, se=float(np.sqrt(variance)))
        return noted(
            row, f"{task.interval} interval undefined: one study leaves no degree of freedom"
        )
    if task.interval == "t":
        return with_interval(row, estimate, np.sqrt(variance), task.level, df=df)
    if task.interval == "profile":
        return _with_profile(replace(row, estimate=estimate, se=float(np.sqrt(variance))), task)
    if task.interval == "henmi-copas":
        return _with_henmi_copas(row, task)
    scale = float(knapp_hartung_scale(fit, never_narrower=task.interval == "hksj-adhoc"))
    if scale < 1.0 - 1e-9:  # less is rounding
        row = noted(row, f"the hksj error is {np.sqrt(scale):.4g} of the plain one; hksj-adhoc "
                         "never goes below it")  # fmt: skip
    return with_interval(row, estimate, np.sqrt(scale * variance), task.level, df=df)


def with_interval(
    row: PooledEstimate, estimate: float, se: float, level: float, *, df: int | None = None
) -> PooledEstimate:
    """Add an estimate with the normal or t interval and test that its error gives."""
    limits = symmetric_interval(estimate, se, level=level, df=df)
    return replace(
        row,
        estimate=estimate,
        se=float(se),
        ci_low=float(limits.low),
        ci_high=float(limits.high),
        p_value=float(two_sided_p(estimate, se, df=df)),
    )


def _with_profile(row: PooledEstimate, task: Task) -> PooledEstimate:
    spread = task.spread
    found = profile_interval(spread.y, spread.v, spread.X, level=task.level)
    if not found.connected:
        row = noted(row, "the likelihood has several peaks: some values between the profile limits "
                         "are rejected too")  # fmt: skip
    return replace(
        row,
        ci_low=float(found.limits.low),
        ci_high=float(found.limits.high),
        p_value=profile_p(spread.y, spread.v, spread.X),
    )


def _with_henmi_copas(row: PooledEstimate, task: Task) -> PooledEstimate:
    y, S = task.effects.y, task.effects.S
    if S.ndim == 2:
        raise NotEstimableError(
            "The Henmi-Copas interval is for independent effects, and these share an arm. "
            "Choose hksj."
        )
    fit = fit_henmi_copas(y, S)
    limits = fit.interval(task.level)
    row = noted(row, "henmi-copas: the estimate is that of a common effect, the interval allows "
                     "for tau2")  # fmt: skip
    return replace(
        row,
        estimate=fit.estimate,
        se=fit.se,
        ci_low=float(limits.low),
        ci_high=float(limits.high),
        p_value=fit.two_sided_p(),
    )


def with_heterogeneity(
    row: PooledEstimate, found: Heterogeneity | None, *, tau2: float | None
) -> PooledEstimate:
    """Add Q, I2 and H2; one study has a Q of 0 with no degree of freedom, and neither I2 nor H2."""
    if found is None:
        return replace(row, q=0.0, q_df=0, q_p=1.0)
    return replace(
        row,
        q=float(found.q),
        q_df=found.df,
        q_p=float(found.p),
        i2=float(found.i2(tau2)),
        h2=float(found.h2(tau2)),
    )


def with_tau2_interval(row: PooledEstimate, spread: Spread, task: Task) -> PooledEstimate:
    """Add the interval of tau2, and those of I2 and H2 that follow from it."""
    row = replace(row, tau2_interval=task.tau2_interval)
    try:
        limits = spread.tau2_limits()
    except NotEstimableError as error:
        return noted(row, str(error))
    if limits.high == 0.0:
        name = "Q-profile" if task.tau2_interval == "q-profile" else "generalised-Q"
        row = noted(row, f"no tau2 >= 0 is in its {name} interval: less spread than chance gives")
    found = spread.found
    if found is not None:
        both = np.array([limits.low, limits.high])
        i2, h2 = found.i2(both), found.h2(both)
        row = replace(
            row,
            i2_ci_low=float(i2[0]),
            i2_ci_high=float(i2[1]),
            h2_ci_low=float(h2[0]),
            h2_ci_high=float(h2[1]),
        )
    return replace(row, tau2_ci_low=float(limits.low), tau2_ci_high=float(limits.high))


def with_prediction(row: PooledEstimate, spread: Spread, task: Task) -> PooledEstimate:
    """Add the prediction interval asked for."""
    if task.pi == "nagashima":
        return _with_nagashima(row, spread)
    if task.interval == "henmi-copas":
        return noted(row, f"henmi-copas has no {task.pi} prediction interval; nagashima has one")
    if task.pi == "hts":
        df, name = row.k - 2, "t(k - 2): estimate +- t"
        if df == 0:
            row = noted(row, "prediction interval undefined: t(k - 2) needs three studies")
    elif task.interval in ("wald", "profile"):
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


def _with_nagashima(row: PooledEstimate, spread: Spread) -> PooledEstimate:
    row = replace(row, pi_method=_NAGASHIMA)
    try:
        limits = spread.new_effect()
    except NotEstimableError as error:
        return noted(row, str(error))
    if limits.low == limits.high:
        row = noted(row, "the effects are identical: Nagashima's prediction interval has no length")
    return replace(row, pi_low=float(limits.low), pi_high=float(limits.high))


def noted(row: PooledEstimate, *notes: str) -> PooledEstimate:
    """Add notes to a row."""
    return replace(row, notes=(*row.notes, *notes))
