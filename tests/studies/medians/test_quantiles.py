"""Means and standard deviations made out of medians, quartiles and ranges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.optimize import least_squares
from tolerances import CLOSED

from bayesmeta.studies.medians.quantiles import (
    FiveNumbers,
    luo_mean,
    quantile_estimation,
    skewed,
    wan_shi_sd,
)

FORMS = {"range": (0, 2, 4), "quartiles": (1, 2, 3), "all": (0, 1, 2, 3, 4)}


def five(values, n, form="all"):
    """Five numbers (row, 5) of samples of size n, those of one form of reporting only."""
    values = np.atleast_2d(np.asarray(values, float))
    shown = np.full_like(values, np.nan)
    shown[:, FORMS[form]] = values[:, FORMS[form]]
    names = ("low", "q1", "median", "q3", "high")
    return FiveNumbers(**dict(zip(names, shown.T, strict=True)), n=np.full(len(values), float(n)))


def five_of_samples(samples):
    return np.quantile(samples, [0, 0.25, 0.5, 0.75, 1], axis=1).T


def test_the_weights_are_those_printed_by_luo_and_shi():
    """n = 16 and 81 have the whole powers 8 and 27 of n^0.75."""
    x = [0.0, 2.0, 3.0, 8.0, 20.0]
    assert_allclose(luo_mean(five(x, 16, "range")), [4 / 12 * 10 + 8 / 12 * 3], rtol=CLOSED)
    weight = 0.7 + 0.39 / 50
    want = weight * 5 + (1 - weight) * 3
    assert_allclose(luo_mean(five(x, 50, "quartiles")), [want], rtol=CLOSED)
    w1, w2 = 2.2 / 29.2, 0.7 - 0.72 / 81**0.55
    assert_allclose(luo_mean(five(x, 81)), [w1 * 10 + w2 * 5 + (1 - w1 - w2) * 3], rtol=CLOSED)


@pytest.mark.parametrize(
    ("n", "xi"),
    # Wan et al. (2014), table 1: the expected range of a normal sample in standard deviations
    [(5, 2.326), (10, 3.078), (20, 3.735), (27, 4.002), (40, 4.322), (50, 4.498)],
)
def test_the_range_is_divided_by_what_wan_prints(n, xi):
    sd = wan_shi_sd(five([0, 0, 0, 0, 1], n, "range"))
    assert_allclose(1 / sd, [xi], rtol=0.02)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("n", [12, 60])
def test_for_normal_samples_the_conversions_are_unbiased(form, n):
    samples = np.random.default_rng(n).normal(10, 3, size=(6000, n))
    x = five(five_of_samples(samples), n, form)
    error = (luo_mean(x) - samples.mean(axis=1)).mean()
    assert_allclose(error, 0, atol=4 * (luo_mean(x) - samples.mean(axis=1)).std() / 6000**0.5)
    # quartiles of small samples are defined in several ways, which moves their spread by a few %
    assert_allclose(wan_shi_sd(x).mean(), 3, rtol=0.08 if n == 12 else 0.02)


@pytest.mark.parametrize("form", FORMS)
def test_the_test_of_skewness_rejects_one_normal_sample_in_twenty_and_most_skewed_ones(form):
    rng = np.random.default_rng(4)
    normal = five(five_of_samples(rng.normal(size=(4000, 80))), 80, form)
    assert_allclose(skewed(normal).mean(), 0.05, atol=0.02)
    drawn = five(five_of_samples(np.exp(rng.normal(size=(500, 80)))), 80, form)
    assert skewed(drawn).mean() > 0.5


@pytest.mark.parametrize("form", FORMS)
@given(st.floats(0.01, 1000), st.floats(-100, 100))
@settings(max_examples=15)
def test_another_unit_changes_the_conversions_as_it_changes_the_numbers(form, scale, shift):
    x = np.array([2.0, 4, 5, 9, 21])
    plain, moved = five(x, 30, form), five(scale * x + shift, 30, form)
    assert_allclose(luo_mean(moved), scale * luo_mean(plain) + shift, rtol=1e-9, atol=1e-9)
    assert_allclose(wan_shi_sd(moved), scale * wan_shi_sd(plain), rtol=1e-9)
    assert_array_equal(skewed(moved), skewed(plain))


def test_the_printed_example_of_quantile_estimation():
    """README of R's estmeansd; its optimiser stops at about five digits."""
    fitted = quantile_estimation(five([2, 0, 4, 0, 9], 100, "range"))
    assert_allclose(fitted.mean, [4.347284], rtol=1e-5)
    assert_allclose(fitted.sd, [1.502171], rtol=1e-5)


CANDIDATES = {
    "normal": lambda a, b: (stats.norm, (a, np.exp(b))),
    "log-normal": lambda a, b: (stats.lognorm, (np.exp(b), 0, np.exp(a))),
    "gamma": lambda a, b: (stats.gamma, (np.exp(b), 0, np.exp(a - b))),
    "Weibull": lambda a, b: (stats.weibull_min, (np.exp(b), 0, np.exp(a))),
    "beta": lambda a, b: (stats.beta, (np.exp(a), np.exp(b))),
}


def brute_force(values, p, names):
    """The best of the candidates, by a general least-squares routine from several starts."""
    middle = values[len(values) // 2]
    found = []
    for name in names:
        for b0 in (-0.5, 0.5, 1.5):
            a0 = {"normal": middle, "beta": 1.0}.get(name, np.log(max(middle, 0.1)))

            def left(x, name=name):
                kind, parameters = CANDIDATES[name](*x)
                return kind.ppf(p, *parameters) - values

            done = least_squares(left, [a0, b0], xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=200)
            kind, parameters = CANDIDATES[name](*done.x)
            found.append((done.cost, name, kind(*parameters)))
    return min(found, key=lambda one: one[0])


@pytest.mark.parametrize(
    ("values", "n", "form", "names"),
    [
        ([1, 4, 6, 10, 31], 40, "quartiles", ["normal", "log-normal", "gamma", "Weibull"]),
        ([1, 4, 6, 10, 31], 40, "all", ["normal", "log-normal", "gamma", "Weibull"]),
        ([0, 3, 5.5, 8, 12], 90, "all", ["normal", "log-normal", "gamma", "Weibull"]),
        ([-3, 1, 2, 4, 8], 60, "all", ["normal"]),
        ([0.05, 0.2, 0.3, 0.45, 0.9], 50, "all", list(CANDIDATES)),
    ],
)
def test_quantile_estimation_finds_what_a_general_optimiser_finds(values, n, form, names):
    chosen = list(FORMS[form])
    p = np.array([1 / n, 0.25, 0.5, 0.75, 1 - 1 / n])[chosen]
    _, name, fitted = brute_force(np.array(values, float)[chosen], p, names)
    got = quantile_estimation(five(values, n, form))
    assert got.family == (name,)
    assert_allclose([got.mean[0], got.sd[0]], [fitted.mean(), fitted.std()], rtol=1e-4)


@given(st.floats(1.5, 1000))
@settings(max_examples=10)
def test_another_unit_changes_quantile_estimation_as_it_changes_the_numbers(scale):
    """Of numbers above 1: within (0, 1) the beta distribution is a candidate, which has no unit."""
    x = np.array([2.0, 4, 5, 9, 21])
    plain, moved = quantile_estimation(five(x, 30)), quantile_estimation(five(scale * x, 30))
    assert_allclose(moved.mean, scale * plain.mean, rtol=1e-6)
    assert_allclose(moved.sd, scale * plain.sd, rtol=1e-6)
    assert moved.family == plain.family


def test_quantiles_of_a_distribution_give_its_moments_back():
    n = 100
    p = [1 / n, 0.25, 0.5, 0.75, 1 - 1 / n]
    makers = {
        "normal": stats.norm(5, 12), "log-normal": stats.lognorm(0.8, scale=12),
        "gamma": stats.gamma(2, scale=5), "Weibull": stats.weibull_min(1.4, scale=30),
        "beta": stats.beta(2, 5),
    }  # fmt: skip
    got = quantile_estimation(five([made.ppf(p) for made in makers.values()], n))
    assert got.family == tuple(makers)
    assert_allclose(got.mean, [made.mean() for made in makers.values()], rtol=1e-6)
    assert_allclose(got.sd, [made.std() for made in makers.values()], rtol=1e-6)


@pytest.mark.slow
def test_the_default_has_the_smaller_error_in_skewed_samples_too():
    """Why luo-wan is the default: quantile estimation is less biased and much less stable."""
    samples = np.random.default_rng(5).gamma(2, 5, size=(300, 40))
    sd = samples.std(axis=1, ddof=1)
    for form in FORMS:
        x = five(five_of_samples(samples), 40, form)
        closed = np.sqrt(((wan_shi_sd(x) - sd) ** 2).mean())
        fitted = np.sqrt(((quantile_estimation(x).sd - sd) ** 2).mean())
        assert closed < fitted
