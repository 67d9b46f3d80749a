from itertools import pairwise

import numpy as np
import pytest
from cases import counts
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from scipy.special import expit

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ModelError

TABLES = {
    "ordinary": (4, 123, 11, 139),
    "large": (505, 88391, 499, 88391),
    "zero treated": (0, 20, 5, 20),
    "zero control": (5, 20, 0, 22),
    "double zero": (0, 20, 0, 30),
    "all events": (20, 20, 12, 30),
}
OR, WIDE = get_measure("OR"), bm.Normal(0, 10)


def log_g(table, theta, baseline=WIDE):
    likelihood = bm.BinomialLikelihood(baseline=baseline)
    data = likelihood.prepare(counts(table), OR, "only0")
    return likelihood.log_g(data, np.atleast_2d(theta))[0]


def by_quadrature(table, theta, sd=10.0):
    """The same by adaptive quadrature, in the probability of the table itself."""
    r_t, n_t, r_c, n_c = table

    def f(a):
        log = stats.binom.logpmf(r_c, n_c, expit(a)) + stats.binom.logpmf(
            r_t, n_t, expit(a + theta)
        )
        return log + stats.norm.logpdf(a, 0, sd)

    grid = np.linspace(-70, 70, 14001)
    values = np.array(f(grid))
    peak, top = grid[values.argmax()], values.max()
    inside = grid[values > top - 45]
    ends = [inside[0] - 0.05, peak, inside[-1] + 0.05]
    parts = [
        integrate.quad(lambda a: np.exp(f(a) - top), lo, hi, epsabs=0, epsrel=1e-11, limit=400)[0]
        for lo, hi in pairwise(ends)
    ]
    return top + np.log(sum(parts))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("theta", [-6.0, -0.5, 0.0, 3.0])
def test_the_baseline_is_integrated_exactly(name, theta):
    assert_allclose(log_g(TABLES[name], theta), by_quadrature(TABLES[name], theta), rtol=1e-9)


def test_far_from_the_data_the_likelihood_keeps_relative_accuracy():
    theta = np.array([-40.0, 25.0])
    want = [by_quadrature(TABLES["ordinary"], t) for t in theta]
    assert_allclose(log_g(TABLES["ordinary"], theta), want, rtol=1e-8)


def test_a_student_baseline_is_integrated_too():
    table, theta = (1, 12, 3, 14), 0.4
    baseline = bm.StudentT(3, -1, 2)

    def f(a):
        likelihood = stats.binom.pmf(3, 14, expit(a)) * stats.binom.pmf(1, 12, expit(a + theta))
        return likelihood * stats.t.pdf(a, 3, -1, 2)

    want = integrate.quad(f, -60, 60, points=[-2, 0], epsrel=1e-11, limit=500)[0]
    assert_allclose(log_g(table, theta, baseline), np.log(want), rtol=1e-8)


def test_what_vanishes_where():
    likelihood = bm.BinomialLikelihood(baseline=bm.Normal(0, 10))
    data = likelihood.prepare(counts(*TABLES.values()), OR, "only0")
    want = [[True, True], [True, True], [False, True], [True, True], [False, True], [True, False]]
    assert_array_equal(likelihood.vanishes(data), want)
    # and g does what is claimed of it
    log = likelihood.log_g(data, np.tile([-60.0, -30.0, 30.0, 60.0], (6, 1)))
    assert_array_equal(np.abs(log[:, 0] - log[:, 1]) > 1e-6, np.array(want)[:, 0])
    assert_array_equal(np.abs(log[:, 3] - log[:, 2]) > 1e-6, np.array(want)[:, 1])


@given(
    st.tuples(st.integers(0, 30), st.integers(30, 60), st.integers(0, 30), st.integers(30, 60)),
    st.floats(-5, 5),
)
@settings(max_examples=25)
def test_exchanging_events_and_non_events_mirrors_theta(table, theta):
    """Under a baseline symmetric about 0."""
    r_t, n_t, r_c, n_c = table
    mirrored = (n_t - r_t, n_t, n_c - r_c, n_c)
    assert_allclose(log_g(mirrored, -theta), log_g(table, theta), rtol=1e-9)


@pytest.mark.parametrize("baseline", [bm.Flat(), bm.HalfNormal(1), bm.Fixed(0), bm.Uniform(-5, 5)])
def test_a_baseline_that_is_not_proper_on_the_whole_line_is_refused(baseline):
    with pytest.raises(
        ModelError, match=r"proper baseline prior on the whole line.*normal\(0, 10\)"
    ):
        bm.BinomialLikelihood(baseline=baseline)


def test_other_measures_are_refused_by_name():
    with pytest.raises(ModelError, match="offered for OR, RR or RD, not for PETO"):
        bm.BinomialLikelihood(baseline=bm.Normal(0, 10)).prepare(
            counts(TABLES["ordinary"]), get_measure("PETO"), "only0"
        )


def test_with_the_average_as_baseline_the_odds_ratio_is_that_of_the_nuisance_moved():
    """Given theta the average is the control log odds plus theta/2: a prior of either is one."""
    table, theta = (4, 25, 11, 30), 1.3
    average = bm.BinomialLikelihood(bm.Normal(0.3, 2), baseline_of="average")
    data = average.prepare(counts(table), OR, "only0")
    want = log_g(table, theta, bm.Normal(0.3 - theta / 2, 2))
    assert_allclose(average.log_g(data, np.array([[theta]]))[0, 0], want[0], rtol=1e-12)
