import numpy as np
import pytest
from frequentist.effect_sets import covariances, effect_sets
from frequentist.metafor_cases import CASES, ITERATED, arrays
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import DesignError, NotEstimableError
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.frequentist.tau2.moments import tau2_dl
from bayesmeta.frequentist.tau2.roots import fit_eb, fit_pm, tau2_where_q_is

WITHOUT_GOLDEN = ("DL2",)  # metafor has it not: held against its definition below


@pytest.mark.parametrize("method", [name for name in TAU2 if name not in WITHOUT_GOLDEN])
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_tau2_agrees_with_metafor(name, measure, method, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"][method]["tau2"]
    assert_allclose(
        TAU2[method](*arrays(block)), want, rtol=ITERATIVE if method in ITERATED else CLOSED
    )


def with_equal_variances(y, v):
    """What each estimator comes to where all sampling variances are v."""
    k, s2 = len(y), y.var(ddof=1)
    unbiased = s2 - v
    rows_for_df = (k - 1) / k * s2
    special = {
        "ML": rows_for_df - v,
        "HS": rows_for_df - v,
        "SJ": rows_for_df * s2 / (v + rows_for_df),
    }
    return dict.fromkeys(TAU2, unbiased) | special


@pytest.mark.parametrize("method", TAU2)
def test_equal_variances_have_a_closed_form(method):
    y = np.array([0.3, -1.2, 2.0, 0.7, 0.1])
    found = TAU2[method](y, np.full(5, 0.25), np.ones((5, 1)))
    assert_allclose(found, with_equal_variances(y, 0.25)[method], rtol=1e-12)


def dense(V, X):
    """W and P of a fit with covariance V, by full matrices."""
    W = np.linalg.inv(V)
    return W, W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W


def by_definition(method, y, S, X):
    """The estimators that are closed forms, by full matrices."""
    k, p = X.shape
    one = np.eye(k)

    def moments(P):
        return max(0.0, (y @ P @ y - np.trace(P @ S)) / np.trace(P))

    W, P = dense(S, X)
    if method == "DL":
        return moments(P)
    if method == "DL2":
        return moments(dense(S + moments(P) * one, X)[1])
    if method == "HE":
        return moments(dense(one, X)[1])
    if method == "HS":
        return max(0.0, (y @ P @ y - k) / np.trace(W))
    start = ((y - y.mean()) ** 2).mean()
    P = dense(S + start * one, X)[1]
    return start * (y @ P @ y) / (k - p)


@pytest.mark.parametrize("method", ["DL", "DL2", "HE", "HS", "SJ"])
@given(data=st.data(), effects=effect_sets(min_rows=4, moderators=1))
def test_a_closed_form_is_its_definition_for_any_design_and_covariance(method, data, effects):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else np.diag(v)
    found = TAU2[method](y, S, X)
    assert_allclose(found, by_definition(method, y, S, X), rtol=1e-6, atol=1e-7)


@given(effect_sets(min_rows=2))
def test_two_steps_of_dersimonian_and_laird_as_a_loop(effects):
    # DerSimonian and Kacker (2007): weights a, then tau2 from the sums S1 to S3
    y, v, X = effects.arrays
    tau2 = 0.0
    for _ in range(2):
        a = [1 / (x + tau2) for x in v]
        total = sum(a)
        mean = sum(w * x for w, x in zip(a, y, strict=True)) / total
        q = sum(w * (x - mean) ** 2 for w, x in zip(a, y, strict=True))
        expected = sum(w * x for w, x in zip(a, v, strict=True))
        expected -= sum(w**2 * x for w, x in zip(a, v, strict=True)) / total
        tau2 = max(0.0, (q - expected) / (total - sum(w**2 for w in a) / total))
    assert_allclose(TAU2["DL2"](y, v, X), tau2, rtol=1e-7, atol=1e-9)


@given(data=st.data(), effects=effect_sets(min_rows=4, moderators=1))
def test_paule_mandel_and_empirical_bayes_solve_one_equation(data, effects):
    y, v, X = effects.arrays
    S = data.draw(covariances(len(y))) if data.draw(st.booleans()) else np.diag(v)
    pm, eb = fit_pm(y, S, X), fit_eb(y, S, X)
    smallest = np.linalg.eigvalsh(S).min()
    assert_allclose(eb.tau2, pm.tau2, rtol=1e-10, atol=1e-11 * smallest)
    P = dense(S + pm.tau2 * np.eye(len(y)), X)[1]
    df = len(y) - 2
    if pm.boundary:
        assert pm.tau2 == 0.0
        assert y @ P @ y <= df * (1 + 1e-9)
    else:
        assert_allclose(y @ P @ y, df, rtol=1e-7)


@pytest.mark.parametrize("ratio", [1e-12, 1e-6, 1e6, 1e12])
@pytest.mark.parametrize("fit", [fit_pm, fit_eb])
def test_variances_of_very_different_size_converge(fit, ratio):
    y, v = np.array([0.1, 0.9, -0.4, 1.4]), np.array([1.0, 0.5, ratio, 2 * ratio])
    found = fit(y, v, np.ones((4, 1)))
    w = 1 / (v + found.tau2)
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    if found.boundary:
        assert q <= 3.0
    else:
        assert_allclose(q, 3.0, rtol=1e-9)
    assert found.last_step <= 1e-12


@pytest.mark.parametrize(("fit", "name"), [(fit_pm, "PM"), (fit_eb, "EB")])
def test_a_search_stopped_early_says_so(fit, name):
    y, v, X = np.array([0.1, 0.9, -0.4]), np.array([0.1, 0.01, 0.2]), np.ones((3, 1))
    assert 1 < fit(y, v, X).iterations < 40
    with pytest.raises(NotEstimableError, match=f"{name} did not converge in 1 steps"):
        fit(y, v, X, max_iterations=1)


@pytest.mark.parametrize("fit", [fit_pm, fit_eb])
def test_a_search_says_when_it_ends_at_the_bound(fit):
    y, v, X = np.array([0.1, 0.2, 0.15]), np.ones(3), np.ones((3, 1))
    found = fit(np.stack([y, 40 * y]), np.stack([v, v]), X)
    assert found.boundary.tolist() == [True, False]
    assert found.tau2[0] == 0.0


def test_dl_with_moderators_equates_q_with_its_expectation():
    y, v = np.array([0.3, -1.2, 2.0, 0.7, 0.1]), np.array([0.1, 0.2, 0.05, 0.3, 0.1])
    X = np.stack([np.ones(5), [0.0, 1.0, 4.0, 9.0, 16.0]], axis=1)
    W = np.diag(1 / v)
    P = W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    assert_allclose(tau2_dl(y, v, X), (y @ P @ y - 3) / np.trace(P), rtol=1e-10)


@pytest.mark.parametrize("method", TAU2)
def test_equal_effects_have_no_heterogeneity(method):
    assert TAU2[method](np.full(4, 0.3), np.array([0.1, 0.2, 0.3, 0.4]), np.ones((4, 1))) == 0.0


@pytest.mark.parametrize("method", ["PM", "EB", "REML", "ML"])
def test_differences_that_vanish_beside_the_errors_are_none(method):
    y, v, X = np.array([0.0, 0.0, 0.0, 1.6e-158]), np.ones(4), np.ones((4, 1))
    assert TAU2[method](y, v, X) == 0.0  # and no warning, though y'PPy is nearly 0


@pytest.mark.parametrize("method", TAU2)
def test_leading_axes_are_a_batch(method):
    rng = np.random.default_rng(8)
    y, v = rng.normal(size=(5, 4, 6)), rng.uniform(0.05, 2, size=(5, 4, 6))
    X = np.ones((6, 1))
    found = TAU2[method](y, v, X)
    one_by_one = [[TAU2[method](y[i, j], v[i, j], X) for j in range(4)] for i in range(5)]
    assert_allclose(found, one_by_one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("method", TAU2)
def test_as_many_coefficients_as_studies_is_a_design_error(method):
    with pytest.raises(DesignError, match="no degree of freedom"):
        TAU2[method](np.zeros(2), np.ones(2), np.eye(2))


@pytest.mark.parametrize("method", TAU2)
@given(effects=effect_sets(), shift=st.floats(-50, 50))
def test_a_common_shift_leaves_tau2_alone(method, effects, shift):
    y, v, X = effects.arrays
    assert_allclose(TAU2[method](y + shift, v, X), TAU2[method](y, v, X), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", TAU2)
@given(effects=effect_sets(), unit=st.floats(1e-4, 1e4))
def test_tau2_has_the_square_of_the_unit_of_the_effects(method, effects, unit):
    y, v, X = effects.arrays
    assert_allclose(
        TAU2[method](unit * y, unit**2 * v, X) / unit**2, TAU2[method](y, v, X),
        rtol=1e-7, atol=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("method", TAU2)
@given(data=st.data(), effects=effect_sets(min_rows=4, moderators=1))
def test_the_order_of_the_studies_does_not_matter(method, data, effects):
    y, v, X = effects.arrays
    order = data.draw(st.permutations(range(len(y))))
    assert_allclose(
        TAU2[method](y[order], v[order], X[order]), TAU2[method](y, v, X), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("method", TAU2)
@given(effects=effect_sets(min_rows=4, moderators=1))
def test_variances_and_their_diagonal_matrix_are_one_input(method, effects):
    y, v, X = effects.arrays
    assert_allclose(TAU2[method](y, np.diag(v), X), TAU2[method](y, v, X), rtol=1e-7, atol=1e-9)


@given(effect_sets(), st.floats(0.01, 20))
def test_q_has_the_target_at_the_root_or_is_below_it_at_zero(effects, target):
    y, v, X = effects.arrays
    t = float(tau2_where_q_is(target, y, v, X))

    def q(t):
        w = 1 / (v + t)
        return (w * (y - (w * y).sum() / w.sum()) ** 2).sum()

    if t == 0.0:
        assert q(0.0) <= target * (1 + 1e-12)
    else:
        assert_allclose(q(t), target, rtol=1e-9)
