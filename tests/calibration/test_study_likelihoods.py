"""Exact cdfs at the true values are uniform, whatever the study likelihood."""

import pytest
from families import FAMILIES, SCALE, fit
from scipy import stats

DATA_SETS, FEWER, FALSE_ALARM = 2000, 700, 1e-3
NAMES = ("mu", "tau", "theta_new", "theta")


def smallest_p_value(name, data_sets, scale):
    """Bonferroni-adjusted, of Kolmogorov-Smirnov tests of uniformity."""
    found = fit(name, data_sets, scale)
    assert found.ok.all()
    tests = [stats.kstest(found.cdf[:, j], "uniform") for j in range(len(NAMES))]
    return min(test.pvalue for test in tests) * len(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_posteriors_are_calibrated(name):
    assert smallest_p_value(name, DATA_SETS, SCALE) > FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("name", ["binomial OR", "t, one estimate"])
def test_calibration_fails_for_a_heterogeneity_prior_that_is_too_wide(name):
    assert smallest_p_value(name, FEWER, 1.3 * SCALE) < FALSE_ALARM
