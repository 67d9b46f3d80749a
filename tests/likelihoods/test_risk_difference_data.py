"""Exact risk differences of real trials with few events, where the likelihood has a kink at 0."""

import numpy as np
import pytest
from cases import counts
from likelihoods.brute import mix
from likelihoods.test_risk_difference import model
from likelihoods.test_risks import risk_of_control
from numpy.testing import assert_allclose
from scipy import stats

import bayesmeta as bm
from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.quadrature import SinhMap, SupportMap

WIDE_TAU = bm.HalfNormal(0.3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bcg", "hine1989", "nielweise2007", "yusuf1985_table6"])
def test_real_trials_settle_and_so_do_their_studies(name):
    post = bm.fit(model(tau=WIDE_TAU), bm.load(name))
    assert post.accuracy.error < 1e-8
    assert np.abs(post.theta.cdf(np.array([-1.0, 1.0])) - [0, 1]).max() < 1e-7


@pytest.mark.slow
def test_two_studies_one_with_a_zero_cell_agree_with_sums_in_the_logarithm_of_theta():
    """tau is fixed, so that one double sum over (mu, theta) is all there is, on graded nodes."""
    rows, tau = ((0, 60, 4, 55), (2, 50, 3, 48)), 0.01
    y = np.linspace(-16, np.log(0.7), 700)
    half = np.exp(y)
    theta = np.concatenate([-half[::-1], half])
    weight = np.abs(theta) * (y[1] - y[0])
    phi = np.linspace(-95, 95, 3801)
    g = np.array([[_by_quadrature(row, t, phi) for t in theta] for row in rows])
    inside = stats.norm.cdf(1, theta, tau) - stats.norm.cdf(
        -1, theta, tau
    )  # mu has these nodes too
    kernel = stats.norm.pdf(theta, theta[:, None], tau) @ (np.exp(g) * weight).T
    prior = bm.Truncated(bm.Normal(0, 0.5), -1, 1)
    density = kernel.prod(axis=1) / inside**2 * np.exp(prior.logpdf(theta)) * weight
    post = bm.fit(model(tau=bm.Fixed(tau)), counts(*rows))
    mean = density @ theta / density.sum()
    assert_allclose(post.log_marginal_likelihood, np.log(density.sum()), rtol=1e-6)
    assert_allclose(post.mu.mean, mean, rtol=1e-5)
    assert_allclose(post.mu.sd, np.sqrt(density @ (theta - mean) ** 2 / density.sum()), rtol=1e-5)


def _by_quadrature(table, theta, phi):
    r_t, n_t, r_c, n_c = table
    p_c = np.clip(risk_of_control("RD", theta, phi), 1e-300, 1 - 1e-16)
    p_t = np.clip(p_c + theta, 1e-300, 1 - 1e-16)
    log = stats.binom.logpmf(r_c, n_c, p_c) + stats.binom.logpmf(r_t, n_t, p_t)
    return mix(log + stats.norm.logpdf(phi, 0, 10), phi)


@pytest.mark.parametrize(
    "base",
    [
        SupportMap(low=-1.0, high=1.0, unit=1.0),
        SinhMap(center=np.array(0.3), scale=np.array(0.02), bend=3.0),
    ],
)
def test_a_crowded_line_leads_back_to_where_it_came_from(base):
    crowded = CrowdedMap(base=base, near=np.array(1e-6), weight=np.array(0.7))
    far = np.geomspace(1e-12, 0.99, 60)
    value = np.concatenate([-far[::-1], [0.0], far])
    assert_allclose(crowded.point(crowded.line(value)), value, rtol=1e-12, atol=1e-20)
    x, step = crowded.line(value[5:-5]), 1e-6
    rise = (crowded.point(x + step) - crowded.point(x - step)) / (2 * step)
    assert_allclose(np.log(rise), crowded.log_slope(x), rtol=1e-5)
