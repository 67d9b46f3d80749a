"""What a posterior must do whatever the likelihood: its limits, against sums over even points."""

from dataclasses import replace

import numpy as np
import pytest
from agreement.test_three_roads import CASES as REAL
from cases import counts
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import logsumexp

import bayesmeta as bm

PROBS = [0.025, 0.5, 0.975]
AVERAGE = bm.BinomialLikelihood(bm.Normal(0, 10), baseline_of="average")


@pytest.mark.parametrize("case", [case for case in REAL if case != "RD"])
@pytest.mark.parametrize("tau", [0.0, 0.4])
def test_one_study_is_the_prior_of_its_effect_times_its_likelihood(case, tau):
    """The prior of theta is normal with variance sd^2 + tau^2; summed over even points."""
    measure, likelihood, formula, (studies, rows), _ = REAL[case]
    model = bm.Model(measure=measure, likelihood=likelihood, effect=bm.Normal(0.3, 1.1),
                     heterogeneity=bm.Fixed(tau))  # fmt: skip
    post = bm.fit(model, studies.drop(*studies.studies[1:]))
    theta = np.linspace(-9, 9, 1201)
    log = formula(rows[0], theta[:, None]) + stats.norm.logpdf(theta, 0.3, np.hypot(1.1, tau))
    evidence = logsumexp(log) + np.log(theta[1] - theta[0])
    weight = np.exp(log - logsumexp(log))
    assert_allclose(post.log_marginal_likelihood, evidence, rtol=1e-7)
    assert_allclose(post.theta.mean[0], weight @ theta, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", [case for case in REAL if case != "RD"])
def test_a_common_effect_is_the_prior_times_all_likelihoods(case):
    """By sums over even points; and heterogeneity that vanishes tends to it."""
    measure, likelihood, formula, _, (studies, rows) = REAL[case]
    model = bm.Model(measure=measure, likelihood=likelihood, effect=bm.Normal(0.3, 1.1),
                     heterogeneity=bm.Fixed(0))  # fmt: skip
    post = bm.fit(model, studies)
    theta = np.linspace(-9, 9, 1801)
    log = sum(formula(row, theta[:, None]) for row in rows) + stats.norm.logpdf(theta, 0.3, 1.1)
    weight = np.exp(log - logsumexp(log))
    mean = weight @ theta
    evidence = logsumexp(log) + np.log(theta[1] - theta[0])
    assert_allclose(post.log_marginal_likelihood, evidence, rtol=1e-7)
    assert_allclose(post.mu.mean, mean, rtol=1e-6, atol=1e-8)
    assert_allclose(post.mu.sd, np.sqrt(weight @ (theta - mean) ** 2), rtol=1e-6)
    assert_allclose(post.theta.mean, np.full(len(rows), mean), rtol=1e-6, atol=1e-8)
    small = bm.fit(replace(model, heterogeneity=bm.HalfNormal(1e-6)), studies)
    assert_allclose(small.log_marginal_likelihood, evidence, rtol=1e-6)
    assert_allclose(small.mu.mean, mean, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("likelihood", [AVERAGE, bm.BinomialLikelihood(bm.Normal(0, 10))])
def test_odds_ratios_of_many_events_agree_with_the_normal_likelihood(likelihood):
    rows = [(500_000, 10**6, 510_000, 10**6), (400_000, 10**6, 390_000, 10**6)]
    priors = {"measure": "OR", "effect": bm.Normal(0, 1), "heterogeneity": bm.HalfNormal(0.1)}
    got, want = (
        bm.fit(bm.Model(likelihood=one, **priors), counts(*rows)).mu.quantile(PROBS)
        for one in (likelihood, bm.NormalLikelihood())
    )
    assert_allclose(got, want, atol=1e-5)
