"""Exact likelihood of correlations."""

import numpy as np
import pandas as pd
import pytest
from likelihoods.brute import mix, rectangle, reported
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ModelError

CORRELATION, ZCOR = bm.CorrelationLikelihood(), get_measure("ZCOR")
TAU = bm.Truncated(bm.HalfNormal(0.8), 0.15, 2.2)
W = np.linspace(-40, 40, 320_001)


def correlations(rows):
    labels = [f"study {i + 1}" for i in range(len(rows))]
    return bm.read_studies(pd.DataFrame(rows, columns=["ri", "ni"]).assign(study=labels))


def model(effect, tau, likelihood=CORRELATION):
    return bm.Model(measure="ZCOR", likelihood=likelihood, effect=effect, heterogeneity=tau)


def by_fishers_integral(r, n, theta, w=W):
    """Fisher 1915: powers of 1 - rho^2 and 1 - r^2, times that of 1/(cosh w - rho r)."""
    rho = np.tanh(theta)
    log = mix(-(n - 1) * np.log(np.cosh(w) - rho * r), w) + np.log((n - 2) / (2 * np.pi))
    return log + (n - 1) / 2 * np.log1p(-(rho**2)) + (n - 4) / 2 * np.log1p(-(r**2))


@pytest.mark.parametrize(("r", "n"), [(0.3, 4), (-0.95, 10), (0.0, 25), (0.187, 749)])
@pytest.mark.parametrize("theta", [-2.5, -0.2, 0.0, 0.9])
def test_the_density_of_r_given_rho(r, n, theta):
    data = CORRELATION.prepare(correlations([(r, n)]), ZCOR, "none")
    got = CORRELATION.log_g(data, np.array([[theta]]))[0, 0]
    assert_allclose(got, by_fishers_integral(r, n, theta), rtol=1e-10, atol=1e-12)


def test_it_integrates_to_one_over_r():
    r, weight = np.polynomial.legendre.leggauss(400)
    data = CORRELATION.prepare(correlations([(x, 12) for x in r]), ZCOR, "none")
    for theta in (0.0, 0.7, -1.5):
        density = np.exp(CORRELATION.log_g(data, np.full((400, 1), theta))[:, 0])
        assert_allclose(weight @ density, 1, rtol=1e-9)


def test_a_correlation_of_a_million_pairs_is_normal_about_fishers_z():
    data = CORRELATION.prepare(correlations([(0.5, 10**6)]), ZCOR, "none")
    g = CORRELATION.log_g(data, data.y + np.array([[-1e-3, 0, 1e-3]]))[0]
    assert_allclose(g[[0, 2]] - g[1], -0.5, atol=1e-3)


def test_the_far_ends_keep_their_digits():
    """As theta grows the density falls as exp(-(n - 1) theta) on either side."""
    data = CORRELATION.prepare(correlations([(0.9, 30)]), ZCOR, "none")
    g = CORRELATION.log_g(data, np.array([[-41.0, -40.0, 40.0, 41.0]]))[0]
    assert_allclose([g[0] - g[1], g[3] - g[2]], -29.0, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [[(0.3, 8), (-0.1, 12)], [(0.0, 5), (0.6, 20), (0.9, 9)]])
def test_two_studies_against_a_plain_rectangle(rows):
    theta = np.linspace(-14, 14, 701)
    g = np.array([[by_fishers_integral(r, n, t, W[::200]) for t in theta] for r, n in rows])
    want = rectangle(g, theta, bm.Normal(0, 0.7), TAU, mu=(-6, 6))
    post = bm.fit(model(bm.Normal(0, 0.7), TAU), correlations(rows))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=1e-7)


def test_large_samples_agree_with_fishers_z():
    rows, priors = [(0.3, 10**6), (0.35, 2 * 10**6)], (bm.Normal(0, 1), bm.HalfNormal(0.1))
    got = bm.fit(model(*priors), correlations(rows)).mu.quantile([0.025, 0.975])
    want = bm.fit(model(*priors, bm.NormalLikelihood()), correlations(rows))
    assert_allclose(got, want.mu.quantile([0.025, 0.975]), atol=1e-5)


def test_raw_correlations_are_refused():
    with pytest.raises(ModelError, match="correlation likelihood is offered for ZCOR, not for COR"):
        CORRELATION.prepare(correlations([(0.3, 10)]), get_measure("COR"), "none")
