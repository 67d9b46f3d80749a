"""The bridge: from the published number to the full posterior, one assumption at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr

from bayesmeta.checks.bridge_pooled import name_paper_method, pool_steps
from bayesmeta.checks.bridge_words import say_change, say_published, say_recomputed
from bayesmeta.checks.rows import (
    Row,
    make_posterior_row,
    make_published_row,
    make_reference_row,
    make_refused_row,
    rows_frame,
)
from bayesmeta.checks.vague_prior import vague_prior
from bayesmeta.effects import Measure, compute_effects, get_measure
from bayesmeta.errors import AccuracyError, ImproperPosteriorError, ModelError, NotExactError
from bayesmeta.frequentist import PooledEstimate, fitting_methods
from bayesmeta.frequentist.intervals.simple import require_level
from bayesmeta.frequentist.software import Software
from bayesmeta.inference.fit import EXACT, TOL, supported_engines
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import Flat, Prior
from bayesmeta.published.recomputed import PRINTED_LEVEL
from bayesmeta.published.row import PublishedRow
from bayesmeta.random_effects import NormalRandomEffects
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a bridge.

    Attributes
    ----------
    name : str
        "published", "paper", "inverse variance", "random effects", "REML", "Hartung-Knapp",
        "vague tau prior", "heterogeneity prior", "effect prior", "likelihood" or "form".
    label : str
        What is assumed from here on, in a few words.
    row : Row
        Estimate, interval, tau and P(effect < null) on the analysis scale, nan where undefined.
        P of a frequentist row is its one-sided p-value: what a flat effect prior gives where the
        standard error is taken as known.
    sentence : str
        What changed against the last step that is defined, and by how much; or why this one is
        not.
    printed : tuple of str
        Of the published row: estimate and limits as texts.
    """

    name: str
    label: str
    row: Row
    sentence: str
    printed: tuple[str, ...] = ()

    @property
    def defined(self) -> bool:
        """Whether the step has an estimate and an interval."""
        return bool(np.isfinite([self.row.estimate, self.row.ci_low, self.row.ci_high]).all())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bridge:
    """The way from a published number to a posterior.

    Attributes
    ----------
    model : Model
        Where the bridge ends.
    measure : Measure
    k : int
        Rows of the study table.
    level : float
        Probability of every interval but the printed one, which has 95%.
    method : str
        Frequentist method from which it starts: a key of `METHODS`, or a rule.
    vague : Prior
        Of tau, in the step before the model's own prior.
    steps : tuple of Step
        In order; each changes one thing.
    left_out : tuple of str
        Steps that do not apply, with the reason.
    notes : tuple of str
        What should be known of studies and effects.
    """

    model: Model
    measure: Measure
    k: int
    level: float
    method: str
    vague: Prior
    steps: tuple[Step, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(f"{name!r} is no step; there are {', '.join(s.name for s in self.steps)}")

    def to_frame(self) -> pd.DataFrame:
        """Give one row per step.

        Returns
        -------
        DataFrame
            Columns step, assumes, sentence, and those of `CrossCheck.to_frame`: numbers on the
            analysis scale named in `scale`, `natural_estimate` and so on on the natural one.
        """
        rows = tuple(step.row for step in self.steps)
        frame = rows_frame(rows, self.measure, outcome="", level=self.level)
        frame = frame.drop(columns=["outcome", "label"])
        frame.loc[frame["road"] == "published", "level"] = PRINTED_LEVEL
        frame.insert(0, "step", [step.name for step in self.steps])
        frame.insert(1, "assumes", [step.label for step in self.steps])
        return frame.assign(sentence=[step.sentence for step in self.steps])


def bridge(
    model: Model,
    studies: StudyTable,
    *,
    published: PublishedRow | None = None,
    method: str | None = None,
    software: Software = "metafor",
    vague: Prior | None = None,
    level: float = 0.95,
) -> Bridge:
    """Walk from a published number to the full posterior, one assumption at a time.

    Parameters
    ----------
    model : Model
        Where the bridge ends.
    studies : StudyTable
        One comparison of one outcome.
    published : PublishedRow, optional
        What the publication prints; without it the bridge starts at its method.
    method : str, optional
        How the publication pooled: a key of `METHODS`, "random", "fixed", or a rule such as
        "random if Q p < 0.1 else fixed". Not given, what `published` names, else "fixed".
    software : {"metafor", "RevMan 5"}
        Whose methods "random" and "fixed" mean.
    vague : Prior, optional
        Of tau, for the posterior that stands between the plug-in value and the model's own prior.
        Not given, `vague_prior` of these effects: named in the step.
    level : float
        Probability of the intervals, in (0.5, 1).

    Returns
    -------
    Bridge
        A step that is undefined for these data keeps its row, with the reason; one that would
        change nothing is in `left_out`.

    Raises
    ------
    ModelError
        The model, the method or the level does not fit the studies.
    StudyTableError
        The studies do not have what the model needs, or the effect of one is infinite.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> walk = bridge(model, bm.load("bcg"))
    >>> walk.to_frame().set_index("step")["natural_estimate"].round(3).to_dict()
    {'paper': 0.623, 'inverse variance': 0.647, 'random effects': 0.474, 'REML': 0.475, \
'Hartung-Knapp': 0.475, 'vague tau prior': 0.476, 'heterogeneity prior': 0.477, \
'effect prior': 0.479}
    """
    require_level(level)
    bound = model.bind(studies)  # a misfit is told before any work
    measure = get_measure(model.measure)
    effects = compute_effects(studies, model.measure, correction=model.correction)
    fitting = fitting_methods(studies, model.measure)
    name = name_paper_method(method, published, software, fitting)
    vague = vague_prior(effects) if vague is None else vague
    if not vague.proper:
        raise ModelError(f"The vague prior {vague} is not proper. Give one that is.")
    found = _Found(bound=bound, studies=studies, measure=measure, level=level)
    pooled = pool_steps(studies, model.measure, name, level=level, correction=model.correction)
    left_out = list(pooled.left_out)
    steps: list[Step] = []
    if published is not None:
        steps.append(_printed_step(published, found))
    for key, label, one in pooled.steps:
        row = _with_p(make_reference_row(one), one)
        if key == "paper":
            sentence = say_recomputed(name, pooled.taken, one, published, row, measure)
            steps.append(Step(name=key, label=label, row=row, sentence=sentence))
        else:
            steps.append(_step(found, key, label, row, steps))
    normal: BoundModel | None = None
    for key, label, stage in _stages(model, vague, left_out):
        ready = _bind(found, stage, normal)
        normal = normal or ready  # the first stage is one
        steps.append(_step(found, key, label, _attempt(found, stage, ready), steps))
    told = (*studies.notes, *effects.notes, *bound.data.notes)
    return Bridge(
        model=model,
        measure=measure,
        k=len(effects.study),
        level=level,
        method=name,
        vague=vague,
        steps=tuple(steps),
        left_out=tuple(left_out),
        notes=tuple(dict.fromkeys(told)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """What all steps share."""

    bound: BoundModel
    studies: StudyTable
    measure: Measure
    level: float


def _printed_step(published: PublishedRow, found: _Found) -> Step:
    numbers, measure = (published.estimate, *(published.ci or ())), found.measure
    level = "" if found.level == PRINTED_LEVEL else f", {100 * PRINTED_LEVEL:g}%"
    return Step(
        name="published",
        label=f"as printed{level}",
        row=_with_p(make_published_row(published, measure), None),
        sentence=say_published(published, measure),
        printed=tuple(one.text for one in numbers),
    )


# --- the posterior steps -------------------------------------------------------------------------


def _stages(model: Model, vague: Prior, left_out: list[str]) -> Iterator[tuple[str, str, Model]]:
    """Give the models from the vague posterior to `model`; add what is left out to the list."""
    stage = replace(
        model,
        likelihood=NormalLikelihood(),
        random_effects=NormalRandomEffects(),
        effect=Flat(),
        heterogeneity=vague,
    )
    yield "vague tau prior", f"posterior, tau ~ {vague}", stage
    whole = stage
    for name, label, changed in (
        ("heterogeneity prior", f"tau ~ {model.heterogeneity}", {"heterogeneity"}),
        ("effect prior", f"effect ~ {model.effect}", {"effect"}),
        ("likelihood", f"{model.likelihood} likelihood", {"likelihood"}),
        ("form", f"random effects: {model.random_effects}", {"random_effects"}),
    ):
        (part,) = changed
        if getattr(model, part) == getattr(whole, part):
            left_out.append(f"{name}: the model has {label} as before")
            continue
        whole = replace(whole, **{part: getattr(model, part)})
        yield name, label, whole


def _bind(found: _Found, stage: Model, normal: BoundModel | None) -> BoundModel:
    """Bring a stage to the data; what was prepared before is taken again."""
    if stage == found.bound.model:
        return found.bound
    if normal is not None and stage.likelihood == normal.model.likelihood:
        return replace(normal, model=stage)
    return stage.bind(found.studies)


def _attempt(found: _Found, stage: Model, bound: BoundModel) -> Row:
    """Fit one stage exactly, or give a row with the reason why that cannot be."""
    name = str(stage.likelihood)
    try:
        posterior = EXACT[supported_engines(stage)[0]](bound, tol=TOL)
    except (NotExactError, AccuracyError, ImproperPosteriorError) as error:
        return make_refused_row("exact", name, error.message)
    return make_posterior_row(name, posterior, found.level)


def _step(found: _Found, name: str, label: str, row: Row, steps: list[Step]) -> Step:
    """Make a step with its sentence, against the last one that is defined."""
    own = [step for step in steps if step.defined and step.name != "published"]
    before = own[-1] if own else None
    sentence = say_change(name, None if before is None else before.row, row, found.measure)
    return Step(name=name, label=label, row=row, sentence=sentence)


def _with_p(row: Row, pooled: PooledEstimate | None) -> Row:
    """Add the one-sided p-value; of a printed row (None) from its interval."""
    if pooled is None:
        se = (row.ci_high - row.ci_low) / (2.0 * float(ndtri((1.0 + PRINTED_LEVEL) / 2.0)))
        return replace(row, p_below_null=_below(row.estimate, se, None))
    if pooled.interval == "wald":
        return replace(row, p_below_null=_below(pooled.estimate, pooled.se, None))
    return replace(row, p_below_null=_below(pooled.estimate, pooled.se, pooled.k - 1))


def _below(estimate: float, se: float, df: int | None) -> float:
    if not (np.isfinite(estimate) and se > 0) or df == 0:
        return float("nan")
    return float(ndtr(-estimate / se) if df is None else stdtr(df, -estimate / se))
