"""The table `model`: one model per likelihood."""

from dataclasses import fields
from typing import Any, cast

from bayesmeta.comparison.section import Section, as_problem
from bayesmeta.effects import CORRECTIONS, MEASURES, Correction
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods import LIKELIHOODS
from bayesmeta.model import Model, read_likelihood
from bayesmeta.priors import Prior, parse_prior
from bayesmeta.random_effects import RandomEffects, parse_random_effects


def read_models(section: Section | None) -> tuple[Model, ...]:
    """Read the models; none if anything of them is wrong."""
    if section is None:
        return ()
    measure = section.choice("measure", tuple(MEASURES))
    likelihoods = section.choices("likelihoods", tuple(LIKELIHOODS), '["normal"]')
    example = MEASURES[measure or "OR"]
    effect = _read_prior(section, "effect", example.default_effect_prior or "normal(0, 1)")
    heterogeneity = _read_prior(
        section, "heterogeneity", example.default_heterogeneity_prior or "half_normal(0.5)"
    )
    correction = section.choice("correction", tuple(CORRECTIONS), default="only0")
    form = _read_random_effects(section)
    baseline = _read_baseline(section, likelihoods or ())
    section.close()
    if (
        section.problems
        or measure is None
        or effect is None
        or heterogeneity is None
        or form is None
    ):
        return ()
    models = []
    for name in likelihoods or ():
        place = "baseline"
        try:
            likelihood = read_likelihood(name, baseline if _has_baseline(name) else None)
            place = "heterogeneity"
            model = Model(
                measure=measure,
                likelihood=likelihood,
                effect=effect,
                heterogeneity=heterogeneity,
                random_effects=form,
                correction=cast(Correction, correction),
            )
        except ModelError as error:
            section.problems.append(as_problem(section.place(place), error))
            return ()
        models.append(model)
    return tuple(models)


def _read_baseline(section: Section, likelihoods: tuple[str, ...]) -> str | None:
    """Read the baseline prior, required by some likelihoods and refused by the others."""
    wanted = any(_has_baseline(name) for name in likelihoods)
    if likelihoods and not wanted and "baseline" in section.values:
        section.known.append("baseline")
        what = f"not used by {', '.join(likelihoods)}"
        section.fault("baseline", what, "Remove it, or add binomial.")
        return None
    prior = _read_prior(section, "baseline", "normal(0, 10)", required=wanted)
    return None if prior is None else str(prior)


def _has_baseline(likelihood: str) -> bool:
    kind: type[Any] = LIKELIHOODS[likelihood]
    return "baseline" in [part.name for part in fields(kind)]


def _read_random_effects(section: Section) -> RandomEffects | None:
    text = section.text("random_effects", "normal", required=False)
    if text is None:
        return None if "random_effects" in section.values else parse_random_effects("normal")
    try:
        return parse_random_effects(text)
    except ModelError as error:
        section.problems.append(as_problem(section.place("random_effects"), error))
        return None


def _read_prior(section: Section, key: str, example: str, *, required: bool = True) -> Prior | None:
    text = section.text(key, example, required=required)
    if text is None:
        return None
    try:
        return parse_prior(text)
    except ModelError as error:
        section.problems.append(as_problem(section.place(key), error))
        return None
