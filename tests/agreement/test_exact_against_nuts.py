"""The exact posterior and the sampled one share the data, not the mathematics."""

import numpy as np
import pytest
from inference.fits import exact_bcg, sampled
from numpy.testing import assert_allclose
from tolerances import CLOSED, EXACT

pytestmark = [pytest.mark.slow, pytest.mark.nuts]

LIMIT = 4.0  # Monte Carlo standard errors
LIKELIHOODS = ["normal", "binomial"]
PARAMETERS = ["mu", "tau", "theta_new", "theta"]


def chains_of(posterior, name):
    """Draws, (parameter, chain, draw): one parameter, or one for each study."""
    draws = getattr(posterior.joint.draw(0, np.random.default_rng(0)), name)
    return np.moveaxis(draws, -1, 0) if draws.ndim == 3 else draws[None]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_run_keeps_every_limit(likelihood):
    assert sampled("bcg", likelihood).ok, sampled("bcg", likelihood).accuracy


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("moment", ["mean", "sd"])
def test_moments_agree(likelihood, name, moment):
    from arviz_stats.base import array_stats

    exact, nuts = exact_bcg(likelihood), sampled("bcg", likelihood)
    mcse = array_stats.mcse(chains_of(nuts, name), chain_axis=1, draw_axis=2, method=moment)
    away = getattr(getattr(nuts, name), moment) - getattr(getattr(exact, name), moment)
    assert_allclose(away / mcse, 0, atol=LIMIT)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("p", [0.025, 0.975])
def test_quantiles_agree(likelihood, name, p):
    from arviz_stats.base import array_stats

    exact, nuts = getattr(exact_bcg(likelihood), name), getattr(sampled("bcg", likelihood), name)
    # on the scale of probability, where the standard error needs no density from the draws: that
    # of the tail's few draws would make z heavy-tailed
    quantile = np.atleast_1d(nuts.quantile(p))
    share = exact.cdf(quantile)
    share = np.diagonal(share) if share.ndim == 2 else share
    chains = chains_of(sampled("bcg", likelihood), name)
    ess = array_stats.ess(chains, chain_axis=1, draw_axis=2, method="quantile", prob=p)
    assert_allclose((share - p) / np.sqrt(p * (1 - p) / ess), 0, atol=LIMIT)


@pytest.mark.parametrize(("likelihood", "rtol"), [("normal", CLOSED), ("binomial", EXACT)])
def test_the_log_likelihood_means_the_same(likelihood, rtol):
    mu, tau = np.array([-0.7, 0.1, -1.5]), np.array([0.6, 0.05, 1.2])
    got = sampled("bcg", likelihood).joint.log_likelihood(mu, tau)
    want = exact_bcg(likelihood).joint.log_likelihood(mu, tau)
    assert_allclose(got, want, rtol=rtol)
