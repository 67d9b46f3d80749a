"""Bayes factors and model averages."""

from dataclasses import replace

import numpy as np
import pytest
from cases import HALF, TAU_PRIORS, WIDE, binomial_model, estimates, normal_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy.integrate import quad
from scipy.stats import norm
from scipy.stats import t as student
from tolerances import EXACT

import bayesmeta as bm
from bayesmeta.inference.average import NAMES
from bayesmeta.inference.blend import Blend, WithAtom
from bayesmeta.inference.marginals import NormalMixture
from bayesmeta.random_effects import UnrelatedEffects

BCG, POSES = bm.load("bcg"), bm.load("power_pose")
CASES = ["bcg_OR", "raudenbush1985", "hine1989_OR", "nielweise2007_OR_half_cauchy"]


@pytest.fixture(scope="module")
def averaged(golden):
    """averaged(name): the average of a reference case, and what it should be."""

    def make(name):
        (case,) = [case for case in golden("model_averaging")["cases"] if case["id"] == name]
        mu, tau = case["priors"]["mu"], case["priors"]["tau"]
        heterogeneity = TAU_PRIORS[tau["dist"]](tau["scale"])
        model = normal_model(bm.Normal(mu["mean"], mu["sd"]), heterogeneity)
        return bm.average(model, estimates(case["y"], case["vi"])), case["expected"]

    return make


def summaries(marginal):
    values = [marginal.mean, marginal.sd, *marginal.quantile([0.025, 0.5, 0.975])]
    return dict(zip(("mean", "sd", "q2.5", "q50", "q97.5"), map(float, values), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_evidences_probabilities_and_averages_are_those_of_other_quadratures(name, averaged):
    found, want = averaged(name)
    got = {
        "log_marginal_likelihood": {
            key: posterior.log_marginal_likelihood for key, posterior in found.posteriors.items()
        },
        "posterior_model_probability": found.probability,
        "mu_given_effect": summaries(found.mu_given_effect)
        | {"p_below_0": float(found.mu_given_effect.cdf(0.0))},
        "mu_averaged": summaries(found.mu)
        | {"p_zero": found.mu.share, "p_below_0": float(found.mu.cdf(-1e-300))},
        "tau_random_null": summaries(found.posteriors["random_null"].tau),
        "tau_random_effect": summaries(found.posteriors["random_effect"].tau),
        "tau_averaged": summaries(found.tau) | {"p_zero": found.tau.share},
    }
    for group, numbers in got.items():
        names = list(want[group])
        assert_allclose([numbers[n] for n in names], [want[group][n] for n in names], rtol=EXACT)
    logs = want["log_bayes_factor"]
    for what in ("effect", "heterogeneity"):
        factor = found.inclusion(what)
        assert_allclose(factor.log, logs[f"inclusion_{what}"], rtol=EXACT)
        assert abs(factor.log - logs[f"inclusion_{what}"]) < factor.error + 1e-10
    pairs = {
        "random_vs_common_given_effect": ("random_effect", "common_effect"),
        "effect_vs_null_given_random": ("random_effect", "random_null"),
        "effect_vs_null_given_common": ("common_effect", "common_null"),
    }
    for key, (one, other) in pairs.items():
        factor = bm.bayes_factor(found.posteriors[one], found.posteriors[other])
        assert_allclose(factor.log, logs[key], rtol=EXACT)


PRINTED = {  # Gronau et al. (2017): fixed, random, inclusion; effect and its shortest interval
    "half-Cauchy": (bm.HalfCauchy(0.5**0.5), (89.570, 9.374, 33.136), (0.22, 0.09, 0.34)),
    "informed t": (
        bm.Truncated(bm.StudentT(3, 0.35, 0.102), 0, np.inf),
        (191.751, 20.689, 71.373),
        (0.26, 0.14, 0.37),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_power_posing_as_printed(name):
    """Gronau et al. (2017), to all printed digits but in two numbers.

    With the informed prior the fixed-effect Bayes factor is printed as 191.751; adaptive quadrature
    (the next test) gives 191.731. The inclusion Bayes factor contains it: 71.367, printed 71.373.
    """
    effect, factors, estimate = PRINTED[name]
    found = bm.average(normal_model(effect, bm.InverseGamma(1, 0.15), "SMD"), POSES)
    fixed, random = (
        bm.bayes_factor(found.posteriors[f"{kind}_effect"], found.posteriors[f"{kind}_null"]).value
        for kind in ("common", "random")
    )
    off = [5e-4, 5e-4, 5e-4] if name == "half-Cauchy" else [0.021, 5e-4, 0.0061]
    got = np.array([fixed, random, found.inclusion("effect").value])
    assert_array_equal(np.abs(got - factors) < off, True)
    mu = found.mu_given_effect
    assert_allclose([mu.mean, *mu.interval(0.95, "hdi")], estimate, atol=5e-3)


def test_the_informed_fixed_effect_bayes_factor_by_adaptive_quadrature():
    data = POSES.contrast()
    se = np.sqrt(data.variance)

    def likelihood(mu):
        return np.exp(norm.logpdf(data.estimate, mu, se).sum())

    def integrand(mu):
        return student.pdf(mu, 3, 0.35, 0.102) / student.sf(0, 3, 0.35, 0.102) * likelihood(mu)

    want = quad(integrand, 0, 3, points=[0.2, 0.35], epsabs=0, epsrel=1e-11)[0] / likelihood(0.0)
    priors = (PRINTED["informed t"][0], bm.Fixed(0))
    fits = [bm.fit(normal_model(prior, bm.Fixed(0), "SMD"), POSES) for prior in priors]
    assert_allclose(bm.bayes_factor(*fits).value, want, rtol=EXACT)


@pytest.mark.slow
def test_the_evidence_with_truncated_priors_is_that_of_nested_quadrature():
    data = POSES.contrast()

    def of_tau(tau):
        sd = np.sqrt(data.variance + tau**2)

        def of_mu(mu):
            prior = 2 * 0.5**0.5 / (np.pi * (mu**2 + 0.5))
            return prior * np.exp(norm.logpdf(data.estimate, mu, sd).sum())

        inner = quad(of_mu, 0, 1, points=[0.22], epsrel=1e-10)[0]
        inner += quad(of_mu, 1, np.inf, epsrel=1e-8)[0]
        return inner * 0.15 * np.exp(-0.15 / tau) / tau**2

    want = quad(of_tau, 1e-9, 0.5, epsrel=1e-9)[0] + quad(of_tau, 0.5, np.inf, epsrel=1e-8)[0]
    model = normal_model(bm.HalfCauchy(0.5**0.5), bm.InverseGamma(1, 0.15), "SMD")
    assert_allclose(bm.fit(model, POSES).log_marginal_likelihood, np.log(want), rtol=EXACT)


def test_prior_odds_multiply_the_probabilities_and_are_told():
    model = normal_model(WIDE, HALF, "OR")
    prior = {"common_null": 0.1, "common_effect": 0.3, "random_null": 0.15, "random_effect": 0.45}
    even, odd = bm.average(model, BCG), bm.average(model, BCG, prior=prior)
    ratio = [even.probability[n] * prior[n] for n in prior]
    assert_allclose(list(odd.probability.values()), np.divide(ratio, sum(ratio)), rtol=EXACT)
    assert "random_effect 0.45" in odd.notes[0]
    assert odd.to_frame().loc["random_null", "prior_probability"] == 0.15


def test_quantiles_step_over_the_point_of_positive_probability():
    rest = NormalMixture(means=np.array([1.0]), sds=np.array([2.0]), weights=np.ones(1))
    marginal = WithAtom(atom=0.0, share=0.4, rest=rest)
    below = 0.6 * norm.cdf(-0.5)
    p = np.array([0.5 * below, below + 1e-9, below + 0.399, below + 0.41, 0.99])
    want = [
        1 + 2 * norm.ppf(0.5 * norm.cdf(-0.5)),
        0,
        0,
        1 + 2 * norm.ppf((below + 0.01) / 0.6),
        1 + 2 * norm.ppf(0.59 / 0.6),
    ]
    assert_allclose(marginal.quantile(p), want, rtol=1e-9)
    assert_allclose(marginal.quantile(0.99), want[-1], rtol=1e-9)
    assert_allclose(marginal.cdf([-1e-300, 0.0]), [below, below + 0.4], rtol=EXACT)
    assert_allclose(marginal.sf([-1e-300, 0.0]), [1 - below, 0.6 - below], rtol=EXACT)


def test_a_blend_has_the_moments_and_quantiles_of_the_mixture():
    """A normal mixture split into parts."""
    means, sds, weights = np.array([0.0, 3.0]), np.array([1.0, 0.5]), np.array([0.3, 0.7])
    parts = [NormalMixture(means=means[[i]], sds=sds[[i]], weights=np.ones(1)) for i in (0, 1)]
    whole = NormalMixture(means=means, sds=sds, weights=weights)
    blend = Blend(parts=parts, weights=weights)
    assert_allclose([blend.mean, blend.sd], [whole.mean, whole.sd], rtol=EXACT)
    p = [0.01, 0.3, 0.9]
    assert_allclose(blend.quantile(p), whole.quantile(p), rtol=EXACT)
    assert_allclose(blend.pdf([0.0, 2.0]), whole.pdf([0.0, 2.0]), rtol=EXACT)
    assert_allclose(blend.interval(0.9, "hdi"), whole.interval(0.9, "hdi"), rtol=1e-6)


# what is refused


def exact(model, data=BCG):
    return bm.fit(model, data)


NORMAL = normal_model(WIDE, HALF, "OR")


@pytest.mark.parametrize(
    ("other", "data", "reason"),
    [
        (binomial_model(), BCG, "normal and the binomial"),
        (NORMAL, BCG.drop(BCG.studies[0]), "different data"),
        (normal_model(WIDE, HALF, "RR"), BCG, "different data"),
        (normal_model(bm.Flat(), HALF, "OR"), BCG, r"effect prior.*flat"),
        (normal_model(WIDE, bm.Flat(), "OR"), BCG, r"heterogeneity prior.*flat"),
    ],
)
def test_no_bayes_factor_where_it_means_nothing(other, data, reason):
    with pytest.raises(bm.ModelError, match=reason):
        bm.bayes_factor(exact(NORMAL), exact(other, data))


def test_a_flat_prior_that_both_models_share_cancels():
    """Flat mu in both: the ratio is the limit of a wide normal prior."""
    flat, wide = (
        bm.bayes_factor(
            exact(normal_model(effect, HALF, "OR")), exact(normal_model(effect, bm.Fixed(0), "OR"))
        ).log
        for effect in (bm.Flat(), bm.Normal(0, 1e4))
    )
    assert_allclose(flat, wide, rtol=1e-7)


def test_a_flat_prior_counts_once_for_each_unrelated_effect_so_that_it_does_not_cancel():
    common = normal_model(bm.Flat(), bm.Fixed(0), "OR")
    unrelated = replace(common, random_effects=UnrelatedEffects())
    with pytest.raises(bm.ModelError, match=r"effect prior.*flat"):
        bm.bayes_factor(exact(unrelated), exact(common))


def test_a_sampled_posterior_has_no_bayes_factor():
    from checks.fakes import as_nuts

    with pytest.raises(bm.ModelError, match="NUTS gives no marginal likelihood"):
        bm.bayes_factor(exact(NORMAL), as_nuts(exact(NORMAL), draws=100))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (normal_model(bm.Flat(), HALF, "OR"), "over the effect.*improper"),
        (normal_model(bm.Fixed(0), HALF, "OR"), "over the effect.*known value"),
        (normal_model(WIDE, bm.Fixed(0), "OR"), "over the heterogeneity.*known value"),
    ],
)
def test_what_cannot_be_averaged_is_refused(model, reason):
    with pytest.raises(bm.ModelError, match=reason):
        bm.average(model, BCG)


@pytest.mark.parametrize(
    "prior", [{"random_effect": 1.0}, dict.fromkeys(["common_null", "common_effect"], 0.5)]
)
def test_prior_probabilities_must_be_complete(prior):
    with pytest.raises(bm.ModelError, match=r"prior probabilities.*positive number for each of"):
        bm.average(NORMAL, BCG, prior=prior)


@pytest.mark.slow
def test_a_density_is_0_beyond_a_prior_that_ends_and_probabilities_go_on():
    model = normal_model(bm.HalfCauchy(0.5**0.5), bm.InverseGamma(1, 0.15), "SMD")
    post = bm.fit(model, POSES)
    for marginal in (post.mu, post.tau, post.i2()):
        assert_array_equal(marginal.pdf([-1.0, -1e-3, np.inf]), 0.0)
        assert_allclose(marginal.cdf([-1.0, 0.0, np.inf]), [0, 0, 1], atol=1e-12)
    below = post.theta_new.cdf(0.0)
    x = -np.geomspace(1e-6, 30, 1001)  # next to the jump of mu at 0 the density is good to 1e-4
    area = np.trapezoid(post.theta_new.pdf(x), -x) + 1e-6 * float(post.theta_new.pdf(0.0))
    assert_allclose(area, below, atol=2e-5)  # what lies below -30
    average = bm.average(model, POSES)
    assert_array_equal(average.mu.pdf(-0.1), 0.0)
    low, high = average.tau.interval(0.9, "hdi")
    assert_allclose(low, 0.0, atol=1e-300)
    assert_allclose(average.tau.cdf(high), 0.9, rtol=1e-8)


@pytest.mark.parametrize("prior", [[0.25] * 4, 3, dict.fromkeys(NAMES, "a")])
def test_prior_probabilities_of_another_kind_are_refused(prior):
    with pytest.raises(bm.ModelError, match="Give a positive number for each of common_null"):
        bm.average(NORMAL, BCG, prior=prior)


def test_an_inclusion_factor_is_of_the_effect_or_the_heterogeneity():
    with pytest.raises(bm.ModelError, match='\'tau\' is neither "effect" nor "heterogeneity"'):
        bm.average(NORMAL, BCG).inclusion("tau")
