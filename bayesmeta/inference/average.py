"""Model averaging over {common, random} x {no effect, effect}, by exact evidences."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd

from bayesmeta.errors import ModelError
from bayesmeta.inference.bayes_factor import BayesFactor, log_sum
from bayesmeta.inference.blend import Blend, WithAtom
from bayesmeta.inference.fit import TOL, fit
from bayesmeta.inference.marginals import Marginal
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.model import Model, has_known_tau
from bayesmeta.priors import Fixed
from bayesmeta.studies import StudyTable

NAMES = ("common_null", "common_effect", "random_null", "random_effect")
_WITH: dict[str, tuple[str, str]] = {
    "effect": ("common_effect", "random_effect"),
    "heterogeneity": ("random_null", "random_effect"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelAverage:
    """Four models of the same studies, and their average.

    Attributes
    ----------
    posteriors : mapping
        By name: "common_null", "common_effect", "random_null" and "random_effect"; null is
        ``mu = 0``, common is ``tau = 0``.
    prior, probability : mapping
        Probability of each model before and after the data.
    mu, tau, theta_new : Marginal
        Averages over all four models; `mu` and `tau` are 0 with the probability of the models that
        say so, `theta_new` with that of the common null.
    mu_given_effect : Marginal
        Average over the two models with an effect.
    notes : tuple of str
        What a reader should know of the answer.
    """

    posteriors: Mapping[str, Posterior]
    prior: Mapping[str, float]
    probability: Mapping[str, float]
    mu: Marginal
    tau: Marginal
    theta_new: Marginal
    mu_given_effect: Marginal
    notes: tuple[str, ...]

    def inclusion(self, what: Literal["effect", "heterogeneity"]) -> BayesFactor:
        """Bayes factor for an effect, or for heterogeneity, averaged over the other choice.

        It is the posterior odds of the two models that have it, over their prior odds.

        Raises
        ------
        ModelError
            `what` is neither.
        """
        if what not in _WITH:
            raise ModelError(f'what = {what!r} is neither "effect" nor "heterogeneity"')
        included = _WITH[what]
        left = tuple(name for name in NAMES if name not in included)
        odds = self._log_mass(included) - self._log_mass(left)
        before = [sum(self.prior[name] for name in names) for names in (included, left)]
        error = max(_error(posterior) for posterior in self.posteriors.values())
        return BayesFactor(log=odds - math.log(before[0] / before[1]), error=2 * error)

    def _log_mass(self, names: tuple[str, ...]) -> float:
        return log_sum([_log_weight(self.prior[n], self.posteriors[n]) for n in names])

    def to_frame(self) -> pd.DataFrame:
        """Give one row per model: its priors, prior probability, evidence and probability."""
        rows = {
            name: {
                "effect": str(posterior.bound.model.effect),
                "heterogeneity": str(posterior.bound.model.heterogeneity),
                "prior_probability": self.prior[name],
                "log_marginal_likelihood": posterior.log_marginal_likelihood,
                "probability": self.probability[name],
            }
            for name, posterior in self.posteriors.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def average(
    model: Model,
    studies: StudyTable,
    *,
    prior: Mapping[str, float] | None = None,
    tol: float = TOL,
) -> ModelAverage:
    """Average over {common, random} x {no effect, effect}, each model fitted exactly.

    Parameters
    ----------
    model : Model
        The random-effects model with an effect; the other three replace its effect prior by
        ``Fixed(0)`` (no effect), its heterogeneity prior by ``Fixed(0)`` (common), or both.
    studies : StudyTable
    prior : mapping, optional
        Probability of each model: "common_null", "common_effect", "random_null",
        "random_effect". Not given, 1/4 each; the notes say which was used.
    tol : float
        Accepted numerical error of each fit.

    Returns
    -------
    ModelAverage

    Raises
    ------
    ModelError
        The effect or heterogeneity prior is improper, or a known value; or the prior probabilities
        are not positive numbers for the four names that sum to 1.

    References
    ----------
    Gronau, van Erp, Heck, Cesario, Jonas and Wagenmakers (2017), Comprehensive Results in Social
    Psychology 2:123-138.

    Examples
    --------
    >>> import numpy as np
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="SMD", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.HalfCauchy(0.5**0.5), heterogeneity=bm.InverseGamma(1, 0.15))
    >>> found = average(model, bm.load("power_pose"))
    >>> round(found.inclusion("effect").value, 3), round(float(found.mu_given_effect.mean), 2)
    (33.136, 0.22)
    """
    before = _read_prior(prior)
    _require_open(model)
    null, common = Fixed(0.0), Fixed(0.0)
    models = {
        "common_null": replace(model, effect=null, heterogeneity=common),
        "common_effect": replace(model, heterogeneity=common),
        "random_null": replace(model, effect=null),
        "random_effect": model,
    }
    found = {name: fit(one, studies, tol=tol) for name, one in models.items()}
    logs = {name: _log_weight(before[name], found[name]) for name in NAMES}
    total = log_sum(list(logs.values()))
    after = {name: math.exp(log - total) for name, log in logs.items()}
    told = ", ".join(f"{name} {p:g}" for name, p in before.items())
    notes = (f"prior probabilities of the models: {told}",)

    def mixture(parameter: str, known: tuple[str, ...]) -> Marginal:
        """Mix the models; the parameter is 0 in those that are `known`."""
        names = [name for name in NAMES if name not in known]
        top = log_sum([logs[name] for name in names])
        weights = np.exp([logs[name] - top for name in names])
        rest = Blend(
            parts=tuple(found[name].marginals[parameter] for name in names), weights=weights
        )
        share = sum(after[name] for name in known)
        return WithAtom(atom=0.0, share=share, rest=rest) if known else rest

    effect = Blend(
        parts=tuple(found[name].mu for name in _WITH["effect"]),
        weights=np.exp([logs[n] - log_sum([logs[m] for m in _WITH["effect"]])
                        for n in _WITH["effect"]]),
    )  # fmt: skip
    return ModelAverage(
        posteriors=found,
        prior=before,
        probability=after,
        mu=mixture("mu", ("common_null", "random_null")),
        tau=mixture("tau", ("common_null", "common_effect")),
        theta_new=mixture("theta_new", ("common_null",)),
        mu_given_effect=effect,
        notes=tuple(dict.fromkeys([*notes, *(n for p in found.values() for n in p.notes)])),
    )


def _log_weight(prior: float, posterior: Posterior) -> float:
    assert posterior.log_marginal_likelihood is not None  # exact engines always give it
    return math.log(prior) + posterior.log_marginal_likelihood


def _read_prior(prior: Mapping[str, float] | None) -> dict[str, float]:
    if prior is None:
        return dict.fromkeys(NAMES, 0.25)
    right = isinstance(prior, Mapping) and set(prior) == set(NAMES)
    numbers = [prior[name] for name in NAMES] if right else []
    right = right and all(isinstance(p, Real) and p > 0 for p in numbers)
    if not right or abs(sum(numbers) - 1) > 1e-9:
        raise ModelError(
            f"The prior probabilities of the models cannot be {prior}. Give a positive "
            f"number for each of {', '.join(NAMES)}, summing to 1"
        )
    return dict(zip(NAMES, numbers, strict=True))


def _require_open(model: Model) -> None:
    """Refuse priors that leave nothing to average."""
    low, high = model.effect.support
    for what, prior, known in (
        ("effect", model.effect, low == high),
        ("heterogeneity", model.heterogeneity, has_known_tau(model)),
    ):
        if known or not prior.proper:
            reason = "a known value" if known else "improper, so that its evidence is arbitrary"
            raise ModelError(
                f"Models cannot be averaged over the {what}: its prior {prior} is {reason}. Give "
                "it a proper distribution, such as half_cauchy(0.7)"
            )


def _error(posterior: Posterior) -> float:
    assert isinstance(posterior.accuracy, Accuracy)  # all four are exact
    return posterior.accuracy.error
