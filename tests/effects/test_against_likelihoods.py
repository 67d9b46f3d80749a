"""Effects and their variances against the likelihood of the data, where there is one.

The effect is where the log likelihood is highest, and its variance the inverse of the second
derivative there, the nuisance parameter of the control arm profiled out.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.special import expit, xlog1py, xlogy

from bayesmeta.effects import compute_effects
from bayesmeta.studies import read_studies

pytestmark = pytest.mark.slow

BY_DIFFERENCES = 2e-5  # second derivatives by differences of the fourth order
COUNT = st.integers(2, 400)


def _effects(columns, row, measure):
    table = read_studies(pd.DataFrame([["A", *row]], columns=["study", *columns.split()]))
    effects = compute_effects(table, measure)
    return float(effects.y[0]), float(effects.S[0])


def _is_maximum_with_variance(log_likelihood, at, variance):
    """Check the gradient and the information at `at`; the first parameter is the effect."""
    at = np.asarray(at, float)
    steps = 1e-3 * np.maximum(np.abs(at), 0.1)

    def second(i, j):
        total = 0.0
        for a, wa in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
            for b, wb in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
                x = at.copy()
                x[i] += a * steps[i]
                x[j] += b * steps[j]
                total += wa * wb * log_likelihood(*x)
        return total / (144 * steps[i] * steps[j])

    def first(i):
        x = [at + k * steps[i] * np.eye(len(at))[i] for k in (-2, -1, 1, 2)]
        value = np.array([log_likelihood(*point) for point in x]) @ [1, -8, 8, -1]
        return value / (12 * steps[i])

    gradient = np.array([first(i) for i in range(len(at))])
    information = -np.array([[second(i, j) for j in range(len(at))] for i in range(len(at))])
    covariance = np.linalg.inv(information)
    # the Newton step that is left, in standard errors
    assert_allclose(gradient @ covariance @ gradient, 0, atol=1e-8)
    assert_allclose(covariance[0, 0], variance, rtol=BY_DIFFERENCES)


def _binomial(x, m, p):
    return xlogy(x, p) + xlog1py(m, -p)


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=25)
def test_the_log_odds_ratio_is_that_of_two_binomials(a, b, c, d):
    y, v = _effects("ai bi ci di", [a, b, c, d], "OR")

    def log_likelihood(theta, alpha):
        return _binomial(a, b, expit(alpha + theta)) + _binomial(c, d, expit(alpha))

    _is_maximum_with_variance(log_likelihood, [y, np.log(c / d)], v)


@given(COUNT, COUNT, COUNT, COUNT)
@settings(max_examples=25)
def test_the_log_risk_ratio_is_that_of_two_binomials(a, b, c, d):
    y, v = _effects("ai bi ci di", [a, b, c, d], "RR")

    def log_likelihood(theta, log_p):
        return _binomial(a, b, np.exp(log_p + theta)) + _binomial(c, d, np.exp(log_p))

    near_one = min(b / (a + b), d / (c + d)) < 0.02  # the differences would step over 1
    if not near_one:
        _is_maximum_with_variance(log_likelihood, [y, np.log(c / (c + d))], v)


@given(st.integers(20, 400), st.integers(20, 400), st.integers(20, 400), st.integers(20, 400))
@settings(max_examples=25)
def test_the_risk_difference_is_that_of_two_binomials(a, b, c, d):
    y, v = _effects("ai bi ci di", [a, b, c, d], "RD")

    def log_likelihood(theta, p):
        return _binomial(a, b, p + theta) + _binomial(c, d, p)

    _is_maximum_with_variance(log_likelihood, [y, c / (c + d)], v)


@pytest.mark.parametrize("measure", ["IRR", "IRD"])
@given(x1=COUNT, x2=COUNT, t1=st.floats(10, 1e4), t2=st.floats(10, 1e4))
@settings(max_examples=25)
def test_the_rate_measures_are_those_of_two_poissons(measure, x1, x2, t1, t2):
    y, v = _effects("x1i t1i x2i t2i", [x1, t1, x2, t2], measure)
    if measure == "IRR":

        def log_likelihood(theta, log_rate):
            r1, r2 = np.exp(log_rate + theta), np.exp(log_rate)
            return x1 * np.log(r1) - r1 * t1 + x2 * np.log(r2) - r2 * t2

        _is_maximum_with_variance(log_likelihood, [y, np.log(x2 / t2)], v)
        return
    unit = x2 / t2  # in rates of the control arm, where the differences have their step

    def log_likelihood(theta, rate):
        r1, r2 = (rate + theta) * unit, rate * unit
        return x1 * np.log(r1) - r1 * t1 + x2 * np.log(r2) - r2 * t2

    if 0.2 < x1 / t1 / unit < 5:
        _is_maximum_with_variance(log_likelihood, [y / unit, 1.0], v / unit**2)


@pytest.mark.parametrize(
    ("measure", "risk"), [("PLO", expit), ("PLN", np.exp), ("PAS", lambda y: np.sin(y) ** 2)]
)
@given(x=st.integers(20, 300), m=st.integers(20, 300))
@settings(max_examples=25)
def test_a_transformed_proportion_is_that_of_a_binomial(measure, risk, x, m):
    y, v = _effects("xi ni", [x, x + m], measure)
    _is_maximum_with_variance(lambda theta: _binomial(x, m, risk(theta)), [y], v)


@given(
    st.floats(-5, 5), st.floats(0.5, 5), st.integers(5, 99), st.floats(-5, 5), st.floats(0.5, 5),
    st.integers(5, 99),
)  # fmt: skip
@settings(max_examples=25)
def test_the_mean_difference_is_that_of_two_normals_of_known_deviations(m1, s1, n1, m2, s2, n2):
    y, v = _effects("m1i sd1i n1i m2i sd2i n2i", [m1, s1, n1, m2, s2, n2], "MD")

    def log_likelihood(theta, mean):
        return -n1 * (m1 - mean - theta) ** 2 / (2 * s1**2) - n2 * (m2 - mean) ** 2 / (2 * s2**2)

    _is_maximum_with_variance(log_likelihood, [y, m2], v)


@given(st.floats(-0.9, 0.9), st.floats(0.5, 5), st.floats(0.5, 5), st.integers(10, 99))
@settings(max_examples=25)
def test_the_mean_change_is_that_of_a_bivariate_normal_of_known_covariance(r, s1, s2, n):
    y, v = _effects("m1i sd1i m2i sd2i ni ri", [5, s1, 4, s2, n, r], "MC")
    precision = np.linalg.inv([[s1**2, r * s1 * s2], [r * s1 * s2, s2**2]])

    def log_likelihood(theta, mean):
        left = np.array([5 - mean - theta, 4 - mean])
        return -n / 2 * left @ precision @ left

    _is_maximum_with_variance(log_likelihood, [y, 4.0], v)


@given(st.floats(-0.9, 0.9), st.integers(20, 300))
@settings(max_examples=25)
def test_fishers_z_is_that_of_a_bivariate_normal_but_for_its_degrees_of_freedom(r, n):
    """The likelihood has 1/n where Fisher, for small samples, has 1/(n - 3)."""
    y, v = _effects("ri ni", [r, n], "ZCOR")

    def log_likelihood(z, log_s1, log_s2):
        rho = np.tanh(z)
        u = np.exp(-2 * log_s1) + np.exp(-2 * log_s2) - 2 * rho * r * np.exp(-log_s1 - log_s2)
        return n * (-log_s1 - log_s2 - np.log1p(-(rho**2)) / 2 - u / (2 * (1 - rho**2)))

    _is_maximum_with_variance(log_likelihood, [y, 0.0, 0.0], v * (n - 3) / n)
    assert_allclose(_effects("ri ni", [r, n], "COR")[1] * (n - 1) / n, (1 - r**2) ** 2 / n)
