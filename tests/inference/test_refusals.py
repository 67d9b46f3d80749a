"""Random problems that need more than the usual care: fits that answer, within their tolerance."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayesmeta.inference.bounded import cut_moments
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.posterior import Accuracy
from bayesmeta.likelihoods import StudentLikelihood
from bayesmeta.model import Model
from bayesmeta.priors import Fixed, Flat
from bayesmeta.random_effects import TruncatedRandomEffects
from bayesmeta.studies import read_studies
from benchmarks.references import bind
from tests.tolerances import CLOSED

ANSWERED = (
    ("binomial RD", 7, "tau has no mean, but a bounded new effect has moments"),
    ("binomial RD", 29, "a likelihood is flat up to a bound"),
    ("binomial RD", 45, "a bound cuts a narrow normal"),
    ("binomial RD", 48, "a common effect lies beyond where a study's likelihood ends by itself"),
    ("binomial RD", 55, "precise studies, with bounds far away"),
    (
        "binomial OR",
        175,
        "a full treated arm, and a tau with so long a tail that theta reaches 1e10",
    ),
    ("t, one estimate", 184, "a posterior with small taus that a normal approximation rules out"),
    ("binomial RR", 133, "a likelihood bends sharply where it has fallen by 200 log units"),
)


@pytest.mark.parametrize(("name", "seed", "why"), ANSWERED)
def test_no_needless_refusal(name: str, seed: int, why: str) -> None:
    bound = bind(name, seed)
    assert bound is not None
    accuracy = fit_grid(bound).accuracy
    assert isinstance(accuracy, Accuracy)
    assert accuracy.ok, why


def test_a_t_of_three_degrees_has_an_sd() -> None:
    """Its square integrates to 1e-8 only some 1e8 scales away."""
    frame = pd.DataFrame({"study": ["A"], "estimate": [0.4], "se": [0.03], "df": [3]})
    model = Model(
        measure="GEN", likelihood=StudentLikelihood(), effect=Flat(), heterogeneity=Fixed(0.0)
    )
    posterior = fit_grid(model.bind(read_studies(frame)))
    expected = stats.t(3, 0.4, 0.03)
    probs = np.array([0.025, 0.5, 0.975])
    assert_allclose(posterior.mu.quantile(probs), expected.ppf(probs), rtol=CLOSED)
    assert_allclose(posterior.mu.sd, expected.std(), rtol=1e-8)


@pytest.mark.parametrize("tau", [3.0, 1e3, 1e9])
def test_moments_of_a_wide_normal_between_bounds(tau: float) -> None:
    """By series in 1 / tau^2: E theta = mu / (3 tau^2), E theta^2 = 1/3 - 2 / (45 tau^2)."""
    mean, variance = cut_moments(
        np.array([0.1]), np.array([tau]), TruncatedRandomEffects(-1.0, 1.0)
    )
    next_order = 0.1 / tau**4
    assert_allclose(mean, 0.1 / (3 * tau**2), rtol=0, atol=CLOSED + next_order)
    assert_allclose(variance, 1 / 3 - 2 / (45 * tau**2), rtol=0, atol=CLOSED + next_order)
