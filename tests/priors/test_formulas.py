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
    ("normal(0, 1)", -30.0, -450.91893853320467, 4.9067139271481871e-198, 1.0),
    ("normal(1, 0.5)", 12.0, -242.22579135264473, 1.0, 1.439892435145079e-107),
    ("student_t(3, 0, 1)", -1e20, -183.01047171181095, 1.1026577908435841e-60, 1.0),
    ("student_t(30, 0, 1)", 40.0, -62.851907963527962, 1.0, 6.8630225972032014e-28),
    ("student_t(1e6, 0, 1)", 8.0, -32.917946825869286, 1.0, 6.2275317166012598e-16),
    ("student_t(0.5, 0, 1)", 1e10, -36.369169706242154, 0.99999679299024586, 3.207009754142229e-6),
    ("cauchy(0, 1)", -1e100, -461.66174848465854, 3.1830988618379067e-101, 1.0),
    ("half_normal(1)", 1e-10, -0.22579135264472743, 7.9788456080286538e-11, 0.99999999992021154),
    ("half_cauchy(1)", 1e-10, -0.45158270528945486, 6.3661977236758137e-11, 0.99999999993633802),
    ("half_cauchy(1)", 1e12, -55.713624937146551, 0.99999999999936338, 6.3661977236758134e-13),
    ("half_student_t(4, 1)", 1e-10, -0.28768207245178093, 7.5e-11, 0.999999999925),
    ("half_student_t(4, 1)", 1e8, -88.925349889413883, 1.0, 5.999999999999996e-32),
    (
        "half_student_t(1e3, 1)",
        1e-3,
        -0.22604185310306057,
        7.9768498154726972e-4,
        0.99920231501845273,
    ),
    ("exponential(1)", 1e-10, -1e-10, 9.9999999995000004e-11, 0.9999999999),
    ("exponential(1)", 500.0, -500.0, 1.0, 7.1245764067412855e-218),
    ("log_normal(-1.07, 0.87)", 1e-9, -235.20957356833876, 2.7197999908824651e-113, 1.0),
    ("log_normal(-1.07, 0.87)", 1e9, -335.24745005801348, 1.0, 8.7883870933811198e-139),
    ("inverse_gamma(2.5, 1)", 0.003, -313.28601573770715, 7.9032818858583902e-142, 1.0),
    ("inverse_gamma(2.5, 1)", 1e8, -64.757065484306198, 1.0, 3.0090110907617638e-21),
    ("inverse_gamma(0.1, 1)", 1e6, -17.449775265494907, 0.73596634567207767, 0.26403365432792233),
    (
        "truncated(normal(0, 1), 8, inf)",
        8.25,
        0.06324862670987715,
        0.8726928708181124,
        0.1273071291818876,
    ),
    ("truncated(normal(0, 1), 8, inf)", 20.0, -165.90550137329012, 1.0, 4.4263648446744394e-74),
    (
        "truncated(normal(0, 1), -inf, -5)",
        -6.0,
        -3.853940139215947,
        0.0034417660387136633,
        0.99655823396128634,
    ),
    (
        "truncated(normal(0, 1), 0, inf)",
        1e-10,
        -0.22579135264472743,
        7.9788456080286538e-11,
        0.99999999992021154,
    ),
    (
        "on_tau2(half_normal(1))",
        1e-5,
        -11.04556963705501,
        7.9788456080286549e-11,
        0.99999999992021154,
    ),
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
