"""Replicate data, and the draws of nuisance parameters behind them."""

from dataclasses import replace

import numpy as np
import pytest
from cases import binomial_model, counts
from inference.fits import bind_effects
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.errors import AccuracyError
from bayesmeta.inference.sampler import prepare_sampler
from bayesmeta.likelihoods import LIKELIHOODS, replicate
from bayesmeta.likelihoods.replicate import Replicating, draw_nuisance

DRAWS = 20_000
LIMIT = 4.5  # standard errors of a share of the draws
TABLES = {  # events and size of the treated and of the control arm, and an effect
    "ordinary": ((7, 40), (12, 45), -0.4),
    "far effect": ((7, 40), (12, 45), 3.0),
    "no event": ((0, 25), (0, 30), 0.5),
    "all events": ((25, 25), (30, 30), 0.5),
    "large": ((4000, 90_000), (5000, 90_000), -0.2),
}


def log_density(a, table):
    (r_t, n_t), (r_c, n_c), theta = table
    arms = r_c * a - n_c * np.logaddexp(0, a) + r_t * (a + theta)
    return arms - n_t * np.logaddexp(0, a + theta) + norm.logpdf(a, 0, 10)


def shares_and_probabilities(table):
    """Shares of draws below quantiles that a sum over 240 001 nodes gives, and what they are."""
    (r_t, n_t), (r_c, n_c), _ = table
    width = np.full(DRAWS, (1 / (r_t + r_c + 1) + 1 / (n_t + n_c - r_t - r_c + 1)) ** 0.5)
    center = np.full(DRAWS, np.log((r_c + 0.5) / (n_c - r_c + 0.5)))
    rng = np.random.default_rng(1)
    draws = draw_nuisance(lambda a, _: log_density(a, table), center, width, rng)
    a = np.linspace(-60, 60, 240_001)
    f = log_density(a, table)
    cdf = np.cumsum(np.exp(f - f.max()))
    p = np.array([0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
    return (draws[:, None] <= np.interp(p, cdf / cdf[-1], a)).mean(axis=0), p


@pytest.mark.parametrize("name", TABLES)
def test_nuisance_draws_have_their_distribution(name):
    share, p = shares_and_probabilities(TABLES[name])
    assert_array_equal(np.abs(share - p) < LIMIT * np.sqrt(p * (1 - p) / DRAWS), True)


def test_nuisance_draws_are_exact_however_coarse_the_interpolant(monkeypatch):
    monkeypatch.setattr(replicate, "_FINE", 13)
    monkeypatch.setattr(replicate, "_BOUND", 2.5)
    share, p = shares_and_probabilities(TABLES["ordinary"])
    assert_array_equal(np.abs(share - p) < LIMIT * np.sqrt(p * (1 - p) / DRAWS), True)


def test_a_density_without_an_end_is_refused():
    with pytest.raises(AccuracyError, match="has no end"):
        draw_nuisance(lambda a, _: 0 * a - np.abs(a) ** 1e-3, np.zeros(3), np.ones(3), None)


def test_replicate_events_have_the_mean_of_a_double_integral():
    """E of the treated events given theta: their risk under the baseline's posterior."""
    table = TABLES["ordinary"]
    (r_t, n_t), (r_c, n_c), theta = table
    model = binomial_model()
    data = model.bind(counts((r_t, n_t, r_c, n_c))).data
    rng = np.random.default_rng(2)
    found = model.likelihood.replicate(data, np.full((DRAWS, 1), theta), rng)

    def moment(power):
        return quad(
            lambda a: expit(a + theta) ** power * np.exp(log_density(a, table) + 50), -6, 3
        )[0]

    mean = moment(1) / moment(0)
    second = moment(2) / moment(0)
    variance = n_t * (mean - second) + n_t**2 * (second - mean**2)
    events = found["events_treated"]
    assert_allclose(events.mean(), n_t * mean, atol=LIMIT * (variance / DRAWS) ** 0.5)
    assert_allclose(events.var(), variance, rtol=0.06)


def test_replicate_events_at_a_risk_ratio_have_the_mean_over_the_average_log_odds():
    """Both arms' risks from the root of their quadratic equation, summed over phi."""
    (r_t, n_t), (r_c, n_c), theta = TABLES["ordinary"]
    model = replace(binomial_model(), measure="RR")
    data = model.bind(counts((r_t, n_t, r_c, n_c))).data
    found = model.likelihood.replicate(data, np.full((DRAWS, 1), theta), np.random.default_rng(2))
    phi = np.linspace(-8, 4, 20_001)
    K, r = np.exp(2 * phi), np.exp(theta)
    p_c = 2 * K / (K * (1 + r) + np.sqrt(K**2 * (1 - r) ** 2 + 4 * r * K))
    p_t = r * p_c
    log = r_t * np.log(p_t) + (n_t - r_t) * np.log1p(-p_t) + norm.logpdf(phi, 0, 10)
    log += r_c * np.log(p_c) + (n_c - r_c) * np.log1p(-p_c)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for arm, n, p in (("treated", n_t, p_t), ("control", n_c, p_c)):
        mean = weight @ p
        variance = n * (weight @ (p * (1 - p))) + n**2 * (weight @ (p - mean) ** 2)
        events = found[f"events_{arm}"]
        assert_allclose(events.mean(), n * mean, atol=LIMIT * (variance / DRAWS) ** 0.5)
        assert_allclose(events.var(), variance, rtol=0.06)


@pytest.mark.parametrize("S", [[0.04, 0.1, 0.2], [[0.04, 0.03, 0], [0.03, 0.1, 0], [0, 0, 0.2]]])
def test_replicate_estimates_have_the_sampling_covariance(S):
    bound = bind_effects(bm.Normal(0, 1), bm.HalfNormal(1), [0.1, 0.2, 0.3], S)
    theta = np.tile([1.0, 2.0, 3.0], (DRAWS, 1))
    y = bound.model.likelihood.replicate(bound.data, theta, np.random.default_rng(1))["y"]
    full = np.diag(S) if np.ndim(S) == 1 else np.array(S)
    assert_allclose(y.mean(axis=0), [1, 2, 3], atol=0.02)
    assert_allclose(np.cov(y.T), full, atol=0.006)


def test_every_likelihood_replicates():
    for likelihood in LIKELIHOODS.values():
        assert issubclass(likelihood, Replicating)


@pytest.mark.slow
@pytest.mark.nuts
def test_replicates_are_distributed_as_those_of_pymc():
    """PyMC draws from the sampled theta and control log odds, here both are drawn in numpy."""
    import pymc as pm
    import xarray as xr

    from bayesmeta.inference.nuts import build_pymc_model
    from bayesmeta.inference.sampler import Settings

    bound = binomial_model().bind(bm.load("nielweise2007"))
    stated = build_pymc_model(bound)
    settings = Settings(seed=3, draws=1000, tune=1000, chains=4, target_accept=0.9)
    draws = prepare_sampler(stated, {}, "nutpie")(settings).draws
    dims = {"mu": (), "tau": (), "theta": ("study",), "a": ("study",)}
    arrays = {name: (("chain", "draw", *d), draws[name]) for name, d in dims.items()}
    trace = xr.DataTree.from_dict({"posterior": xr.Dataset(arrays)})
    with stated:
        theirs = pm.sample_posterior_predictive(
            trace, var_names=["events_treated", "events_control"], random_seed=1,
            freeze_vars=list(dims),
            progressbar=False,
        )["posterior_predictive"].to_dataset()  # fmt: skip
    rng = np.random.default_rng(4)
    ours = bound.model.likelihood.replicate(bound.data, draws["theta"], rng)
    for name, events in ours.items():
        other = theirs[name].values
        error = np.sqrt((events.var(axis=(0, 1)) + other.var(axis=(0, 1))) / 1500)
        away = events.mean(axis=(0, 1)) - other.mean(axis=(0, 1))
        assert_array_equal(np.abs(away) < LIMIT * error, True)
        assert_allclose(events.std(axis=(0, 1)), other.std(axis=(0, 1)), rtol=0.12)
