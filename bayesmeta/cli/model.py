"""What a command may say about the model of a table, and the model made of it."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from bayesmeta.effects import Correction, compute_effects, get_measure
from bayesmeta.errors import ModelError
from bayesmeta.likelihoods import LIKELIHOODS, BaselineOf
from bayesmeta.model import Model, likelihood_options
from bayesmeta.priors import Fixed
from bayesmeta.random_effects import KNOWN_FORMS, UnrelatedEffects
from bayesmeta.studies import StudyTable

BASELINE = "normal(0, 10)"  # documented default prior of a study's level of risk
_NAMES = {"baseline_of": "Baseline of", "df": "Degrees of freedom"}


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWords:
    """Options of every command that takes a Bayesian model."""

    likelihood: Annotated[str, Parameter(help=f"One of {', '.join(LIKELIHOODS)}.")] = "normal"
    effect_prior: Annotated[
        str | None,
        Parameter(help='Of the mean effect on the analysis scale, such as "normal(0, 2.82)".'),
    ] = None
    tau_prior: Annotated[
        str | None, Parameter(help='Of the SD of the true effects, such as "half_normal(0.5)".')
    ] = None
    baseline_prior: Annotated[
        str | None,
        Parameter(
            help="Of a study's level of risk, in log odds (binomial), or of rates, in logarithms "
            f'(poisson); "{BASELINE}" if not given.'
        ),
    ] = None
    baseline_of: Annotated[
        BaselineOf | None,
        Parameter(help="Whose log odds that is (binomial): control for OR, else average."),
    ] = None
    df: Annotated[
        float | None,
        Parameter(
            help="Degrees of freedom of all estimates (student); the column df if not given."
        ),
    ] = None
    random_effects: Annotated[
        str, Parameter(help=f"Form of the true effects' distribution: {KNOWN_FORMS}.")
    ] = "normal"
    correction: Annotated[
        Correction | None,
        Parameter(help="Zero-cell rule of the normal likelihood; only0 if not given."),
    ] = None

    def model(self, studies: StudyTable, measure: str) -> tuple[Model, str]:
        """Make the model.

        Parameters
        ----------
        studies : StudyTable
            Whose effects suggest priors where a measure has no default.
        measure : str
            A key of `MEASURES`.

        Returns
        -------
        Model
            With the default priors of the measure where none are given.
        str
            The line that says the priors, and which of them are defaults; further ones for the form
            of the random effects and the options of the likelihood, where they were told.

        Raises
        ------
        ModelError
            An unknown likelihood or prior, an option that the likelihood does not have, or a
            measure without default priors.

        Examples
        --------
        >>> from bayesmeta.studies import load
        >>> model, priors = ModelWords(tau_prior="half_cauchy(1)").model(load("bcg"), "OR")
        >>> priors
        'Priors: effect ~ normal(0, 2.82) (default), heterogeneity ~ half_cauchy(1)'
        """
        options = self._options()
        texts = self._priors(studies, measure)
        if self.correction is not None and self.likelihood != "normal":
            raise ModelError(
                f"The {self.likelihood} likelihood corrects nothing. Leave --correction out."
            )
        model = Model.from_text(
            measure=measure,
            likelihood=self.likelihood,
            correction=self.correction or "only0",
            random_effects=self.random_effects,
            **{part: text for part, (text, _) in texts.items()},
            **options,
        )
        told = [f"{part} ~ {text}{' (default)' if default else ''}"
                for part, (text, default) in texts.items()]  # fmt: skip
        lines = [f"Priors: {', '.join(told)}"]
        if self.random_effects != "normal":
            lines.append(f"Random effects: {model.random_effects}")
        lines += [f"{_NAMES[name]}: {text}" for name, text in options.items()]
        return model, "\n".join(lines)

    def _options(self) -> dict[str, str]:
        """Give the texts of what belongs to single likelihoods, priors apart."""
        kinds = {name: likelihood_options(kind) for name, kind in LIKELIHOODS.items()}
        if self.likelihood not in kinds:
            raise ModelError(f"Unknown likelihood {self.likelihood!r}. Known: {', '.join(kinds)}")
        given = {"baseline_of": self.baseline_of, "df": self.df}
        texts = {name: str(value) for name, value in given.items() if value is not None}
        for name in texts:
            if name not in kinds[self.likelihood]:
                users = ", ".join(kind for kind, options in kinds.items() if name in options)
                flag = f"--{name.replace('_', '-')}"
                raise ModelError(
                    f"The {self.likelihood} likelihood has no {name}. Leave {flag} out, or give "
                    f"--likelihood {users}"
                )
        return texts

    def _priors(self, studies: StudyTable, measure_name: str) -> dict[str, tuple[str, bool]]:
        """Give the text of each prior by its name in the model, and whether it is the default."""
        measure = get_measure(measure_name)
        unrelated = self.random_effects == UnrelatedEffects.name  # which have no tau
        choices = {
            "effect": (self.effect_prior, measure.default_effect_prior),
            "heterogeneity": (
                self.tau_prior,
                str(Fixed(0)) if unrelated else measure.default_heterogeneity_prior,
            ),
        }
        if "baseline" in likelihood_options(LIKELIHOODS[self.likelihood]):
            choices["baseline"] = (self.baseline_prior, BASELINE)
        elif self.baseline_prior is not None:
            raise ModelError(
                f"The {self.likelihood} likelihood has no baseline. Leave --baseline-prior out."
            )
        texts = {name: (given or default or "", given is None) for name, (given, default) in
                 choices.items()}  # fmt: skip
        if not all(text for text, _ in texts.values()):
            raise _no_default(studies, measure_name)
        return texts


PLAIN = ModelWords()  # the normal likelihood and the default priors


def _no_default(studies: StudyTable, measure: str) -> ModelError:
    """Say that a measure has no default prior, with priors as wide as these effects ask for."""
    y = compute_effects(studies, measure).y
    wide, spread = (float(f"{10 * size:.0e}") for size in (np.abs(y).max(), np.std(y) / 10))
    return ModelError(
        f"{measure} has no default prior: its unit is that of the data. Give "
        "--effect-prior and --tau-prior. For effects as large as these, one might write "
        f'--effect-prior "normal(0, {wide or 1:g})" --tau-prior "half_normal({spread or 1:g})".'
    )
