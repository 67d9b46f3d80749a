"""t likelihoods of estimates, and of the difference of two means."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from cases import estimates
from likelihoods.brute import TAU, rectangle, reported
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ModelError
from bayesmeta.inference.propriety import find_tail_order

STUDENT = bm.StudentLikelihood()
MEANS = ["m1i", "sd1i", "n1i", "m2i", "sd2i", "n2i"]
ARMS = {
    "ordinary": (5.0, 2.0, 12, 4.0, 3.0, 15),
    "two patients": (1.0, 0.5, 2, 0.0, 4.0, 2),
    "unequal": (0.0, 0.1, 400, 1.0, 6.0, 3),
}


def means(*rows):
    labels = [f"study {i + 1}" for i in range(len(rows))]
    return bm.read_studies(pd.DataFrame(rows, columns=MEANS).assign(study=labels))


def model(effect, tau, likelihood=STUDENT, measure="MD"):
    return bm.Model(measure=measure, likelihood=likelihood, effect=effect, heterogeneity=tau)


def by_convolution(row, theta):
    """The two t densities of the means, over the control arm's true mean, piece by piece."""
    m1, sd1, n1, m2, sd2, n2 = row
    se = sd1 / n1**0.5, sd2 / n2**0.5

    def f(b):
        return stats.t.pdf(b, n1 - 1, m1 - theta, se[0]) * stats.t.pdf(b, n2 - 1, m2, se[1])

    steps = np.array([0.0, 5.0, 100.0, 1e4, 1e7])
    edges = [c + side * s * steps for c in (m1 - theta, m2) for s in se for side in (-1, 1)]
    edges = np.unique(np.concatenate([*edges, [(m1 - theta + m2) / 2]]))
    return np.log(sum(quad(f, *p, epsabs=0, epsrel=1e-11, limit=200)[0] for p in pairwise(edges)))


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("away", [0.0, 0.8, -5.0, 60.0])
def test_a_mean_difference_is_the_convolution_of_two_t_densities(name, away):
    data = STUDENT.prepare(means(ARMS[name]), get_measure("MD"), "none")
    theta = float(data.y[0] + away * data.se[0])
    got = STUDENT.log_g(data, np.array([[theta]]))[0, 0]
    assert_allclose(got, by_convolution(ARMS[name], theta), rtol=1e-9)


@pytest.mark.parametrize("away", [0.0, 1.5, 40.0])
def test_two_cauchy_means_make_a_cauchy(away):
    """n = 2 in both arms: df 1, where the convolution has a closed form; scales add up."""
    data = STUDENT.prepare(means(ARMS["two patients"]), get_measure("MD"), "none")
    scale = (0.5 + 4.0) / 2**0.5
    got = STUDENT.log_g(data, np.array([[1.0 + away]]))[0, 0]
    assert_allclose(got, stats.cauchy.logpdf(away, 0, scale), rtol=1e-11)


def test_estimates_are_t_with_the_degrees_of_freedom_of_the_table_or_of_the_model():
    y, v, df = [0.3, -0.2], [0.04, 0.2], [3, 11]
    frame = pd.DataFrame({"study": ["a", "b"], "yi": y, "vi": v})
    theta = np.tile([-1.0, 0.1, 4.0], (2, 1))
    from_table = STUDENT.prepare(bm.read_studies(frame.assign(df=df)), get_measure("GEN"), "none")
    want = [stats.t.logpdf(theta[i], df[i], y[i], v[i] ** 0.5) for i in (0, 1)]
    assert_allclose(STUDENT.log_g(from_table, theta), want, rtol=1e-12)
    given = bm.StudentLikelihood(df=5)
    data = given.prepare(bm.read_studies(frame), get_measure("GEN"), "none")
    want = [stats.t.logpdf(theta[i], 5, y[i], v[i] ** 0.5) for i in (0, 1)]
    assert_allclose(given.log_g(data, theta), want, rtol=1e-12)


@pytest.mark.slow
def test_two_estimates_against_a_plain_rectangle():
    theta = np.linspace(-60, 60, 2001)
    y, v = np.array([0.4, -1.0]), np.array([0.3, 0.5])
    g = np.stack([stats.t.logpdf(theta, 4, y[i], v[i] ** 0.5) for i in (0, 1)])
    want = rectangle(g, theta, bm.Normal(0, 1))
    post = bm.fit(model(bm.Normal(0, 1), TAU, bm.StudentLikelihood(df=4), "GEN"), estimates(y, v))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=1e-7)


def test_many_patients_agree_with_the_normal_likelihood():
    table = means((5.0, 2.0, 10**6, 4.0, 3.0, 10**6), (6.0, 2.0, 10**6, 4.9, 3.0, 10**6))
    priors = bm.Normal(0, 3), bm.HalfNormal(0.1)
    got = bm.fit(model(*priors), table).mu.quantile([0.025, 0.975])
    want = bm.fit(model(*priors, bm.NormalLikelihood()), table).mu.quantile([0.025, 0.975])
    assert_allclose(got, want, atol=1e-5)


def test_the_tails_of_the_estimates_bound_the_moments_of_mu():
    """One Cauchy estimate under a flat prior: mu has no mean, though tau is light-tailed."""
    table = estimates([0.3], [0.1])
    bound = model(bm.Flat(), bm.HalfNormal(1), bm.StudentLikelihood(df=1), "GEN").bind(table)
    assert find_tail_order(bound).of_mu == 2
    two = estimates([0.3, 0.5], [0.1, 0.1])
    bound = model(bm.Flat(), bm.HalfNormal(1), bm.StudentLikelihood(df=1), "GEN").bind(two)
    assert find_tail_order(bound).has_moment(2, of_mu=True)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(ModelError, match=r"has no column df of numbers\. Add it, or give df = 7"):
        STUDENT.prepare(estimates([0.1], [0.2]), get_measure("GEN"), "none")
    with pytest.raises(ModelError, match=r"degrees of freedom of means are their sizes less 1"):
        bm.StudentLikelihood(df=4).prepare(means(ARMS["ordinary"]), get_measure("MD"), "none")
    with pytest.raises(ModelError, match="student likelihood is offered for MD, not for SMD"):
        STUDENT.prepare(means(ARMS["ordinary"]), get_measure("SMD"), "none")
    with pytest.raises(ModelError, match=r"df = -1 is no degrees of freedom"):
        bm.StudentLikelihood(df=-1)
    frame = pd.DataFrame({"study": ["a"], "yi": [0.1], "vi": [0.2], "df": [0]})
    with pytest.raises(ModelError, match="must be above 0; they are not in a"):
        STUDENT.prepare(bm.read_studies(frame), get_measure("GEN"), "none")


def test_the_degrees_of_freedom_survive_their_text():
    one = model(bm.Normal(0, 1), bm.HalfNormal(1), bm.StudentLikelihood(df=4.5), "GEN")
    assert bm.Model.from_text(**one.as_text()) == one
    with pytest.raises(ModelError, match="'four' is not a number"):
        bm.Model.from_text(**(one.as_text() | {"df": "four"}))


def test_a_small_mode_of_the_share_of_variance_is_not_missed():
    """Far from the data log g is smooth: its fourth differences are of the fourth power of 1/300.

    The variance of either arm may account for all of it, which makes two modes.
    """
    data = (
        model(bm.Normal(0, 1), bm.HalfNormal(1))
        .bind(means((0.0, 0.00080191 * 5**0.5, 5, 0.0, 0.00040473 * 3**0.5, 3)))
        .data
    )
    away = np.exp(np.linspace(np.log(100), np.log(1e4), 1400))
    log_g = STUDENT.log_g(data, away[None] * 0.00089825)
    assert np.abs(np.diff(log_g[0], 4)).max() < 1e-8
