"""Exact fits against NUTS, with and without compilation, on 13 studies each."""

from collections.abc import Callable
from functools import partial
from typing import Any

import nutpie
from threadpoolctl import threadpool_limits

from bayesmeta.inference.fit import fit
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.nuts import build_pymc_model, fit_nuts
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import (
    BinomialLikelihood,
    Likelihood,
    NormalLikelihood,
    PoissonLikelihood,
)
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import HalfNormal, Normal
from bayesmeta.random_effects import (
    NormalRandomEffects,
    OutlierRandomEffects,
    RandomEffects,
    StudentRandomEffects,
)
from bayesmeta.studies import StudyTable, load
from benchmarks.harness import compare, show
from benchmarks.simulate import simulate_rates

type ExactFit = Callable[[BoundModel], Posterior]

BASELINE = "exact fit"
_BASELINE_PRIOR = Normal(0, 10)


def bench_engines() -> None:
    """Print three likelihoods; the NUTS runs are 4 chains of 1000 + 2000, as a fit has them."""
    normal, bcg = NormalRandomEffects(), load("bcg")
    _bench("OR", NormalLikelihood(), normal, bcg, fit_gaussian)
    _bench("OR", BinomialLikelihood(baseline=_BASELINE_PRIOR), normal, bcg, fit_grid)
    rates = simulate_rates(bcg.k)
    _bench("IRR", PoissonLikelihood(baseline=_BASELINE_PRIOR), normal, rates, fit_grid)


def bench_forms() -> None:
    """Print the other forms of the random effects under the normal likelihood."""
    for form in (StudentRandomEffects(4), OutlierRandomEffects(2)):
        _bench("OR", NormalLikelihood(), form, load("bcg"), fit_grid)


def _bench(
    measure: str,
    likelihood: Likelihood,
    form: RandomEffects,
    studies: StudyTable,
    fit_exact: ExactFit,
) -> None:
    model = Model(
        measure=measure,
        likelihood=likelihood,
        effect=Normal(0, 2.82),
        heterogeneity=HalfNormal(0.5),
        random_effects=form,
    )
    bound = model.bind(studies)
    compiled = nutpie.compile_pymc_model(build_pymc_model(bound), freeze_model=True)

    timings = compare(
        {
            BASELINE: partial(fit_exact, bound),
            "the whole call of fit": partial(fit, model, studies),
            "the same, and parameter table": partial(_with_parameters, fit_exact, bound),
            "the same, and all study effects": partial(_with_effects, fit_exact, bound),
            "NUTS, compiled before": partial(_sample, compiled),
            "NUTS with compilation": partial(fit_nuts, bound, rng=1),
        },
        baseline=BASELINE,
        rounds=5,
    )
    title = f"{studies.k} studies, {likelihood} likelihood, {form} random effects"
    show(title, timings, baseline=BASELINE)


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
