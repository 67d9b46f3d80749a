"""Posterior by NUTS: the same model stated in PyMC and sampled by nutpie.

What the likelihood can integrate out of the graph is drawn afterwards from its conditional: with
the normal likelihood the sampler moves in (mu, tau) only. The run is judged by its own diagnostics,
which go into the result.
"""

import logging
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import ModelError, SamplingError
from bayesmeta.inference.marginals import Empirical
from bayesmeta.inference.posterior import Diagnostics, Draws, Posterior
from bayesmeta.inference.propriety import find_tail_order, moment_note
from bayesmeta.inference.spread import build_integral
from bayesmeta.likelihoods import NormalData
from bayesmeta.likelihoods.whitened import softened_sd, whitened_mean
from bayesmeta.model import BoundModel, has_known_tau
from bayesmeta.priors import Prior
from bayesmeta.random_effects import (
    NormalRandomEffects,
    OutlierRandomEffects,
    TruncatedRandomEffects,
    UnrelatedEffects,
)
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

log = logging.getLogger(__name__)

RHAT_LIMIT = 1.01  # Vehtari et al. (2021)
ESS_LIMIT = 400.0  # the same: 100 for each of 4 chains
BFMI_LIMIT = 0.3  # Betancourt (2016)
TAILS = (0.05, 0.95)  # quantiles that the tail ESS is about

_STATS = {  # nutpie's names, ArviZ's names
    "diverging": "diverging",
    "energy": "energy",
    "logp": "lp",
    "mean_tree_accept": "acceptance_rate",
    "n_steps": "n_steps",
    "depth": "tree_depth",
    "maxdepth_reached": "reached_max_treedepth",
    "step_size": "step_size",
}


class Progress(Protocol):
    """Whoever wants to be told of the stages of long work."""

    def advance(self, label: str) -> None:
        """Tell what begins now."""
        ...


class Silent:
    """Progress that nobody sees."""

    def advance(self, label: str) -> None:
        """Say nothing."""


silent = Silent()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run was asked for; the names are those of `Diagnostics`.

    Raises
    ------
    ModelError
        A number is out of its range, or the seed is not an integer from 0.
    """

    seed: int
    draws: int
    tune: int
    chains: int
    target_accept: float

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("draws", 1), ("tune", 1), ("chains", 1)):
            value = getattr(self, name)
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or not least <= value < 2**63:
                shown = "rng (the seed)" if name == "seed" else name
                raise ModelError(
                    f"{shown} = {value!r} cannot be used by the sampler. Give a whole number, "
                    f"{least} or larger"
                )
            object.__setattr__(self, name, int(value))
        if not 0 < self.target_accept < 1:
            raise ModelError(
                f"target_accept = {self.target_accept!r} is no acceptance rate. Give a number "
                "between 0 and 1, such as 0.9"
            )


def fit_nuts(
    bound: BoundModel,
    *,
    rng: int,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.9,
    progress: Progress = silent,
) -> Posterior:
    """Sample the posterior with nutpie, and judge the run.

    Parameters
    ----------
    bound : BoundModel
        Any model; at least one of mu, tau and theta must be left to sample.
    rng : int
        Seed of the sampler and, through a child, of what is drawn in numpy; kept in the result.
    draws, tune : int
        Draws kept and draws of the warm-up, of each chain.
    chains : int
    target_accept : float
        Mean acceptance rate that the step size is adapted to; more is slower and safer.
    progress : Progress
        Told of each stage.

    Returns
    -------
    Posterior
        Its `accuracy` are the diagnostics; `ok` is False, and `notes` say why, where one failed.

    Raises
    ------
    ImproperPosteriorError
        The posterior does not integrate: chains would wander without an end.
    ModelError
        A setting is out of its range.
    SamplingError
        PyMC or nutpie is missing, could not compile or could not start, or nothing is unknown.
    """
    settings = Settings(
        seed=rng, draws=draws, tune=tune, chains=chains, target_accept=target_accept
    )
    tails = find_tail_order(bound)
    _require_unknowns(bound)
    started = time.perf_counter()
    progress.advance("compiling the model")
    compiled = _compile(bound)
    progress.advance("sampling")
    trace = _sample(compiled, settings)
    kept = _complete(bound, trace, np.random.default_rng(settings.seed).spawn(1)[0])
    stats = {name: _values(trace, "sample_stats", key) for key, name in _STATS.items()}
    seconds = time.perf_counter() - started
    diagnostics = judge_run(_unknowns(bound, kept), stats, settings=settings, seconds=seconds)
    log.info("NUTS took %.1f s; R-hat %.4f", seconds, diagnostics.rhat)
    failures = (f"NUTS: {failure}" for failure in diagnostics.failures)
    moments = {"has_mean": tails.has_moment(1), "has_sd": tails.has_moment(2)}
    return Posterior(
        bound=bound,
        engine="nuts",
        mu=Empirical(
            draws=kept.mu.reshape(-1),
            has_mean=tails.has_moment(1, of_mu=True),
            has_sd=tails.has_moment(2, of_mu=True),
        ),
        tau=Empirical(draws=kept.tau.reshape(-1), **moments),
        theta_new=Empirical(
            draws=kept.theta_new.reshape(-1),
            has_mean=tails.has_moment(1) and tails.of_new > 2,
            has_sd=tails.has_moment(2) and tails.of_new > 3,
        ),
        theta=Empirical(draws=np.moveaxis(kept.theta, -1, 0).reshape(len(bound.studies), -1)),
        log_marginal_likelihood=None,
        accuracy=diagnostics,
        joint=SampledJoint(bound=bound, kept=kept, stats=stats),
        notes=(*bound.data.notes, *failures, *moment_note(tails)),
        outlier_probability=_outlier_probability(bound, trace, kept),
    )


def build_pymc_model(bound: BoundModel) -> "pm.Model":
    """State the model in PyMC: variables `mu`, `tau`, those of the likelihood, and the data."""
    _require_sampler()
    _require_form(bound)
    import pymc as pm

    model = bound.model
    with pm.Model(coords={"study": list(bound.studies)}) as stated:
        tau = softened_sd(model.heterogeneity, bound.unit)
        mu = whitened_mean(model.effect, tau, bound.data.y, bound.data.se)
        common = has_known_tau(model) and model.heterogeneity.support[0] == 0
        form, data = model.random_effects, bound.data
        if isinstance(form, OutlierRandomEffects):
            assert isinstance(data, NormalData)
            form.pymc_estimates(data.y, data.S, mu, tau)
        elif not isinstance(form, UnrelatedEffects):
            scale = tau if common else form.pymc_scale(tau)
            model.likelihood.observe(data, mu, scale, common=common)
    return stated


def _require_form(bound: BoundModel) -> None:
    """Refuse forms of the random effects that are not stated in PyMC here."""
    form, data = bound.model.random_effects, bound.data
    if isinstance(form, UnrelatedEffects):
        raise SamplingError(
            'Unrelated effects have nothing to sample: engine="exact" gives them in closed form'
        )
    if isinstance(form, OutlierRandomEffects) and not isinstance(data, NormalData):
        raise SamplingError(
            f"NUTS offers {form} under the normal likelihood only: the labels cannot be summed out "
            f'of the {bound.model.likelihood} likelihood there. Use engine="exact", or t(4)'
        )
    if (
        not isinstance(form, NormalRandomEffects)
        and isinstance(data, NormalData)
        and data.S.ndim == 2
    ):
        raise SamplingError(f"{form} needs independent studies; these effects are correlated")


def judge_run(
    chains: Mapping[str, FloatArray],
    stats: Mapping[str, NDArray[Any]],
    *,
    settings: Settings,
    seconds: float,
) -> Diagnostics:
    """Judge a run by the usual limits; what cannot be computed has failed.

    Parameters
    ----------
    chains : mapping
        Name of each unknown -> its draws (chain, draw).
    stats : mapping
        The sampler's `diverging`, `energy` and `reached_max_treedepth`, (chain, draw).

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), rank-normalised split R-hat and ESS;
    Betancourt (2016), BFMI.
    """
    from arviz_stats.base import array_stats

    names, values = list(chains), np.stack(list(chains.values()))
    with np.errstate(all="ignore"):  # 0/0 of a stuck chain: nan, which fails
        rhat = array_stats.rhat(values, chain_axis=1, draw_axis=2, method="rank")
        bulk = array_stats.ess(values, chain_axis=1, draw_axis=2, method="bulk")
        tail = array_stats.ess(values, chain_axis=1, draw_axis=2, method="tail", prob=TAILS)
        energy = stats["energy"]
        bfmi = float(np.min((np.diff(energy) ** 2).mean(axis=1) / energy.var(axis=1)))
    divergences, deep = (int(stats[k].sum()) for k in ("diverging", "reached_max_treedepth"))
    failures = []
    worst = int(np.argmax(rhat))  # nan counts as the largest, and as the smallest below
    if not np.isfinite(rhat[worst]):
        failures.append(f"the chains of {names[worst]} are stuck or not finite (no R-hat)")
    elif rhat[worst] > RHAT_LIMIT:
        failures.append(f"R-hat {rhat[worst]:.3f} of {names[worst]} is above {RHAT_LIMIT}")
    for kind, ess in (("bulk", bulk), ("tail", tail)):
        least = int(np.argmin(ess))
        if not ess[least] >= ESS_LIMIT:
            failures.append(f"{kind} ESS {ess[least]:.0f} of {names[least]} is below {ESS_LIMIT:g}")
    if not bfmi >= BFMI_LIMIT:
        failures.append(f"BFMI {bfmi:.2f} is below {BFMI_LIMIT}: the tails are not well explored")
    if divergences:
        failures.append(f"{divergences} divergent transitions; a larger target_accept may help")
    if deep:
        failures.append(f"{deep} transitions reached the greatest tree depth")
    return Diagnostics(
        rhat=float(rhat[worst]),
        ess_bulk=float(np.min(bulk)),
        ess_tail=float(np.min(tail)),
        bfmi=bfmi,
        divergences=divergences,
        max_depth=deep,
        seconds=seconds,
        failures=tuple(failures),
        **asdict(settings),
    )


def draw_effects(
    data: NormalData, mu: FloatArray, tau: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Draw theta given (mu, tau), from its conditional normal.

    Parameters
    ----------
    mu : (...)
    tau : (...)
        Or (..., study) where the studies have their own and are independent.
    rng : Generator

    Returns
    -------
    (..., study)
        In the eigenvectors of S, theta - mu has mean tau^2/(v + tau^2) (y - mu) and variance
        v tau^2/(v + tau^2), v the eigenvalues.
    """
    v, Q = (data.S, None) if data.S.ndim == 1 else np.linalg.eigh(data.S)
    residual = data.y - mu[..., None]
    residual = residual if Q is None else residual @ Q
    tau = tau[..., None] if tau.ndim == mu.ndim else tau
    share = tau**2 / (v + tau**2)
    noise = np.sqrt(share * v) * rng.standard_normal(residual.shape)
    above = share * residual + noise
    out: FloatArray = mu[..., None] + (above if Q is None else above @ Q.T)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledJoint:
    """Joint posterior of a NUTS fit: the chains themselves.

    `stats` are the sampler's statistics by ArviZ's names, (chain, draw).
    """

    bound: BoundModel
    kept: Draws
    stats: Mapping[str, NDArray[Any]]

    def draw(self, draws: int, rng: np.random.Generator) -> Draws:  # noqa: ARG002
        """Give the chains as they are; the arguments are for exact posteriors."""
        return self.kept

    def log_likelihood(self, mu: FloatArray, tau: FloatArray) -> FloatArray | None:
        """Log L_i(mu, tau), (...) -> (..., study); None for correlated rows."""
        data = self.bound.data
        normal_form = isinstance(self.bound.model.random_effects, NormalRandomEffects)
        if not isinstance(data, NormalData) or not normal_form:
            flat = [a.reshape(-1) for a in np.broadcast_arrays(mu, tau)]
            log_l = build_integral(self.bound, *flat).log_likelihood(mu, tau)
            form = self.bound.model.random_effects
            if isinstance(form, TruncatedRandomEffects):
                log_l = log_l - form.log_inside(mu, tau)[..., None]
            return log_l
        if data.S.ndim == 2:
            return None
        v = data.S + tau[..., None] ** 2
        out: FloatArray = -0.5 * ((data.y - mu[..., None]) ** 2 / v + np.log(2 * np.pi * v))
        return out

    def sample_stats(self) -> "dict[str, xr.DataArray]":
        """Give the sampler's statistics, dims chain and draw."""
        import xarray as xr

        return {name: xr.DataArray(x, dims=("chain", "draw")) for name, x in self.stats.items()}


def _is_known(prior: Prior) -> bool:
    low, high = prior.support
    return low == high and math.isfinite(low)


def _require_unknowns(bound: BoundModel) -> None:
    model = bound.model
    if not (_is_known(model.effect) and has_known_tau(model)):
        return
    if isinstance(bound.data, NormalData) or model.heterogeneity.support[0] == 0:
        raise SamplingError(
            f"Nothing is left to sample: mu is {model.effect} and tau is {model.heterogeneity}. "
            'engine="exact" gives the answer in closed form'
        )


def _unknowns(bound: BoundModel, kept: Draws) -> dict[str, FloatArray]:
    """Draws (chain, draw) by name, of what was not known before; theta too."""
    chains = {}
    if not _is_known(bound.model.effect):
        chains["mu"] = kept.mu
    if not has_known_tau(bound.model):
        chains["tau"] = kept.tau
    for i, label in enumerate(bound.studies):
        chains[f"theta of {label!r}"] = kept.theta[..., i]
    return chains


def _require_sampler() -> None:
    try:
        for package in ("pymc", "nutpie"):
            import_module(package)
    except ModuleNotFoundError as missing:
        raise SamplingError(
            f'engine="nuts" needs {missing.name}, which is not installed. Install it with '
            '`pip install "pymc>=6.4,<7" nutpie`; engine="exact" does without'
        ) from missing


def _compile(bound: BoundModel) -> Any:
    model = build_pymc_model(bound)
    import nutpie

    try:
        return nutpie.compile_pymc_model(
            model, freeze_model=True, initial_points=_starts(bound, model)
        )
    except Exception as fault:
        raise SamplingError(f"PyMC could not compile the model: {fault}") from fault


def _starts(bound: BoundModel, model: "pm.Model") -> dict[str, FloatArray]:
    """Medians of the priors on a part of the line, where PyMC may begin on its very edge."""
    middle = np.array(0.5)
    names = {variable.name for variable in model.free_RVs}
    priors = {"mu": bound.model.effect, "tau": bound.model.heterogeneity}
    starts = {
        name: prior.quantile(middle)
        for name, prior in priors.items()
        if name in names and prior.proper and math.isfinite(prior.support[0])
    }
    if "tau2" in names and bound.model.heterogeneity.proper:
        starts["tau2"] = bound.model.heterogeneity.quantile(middle) ** 2
    return starts


def _sample(compiled: Any, settings: Settings) -> "xr.DataTree":
    """Run the chains; one BLAS thread each, or the chains' threads fight for the cores."""
    import nutpie
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            trace: xr.DataTree = nutpie.sample(
                compiled,
                draws=settings.draws,
                tune=settings.tune,
                chains=settings.chains,
                cores=min(settings.chains, os.cpu_count() or 1),
                seed=settings.seed,
                target_accept=settings.target_accept,
                save_warmup=False,
                progress_bar=False,
            )
    except Exception as fault:
        reason = " ".join(str(fault).partition("Stack backtrace")[0].split())
        raise SamplingError(f"The sampler could not run: {reason}") from fault
    return trace


def _complete(bound: BoundModel, trace: "xr.DataTree", rng: np.random.Generator) -> Draws:
    """Take the parameters out of the trace, and draw what was not in the graph."""
    mu, tau = (_values(trace, "posterior", name) for name in ("mu", "tau"))
    data, form = bound.data, bound.model.random_effects
    kept = _further(bound, trace, mu)
    if isinstance(data, NormalData):
        own = tau
        if "mixing" in kept:
            own = tau[..., None] / np.sqrt(kept["mixing"])
        elif isinstance(form, OutlierRandomEffects):
            outlying = form.outlying(data.y, data.S, mu, tau, kept["share"])
            own = np.hypot(tau[..., None], form.omega * (rng.random(outlying.shape) < outlying))
        theta = draw_effects(data, mu, own, rng)
    else:
        theta = _values(trace, "posterior", "theta")
    new = form.draw_new(mu, tau, rng, **kept)
    draws = Draws(mu=mu, tau=tau, theta_new=new, theta=theta)
    for chains in (draws.mu, draws.tau, draws.theta_new, draws.theta):
        chains.setflags(write=False)
    return draws


def _further(bound: BoundModel, trace: "xr.DataTree", mu: FloatArray) -> dict[str, FloatArray]:
    """Draws of what the form of the random effects adds: `mixing` of t, `share` of outliers."""
    form, sampled = bound.model.random_effects, trace["posterior"].to_dataset()
    names = [name for name in ("mixing", "share") if name in sampled]
    kept = {name: _values(trace, "posterior", name) for name in names}
    if isinstance(form, OutlierRandomEffects) and form.share is not None:
        kept["share"] = np.full(mu.shape, form.share)
    return kept


def _outlier_probability(bound: BoundModel, trace: "xr.DataTree", kept: Draws) -> FloatArray | None:
    form, data = bound.model.random_effects, bound.data
    if not isinstance(form, OutlierRandomEffects) or not isinstance(data, NormalData):
        return None
    share = _further(bound, trace, kept.mu)["share"]
    out: FloatArray = form.outlying(data.y, data.S, kept.mu, kept.tau, share).mean(axis=(0, 1))
    return out


def _values(trace: "xr.DataTree", group: str, name: str) -> NDArray[Any]:
    """Give a variable's own array, (chain, draw, ...), which may be set read-only."""
    return np.array(trace[group].to_dataset()[name].values)
