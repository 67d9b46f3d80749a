import sys
from types import SimpleNamespace

import numpy as np
import pytest
from inference.fits import bind_effects, log_or_model, sampled
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import norm
from tolerances import CLOSED, EXACT

from bayesmeta.errors import ImproperPosteriorError, ModelError, SamplingError
from bayesmeta.inference import sampler
from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.judge import judge_run
from bayesmeta.inference.nuts import SampledJoint, draw_effects, fit_nuts
from bayesmeta.inference.sampler import Settings
from bayesmeta.likelihoods import NormalData
from bayesmeta.priors import (
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    LogNormal,
    Normal,
    OnTau2,
    Truncated,
    Uniform,
)
from bayesmeta.studies import load

Y = [0.1, 0.5, 0.9, -0.3]
V = [0.04, 0.1, 0.05, 0.2]
CORRELATED = [[0.04, 0.03, 0, 0], [0.03, 0.1, 0, 0], [0, 0, 0.05, -0.05], [0, 0, -0.05, 0.2]]
SETTINGS = Settings(seed=1, draws=1000, tune=1000, chains=4, target_accept=0.9)


# diagnostics, without a sampler


def healthy_run():
    rng = np.random.default_rng(1)
    chains = {"mu": rng.standard_normal((4, 1000)), "tau": rng.standard_normal((4, 1000)) ** 2}
    stats = {
        "diverging": np.zeros((4, 1000), dtype=bool),
        "reached_max_treedepth": np.zeros((4, 1000), dtype=bool),
        "energy": rng.standard_normal((4, 1000)),
    }
    return chains, stats


def failures_of(chains, stats):
    return judge_run(chains, stats, settings=SETTINGS, seconds=1.0).failures


def test_independent_draws_pass():
    diagnostics = judge_run(*healthy_run(), settings=SETTINGS, seconds=1.0)
    assert diagnostics.failures == ()
    assert diagnostics.ok
    assert (diagnostics.seed, diagnostics.draws, diagnostics.chains) == (1, 1000, 4)


def test_chains_that_are_all_stuck_at_one_value_fail():
    chains, stats = healthy_run()
    chains["tau"] = np.full((4, 1000), 0.3)
    diagnostics = judge_run(chains, stats, settings=SETTINGS, seconds=1.0)
    assert diagnostics.failures == ("the chains of tau are stuck or not finite (no R-hat)",)
    assert not diagnostics.ok


def test_one_chain_shows_no_convergence_and_fails_as_that():
    chains, stats = ({name: rows[:1] for name, rows in part.items()} for part in healthy_run())
    (failure,) = failures_of(chains, stats)
    assert failure == "one chain cannot show that it has converged (no R-hat): give 2 or more"


def test_chains_that_are_stuck_at_different_values_fail():
    chains, stats = healthy_run()
    chains["tau"] = np.repeat(np.arange(4.0)[:, None], 1000, axis=1)
    assert any("chains of tau are stuck" in failure for failure in failures_of(chains, stats))


def test_one_stuck_chain_fails():
    chains, stats = healthy_run()
    chains["mu"][2] = 1.0
    assert any("R-hat" in failure and "mu" in failure for failure in failures_of(chains, stats))


def test_one_nan_fails():
    chains, stats = healthy_run()
    chains["mu"][0, 5] = np.nan
    assert any("mu are stuck or not finite" in failure for failure in failures_of(chains, stats))


def test_a_chain_that_is_elsewhere_fails():
    chains, stats = healthy_run()
    chains["mu"][3] += 0.5
    assert any("of mu is above 1.01" in failure for failure in failures_of(chains, stats))


def test_slow_chains_fail_by_their_effective_size():
    chains, stats = healthy_run()
    steps = np.random.default_rng(2).standard_normal((4, 1000))
    for t in range(1, 1000):
        steps[:, t] += 0.97 * steps[:, t - 1]
    chains["tau"] = steps
    assert any("bulk ESS" in failure and "tau" in failure for failure in failures_of(chains, stats))


def test_one_divergence_is_named():
    chains, stats = healthy_run()
    stats["diverging"][1, 7] = True
    assert failures_of(chains, stats) == (
        "1 divergent transitions; a larger target_accept may help",
    )


def test_the_greatest_tree_depth_is_named():
    chains, stats = healthy_run()
    stats["reached_max_treedepth"][0, :3] = True
    assert failures_of(chains, stats) == ("3 transitions reached the greatest tree depth",)


def test_an_energy_that_hardly_moves_fails():
    chains, stats = healthy_run()
    stats["energy"] = np.cumsum(stats["energy"], axis=1)
    assert any("BFMI" in failure for failure in failures_of(chains, stats))


# what is refused


@pytest.mark.parametrize("rng", [-1, 1.5, True, None, "1"])
def test_the_seed_must_be_a_whole_number(rng):
    with pytest.raises(ModelError, match=r"rng \(the seed\) = .*whole number"):
        fit_nuts(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V), rng=rng)


@pytest.mark.parametrize("option", [{"draws": 0}, {"chains": 0}, {"tune": -1}, {"draws": 10.0}])
def test_counts_must_be_whole_and_positive(option):
    with pytest.raises(ModelError, match=f"{next(iter(option))} = .*whole number, 1 or larger"):
        fit_nuts(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V), rng=1, **option)


def test_the_acceptance_rate_lies_between_0_and_1():
    with pytest.raises(ModelError, match="target_accept = 1"):
        fit_nuts(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V), rng=1, target_accept=1)


def test_an_improper_posterior_is_not_sampled():
    with pytest.raises(ImproperPosteriorError):
        fit_nuts(bind_effects(Flat(), Flat(), Y[:2], V[:2]), rng=1)


def test_a_model_without_unknowns_is_left_to_the_exact_engine():
    with pytest.raises(SamplingError, match=r"mu is fixed\(0\) and tau is fixed\(0.2\).*exact"):
        fit_nuts(bind_effects(Fixed(0), Fixed(0.2), Y, V), rng=1)


def test_a_missing_sampler_is_named_with_its_installation(monkeypatch):
    monkeypatch.setitem(sys.modules, "nutpie", None)
    with pytest.raises(SamplingError, match=r"needs nutpie.*pip install"):
        fit_nuts(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V), rng=1)


def test_a_sampler_that_cannot_start_says_why(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("All points failed\n\nCaused by:\n  Logp\n\nStack backtrace:\n 0: ?")

    monkeypatch.setitem(sys.modules, "nutpie", SimpleNamespace(sample=fail))
    monkeypatch.setattr(sampler, "compile_once", lambda *_: None)
    with pytest.raises(SamplingError, match=r"could not run: All points failed Caused by: Logp$"):
        fit_nuts(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V), rng=1)


# what is done in numpy


class UnitNoise:
    """Noise of 0 in the first row, and of one in a single study in each row after it."""

    def standard_normal(self, shape):
        return np.eye(shape[0], shape[1], -1)


@pytest.mark.parametrize("S", [V, CORRELATED], ids=["diagonal", "full"])
@pytest.mark.parametrize("tau", [0.0, 0.02, 0.7])
def test_effects_have_the_mean_and_covariance_of_their_conditional(S, tau):
    data = bind_effects(Normal(0, 1), HalfNormal(0.5), Y, S).data
    assert isinstance(data, NormalData)
    rows = draw_effects(data, np.full(5, 0.25), np.full(5, tau), UnitNoise())
    full = np.diag(S) if np.ndim(S) == 1 else np.array(S)
    gain = tau**2 * np.linalg.inv(full + tau**2 * np.eye(4))
    assert_allclose(rows[0], 0.25 + gain @ (np.array(Y) - 0.25), rtol=CLOSED)
    root = rows[1:] - rows[0]
    assert_allclose(root.T @ root, gain @ full, rtol=CLOSED, atol=1e-14)


def joint_of(bound):
    return SampledJoint(bound=bound, kept=None, stats={})


def test_the_log_likelihood_integrates_the_normal_effects_out():
    joint = joint_of(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V))
    mu, tau = np.array([[0.1, -0.4]]), np.array([[0.0, 0.6]])
    want = norm.logpdf(Y, mu[..., None], np.sqrt(np.array(V) + tau[..., None] ** 2))
    assert_allclose(joint.log_likelihood(mu, tau), want, rtol=CLOSED)


def test_correlated_effects_have_no_log_likelihood_of_a_study():
    joint = joint_of(bind_effects(Normal(0, 1), HalfNormal(0.5), Y, CORRELATED))
    assert joint.log_likelihood(np.zeros((2, 3)), np.ones((2, 3))) is None


def test_the_log_likelihood_integrates_binomial_effects_out():
    bound = log_or_model("binomial").bind(load("nielweise2007")).take([0, 4, 14])
    got = joint_of(bound).log_likelihood(np.array([[-1.2]]), np.array([[0.8]]))
    assert got.shape == (1, 1, 3)
    likelihood = bound.model.likelihood
    for i in range(3):
        data = bound.data.take([i])

        def integrand(theta, data=data):
            g = np.exp(likelihood.log_g(data, np.array([[theta]]))[0, 0])
            return g * norm.pdf(theta, -1.2, 0.8)

        want = quad(integrand, -9, 7, epsabs=0, epsrel=1e-10, points=[-1.2, data.y[0]])[0]
        assert_allclose(got[0, 0, i], np.log(want), rtol=EXACT)


# runs


def nuts_and_slow(test):
    return pytest.mark.nuts(pytest.mark.slow(test))


SMALL_MODELS = {
    "full covariance": (Normal(0, 1), HalfNormal(0.5), CORRELATED),
    "mu known": (Fixed(0.2), HalfNormal(0.5), V),
    "tau known": (Flat(), Fixed(0.3), V),
    "common effect": (Normal(0, 1), Fixed(0), V),
    "flat": (Flat(), Flat(), [0.04, 0.1, 0.05, 0.2]),
    "tau2": (Normal(0, 1), OnTau2(LogNormal(-2, 1)), V),
    "cut at the prior's edge": (Normal(0, 1), Truncated(HalfCauchy(0.5), 0, 2), V),
}


@nuts_and_slow
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_every_kind_of_prior_is_sampled(name):
    effect, heterogeneity, S = SMALL_MODELS[name]
    bound = bind_effects(effect, heterogeneity, Y, S)
    posterior = fit_nuts(bound, rng=3)
    assert posterior.ok, posterior.accuracy
    exact = fit_gaussian(bound)
    for got, want in ((posterior.mu, exact.mu), (posterior.tau, exact.tau)):
        median = want.quantile(0.5)
        if np.ptp(got.draws) == 0:
            assert_array_equal(got.draws, median)
        else:  # 4 standard errors of a share, with the smallest accepted effective size
            assert_allclose(want.cdf(got.quantile(0.5)), 0.5, atol=4 * 0.5 / 400**0.5)


@nuts_and_slow
def test_priors_on_a_part_of_the_line_are_sampled():
    bound = bind_effects(Truncated(Normal(0, 1), 0, np.inf), OnTau2(Uniform(0.01, 4)), Y, V)
    posterior = fit_nuts(bound, rng=3)
    assert posterior.ok, posterior.accuracy
    assert posterior.mu.draws.min() > 0
    assert 0.1 < posterior.tau.draws.min() < posterior.tau.draws.max() < 2


@nuts_and_slow
@pytest.mark.parametrize(
    ("name", "scale"), [("hine1989", 0.5), ("yusuf1985_table6", 0.5), ("nielweise2007", 1.0)]
)
def test_binomial_runs_keep_every_limit(name, scale):
    posterior = sampled(name, "binomial", scale)
    assert posterior.ok, posterior.accuracy
    assert posterior.accuracy.ess_bulk > 1500  # a poor parametrisation has hundreds


@nuts_and_slow
def test_a_binomial_common_effect_is_one_number_for_all_studies():
    from dataclasses import replace

    model = replace(log_or_model("binomial"), effect=Flat(), heterogeneity=Fixed(0))
    posterior = fit_nuts(model.bind(load("hine1989")), rng=3, draws=500)
    draws = posterior.joint.draw(0, np.random.default_rng(0))
    assert_array_equal(draws.theta, np.repeat(draws.mu[..., None], 6, axis=-1))
    assert_array_equal(draws.theta_new, draws.mu)
    assert posterior.ok, posterior.accuracy


@nuts_and_slow
def test_a_failed_run_says_so_in_its_notes():
    told = []
    progress = SimpleNamespace(advance=told.append)
    bound = bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V)
    posterior = fit_nuts(bound, rng=3, draws=60, progress=progress)
    assert not posterior.ok
    assert any(note.startswith("NUTS: tail ESS") for note in posterior.notes)
    assert any("run again, with 120 draws" in note for note in posterior.notes)
    assert posterior.accuracy.draws == 120
    assert_allclose(posterior.accuracy.target_accept, 0.98)
    assert told == ["compiling the model", "sampling", "sampling again, longer"]


@nuts_and_slow
def test_nothing_is_printed(capfd):
    bound = bind_effects(Normal(0, 1), HalfNormal(0.5), Y, V)
    fit_nuts(bound, rng=3, draws=10)
    assert capfd.readouterr() == ("", "")
