"""Binomial likelihood of risk differences: effects within (-1, 1)."""

import numpy as np
import pytest
from cases import counts
from likelihoods.brute import between, mix, rectangle
from likelihoods.test_risks import risk_of_control
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ImproperPosteriorError, ModelError
from bayesmeta.random_effects import StudentRandomEffects, TruncatedRandomEffects

WIDE, RD = bm.BinomialLikelihood(bm.Normal(0, 10)), get_measure("RD")
PRIOR, SMALL = bm.Normal(0, 0.5), bm.HalfNormal(0.1)
TABLES = {
    "ordinary": (4, 123, 11, 139),
    "zero treated": (0, 20, 5, 20),
    "double zero": (0, 20, 0, 30),
    "all events in one arm": (12, 20, 30, 30),
}
PHI = np.linspace(-95, 95, 95_001)


def model(effect=PRIOR, tau=SMALL, **options):
    return bm.Model(measure="RD", likelihood=WIDE, effect=effect, heterogeneity=tau, **options)


def log_g(table, theta):
    data = WIDE.prepare(counts(table), RD, "only0")
    return WIDE.log_g(data, np.atleast_2d(theta))[0]


def by_quadrature(table, theta, phi=PHI):
    r_t, n_t, r_c, n_c = table
    p_c = np.clip(risk_of_control("RD", theta, phi), 1e-300, 1 - 1e-16)
    p_t = np.clip(p_c + theta, 1e-300, 1 - 1e-16)
    log = stats.binom.logpmf(r_c, n_c, p_c) + stats.binom.logpmf(r_t, n_t, p_t)
    return mix(log + stats.norm.logpdf(phi, 0, 10), phi)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("theta", [-0.6, -0.05, 0.0, 0.3])
def test_the_risk_difference_is_integrated_exactly(name, theta):
    """The textbook's control risk cancels where it is small: 7 digits."""
    assert_allclose(log_g(TABLES[name], theta), by_quadrature(TABLES[name], theta), rtol=1e-7)


@pytest.mark.parametrize("theta", [0.001, 0.07, 0.9])
def test_exchanging_the_arms_changes_the_sign_and_nothing_else(theta):
    table = (3, 40, 9, 45)
    swapped = (*table[2:], *table[:2])
    assert_allclose(log_g(swapped, -theta), log_g(table, theta), rtol=1e-12)


@pytest.mark.slow
def test_two_studies_against_a_plain_rectangle():
    rows, tau = ((5, 20, 11, 22), (4, 15, 6, 16)), bm.Truncated(bm.HalfNormal(0.3), 0.05, 0.8)
    theta, weight = between(-1, 1, 400)
    g = np.array([[by_quadrature(row, t, PHI[::50]) for t in theta] for row in rows])
    cut = bm.Truncated(PRIOR, -1, 1)
    want = rectangle(g, theta, cut, tau, mu=(-1, 1), points=120, weight=weight)
    post = bm.fit(model(tau=tau), counts(*rows))
    assert_allclose(post.log_marginal_likelihood, want["evidence"], rtol=2e-7)
    assert_allclose([post.mu.mean, post.mu.sd, post.tau.mean],
                    [want["mu"], want["sd"], want["tau"]], rtol=2e-7)  # fmt: skip


@pytest.mark.slow
def test_six_trials_with_few_events():
    """Mean 0.0296 by an independent sampler, and Mantel-Haenszel 0.0281."""
    post = bm.fit(model(), bm.load("hine1989"))
    assert_allclose(post.mu.mean, 0.0296, atol=1e-4)
    assert post.accuracy.error < 1e-8
    assert any("mu is their location" in note for note in post.notes)
    assert_allclose(post.theta_new.cdf([-1.0, 1.0]), [0, 1], atol=1e-9)
    draws = post.joint.draw(4000, np.random.default_rng(3)).theta_new
    assert np.abs(draws).max() < 1
    assert_allclose(draws.mean(), post.theta_new.mean, atol=4 * post.theta_new.sd / 4000**0.5)


def test_many_events_agree_with_the_normal_likelihood():
    table = counts((500_000, 10**6, 510_000, 10**6), (400_000, 10**6, 390_000, 10**6))
    tau = bm.HalfNormal(0.01)  # the bounds are far away
    normal = bm.Model(
        measure="RD", likelihood=bm.NormalLikelihood(), effect=PRIOR, heterogeneity=tau
    )
    got = bm.fit(model(tau=tau), table).mu.quantile([0.025, 0.5, 0.975])
    assert_allclose(got, bm.fit(normal, table).mu.quantile([0.025, 0.5, 0.975]), atol=1e-5)


@pytest.mark.parametrize(("mu", "tau"), [(0.3, 0.7), (-0.95, 0.2), (0.0, 0.01)])
def test_a_cut_normal_has_its_mass_and_its_draws(mu, tau):
    form = TruncatedRandomEffects(-1.0, 1.0)
    want = quad(lambda x: stats.norm.pdf(x, mu, tau), -1, 1, points=[mu], epsrel=1e-12)[0]
    assert_allclose(np.exp(form.log_inside(np.array(mu), np.array(tau))), want, rtol=1e-10)
    draws = form.draw_new(np.full(4000, mu), np.full(4000, tau), np.random.default_rng(1))
    cut = stats.truncnorm((-1 - mu) / tau, (1 - mu) / tau, mu, tau)
    assert stats.kstest(draws, cut.cdf).pvalue > 1e-3


def test_the_prior_of_mu_is_cut_with_the_effects():
    bound = model().bind(bm.load("hine1989"))
    assert bound.model.effect == bm.Truncated(PRIOR, -1, 1)
    assert model(bm.Flat()).bind(bm.load("hine1989")).model.effect == bm.Uniform(-1, 1)
    inside = bm.Uniform(-0.5, 0.2)
    assert model(inside).bind(bm.load("hine1989")).model.effect == inside


def test_what_leaves_the_bounds_is_refused():
    with pytest.raises(ModelError, match=r"fixed\(2\) is outside \(-1, 1\)"):
        model(bm.Fixed(2)).bind(bm.load("hine1989"))
    with pytest.raises(ModelError, match=r"RD lies in \(-1, 1\), which.*t\(4\).*normal ones"):
        model(random_effects=StudentRandomEffects(4)).bind(bm.load("hine1989"))
    with pytest.raises(ImproperPosteriorError, match="no data rule out a large tau"):
        bm.fit(model(tau=bm.Flat()), bm.load("hine1989"))
