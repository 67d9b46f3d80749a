"""How the exact fits grow with the number of studies."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.posterior import Accuracy
from bayesmeta.likelihoods import (
    BinomialLikelihood,
    Likelihood,
    NormalLikelihood,
    PoissonLikelihood,
)
from bayesmeta.model import BoundModel, Model
from bayesmeta.priors import HalfNormal, Normal
from bayesmeta.studies import StudyTable, read_studies
from benchmarks.harness import compare, show
from benchmarks.simulate import simulate_rates, simulate_tables

SIZES = (5, 50, 500, 5000)
BASELINE = "5 studies"


def bench_growth() -> None:
    """Print the time of a fit for each size, and the exponents of its growth."""
    bound = {k: _simulate(k) for k in SIZES}
    timings = compare(
        {f"{k} studies": partial(fit_gaussian, bound[k]) for k in SIZES},
        baseline=BASELINE,
        rounds=7,
    )
    show("Exact fit, normal likelihood", timings, baseline=BASELINE)
    seconds = [timing.typical for timing in timings.values()]
    slope = float(np.polyfit(np.log(SIZES), np.log(seconds), 1)[0])
    last = math.log(seconds[-1] / seconds[-2]) / math.log(SIZES[-1] / SIZES[-2])
    print(f"  nodes of tau: {', '.join(str(_count_nodes(bound[k])) for k in SIZES)}")
    print(f"  time grows as k^{slope:.2f} over all, as k^{last:.2f} from {SIZES[-2]} studies on")


def bench_counts() -> None:
    """Print binomial and Poisson fits of 13 and of 500 studies."""
    baseline = "binomial, 13 studies"
    kinds: tuple[tuple[str, Likelihood, Callable[[int], StudyTable]], ...] = (
        ("OR", BinomialLikelihood(baseline=Normal(0, 10)), simulate_tables),
        ("IRR", PoissonLikelihood(baseline=Normal(0, 10)), simulate_rates),
    )
    candidates = {}
    for measure, likelihood, simulate in kinds:
        model = Model(
            measure=measure,
            likelihood=likelihood,
            effect=Normal(0, 2.82),
            heterogeneity=HalfNormal(0.5),
        )
        for k in (13, 500):
            candidates[f"{likelihood}, {k} studies"] = partial(fit_grid, model.bind(simulate(k)))
    show("Exact fit of counts", compare(candidates, baseline=baseline, rounds=7), baseline=baseline)


def _count_nodes(bound: BoundModel) -> int:
    accuracy = fit_gaussian(bound).accuracy
    assert isinstance(accuracy, Accuracy)
    return accuracy.nodes[0]


def _simulate(k: int) -> BoundModel:
    """Draw k studies: true effects N(-0.5, 0.3^2), standard errors between 0.1 and 0.5."""
    rng = np.random.default_rng(20_250_301 + k)
    se = rng.uniform(0.1, 0.5, k)
    estimate = -0.5 + 0.3 * rng.standard_normal(k) + se * rng.standard_normal(k)
    labels = [f"study {i + 1}" for i in range(k)]
    table = read_studies(pd.DataFrame({"study": labels, "estimate": estimate, "se": se}))
    model = Model(
        measure="GEN",
        likelihood=NormalLikelihood(),
        effect=Normal(0, 2.82),
        heterogeneity=HalfNormal(0.5),
    )
    return model.bind(table)
