"""Replicates of every likelihood at a known true effect, against sums and other programs."""

import numpy as np
import pandas as pd
import pytest
from cases import counts, estimates
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit

import bayesmeta as bm
from bayesmeta.effects import MEASURES
from bayesmeta.likelihoods.replicate import Replicating

DRAWS = 20_000
LIMIT = 4.5  # standard errors


def replicates(likelihood, measure, table, theta):
    """Draws at one true effect of the only study, by name."""
    data = likelihood.prepare(table, MEASURES[measure], "none")
    assert isinstance(likelihood, Replicating)
    found = likelihood.replicate(data, np.full((4, DRAWS // 4, 1), theta), np.random.default_rng(5))
    assert set(found) <= set(data.constants())
    return {name: x.reshape(-1) for name, x in found.items()}


def assert_shares(draws, at, cdf):
    """Shares of the draws up to some values are their probabilities."""
    share = (draws[:, None] <= at).mean(axis=0)
    assert_array_equal(np.abs(share - cdf) < LIMIT * np.sqrt(cdf * (1 - cdf) / DRAWS) + 1e-12, True)


def one(**columns):
    return bm.read_studies(
        pd.DataFrame({name: [x] for name, x in columns.items()} | {"study": "a"})
    )


@pytest.mark.parametrize(
    ("row", "theta"),
    [((7, 40, 12, 45), 0.4), ((0, 25, 3, 30), -1.0), ((400, 9000, 500, 8000), -0.2)],
    ids=["ordinary", "zero cell", "large"],
)
def test_tables_with_their_margins_follow_the_hypergeometric_law_of_another_program(row, theta):
    r, n_t, c, n_c = row
    found = replicates(bm.ConditionalLikelihood(), "OR", counts(row), theta)
    law = stats.nchypergeom_fisher(n_t + n_c, n_t, r + c, np.exp(theta))
    at = np.arange(*law.support()) if n_t < 100 else np.arange(360, 430, 10)
    assert_shares(found["events_treated"], at, law.cdf(at))
    assert_array_equal(found["events_treated"] + found["events_control"], r + c)


def test_events_in_person_time_follow_their_rates_under_the_control_rates_posterior():
    found = replicates(bm.PoissonLikelihood(bm.Normal(0, 10)), "IRR",
                       one(x1i=4, t1i=120.0, x2i=0, t2i=200.0), 0.7)  # fmt: skip
    a = np.linspace(-30, 5, 20_001)
    treated, control = 120 * np.exp(a + 0.7), 200 * np.exp(a)
    log = 4 * np.log(treated) - treated - control + stats.norm.logpdf(a, 0, 10)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    at = np.arange(12)
    for arm, mean in (("treated", treated), ("control", control)):
        cdf = np.array([weight @ stats.poisson.cdf(x, mean) for x in at])
        assert_shares(found[f"events_{arm}"], at, cdf)


def test_events_of_one_group_are_binomial_or_in_person_time_poisson():
    likelihood, at = bm.OneArmLikelihood(), np.arange(12)
    found = replicates(likelihood, "PLO", one(xi=3, ni=20), -0.7)
    assert_shares(found["events"], at, stats.binom.cdf(at, 20, expit(-0.7)))
    found = replicates(likelihood, "IRLN", one(xi=3, ti=30.0), -2.0)
    assert_shares(found["events"], at, stats.poisson.cdf(at, 30 * np.exp(-2)))


@pytest.mark.parametrize(("theta", "n"), [(0.0, 12), (1.2, 5), (-2.5, 30)])
def test_correlations_follow_those_of_samples_of_pairs(theta, n):
    """At rho = 0 in closed form, else against normal pairs drawn one by one."""
    r = replicates(bm.CorrelationLikelihood(), "ZCOR", one(ri=0.3, ni=n), theta)["r"]
    if theta == 0:
        at = np.array([-0.6, -0.2, 0.1, 0.5])
        assert_shares(r, at, stats.t.cdf(at * np.sqrt((n - 2) / (1 - at**2)), n - 2))
    pairs = np.random.default_rng(1).standard_normal((2, DRAWS, n))
    pairs[1] = np.tanh(theta) * pairs[0] + pairs[1] / np.cosh(theta)
    pairs -= pairs.mean(axis=-1, keepdims=True)
    other = (pairs[0] * pairs[1]).sum(axis=-1) / np.sqrt((pairs**2).sum(axis=-1).prod(axis=0))
    assert stats.ks_2samp(r, other).pvalue > 1e-4


def test_estimates_and_their_errors_are_drawn_about_the_true_variance():
    """E v is (df se^2 + (y - theta)^2) / (df - 1); y' has that variance, se'^2 that mean."""
    found = replicates(bm.StudentLikelihood(df=20), "GEN", estimates([0.5], [0.3]), 1.1)
    v = (20 * 0.3 + 0.6**2) / 19
    assert_allclose(found["mean"].mean(), 1.1, atol=LIMIT * (v / DRAWS) ** 0.5)
    assert_allclose(found["mean"].var(), v, rtol=0.06)
    assert_allclose((found["se"] ** 2).mean(), v, rtol=0.03)


@pytest.mark.parametrize("away", [0.0, 1.5, -6.0])
def test_means_are_drawn_about_the_posterior_of_the_control_mean(away):
    """By a sum over the control arm's true mean b; given b, E v_j is that of one estimate."""
    m_t, sd_t, n_t, m_c, sd_c, n_c = 5.0, 2.0, 12, 4.0, 3.0, 15
    table = one(m1i=m_t, sd1i=sd_t, n1i=n_t, m2i=m_c, sd2i=sd_c, n2i=n_c)
    theta = m_t - m_c + away
    found = replicates(bm.StudentLikelihood(), "MD", table, theta)
    b = np.linspace(-25, 35, 60_001)
    parts = ((m_t - theta - b, sd_t, n_t, b + theta), (m_c - b, sd_c, n_c, b))
    density = np.prod([stats.t.pdf(d * n**0.5 / sd, n - 1) for d, sd, n, _ in parts], axis=0)
    weight = density / density.sum()
    for arm, (d, sd, n, center) in zip(("treated", "control"), parts, strict=True):
        v = weight @ (((n - 1) * sd**2 / n + d**2) / (n - 2))
        mean = weight @ center
        variance = v + weight @ (center - mean) ** 2
        got = found[f"mean_{arm}"]
        assert_allclose(got.mean(), mean, atol=LIMIT * (variance / DRAWS) ** 0.5)
        assert_allclose(got.var(), variance, rtol=0.08)
        assert_allclose((found[f"se_{arm}"] ** 2).mean(), v, rtol=0.05)


@pytest.mark.slow
@pytest.mark.nuts
def test_replicates_of_rates_are_distributed_as_those_of_pymc():
    """PyMC draws from the sampled theta and control log rate, here the rate is drawn in numpy."""
    import pymc as pm
    import xarray as xr

    from bayesmeta.inference.nuts import build_pymc_model
    from bayesmeta.inference.sampler import Settings, prepare_sampler

    bound = bm.Model(measure="IRR", likelihood=bm.PoissonLikelihood(bm.Normal(0, 10)),
                     effect=bm.Normal(0, 2), heterogeneity=bm.HalfNormal(0.5),
                     ).bind(bm.load("nielweise2008"))  # fmt: skip
    stated = build_pymc_model(bound)
    settings = Settings(seed=3, draws=1000, tune=1000, chains=4, target_accept=0.9)
    draws = prepare_sampler(stated, {}, "nutpie")(settings).draws
    dims = {"mu": (), "tau": (), "theta": ("study",), "a": ("study",)}
    arrays = {name: (("chain", "draw", *d), draws[name]) for name, d in dims.items()}
    with stated:
        theirs = pm.sample_posterior_predictive(
            xr.DataTree.from_dict({"posterior": xr.Dataset(arrays)}),
            var_names=["events_treated", "events_control"], random_seed=1, freeze_vars=list(dims),
            progressbar=False,
        )["posterior_predictive"].to_dataset()  # fmt: skip
    ours = bound.model.likelihood.replicate(bound.data, draws["theta"], np.random.default_rng(4))
    for name, events in ours.items():
        other = theirs[name].values
        error = np.sqrt((events.var(axis=(0, 1)) + other.var(axis=(0, 1))) / 1500)
        away = events.mean(axis=(0, 1)) - other.mean(axis=(0, 1))
        assert_array_equal(np.abs(away) < LIMIT * error, True)
        assert_allclose(events.std(axis=(0, 1)), other.std(axis=(0, 1)), rtol=0.12)
