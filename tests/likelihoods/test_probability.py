"""One group on the probability scale: true probabilities within (0, 1)."""

from itertools import pairwise

import numpy as np
import pytest
from likelihoods.test_one_arm import ONE_ARM, groups, model
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from tolerances import EXACT

import bayesmeta as bm
from bayesmeta.checks.agreement import compare_posteriors
from bayesmeta.effects import get_measure
from bayesmeta.errors import ImproperPosteriorError, ModelError
from bayesmeta.random_effects import TruncatedRandomEffects

EVEN = bm.Uniform(0, 1)
TABLES = {
    "ordinary": [(3, 20), (5, 24)],
    "zero events": [(0, 15), (2, 20)],
    "all events": [(9, 9), (12, 14)],
    "both": [(0, 5), (3, 3)],
    "tiny": [(1, 2), (0, 3)],
}


def legendre(n, low=0.0, high=1.0):
    z, w = np.polynomial.legendre.leggauss(n)
    return low + (high - low) * (1 + z) / 2, (high - low) / 2 * w


def brute(rows, tau, effect=EVEN):
    """Evidence and moments by Gauss-Legendre sums in theta, mu and tau, none of which is narrow."""
    theta, w = legendre(400)
    mu, w_mu = legendre(100)
    t, w_t = legendre(60, *tau.support)
    kernel = w * np.exp(-0.5 * ((theta - mu[:, None, None]) / t[:, None]) ** 2)
    kernel /= kernel.sum(axis=-1, keepdims=True)
    g = np.array([stats.binom.pmf(x, n, theta) for x, n in rows])
    L = kernel @ g.T  # (mu, tau, study)
    mass = L.prod(axis=-1) * (np.exp(effect.logpdf(mu)) * w_mu)[:, None]
    mass = mass * np.exp(tau.logpdf(t)) * w_t
    evidence = mass.sum()
    mass /= evidence

    def below(x):
        return stats.norm.cdf((x - mu[:, None]) / t)

    effects = (kernel @ (g * theta).T) / L
    return {
        "evidence": np.log(evidence),
        "mu": mass.sum(axis=1) @ mu,
        "tau": mass.sum(axis=0) @ t,
        "new": (mass * (kernel @ theta)).sum(),
        "low": (mass * (below(0.5) - below(0.0)) / (below(1.0) - below(0.0))).sum(),
        **{f"effect {i}": (mass * effects[..., i]).sum() for i in range(len(rows))},
    }


@pytest.mark.parametrize("name", TABLES)
def test_the_common_probability_has_a_beta_posterior(name):
    rows = TABLES[name]
    post = bm.fit(model("PR", EVEN, bm.Fixed(0)), groups(rows))
    events, persons = np.sum(rows, axis=0)
    want = stats.beta(1 + events, 1 + persons - events)
    p = np.array([0.025, 0.5, 0.975])
    assert_allclose(post.mu.quantile(p), want.ppf(p), rtol=1e-10)
    assert_allclose(post.mu.mean, want.mean(), rtol=EXACT)
    norm = [stats.binom.pmf(x, n, 0.5) * 2.0**n for x, n in rows]  # binomial coefficients
    beta = stats.beta(1 + events, 1 + persons - events).pdf(0.5) * 2.0**persons
    assert_allclose(np.exp(post.log_marginal_likelihood), np.prod(norm) / beta, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_two_groups_against_plain_sums(name):
    tau = bm.Truncated(bm.HalfNormal(0.3), 0.08, 0.9)
    want = brute(TABLES[name], tau)
    post = bm.fit(model("PR", EVEN, tau), groups(TABLES[name]))
    got = {
        "evidence": post.log_marginal_likelihood,
        "mu": float(post.mu.mean),
        "tau": float(post.tau.mean),
        "new": float(post.theta_new.mean),
        "low": float(post.theta_new.cdf(0.5)),
        **{f"effect {i}": float(x) for i, x in enumerate(post.theta.mean)},
    }
    assert_allclose(list(got.values()), list(want.values()), rtol=1e-7)


@pytest.mark.slow
def test_a_new_probability_where_small_random_effects_reach_a_bound():
    """E(theta_new) is the integral of P(theta_new > t), which is computed another way."""
    post = bm.fit(model("PR", EVEN, bm.HalfNormal(0.3)), groups(TABLES["zero events"]))
    cuts = np.concatenate([[0], np.geomspace(1e-6, 0.1, 6), np.arange(0.2, 1.05, 0.2)])
    panels = [legendre(12, low, high) for low, high in pairwise(cuts)]
    t, w = (np.concatenate(x) for x in zip(*panels, strict=True))
    assert_allclose(w @ post.theta_new.sf(t), post.theta_new.mean, rtol=1e-7)
    assert_allclose(post.theta_new.cdf([0.0, 1.0]), [0, 1], atol=1e-12)
    draws = post.joint.draw(4000, np.random.default_rng(2))
    at = np.array([0.005, 0.02, 0.1, 0.3])
    of_first = draws.theta.reshape(-1, 2)[:, 0]
    for sample, cdf in (
        (draws.theta_new, post.theta_new.cdf(at)),
        (of_first, post.theta.cdf(at)[0]),
    ):
        share = (sample.reshape(-1, 1) < at).mean(axis=0)
        assert_allclose(share, cdf, atol=4.5 * np.sqrt(cdf.max() * 0.25 / 4000))


@pytest.mark.slow
def test_placebo_responders_on_the_probability_scale(golden):
    rows = golden("published_counts")["ankylosing_spondylitis"]
    tau = bm.Truncated(bm.HalfNormal(0.1), 0.03, 0.4)
    post, want = bm.fit(model("PR", EVEN, tau), groups(rows)), brute(rows, tau)
    assert_allclose(
        [post.log_marginal_likelihood, post.mu.mean, post.tau.mean, post.theta_new.mean],
        [want["evidence"], want["mu"], want["tau"], want["new"]],
        rtol=1e-7,
    )
    assert_allclose(post.theta.mean, [want[f"effect {i}"] for i in range(len(rows))], rtol=1e-7)
    assert any("mu is their location" in note for note in post.notes)


def test_exchanging_events_and_others_mirrors_the_answer():
    rows = TABLES["zero events"]
    one, other = (
        bm.fit(model("PR", EVEN, bm.Fixed(0.2)), groups(side))
        for side in (rows, [(n - x, n) for x, n in rows])
    )
    assert_allclose(one.mu.mean, 1 - other.mu.mean, rtol=EXACT)
    assert_allclose(one.log_marginal_likelihood, other.log_marginal_likelihood, rtol=EXACT)


def test_the_probability_itself_is_the_parameter():
    theta = np.array([1e-9, 0.2, 0.999])
    rows = [(0, 15), (9, 9), (400, 1000)]
    data = ONE_ARM.prepare(groups(rows), get_measure("PR"), "none")
    got = ONE_ARM.log_g(data, np.tile(theta, (3, 1)))
    want = [stats.binom.logpmf(x, n, theta) for x, n in rows]
    assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    assert_array_equal(ONE_ARM.vanishes(data), [[False, True], [True, False], [True, True]])


def test_priors_are_cut_to_probabilities():
    bound = model("PR", bm.Normal(0.3, 0.5), bm.HalfNormal(0.1)).bind(groups([(3, 20)]))
    assert bound.model.effect == bm.Truncated(bm.Normal(0.3, 0.5), 0, 1)
    assert bound.model.random_effects == TruncatedRandomEffects(0.0, 1.0)
    with pytest.raises(ModelError, match=r"fixed\(-0.1\) is outside \(0, 1\)"):
        model("PR", bm.Fixed(-0.1), bm.HalfNormal(0.1)).bind(groups([(3, 20)]))
    with pytest.raises(ImproperPosteriorError, match="PR is bounded, so no data rule out"):
        bm.fit(model("PR", EVEN, bm.Flat()), groups([(3, 20), (5, 24)]))


@pytest.mark.slow
@pytest.mark.nuts
def test_nuts_agrees_with_a_group_without_events():
    table = groups([(0, 15), (2, 20), (3, 30), (5, 24)])
    stated = model("PR", EVEN, bm.HalfNormal(0.2))
    sampled = bm.fit(stated, table, engine="nuts", rng=7)
    assert sampled.ok, sampled.accuracy.failures
    agreement = compare_posteriors(bm.fit(stated, table), sampled)
    assert agreement.ok, agreement.to_frame()
