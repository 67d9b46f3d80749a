"""Sums near the bounds of a risk difference, against scipy.integrate.quad."""

from itertools import pairwise
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.model import BoundModel
from bayesmeta.scales import FloatArray
from bayesmeta.studies import read_studies
from tests.tolerances import EXACT

pd = pytest.importorskip("pandas")


def _bind(rows: list[tuple[int, int, int, int]], **priors: bm.Prior) -> BoundModel:
    columns = dict(zip(("ai", "n1i", "ci", "n2i"), zip(*rows, strict=True), strict=True))
    table = pd.DataFrame({"study": [f"study {i}" for i in range(len(rows))], **columns})
    model = bm.Model(
        measure="RD", likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)), **priors
    )
    return model.bind(read_studies(table))


def _flat(likelihood: bm.BinomialLikelihood, data: Any, theta: FloatArray) -> FloatArray:
    """Log g of studies that say nothing: N(theta | mu, tau^2) integrates to 1."""
    return np.zeros_like(theta)


@pytest.mark.parametrize("away", [0.3, 1.6, 4.0, 7.0])
def test_a_bound_that_cuts_a_narrow_normal_is_the_end_of_the_integral(away: float) -> None:
    bound = _bind(
        [(0, 2, 1, 1)], effect=bm.Uniform(-1, 1), heterogeneity=bm.HalfNormal(0.05)
    )  # flat up to a risk difference of -1
    tau = 1e-3
    mu = -1 + away * tau

    def integrand(log_room: float) -> float:
        room = np.exp(log_room)
        log_g = bound.model.likelihood.log_g(bound.data, np.array([[-1 + room]]))[0, 0]
        return float(np.exp(log_g - 0.5 * (room / tau - away) ** 2 + log_room))

    want = np.log(
        quad(integrand, np.log(1e-16), np.log((away + 9) * tau), epsabs=0, epsrel=1e-12,
             limit=400)[0] / (tau * np.sqrt(2 * np.pi))
    )  # fmt: skip
    integral = StudyIntegral.build(bound, np.array([-0.9, 0.9]), np.array([0.2, 0.2]))
    got = integral.log_likelihood(np.array([mu]), np.array([tau]))[0, 0]
    assert_allclose(got, want, rtol=0, atol=EXACT)


def test_the_bound_that_cuts_is_the_one_near_the_peak_not_near_mu() -> None:
    """All of nobody against all of somebody pulls theta down to -1, while mu is above 0."""
    bound = _bind([(0, 60, 60, 60)], effect=bm.Uniform(-1, 1), heterogeneity=bm.HalfNormal(1))
    mu, tau = 0.01, 0.25

    def integrand(theta: float) -> float:
        log_g = bound.model.likelihood.log_g(bound.data, np.array([[theta]]))[0, 0]
        return float(np.exp(log_g - 0.5 * ((theta - mu) / tau) ** 2))

    ends = [-1, *(-1 + 10.0 ** np.arange(-12, -1)), *np.linspace(-0.8, 0.4, 20)]
    pieces = [
        quad(integrand, low, high, epsabs=0, epsrel=1e-12, limit=400)[0]
        for low, high in pairwise(ends)
    ]
    want = np.log(np.sum(pieces) / (tau * np.sqrt(2 * np.pi)))
    integral = StudyIntegral.build(bound, np.array([mu, 0.2]), np.array([tau, 1.0]))
    sums = integral.sum(np.array([mu]), np.array([tau]))
    assert sums.leak.sum() < 1e-4
    assert_allclose(sums.total[0], want, rtol=0, atol=sums.leak.sum())


def test_nodes_keep_their_digits_where_effects_are_tiny() -> None:
    """Events of one in 100 000: a tau of 1e-8 is a million times what rounding leaves of 1."""
    bound = _bind(
        [(4, 1_000_000, 1, 919_385), (13, 1_000_000, 6, 1_000_000)],
        effect=bm.Normal(0, 0.3), heterogeneity=bm.HalfNormal(0.05),
    )  # fmt: skip
    mu, tau = np.linspace(-1e-7, 1e-7, 20), np.full(20, 1.28e-8)
    integral = StudyIntegral.build(bound, mu, tau)
    with mock.patch.object(type(bound.model.likelihood), "log_g", _flat):
        flat = StudyIntegral.build(bound, mu, tau)
        assert_allclose(flat.log_likelihood(mu, tau), 0.0, rtol=0, atol=1e-11)
    usual, finer = (integral.sum(mu, tau, check=check).log_likelihood for check in (False, True))
    assert_allclose(usual, finer, rtol=0, atol=1e-10)
