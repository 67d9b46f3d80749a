"""Exact fits against NUTS, with and without compilation, on the BCG trials."""

from collections.abc import Callable
from functools import partial
from typing import Any

import nutpie
from threadpoolctl import threadpool_limits

from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.nuts import build_pymc_model, fit_nuts
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import BinomialLikelihood, Likelihood, NormalLikelihood
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import HalfNormal, Normal
from bayesmeta.random_effects import (
    NormalRandomEffects,
    OutlierRandomEffects,
    RandomEffects,
    StudentRandomEffects,
)
from bayesmeta.studies import load
from benchmarks.harness import compare, show

type ExactFit = Callable[[BoundModel], Posterior]

BASELINE = "exact fit"
_ROADS: tuple[tuple[Likelihood, ExactFit], ...] = (
    (NormalLikelihood(), fit_gaussian),
    (BinomialLikelihood(baseline=Normal(0, 10)), fit_grid),
)


def bench_engines() -> None:
    """Print both likelihoods; the NUTS runs are 4 chains of 1000 + 2000, as a fit has them."""
    for likelihood, fit_exact in _ROADS:
        _bench(likelihood, NormalRandomEffects(), fit_exact)


def bench_forms() -> None:
    """Print the other forms of the random effects under the normal likelihood."""
    for form in (StudentRandomEffects(4), OutlierRandomEffects(2)):
        _bench(NormalLikelihood(), form, fit_grid)


def _bench(likelihood: Likelihood, form: RandomEffects, fit_exact: ExactFit) -> None:
    model = Model(
        measure="OR",
        likelihood=likelihood,
        effect=Normal(0, 2.82),
        heterogeneity=HalfNormal(0.5),
        random_effects=form,
    )
    bound = model.bind(load("bcg"))
    compiled = nutpie.compile_pymc_model(build_pymc_model(bound), freeze_model=True)

    timings = compare(
        {
            BASELINE: partial(fit_exact, bound),
            "the same, and parameter table": partial(_with_parameters, fit_exact, bound),
            "the same, and all study effects": partial(_with_effects, fit_exact, bound),
            "NUTS, compiled before": partial(_sample, compiled),
            "NUTS with compilation": partial(fit_nuts, bound, rng=1),
        },
        baseline=BASELINE,
        rounds=5,
    )
    show(f"BCG, {likelihood} likelihood, {form} random effects", timings, baseline=BASELINE)


def _with_parameters(fit_exact: ExactFit, bound: BoundModel) -> object:
    return fit_exact(bound).parameter_table()


def _with_effects(fit_exact: ExactFit, bound: BoundModel) -> object:
    return fit_exact(bound).study_table()


def _sample(compiled: Any) -> object:
    with threadpool_limits(1):
        return nutpie.sample(
            compiled,
            draws=2000,
            tune=1000,
            chains=4,
            cores=4,
            seed=1,
            target_accept=0.9,
            save_warmup=False,
            progress_bar=False,
        )
