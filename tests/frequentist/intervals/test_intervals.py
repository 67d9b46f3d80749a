import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES, RANDOM, arrays
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.intervals.simple import (
    prediction_interval,
    quantile_for,
    symmetric_interval,
    two_sided_p,
)
from bayesmeta.frequentist.tau2.intervals import q_profile


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_the_q_profile_interval_agrees_with_metafor(name, measure, golden):
    block = golden("metafor_pool")[name][measure]
    found = q_profile(*arrays(block))
    want = block["inverse_variance"]["REML"]["tau2_qprofile_ci"]
    assert_allclose([found.low, found.high], want, rtol=ITERATIVE)


def test_the_q_profile_interval_solves_its_equations_to_all_digits(golden):
    # roots in 40-digit decimal arithmetic with scipy's chi-squared quantiles
    data = golden("metafor_pool")
    low = q_profile(*arrays(data["nielweise2007"]["RD"])).low
    high = q_profile(*arrays(data["normand1999"]["MD"])).high
    assert_allclose(low, 0.00014935507884664825531, rtol=1e-12)
    assert_allclose(high, 2889.4513491216205010, rtol=1e-12)


@pytest.mark.parametrize("method", ["EE", *RANDOM])
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_intervals_and_p_values_agree_with_metafor(name, measure, method, golden):
    block = golden("metafor_pool")[name][measure]["inverse_variance"][method]
    for want, df in (
        (block, None),
        *((block[key], block["k"] - 1) for key in ("knha", "adhoc") if key in block),
    ):
        found = symmetric_interval(block["beta"], want["se"], level=0.95, df=df)
        assert_allclose([found.low, found.high], [want["ci_lb"], want["ci_ub"]], rtol=CLOSED)
        assert_allclose(two_sided_p(block["beta"], want["se"], df=df), want["pval"], rtol=CLOSED)
    if method != "EE":
        found = prediction_interval(block["beta"], block["se"], block["tau2"], level=0.95)
        assert_allclose([found.low, found.high], [block["pi_lb"], block["pi_ub"]], rtol=CLOSED)


@given(st.floats(-5, 5), st.floats(0.01, 5), st.floats(0.51, 0.999), st.sampled_from([None, 1, 7]))
def test_an_interval_holds_what_its_test_does_not_reject(estimate, se, level, df):
    interval = symmetric_interval(estimate, se, level=level, df=df)
    for limit in (interval.low, interval.high):
        assert_allclose(two_sided_p(estimate - limit, se, df=df), 1 - level, rtol=1e-8)


@pytest.mark.parametrize("df", [1, 2, 5, 40])
@pytest.mark.parametrize("level", [0.5001, 0.8, 0.95, 0.999])
def test_quantiles_are_those_of_scipy_stats(level, df):
    upper = (1 + level) / 2
    assert_allclose(quantile_for(level), stats.norm.ppf(upper), rtol=1e-10)
    assert_allclose(quantile_for(level, df), stats.t.ppf(upper, df), rtol=1e-9)


def test_p_values_keep_their_digits_far_out():
    assert_allclose(two_sided_p(30.0, 1.0), 2 * stats.norm.sf(30.0), rtol=1e-12)
    assert_allclose(two_sided_p(-30.0, 1.0, df=12), 2 * stats.t.sf(30.0, 12), rtol=1e-12)


@pytest.mark.parametrize("level", [0.05, 0.5, 1.0, 95.0, -0.95, float("nan")])
def test_a_level_that_is_no_coverage_is_refused(level):
    with pytest.raises(ModelError, match="not the error rate"):
        symmetric_interval(0.0, 1.0, level=level)


def test_no_degree_of_freedom_leaves_interval_and_test_undefined():
    interval = symmetric_interval(0.0, 1.0, level=0.95, df=0)
    assert np.isnan([interval.low, interval.high, two_sided_p(0.0, 1.0, df=0)]).all()


def test_a_standard_error_of_zero_has_no_test():
    assert np.isnan(two_sided_p(0.0, 0.0))


@given(effect_sets(), st.floats(0.6, 0.98))
def test_a_wider_level_contains_the_q_profile_interval_of_a_narrower_one(effects, level):
    narrow = q_profile(*effects.arrays, level=level)
    wide = q_profile(*effects.arrays, level=(1 + level) / 2)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_agreement_beyond_chance_leaves_no_tau2_in_the_interval():
    interval = q_profile(np.array([0.1, 0.11, 0.1, 0.11]), np.ones(4), np.ones((4, 1)))
    assert (interval.low, interval.high) == (0.0, 0.0)
