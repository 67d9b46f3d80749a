import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES, arrays
from frequentist.tables import contrasts
from hypothesis import given
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist import pool
from bayesmeta.frequentist.tau2 import intervals as tau2_intervals
from bayesmeta.frequentist.tau2.intervals import (
    TAU2_INTERVALS,
    generalised_q,
    q_profile,
    q_under_heterogeneity,
)
from bayesmeta.frequentist.tau2.quadratic_form import mixture_cdf

PRINTED = 6e-5  # four digits after the point


@pytest.mark.parametrize("example", ["example1", "example2"])
def test_the_examples_of_jackson_and_others_come_out(example, golden):
    data = golden("pooling_printed")["jackson2014"][example]
    y, v, x = (np.array(data[name], dtype=float) for name in ("yi", "vi", "xi"))
    X = np.stack([np.ones(len(y)), x - x.mean()], axis=1)
    for name, method in (("generalised_q", generalised_q), ("q_profile", q_profile)):
        found = method(y, v, X)
        assert_allclose([found.low, found.high], data[name], rtol=0, atol=PRINTED)


def dense_tail(t, y, v):
    """P(Q > its observed value) at tau2 = t, by the eigenvalues of full matrices."""
    W = np.diag(1 / v)
    P = W - W @ np.ones((len(y), len(y))) @ W / W.sum()
    root = np.diag(np.sqrt(v + t))
    weights = np.linalg.eigvalsh(root @ P @ root)[1:]
    return 1 - float(mixture_cdf(np.array(y @ P @ y), weights))


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_the_generalised_q_interval_inverts_the_exact_test(name, measure, golden):
    y, v, X = arrays(golden("metafor_pool")[name][measure])
    found = generalised_q(y, v, X, level=0.9)
    if found.low > 0:
        assert_allclose(dense_tail(found.low, y, v), 0.05, rtol=1e-6)
    else:
        assert dense_tail(0.0, y, v) >= 0.05
    if found.high > 0:
        assert_allclose(dense_tail(found.high, y, v), 0.95, rtol=1e-6)
    else:
        assert dense_tail(0.0, y, v) >= 0.95


@pytest.mark.slow
def test_the_coverage_of_its_test_by_simulation():
    # at the true tau2 the upper tail of Q is uniform: P(tail < 0.1) = 0.1
    rng = np.random.default_rng(5)
    v, X, tau2 = np.array([0.02, 0.1, 0.3, 0.9, 0.05]), np.ones((5, 1)), 0.2
    _, growth = q_under_heterogeneity(np.zeros(5), v, X)
    y = rng.normal(size=(20_000, 5)) * np.sqrt(v + tau2)
    mean = (y / v).sum(1) / (1 / v).sum()
    q = ((y - mean[:, None]) ** 2 / v).sum(1)
    tail = 1 - mixture_cdf(q, np.broadcast_to(1 + tau2 * growth, (20_000, 4)))
    for p in (0.1, 0.5, 0.9):
        assert abs((tail < p).mean() - p) < 4 * np.sqrt(p * (1 - p) / 20_000)


@given(effect_sets(min_rows=2))
def test_both_intervals_are_one_where_variances_are_equal(effects):
    y, v = effects.y, np.full(len(effects.y), 0.3)
    X = np.ones((len(y), 1))
    one, other = q_profile(y, v, X), generalised_q(y, v, X)
    for name in ("low", "high"):
        assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-7, atol=1e-9)


def test_the_intervals_of_i2_and_h2_agree_with_metafor(golden):
    want = golden("pooling_printed")["bcg_rr_confint"]
    row = pool(bm.load("bcg"), "RR", methods="DL")["DL"]
    # metafor stops its search 1.2e-4 of tau2 from the limits; I2 and H2 magnify that
    typical = row.tau2 / (row.h2 - 1)
    slack = {"tau2": 1.2e-4, "h2": 1.2e-4 / typical}
    slack["i2"] = 100 * 1.2e-4 * typical / row.tau2_ci_low**2
    for name in ("tau2", "i2", "h2"):
        assert_allclose(getattr(row, name), want[name][0], rtol=0, atol=PRINTED)
        found = [getattr(row, f"{name}_ci_low"), getattr(row, f"{name}_ci_high")]
        assert_allclose(found, want[name][1:], rtol=0, atol=slack[name])
    assert row.tau2_interval == "q-profile"


@pytest.mark.parametrize("name", TAU2_INTERVALS)
def test_a_row_has_the_interval_of_tau2_that_was_asked_for(name):
    y, v = np.array([0.1, 0.5, 1.8, 0.9]), np.array([0.04, 0.02, 0.1, 0.5])
    row = pool(contrasts(y, v), "GEN", methods="REML", tau2_interval=name)["REML"]
    want = TAU2_INTERVALS[name](y, v, np.ones((4, 1)))
    assert_allclose([row.tau2_ci_low, row.tau2_ci_high], [want.low, want.high], rtol=1e-8)
    assert row.tau2_interval == name


def test_a_common_effect_has_no_interval_of_tau2():
    row = pool(contrasts([0.1, 0.5], [0.04, 0.1]), "GEN", methods="EE")["EE"]
    assert row.tau2_interval is None
    assert np.isnan([row.tau2_ci_high, row.i2_ci_high, row.h2_ci_low]).all()


def test_an_unknown_interval_of_tau2_gets_a_suggestion():
    with pytest.raises(ModelError, match=r"Unknown interval of tau2 'qprofile'.*'q-profile'"):
        pool(contrasts([0.1], [0.1]), "GEN", tau2_interval="qprofile")


def test_an_interval_that_is_not_found_is_noted_and_nothing_is_shown(monkeypatch):
    monkeypatch.setattr(tau2_intervals, "_STEPS", 1)
    studies = contrasts([0.1, 0.5, 1.8], [0.04, 0.02, 0.1])
    row = pool(studies, "GEN", methods="DL", tau2_interval="generalised-q")["DL"]
    assert np.isnan([row.tau2_ci_low, row.tau2_ci_high, row.i2_ci_low]).all()
    assert any("generalised-Q interval of tau2 did not converge" in note for note in row.notes)
    with pytest.raises(NotEstimableError):
        generalised_q(np.array([0.1, 0.5, 1.8]), np.array([0.04, 0.02, 0.1]), np.ones((3, 1)))
