"""Priors in words: what they hold to be likely, and where they come from."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.model import Model
from bayesmeta.priors import Fixed, Flat, Prior

SOURCES = {
    "effect": "Günhan, Röver and Friede (2020), Research Synthesis Methods 11:74-90",
    "heterogeneity": "Röver et al. (2021), Research Synthesis Methods 12:448-474",
}
NOT_RECORDED = "no reason is recorded: the authors state why it was chosen"


def explain_priors(
    model: Model, measure: Measure, reasons: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Say of each prior of a model what it means, and its reason or source where that is known.

    Parameters
    ----------
    model : Model
    measure : Measure
    reasons : mapping of str to str
        Reasons for "effect", "heterogeneity" and "baseline", where they are told.

    Returns
    -------
    dict
        "effect", "heterogeneity" and, where the likelihood has one, "baseline", to a sentence part.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> from bayesmeta.effects import get_measure
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> explain_priors(model, get_measure("OR"))["effect"].split(";")[0]
    'mu ~ normal(0, 2.82): 95% of it between 0.00398 and 251 as OR'
    """
    meaning = {
        "effect": _explain_effect(model.effect, measure),
        "heterogeneity": _explain_heterogeneity(model.heterogeneity),
    }
    priors = {"effect": model.effect, "heterogeneity": model.heterogeneity}
    default = {
        "effect": measure.default_effect_prior,
        "heterogeneity": measure.default_heterogeneity_prior,
    }
    baseline = getattr(model.likelihood, "baseline", None)
    if baseline is not None:
        priors["baseline"] = baseline
        scale = " (log odds)" if str(model.likelihood) == "binomial" else ""
        meaning["baseline"] = _explain_baseline(baseline, scale)
    for name, prior in priors.items():
        if name in reasons:
            meaning[name] += f"; reason: {reasons[name].strip().rstrip('.')}"
        elif isinstance(prior, Fixed | Flat):
            continue  # what it means has been said
        elif str(prior) == default.get(name):
            meaning[name] += f"; source: {SOURCES[name]}"
        else:
            meaning[name] += f"; {NOT_RECORDED}"
    return meaning


def _explain_effect(prior: Prior, measure: Measure) -> str:
    if isinstance(prior, Flat):
        return "mu ~ flat: no value of the mean effect is preferred (improper)"
    if isinstance(prior, Fixed):
        return f"mu = {prior.value:g}, set and not estimated"
    low, high = measure.scale.to_natural(prior.quantile(np.array([0.025, 0.975]))).tolist()
    return f"mu ~ {prior}: 95% of it between {low:.3g} and {high:.3g} as {measure.name}"


def _explain_heterogeneity(prior: Prior) -> str:
    if isinstance(prior, Flat):
        return "tau ~ flat on tau >= 0 (improper)"
    if isinstance(prior, Fixed):
        common = " (a common effect)" if prior.value == 0 else ""
        return f"tau = {prior.value:g}{common}, set and not estimated"
    middle, high = prior.quantile(np.array([0.5, 0.975])).tolist()
    return f"tau ~ {prior}: median {middle:.2g}, 97.5% quantile {high:.2g}"


def _explain_baseline(prior: Prior, scale: str) -> str:
    if isinstance(prior, Fixed | Flat) or not prior.proper:
        return f"baseline of each study ~ {prior}"
    low, high = prior.quantile(np.array([0.025, 0.975])).tolist()
    between = f"95% of it between {low:.3g} and {high:.3g}{scale}"
    return f"baseline of each study ~ {prior}: {between}"
