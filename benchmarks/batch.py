"""Ten thousand normal fits as one batch, against single fits and NUTS of one of them."""

from functools import partial

import numpy as np
import nutpie

from bayesmeta.inference.batch import fit_batch
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.nuts import build_pymc_model
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import Model
from bayesmeta.priors import HalfNormal, Normal
from bayesmeta.studies import read_studies
from benchmarks.engines import _sample
from benchmarks.harness import compare, show

FITS, STUDIES = 10_000, 10
BASELINE = "batch of 10 000 fits"
EFFECT, HETEROGENEITY = Normal(0, 2.82), HalfNormal(0.5)


def bench_batch() -> None:
    """Print the batch (moments, 95% limits, log evidence, error bound) beside one fit of each."""
    import pandas as pd

    rng = np.random.default_rng(1)
    v = rng.uniform(0.02, 0.5, (FITS, STUDIES))
    y = rng.normal(0, 0.5, v.shape)
    labels = [f"study {i + 1}" for i in range(STUDIES)]
    table = read_studies(pd.DataFrame({"study": labels, "yi": y[0], "vi": v[0]}))
    model = Model(
        measure="GEN",
        likelihood=NormalLikelihood(),
        effect=EFFECT,
        heterogeneity=HETEROGENEITY,
    )
    bound = model.bind(table)
    compiled = nutpie.compile_pymc_model(build_pymc_model(bound), freeze_model=True)
    timings = compare(
        {
            BASELINE: partial(fit_batch, y, v, effect=EFFECT, heterogeneity=HETEROGENEITY),
            "one exact fit": partial(fit_gaussian, bound),
            "one NUTS run, compiled before": partial(_sample, compiled),
        },
        baseline=BASELINE,
        rounds=5,
    )
    show("Normal fits of 10 studies", timings, baseline=BASELINE)
    each = timings[BASELINE].typical / FITS
    for name in ("one exact fit", "one NUTS run, compiled before"):
        print(f"  {name}: {timings[name].typical / each:.0f} times a fit of the batch")
