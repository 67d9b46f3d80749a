"""The table `model`: one model per likelihood."""

from typing import cast, get_args

from bayesmeta.comparison.section import Section, as_problem
from bayesmeta.effects import CORRECTIONS, MEASURES, Correction
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods import LIKELIHOODS, BaselineOf
from bayesmeta.model import Model, likelihood_options, read_likelihood
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
    options = _read_options(section, likelihoods or ())
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
        wanted = likelihood_options(LIKELIHOODS[name])
        place = "baseline" if "baseline" in wanted else "df"
        try:
            likelihood = read_likelihood(name, **{key: options[key] for key in wanted})
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


def _read_options(section: Section, likelihoods: tuple[str, ...]) -> dict[str, str | None]:
    """Read what belongs to single likelihoods: required by some, refused by those without it."""
    wanted = [likelihood_options(LIKELIHOODS[name]) for name in likelihoods]
    texts: dict[str, str | None] = {}
    for key in ("baseline", "baseline_of", "df"):
        if likelihoods and key in section.values and not any(key in options for options in wanted):
            section.known.append(key)
            users = [name for name, kind in LIKELIHOODS.items() if key in likelihood_options(kind)]
            what, fix = f"not used by {', '.join(likelihoods)}", f"Remove it, or add {users[0]}."
            section.fault(key, what, fix)
            continue
        if key == "baseline":
            required = any(options.get(key, False) for options in wanted)
            prior = _read_prior(section, key, "normal(0, 10)", required=required)
            texts[key] = None if prior is None else str(prior)
        elif key == "baseline_of":
            known = get_args(BaselineOf.__value__)
            texts[key] = section.choice(key, known, default="") or None
        else:
            number = section.number(key, "7")
            texts[key] = None if number is None else str(number)
    return texts


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
