"""Priors in words: what they hold to be likely, and where they come from."""

import numpy as np

from bayesmeta.effects import Measure
from bayesmeta.model import Model
from bayesmeta.priors import Fixed, Flat, Prior

SOURCES = {
    "effect": "Günhan, Röver and Friede (2020), Research Synthesis Methods 11:74-90",
    "heterogeneity": "Röver et al. (2021), Research Synthesis Methods 12:448-474",
}
NOT_RECORDED = "no reason is recorded: the authors state why it was chosen"


def explain_priors(model: Model, measure: Measure) -> dict[str, str]:
    """Say of each prior of a model what it means, and its source where that is known.

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
    told = {
        "effect": _explain_effect(model.effect, measure),
        "heterogeneity": _explain_heterogeneity(model.heterogeneity, measure),
    }
    baseline = getattr(model.likelihood, "baseline", None)
    if baseline is not None:
        scale = " (log odds)" if str(model.likelihood) == "binomial" else ""
        told["baseline"] = _explain_baseline(baseline, scale)
    return told


def _explain_effect(prior: Prior, measure: Measure) -> str:
    if isinstance(prior, Flat):
        return "mu ~ flat: no value of the mean effect is preferred (improper)"
    if isinstance(prior, Fixed):
        return f"mu = {prior.value:g}, set and not estimated"
    low, high = measure.scale.to_natural(prior.quantile(np.array([0.025, 0.975]))).tolist()
    default = str(prior) == measure.default_effect_prior
    reason = f"source: {SOURCES['effect']}" if default else NOT_RECORDED
    return f"mu ~ {prior}: 95% of it between {low:.3g} and {high:.3g} as {measure.name}; {reason}"


def _explain_heterogeneity(prior: Prior, measure: Measure) -> str:
    if isinstance(prior, Flat):
        return "tau ~ flat on tau >= 0 (improper)"
    if isinstance(prior, Fixed):
        common = " (a common effect)" if prior.value == 0 else ""
        return f"tau = {prior.value:g}{common}, set and not estimated"
    middle, high = prior.quantile(np.array([0.5, 0.975])).tolist()
    default = str(prior) == measure.default_heterogeneity_prior
    reason = f"source: {SOURCES['heterogeneity']}" if default else NOT_RECORDED
    return f"tau ~ {prior}: median {middle:.2g}, 97.5% quantile {high:.2g}; {reason}"


def _explain_baseline(prior: Prior, scale: str) -> str:
    if isinstance(prior, Fixed | Flat) or not prior.proper:
        return f"baseline of each study ~ {prior}"
    low, high = prior.quantile(np.array([0.025, 0.975])).tolist()
    between = f"95% of it between {low:.3g} and {high:.3g}{scale}"
    return f"baseline of each study ~ {prior}: {between}; {NOT_RECORDED}"
