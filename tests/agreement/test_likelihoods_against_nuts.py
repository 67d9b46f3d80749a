"""Each study likelihood, exact and sampled: the sampled statement shares the data only."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.checks.agreement import compare_posteriors
from bayesmeta.studies import StudyTable

pytestmark = [pytest.mark.slow, pytest.mark.nuts]

VAGUE = bm.Normal(0, 10)


def randomised_crins() -> StudyTable:
    """Two trials."""
    crins = bm.load("crins2014").select(arms=("IL-2RA", "control"))
    frame = crins.frame
    others = set(crins.studies) - set(frame["study"][frame["randomized"] == "yes"])
    return crins.drop(*others)


def small_means() -> StudyTable:
    """Two trials of a few patients."""
    columns = ["study", "m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"]
    rows = [["a", 1.2, 0.8, 5, 0.4, 1.1, 4], ["b", 0.3, 0.5, 6, 0.5, 0.9, 8]]
    return bm.read_studies(pd.DataFrame(rows, columns=columns))


CASES = {
    "RR with zero cells": ("RR", bm.BinomialLikelihood(VAGUE), lambda: bm.load("nielweise2007")),
    "RD": ("RD", bm.BinomialLikelihood(VAGUE), lambda: bm.load("hine1989")),
    "RR of two trials": ("RR", bm.BinomialLikelihood(VAGUE), randomised_crins),
    "conditional, zero cells": (
        "OR",
        bm.ConditionalLikelihood(),
        lambda: bm.load("nielweise2007"),
    ),
    "Poisson": ("IRR", bm.PoissonLikelihood(VAGUE), lambda: bm.load("nielweise2008")),
    "one arm": ("PLO", bm.OneArmLikelihood(), lambda: bm.load("pritz1997")),
    "correlations": ("ZCOR", bm.CorrelationLikelihood(), lambda: bm.load("molloy2014")),
    "means of small studies": ("MD", bm.StudentLikelihood(), small_means),
}


@pytest.mark.parametrize("case", CASES)
def test_exact_and_sampled_agree(case):
    measure, likelihood, load = CASES[case]
    model = bm.Model(
        measure=measure,
        likelihood=likelihood,
        effect=bm.Normal(0, 0.5 if measure == "RD" else 2.82),
        heterogeneity=bm.HalfNormal(0.1 if measure == "RD" else 0.5),
    )
    exact = bm.fit(model, load())
    sampled = bm.fit(model, load(), engine="nuts", rng=7, draws=3000)
    assert sampled.ok, sampled.accuracy.failures
    agreement = compare_posteriors(exact, sampled)
    assert agreement.ok, agreement.to_frame()
    mu, tau = np.array([-0.4, 0.2]), np.array([0.3, 0.9])
    got, want = (fit.joint.log_likelihood(mu, tau) for fit in (sampled, exact))
    np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-12)
