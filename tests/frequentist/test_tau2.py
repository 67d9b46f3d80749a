import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES, arrays
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import DesignError
from bayesmeta.frequentist.tau2 import TAU2, tau2_dl, tau2_where_q_is

ITERATED = ("REML",)


@pytest.mark.parametrize("method", TAU2)  # the registry: a new estimator without a number fails
@pytest.mark.parametrize(("name", "measure"), CASES)
def test_tau2_agrees_with_metafor(name, measure, method, golden):
    block = golden("metafor_pool")[name][measure]
    want = block["inverse_variance"][method]["tau2"]
    assert_allclose(
        TAU2[method](*arrays(block)), want, rtol=ITERATIVE if method in ITERATED else CLOSED
    )


@pytest.mark.parametrize("method", TAU2)
def test_equal_variances_have_a_closed_form(method):
    y = np.array([0.3, -1.2, 2.0, 0.7, 0.1])
    assert_allclose(
        TAU2[method](y, np.full(5, 0.25), np.ones((5, 1))), y.var(ddof=1) - 0.25, rtol=1e-12
    )


def test_dl_with_moderators_equates_q_with_its_expectation():
    y, v = np.array([0.3, -1.2, 2.0, 0.7, 0.1]), np.array([0.1, 0.2, 0.05, 0.3, 0.1])
    X = np.stack([np.ones(5), [0.0, 1.0, 4.0, 9.0, 16.0]], axis=1)
    W = np.diag(1 / v)
    P = W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    assert_allclose(tau2_dl(y, v, X), (y @ P @ y - 3) / np.trace(P), rtol=1e-10)


@pytest.mark.parametrize("method", TAU2)
def test_equal_effects_have_no_heterogeneity(method):
    assert TAU2[method](np.full(4, 0.3), np.array([0.1, 0.2, 0.3, 0.4]), np.ones((4, 1))) == 0.0


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
