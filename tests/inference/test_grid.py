import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import PROBS, binomial_model, counts, estimates, normal_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from tolerances import EXACT

import bayesmeta as bm
from bayesmeta.errors import AccuracyError, ImproperPosteriorError, NotExactError
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.plane import first_plane
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.inference.replan import _move_line
from bayesmeta.inference.surface import _match_rows, evaluate_plane

BCG = bm.load("bcg")


def brute_force(model, table, mu, tau):
    """Joint density on a plain rectangle of (mu, tau), L_i by 2 401 even points of theta."""
    bound = model.bind(table)
    theta = np.linspace(-40, 40, 8001)
    log_g = model.likelihood.log_g(bound.data, np.tile(theta, (len(bound.studies), 1)))
    g = np.exp(log_g - log_g.max(axis=1, keepdims=True))
    kernel = np.exp(-0.5 * ((theta - mu[:, None, None]) / tau[:, None]) ** 2)
    kernel = kernel / (tau[:, None] * np.sqrt(2 * np.pi)) * (theta[1] - theta[0])
    log = np.log(np.einsum("mtj,ij->imt", kernel, g)).sum(axis=0) + log_g.max(axis=1).sum()
    return log + model.effect.logpdf(mu)[:, None] + model.heterogeneity.logpdf(tau)


@pytest.mark.slow
def test_two_studies_with_a_zero_cell_against_a_plain_rectangle():
    """Far more nodes, another map, no tables: tau >= 0.1 keeps the plain sums accurate."""
    model = binomial_model(bm.Normal(0, 1.5), bm.Truncated(bm.HalfNormal(0.8), 0.1, 2.5))
    table = counts((1, 20, 6, 22), (0, 15, 3, 16))
    post = bm.fit(model, table)
    z, w = np.polynomial.legendre.leggauss(60)
    tau, mu = 1.3 + 1.2 * z, np.linspace(-13, 11, 241)
    density = np.exp(brute_force(model, table, mu, tau)) * (1.2 * w)
    total = density.sum() * (mu[1] - mu[0])
    of_mu = density.sum(axis=1) * (mu[1] - mu[0]) / total
    assert_allclose(post.log_marginal_likelihood, np.log(total), rtol=1e-8)
    assert_allclose(post.mu.mean, of_mu @ mu, rtol=1e-7)
    assert_allclose(post.mu.sd, np.sqrt(of_mu @ (mu - of_mu @ mu) ** 2), rtol=1e-7)
    assert_allclose(post.tau.mean, density.sum(axis=0) @ tau * (mu[1] - mu[0]) / total, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effect", "frozen"),
    [
        (bm.Cauchy(0.1, 0.3), stats.cauchy(0.1, 0.3)),
        (bm.StudentT(4, 0.2, 0.5), stats.t(4, 0.2, 0.5)),
        (bm.Uniform(-0.5, 1.5), stats.uniform(-0.5, 2)),
        (bm.HalfNormal(0.7), stats.halfnorm(scale=0.7)),
    ],
)
def test_any_effect_prior_under_the_normal_likelihood(effect, frozen):
    y, v = np.array([0.4, -0.1, 0.7]), np.array([0.05, 0.08, 0.2])
    post = bm.fit(normal_model(effect, bm.HalfNormal(0.5)), estimates(y, v))
    assert post.engine == "grid"

    def of_mu(mu):
        def inner(tau):
            w = 1 / (v + tau**2)
            return math.sqrt(w.prod()) * math.exp(-0.5 * (w @ (y - mu) ** 2 + (tau / 0.5) ** 2))

        constant = (2 * np.pi) ** -1.5 * (2 / np.pi) ** 0.5 / 0.5
        return constant * frozen.pdf(mu) * integrate.quad(inner, 0, 5, epsrel=1e-10)[0]

    edges = np.clip([-6, -1, 0.2, 1, 6], *np.nan_to_num(effect.support, posinf=6, neginf=-6))
    pieces = [p for p in pairwise(edges) if p[1] > p[0]]
    evidence, mean = (
        sum(integrate.quad(weighted, *p, epsrel=1e-9)[0] for p in pieces)
        for weighted in (of_mu, lambda m: m * of_mu(m))
    )
    assert_allclose(post.log_marginal_likelihood, np.log(evidence), rtol=1e-6)
    assert_allclose(post.mu.mean, mean / evidence, rtol=1e-5)


def test_all_double_zero_studies_fit_with_proper_priors():
    table = counts((0, 20, 0, 20), (0, 30, 0, 30))
    post = bm.fit(binomial_model(), table)
    assert post.accuracy.error < 1e-8
    prior = bm.Normal(0, 2.82)
    # nearly no information: no more than a nudge from the prior, towards lower effects
    assert -1.5 < post.mu.mean < 0
    assert_allclose(post.mu.sd, prior.sd, rtol=0.15)


def test_all_double_zero_studies_raise_under_a_flat_effect():
    with pytest.raises(ImproperPosteriorError, match="no study rules out arbitrarily low effects"):
        bm.fit(binomial_model(bm.Flat()), counts((0, 20, 0, 20), (0, 30, 0, 30)))


def test_one_zero_cell_study_is_prior_times_likelihood():
    """With tau = 0, one dimension is left: g(mu) times the prior."""
    model = binomial_model(bm.Normal(0, 2), bm.Fixed(0))
    table = counts((0, 20, 5, 20))
    post = bm.fit(model, table)
    data = model.bind(table).data

    def density(mu):
        g = np.exp(model.likelihood.log_g(data, np.array([[mu]]))[0, 0])
        return g * stats.norm.pdf(mu, 0, 2)

    evidence = integrate.quad(density, -20, 15, points=[-3, 0], epsrel=1e-10, limit=200)[0]
    below = integrate.quad(density, -20, -2, points=[-5], epsrel=1e-10, limit=200)[0]
    assert_allclose(post.log_marginal_likelihood, np.log(evidence), rtol=1e-8)
    assert_allclose(post.mu.cdf(-2.0), below / evidence, rtol=1e-7)


def test_known_mu_and_known_tau():
    both = bm.fit(binomial_model(bm.Fixed(-0.5), bm.Fixed(0.3)), BCG)
    assert_allclose([both.mu.mean, both.tau.mean], [-0.5, 0.3])
    assert_allclose(both.theta_new.quantile(0.975), -0.5 + 0.3 * stats.norm.ppf(0.975), rtol=EXACT)
    # the evidence of a free tau is the average of the evidences of known ones
    tau = bm.Truncated(bm.HalfNormal(0.5), 0.2, 2.0)
    free = bm.fit(binomial_model(bm.Fixed(-0.5), tau), BCG)
    z, w = np.polynomial.legendre.leggauss(24)
    nodes = 1.1 + 0.9 * z
    known = [
        bm.fit(binomial_model(bm.Fixed(-0.5), bm.Fixed(t)), BCG).log_marginal_likelihood
        for t in nodes
    ]
    weight = 0.9 * w * np.exp(tau.logpdf(nodes))
    want = np.log(np.exp(np.array(known) + 150) @ weight) - 150
    assert_allclose(free.log_marginal_likelihood, want, rtol=1e-8)


@pytest.mark.parametrize("tau", [bm.HalfNormal(0.5), bm.Fixed(0.3), bm.Fixed(0)])
def test_study_effects_under_a_known_mu_are_those_of_the_gaussian_engine(tau):
    model = normal_model(bm.Fixed(-0.5), tau, "OR")
    grid, gaussian = (bm.fit(model, BCG, engine=engine).theta for engine in ("grid", "gaussian"))
    assert_allclose(grid.mean, gaussian.mean, rtol=EXACT)
    assert_allclose(grid.sd, gaussian.sd, rtol=EXACT, atol=1e-12)
    x = np.array([-1.3, -0.6, 0.2])
    assert_allclose(grid.cdf(x), gaussian.cdf(x), rtol=EXACT, atol=EXACT)


def test_study_effects_of_counts_under_a_known_mu_and_tau_are_prior_times_likelihood():
    table = counts((0, 20, 5, 20), (3, 41, 0, 44))
    model = binomial_model(bm.Fixed(-0.5), bm.Fixed(0.8))
    post = bm.fit(model, table)
    data = model.bind(table).data
    z, w = np.polynomial.legendre.leggauss(200)
    sums = []
    for low, high in ((-8, -1), (-1, 7)):
        theta = (low + high) / 2 + (high - low) / 2 * z
        density = np.exp(model.likelihood.log_g(data, np.tile(theta, (2, 1))))
        density = density * stats.norm.pdf(theta, -0.5, 0.8) * (high - low) / 2
        sums.append((density @ w, density @ (w * theta)))
    (below, mean_below), (above, mean_above) = sums
    assert_allclose(post.theta.mean, (mean_below + mean_above) / (below + above), rtol=1e-8)
    assert_allclose(post.theta.cdf(-1.0), below / (below + above), rtol=1e-8)


def test_study_effects_of_counts_are_shrunk_and_integrate():
    post = bm.fit(binomial_model(), BCG)
    raw = post.bound.data.y
    between = (post.theta.mean - raw) * (float(post.mu.mean) - raw)
    assert (between[np.abs(raw - post.mu.mean) > 0.1] > 0).all()
    # the mean of theta_i by the law of total expectation over draws of (mu, tau)
    draws = post.joint.draw(20_000, np.random.default_rng(1))
    z = (draws.theta.mean(axis=(0, 1)) - post.theta.mean) / (post.theta.sd / 20_000**0.5)
    assert np.abs(z).max() < 4


@pytest.mark.slow
def test_rows_kept_by_a_moved_plane_are_those_that_would_be_summed():
    bound = binomial_model().bind(BCG)
    tails = find_tail_order(bound)
    first = evaluate_plane(bound, first_plane(bound, tails), tails)
    lower = first.plane.v_low - 4 * first.plane.v_step
    longer = _move_line(first.plane, bound, lower, first.plane.v_high, first.plane.n_tau + 4)
    moved = replace(longer, x_low=longer.x_low - 0.5 * (np.arange(longer.n_tau) == 20))
    row, same = _match_rows(moved, first.plane)
    assert_array_equal(np.flatnonzero(~same), [0, 1, 2, 3, 20])
    assert_array_equal(row[4:], np.arange(first.plane.n_tau))
    kept = evaluate_plane(bound, moved, tails, first.integral, first)
    anew = evaluate_plane(bound, moved, tails)
    assert_allclose(kept.log_evidence, anew.log_evidence, atol=1e-10)
    assert_allclose(kept.mass, anew.mass, atol=1e-11)
    assert_allclose(kept.total, anew.total, atol=EXACT)


def test_draws_follow_their_marginals():
    post = bm.fit(binomial_model(), counts((1, 20, 6, 22), (0, 15, 3, 16), (4, 30, 5, 31)))
    draws = post.joint.draw(20_000, np.random.default_rng(5))
    for name, marginal in post.marginals.items():
        sample = getattr(draws, name).ravel()[::100]
        assert stats.kstest(marginal.cdf(sample), "uniform").pvalue > 1e-3
    z = (draws.theta.mean(axis=(0, 1)) - post.theta.mean) / (post.theta.sd / 20_000**0.5)
    assert np.abs(z).max() < 4


def test_a_tolerance_that_cannot_be_met_raises():
    with pytest.raises(AccuracyError, match="tol 1e-15"):
        fit_grid(binomial_model().bind(BCG), tol=1e-15)


def test_large_and_rare_counts():
    """10^6 patients: many events agree with the normal likelihood."""
    table = counts((500_000, 10**6, 510_000, 10**6), (400_000, 10**6, 390_000, 10**6))
    exact = bm.fit(binomial_model(bm.Normal(0, 1), bm.HalfNormal(0.1)), table)
    normal = bm.fit(normal_model(bm.Normal(0, 1), bm.HalfNormal(0.1), "OR"), table)
    assert_allclose(exact.mu.quantile(PROBS), normal.mu.quantile(PROBS), atol=1e-5)
    assert_allclose(exact.tau.quantile(PROBS), normal.tau.quantile(PROBS), rtol=1e-4)
    rare = bm.fit(binomial_model(), counts((1, 10**6, 2, 10**6), (0, 10**6, 5, 10**6)))
    assert rare.accuracy.error < 1e-8


def test_correlated_rows_are_refused_by_name():
    from cases import bind_normal

    bound = bind_normal([0.1, 0.2], [[0.1, 0.02], [0.02, 0.1]], bm.Cauchy(0, 1), bm.HalfNormal(1))
    with pytest.raises(NotExactError, match="independent studies"):
        fit_grid(bound)
