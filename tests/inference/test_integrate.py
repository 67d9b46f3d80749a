import numpy as np
import pytest
from cases import binomial_model, counts
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.inference.integrate import StudyIntegral

DATA = {
    "ordinary": counts((4, 123, 11, 139), (62, 13598, 248, 12867)),
    "zero cells": counts((0, 20, 5, 20), (3, 41, 0, 44)),
    "double zero": counts((0, 20, 0, 30), (8, 20, 0, 30)),
}


def brute_force(bound, study, mu, tau):
    """The same integral on 8 000 even points between and around centre and mu."""
    data = bound.data.take([study])
    low = min(float(data.y[0]), mu) - 11 * tau
    high = max(float(data.y[0]), mu) + 11 * tau
    theta = np.linspace(low, high, 8_001)
    log = bound.model.likelihood.log_g(data, theta[None])[0]
    log = log - 0.5 * ((theta - mu) / tau) ** 2 - np.log(tau * np.sqrt(2 * np.pi))
    top = log.max()
    return top + np.log(np.exp(log - top).sum() * (theta[1] - theta[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("tau", [2.5, 0.7, 0.1, 0.003])
def test_the_integral_over_theta_has_relative_accuracy(name, tau):
    bound = binomial_model().bind(DATA[name])
    mu = np.array([-2.0, 0.1, 1.5])
    integral = StudyIntegral.build(bound, mu, np.full(3, tau))
    got = integral.log_likelihood(mu, np.full(3, tau))
    want = [[brute_force(bound, i, m, tau) for i in (0, 1)] for m in mu]
    assert_allclose(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("mu", [-6.0, 7.0])
def test_far_from_a_study_too(mu):
    """40 standard errors and more: log L of some -1000."""
    bound = binomial_model().bind(counts((6200, 1_359_800, 24_800, 1_286_700)))
    tau = np.array([0.02, 0.1, 1.0])
    integral = StudyIntegral.build(bound, np.full(3, mu), tau)
    got = integral.log_likelihood(np.full(3, mu), tau)[:, 0]
    assert_allclose(got, [brute_force(bound, 0, mu, t) for t in tau], rtol=1e-9)
    assert got[0] < -500


def test_tau_zero_is_the_limit():
    bound = binomial_model().bind(DATA["zero cells"])
    mu = np.array([-3.0, 0.0, 2.0])
    integral = StudyIntegral.build(bound, mu, np.zeros(3))
    want = bound.model.likelihood.log_g(bound.data, np.tile(mu, (2, 1))).T
    assert_allclose(integral.log_likelihood(mu, np.zeros(3)), want, rtol=1e-9)
    near = integral.log_likelihood(mu, np.full(3, 1e-7))
    assert_allclose(near, want, rtol=1e-9)


def test_what_a_small_tau_adds_to_the_limit_is_right_too():
    """Differences of 1e-10 to 1e-5, against Gauss-Hermite sums over log g itself."""
    bound = binomial_model().bind(DATA["ordinary"])
    z, weight = np.polynomial.hermite.hermgauss(20)
    mu, tau = np.array([-1.5, -0.6, 0.3]), 2e-4 * bound.data.se.min()
    theta = mu[:, None] + np.sqrt(2) * tau * z
    log_g = bound.model.likelihood.log_g(bound.data, np.tile(theta.reshape(-1), (2, 1)))
    limit = bound.model.likelihood.log_g(bound.data, np.tile(mu, (2, 1)))
    change = np.exp(log_g.reshape(2, 3, -1) - limit[..., None]) @ weight / np.sqrt(np.pi)
    integral = StudyIntegral.build(bound, mu, np.full(3, tau))
    at, least = (integral.log_likelihood(mu, np.full(3, t)) for t in (tau, 1e-9 * tau))
    assert_allclose((at - least).T, np.log(change), atol=2e-12)  # by the same table


def test_tables_grow_to_where_they_are_asked():
    bound = binomial_model().bind(DATA["zero cells"])
    short = StudyIntegral.build(bound, np.array([0.0]), np.array([0.1]))
    mu, tau = np.array([-8.0]), np.array([3.0])
    enough = StudyIntegral.build(bound, mu, tau)
    assert_allclose(
        short.log_likelihood(mu, tau), enough.log_likelihood(mu, tau), rtol=1e-9, atol=1e-9
    )


def test_the_reported_error_covers_the_true_one():
    bound = binomial_model().bind(DATA["ordinary"])
    rng = np.random.default_rng(4)
    mu, tau = rng.uniform(-2, 1, 12), np.exp(rng.uniform(-4, 1, 12))
    integral = StudyIntegral.build(bound, mu, tau)
    got = integral.log_likelihood(mu, tau).sum(axis=1)
    want = [sum(brute_force(bound, i, m, t) for i in (0, 1)) for m, t in zip(mu, tau, strict=True)]
    assert np.abs(got - want).max() <= integral.error(mu, tau, np.ones(12), got) + 1e-11


def test_a_normal_likelihood_has_its_closed_form():
    model = bm.Model(
        measure="OR",
        likelihood=bm.NormalLikelihood(),
        effect=bm.Normal(0, 1),
        heterogeneity=bm.HalfNormal(1),
    )
    bound = model.bind(bm.load("bcg"))
    mu, tau = np.array([-3.0, -0.7, 2.0]), np.array([0.01, 0.5, 4.0])
    got = StudyIntegral.build(bound, mu, tau).log_likelihood(mu, tau)
    variance = bound.data.se**2 + tau[:, None] ** 2
    want = -0.5 * (np.log(2 * np.pi * variance) + (bound.data.y - mu[:, None]) ** 2 / variance)
    assert_allclose(got, want, rtol=1e-9, atol=1e-9)
