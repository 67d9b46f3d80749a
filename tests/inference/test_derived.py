"""Probabilities, I2, absolute risks and averages that follow from a posterior."""

from dataclasses import replace

import numpy as np
import pytest
from cases import HALF, WIDE, binomial_model, estimates, normal_model
from checks.fakes import as_nuts
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import norm
from tolerances import CLOSED, EXACT

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.inference.absolute_risk import express_number_needed, find_absolute_risk
from bayesmeta.inference.heterogeneity_share import typical_variance

BCG = bm.load("bcg")


def fit(effect=WIDE, heterogeneity=HALF, measure="OR", data=BCG):
    return bm.fit(normal_model(effect, heterogeneity, measure), data)


@pytest.fixture(scope="module")
def post():
    return fit()


# probabilities


def test_a_probability_is_the_integral_of_the_density(post):
    for name, low, high in (("mu", 0.4, 0.6), ("theta_new", 0.9, 1.1)):
        density = post.marginals[name].pdf
        want = quad(lambda x: float(density(x)), np.log(low), np.log(high), epsabs=1e-13)[0]  # noqa: B023
        assert_allclose(post.probability(name, low, high, scale="natural"), want, rtol=EXACT)
        on_log = post.probability(name, np.log(low), np.log(high), scale="analysis")
        assert_allclose(on_log, want, rtol=EXACT)


def test_a_new_study_exceeds_a_bound_with_the_probability_of_the_upper_tail(post):
    want = post.theta_new.sf(np.log(2.0))
    assert_allclose(post.probability("theta_new", 2.0, scale="natural"), want, rtol=CLOSED)
    far = post.probability("mu", 3.0, scale="analysis")  # 1 - cdf has no digit left there
    assert_allclose(far, post.mu.sf(3.0), rtol=1e-6)
    assert 0 < far < 1e-14


def test_study_effects_have_a_probability_each(post):
    got = post.probability("theta", high=1.0, scale="natural")
    assert_allclose(got, post.theta.cdf(0.0), rtol=CLOSED)
    assert got.shape == (13,)


def test_a_region_of_equivalence_splits_the_line(post):
    found = post.equivalence(0.9, 1.1, scale="natural")
    assert found.scale == "OR"
    want = np.diff(np.append(0.0, np.append(post.mu.cdf(np.log([0.9, 1.1])), 1.0)))
    assert_allclose([found.below, found.inside, found.above], want, rtol=1e-9)
    assert post.equivalence(-0.1, 0.1, scale="analysis").scale == "log OR"


@pytest.mark.parametrize(
    ("parameter", "bounds", "scale", "reason"),
    [
        ("beta", (0, 1), "natural", "Unknown parameter 'beta'. Known: mu, tau"),
        ("mu", (0, 1), "ratio", "neither"),
        ("mu", (1.1, 0.9), "natural", "must be below"),
        ("mu", (np.nan, 1), "natural", "must be below"),
        ("mu", (-0.1, 0.1), "natural", "is not an interval of OR, which lies between 0 and inf"),
        ("tau", (0, 1), "natural", "tau is an SD on the analysis scale"),
    ],
)
def test_a_question_without_an_answer_is_refused(post, parameter, bounds, scale, reason):
    with pytest.raises(bm.ModelError, match=reason):
        post.probability(parameter, *bounds, scale=scale)


# I2


def test_i2_is_tau_in_other_units(post):
    """Quantiles by Higgins and Thompson's formula from those of tau; the mean by quadrature."""
    w = 1 / post.bound.data.S
    v = 12 * w.sum() / (w.sum() ** 2 - (w**2).sum())
    i2 = post.i2()
    tau = post.tau.quantile([0.025, 0.5, 0.975])
    want = 100 * tau**2 / (tau**2 + v)
    assert_allclose(i2.quantile([0.025, 0.5, 0.975]), want, rtol=CLOSED)
    assert_allclose(i2.cdf(want), [0.025, 0.5, 0.975], rtol=1e-9)

    def moment(power):
        knots = [0.2, 0.4, 0.6, 1.0]
        return quad(
            lambda t: (100 * t**2 / (t**2 + v)) ** power * float(post.tau.pdf(t)),
            0, 5, points=knots, epsrel=1e-10,
        )[0]  # fmt: skip

    assert_allclose(i2.mean, moment(1), rtol=1e-8)
    assert_allclose(i2.sd, np.sqrt(moment(2) - moment(1) ** 2), rtol=1e-7)
    inside = quad(lambda x: float(i2.pdf(x)), 85, 95, epsrel=1e-10)[0]
    assert_allclose(inside, i2.cdf(95.0) - i2.cdf(85.0), rtol=1e-8)


def test_i2_at_the_reml_estimate_is_that_of_the_frequentist_table():
    """metafor's I2 is the same map at the estimate of tau."""
    row = bm.pool(BCG, "OR", methods="REML")["REML"]
    i2 = fit(heterogeneity=bm.Fixed(row.tau2**0.5)).i2()
    assert_allclose([i2.mean, i2.quantile(0.5)], row.i2, rtol=1e-9)


def test_a_full_covariance_has_the_typical_variance_of_its_diagonal_form():
    v = np.array([0.1, 0.2, 0.5])
    assert_allclose(typical_variance(np.diag(v)), typical_variance(v), rtol=CLOSED)


@pytest.mark.parametrize(
    ("model", "data", "reason"),
    [
        (binomial_model(), BCG, "no meaning for the binomial likelihood"),
        (normal_model(WIDE, HALF), estimates([0.1], [0.2]), "one estimate only"),
    ],
)
def test_i2_is_refused_where_it_has_no_meaning(model, data, reason):
    with pytest.raises(bm.ModelError, match=reason):
        bm.fit(model, data).i2()


# absolute risk


def test_the_risk_at_a_given_baseline_is_a_map_of_the_odds_ratio(post):
    found = post.absolute_risk(0.3)
    x = post.mu.quantile([0.025, 0.5, 0.975])
    risk = expit(logit(0.3) + x)
    assert_allclose(found.risk.quantile([0.025, 0.5, 0.975]), risk, rtol=CLOSED)
    assert_allclose(found.difference.quantile([0.025, 0.5, 0.975]), risk - 0.3, rtol=1e-9)
    want = quad(lambda t: expit(logit(0.3) + t) * float(post.mu.pdf(t)), -3, 2, epsrel=1e-11)[0]
    assert_allclose([found.risk.mean, found.difference.mean + 0.3], want, rtol=EXACT)
    assert found.notes == ()


BASELINES = {
    "log odds": (
        bm.Normal(-1.2, 0.5),
        "logit",
        lambda b: norm.pdf(logit(b), -1.2, 0.5) / (b - b**2),
    ),
    "risk": (bm.Uniform(0.1, 0.4), "risk", lambda b: ((b > 0.1) & (b < 0.4)) / 0.3),
}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_a_distribution_of_the_baseline_is_integrated_out(name, measure):
    prior, on, density = BASELINES[name]
    post = fit(measure=measure)
    found = post.absolute_risk(prior, baseline_on=on)
    points = [0.1, 0.23, 0.4] if name == "log odds" else None
    span = (1e-6, 1 - 1e-6) if name == "log odds" else (0.1, 0.4)

    def share(theta_at):
        return quad(
            lambda b: float(post.mu.cdf(theta_at(b))) * density(b),
            *span, points=points, epsabs=1e-13, epsrel=1e-11, limit=300,
        )[0]  # fmt: skip

    if measure == "OR":
        risk = share(lambda b: logit(0.15) - logit(b))
        difference = share(lambda b: logit(b - 0.05) - logit(b) if b > 0.05 else -np.inf)
    else:
        risk = share(lambda b: np.log(0.15 / b))
        difference = share(lambda b: np.log1p(-0.05 / b) if b > 0.05 else -np.inf)
    assert_allclose(found.risk.cdf(0.15), risk, rtol=EXACT)
    assert_allclose(found.difference.cdf(-0.05), difference, rtol=1e-7)
    assert_allclose(found.risk.quantile(risk), 0.15, rtol=EXACT)
    step = 1e-4
    slope = (found.risk.cdf(0.15 + step) - found.risk.cdf(0.15 - step)) / (2 * step)
    assert_allclose(found.risk.pdf(0.15), slope, rtol=1e-5)


def test_the_mean_difference_over_a_baseline_is_a_double_integral(post):
    found = post.absolute_risk(bm.Uniform(0.1, 0.4), parameter="theta_new").difference

    def inner(b):
        return quad(
            lambda t: (expit(logit(b) + t) - b) * float(post.theta_new.pdf(t)),
            -7, 6, points=[-1, 0], epsrel=1e-9,
        )[0]  # fmt: skip

    nodes, weights = np.polynomial.legendre.leggauss(12)
    want = sum(w / 2 * inner(0.25 + 0.15 * x) for x, w in zip(nodes, weights, strict=True))
    assert_allclose(found.mean, want, rtol=EXACT)


def test_quantiles_of_a_risk_ask_the_effect_for_its_own_only_once(post):
    """The moments that the search begins with, and the range, were worked out for each call."""

    class Counted:
        cdf, sf, pdf = post.mu.cdf, post.mu.sf, post.mu.pdf
        asked = 0

        def quantile(self, p):
            self.asked += 1
            return post.mu.quantile(p)

    base = Counted()
    found = find_absolute_risk(get_measure("OR"), base, bm.Uniform(0.1, 0.4), "risk").difference
    found.quantile([0.1, 0.5])
    first = base.asked
    found.interval(0.9, "hdi")
    assert_allclose(found.cdf(found.quantile(0.3)), 0.3, rtol=1e-9)
    assert base.asked == first


@pytest.mark.parametrize("baseline", [0.2, bm.Uniform(0.1, 0.4)])
def test_the_shortest_interval_of_a_risk_has_the_same_density_at_both_ends(post, baseline):
    found = post.absolute_risk(baseline)
    for marginal in (found.risk, found.difference):
        ends = marginal.interval(0.9, "hdi")
        assert_allclose(*marginal.pdf(ends), rtol=1e-7)
        assert_allclose(np.diff(marginal.cdf(ends)), 0.9, rtol=1e-9)
        equal = marginal.interval(0.9)
        assert np.diff(ends) < np.diff(equal)


def test_a_risk_ratio_that_leaves_the_risks_says_so():
    found = fit(measure="RR").absolute_risk(0.6, parameter="theta_new")
    beyond = fit(measure="RR").theta_new.sf(-np.log(0.6))
    assert f"probability {float(beyond):.2g}" in found.notes[0]
    assert np.isnan(found.risk.mean)


def test_a_risk_difference_needs_no_map():
    post = fit(bm.Normal(0, 0.5), bm.HalfNormal(0.1), "RD")
    found = post.absolute_risk(0.1)
    assert_allclose(found.difference.quantile(0.3), post.mu.quantile(0.3), rtol=CLOSED)
    assert_allclose(found.risk.quantile(0.3), 0.1 + post.mu.quantile(0.3), rtol=CLOSED)


@pytest.mark.parametrize(
    ("measure", "baseline", "on", "reason"),
    [
        ("OR", 0.0, "risk", "is no risk"),
        ("OR", 30, "risk", "is no risk"),
        ("OR", bm.Normal(-1, 1), "risk", r"no distribution of a risk.*baseline_on"),
        ("OR", bm.Flat(), "logit", "no distribution of a risk"),
        ("OR", 0.3, "odds", "neither"),
        ("AS", 0.3, "risk", "Absolute risks are given for OR, RR, RD"),
    ],
)
def test_a_baseline_that_is_no_risk_is_refused(measure, baseline, on, reason):
    with pytest.raises(bm.ModelError, match=reason):
        fit(measure=measure).absolute_risk(baseline, baseline_on=on)


def test_the_number_needed_passes_through_infinity_as_altman_prints_it():
    """Altman (1998): ARR 10% (-5% to 25%) is NNTB 10 (NNTH 20 to infinity to NNTB 4)."""
    found = express_number_needed(-0.10, -0.25, 0.05, better="lower")
    assert str(found) == "NNTB 10 (NNTH 20 to ∞ to NNTB 4)"
    assert found.through_infinity
    mirrored = express_number_needed(0.10, -0.05, 0.25, better="higher")
    assert mirrored == found
    harm = express_number_needed(0.10, -0.05, 0.25, better="lower")
    assert str(harm) == "NNTH 10 (NNTH 4 to ∞ to NNTB 20)"
    assert str(express_number_needed(-0.1, -0.2, -0.05, better="lower")) == (
        "NNTB 10 (NNTB 20 to NNTB 5)"
    )
    assert str(express_number_needed(0.0, -0.1, 0.1, better="lower").estimate) == "NNTB ∞"


def test_sampled_posteriors_answer_the_same_questions(post):
    sampled = as_nuts(post, draws=4000)
    for ask in (
        lambda p: p.probability("mu", 0.4, 0.6, scale="natural"),
        lambda p: p.i2().cdf(92.0),
        lambda p: p.absolute_risk(bm.Uniform(0.1, 0.4)).difference.cdf(-0.09),
        lambda p: p.absolute_risk(0.2).risk.mean / 0.15,
        lambda p: bm.natural_mean(p, "theta_new").mean,
    ):
        assert_allclose(float(ask(sampled)), float(ask(post)), atol=0.04)


# averages on the natural scale


def average_ratio(marginal):
    """E exp(X) by adaptive quadrature over the density."""
    return quad(
        lambda x: np.exp(x) * float(marginal.pdf(x)), -15, 15, points=[-1, 0], epsrel=1e-9,
        epsabs=0, limit=300,
    )[0]  # fmt: skip


EXISTS = {
    "normal": (WIDE, HALF, ["mu", "theta_new"]),
    "flat": (bm.Flat(), HALF, ["mu", "theta_new"]),
    "t": (bm.StudentT(3, 0, 1), HALF, ["mu"]),
    "bounded": (WIDE, bm.Uniform(0, 2), ["theta_new"]),
    "on tau2": (WIDE, bm.OnTau2(bm.Exponential(0.5)), ["theta_new"]),
    "tau is heavy": (WIDE, bm.HalfCauchy(0.5), ["mu"]),
    "tau is known": (bm.Flat(), bm.Fixed(0.5), ["mu", "theta_new"]),
}


@pytest.mark.parametrize("name", EXISTS)
def test_an_average_ratio_is_the_integral_over_its_density(name):
    effect, heterogeneity, parameters = EXISTS[name]
    post = fit(effect, heterogeneity)
    for parameter in parameters:
        found = bm.natural_mean(post, parameter)
        assert_allclose(found.mean, average_ratio(post.marginals[parameter]), rtol=1e-7)
        assert found.mean > found.transformed_mean
        assert found.error < 1e-7


def test_an_average_ratio_of_binomial_data_is_the_integral_too():
    post = bm.fit(binomial_model(), BCG)
    assert_allclose(bm.natural_mean(post).mean, average_ratio(post.mu), rtol=1e-7)


@pytest.mark.parametrize("effect", [bm.Normal(0, 0.5), bm.Flat()], ids=["normal", "flat"])
def test_an_average_ratio_of_unrelated_effects_is_the_integral_too(effect):
    model = replace(normal_model(effect, bm.Fixed(0), "OR"), random_effects=bm.UnrelatedEffects())
    post = bm.fit(model, BCG)
    assert_allclose(bm.natural_mean(post).mean, average_ratio(post.mu), rtol=1e-7)
    with pytest.raises(bm.MomentError, match="unrelated"):
        bm.natural_mean(post, "theta_new")


def test_an_average_at_the_border_of_existence_agrees_with_its_closed_integrand():
    """half_normal(1): exp(tau^2/2) and the prior cancel, and the likelihood makes it finite."""
    post = fit(heterogeneity=bm.HalfNormal(1))
    v, y = post.bound.data.S, post.bound.data.y

    def integrand(tau, power):
        w = 1 / (v + tau**2)
        precision = w.sum() + 2.82**-2
        mean = w @ y / precision
        log = 0.5 * np.log(w).sum() - 0.5 * (w @ y**2 - precision * mean**2)
        log = log - 0.5 * np.log(precision) - tau**2 / 2 + 13
        return np.exp(log + power * (mean + 0.5 / precision + tau**2 / 2))

    pieces = [(0, 0.5), (0.5, 1), (1, 3), (3, np.inf)]
    above, below = (
        sum(quad(integrand, *piece, args=(p,), epsabs=0, epsrel=1e-10)[0] for piece in pieces)
        for p in (1, 0)
    )
    assert_allclose(bm.natural_mean(post, "theta_new").mean, above / below, rtol=1e-8)


NOT = {
    "half-normal(1.5)": (WIDE, bm.HalfNormal(1.5), "theta_new", "does not exist"),
    "half-Cauchy": (WIDE, bm.HalfCauchy(0.5), "theta_new", "does not exist"),
    "exponential": (WIDE, bm.Exponential(0.3), "theta_new", "does not exist"),
    "log-normal": (WIDE, bm.LogNormal(-1, 0.8), "theta_new", "does not exist"),
    "mu too": (bm.Flat(), bm.HalfCauchy(0.5), "mu", "does not exist"),
    "flat, near the border": (bm.Flat(), bm.HalfNormal(0.99), "theta_new", "does not exist"),
    "half exponential effect": (bm.Exponential(2), HALF, "mu", "not been shown"),
}


@pytest.mark.parametrize("name", NOT)
def test_an_average_that_does_not_exist_is_refused_with_the_reason(name):
    effect, heterogeneity, parameter, reason = NOT[name]
    with pytest.raises(bm.MomentError, match=reason):
        bm.natural_mean(fit(effect, heterogeneity), parameter)


def test_the_border_for_a_new_study_lies_where_the_rule_puts_it():
    """Flat effect, 13 studies: rate 1/(2 s^2) against (1 + 1/13)/2, that is s = 0.9636."""
    assert bm.natural_mean(fit(bm.Flat(), bm.HalfNormal(0.96)), "theta_new").mean > 0
    with pytest.raises(bm.MomentError):
        bm.natural_mean(fit(bm.Flat(), bm.HalfNormal(0.967)), "theta_new")


def test_differences_and_bounded_scales_always_have_their_averages():
    post = fit(bm.Normal(0, 0.5), bm.HalfNormal(0.1), "RD")
    assert_allclose(bm.natural_mean(post).mean, post.mu.mean, rtol=CLOSED)
    three = estimates([0.2, -0.4, 0.1], [0.1, 0.2, 0.1])
    post = bm.fit(normal_model(bm.Normal(0, 2), bm.HalfNormal(1), "PLO"), three)
    want = quad(lambda x: expit(x) * float(post.theta_new.pdf(x)), -20, 20, points=[0], limit=300)
    assert_allclose(bm.natural_mean(post, "theta_new").mean, want[0], rtol=1e-7)


@pytest.mark.parametrize("baseline", ["0.2", None, [0.1, 0.2], np.array([0.1, 0.2])])
def test_a_baseline_that_is_no_number_is_refused(post, baseline):
    with pytest.raises(bm.ModelError, match="is no risk"):
        post.absolute_risk(baseline)


@pytest.mark.parametrize("parameter", ["tau", "theta", "nonsense"])
def test_absolute_risks_are_of_effects_only(post, parameter):
    with pytest.raises(bm.ModelError, match=f'"mu" and "theta_new", not for {parameter!r}'):
        post.absolute_risk(0.2, parameter=parameter)


def test_a_number_needed_has_a_level_below_1(post):
    with pytest.raises(bm.ModelError, match=r"Write 0\.95"):
        post.absolute_risk(0.2).number_needed(better="lower", level=95)


@pytest.mark.parametrize("parameter", ["theta", "nonsense"])
def test_a_region_of_equivalence_is_of_one_parameter(post, parameter):
    with pytest.raises(bm.ModelError, match=r"Known: mu, tau, theta_new; for the studies'"):
        post.equivalence(0.9, 1.1, scale="natural", parameter=parameter)


@pytest.mark.parametrize("draws", [0, -4, 2.5, "100"])
def test_draws_are_a_number_of_draws(post, draws):
    with pytest.raises(bm.ModelError, match=r"draws = .* Give a whole number from 1 on"):
        post.to_datatree(draws)
