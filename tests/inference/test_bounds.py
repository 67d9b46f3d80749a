"""Maps of bounded parameters onto the line, and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bayesmeta.inference.bounds import rebound, unbound
from bayesmeta.inference.quadrature import SupportMap

DIGITS = 1e-14  # relative: what is left after a logarithm and back


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@given(exponent=st.floats(-300, -1e-3))
def test_distances_to_nought_between_minus_one_and_one_keep_their_digits(sign, exponent):
    theta = np.array([sign * 10.0**exponent])
    line = unbound(theta, (-1.0, 1.0))
    assert_allclose(line, np.arctanh(theta), rtol=DIGITS)
    assert_allclose(rebound(line, (-1.0, 1.0)), theta, rtol=DIGITS)


@given(exponent=st.floats(-99, -0.31))
def test_distances_to_a_bound_at_nought_keep_their_digits(exponent):
    risk = np.array([10.0**exponent])
    assert_allclose(rebound(unbound(risk, (0.0, 1.0)), (0.0, 1.0)), risk, rtol=100 * DIGITS)


def test_the_support_of_a_risk_difference_keeps_them_too():
    support = SupportMap(low=-1.0, high=1.0, unit=1.0)
    theta = np.array([-1e-9, -1e-13, 1e-13, 1e-9])
    assert_allclose(support.point(support.line(theta)), theta, rtol=DIGITS)
    assert support.line(np.array([-1.0, 1.0])).tolist() == [-np.inf, np.inf]
