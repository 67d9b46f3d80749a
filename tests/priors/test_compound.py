import numpy as np
import pytest
from numpy.testing import assert_allclose
from priors.examples import FORMULA

from bayesmeta.errors import ModelError
from bayesmeta.priors import (
    Cauchy,
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    LogNormal,
    Normal,
    OnTau2,
    Truncated,
    Uniform,
)


@pytest.mark.parametrize(
    ("cut", "half"),
    [
        (Truncated(Normal(0, 0.5), 0, np.inf), HalfNormal(0.5)),
        (Truncated(Cauchy(0, 2), 0, np.inf), HalfCauchy(2)),
    ],
)
def test_a_prior_cut_at_its_centre_is_its_half(cut, half):
    x = np.array([0, 1e-12, 1e-3, 0.7, 15])
    p = np.array([1e-12, 1e-3, 0.4, 0.9])
    assert_allclose(cut.logpdf(x), half.logpdf(x), rtol=FORMULA)
    assert_allclose(cut.cdf(x), half.cdf(x), rtol=FORMULA)
    assert_allclose(cut.sf(x), half.sf(x), rtol=FORMULA)
    assert_allclose(cut.quantile(p), half.quantile(p), rtol=FORMULA)


def test_truncation_to_either_side_is_a_mirror_image():
    right, left = Truncated(Normal(1, 2), 4, 30), Truncated(Normal(-1, 2), -30, -4)
    x = np.array([4, 4.5, 9, 29.5])
    assert_allclose(right.cdf(x), left.sf(-x), rtol=FORMULA)
    assert_allclose(right.sf(x), left.cdf(-x), rtol=FORMULA)
    assert_allclose(right.quantile([0.01, 0.99]), -left.isf([0.01, 0.99]), rtol=FORMULA)


def test_bounds_beyond_the_support_change_nothing():
    x = np.array([0.1, 1, 5])
    cut, whole = Truncated(LogNormal(0, 1), -3, np.inf), LogNormal(0, 1)
    assert cut.support == (0, np.inf)
    assert_allclose(cut.logpdf(x), whole.logpdf(x), rtol=FORMULA, atol=FORMULA)
    assert_allclose(cut.cdf(x), whole.cdf(x), rtol=FORMULA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((Flat(), 0, 1), r"prior of truncated = flat: cannot be truncated. Use uniform\(low, high"),
        ((OnTau2(Flat()), 0, 1), r"on_tau2\(flat\): cannot be truncated. Use uniform"),
        ((Fixed(1), 0, 2), r"fixed\(1\): cannot be truncated. Give a distribution"),
        ((Truncated(Normal(0, 1), 0, 2), 0, 1), "cannot be truncated.* its bounds once"),
        ((OnTau2(LogNormal(0, 1)), 0, 1), "cannot be truncated.* Give a distribution"),
        ((Normal(0, 1), 2, 1), "low of truncated = 2: is not below high = 1. Give low < high"),
        ((Normal(0, 1), np.inf, np.inf), "low of truncated = inf: is not below high = inf"),
        ((Normal(0, 1), np.nan, 1), "low of truncated = nan: is not finite"),
        ((Normal(0, 1), 0, True), "high of truncated = True: is not a number"),
        ((Uniform(0, 1), 2, 3), "has no mass between the bounds. Widen them"),
        ((Uniform(0, 1), 1, 3), "has no mass between the bounds"),
        ((Normal(0, 1), 50, np.inf), "has no mass between the bounds"),
    ],
)
def test_a_truncation_that_leaves_nothing_is_refused(arguments, message):
    with pytest.raises(ModelError, match=message):
        Truncated(*arguments)


@pytest.mark.parametrize("prior", [Normal(0, 1), Uniform(-1, 1), Truncated(Cauchy(0, 1), -1, 1)])
def test_a_variance_that_could_be_negative_is_refused(prior):
    with pytest.raises(ModelError, match=r"allows a negative variance. Cut it at 0, as in on_tau2"):
        OnTau2(prior)


def test_a_known_negative_variance_is_refused():
    with pytest.raises(ModelError, match=r"fixed\(-1\): allows a negative variance. Give fixed\(0"):
        OnTau2(Fixed(-1))


def test_on_tau2_twice_is_refused():
    with pytest.raises(ModelError, match=r"is on tau2 already. Give one on_tau2 only$"):
        OnTau2(OnTau2(HalfNormal(1)))


def test_empty_uniform_bounds_are_refused():
    with pytest.raises(ModelError, match=r"low of uniform = 2: is not below high = 1. Give low"):
        Uniform(2, 1)


def test_a_flat_prior_has_no_probabilities():
    for ask in (Flat().cdf, Flat().sf, Flat().quantile, OnTau2(Flat()).cdf):
        with pytest.raises(ModelError, match=r"flat prior has no probabilities; use uniform\("):
            ask(np.array([0.5]))
