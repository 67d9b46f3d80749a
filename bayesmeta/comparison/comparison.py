"""One comparison: data, arms, models, outcomes and choices, as objects."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import cast

from bayesmeta.checks.crosscheck import Direction
from bayesmeta.errors import ComparisonError
from bayesmeta.frequentist import IntervalMethod, PredictionMethod, Tau2IntervalMethod
from bayesmeta.frequentist.software import Software
from bayesmeta.inference.sampler import SamplerName
from bayesmeta.model import Model
from bayesmeta.published.row import PublishedRow
from bayesmeta.studies import StudyTable, load, read_studies
from bayesmeta.studies.reading import Reading, ReadingOptions

PUBLISHED = "published"  # instead of data: the outcome is analysed from its published row


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One outcome of a comparison.

    Attributes
    ----------
    name : str
        As in the study table, where that names outcomes.
    better : {"higher", "lower"}
        Which direction of the effect is good for the patient.
    published : PublishedRow or None
        What the publication prints for it.
    data : str or Path or None
        Its own data, where it does not have those of the comparison; `PUBLISHED` where all that is
        known of it is what the publication prints.
    models : tuple of Model
        Its own models, where it does not have those of the comparison.
    """

    name: str
    better: Direction
    published: PublishedRow | None = None
    data: str | Path | None = None
    models: tuple[Model, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How NUTS is run; draws and tuning steps are per chain, the sampler nutpie or PyMC's own."""

    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    target_accept: float = 0.9
    sampler: SamplerName = "nutpie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison: data, arms, one model per likelihood, outcomes and choices.

    Attributes
    ----------
    name : str
        Stem of the file's name; not part of the file.
    title : str
        For people.
    data : str or Path
        Name of a bundled table, the path of a CSV file, or `PUBLISHED`.
    arms : (str, str) or None
        Treated and control arm; None for contrast-level data.
    models : tuple of Model
        They differ in their likelihood only. Those of an outcome that has models of its own are
        there instead of them.
    outcomes : tuple of Outcome
        In the order of the file.
    software : {"metafor", "RevMan 5"}
        Whose form of Mantel-Haenszel the reference shows where `methods` does not say; and whose
        methods "random" and "fixed" mean in a rule.
    methods : tuple of str or None
        Frequentist methods, keys of `METHODS` or rules; None for those that fit the data.
    rule : str or None
        The rule by which the publication chose its model; shown after the methods.
    interval, pi, tau2_interval : str
        Intervals of the frequentist rows, as in `pool`.
    sampling : Sampling
        Settings of NUTS.
    reading : Reading
        What the reader of the data is told.
    reasons : mapping of str to str
        Why the priors "effect", "heterogeneity" and "baseline" are what they are; for the report.

    Raises
    ------
    ComparisonError
        The models differ in more than their likelihood.
    """

    name: str = field(default="comparison", compare=False)
    title: str
    data: str | Path
    arms: tuple[str, str] | None = None
    models: tuple[Model, ...]
    outcomes: tuple[Outcome, ...]
    software: Software = "metafor"
    methods: tuple[str, ...] | None = None
    rule: str | None = None
    interval: IntervalMethod = "wald"
    pi: PredictionMethod = "metafor"
    tau2_interval: Tau2IntervalMethod = "q-profile"
    sampling: Sampling = Sampling()
    reading: Reading = field(default_factory=Reading)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for models in (self.models, *(outcome.models for outcome in self.outcomes)):
            if any(
                replace(model, likelihood=models[0].likelihood) != models[0] for model in models
            ):
                raise ComparisonError(
                    "The models of a comparison differ in their likelihood only. Write one "
                    "comparison for each set of priors, or give an outcome a model of its own."
                )

    def models_of(self, outcome: Outcome) -> tuple[Model, ...]:
        """Give the models of one of the outcomes."""
        return outcome.models or self.models

    def table(self, data: str | Path) -> StudyTable:
        """Read data of the comparison, as `reading` says.

        Raises
        ------
        StudyTableError
            The table cannot be read.
        """
        all_told = {part.name: getattr(self.reading, part.name) for part in fields(Reading)}
        told = cast(
            ReadingOptions, {name: value for name, value in all_told.items() if value is not None}
        )
        if isinstance(data, str):
            return load(data, **told)
        return read_studies(data, **told)

    def load(self) -> tuple[tuple[StudyTable, ...], ...]:
        """Give the studies of each outcome, arms chosen.

        Returns
        -------
        tuple of tuple of StudyTable
            One table for an outcome; several where a reconstruction leaves several that could be
            the data; none where all that is known is the published row.

        Raises
        ------
        StudyTableError
            The table cannot be read, or has no such outcome or arm.
        """
        data = [outcome.data or self.data for outcome in self.outcomes]
        tables = {
            one: self.table(one).select(arms=self.arms)
            for one in dict.fromkeys(data)
            if one != PUBLISHED
        }
        return tuple(
            self.choose(tables[one], outcome) if one in tables else ()
            for one, outcome in zip(data, self.outcomes, strict=True)
        )

    def choose(self, table: StudyTable, outcome: Outcome) -> tuple[StudyTable, ...]:
        """Take an outcome out of a table of the arms that may hold more, and its solutions."""
        return solutions_of(table.select(outcome=outcome.name) if table.outcomes else table)


def solutions_of(table: StudyTable) -> tuple[StudyTable, ...]:
    """Give a table for each solution of one outcome; the table itself where there is one."""
    solutions = table.solutions
    if len(solutions) < 2:
        return (table,)
    return tuple(table.select(solution=solution) for solution in solutions)
