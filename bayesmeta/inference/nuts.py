"""Posterior by NUTS: the same model stated in PyMC and sampled by nutpie.

What the likelihood can integrate out of the graph is drawn afterwards from its conditional: with
the normal likelihood the sampler moves in (mu, tau) only. The run is judged by its own diagnostics,
which go into the result.
"""

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import SamplingError
from bayesmeta.inference.judge import judge_run
from bayesmeta.inference.marginals import Empirical
from bayesmeta.inference.posterior import Diagnostics, Draws, Posterior
from bayesmeta.inference.propriety import find_tail_order, moment_note
from bayesmeta.inference.sampler import (
    Run,
    SamplerName,
    Settings,
    Trace,
    prepare_sampler,
    require_sampler,
)
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


def fit_nuts(
    bound: BoundModel,
    *,
    rng: int,
    draws: int = 2000,
    tune: int = 1000,
    chains: int = 4,
    target_accept: float = 0.9,
    sampler: SamplerName = "nutpie",
    progress: Progress = silent,
) -> Posterior:
    """Sample the posterior, and judge the run; one that fails is run again, longer.

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
    sampler : {"nutpie", "pymc"}
        nutpie, or PyMC's own.
    progress : Progress
        Told of each stage.

    Returns
    -------
    Posterior
        Its `accuracy` are the diagnostics of the run that it holds; `ok` is False, and `notes` say
        why, where one failed. A run that fails is replaced by one of twice the draws and tuning
        steps and a fifth of the rejections, and the notes say so.

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
        seed=rng,
        draws=draws,
        tune=tune,
        chains=chains,
        target_accept=target_accept,
        sampler=sampler,
    )
    tails = find_tail_order(bound)
    _require_unknowns(bound)
    started = time.perf_counter()
    progress.advance("compiling the model")
    stated = build_pymc_model(bound)
    run = prepare_sampler(stated, _starts(bound, stated), settings.sampler)
    progress.advance("sampling")
    trace, kept, diagnostics = _judged(bound, run, settings, started)
    notes: tuple[str, ...] = ()
    if not diagnostics.ok:
        first, settings = "; ".join(diagnostics.failures), settings.longer()
        progress.advance("sampling again, longer")
        trace, kept, diagnostics = _judged(bound, run, settings, started)
        notes = (
            f"NUTS was run again, with {settings.draws} draws and {settings.tune} tuning steps in "
            f"each chain and target acceptance {settings.target_accept:g}, because the first run "
            f"failed: {first}",
        )
    require_inside = getattr(bound.data, "require_inside", None)
    if require_inside is not None:
        require_inside(kept.theta)
    log.info("NUTS took %.1f s; R-hat %.4f", diagnostics.seconds, diagnostics.rhat)
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
        joint=SampledJoint(bound=bound, kept=kept, stats=trace.stats),
        notes=(*bound.data.notes, *notes, *failures, *moment_note(tails)),
        outlier_probability=_outlier_probability(bound, trace, kept),
    )


def build_pymc_model(bound: BoundModel) -> "pm.Model":
    """State the model in PyMC: variables `mu`, `tau`, those of the likelihood, and the data."""
    require_sampler()
    _require_form(bound)
    import pymc as pm

    model = bound.model
    unit = 8.0 ** round(
        math.log2(bound.unit) / 3
    )  # coarse, so that outcomes share what is compiled
    with pm.Model(coords={"study": list(bound.studies)}) as stated:
        tau = softened_sd(model.heterogeneity, unit)
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


def _judged(
    bound: BoundModel, run: Run, settings: Settings, started: float
) -> tuple[Trace, Draws, Diagnostics]:
    """Run the chains, complete the draws and judge them."""
    trace = run(settings)
    kept = _complete(bound, trace, np.random.default_rng(settings.seed).spawn(1)[0])
    seconds = time.perf_counter() - started
    unknowns = _unknowns(bound, kept)
    return trace, kept, judge_run(unknowns, trace.stats, settings=settings, seconds=seconds)


def _complete(bound: BoundModel, trace: Trace, rng: np.random.Generator) -> Draws:
    """Take the parameters out of the trace, and draw what was not in the graph."""
    mu, tau = (trace.draws[name] for name in ("mu", "tau"))
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
        theta = trace.draws["theta"]
    new = form.draw_new(mu, tau, rng, **kept)
    draws = Draws(mu=mu, tau=tau, theta_new=new, theta=theta)
    for chains in (draws.mu, draws.tau, draws.theta_new, draws.theta):
        chains.setflags(write=False)
    return draws


def _further(bound: BoundModel, trace: Trace, mu: FloatArray) -> dict[str, FloatArray]:
    """Draws of what the form of the random effects adds: `mixing` of t, `share` of outliers."""
    form = bound.model.random_effects
    kept = {name: trace.draws[name] for name in ("mixing", "share") if name in trace.draws}
    if isinstance(form, OutlierRandomEffects) and form.share is not None:
        kept["share"] = np.full(mu.shape, form.share)
    return kept


def _outlier_probability(bound: BoundModel, trace: Trace, kept: Draws) -> FloatArray | None:
    form, data = bound.model.random_effects, bound.data
    if not isinstance(form, OutlierRandomEffects) or not isinstance(data, NormalData):
        return None
    share = _further(bound, trace, kept.mu)["share"]
    out: FloatArray = form.outlying(data.y, data.S, kept.mu, kept.tau, share).mean(axis=(0, 1))
    return out
