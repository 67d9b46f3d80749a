"""Exact cdfs at the true values are uniform, whatever the study likelihood."""

import functools

import numpy as np
import pytest
from families import FAMILIES, draw, fit
from scipy import stats

pytestmark = pytest.mark.slow

DATA_SETS, FALSE_ALARM, OFF = 2000, 1e-3, 1.3
REFUSED = 1e-3  # share of data sets whose fits may be refused; it moves a cdf by no more than that
NAMES = ("mu", "tau", "theta_new", "theta")


@functools.cache
def pit(name):
    """The true tau (set,), and the exact cdfs at the true values (set, 4)."""
    found, tau = fit(name, DATA_SETS), draw(name, DATA_SETS)[1][:, 1]
    return tau[found.ok], found.cdf[found.ok]


def smallest_p_value(cdf):
    """Bonferroni-adjusted, of Kolmogorov-Smirnov tests of uniformity."""
    tests = [stats.kstest(cdf[:, j], "uniform") for j in range(len(NAMES))]
    return min(test.pvalue for test in tests) * len(NAMES)


@pytest.mark.parametrize("name", FAMILIES)
def test_posteriors_are_calibrated(name):
    _, cdf = pit(name)
    assert len(cdf) >= (1 - REFUSED) * DATA_SETS
    assert smallest_p_value(cdf) > FALSE_ALARM


@pytest.mark.parametrize("name", FAMILIES)
def test_calibration_fails_for_a_heterogeneity_prior_that_is_too_wide(name):
    """Data sets are kept so that tau has a half-normal distribution, `OFF` times narrower."""
    tau, cdf = pit(name)
    log_ratio = -0.5 * (OFF**2 - 1) * (tau / FAMILIES[name].scale) ** 2  # of densities; 0 at most
    keep = np.random.default_rng(5).random(len(tau)) < np.exp(log_ratio)
    assert smallest_p_value(cdf[keep]) < FALSE_ALARM
