from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import quad

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.tau2 import quadratic_form
from bayesmeta.frequentist.tau2.quadratic_form import mixture_cdf, mixture_cdf_slope

ABSOLUTE = 1e-13  # what the docstring promises


@pytest.mark.parametrize("terms", [1, 2, 3, 7, 30, 200])
def test_equal_weights_give_a_chi_squared_distribution(terms):
    p = np.array([1e-9, 1e-3, 0.025, 0.3, 0.5, 0.9, 0.975, 0.9999])
    q = 2.5 * stats.chi2.ppf(p, terms)
    assert_allclose(mixture_cdf(q, np.full((8, terms), 2.5)), p, rtol=0, atol=ABSOLUTE)


@pytest.mark.slow
@pytest.mark.parametrize("weights", [(1.0, 2, 5, 9), (0.1, 2, 5, 9, 100), (3.0, 3, 0.5)])
def test_it_is_the_integral_of_imhof(weights):
    w = np.array(weights)
    for q in (0.2 * w.sum(), w.sum(), 3 * w.sum()):

        def integrand(u, q=q):
            angle = 0.5 * np.arctan(w * u).sum() - 0.5 * q * u
            return np.sin(angle) / (u * np.prod((1 + (w * u) ** 2) ** 0.25))

        nodes = np.linspace(0, 2000 / w.max(), 400)
        area = sum(quad(integrand, a, b, epsabs=1e-13)[0] for a, b in pairwise(nodes))
        assert_allclose(mixture_cdf(np.array(q), w), 0.5 - area / np.pi, rtol=0, atol=3e-4)


def test_two_weights_against_a_plain_integral():
    # P(a X + b Y <= q) = E P(X <= (q - b Y) / a), with Y = z^2
    a, b, q = 1.0, 40.0, 25.0
    inner, _ = quad(
        lambda z: stats.chi2.cdf((q - b * z**2) / a, 1) * stats.norm.pdf(z),
        -np.sqrt(q / b), np.sqrt(q / b), epsabs=1e-13,
    )  # fmt: skip
    assert_allclose(mixture_cdf(np.array(q), np.array([a, b])), inner, rtol=0, atol=1e-10)


def test_weights_twelve_powers_of_ten_apart():
    weights = np.array([1e12, 1.0, 1e-3])
    found = mixture_cdf(np.array([1e12, 3e12]), np.stack([weights, weights]))
    assert_allclose(found, stats.chi2.cdf([1, 3], 1), rtol=0, atol=1e-11)


def test_nothing_is_below_zero():
    assert mixture_cdf(np.array(0.0), np.ones(3)) == 0.0


def test_the_slope_is_a_difference_quotient():
    q, weights, change = np.array(7.0), np.array([1.0, 2.0, 4.0]), np.array([0.5, 1.0, 3.0])
    step = 1e-5
    up, down = (mixture_cdf(q, weights + s * change) for s in (step, -step))
    found = mixture_cdf_slope(q, weights, change)
    assert_allclose(found, (up - down) / (2 * step), rtol=1e-7)


def test_too_few_nodes_are_not_let_pass(monkeypatch):
    monkeypatch.setattr(quadratic_form, "_STEP", 3.0)
    with pytest.raises(NotEstimableError, match="generalised Q statistic was not found to 1e-10"):
        mixture_cdf(np.array(3.0), np.array([1.0, 2.0]))
