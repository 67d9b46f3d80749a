"""Poisson likelihood of rate ratios: the control arm's log rate integrated out."""

from decimal import Decimal, localcontext
from math import factorial

import numpy as np
import pandas as pd
import pytest
from cases import HALF
from cases import WIDE as EFFECT
from likelihoods.brute import TAU, mix, rectangle, reported
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ModelError

IRR = get_measure("IRR")
WIDE = bm.PoissonLikelihood(bm.Normal(0, 10))
STUDIES = {
    "ordinary": (7, 1344.0, 11, 1988.0),
    "large": (500_000, 1e6, 510_000, 0.9e6),
    "zero treated": (0, 20.0, 5, 22.0),
    "zero control": (5, 20.0, 0, 22.0),
    "double zero": (0, 20.0, 0, 30.0),
}


def rates(*rows):
    frame = pd.DataFrame(rows, columns=["x1i", "t1i", "x2i", "t2i"])
    return bm.read_studies(frame.assign(study=[f"study {i + 1}" for i in range(len(rows))]))


def model(effect=EFFECT, tau=HALF, likelihood=WIDE):
    return bm.Model(measure="IRR", likelihood=likelihood, effect=effect, heterogeneity=tau)


def log_g(row, theta, likelihood=WIDE):
    data = likelihood.prepare(rates(row), IRR, "none")
    return likelihood.log_g(data, np.atleast_2d(theta))[0]


def by_quadrature(row, theta, prior, step=0.002):
    """The two Poisson probabilities and the prior at even points of the control log rate."""
    x_t, t_t, x_c, t_c = row
    centre = np.log((x_c + 0.5) / t_c)
    a = np.arange(-130, 130, step) if x_t + x_c < 100 else centre + np.arange(-0.3, 0.3, 1e-5)
    log = stats.poisson.logpmf(x_t, t_t * np.exp(a + theta))
    return mix(log + stats.poisson.logpmf(x_c, t_c * np.exp(a)) + prior.logpdf(a), a)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("prior", [bm.Normal(0, 10), bm.StudentT(20, -2, 1.5)])
@pytest.mark.parametrize("away", [-1.0, 0.1, 2.5])
def test_the_baseline_is_integrated_exactly(name, prior, away):
    row, likelihood = STUDIES[name], bm.PoissonLikelihood(prior)
    data = likelihood.prepare(rates(row), IRR, "none")
    theta = float(data.y[0] + away * data.se[0])
    assert_allclose(log_g(row, theta, likelihood), by_quadrature(row, theta, prior), rtol=1e-9)


def test_no_digits_are_lost_where_arms_differ_by_seven_orders():
    """The events' own terms are as large as 8e8, and rounding them costs 1e-7."""
    x_t, t_t, x_c, t_c = row = (46_644_655, 4.0, 4, 4.3)
    theta, centre = np.array([14.0, 16.2]), np.log((x_t + x_c) / t_t)
    want = []
    with localcontext(prec=40):
        stirling = Decimal(x_t).ln() * (Decimal(x_t) + Decimal("0.5")) - x_t
        stirling += (2 * Decimal(np.pi)).ln() / 2 + 1 / (12 * Decimal(x_t))
        for at in theta:
            total = Decimal(0)
            for a in centre - at + np.arange(-50, 51) * 2e-5:  # 7 standard deviations
                a_t, a_c = Decimal(a) + Decimal(at), Decimal(a)
                log = x_t * (a_t + Decimal(t_t).ln()) - Decimal(t_t) * a_t.exp() - stirling
                log += x_c * (a_c + Decimal(t_c).ln()) - Decimal(t_c) * a_c.exp() - a_c**2 / 200
                total += log.exp() * Decimal("2e-5") / factorial(x_c)
            want.append(float((total / (200 * Decimal(np.pi)).sqrt()).ln()))
    assert_allclose(log_g(row, theta), want, rtol=2e-14, atol=1e-11)


def test_without_a_prior_worth_the_name_it_is_the_binomial_given_all_events():
    """exp(-u^2/2 10^-10) about nothing: x_t ~ Bin(x, t_t e^theta / (t_c + t_t e^theta))."""
    row, theta = (17, 676.0, 15, 684.0), np.linspace(-1, 1, 7)
    flat = log_g(row, theta, bm.PoissonLikelihood(bm.Normal(0, 1e6)))
    share = 676 * np.exp(theta) / (684 + 676 * np.exp(theta))
    want = stats.binom.logpmf(17, 32, share)
    assert_allclose(flat - flat[3], want - want[3], atol=1e-9)


def test_what_vanishes_where():
    names = ("ordinary", "zero treated", "zero control", "double zero")
    data = WIDE.prepare(rates(*(STUDIES[name] for name in names)), IRR, "none")
    want = [[True, True], [False, True], [True, True], [False, True]]
    assert_array_equal(WIDE.vanishes(data), want)
    far = WIDE.log_g(data, np.tile([-90.0, -60.0, 300.0, 450.0], (4, 1)))
    assert_array_equal(np.abs(far[:, 0] - far[:, 1]) > 1e-6, np.array(want)[:, 0])
    assert (far[:, 3] < far[:, 2] - 1).all()


def test_the_unit_of_time_hardly_matters_and_not_at_all_if_the_prior_moves_along():
    rows = np.array([STUDIES["ordinary"], STUDIES["zero treated"]])
    in_years = rows / np.array([1, 365.25, 1, 365.25])
    days, years = (bm.fit(model(), rates(*table)) for table in (rows, in_years))
    assert_allclose(years.mu.mean, days.mu.mean, atol=0.02 * days.mu.sd)
    moved = bm.PoissonLikelihood(bm.Normal(np.log(365.25), 10))
    same = bm.fit(model(likelihood=moved), rates(*in_years))
    assert_allclose(same.mu.quantile([0.025, 0.975]), days.mu.quantile([0.025, 0.975]), rtol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", [((1, 20.0, 6, 22.0), (0, 15.0, 3, 16.0)), ((0, 9.0, 0, 8.0), (2, 30.0, 0, 30.0))]
)
def test_zero_cells_and_two_studies_against_a_plain_rectangle(rows):
    theta = np.linspace(-24, 24, 801)
    prior = bm.Normal(-1, 2)
    g = np.array([[by_quadrature(row, t, prior, 0.04) for t in theta] for row in rows])
    want = rectangle(g, theta, bm.Normal(0, 1.5))
    post = bm.fit(model(bm.Normal(0, 1.5), TAU, bm.PoissonLikelihood(prior)), rates(*rows))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=1e-7)


def test_one_study_gives_prior_times_likelihood():
    post = bm.fit(model(bm.Normal(0, 2), bm.Fixed(0)), rates(STUDIES["zero treated"]))
    mu = np.linspace(-20, 12, 3201)
    density = log_g(STUDIES["zero treated"], mu) + stats.norm.logpdf(mu, 0, 2)
    assert_allclose(post.log_marginal_likelihood, mix(density, mu), rtol=1e-9)


def test_many_events_agree_with_the_normal_likelihood():
    table = rates((500_000, 1e6, 510_000, 1e6), (400_000, 1e6, 390_000, 1e6))
    priors = bm.Normal(0, 1), bm.HalfNormal(0.1)
    exact = bm.fit(model(*priors), table).mu.quantile([0.025, 0.5, 0.975])
    normal = bm.fit(model(*priors, bm.NormalLikelihood()), table)
    assert_allclose(exact, normal.mu.quantile([0.025, 0.5, 0.975]), atol=1e-5)


def test_dietary_fat_with_vague_priors(golden):
    """NICE TSD 2: deaths in person-years, as printed or a Monte Carlo error beside it.

    There the two treated arms of one trial have two true effects, and tell a little more of tau;
    here they are added up.
    """
    table = rates(*map(tuple, golden("published_counts")["dietary_fat"]))
    vague = bm.PoissonLikelihood(bm.Normal(0, 100))
    common = bm.fit(model(bm.Normal(0, 100), bm.Fixed(0), vague), table)
    assert_allclose(common.mu.mean, -0.01, atol=5e-3)
    assert_allclose(common.mu.sd, 0.054, atol=5e-4)
    random = bm.fit(model(bm.Normal(0, 100), bm.Uniform(0, 5), vague), table)
    assert_allclose([random.mu.mean, random.mu.sd], [-0.02, 0.09], atol=6e-3)
    assert_allclose(random.mu.interval(), [-0.19, 0.16], atol=1e-2)
    assert_allclose([random.tau.mean, random.tau.quantile(0.5)], [0.13, 0.10], atol=6e-3)
    assert_allclose(random.tau.interval(), [0.0, 0.43], atol=2.5e-2)


def test_what_cannot_be_used_is_refused():
    with pytest.raises(ModelError, match="poisson likelihood is offered for IRR, not for IRD"):
        WIDE.prepare(rates(STUDIES["ordinary"]), get_measure("IRD"), "none")
    with pytest.raises(ModelError, match=r"proper baseline prior.*log-rate scale"):
        bm.PoissonLikelihood(bm.Flat())
