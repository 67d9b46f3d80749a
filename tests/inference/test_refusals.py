"""Random problems that need more than the usual care: fits that answer, within their tolerance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayesmeta.inference.bounded import cut_moments
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.posterior import Accuracy
from bayesmeta.random_effects import TruncatedRandomEffects
from benchmarks.references import bind
from tests.tolerances import CLOSED

ANSWERED = (
    ("binomial RD", 7, "tau has no mean, but a bounded new effect has moments"),
    ("binomial RD", 29, "a likelihood is flat up to a bound"),
    ("binomial RD", 45, "a bound cuts a narrow normal"),
    ("binomial RD", 48, "a common effect lies beyond where a study's likelihood ends by itself"),
    ("binomial RD", 55, "precise studies, with bounds far away"),
)


@pytest.mark.parametrize(("name", "seed", "why"), ANSWERED)
def test_no_needless_refusal(name: str, seed: int, why: str) -> None:
    bound = bind(name, seed)
    assert bound is not None
    accuracy = fit_grid(bound).accuracy
    assert isinstance(accuracy, Accuracy)
    assert accuracy.ok, why


@pytest.mark.parametrize("tau", [3.0, 1e3, 1e9])
def test_moments_of_a_wide_normal_between_bounds(tau: float) -> None:
    """By series in 1 / tau^2: E theta = mu / (3 tau^2), E theta^2 = 1/3 - 2 / (45 tau^2)."""
    mean, variance = cut_moments(
        np.array([0.1]), np.array([tau]), TruncatedRandomEffects(-1.0, 1.0)
    )
    next_order = 0.1 / tau**4
    assert_allclose(mean, 0.1 / (3 * tau**2), rtol=0, atol=CLOSED + next_order)
    assert_allclose(variance, 1 / 3 - 2 / (45 * tau**2), rtol=0, atol=CLOSED + next_order)
