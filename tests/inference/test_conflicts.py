"""Fits of studies that contradict each other, or their priors: answered, and right."""

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose
from scipy.special import logsumexp

import bayesmeta as bm
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.studies import read_studies

EXACT = 1e-8  # the engine's own tolerance
COARSE = 5e-8  # given to it where rounding leaves no more


def table(columns, *rows):
    frame = pd.DataFrame(rows, columns=columns)
    return read_studies(frame.assign(study=[f"study {i}" for i in range(len(rows))]))


def test_a_peak_of_mu_that_small_taus_are_not_laid_about_is_found():
    """One arm of 7e7 events beside none: at tau near 0 the normal approximation is ten SDs off."""
    model = bm.Model(measure="IRR", likelihood=bm.PoissonLikelihood(bm.Normal(0, 10)),
                     effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.05))  # fmt: skip
    rows = (74022029, 38.0, 0, 42.7), (0, 357.0, 0, 211.8), (2, 2179.0, 0, 981.6)
    bound = model.bind(table(["x1i", "t1i", "x2i", "t2i"], *rows))
    post = fit_grid(bound)
    mu, log_tau = np.linspace(10, 32, 331), np.linspace(np.log(1e-11), np.log(0.6), 141)
    pairs = [a.reshape(-1) for a in np.meshgrid(mu, np.exp(log_tau))]
    total = StudyIntegral.build(bound, *pairs).log_total(*pairs)
    total += model.effect.logpdf(pairs[0]) + model.heterogeneity.logpdf(pairs[1])
    total += np.log(pairs[1] * (mu[1] - mu[0]) * (log_tau[1] - log_tau[0]))
    evidence = logsumexp(total)
    assert_allclose(post.log_marginal_likelihood, evidence, atol=EXACT)
    mass = np.exp(total - evidence)
    assert_allclose(post.mu.mean, mass @ pairs[0], rtol=EXACT)
    assert_allclose(post.tau.mean, mass @ pairs[1], rtol=EXACT)


def test_a_log_likelihood_of_minus_eleven_million_leaves_mean_and_sd_most_digits():
    """One rate for all: the events of all studies in the time of all, a gamma density."""
    model = bm.Model(measure="IRLN", likelihood=bm.OneArmLikelihood(),
                     effect=bm.Normal(0, 100), heterogeneity=bm.Fixed(0))  # fmt: skip
    events, time = np.array([1014822, 273415, 845326, 41, 9986861]), np.array([1e6] * 5)
    bound = model.bind(table(["xi", "ti"], *zip(events, time, strict=True)))
    post = fit_grid(bound, tol=COARSE)
    assert post.log_marginal_likelihood < -1.1e7
    center, sd = np.log(events.sum() / time.sum()), 1 / np.sqrt(events.sum())
    away = np.linspace(-12, 12, 481) * sd
    log = -events.sum() * (np.expm1(away) - away) - away * (away + 2 * center) / 2e4
    mass = np.exp(log) / np.exp(log).sum()
    mean = mass @ away
    assert_allclose((post.mu.mean - center - mean) / sd, 0, atol=COARSE)
    assert_allclose(post.mu.sd, np.sqrt(mass @ (away - mean) ** 2), rtol=COARSE)
