"""Sums over true effects where random problems have found them wrong, against plain sums."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from cases import counts
from numpy.testing import assert_allclose
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.inference.grid import fit_grid
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.studies import read_studies


def estimates(*rows):
    frame = pd.DataFrame(rows, columns=["yi", "vi", "df"])
    return read_studies(frame.assign(study=[f"study {i}" for i in range(len(frame))]))


def log_integral(bound, mu, tau):
    """Of the one study: the integrand in pieces about its peak and about mu."""
    y, se = float(bound.data.y[0]), float(bound.data.se[0])

    def log_f(theta):
        log_g = bound.model.likelihood.log_g(bound.data, np.array([[theta]]))[0, 0]
        return log_g - 0.5 * ((theta - mu) / tau) ** 2 - np.log(tau * np.sqrt(2 * np.pi))

    cuts = np.concatenate([y + se * np.array([-99, -9, -3, 0, 3, 9, 99]), [0.0],
                           mu + tau * np.array([-12, -6, -2, 0, 2, 6, 12])])  # fmt: skip
    cuts = np.unique(cuts[(cuts >= mu - 12 * tau) & (cuts <= mu + 12 * tau)
                          | (np.abs(cuts - y) <= 99 * se)])  # fmt: skip
    top = max(log_f(theta) for theta in np.linspace(cuts[0], cuts[-1], 2001))
    parts = [quad(lambda t: np.exp(log_f(t) - top), a, b, epsabs=1e-13, epsrel=1e-12, limit=200)[0]
             for a, b in pairwise(cuts)]  # fmt: skip
    return top + np.log(sum(parts))


@pytest.mark.parametrize(("mu", "tau"), [(-0.0131, 0.00024), (0.0078, 0.00024), (0.5, 0.002)])
def test_a_power_tail_far_from_its_study_has_a_second_peak(mu, tau):
    """Tau is 20 standard errors, mu 60 tau away: the study's own nodes miss the peak at mu."""
    model = bm.Model(measure="GEN", likelihood=bm.StudentLikelihood(), effect=bm.Flat(),
                     heterogeneity=bm.HalfCauchy(0.3))  # fmt: skip
    bound = model.bind(estimates((0.001, 1.17e-5**2, 3.0)))
    pair = np.array([mu]), np.array([tau])
    got = StudyIntegral.build(bound, *pair).log_likelihood(*pair)[0, 0]
    assert_allclose(got, log_integral(bound, mu, tau), atol=1e-8)


@pytest.mark.parametrize("mu", [-0.12603470697, 0.00783338878, 0.3])
def test_a_sum_about_a_sharp_bend_is_not_mistaken_for_a_narrow_peak(mu):
    """Every arm has all events: the likelihood of the risk ratio has its peak in a break at 1."""
    model = bm.Model(measure="RR", likelihood=bm.BinomialLikelihood(bm.Normal(0, 10)),
                     effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))  # fmt: skip
    bound = model.bind(counts((4, 4, 4, 4)))
    pair = np.array([mu]), np.array([0.8822])
    got = StudyIntegral.build(bound, *pair).log_likelihood(*pair)[0, 0]
    x = np.linspace(-24, 24, 1201)  # even in the logarithm of the distance to the break
    theta, slope = 1e-9 * np.sinh(x), 1e-9 * np.cosh(x)
    normal = np.exp(-0.5 * ((theta - mu) / 0.8822) ** 2) / (0.8822 * np.sqrt(2 * np.pi))
    g = np.exp(bound.model.likelihood.log_g(bound.data, theta[None])[0])
    assert_allclose(got, np.log((g * normal * slope).sum() * (x[1] - x[0])), atol=1e-8)


def test_a_rate_of_a_billion_events_keeps_its_digits():
    """Log g at a log rate d from the peak, less that there: x (1 + d - exp(d)), by series."""
    frame = pd.DataFrame({"study": ["a"], "xi": [10**9], "ti": [17.0]})
    model = bm.Model(measure="IRLN", likelihood=bm.OneArmLikelihood(), effect=bm.Normal(0, 100),
                     heterogeneity=bm.HalfNormal(1))  # fmt: skip
    bound = model.bind(read_studies(frame))
    peak = np.log(1e9 / 17)
    away = np.array([-3e-5, 0.0, 1e-5, 6e-5])
    log_g = bound.model.likelihood.log_g(bound.data, peak + away[None])[0]
    d = (peak + away) - peak  # as rounded
    want = -1e9 * (d**2 / 2 + d**3 / 6 + d**4 / 24)
    assert_allclose(log_g - log_g[1], want, atol=1e-9)


def test_under_a_common_effect_every_true_effect_is_mu():
    model = bm.Model(measure="PLO", likelihood=bm.OneArmLikelihood(), effect=bm.Normal(0, 100),
                     heterogeneity=bm.Fixed(0))  # fmt: skip
    frame = pd.DataFrame({"study": ["a", "b"], "xi": [3, 900], "ni": [9, 100_000]})
    posterior = fit_grid(model.bind(read_studies(frame)))
    p = np.array([0.025, 0.5, 0.975])
    assert_allclose(posterior.theta.quantile(p), np.tile(posterior.mu.quantile(p), (2, 1)))
    assert_allclose(posterior.theta.mean, np.full(2, posterior.mu.mean))
