"""Exact fits against NUTS, with and without compilation, on the BCG trials."""

from collections.abc import Callable
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
from bayesmeta.studies import load
from benchmarks.harness import compare, show

_ROADS: tuple[tuple[Likelihood, Callable[[BoundModel], Posterior]], ...] = (
    (NormalLikelihood(), fit_gaussian),
    (BinomialLikelihood(baseline=Normal(0, 10)), fit_grid),
)


def bench_engines() -> None:
    """Print both likelihoods; the NUTS runs are 4 chains of 1000 + 2000, as a fit has them."""
    for likelihood, fit_exact in _ROADS:
        model = Model(
            measure="OR",
            likelihood=likelihood,
            effect=Normal(0, 2.82),
            heterogeneity=HalfNormal(0.5),
        )
        bound = model.bind(load("bcg"))
        compiled = nutpie.compile_pymc_model(build_pymc_model(bound), freeze_model=True)

        def with_effects(bound: BoundModel = bound, fit: Any = fit_exact) -> object:
            return fit(bound).study_table()

        def with_parameters(bound: BoundModel = bound, fit: Any = fit_exact) -> object:
            return fit(bound).parameter_table()

        timings = compare(
            {
                "exact fit": lambda bound=bound, fit=fit_exact: fit(bound),
                "exact fit and parameter table": with_parameters,
                "exact fit and all study effects": with_effects,
                "NUTS, compiled before": lambda compiled=compiled: _sample(compiled),
                "NUTS with compilation": lambda bound=bound: fit_nuts(bound, rng=1),
            },
            baseline="exact fit",
            rounds=5,
        )
        show(f"BCG, {likelihood} likelihood", timings, baseline="exact fit")


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
