"""A posterior as an ArviZ DataTree: the same groups, variables and dims from every engine.

=================  ===========================================================================
posterior          mu, tau, theta_new (chain, draw); theta (chain, draw, study)
log_likelihood     studies (chain, draw, study): log L_i(mu, tau), theta_i and nuisance integrated
                   out. Left out where correlated effects have no such factors; the root's
                   attribute `log_likelihood` says so.
log_prior          mu, tau (chain, draw): log densities, of an improper prior too (flat: log 1); of
                   a known value log 1.
prior              mu, tau (chain, draw): independent draws. An improper prior has none; the group
                   is left out where neither has any.
posterior_predictive
                   replicates of the observed numbers of the same studies (chain, draw, study),
                   given their true effects; nuisance parameters drawn given these and the data.
                   Left out where a likelihood draws none, as one of a user's own may; the root's
                   attribute `posterior_predictive` says so.
observed_data      the observed numbers (study)
constant_data      numbers that are taken as known, such as standard errors and group sizes (study);
                   all are observed where a likelihood draws no replicates
sample_stats       the sampler's, of NUTS only
=================  ===========================================================================

The root's attributes hold model, engine, seed, versions, accuracy and notes as text.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.inference.posterior import Diagnostics, Draws, Posterior
from bayesmeta.likelihoods.replicate import Replicating
from bayesmeta.priors import Prior
from bayesmeta.random_effects import UnrelatedEffects
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    import xarray as xr

_CHAIN = ("chain", "draw")
_WORDS = {
    "mu": "mean of the true effects",
    "tau": "SD of the true effects",
    "theta_new": "true effect of a new study",
    "theta": "true effects of the studies",
}


def build_tree(posterior: Posterior, draws: int, rng: int | np.random.Generator) -> "xr.DataTree":
    """Give joint draws of the posterior, and what belongs to them, as a DataTree.

    Parameters
    ----------
    posterior : Posterior
    draws : int
        Independent draws of an exact posterior, rounded up to 4 equal chains; a sampled posterior
        gives its own chains.
    rng : int or Generator
        Seed of the draws, and of those of the prior.
    """
    import xarray as xr

    of_posterior, of_prior, of_data = np.random.default_rng(rng).spawn(3)
    kept = posterior.joint.draw(draws, of_posterior)
    replicates = _replicate(posterior, kept, of_data)
    numbers = list(posterior.bound.data.constants())
    observed = numbers if replicates is None else list(replicates)
    groups = {
        "posterior": _posterior(posterior, kept),
        "log_likelihood": _log_likelihood(posterior, kept),
        "log_prior": _log_prior(posterior, kept),
        "prior": _prior(posterior, kept.mu.shape, of_prior),
        "posterior_predictive": None if replicates is None else _dataset(posterior, replicates),
        "observed_data": _numbers(posterior, observed),
        "constant_data": _numbers(posterior, [name for name in numbers if name not in observed]),
        "sample_stats": _sample_stats(posterior),
    }
    tree = xr.DataTree.from_dict({name: ds for name, ds in groups.items() if ds is not None})
    tree.attrs = _attributes(posterior, rng)
    if groups["log_likelihood"] is None:
        tree.attrs["log_likelihood"] = (
            "left out: the effects are correlated, so that no study has a likelihood by itself, "
            "or unrelated under a flat prior"
        )
    if replicates is None:
        tree.attrs["posterior_predictive"] = (
            f"left out: the {posterior.bound.model.likelihood} likelihood draws no replicates"
        )
    return tree


def _posterior(posterior: Posterior, kept: Draws) -> "xr.Dataset":
    arrays = {name: getattr(kept, name) for name in _WORDS}
    return _dataset(posterior, arrays, scaled=True)


def _log_likelihood(posterior: Posterior, kept: Draws) -> "xr.Dataset | None":
    studies = posterior.joint.log_likelihood(kept.mu, kept.tau)
    return None if studies is None else _dataset(posterior, {"studies": studies})


def _priors(posterior: Posterior) -> dict[str, Prior]:
    model = posterior.bound.model
    if isinstance(model.random_effects, UnrelatedEffects):
        return {}  # the prior is that of each true effect
    return {"mu": model.effect, "tau": model.heterogeneity}


def _log_prior(posterior: Posterior, kept: Draws) -> "xr.Dataset | None":
    priors = _priors(posterior).items()
    arrays = {name: p.logpdf(getattr(kept, name)) for name, p in priors}
    return _dataset(posterior, arrays) if arrays else None


def _prior(
    posterior: Posterior, shape: tuple[int, ...], rng: np.random.Generator
) -> "xr.Dataset | None":
    arrays = {
        name: prior.quantile(rng.random(shape))
        for name, prior in _priors(posterior).items()
        if prior.proper
    }
    return _dataset(posterior, arrays, scaled=True) if arrays else None


def _replicate(
    posterior: Posterior, kept: Draws, rng: np.random.Generator
) -> "dict[str, FloatArray] | None":
    """Draw data like those observed, one set for each draw; None where that is not offered."""
    bound = posterior.bound
    likelihood = bound.model.likelihood
    if not isinstance(likelihood, Replicating):
        return None
    return likelihood.replicate(bound.data, kept.theta, rng)


def _numbers(posterior: Posterior, names: list[str]) -> "xr.Dataset | None":
    """Give some of the numbers that the likelihood takes."""
    import xarray as xr

    bound = posterior.bound
    constants = bound.data.constants()
    columns = {name: ("study", np.asarray(constants[name])) for name in names}
    return xr.Dataset(columns, coords={"study": list(bound.studies)}) if columns else None


def _sample_stats(posterior: Posterior) -> "xr.Dataset | None":
    stats = posterior.joint.sample_stats()
    if stats is None:
        return None
    return _dataset(posterior, {name: np.asarray(x.values) for name, x in stats.items()})


def _dataset(
    posterior: Posterior, arrays: "dict[str, FloatArray]", *, scaled: bool = False
) -> "xr.Dataset":
    """Put arrays (chain, draw) or (chain, draw, study) into a Dataset, with coordinates."""
    import xarray as xr

    bound = posterior.bound
    chains, draws = next(iter(arrays.values())).shape[:2]
    dataset = xr.Dataset(coords={"chain": np.arange(chains), "draw": np.arange(draws)})
    for name, array in arrays.items():
        dims = _CHAIN if array.ndim == 2 else (*_CHAIN, "study")
        dataset[name] = xr.DataArray(array, dims=dims)
        if scaled:
            dataset[name].attrs = {
                "measure": bound.measure.name,
                "scale": bound.measure.analysis_label,
                "description": _WORDS[name],
            }
    if "study" in dataset.dims:
        dataset = dataset.assign_coords(study=list(bound.studies))
    return dataset


def _attributes(posterior: Posterior, rng: int | np.random.Generator) -> dict[str, str]:
    bound, accuracy = posterior.bound, posterior.accuracy
    sampled = isinstance(accuracy, Diagnostics)
    packages = ["bayesmeta", "numpy", "scipy", *(["pymc", "nutpie"] if sampled else [])]
    seed = str(rng) if isinstance(rng, int | np.integer) else "a generator"
    evidence = posterior.log_marginal_likelihood
    return {
        **{f"model_{name}": text for name, text in bound.model.as_text().items()},
        "measure": bound.measure.name,
        "scale": bound.measure.analysis_label,
        "engine": posterior.engine,
        "seed": str(accuracy.seed) if isinstance(accuracy, Diagnostics) else seed,
        "versions": ", ".join(f"{package} {version(package)}" for package in packages),
        "accuracy": json.dumps(asdict(accuracy)),
        "log_marginal_likelihood": "not given by this engine"
        if evidence is None
        else repr(evidence),
        "notes": "\n".join(posterior.notes),
    }
