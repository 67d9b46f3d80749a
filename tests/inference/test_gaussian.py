import math

import numpy as np
import pytest
from cases import PROBS, bind_normal, estimates, normal_model
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import integrate, stats
from tolerances import CLOSED, EXACT

import bayesmeta as bm
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.gaussian_nodes import condition_on_tau, rotate

EFFECT, HALF_NORMAL = bm.Normal(0, 2), bm.HalfNormal(0.5)


@st.composite
def effect_sets(draw, min_rows=1, max_rows=8):
    k = draw(st.integers(min_rows, max_rows))
    y = draw(st.lists(st.floats(-3, 3), min_size=k, max_size=k))
    v = draw(st.lists(st.floats(0.01, 2), min_size=k, max_size=k))
    return np.array(y), np.array(v)


def fit(y, v, effect=EFFECT, heterogeneity=HALF_NORMAL):
    return fit_gaussian(bind_normal(y, v, effect, heterogeneity))


def test_known_tau_and_flat_effect_is_weighted_least_squares():
    y, v, tau = np.array([0.1, 0.9, -0.4]), np.array([0.04, 0.1, 0.3]), 0.3
    post = fit(y, v, bm.Flat(), bm.Fixed(tau))
    w = 1 / (v + tau**2)
    assert_allclose(post.mu.mean, w @ y / w.sum(), rtol=CLOSED)
    assert_allclose(post.mu.sd, w.sum() ** -0.5, rtol=CLOSED)
    assert_allclose(post.theta_new.sd, (1 / w.sum() + tau**2) ** 0.5, rtol=CLOSED)


def test_one_study_with_known_tau_is_prior_times_likelihood():
    post = fit([0.7], [0.2], bm.Normal(0.1, 0.5), bm.Fixed(0))
    precision = 1 / 0.2 + 4
    assert_allclose(post.mu.mean, (0.7 / 0.2 + 0.1 * 4) / precision, rtol=CLOSED)
    assert_allclose(
        post.log_marginal_likelihood, stats.norm.logpdf(0.7, 0.1, 0.45**0.5), rtol=CLOSED
    )


@pytest.mark.slow
def test_evidence_and_mean_against_nested_quadrature():
    y, v = np.array([0.3, -0.2, 1.1]), np.array([0.1, 0.05, 0.4])
    post = fit(y, v, bm.Normal(0.2, 1.5), bm.HalfCauchy(0.4))

    def joint(mu, tau):
        w = 1 / (v + tau**2)
        log = -0.5 * (w @ (y - mu) ** 2 + ((mu - 0.2) / 1.5) ** 2)
        constant = (2 * np.pi) ** -2 / 1.5 * 2 / (np.pi * 0.4)
        return constant * math.exp(log) * math.sqrt(w.prod()) / (1 + (tau / 0.4) ** 2)

    def over_tau(power):
        def inner(tau):
            return integrate.quad(lambda mu: mu**power * joint(mu, tau), -12, 12, points=[0.2])[0]

        low = integrate.quad(inner, 0, 3, epsabs=1e-12)[0]
        return low + integrate.quad(inner, 3, np.inf, epsabs=1e-12)[0]

    evidence = over_tau(0)
    assert_allclose(post.log_marginal_likelihood, np.log(evidence), rtol=1e-7)
    assert_allclose(post.mu.mean, over_tau(1) / evidence, rtol=1e-6)


def test_full_covariance_with_known_tau_is_the_multivariate_normal():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(4, 4))
    S, y, tau, sd = A @ A.T + 0.3 * np.eye(4), rng.normal(size=4), 0.4, 1.7
    post = fit_gaussian(bind_normal(y, S, bm.Normal(0.5, sd), bm.Fixed(tau)))
    V = S + tau**2 * np.eye(4)
    one = np.ones(4)
    marginal = stats.multivariate_normal(0.5 * one, V + sd**2)
    assert_allclose(post.log_marginal_likelihood, marginal.logpdf(y), rtol=CLOSED)
    precision = one @ np.linalg.solve(V, one) + sd**-2
    mean = (one @ np.linalg.solve(V, y) + 0.5 * sd**-2) / precision
    assert_allclose(post.mu.mean, mean, rtol=CLOSED)
    # theta by conditioning the joint normal of (theta, y)
    prior = tau**2 * np.eye(4) + sd**2
    gain = prior @ np.linalg.inv(V + sd**2)
    assert_allclose(post.theta.mean, 0.5 + gain @ (y - 0.5), rtol=1e-9)
    assert_allclose(post.theta.sd, np.sqrt(np.diag(prior - gain @ prior)), rtol=1e-9)


def test_a_diagonal_covariance_is_the_same_as_variances():
    y, v = np.array([0.3, -0.2, 1.1, 0.4]), np.array([0.1, 0.05, 0.4, 0.2])
    rows, full = fit(y, v), fit(y, np.diag(v))
    assert_allclose(full.theta.quantile(PROBS), rows.theta.quantile(PROBS), rtol=EXACT)
    assert_allclose(full.log_marginal_likelihood, rows.log_marginal_likelihood, rtol=CLOSED)


def test_the_kernel_takes_any_design():
    rng = np.random.default_rng(5)
    X = np.column_stack([np.ones(6), rng.normal(size=6)])
    y, v, tau = rng.normal(size=6), rng.uniform(0.1, 0.5, 6), 0.3
    rotated, _ = rotate(y, v, X, bm.Normal(0.2, 1.5))
    given_tau = condition_on_tau(rotated, np.array([tau]))
    V = np.diag(v + tau**2)
    marginal = stats.multivariate_normal(X @ [0.2, 0.2], V + 1.5**2 * X @ X.T)
    assert_allclose(given_tau.log_likelihood, marginal.logpdf(y), rtol=CLOSED)
    precision = X.T @ np.linalg.solve(V, X) + np.eye(2) / 1.5**2
    mean = np.linalg.solve(precision, X.T @ np.linalg.solve(V, y) + 0.2 / 1.5**2)
    assert_allclose(given_tau.beta[0] + rotated.offset, mean, rtol=CLOSED)
    assert_allclose(given_tau.cov[0], np.linalg.inv(precision), rtol=CLOSED)


def test_large_effects_keep_their_digits():
    y, v = np.array([0.0, 0.1, 0.25, -0.1]), np.full(4, 0.01)
    near, far = fit(y, v, bm.Flat()), fit(y + 1e6, v, bm.Flat())
    assert_allclose(far.mu.mean - 1e6, near.mu.mean, atol=2e-9)
    assert_allclose(far.tau.quantile(PROBS), near.tau.quantile(PROBS), rtol=1e-7)
    assert far.accuracy.error > 1e-9  # and it says that y itself was rounded


@pytest.mark.parametrize("separation", [20, 40])
@pytest.mark.parametrize("tau", [0.1, 1e-6, 0.0])
def test_conflict_between_studies(separation, tau):
    """Both engines, relative accuracy in the far tail; golden -79.1-like log likelihoods."""
    table = estimates([0.0, 0.1 * separation], [0.01, 0.01])
    model = normal_model(bm.Normal(0, 2.82), bm.Fixed(tau))
    want = stats.multivariate_normal([0, 0], (0.01 + tau**2) * np.eye(2) + 2.82**2)
    for engine in ("gaussian", "grid"):
        post = bm.fit(model, table, engine=engine)
        assert_allclose(post.log_marginal_likelihood, want.logpdf([0, 0.1 * separation]), rtol=1e-9)


def test_prior_and_data_in_conflict():
    """The posterior sits where the log prior is about -100: nothing is pruned by the prior."""
    y, v = np.array([6.0, 6.2, 5.9]), np.array([0.01, 0.01, 0.02])
    post = fit(y, v, bm.Normal(0, 0.4), bm.HalfNormal(0.05))
    assert post.mu.mean > 5
    grid = bm.fit(
        normal_model(bm.Normal(0, 0.4), bm.HalfNormal(0.05)), estimates(y, v), engine="grid"
    )
    assert_allclose(grid.mu.quantile(PROBS), post.mu.quantile(PROBS), rtol=EXACT)
    assert_allclose(grid.log_marginal_likelihood, post.log_marginal_likelihood, rtol=EXACT)


def test_moments_that_do_not_exist_are_not_given():
    """k = 3, flat priors: the posterior of tau falls as tau^-2, so it has no mean."""
    post = fit([0.3, 0.5, 0.1], [0.04, 0.04, 0.02], bm.Flat(), bm.Flat())
    assert np.isnan([post.tau.mean, post.mu.mean, post.theta_new.sd]).all()
    assert "do not exist" in post.notes[-1].replace("\n", " ")
    # by symmetry-free check of the median: the cdf there is one half by an independent sum
    assert_allclose(post.mu.cdf(post.mu.quantile(0.5)), 0.5, atol=1e-10)


def test_symmetric_data_have_a_symmetric_posterior_however_heavy_the_tail():
    post = fit([0.3], [0.04], bm.Flat(), bm.HalfCauchy(0.5))
    low, mid, high = post.theta_new.quantile(PROBS)
    assert_allclose([mid, low + high], [0.3, 0.6], rtol=1e-8)


@given(effect_sets(min_rows=2), st.randoms(use_true_random=False))
@settings(max_examples=15)
def test_the_order_of_studies_does_not_matter(effects, random):
    y, v = effects
    order = np.array(random.sample(range(len(y)), len(y)))
    one, other = fit(y, v), fit(y[order], v[order])
    assert_allclose(other.mu.quantile(PROBS), one.mu.quantile(PROBS), rtol=1e-7, atol=1e-8)
    assert_allclose(other.theta.mean, one.theta.mean[order], rtol=1e-7, atol=1e-8)


@given(effect_sets())
@settings(max_examples=15)
def test_a_sign_flip_mirrors_the_posterior_under_symmetric_priors(effects):
    y, v = effects
    one, other = fit(y, v, bm.Normal(0, 2)), fit(-y, v, bm.Normal(0, 2))
    mirrored = -one.mu.quantile(PROBS)[::-1]
    assert_allclose(other.mu.quantile(PROBS), mirrored, rtol=1e-7, atol=1e-8)
    assert_allclose(other.tau.mean, one.tau.mean, rtol=1e-7)


@given(effect_sets(), st.floats(1e-3, 1e3))
@settings(max_examples=15)
def test_units_may_be_rescaled_with_the_priors(effects, unit):
    y, v = effects
    one = fit(y, v, bm.Normal(0.1, 2), bm.HalfNormal(0.5))
    other = fit(unit * y, unit**2 * v, bm.Normal(0.1 * unit, 2 * unit), bm.HalfNormal(0.5 * unit))
    assert_allclose(
        other.mu.quantile(PROBS), unit * one.mu.quantile(PROBS), rtol=1e-7, atol=1e-8 * unit
    )
    assert_allclose(other.tau.quantile(PROBS), unit * one.tau.quantile(PROBS), rtol=1e-7)


@given(effect_sets())
@settings(max_examples=15)
def test_a_duplicated_study_is_one_with_half_the_variance_at_tau_zero(effects):
    y, v = effects
    twice = fit(np.append(y, y), np.append(v, v), heterogeneity=bm.Fixed(0))
    half = fit(y, v / 2, heterogeneity=bm.Fixed(0))
    assert_allclose(twice.mu.mean, half.mu.mean, rtol=1e-9, atol=1e-12)
    assert_allclose(twice.mu.sd, half.mu.sd, rtol=1e-9)


@given(effect_sets(min_rows=2))
@settings(max_examples=15)
def test_a_vanishing_heterogeneity_prior_is_the_common_effect(effects):
    y, v = effects
    small, none = fit(y, v, heterogeneity=bm.HalfNormal(1e-9)), fit(y, v, heterogeneity=bm.Fixed(0))
    assert_allclose(small.mu.quantile(PROBS), none.mu.quantile(PROBS), rtol=1e-6, atol=1e-8)
    assert_allclose(
        small.log_marginal_likelihood, none.log_marginal_likelihood, rtol=1e-7, atol=1e-9
    )


@given(effect_sets(min_rows=2, max_rows=4))
@settings(max_examples=10)
def test_a_wide_effect_prior_tends_to_the_flat_one(effects):
    y, v = effects
    wide, flat = fit(y, v, bm.Normal(0, 1e5)), fit(y, v, bm.Flat())
    assert_allclose(wide.mu.quantile(PROBS), flat.mu.quantile(PROBS), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_draws_follow_their_marginals():
    y, v = np.array([0.3, -0.2, 1.1, 0.4]), np.array([0.1, 0.05, 0.4, 0.2])
    post = fit(y, v)
    draws = post.joint.draw(20_000, np.random.default_rng(2))
    for name, marginal in post.marginals.items():
        pit = marginal.cdf(getattr(draws, name).ravel()[::40])
        assert stats.kstest(pit, "uniform").pvalue > 1e-3
    z = (draws.theta.mean(axis=(0, 1)) - post.theta.mean) / (post.theta.sd / 20_000**0.5)
    assert np.abs(z).max() < 4


def test_draws_are_joint():
    """At a known tau, mu and theta are jointly normal, with a covariance in closed form."""
    y, v, tau = np.array([0.3, -0.2, 1.1]), np.array([0.1, 0.05, 0.4]), 0.3
    post = fit(y, v, bm.Normal(0, 2), bm.Fixed(tau))
    draws = post.joint.draw(40_000, np.random.default_rng(3))
    mu_variance = 1 / ((1 / (v + tau**2)).sum() + 1 / 4)
    want = v / (v + tau**2) * mu_variance  # cov(mu, theta_i)
    got = [np.cov(draws.mu.ravel(), draws.theta[..., i].ravel())[0, 1] for i in range(3)]
    assert_allclose(got, want, rtol=0.04)
