"""The model: what is assumed, apart from any data."""

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

import numpy as np

from bayesmeta.design import Design, build_design
from bayesmeta.effects import Correction, Measure, get_measure
from bayesmeta.errors import ModelError, StudyTableError
from bayesmeta.likelihoods import LIKELIHOODS, Likelihood, StudyData
from bayesmeta.priors import Fixed, Flat, Prior, Truncated, Uniform, parse_prior
from bayesmeta.random_effects import (
    RANDOM_EFFECTS,
    NormalRandomEffects,
    RandomEffects,
    TruncatedRandomEffects,
    UnrelatedEffects,
    parse_random_effects,
)
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Assumptions of one meta-analysis; equal to its text, and free of data.

    Parameters
    ----------
    measure : str
        Effect measure, such as "OR"; effects are on its analysis scale (log for ratios).
    likelihood : Likelihood
        What the data of a study say about its true effect.
    effect : Prior
        Of mu, the mean of the true effects, on the analysis scale.
    heterogeneity : Prior
        Of tau, the SD of the true effects, on the analysis scale; ``Fixed(0)`` is the common
        effect.
    random_effects : RandomEffects
        Form of the distribution of the true effects.
    correction : str
        Zero-cell rule of the effect estimates, where the likelihood needs estimates.

    Raises
    ------
    ModelError
        Unknown measure, a part that is of another kind (such as a text), or a heterogeneity prior
        that allows negative values.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...               effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> model.as_text()["heterogeneity"]
    'half_normal(0.5)'
    >>> Model.from_text(**model.as_text()) == model
    True
    """

    measure: str
    likelihood: Likelihood
    effect: Prior
    heterogeneity: Prior
    random_effects: RandomEffects = field(default_factory=NormalRandomEffects)
    correction: Correction = "only0"

    def __post_init__(self) -> None:
        get_measure(self.measure)
        _require_parts(self)
        if self.heterogeneity.support[0] < 0 and not isinstance(self.heterogeneity, Flat):
            raise ModelError(
                f"The heterogeneity prior {self.heterogeneity} allows a negative SD. Use "
                f"truncated({self.heterogeneity}, 0, inf), or half_normal(scale)"
            )
        if isinstance(self.random_effects, UnrelatedEffects) and self.heterogeneity != Fixed(0):
            raise ModelError(
                f"Unrelated effects have no tau, but the heterogeneity prior is "
                f"{self.heterogeneity}. Write fixed(0) for it"
            )

    def as_text(self) -> dict[str, str]:
        """Give every assumption as the text that a comparison file holds."""
        texts = {f.name: str(getattr(self, f.name)) for f in fields(self)}
        options = {
            name: getattr(self.likelihood, name) for name in likelihood_options(self.likelihood)
        }
        return texts | {name: str(value) for name, value in options.items() if value is not None}

    @classmethod
    def from_text(
        cls,
        *,
        measure: str,
        likelihood: str,
        effect: str,
        heterogeneity: str,
        baseline: str | None = None,
        baseline_of: str | None = None,
        df: str | None = None,
        random_effects: str = "normal",
        correction: Correction = "only0",
    ) -> "Model":
        """Read a model from texts, as `as_text` gives them.

        Raises
        ------
        ModelError
            A text is not understood, or an option of the likelihood is missing or not wanted.
        """
        return cls(
            measure=measure,
            likelihood=read_likelihood(likelihood, baseline, baseline_of=baseline_of, df=df),
            effect=parse_prior(effect),
            heterogeneity=parse_prior(heterogeneity),
            random_effects=parse_random_effects(random_effects),
            correction=correction,
        )

    def bind(self, studies: StudyTable) -> "BoundModel":
        """Bring the model to data.

        Raises
        ------
        ModelError, StudyTableError
            The data do not fit the likelihood or the measure.
        """
        if not isinstance(studies, StudyTable):
            raise StudyTableError(
                f"Studies are given as a {type(studies).__name__}, not as a StudyTable. Read them "
                "with read_studies(...), or load(NAME) if they are bundled"
            )
        measure = get_measure(self.measure)
        data = self.likelihood.prepare(studies, measure, self.correction)
        domain = getattr(data, "domain", None)
        return BoundModel(
            model=self._within(domain),
            measure=measure,
            data=data,
            design=build_design(len(data.studies)),
        )

    def _within(self, domain: tuple[float, float] | None) -> "Model":
        """Give the model with effects within the bounds of the data's measure, if it has any.

        Random effects and effect prior are cut; a model that says so already stays as it is.
        """
        form = self.random_effects
        if domain is None and isinstance(form, TruncatedRandomEffects):
            raise ModelError(
                f"Random effects of the form {form} are of measures with bounds, under the exact "
                f"likelihoods of their counts, not of {self.measure} under the {self.likelihood} "
                "likelihood. Write 'normal'"
            )
        return self if domain is None else self._cut(*domain)

    def _cut(self, low: float, high: float) -> "Model":
        effect, cut = self.effect, TruncatedRandomEffects(low, high)
        first, last = max(low, effect.support[0]), min(high, effect.support[1])
        if self.random_effects not in (NormalRandomEffects(), cut):
            raise ModelError(
                f"{self.measure} lies in ({low:g}, {high:g}), which random effects of the form "
                f"{self.random_effects} would leave. Use normal ones, which are cut to it"
            )
        if isinstance(effect, Fixed):
            if not low < effect.value < high:
                raise ModelError(f"{effect} is outside ({low:g}, {high:g}). Give a value within")
        elif isinstance(effect, Flat):
            effect = Uniform(low, high)
        elif not first < last:
            raise ModelError(
                f"The effect prior {effect} is outside ({low:g}, {high:g}), where {self.measure} "
                "must lie. Give one that is within"
            )
        elif effect.support != (first, last):
            whole = effect.prior if isinstance(effect, Truncated) else effect
            effect = Truncated(whole, first, last)
        return replace(self, effect=effect, random_effects=cut)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoundModel:
    """A model with the data of one comparison: what an engine takes.

    Attributes
    ----------
    model, measure, design
    data : StudyData
        Prepared by the likelihood.
    """

    model: Model
    measure: Measure
    data: StudyData
    design: Design

    @property
    def studies(self) -> tuple[str, ...]:
        """Study labels."""
        return self.data.studies

    @property
    def unit(self) -> float:
        """A length on the scale of tau at which the data begin to speak: the median SE."""
        return float(np.median(self.data.se))

    def take(self, index: "list[int] | np.ndarray[Any, Any]") -> "BoundModel":
        """Give the same model with the studies at `index` only."""
        data = self.data.take(index)
        design = Design(X=self.design.X[np.asarray(index)], names=self.design.names)
        return BoundModel(model=self.model, measure=self.measure, data=data, design=design)


def _require_parts(model: Model) -> None:
    """Refuse parts of a model that are of another kind than the model needs."""
    forms: tuple[type[Any], ...] = (TruncatedRandomEffects, *RANDOM_EFFECTS.values())
    for name, right, example in (
        ("likelihood", hasattr(model.likelihood, "name"), "NormalLikelihood()"),
        ("effect", isinstance(model.effect, Prior), "Normal(0, 2.82)"),
        ("heterogeneity", isinstance(model.heterogeneity, Prior), "HalfNormal(0.5)"),
        ("random_effects", isinstance(model.random_effects, forms), "StudentRandomEffects(4)"),
    ):
        part = getattr(model, name)
        if not right or isinstance(part, type):
            raise ModelError(
                f"{name} = {part!r} cannot be used. Give an object, such as {example}; texts are "
                "read by Model.from_text"
            )


def read_likelihood(name: str, baseline: str | None = None, **options: str | None) -> Likelihood:
    """Make a likelihood from its name and the texts of its options, None where one is not given.

    Raises
    ------
    ModelError
        Unknown name, or an option that is missing, not wanted or not understood.

    Examples
    --------
    >>> read_likelihood("binomial", "normal(0, 10)").baseline
    Normal(mean=0.0, sd=10.0)
    """
    if name not in LIKELIHOODS:
        raise ModelError(f"Unknown likelihood {name!r}. Known: {', '.join(LIKELIHOODS)}")
    kind = LIKELIHOODS[name]
    wanted = likelihood_options(kind)
    given = {key: text for key, text in {"baseline": baseline, **options}.items() if text}
    for key, text in given.items():
        if key not in wanted:
            raise ModelError(f"The {name} likelihood has no {key}; leave {text!r} out")
    if wanted.get("baseline") and "baseline" not in given:
        raise ModelError(
            f'The {name} likelihood needs a baseline prior: give baseline = "normal(0, 10)"'
        )
    read = {key: _OPTIONS[key](text) for key, text in given.items()}
    likelihood: Likelihood = kind(**read)
    return likelihood


def likelihood_options(likelihood: Likelihood | type[Any]) -> dict[str, bool]:
    """Name the options of a likelihood that a comparison file holds, and tell which it needs.

    Examples
    --------
    >>> likelihood_options(LIKELIHOODS["binomial"])
    {'baseline': True, 'baseline_of': False}
    """
    return {
        part.name: part.default is MISSING
        for part in fields(likelihood)  # type: ignore[arg-type]
        if part.name in _OPTIONS
    }


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ModelError(f"{text!r} is not a number. Give one, such as 7") from None


_OPTIONS: dict[str, Callable[[str], Any]] = {
    "baseline": parse_prior,
    "baseline_of": str,
    "df": _read_number,
}


def has_known_tau(model: Model) -> bool:
    """Tell whether tau is a known value."""
    low, high = model.heterogeneity.support
    return low == high and math.isfinite(low)
