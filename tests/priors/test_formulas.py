"""Density, probabilities and quantiles against scipy.stats, and deep in the tails."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from priors.examples import CONTINUOUS, FORMULA
from scipy import stats

from bayesmeta.priors import (
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    LogNormal,
    OnTau2,
    parse_prior,
)

SCIPY = {
    "normal(0, 2.82)": stats.norm(0, 2.82),
    "normal(-1.5, 0.1)": stats.norm(-1.5, 0.1),
    "student_t(4, 0.3, 2)": stats.t(4, 0.3, 2),
    "student_t(1, 0, 1)": stats.t(1, 0, 1),
    "cauchy(0.5, 0.4)": stats.cauchy(0.5, 0.4),
    "uniform(0, 5)": stats.uniform(0, 5),
    "uniform(-1, 0.5)": stats.uniform(-1, 1.5),
    "half_normal(0.5)": stats.halfnorm(0, 0.5),
    "half_cauchy(0.3)": stats.halfcauchy(0, 0.3),
    "exponential(0.4)": stats.expon(0, 0.4),
    "log_normal(-1.07, 0.87)": stats.lognorm(0.87, 0, np.exp(-1.07)),
    "inverse_gamma(2.5, 0.3)": stats.invgamma(2.5, 0, 0.3),
    "inverse_gamma(0.5, 1)": stats.invgamma(0.5, 0, 1),
}


@pytest.mark.parametrize("text", SCIPY)
def test_a_prior_agrees_with_scipy_stats(text):
    assert text in CONTINUOUS
    prior, other = parse_prior(text), SCIPY[text]
    p = np.array([0.01, 0.1, 0.3, 0.51, 0.9, 0.99])  # scipy's own tails lose digits
    x = other.ppf(p)
    assert_allclose(prior.quantile(p), x, rtol=FORMULA)
    assert_allclose(prior.isf(p), other.isf(p), rtol=FORMULA)
    assert_allclose(prior.logpdf(x), other.logpdf(x), rtol=FORMULA, atol=FORMULA)
    assert_allclose(prior.cdf(x), other.cdf(x), rtol=FORMULA)
    assert_allclose(prior.sf(x), other.sf(x), rtol=FORMULA)


# prior, x, log density, P(X <= x), P(X > x): mpmath 1.4 with 50 digits, from erfc, atan and the
# regularised incomplete beta and gamma functions
TAILS = [
    ("normal(0, 1)", -30.0, -450.918938533205, 4.90671392714819e-198, 1.0),
    ("normal(1, 0.5)", 12.0, -242.225791352645, 1.0, 1.43989243514508e-107),
    ("student_t(3, 0, 1)", -1e20, -183.010471711811, 1.10265779084358e-60, 1.0),
    ("student_t(30, 0, 1)", 40.0, -62.851907963528, 1.0, 6.8630225972032e-28),
    ("student_t(1e6, 0, 1)", 8.0, -32.9179468258693, 0.999999999999999, 6.22753171660126e-16),
    ("student_t(0.5, 0, 1)", 1e10, -36.3691697062422, 0.999996792990246, 3.20700975414223e-6),
    ("cauchy(0, 1)", -1e100, -461.661748484659, 3.18309886183791e-101, 1.0),
    ("half_normal(1)", 1e-10, -0.225791352644727, 7.97884560802865e-11, 0.999999999920212),
    ("half_cauchy(1)", 1e-10, -0.451582705289455, 6.36619772367581e-11, 0.999999999936338),
    ("half_cauchy(1)", 1e12, -55.7136249371466, 0.999999999999363, 6.36619772367581e-13),
    ("half_student_t(4, 1)", 1e-10, -0.287682072451781, 7.5e-11, 0.999999999925),
    ("half_student_t(4, 1)", 1e8, -88.9253498894139, 1.0, 6.0e-32),
    ("half_student_t(1000, 1)", 0.001, -0.226041853103061, 0.00079768498154727, 0.999202315018453),
    ("half_student_t(40, 1)", 0.001, -0.232041214590412, 0.000792913713942594, 0.999207086286057),
    ("half_student_t(1, 1)", 1e10, -46.5032845651704, 0.999999999936338, 6.36619772367581e-11),
    ("exponential(1)", 1e-10, -1.0e-10, 9.9999999995e-11, 0.9999999999),
    ("exponential(1)", 500.0, -500.0, 1.0, 7.12457640674129e-218),
    ("log_normal(-1.07, 0.87)", 1e-9, -235.209573568339, 2.71979999088247e-113, 1.0),
    ("log_normal(-1.07, 0.87)", 1e9, -335.247450058013, 1.0, 8.78838709338112e-139),
    ("inverse_gamma(2.5, 1)", 0.003, -313.286015737707, 7.90328188585839e-142, 1.0),
    ("inverse_gamma(2.5, 1)", 1e8, -64.7570654843062, 1.0, 3.00901109076176e-21),
    ("inverse_gamma(0.1, 1)", 1e6, -17.4497752654949, 0.735966345672078, 0.264033654327922),
    (
        "truncated(normal(0, 1), 8, inf)",
        8.25,
        0.0632486267098772,
        0.872692870818112,
        0.127307129181888,
    ),
    ("truncated(normal(0, 1), 8, inf)", 20.0, -165.90550137329, 1.0, 4.42636484467444e-74),
    (
        "truncated(normal(0, 1), -inf, -5)",
        -6.0,
        -3.85394013921595,
        0.00344176603871366,
        0.996558233961286,
    ),
    (
        "truncated(normal(0, 1), 0, inf)",
        1e-10,
        -0.225791352644727,
        7.97884560802865e-11,
        0.999999999920212,
    ),
    ("on_tau2(half_normal(1))", 1e-05, -11.045569637055, 7.97884560802865e-11, 0.999999999920212),
]


@pytest.mark.parametrize(("text", "x", "logpdf", "cdf", "sf"), TAILS)
def test_tails_keep_their_digits(text, x, logpdf, cdf, sf):
    prior = parse_prior(text)
    assert_allclose(prior.logpdf(x), logpdf, rtol=FORMULA)
    assert_allclose(prior.cdf(x), cdf, rtol=FORMULA)
    assert_allclose(prior.sf(x), sf, rtol=FORMULA)


@pytest.mark.parametrize(("text", "x", "cdf"), [(t, x, c) for t, x, _, c, _ in TAILS if c < 0.9])
def test_quantiles_keep_their_digits_in_the_lower_tail(text, x, cdf):
    assert_allclose(parse_prior(text).quantile(cdf), x, rtol=FORMULA)


@pytest.mark.parametrize(
    ("text", "x", "sf"), [(t, x, s) for t, x, _, _, s in TAILS if s < 0.9 and "tau2" not in t]
)
def test_quantiles_keep_their_digits_in_the_upper_tail(text, x, sf):
    assert_allclose(parse_prior(text).isf(sf), x, rtol=FORMULA)


def test_a_half_cauchy_quantile_near_one_is_its_hyperbola():
    p = 1 - 2.0**-50  # 1 - p is exact, and tan(pi p/2) is 2/(pi (1 - p)) there
    assert_allclose(HalfCauchy(1).quantile(p), 2.0**51 / np.pi, rtol=FORMULA)


def test_a_quantile_beyond_the_floats_is_infinite():
    assert_allclose(LogNormal(0, 1000).quantile(0.999), np.inf)
    assert_allclose(LogNormal(0, 1000).isf(0.001), np.inf)


def test_log_normal_quantiles_are_the_published_ones():
    quantiles = [0.0623, 0.3430, 1.8873]  # tau for a log odds ratio, 2.5, 50 and 97.5%
    assert_allclose(LogNormal(-1.07, 0.87).quantile([0.025, 0.5, 0.975]), quantiles, atol=5e-5)


def test_a_log_normal_on_tau2_is_one_on_tau_with_half_the_logarithm():
    on_tau, on_tau2 = LogNormal(-1.07, 0.87), OnTau2(LogNormal(2 * -1.07, 2 * 0.87))
    x = np.array([0.0, 1e-6, 0.1, 0.343, 2.0, 1e6])
    assert_allclose(on_tau2.logpdf(x), on_tau.logpdf(x), rtol=FORMULA)
    assert_allclose(on_tau2.cdf(x), on_tau.cdf(x), rtol=FORMULA)
    assert_allclose(on_tau2.sf(x), on_tau.sf(x), rtol=FORMULA)


def test_student_becomes_normal_with_many_degrees_of_freedom():
    x = np.array([0.0, 1e-10, 0.5, 3.0])
    many, normal = HalfStudentT(1e14, 1), HalfNormal(1)
    assert_allclose(many.logpdf(x), normal.logpdf(x), rtol=FORMULA)
    assert_allclose(many.cdf(x), normal.cdf(x), rtol=FORMULA)
    assert_allclose(many.quantile([1e-10, 0.5]), normal.quantile([1e-10, 0.5]), rtol=FORMULA)


def test_student_with_one_degree_of_freedom_is_cauchy_from_both_sides():
    x = np.array([1e-8, 0.5, 3.0, 1e8])
    for df in (1 - 1e-13, 1 + 1e-13):
        assert_allclose(HalfStudentT(df, 1).cdf(x), HalfCauchy(1).cdf(x), rtol=1e-10)
        assert_allclose(HalfStudentT(df, 1).sf(x), HalfCauchy(1).sf(x), rtol=1e-10)


def test_flat_is_one_everywhere():
    assert_allclose(Flat().logpdf(np.array([-1e9, 0, 1e9])), 0)


def test_flat_on_tau2_is_the_jacobian():
    assert_allclose(np.exp(OnTau2(Flat()).logpdf(np.array([-1.0, 0.0, 0.5, 3]))), [0, 0, 1, 6])


def test_a_fixed_value_has_unit_mass_there():
    for prior, value in ((Fixed(-0.3), -0.3), (OnTau2(Fixed(3)), np.sqrt(3))):
        x = np.array([np.nextafter(value, -1e9), value, np.nextafter(value, 1e9)])
        assert_allclose(prior.logpdf(x), [-np.inf, 0, -np.inf])
        assert_allclose(prior.cdf(value), 1)
        assert_allclose(prior.sf(value), 0)
        assert_allclose(prior.quantile([0.1, 0.9]), value)
