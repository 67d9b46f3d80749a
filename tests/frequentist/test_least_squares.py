import tracemalloc

import numpy as np
import pytest
from frequentist.effect_sets import covariances, effect_sets
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bayesmeta.errors import DesignError
from bayesmeta.frequentist.least_squares import decorrelate, degrees_of_freedom, weighted_fit


def dense(y, V, X):
    """Textbook generalised least squares with full matrices."""
    W = np.linalg.inv(V)
    cov = np.linalg.inv(X.T @ W @ X)
    beta = cov @ X.T @ W @ y
    P = W - W @ X @ cov @ X.T @ W
    return beta, cov, P


@given(effect_sets(min_rows=5, moderators=2))
def test_a_meta_regression_equals_a_dense_solve(effects):
    y, v, X = effects.arrays
    fit = weighted_fit(y, v, X)
    beta, cov, P = dense(y, np.diag(v), X)
    size = np.abs(beta).max() + 1
    assert_allclose(fit.beta, beta, rtol=1e-7, atol=1e-7 * size)
    assert_allclose(fit.cov, cov, rtol=1e-7, atol=1e-7 * np.abs(cov).max())
    assert_allclose(fit.residual, y - X @ beta, rtol=1e-7, atol=1e-7 * size)
    assert_allclose(fit.q, y @ P @ y, rtol=1e-7, atol=1e-7 * (y**2 / v).sum())
    assert_allclose(fit.trace_p, np.trace(P), rtol=1e-8, atol=1e-9 * (1 / v).sum())
    assert_allclose(fit.trace_pp, np.trace(P @ P), rtol=1e-8, atol=1e-9 * (1 / v**2).sum())
    assert_allclose(fit.log_det, -np.log(np.linalg.det(cov)), rtol=1e-8, atol=1e-8)
    z = np.cos(np.arange(len(y)))
    assert_allclose(fit.quadratic(z), z @ P @ z, rtol=1e-7, atol=1e-8 * (z**2 / v).sum())


@given(st.data(), effect_sets(min_rows=4, moderators=1))
def test_a_full_covariance_equals_a_dense_solve(data, effects):
    y, _, X = effects.arrays
    S = data.draw(covariances(len(y)))
    fit = weighted_fit(*decorrelate(y, S, X))
    beta, cov, P = dense(y, S, X)
    assert_allclose(fit.beta, beta, rtol=1e-7, atol=1e-7)
    assert_allclose(fit.cov, cov, rtol=1e-7, atol=1e-7 * np.abs(cov).max())
    assert_allclose(fit.q, y @ P @ y, rtol=1e-7, atol=1e-7)
    assert_allclose(fit.trace_p, np.trace(P), rtol=1e-8)


def test_leading_axes_are_a_batch():
    rng = np.random.default_rng(5)
    y, v = rng.normal(size=(2, 3, 6)), rng.uniform(0.1, 2, size=(2, 3, 6))
    X = np.stack([np.ones(6), np.arange(6.0)], axis=1)
    S = np.einsum("...r,rs->...rs", v, np.eye(6))
    fits, full = weighted_fit(y, v, X), weighted_fit(*decorrelate(y, S, X))
    assert fits.beta.shape == (2, 3, 2)
    for i, j in np.ndindex(2, 3):
        one = weighted_fit(y[i, j], v[i, j], X)
        for field in ("beta", "cov", "q", "trace_p", "trace_pp", "log_det"):
            assert_allclose(getattr(fits, field)[i, j], getattr(one, field), rtol=1e-12)
            assert_allclose(getattr(full, field)[i, j], getattr(one, field), rtol=1e-9)


def test_effects_near_a_million_keep_their_digits():
    rng = np.random.default_rng(0)
    y = np.round(rng.normal(size=5000) * 2**20) / 2**20  # adding 2^20 to these is exact
    v = 2.0 ** rng.integers(-6, 2, 5000)
    X = np.stack([np.ones(5000), np.linspace(1900, 2020, 5000)], axis=1)
    near, far = weighted_fit(y, v, X), weighted_fit(y + 2.0**20, v, X)
    assert_allclose(far.beta[0] - 2.0**20, near.beta[0], rtol=0, atol=1e-9)
    assert_allclose(far.q, near.q, rtol=1e-11)


def test_five_thousand_studies_need_no_matrix_of_their_square():
    rng = np.random.default_rng(2)
    y, v, X = rng.normal(size=5000), rng.uniform(0.1, 2, 5000), np.ones((5000, 1))
    tracemalloc.start()
    weighted_fit(*decorrelate(y, v, X))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 * y.nbytes


def test_a_column_that_follows_from_the_others_is_named_as_the_fault():
    X = np.stack([np.ones(4), np.arange(4.0), 1 - np.arange(4.0)], axis=1)
    with pytest.raises(DesignError, match="full column rank"):
        weighted_fit(np.arange(4.0), np.ones(4), X)
    with pytest.raises(DesignError, match="full column rank"):
        weighted_fit(np.zeros(1), np.ones(1), np.ones((1, 2)))


@pytest.mark.parametrize("S", [np.array([1.0, 0.0]), np.array([[1.0, 2.0], [2.0, 1.0]])])
def test_a_covariance_that_is_not_positive_definite_is_refused(S):
    with pytest.raises(DesignError, match="not positive definite"):
        decorrelate(np.zeros(2), S, np.ones((2, 1)))


def test_a_covariance_of_another_shape_is_refused():
    with pytest.raises(DesignError, match="one variance per row"):
        decorrelate(np.zeros((3, 2)), np.ones(2), np.ones((2, 1)))


def test_no_degree_of_freedom_is_an_error():
    assert degrees_of_freedom(np.ones((5, 2))) == 3
    with pytest.raises(DesignError, match="no degree of freedom"):
        degrees_of_freedom(np.ones((2, 2)))
