"""The joint density of mu and tau, against the marginals of the same posterior."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from plots.cases import NORMAL
from scipy.stats import halfnorm, multivariate_normal, norm

import bayesmeta as bm
from bayesmeta.inference.joint_density import joint_log_density

BINOMIAL = replace(NORMAL, likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)))
STUDENT = replace(NORMAL, random_effects=bm.StudentRandomEffects(df=4))
SHARED = pd.DataFrame(
    {
        "study": ["Smith low", "Smith high", "Jones", "Brown"],
        "ai": [14, 9, 20, 7],
        "n1i": [60, 58, 120, 40],
        "ci": [24, 24, 31, 8],
        "n2i": [64, 64, 118, 41],
        "shared_control": ["Smith", "Smith", "", ""],
    }
)


def marginal_of_tau(post, tau):
    low, high = post.mu.quantile([1e-7, 1 - 1e-7])
    mu = np.linspace(low, high, 1201)
    tau_at, mu_at = np.meshgrid(tau, mu, indexing="ij")
    density = np.exp(joint_log_density(post, mu_at.ravel(), tau_at.ravel()))
    return density.reshape(tau_at.shape).sum(1) * (mu[1] - mu[0])


@pytest.mark.parametrize("model", [NORMAL, BINOMIAL, STUDENT], ids=["normal", "binomial", "t"])
def test_integrated_over_mu_it_is_the_density_of_tau(model):
    post = bm.fit(model, bm.load("bcg"))
    tau = post.tau.quantile([0.1, 0.5, 0.9])
    assert_allclose(marginal_of_tau(post, tau), post.tau.pdf(tau), rtol=1e-5)


def test_correlated_studies_have_it_from_the_likelihood_of_all_of_them():
    table = bm.read_studies(SHARED, shared="covariance")
    post = bm.fit(NORMAL, table)
    effects = bm.compute_effects(table, "OR")
    mu, tau = np.array([-0.9, -0.4, 0.1]), np.array([0.1, 0.4, 0.9])
    by_hand = [
        multivariate_normal.logpdf(effects.y, np.full(4, m), effects.S + t**2 * np.eye(4))
        + norm.logpdf(m, 0, 2.82)
        + halfnorm.logpdf(t, scale=0.5)
        - post.log_marginal_likelihood
        for m, t in zip(mu, tau, strict=True)
    ]
    assert_allclose(joint_log_density(post, mu, tau), by_hand, rtol=1e-7)
