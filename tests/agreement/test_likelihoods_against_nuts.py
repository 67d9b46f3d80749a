"""Study likelihoods on whole tables, exact and sampled; on two studies: `test_three_roads`."""

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.checks.agreement import compare_posteriors

pytestmark = [pytest.mark.slow, pytest.mark.nuts]

VAGUE = bm.Normal(0, 10)


def randomised_crins() -> bm.StudyTable:
    """Two trials."""
    crins = bm.load("crins2014").select(arms=("IL-2RA", "control"))
    frame = crins.frame
    others = set(crins.studies) - set(frame["study"][frame["randomized"] == "yes"])
    return crins.drop(*others)


CASES = {
    "RR with zero cells": ("RR", bm.BinomialLikelihood(VAGUE), lambda: bm.load("nielweise2007")),
    "RD": ("RD", bm.BinomialLikelihood(VAGUE), lambda: bm.load("hine1989")),
    "RD of two trials": ("RD", bm.BinomialLikelihood(VAGUE), randomised_crins),
    "conditional, zero cells": (
        "OR",
        bm.ConditionalLikelihood(),
        lambda: bm.load("nielweise2007"),
    ),
    "Poisson": ("IRR", bm.PoissonLikelihood(VAGUE), lambda: bm.load("nielweise2008")),
    "one arm": ("PLO", bm.OneArmLikelihood(), lambda: bm.load("pritz1997")),
    "correlations": ("ZCOR", bm.CorrelationLikelihood(), lambda: bm.load("molloy2014")),
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
