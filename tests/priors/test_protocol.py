import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from priors.examples import CONTINUOUS, FORMULA, PRIOR_TEXTS, bulk
from scipy.integrate import quad
from tolerances import CLOSED

from bayesmeta.errors import ModelError
from bayesmeta.priors import PRIORS, HalfNormal, Normal, OnTau2, Prior, Truncated, parse_prior

ODD = np.array([-np.inf, -1e300, -1.0, -0.0, 0.0, 1e-320, 1e-200, 1.0, 1e200, 1e308, np.inf])


def mass(prior, low, high):
    return quad(lambda x: np.exp(prior.logpdf(x)), low, high, epsabs=1e-13, epsrel=1e-11)[0]


def tail_mass(prior, start, side):
    """The mass from `start` to an infinite end, on a log scale that follows any power law."""

    def on_log_scale(u):
        return np.exp(prior.logpdf(start + side * np.expm1(u)) + u)

    return sum(quad(on_log_scale, a, b)[0] for a, b in pairwise((0, 0.1, 1, 10, 100, 300)))


@pytest.mark.parametrize("text", CONTINUOUS)
def test_the_density_integrates_to_one(text):
    prior, points = parse_prior(text), bulk(text)
    total = sum(mass(prior, a, b) for a, b in pairwise(points))
    for end, start, side in zip(prior.support, points[[0, -1]], (-1, 1), strict=True):
        finite = np.isfinite(end)
        total += side * mass(prior, start, end) if finite else tail_mass(prior, start, side)
    assert_allclose(total, 1, rtol=CLOSED)


@pytest.mark.parametrize("text", CONTINUOUS)
def test_the_cdf_is_the_integral_of_the_density(text):
    prior, points = parse_prior(text), bulk(text)
    areas = [mass(prior, a, b) for a, b in pairwise(points)]
    assert_allclose(np.diff(prior.cdf(points)), areas, rtol=CLOSED)


@pytest.mark.parametrize("text", CONTINUOUS)
def test_sf_is_what_cdf_leaves(text):
    prior, points = parse_prior(text), bulk(text)
    assert_allclose(prior.sf(points), 1 - prior.cdf(points), rtol=CLOSED)


@pytest.mark.parametrize("text", CONTINUOUS)
def test_the_quantile_inverts_the_cdf(text):
    prior = parse_prior(text)
    p = np.array([1e-3, 0.02, 0.25, 0.4999, 0.5, 0.5001, 0.75, 0.98, 0.999])
    assert_allclose(prior.cdf(prior.quantile(p)), p, rtol=CLOSED)  # x near 8 keeps 16 digits only


@pytest.mark.parametrize("text", CONTINUOUS)
def test_quantiles_of_zero_and_one_are_the_support(text):
    prior = parse_prior(text)
    assert_allclose(prior.quantile(np.array([0.0, 1.0])), prior.support, rtol=FORMULA)


@pytest.mark.parametrize("text", CONTINUOUS)
def test_nothing_lies_outside_the_support(text):
    prior = parse_prior(text)
    low, high = prior.support
    outside = ODD[(low > ODD) | (high < ODD)]
    assert_array_equal(prior.logpdf(outside), -np.inf)
    assert_array_equal(prior.cdf(ODD[low >= ODD]), 0)
    assert_array_equal(prior.sf(ODD[high <= ODD]), 0)


@pytest.mark.parametrize("text", PRIOR_TEXTS)
def test_odd_points_give_numbers_without_a_warning(text):
    prior = parse_prior(text)
    functions = [prior.logpdf, prior.cdf, prior.sf] if prior.proper else [prior.logpdf]
    for function in functions:
        assert_array_equal(np.isnan(function(ODD)), np.zeros(len(ODD), bool))
        assert_array_equal(function(np.array([])), [])
        assert np.shape(function(1.0)) == ()


@pytest.mark.parametrize("text", PRIOR_TEXTS)
def test_the_tail_order_is_the_slope_far_out(text):
    prior = parse_prior(text)
    side = 1.0 if prior.support[1] == np.inf else -1.0
    near, far = (float(prior.logpdf(side * x)) for x in (1e100, 1e101))
    slope = np.inf if far == -np.inf else (near - far) / np.log(10)
    if prior.tail_order == np.inf:
        assert slope > 100
    else:
        assert_allclose(slope, prior.tail_order, rtol=CLOSED, atol=CLOSED)


@pytest.mark.parametrize("text", PRIOR_TEXTS)
def test_a_prior_is_a_frozen_value(text):
    prior = parse_prior(text)
    assert isinstance(prior, Prior)
    assert prior == parse_prior(text)
    assert len({prior, parse_prior(text)}) == 1
    assert not hasattr(prior, "__dict__")
    for field in dataclasses.fields(prior):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(prior, field.name, 1.0)


def test_numbers_are_kept_as_floats():
    assert repr(Normal(np.int64(1), np.float32(2))) == "Normal(mean=1.0, sd=2.0)"


WRONG_NUMBERS = {
    "is not finite. Give a finite number": (np.nan, np.inf, -np.inf, 10**400),
    "is not a number. Give a number": (True, np.True_, "0.5", None, HalfNormal(1)),
}


@pytest.mark.parametrize(
    ("fault", "value"), [(f, v) for f in WRONG_NUMBERS for v in WRONG_NUMBERS[f]]
)
@pytest.mark.parametrize("name", [n for n in PRIORS if n not in ("flat", "truncated", "on_tau2")])
def test_an_argument_that_is_no_finite_number_is_named(name, fault, value):
    arguments = [field.name for field in dataclasses.fields(PRIORS[name])]
    for wrong in arguments:
        with pytest.raises(ModelError, match=fault) as caught:
            PRIORS[name](**(dict.fromkeys(arguments, 1) | {wrong: value}))
        assert f"{wrong} of {name}" in [problem.column for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (name, field)
        for name, positive in {
            "normal": "sd",
            "student_t": "df scale",
            "cauchy": "scale",
            "half_normal": "scale",
            "half_cauchy": "scale",
            "half_student_t": "df scale",
            "exponential": "scale",
            "log_normal": "sdlog",
            "inverse_gamma": "shape scale",
        }.items()
        for field in positive.split()
    ],
)
def test_scales_shapes_and_degrees_of_freedom_are_positive(name, wrong):
    arguments = dict.fromkeys((field.name for field in dataclasses.fields(PRIORS[name])), 1)
    for value in (0, -0.5):
        message = f"{wrong} of {name} = {value}: must be greater than 0. Give a positive number"
        with pytest.raises(ModelError, match=message):
            PRIORS[name](**(arguments | {wrong: value}))


def test_all_wrong_arguments_are_told_together():
    with pytest.raises(ModelError, match=r"(?s)normal\(nan, -1\).*mean of normal.*sd of normal"):
        Normal(np.nan, -1)


@pytest.mark.parametrize("value", [0.5, "half_normal(1)", HalfNormal, None])
def test_a_prior_is_wanted_where_a_prior_is_an_argument(value):
    for make in (OnTau2, lambda prior: Truncated(prior, 0, 1)):
        with pytest.raises(ModelError, match=r"prior of .*is not a prior. Give one"):
            make(value)
