import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES, RANDOM, TABLES, arrays
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tolerances import CLOSED

from bayesmeta.frequentist.inverse_variance import (
    fit_inverse_variance,
    heterogeneity,
    heterogeneity_about,
    knapp_hartung_scale,
)


@pytest.mark.parametrize("method", ["EE", *RANDOM])
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_the_weighted_fit_agrees_with_metafor(name, measure, method, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"][method]
    fit = fit_inverse_variance(*arrays(block), tau2=want["tau2"])
    assert_allclose(fit.beta[0], want["beta"], rtol=CLOSED)
    assert_allclose(np.sqrt(fit.cov[0, 0]), want["se"], rtol=CLOSED)
    for key, never_narrower in (("knha", False), ("adhoc", True)):
        if key in want:
            scale = knapp_hartung_scale(fit, never_narrower=never_narrower)
            assert_allclose(np.sqrt(scale * fit.cov[0, 0]), want[key]["se"], rtol=CLOSED)


@pytest.mark.parametrize("method", ["EE", *RANDOM])
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_heterogeneity_agrees_with_metafor(name, measure, method, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"][method]
    found = heterogeneity(*arrays(block))
    tau2 = None if method == "EE" else want["tau2"]
    assert_allclose(found.q, want["QE"], rtol=CLOSED)
    assert_allclose(found.p, want["QEp"], rtol=CLOSED)
    assert_allclose(found.i2(tau2), want["I2"], rtol=CLOSED, atol=CLOSED)
    assert_allclose(found.h2(tau2), want["H2"], rtol=CLOSED)


@pytest.mark.parametrize(("name", "measure"), TABLES)
def test_q_about_the_mantel_haenszel_estimate_agrees_with_metafor(name, measure, golden):
    data = golden("metafor_pool")[name]
    want = data[measure]["mantel_haenszel"]
    y, v, _ = arrays(data[measure])
    a, b, c, d = (np.array(data[cell]) for cell in ("ai", "bi", "ci", "di"))
    kept = (a + c > 0) & (b + d > 0)
    found = heterogeneity_about(want["beta"], y[kept], v[kept])
    assert_allclose(found.q, want["QE"], rtol=CLOSED)
    assert_allclose(found.p, want["QEp"], rtol=CLOSED)
    assert_allclose(found.i2(), want["I2"], rtol=CLOSED)


@given(effect_sets(min_rows=2))
def test_every_study_twice_halves_the_variance_of_a_common_effect(effects):
    y, v, X = effects.arrays
    once, twice = (fit_inverse_variance(np.tile(y, n), np.tile(v, n), np.tile(X, (n, 1)))
                   for n in (1, 2))  # fmt: skip
    assert_allclose(twice.cov, once.cov / 2, rtol=1e-12)
    assert_allclose(twice.beta, once.beta, rtol=1e-9, atol=1e-12)
    assert_allclose(twice.q, 2 * once.q, rtol=1e-9, atol=1e-12)


@given(effect_sets(), st.floats(0, 5))
def test_tau2_is_one_more_sampling_variance(effects, tau2):
    y, v, X = effects.arrays
    apart = fit_inverse_variance(y, v, X, tau2=tau2)
    added = fit_inverse_variance(y, np.diag(v + tau2), X)
    assert_allclose(apart.beta, added.beta, rtol=1e-9, atol=1e-11)
    assert_allclose(apart.cov, added.cov, rtol=1e-11)


@given(effect_sets(), st.data())
def test_the_order_of_the_studies_does_not_matter(effects, data):
    y, v, X = effects.arrays
    order = data.draw(st.permutations(range(len(y))))
    before, after = heterogeneity(y, v, X), heterogeneity(y[order], v[order], X)
    assert_allclose(after.q, before.q, rtol=1e-9, atol=1e-12)
    assert_allclose(after.typical_variance, before.typical_variance, rtol=1e-9)


def test_equal_variances_are_their_own_typical_variance():
    found = heterogeneity(np.array([0.0, 1.0, 3.0]), np.full(3, 0.2), np.ones((3, 1)))
    assert_allclose(found.typical_variance, 0.2, rtol=1e-14)
    assert_allclose([found.i2(0.6), found.h2(0.6)], [75.0, 4.0], rtol=1e-14)


def test_less_spread_than_expected_is_an_i2_of_zero():
    found = heterogeneity(np.array([0.0, 0.1]), np.ones(2), np.ones((2, 1)))
    assert_allclose([found.i2(), found.h2()], [0.0, 0.005], rtol=1e-12)
    assert heterogeneity(np.zeros(2), np.ones(2), np.ones((2, 1))).i2() == 0.0


def test_batches_of_tau2_are_fitted_at_once():
    y, v, X = np.array([0.1, 0.7, 0.4]), np.array([0.1, 0.2, 0.3]), np.ones((3, 1))
    tau2 = np.array([0.0, 0.5, 2.0])
    fits = fit_inverse_variance(y, v, X, tau2=tau2)
    for i, t in enumerate(tau2):
        assert_allclose(fits.beta[i], fit_inverse_variance(y, v, X, tau2=t).beta, rtol=1e-14)


def test_the_knapp_hartung_scale_can_be_kept_above_one():
    fit = fit_inverse_variance(np.array([0.0, 0.1]), np.ones(2), np.ones((2, 1)))
    assert_allclose(knapp_hartung_scale(fit), 0.005, rtol=1e-12)
    assert knapp_hartung_scale(fit, never_narrower=True) == 1.0
