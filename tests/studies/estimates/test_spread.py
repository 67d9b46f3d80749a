"""Standard errors that printed digits allow, against linear programs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import linprog
from tolerances import CLOSED

from bayesmeta.studies.estimates.spread import Range, spread_of_interval

CENTRES = st.tuples(*[st.integers(-6, 6)] * 3)
HALVES = st.tuples(*[st.integers(1, 4)] * 3)


def ranges(centres, halves):
    return [
        Range(value=np.array([float(c)]), low=np.array([c - h / 2]), high=np.array([c + h / 2]))
        for c, h in zip(centres, halves, strict=True)
    ]


@given(centres=CENTRES, halves=HALVES)
def test_bounds_of_a_standard_error_are_those_of_a_linear_program(centres, halves):
    m, low, high = ranges(centres, halves)
    found = spread_of_interval(m, low, high, np.array([2.0]))
    # unknown m and s >= 0: low.low <= m - s <= low.high, high.low <= m + s <= high.high
    A = np.array([[1, -1], [-1, 1], [1, 1], [-1, -1]])
    b = [low.high[0], -low.low[0], high.high[0], -high.low[0]]
    within = [(m.low[0], m.high[0]), (0, None)]
    least, most = (linprog([0, sign], A_ub=A, b_ub=b, bounds=within) for sign in (1, -1))
    possible = least.status == 0
    assert possible == (found.low[0] <= found.high[0])
    if possible:
        want = [least.fun / 2, -most.fun / 2]
        assert_allclose([found.low[0], found.high[0]], want, rtol=1e-8, atol=1e-8)


def test_computed_limits_are_not_refused_for_the_rounding_of_floats():
    rng = np.random.default_rng(1)
    mean, se = rng.normal(size=200), rng.uniform(0.1, 1, size=200)
    exact = (mean, mean - 1.96 * se, mean + 1.96 * se)
    m, low, high = (Range(value=x, low=x, high=x) for x in exact)
    found = spread_of_interval(m, low, high, np.full(200, 1.96))
    assert (found.low <= found.high).all()
    assert_allclose(found.value, se, rtol=CLOSED)
