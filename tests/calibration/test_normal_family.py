"""Exact cdfs at the true values are uniform over data sets drawn from the priors."""

import numpy as np
import pytest
from scipy import stats

import bayesmeta as bm
from bayesmeta.inference.batch import fit_batch

DATA_SETS, FALSE_ALARM = 2000, 1e-3
NAMES = ("mu", "tau", "theta_new", "theta")
EFFECT, SCALE = bm.Normal(0.2, 1.0), 0.5


def simulate(rng):
    """Truth (mu, tau, theta_new, theta of study 0), and 3 to 12 studies with ragged rows."""
    mu = rng.normal(EFFECT.mean, EFFECT.sd, DATA_SETS)
    tau = np.abs(rng.normal(0, SCALE, DATA_SETS))
    theta = mu[:, None] + tau[:, None] * rng.standard_normal((DATA_SETS, 13))
    v = np.exp(rng.uniform(np.log(0.01), np.log(0.5), (DATA_SETS, 12)))
    y = theta[:, :12] + np.sqrt(v) * rng.standard_normal(v.shape)
    keep = np.arange(12) < rng.integers(3, 13, DATA_SETS)[:, None]
    return np.column_stack([mu, tau, theta[:, 12], theta[:, 0]]), y, v, keep


def p_values(scale):
    """Kolmogorov-Smirnov p-values of uniformity, under a half-normal prior of that scale."""
    truth, y, v, keep = simulate(np.random.default_rng(20_260_101))
    fit = fit_batch(y, v, keep=keep, effect=EFFECT, heterogeneity=bm.HalfNormal(scale), at=truth)
    assert fit.ok.all()
    return {n: stats.kstest(fit.cdf[:, j], "uniform").pvalue for j, n in enumerate(NAMES)}


@pytest.mark.slow
def test_posteriors_of_the_normal_family_are_calibrated():
    assert min(p_values(SCALE).values()) * len(NAMES) > FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.3, 1 / 1.3])
def test_calibration_fails_for_a_heterogeneity_prior_that_is_off(factor):
    assert min(p_values(factor * SCALE).values()) * len(NAMES) < FALSE_ALARM
