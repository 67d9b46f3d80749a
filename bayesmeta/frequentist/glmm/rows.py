"""Rows of the reference table by generalised linear mixed models, on the counts themselves."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.glmm.fit import GlmmFit, fit_glmm
from bayesmeta.frequentist.glmm.likelihood import Glmm
from bayesmeta.frequentist.glmm.models import (
    Counts,
    conditional,
    conditional_approximate,
    counts_of,
    fixed_intercepts,
    one_group,
    random_intercepts,
)
from bayesmeta.frequentist.inverse_variance import heterogeneity
from bayesmeta.frequentist.reference import PooledEstimate
from bayesmeta.frequentist.rows import Task, with_interval, with_prediction

type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class GlmmKind:
    """One of the models.

    Attributes
    ----------
    label : str
        What a table's reader sees.
    measures : tuple of str
        Measures it has.
    build : callable
        Model of the counts.
    extremes : callable
        From counts to two marks per study: its likelihood does not fall as the effect goes to
        -infinity, to +infinity. Where one is true of every study there is no finite maximum.
    every_study : bool
        Whether studies of two arms without any event, or with nothing but events, say something.
    saturated : bool
        Whether the model with an effect for every study has a closed likelihood, for Q.
    """

    label: str
    measures: tuple[str, ...]
    build: Callable[[Counts], Glmm]
    extremes: Callable[[Counts], tuple[BoolArray, BoolArray]]
    every_study: bool = False
    saturated: bool = True


def pool_glmm(row: PooledEstimate, task: Task, *, kind: str) -> PooledEstimate:
    """Fill a row by an entry of `GLMMS`.

    Parameters
    ----------
    row : PooledEstimate
        Without numbers.
    task : Task
        Studies with the counts; its effects give the typical variance of I2 and H2 only.
    kind : str
        Key of `GLMMS`.

    Returns
    -------
    PooledEstimate
        Q is the likelihood ratio of the saturated model to the common effect; nan for UM.RS.

    Raises
    ------
    NotEstimableError
        No study says anything, the likelihood has no finite maximum, or it was not found.
    """
    chosen = GLMMS[kind]
    counts = counts_of(task.studies, task.measure)
    silent = np.zeros(len(counts.study), dtype=bool)
    if counts.events.shape[1] == 2 and not chosen.every_study:
        silent = counts.nothing_to_compare
    used = counts.take(~silent)
    _require_maximum(used, chosen, kind)
    model = chosen.build(used)
    k = len(used.study)
    fit = fit_glmm(model, name=kind, heterogeneous=k > 1)
    df = None if task.interval == "wald" else k - 1
    row = with_interval(replace(row, k=k), fit.estimate, fit.se, task.level, df=df)
    notes = list(_notes(fit, chosen, counts, silent))
    if np.any(task.effects.corrected & ~silent):
        notes.append("nothing is added to the counts; the variances in I2 have 1/2 added, as in EE")
    if k == 1:
        notes.append("tau not estimable from one study")
        row = replace(row, q=0.0, q_df=0, q_p=1.0)
    else:
        row = with_prediction(replace(row, tau2=fit.tau2), task.spread, task)
        row = _with_spread(row, fit, model, task, ~silent, saturated=chosen.saturated)
    return replace(row, notes=(*row.notes, *notes))


def _require_maximum(counts: Counts, chosen: GlmmKind, kind: str) -> None:
    """Refuse data whose likelihood rises without end with the effect."""
    remedy = "A binomial likelihood with proper priors can be fitted."
    if not counts.study:
        raise NotEstimableError(
            f"{kind} has no estimate: every study is without any event, or has nothing but events, "
            f"in both arms. {remedy}"
        )
    if chosen.every_study and len(counts.study) == 1:
        raise NotEstimableError(
            f"{kind} has no estimate: the spread of the study effects needs two studies. "
            "UM.FS needs one."
        )
    for extreme, where in zip(chosen.extremes(counts), ("-infinity", "+infinity"), strict=True):
        if extreme.all():
            raise NotEstimableError(
                f"{kind} has no finite maximum: the likelihood rises as the effect goes to "
                f"{where}, since every study has its lowest or highest possible count there. "
                f"{remedy}"
            )


def _notes(fit: GlmmFit, chosen: GlmmKind, counts: Counts, silent: BoolArray) -> tuple[str, ...]:
    notes = []
    if silent.any():
        names = ", ".join(counts.take(silent).study)
        notes.append(f"studies that do not tell the arms apart add nothing: {names}")
    if not chosen.saturated:
        notes.append(
            f"study effects: mean {fit.shared[2]:.4g}, standard deviation {fit.shared[3]:.4g}; "
            "no Q is defined without their saturated model"
        )
        if counts.nothing_to_compare.any():
            names = ", ".join(counts.take(counts.nothing_to_compare).study)
            notes.append(f"kept, though metafor leaves them out: {names}")
    else:
        notes.append("Q is the likelihood ratio of the saturated model to the common effect")
    if fit.boundary:
        notes.append("tau2 is at its lower bound 0: the model is that of a common effect")
    return tuple(notes)


def _with_spread(
    row: PooledEstimate,
    fit: GlmmFit,
    model: Glmm,
    task: Task,
    kept: BoolArray,
    *,
    saturated: bool,
) -> PooledEstimate:
    """Add Q from the likelihoods, and I2 and H2 from tau2 and the typical sampling variance."""
    effects = task.effects
    found = heterogeneity(effects.y[kept], effects.S[kept], np.ones((int(kept.sum()), 1)))
    row = replace(row, i2=float(found.i2(fit.tau2)), h2=float(found.h2(fit.tau2)))
    if not saturated:
        return row
    q = max(0.0, 2.0 * (float(model.outcome.saturated().sum()) - fit.log_likelihood_common))
    return replace(row, q=q, q_df=row.k - 1, q_p=float(chdtrc(row.k - 1, q)))


def _cells(counts: Counts) -> tuple[BoolArray, BoolArray, BoolArray, BoolArray]:
    """Mark studies with no event, and nothing but events, of the treated and of the controls."""
    none = counts.events == 0
    return none[:, 0], counts.full[:, 0], none[:, -1], counts.full[:, -1]


def _at_margins(counts: Counts) -> tuple[BoolArray, BoolArray]:
    a0, b0, c0, d0 = _cells(counts)
    return a0 | d0, b0 | c0


def _at_events(counts: Counts) -> tuple[BoolArray, BoolArray]:
    a0, _, c0, _ = _cells(counts)
    return a0, c0


def _at_arms(counts: Counts) -> tuple[BoolArray, BoolArray]:
    a0, b0, c0, d0 = _cells(counts)
    return a0 | np.full_like(a0, d0.all()), b0 | np.full_like(b0, c0.all())


def _at_ends(counts: Counts) -> tuple[BoolArray, BoolArray]:
    none, full, _, _ = _cells(counts)
    return none, full


GLMMS: dict[str, GlmmKind] = {
    "UM.FS": GlmmKind(
        label="mixed logistic or Poisson regression, fixed study effects",
        measures=("OR", "IRR"),
        build=fixed_intercepts,
        extremes=_at_margins,
    ),
    "UM.RS": GlmmKind(
        label="mixed logistic or Poisson regression, random study effects",
        measures=("OR", "IRR"),
        build=random_intercepts,
        extremes=_at_arms,
        every_study=True,
        saturated=False,
    ),
    "CM.EL": GlmmKind(
        label="conditional mixed regression, exact likelihood",
        measures=("OR", "IRR"),
        build=conditional,
        extremes=_at_margins,
    ),
    "CM.AL": GlmmKind(
        label="conditional mixed logistic regression, approximate likelihood",
        measures=("OR",),
        build=conditional_approximate,
        extremes=_at_events,
    ),
    "GLMM": GlmmKind(
        label="binomial-normal model of one group",
        measures=("PLO",),
        build=one_group,
        extremes=_at_ends,
    ),
}
