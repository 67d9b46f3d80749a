import numpy as np
import pytest
from frequentist.effect_sets import covariances, effect_sets
from frequentist.metafor_cases import CASES, arrays
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tolerances import CLOSED

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.tau2.likelihood import (
    fit_ml,
    fit_reml,
    tau2_ml,
    tau2_reml,
)
from bayesmeta.frequentist.tau2.log_likelihood import log_likelihood, restricted_log_likelihood


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_the_restricted_likelihood_agrees_with_metafor(name, measure, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"]["REML"]
    found = restricted_log_likelihood(np.array(want["tau2"]), *arrays(block))
    assert_allclose(found, want["logLik"], rtol=CLOSED)


def test_reml_solves_its_equation_to_all_digits(golden):
    # root of the score in 40-digit decimal arithmetic; metafor's own stops 1e-8 away
    found = tau2_reml(*arrays(golden("metafor_pool")["nielweise2007"]["RD"]))
    assert_allclose(found, 0.00012255294225375203761, rtol=1e-11)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_the_likelihood_agrees_with_metafor(name, measure, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"]["ML"]
    found = log_likelihood(np.array(want["tau2"]), *arrays(block))
    assert_allclose(found, want["logLik"], rtol=CLOSED)


def dense_restricted_likelihood(t, y, S, X):
    V = S + t * np.eye(len(y))
    W = np.linalg.inv(V)
    A = X.T @ W @ X
    r = y - X @ np.linalg.solve(A, X.T @ W @ y)
    return -0.5 * (np.linalg.slogdet(V)[1] + np.linalg.slogdet(A)[1] + r @ W @ r)


def dense_likelihood(t, y, S, X):
    V = S + t * np.eye(len(y))
    W = np.linalg.inv(V)
    r = y - X @ np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
    return -0.5 * (np.linalg.slogdet(V)[1] + r @ W @ r)


@given(st.data(), effect_sets(min_rows=5, moderators=2), st.floats(0, 5))
def test_both_likelihoods_equal_a_dense_one_for_any_design_and_covariance(data, effects, t):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else np.diag(v)
    k, df = len(y), len(y) - 3
    full = dense_likelihood(t, y, S, X) - 0.5 * k * np.log(2 * np.pi)
    assert_allclose(log_likelihood(np.array(t), y, S, X), full, rtol=1e-7, atol=1e-7)
    constant = df * np.log(2 * np.pi) - np.linalg.slogdet(X.T @ X)[1]
    rest = dense_restricted_likelihood(t, y, S, X) - 0.5 * constant
    assert_allclose(restricted_log_likelihood(np.array(t), y, S, X), rest, rtol=1e-7, atol=1e-7)


@given(st.data(), effect_sets(min_rows=4, moderators=1))
def test_no_tau2_is_more_likely_than_the_ml_estimate(data, effects):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else np.diag(v)
    best = float(tau2_ml(y, S, X))
    top = dense_likelihood(best, y, S, X)
    others = [0.0, *np.geomspace(1e-6, 1e3, 200), best * 0.999, best * 1.001]
    assert max(dense_likelihood(t, y, S, X) for t in others) <= top + 1e-9


@given(st.data(), effect_sets(min_rows=4, moderators=1))
def test_no_tau2_is_more_likely_than_the_reml_estimate(data, effects):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else np.diag(v)
    best = float(tau2_reml(y, S, X))
    top = dense_restricted_likelihood(best, y, S, X)
    others = [0.0, *np.geomspace(1e-6, 1e3, 200), best * 0.999, best * 1.001]
    assert max(dense_restricted_likelihood(t, y, S, X) for t in others) <= top + 1e-9


def test_reml_takes_the_higher_of_two_peaks():
    y = np.array([0.0, 0.03, -0.04, 0.02, 3.0, -2.5, 2.0])
    v = np.array([1e-4, 1e-4, 1e-4, 1e-4, 1.0, 1.0, 1.0])
    X = np.ones((7, 1))
    t = np.concatenate([[0.0], np.geomspace(1e-6, 1e2, 4000)])
    heights = np.array([dense_restricted_likelihood(s, y, np.diag(v), X) for s in t])
    peaks = np.flatnonzero((heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])) + 1
    assert len(peaks) == 2
    assert_allclose(tau2_reml(y, v, X), t[heights.argmax()], rtol=0.01)


@pytest.mark.parametrize(("fitted", "name"), [(fit_reml, "REML"), (fit_ml, "ML")])
def test_a_fit_reports_its_last_step_and_raises_when_stopped_early(fitted, name):
    y, v, X = np.array([0.1, 0.9, -0.4]), np.array([0.1, 0.01, 0.2]), np.ones((3, 1))
    fit = fitted(y, v, X)
    assert 1 < fit.iterations < 20
    assert fit.last_step <= 1e-12
    with pytest.raises(NotEstimableError, match=f"^{name} did not converge in 1 steps"):
        fitted(y, v, X, max_iterations=1)


@pytest.mark.parametrize(("fitted", "name"), [(fit_reml, "REML"), (fit_ml, "ML")])
def test_members_of_a_batch_that_did_not_converge_are_named(fitted, name):
    y = np.array([[0.1, 0.9, -0.4], [0.1, 0.1, 0.1]])
    v, X = np.array([0.1, 0.01, 0.2]), np.ones((3, 1))
    with pytest.raises(NotEstimableError, match=rf"^{name} did .* for 1 of 2 fits, at \(0\): "):
        fitted(y, np.stack([v, v]), X, max_iterations=1)


@pytest.mark.parametrize("restricted", [True, False])
def test_ten_thousand_fits_at_once_all_stand_where_the_score_is_zero(restricted):
    rng = np.random.default_rng(11)
    v = 10 ** rng.uniform(-3, 1, size=(10_000, 10))
    y = rng.normal(size=v.shape) * np.sqrt(v + 0.1)
    fit = (fit_reml if restricted else fit_ml)(y, v, np.ones((10, 1)))

    def score(t):
        w = 1 / (v + t[:, None])
        total = w.sum(1)
        mean = (w * y).sum(1) / total
        q2 = (w**2 * (y - mean[:, None]) ** 2).sum(1)
        return q2 - total + (restricted * (w**2).sum(1) / total)

    unit = fit.tau2 + v.min(1)
    above, below = score(fit.tau2 + 1e-10 * unit), score(fit.tau2 - 1e-10 * unit)
    assert (above < 0).all()
    assert (below[~fit.boundary] > 0).all()
    assert 0.01 < fit.boundary.mean() < 0.99


@pytest.mark.parametrize("fitted", [fit_reml, fit_ml])
def test_a_fit_says_when_the_estimate_is_at_its_bound(fitted):
    y, v, X = np.array([0.1, 0.2, 0.15]), np.ones(3), np.ones((3, 1))
    fit = fitted(np.stack([y, 40 * y]), np.stack([v, v]), X)
    assert fit.boundary.tolist() == [True, False]
    assert fit.tau2[0] == 0.0
