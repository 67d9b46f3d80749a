"""The cross-check: published, frequentist, exact and NUTS, side by side, with a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack

import numpy as np
import pandas as pd

from bayesmeta.checks.agreement import compare_posteriors
from bayesmeta.checks.rows import (
    Row,
    extremes,
    make_posterior_row,
    make_published_row,
    make_reference_row,
    make_refused_row,
    rows_frame,
    tidy_frame,
)
from bayesmeta.checks.verdicts import CheckedModel, Verdict, judge
from bayesmeta.effects import Correction, Effects, Measure, compute_effects, get_measure
from bayesmeta.errors import AccuracyError, ModelError, NotExactError, SamplingError
from bayesmeta.frequentist import (
    IntervalMethod,
    PredictionMethod,
    Reference,
    Tau2IntervalMethod,
    fitting_methods,
    pool,
)
from bayesmeta.frequentist.software import METHODS_OF, Software, name_methods
from bayesmeta.inference.fit import Engine, NutsOptions, fit
from bayesmeta.inference.nuts import Progress, silent
from bayesmeta.inference.posterior import Posterior
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.model import Model
from bayesmeta.once import Taken, once
from bayesmeta.published.row import PublishedRow
from bayesmeta.studies import StudyTable

type Direction = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossCheck:
    """One comparison and outcome by every road.

    Attributes
    ----------
    outcome : str
        Name of the outcome; "" where it has none.
    better : {"higher", "lower"} or None
        Good direction of the effect, where it is known.
    measure : Measure
    level : float
        Probability of every interval.
    arms : (str, str) or None
        Treated and control arm, where they are known.
    studies : StudyTable or None
        None where all that is known is the published row.
    effects : Effects or None
        Effects of the studies, as the inverse-variance methods take them.
    published : PublishedRow or None
    reference : Reference
        The frequentist rows.
    models : tuple of CheckedModel
    verdicts : tuple of Verdict
    notes : tuple of str
        What a reader should know of data and effects.
    others : tuple of CrossCheck
        Of the other tables that could be the data, where a reconstruction leaves several.
    """

    outcome: str
    better: Direction | None
    measure: Measure
    level: float
    arms: tuple[str, str] | None
    studies: StudyTable | None
    effects: Effects | None
    published: PublishedRow | None
    reference: Reference
    models: tuple[CheckedModel, ...]
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...]
    others: tuple["CrossCheck", ...] = ()
    _taken: Taken = field(default_factory=Taken, init=False, repr=False)

    @property
    def k(self) -> int | None:
        """Number of studies, where it is known."""
        if self.effects is not None:
            return len(self.effects.study)
        return None if self.published is None else self.published.k

    @property
    def status(self) -> tuple[str, ...]:
        """Say how sure the data are: what their column `status` holds, or that there are none."""
        if self.studies is None:
            return ("its studies' data are not known: analysed from the published row",)
        frame = self.studies.frame
        if "status" not in frame:
            return ()
        return (f"status: {', '.join(dict.fromkeys(map(str, frame['status'])))}",)

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        own = all(verdict.ok for verdict in self.verdicts)
        return not own or any(other.failed for other in self.others)

    @property
    def posteriors(self) -> dict[str, Posterior]:
        """Give the posteriors by their labels: "exact (normal)" and so on, then "NUTS (normal)"."""
        exact = {f"exact ({one.name})": one.exact for one in self.models}
        nuts = {f"NUTS ({one.name})": one.nuts for one in self.models}
        return {label: found for label, found in (exact | nuts).items() if found is not None}

    @property
    @once
    def rows(self) -> tuple[Row, ...]:
        """Give the rows of the table: published, frequentist, exact, NUTS."""
        rows = [make_reference_row(row) for row in self.reference]
        if self.published is not None:
            rows.insert(0, make_published_row(self.published, self.measure))
        for one in self.models:
            if one.exact is not None:
                rows.append(make_posterior_row(one.name, one.exact, self.level))
            else:
                rows.append(make_refused_row("exact", one.name, one.failures["exact"]))
        for one in self.models:
            if one.nuts is not None:
                rows.append(make_posterior_row(one.name, one.nuts, self.level, one.agreement))
            elif "nuts" in one.failures:
                rows.append(make_refused_row("nuts", one.name, one.failures["nuts"]))
        return tuple(rows)

    @property
    def ranges(self) -> tuple[tuple[Row, Row], ...]:
        """Give the lowest and the highest numbers of each row over all tables that could be.

        Empty where there is but one table. NUTS is not repeated.
        """
        if not self.others:
            return ()
        every = [{row.label: row for row in one.rows} for one in (self, *self.others)]
        return tuple(
            extremes([rows[label] for rows in every if label in rows])
            for label, row in every[0].items()
            if row.road in ("frequentist", "exact")
        )

    def to_frame(self) -> pd.DataFrame:
        """Give one row per road and method.

        Returns
        -------
        DataFrame
            Numbers on the analysis scale named in `scale`; the natural scale named in
            `natural_scale` has columns of its own, `natural_estimate` and so on. tau is on the
            analysis scale. The estimate of a posterior is its median, which is the median on
            both scales. `z_largest` and `z_mean` are differences from the exact posterior in
            Monte Carlo standard errors.
        """
        return rows_frame(self.rows, self.measure, outcome=self.outcome, level=self.level)

    def to_long(self) -> pd.DataFrame:
        """Give every estimate in a row of its own, each with its scale.

        Returns
        -------
        DataFrame
            Columns outcome, road, method, quantity (mu, theta_new, tau, p_below_null, theta,
            observed), study, estimate, low, high, scale, level.
        """
        return tidy_frame(
            self.rows,
            self.effects,
            self.posteriors,
            self.measure,
            outcome=self.outcome,
            level=self.level,
        )


def crosscheck(
    models: Model | Sequence[Model],
    studies: StudyTable,
    *,
    methods: Sequence[str] | None = None,
    software: Software = "metafor",
    rule: str | None = None,
    interval: IntervalMethod = "wald",
    pi: PredictionMethod = "metafor",
    tau2_interval: Tau2IntervalMethod = "q-profile",
    published: PublishedRow | None = None,
    nuts: bool = True,
    rng: int | np.random.Generator = 1,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.9,
    sampler: SamplerName = "nutpie",
    level: float = 0.95,
    outcome: str = "",
    better: Direction | None = None,
    progress: Progress = silent,
) -> CrossCheck:
    """Analyse the same studies by every road, and compare.

    Parameters
    ----------
    models : Model or sequence of Model
        Of one measure and zero-cell rule; usually one per likelihood.
    studies : StudyTable
        One comparison of one outcome.
    methods : sequence of str, optional
        Frequentist methods: keys of `METHODS`, or rules. Not given, inverse variance,
        Mantel-Haenszel (in the form of `software`), DerSimonian-Laird and REML, as far as they fit
        the data. One without an estimate for these data keeps its row and says why.
    software : {"metafor", "RevMan 5"}
        Whose methods are shown where `methods` does not say, and meant by "random" and "fixed" in
        a rule: DL and MH of metafor, DL-MH and MH-RM of RevMan 5, for counts; else DL and EE.
    rule : str, optional
        The rule by which the publication chose its model, such as "random if Q p < 0.1 or
        I2 > 50% else fixed"; a row after the methods, which it is named by.
    interval, pi, tau2_interval : str
        Of the frequentist rows, as in `pool`. A method without this interval shows its own, and
        says so.
    published : PublishedRow, optional
        Shown first.
    nuts : bool
        Whether to sample each model as well, and hold the exact posterior against it.
    rng : int or Generator
        Gives each NUTS run its seed, which is in its diagnostics.
    draws, tune, chains, target_accept, sampler
        Of NUTS; draws and tuning steps are per chain.
    level : float
        Probability of every interval, in (0.5, 1).
    outcome, better
        For tables and figures.
    progress : Progress
        Told of every step.

    Returns
    -------
    CrossCheck
        It failed where a NUTS run fails its diagnostics, or is 4 Monte Carlo standard errors or
        more from the exact posterior in any of the compared numbers, or a fit did not finish.

    Raises
    ------
    ModelError
        Models, methods and studies do not fit together.
    ImproperPosteriorError
        The priors leave the posterior improper for these studies.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> result = crosscheck(model, bm.load("bcg"), nuts=False)
    >>> result.to_frame()["natural_estimate"].round(3).to_list()
    [0.647, 0.623, 0.474, 0.475, 0.479]
    """
    models = (models,) if isinstance(models, Model) else tuple(models)
    first = _require_one_kind(models)
    bound = [model.bind(studies) for model in models]  # a misfit is told before any work
    progress.advance("frequentist reference")
    effects = compute_effects(studies, first.measure, correction=first.correction)
    choices: _Choices = {
        "interval": interval,
        "level": level,
        "correction": first.correction,
        "pi": pi,
        "tau2_interval": tau2_interval,
    }
    reference = _pool(studies, first, methods, software, rule, choices)
    names = _names(models)
    exact: list[Posterior | str] = []
    for name, model in zip(names, models, strict=True):
        progress.advance(f"exact posterior, {name} likelihood")
        exact.append(_attempt(model, studies))
    sampled: list[Posterior | str | None] = [None] * len(models)
    if nuts:
        seeds = np.random.default_rng(rng).integers(2**31, size=len(models))
        options = NutsOptions(
            draws=draws, tune=tune, chains=chains, target_accept=target_accept, sampler=sampler
        )
        for i, (name, model) in enumerate(zip(names, models, strict=True)):
            stages = _Stages(progress=progress, of=f"NUTS, {name} likelihood")
            sampled[i] = _attempt(
                model, studies, engine="nuts", rng=int(seeds[i]), progress=stages, **options
            )
    checked = tuple(map(_checked, names, models, exact, sampled))
    verdicts = [verdict for one in checked for verdict in judge(one)]
    told = [studies.notes, effects.notes, *(one.data.notes for one in bound)]
    return CrossCheck(
        outcome=outcome,
        better=better,
        measure=get_measure(first.measure),
        level=level,
        arms=studies.arms,
        studies=studies,
        effects=effects,
        published=published,
        reference=reference,
        models=checked,
        verdicts=tuple(sorted(verdicts, key=lambda verdict: verdict.subject.startswith("NUTS"))),
        notes=tuple(dict.fromkeys(note for notes in told for note in notes)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stages:
    """Progress that says what its stages are of."""

    progress: Progress
    of: str

    def advance(self, label: str) -> None:
        self.progress.advance(f"{self.of}: {label}")


def _require_one_kind(models: tuple[Model, ...]) -> Model:
    """Give the first model, if all have its measure and zero-cell rule."""
    if not models:
        raise ModelError("There is no model to check. Give one Model, or several.")
    first = models[0]
    for model in models:
        if (model.measure, model.correction) != (first.measure, first.correction):
            raise ModelError(
                "The models have different measures or zero-cell rules, so that they cannot share "
                "a table. Cross-check them one by one."
            )
    return first


def _names(models: tuple[Model, ...]) -> tuple[str, ...]:
    """Name models by their likelihoods, with a number where that is not enough."""
    likelihoods = [str(model.likelihood) for model in models]
    return tuple(
        name if likelihoods.count(name) == 1 else f"{name} {likelihoods[: i + 1].count(name)}"
        for i, name in enumerate(likelihoods)
    )


class _Choices(TypedDict):
    """Options of `pool`."""

    interval: IntervalMethod
    level: float
    correction: Correction
    pi: PredictionMethod
    tau2_interval: Tau2IntervalMethod


def _pool(
    studies: StudyTable,
    model: Model,
    methods: Sequence[str] | None,
    software: Software,
    rule: str | None,
    choices: _Choices,
) -> Reference:
    """Pool by the methods asked for; one without an estimate keeps its row, and says why."""
    names = fitting_methods(studies, model.measure)
    if methods is None:
        methods = [name for name in METHODS_OF[software] if name in names]
    asked = [name_methods(one, software, names) for one in (*methods, *([rule] if rule else []))]
    return pool(studies, model.measure, methods=asked, keep=True, **choices)


def _attempt(
    model: Model,
    studies: StudyTable,
    *,
    engine: Engine = "exact",
    rng: int | None = None,
    progress: Progress = silent,
    **options: Unpack[NutsOptions],
) -> Posterior | str:
    """Give the posterior, or the reason why this road cannot be taken."""
    try:
        return fit(model, studies, engine=engine, rng=rng, progress=progress, **options)
    except (NotExactError, AccuracyError, SamplingError) as error:
        return error.message


def _checked(
    name: str, model: Model, exact: Posterior | str, sampled: Posterior | str | None
) -> CheckedModel:
    roads = {"exact": exact, "nuts": sampled}
    found = {road: fit for road, fit in roads.items() if isinstance(fit, Posterior)}
    return CheckedModel(
        name=name,
        model=model,
        exact=found.get("exact"),
        nuts=found.get("nuts"),
        agreement=compare_posteriors(found["exact"], found["nuts"]) if len(found) == 2 else None,
        failures={road: reason for road, reason in roads.items() if isinstance(reason, str)},
    )
