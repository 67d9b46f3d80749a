import numpy as np
import pytest
from frequentist.effect_sets import covariances, effect_sets
from frequentist.tables import contrasts
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import minimize_scalar

import bayesmeta as bm
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist import pool
from bayesmeta.frequentist.intervals import profile_likelihood
from bayesmeta.frequentist.intervals.profile_likelihood import deviance, profile_interval, profile_p
from bayesmeta.frequentist.least_squares import weighted_fit
from bayesmeta.frequentist.tau2.likelihood import tau2_ml


def by_brute_force(mean, y, v):
    """Log likelihood of a mean, tau2 maximised over on a fine grid and polished."""

    def minus(log_t):
        return -stats.norm.logpdf(y, mean, np.sqrt(v + np.exp(log_t))).sum()

    grid = np.linspace(-14, 8, 400)
    values = [minus(one) for one in grid]
    best = grid[int(np.argmin(values))]
    polished = minimize_scalar(minus, bounds=(best - 0.1, best + 0.1), method="bounded",
                               options={"xatol": 1e-12})  # fmt: skip
    return max(-polished.fun, stats.norm.logpdf(y, mean, np.sqrt(v)).sum())


def test_the_limits_lie_where_a_brute_force_profile_has_fallen_by_half_a_quantile(golden):
    block = golden("metafor_pool")["bcg"]["OR"]
    y, v = np.array(block["yi"]), np.array(block["vi"])
    row = pool(bm.load("bcg"), "OR", methods="ML", interval="profile")["ML"]
    top = by_brute_force(row.estimate, y, v)
    half = stats.chi2.ppf(0.95, 1) / 2
    for limit in (row.ci_low, row.ci_high):
        assert_allclose(top - by_brute_force(limit, y, v), half, rtol=1e-7)
    p = stats.chi2.sf(2 * (top - by_brute_force(0.0, y, v)), 1)
    assert_allclose(row.p_value, p, rtol=1e-6)
    assert row.estimate == pool(bm.load("bcg"), "OR", methods="ML")["ML"].estimate


@settings(max_examples=15)
@given(data=st.data(), effects=effect_sets(min_rows=2))
def test_the_test_at_the_limits_has_the_level(data, effects):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else v
    limits = profile_interval(y, S, X, level=0.9).limits
    for limit in (limits.low, limits.high):
        assert_allclose(profile_p(y, S, X, mean=float(limit)), 0.1, rtol=1e-6)


@settings(max_examples=15)
@given(effect_sets(min_rows=2))
def test_the_deviance_is_least_at_the_maximum_likelihood_estimate(effects):
    y, v, X = effects.arrays
    fit = weighted_fit(y, v + tau2_ml(y, v, X), X)
    beside = fit.beta[0] + np.sqrt(fit.cov[0, 0]) * np.array([-1.0, -0.1, 0.0, 0.1, 1.0])
    found = deviance(beside, *effects.arrays)
    assert_allclose(found[2], 0.0, atol=1e-8)
    assert found.argmin() == 2 or np.ptp(found) < 1e-8


def test_equal_variances_have_a_closed_form():
    # with tau2 > 0 the deviance is k log(1 + (mean - m)^2 / s2), s2 with divisor k
    y = np.array([0.3, -1.2, 2.0, 0.7, 0.1])
    limits = profile_interval(y, np.full(5, 0.05), np.ones((5, 1))).limits
    half = y.std() * np.sqrt(np.expm1(stats.chi2.ppf(0.95, 1) / 5))
    assert_allclose([limits.low, limits.high], y.mean() + half * np.array([-1, 1]), rtol=1e-10)


def test_it_belongs_to_maximum_likelihood():
    studies = contrasts([0.1, 0.5, 0.9], [0.04, 0.1, 0.2])
    with pytest.raises(ModelError, match=r"DL has no profile interval.*Choose one of .* ML"):
        pool(studies, "GEN", methods="DL", interval="profile")


def test_several_peaks_are_told_and_the_outermost_limits_shown():
    # tau2 near 0 puts the mean at the one tight study, a large tau2 at the ten others
    y = np.concatenate([[0.0], 1.6 + np.linspace(-0.2, 0.2, 10)])
    v = np.concatenate([[1e-8], np.ones(10)])
    found = profile_interval(y, v, np.ones((11, 1)), level=0.8)
    assert not found.connected
    assert found.limits.low < 0 < 1.6 < found.limits.high
    between = deviance(np.array([0.0, 0.4, 1.3]), y, v, np.ones((11, 1)))
    assert (between < stats.chi2.ppf(0.8, 1)).tolist() == [True, False, True]
    row = pool(contrasts(y, v), "GEN", methods="ML", interval="profile", level=0.8)["ML"]
    assert any("several peaks" in note for note in row.notes)


def test_a_search_stopped_early_says_so(monkeypatch):
    monkeypatch.setattr(profile_likelihood, "_STEPS", 1)
    studies = contrasts([0.1, 0.5, 0.9], [0.04, 0.1, 0.2])
    with pytest.raises(NotEstimableError, match="profile likelihood interval did not converge"):
        pool(studies, "GEN", methods="ML", interval="profile")
