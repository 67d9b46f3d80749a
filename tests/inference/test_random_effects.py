"""Forms of the random effects against plain sums, their limits, and NUTS."""

import numpy as np
import pytest
from cases import BASELINE, HALF, WIDE, counts, estimates
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from tolerances import CLOSED, EXACT

import bayesmeta as bm
from bayesmeta.errors import ModelError, NotExactError, SamplingError
from bayesmeta.random_effects import (
    NormalRandomEffects,
    OutlierRandomEffects,
    StudentRandomEffects,
    UnrelatedEffects,
    parse_random_effects,
)
from bayesmeta.report.plain import posterior_as_data

BCG = bm.load("bcg")
NORMAL, TABLES = bm.NormalLikelihood(), bm.BinomialLikelihood(BASELINE)
T4, OUTLIERS = StudentRandomEffects(4), OutlierRandomEffects(1.5)


def model(form, likelihood=NORMAL, effect=WIDE, tau=HALF, measure="OR"):
    return bm.Model(
        measure=measure,
        likelihood=likelihood,
        effect=effect,
        heterogeneity=tau,
        random_effects=form,
    )


def legendre(low, high, n):
    z, weight = np.polynomial.legendre.leggauss(n)
    return (high + low) / 2 + (high - low) / 2 * z, (high - low) / 2 * weight


def kernels(form, theta, mu, tau):
    """The parts of the density of theta given (mu, tau), each (mu, theta), with their weights."""
    away = theta - mu[:, None]
    if isinstance(form, StudentRandomEffects):
        constant = stats.t.pdf(0, form.df) / tau
        return [constant * (1 + (away / tau) ** 2 / form.df) ** (-(form.df + 1) / 2)]
    sds = [tau, np.hypot(tau, form.omega)]
    return [np.exp(-0.5 * (away / s) ** 2) / (s * np.sqrt(2 * np.pi)) for s in sds]


def brute_force(bound, mu, tau, w):
    """Posterior on a rectangle of (mu, tau, w) by plain sums over 4 001 points of theta.

    Each of mu, tau, w is (nodes, weights). Gives the log evidence, the means of mu and tau, the
    means of theta_i, and the probability of each study to be an outlier.
    """
    form, model = bound.model.random_effects, bound.model
    u = np.linspace(-9, 9, 4001)
    theta, slope = 2 * np.sinh(u), 2 * np.cosh(u) * (u[1] - u[0])
    g = slope * np.exp(model.likelihood.log_g(bound.data, np.tile(theta, (len(bound.studies), 1))))
    prior = mu[1] * np.exp(model.effect.logpdf(mu[0]))
    sums = 0.0
    for t, weight in zip(tau[0], tau[1] * np.exp(model.heterogeneity.logpdf(tau[0])), strict=True):
        parts = kernels(form, theta, mu[0], t)
        L = [part @ g.T for part in parts]  # (mu, study) each
        moments = [part @ (g * theta).T for part in parts]
        for share, share_weight in zip(*w, strict=True):
            shares = [1.0] if len(L) == 1 else [1 - share, share]
            total = sum(s * part for s, part in zip(shares, L, strict=True))
            post = prior * weight * share_weight * total.prod(axis=1)
            mean = sum(s * m for s, m in zip(shares, moments, strict=True)) / total
            far = shares[-1] * L[-1] / total
            sums = sums + np.array([post.sum(), post @ mu[0], post.sum() * t, *(post @ mean),
                                    *(post @ far)])  # fmt: skip
    total, *rest = sums
    rest = np.array(rest) / total
    k = len(g)
    return np.log(total), rest[:2], rest[2 : 2 + k], rest[2 + k :]


TAU = bm.Truncated(bm.HalfNormal(0.8), 0.1, 2.5)  # from 0.1 on plain sums are accurate
PROBLEMS = {
    "two trials of hine1989, normal": (NORMAL, counts((2, 39, 1, 43), (11, 154, 4, 146))),
    "zero cells of nielweise2007, binomial": (TABLES, counts((0, 116, 3, 117), (5, 151, 6, 157))),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("form", [T4, OUTLIERS], ids=str)
def test_forms_agree_with_plain_sums(name, form):
    likelihood, table = PROBLEMS[name]
    stated = model(form, likelihood, effect=bm.Normal(0, 1.5), tau=TAU)
    post = bm.fit(stated, table)
    mu = np.linspace(-12, 12, 201)
    w = legendre(0, 1, 24)
    w = (w[0], w[1] * stats.beta.pdf(w[0], 1, 9)) if form is OUTLIERS else ([0.0], [1.0])
    evidence, means, theta, outlying = brute_force(
        stated.bind(table), (mu, np.full(201, mu[1] - mu[0])), legendre(0.1, 2.5, 40), w
    )
    assert_allclose(post.log_marginal_likelihood, evidence, atol=1e-8)
    assert_allclose([post.mu.mean, post.tau.mean], means, rtol=1e-7)
    assert_allclose(post.theta.mean, theta, rtol=1e-6)
    if form is OUTLIERS:
        assert_allclose(post.outlier_probability, outlying, rtol=1e-7)


def test_the_effect_of_a_new_study_follows_its_form():
    """At known mu and tau it is the t distribution, or the mixture at the mean of w."""
    known = {"effect": bm.Fixed(0.2), "tau": bm.Fixed(0.3)}
    x = np.array([-0.5, 0.1, 1.2])
    post = bm.fit(model(T4, **known), BCG)
    assert_allclose(post.theta_new.cdf(x), stats.t.cdf(x, 4, 0.2, 0.3), rtol=EXACT)
    far = OutlierRandomEffects(1.2, 0.3)
    post = bm.fit(model(far, **known), BCG)
    want = 0.7 * stats.norm.cdf(x, 0.2, 0.3) + 0.3 * stats.norm.cdf(x, 0.2, np.hypot(0.3, 1.2))
    assert_allclose(post.theta_new.cdf(x), want, rtol=EXACT)


def test_a_new_effect_is_the_draws_of_it():
    """Through narrow and wide nodes of tau, whose parts are summed in different ways."""
    for form in (T4, OUTLIERS):
        post = bm.fit(model(form), bm.load("hine1989"))
        new = post.joint.draw(4000, np.random.default_rng(3)).theta_new.ravel()
        x = np.array([-0.5, 0.2, 0.8, 1.7])
        p = post.theta_new.cdf(x)
        z = ((new[:, None] <= x).mean(axis=0) - p) / np.sqrt(p * (1 - p) / 4000)
        assert np.abs(z).max() < 4
        assert_allclose(post.theta_new.cdf(post.theta_new.quantile(0.9)), 0.9, rtol=1e-9)


def test_many_degrees_of_freedom_and_no_outliers_are_normal():
    want = bm.fit(model(NormalRandomEffects()), BCG)
    for form, rtol in ((StudentRandomEffects(1e8), 1e-7), (OutlierRandomEffects(2, 0), EXACT)):
        got = bm.fit(model(form), BCG)
        assert_allclose(got.log_marginal_likelihood, want.log_marginal_likelihood, rtol=rtol)
        for name, marginal in got.marginals.items():
            expected = want.marginals[name].quantile([0.025, 0.5, 0.975])
            assert_allclose(marginal.quantile([0.025, 0.5, 0.975]), expected, rtol=rtol)
        assert_allclose(got.theta.mean, want.theta.mean, rtol=rtol)


def test_outliers_only_are_a_wider_normal():
    got = bm.fit(model(OutlierRandomEffects(0.4, 1), tau=bm.Fixed(0.3)), BCG)
    normal = NormalRandomEffects()
    want = bm.fit(model(normal, tau=bm.Fixed(0.5)), BCG)
    assert_allclose(got.log_marginal_likelihood, want.log_marginal_likelihood, rtol=EXACT)
    assert_allclose(got.mu.quantile([0.1, 0.9]), want.mu.quantile([0.1, 0.9]), rtol=EXACT)
    assert_allclose(got.outlier_probability, np.ones(13))


def test_t_effects_of_scale_zero_are_the_common_effect():
    got = bm.fit(model(T4, tau=bm.Fixed(0)), BCG)
    data = got.bound.data
    precision = (1 / data.S).sum() + WIDE.sd**-2
    assert_allclose(got.mu.mean, (data.y / data.S).sum() / precision, rtol=EXACT)
    assert_allclose(got.mu.sd, precision**-0.5, rtol=EXACT)


def test_a_t_prior_of_few_degrees_has_no_moments_of_a_new_effect():
    one, two = (bm.fit(model(StudentRandomEffects(df)), BCG).theta_new for df in (1, 2))
    assert np.isnan(one.mean)
    assert np.isnan(two.sd)
    assert_allclose(two.mean, bm.fit(model(StudentRandomEffects(2)), BCG).mu.mean)


def test_an_estimate_far_away_pulls_less_under_t_and_is_told_as_an_outlier():
    """The responsibility by hand: at tau = 0.1, mu known, w known."""
    y, v, w = np.array([0.1, -0.2, 2.5]), np.array([0.04, 0.06, 0.05]), 0.1
    known = model(OutlierRandomEffects(2, w), effect=bm.Fixed(0), tau=bm.Fixed(0.1), measure="GEN")
    near = (1 - w) * stats.norm.pdf(y, 0, np.sqrt(v + 0.01))
    far = w * stats.norm.pdf(y, 0, np.sqrt(v + 0.01 + 4))
    got = bm.fit(known, estimates(y, v)).outlier_probability
    assert_allclose(got, far / (near + far), rtol=CLOSED)


def test_log_likelihoods_of_outliers_are_given_the_other_studies():
    """The sum over i of log p(y_i | y_1 .. y_i-1) is the total; two studies show both."""
    y, v = np.array([0.3, 1.9]), np.array([0.1, 0.2])
    post = bm.fit(model(OUTLIERS, measure="GEN"), estimates(y, v))
    mu, tau = np.array([0.4]), np.array([0.2])
    near = stats.norm.pdf(y, 0.4, np.sqrt(v + 0.04))
    far = stats.norm.pdf(y, 0.4, np.sqrt(v + 0.04 + 1.5**2))
    w, weight = legendre(0, 1, 30)
    L = (1 - w[:, None]) * near + w[:, None] * far
    weight = weight * stats.beta.pdf(w, 1, 9)
    want = np.log(weight @ L.prod(axis=1) / (weight @ L[:, ::-1]))
    assert_allclose(post.joint.log_likelihood(mu, tau)[0], want, rtol=CLOSED)


@pytest.mark.slow
@pytest.mark.parametrize("form", [T4, OUTLIERS], ids=str)
def test_draws_of_study_effects_follow_their_marginals(form):
    post = bm.fit(model(form), bm.load("hine1989"))
    theta = post.joint.draw(8000, np.random.default_rng(5)).theta
    z = (theta.mean(axis=(0, 1)) - post.theta.mean) / (post.theta.sd / 8000**0.5)
    assert np.abs(z).max() < 4


def test_unrelated_effects_under_a_flat_prior_are_the_common_effect_estimate():
    stated = model(UnrelatedEffects(), effect=bm.Flat(), tau=bm.Fixed(0))
    post = bm.fit(stated, BCG)
    data = post.bound.data
    assert_allclose(post.mu.mean, (data.y / data.S).sum() / (1 / data.S).sum(), rtol=CLOSED)
    assert_allclose(post.mu.sd, (1 / data.S).sum() ** -0.5, rtol=CLOSED)
    assert_allclose(post.theta.mean, data.y, rtol=CLOSED)
    assert_allclose(post.theta.sd, data.se, rtol=CLOSED)
    assert_array_equal(post.tau.quantile([0.1, 0.9]), [np.nan, np.nan])
    assert post.joint.log_likelihood(np.zeros(1), np.zeros(1)) is None


def test_unrelated_effects_have_their_own_priors():
    """One study at a time: prior times likelihood; mu their weighted mean."""
    stated = model(UnrelatedEffects(), effect=bm.Normal(0.3, 0.8), tau=bm.Fixed(0))
    post = bm.fit(stated, BCG)
    y, v = post.bound.data.y, post.bound.data.S
    weight = 1 / v / (1 / v).sum()
    mean, var = (y / v + 0.3 / 0.64) / (1 / v + 1 / 0.64), 1 / (1 / v + 1 / 0.64)
    assert_allclose(post.theta.mean, mean, rtol=CLOSED)
    assert_allclose(post.mu.sd, np.sqrt(weight**2 @ var), rtol=CLOSED)
    evidence = stats.norm.logpdf(y, 0.3, np.sqrt(v + 0.64))
    assert_allclose(post.log_marginal_likelihood, evidence.sum(), rtol=CLOSED)
    got = post.joint.log_likelihood(np.zeros(1), np.zeros(1))[0]
    assert_allclose(got, evidence, rtol=CLOSED)
    draws = post.joint.draw(4000, np.random.default_rng(1))
    assert abs(draws.mu.mean() - post.mu.mean) < 4 * post.mu.sd / 4000**0.5


def test_the_tree_of_unrelated_effects_says_what_it_leaves_out():
    tree = bm.fit(model(UnrelatedEffects(), effect=bm.Flat(), tau=bm.Fixed(0)), BCG).to_datatree(40)
    assert not set(tree.children) & {"log_likelihood", "log_prior", "prior"}
    assert {"posterior", "posterior_predictive", "observed_data"} <= set(tree.children)
    assert "unrelated" in tree.attrs["log_likelihood"]


def test_unrelated_effects_have_no_probability_of_tau_and_no_i2():
    post = bm.fit(model(UnrelatedEffects(), effect=bm.Flat(), tau=bm.Fixed(0)), BCG)
    assert np.isnan(post.parameter_table().loc["tau", "p_below_zero"])
    told = posterior_as_data(post, level=0.95, notes=(), version="0")["parameters"]
    assert [one["p_below_zero"] for one in told if one["name"] != "mu"] == [None, None]
    with pytest.raises(ModelError, match=r"unrelated effects, which have no tau"):
        post.i2()


@pytest.mark.parametrize(
    "text",
    [
        "normal",
        "t(4)",
        "t(4.123456789)",
        "outliers(2)",
        "outliers(2, 0.1)",
        "outliers(1.23456789, 0.0123456789)",
        "normal, cut to (-1, 1)",
        "normal, cut to (1e-07, 0.5)",
    ],
)
def test_forms_are_read_back_from_their_text(text):
    form = parse_random_effects(text)
    assert str(form) == text
    stated = model(form)
    assert bm.Model.from_text(**stated.as_text()) == stated


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "cauchy",
            r"Unknown form of random effects 'cauchy'. Known: normal, t\(4\), outliers\(2\)",
        ),
        ("t", "lacks df. Write t"),
        ("t(0.5)", "degrees of freedom from 1 on"),
        ("t('4')", "'4' is not a number"),
        ("t(4, 5)", "Unknown form"),
        ("outliers(0)", "must be positive"),
        ("outliers(2, 1.5)", "from 0 to 1"),
        ("t(", "Unknown form"),
        ("normal, cut to (-1, 1-)", "Unknown form"),
    ],
)
def test_forms_that_cannot_be_read_say_why(text, said):
    with pytest.raises(ModelError, match=said):
        parse_random_effects(text)


def test_what_is_not_offered_is_refused_by_name():
    with pytest.raises(ModelError, match=r"Unrelated effects have no tau.*fixed\(0\)"):
        model(UnrelatedEffects())
    unrelated = model(UnrelatedEffects(), TABLES, tau=bm.Fixed(0))
    with pytest.raises(NotExactError, match="under the normal likelihood"):
        bm.fit(unrelated, BCG)
    known = bm.fit(model(T4, effect=bm.Fixed(0.1)), BCG)
    with pytest.raises(NotExactError, match=r"study effects of t\(4\) effects.*mu is known"):
        known.theta.quantile(0.5)
    with pytest.raises(NotExactError, match=r"needs normal random effects, not t\(4\)"):
        bm.fit(model(T4), BCG, engine="gaussian")


@pytest.mark.slow
@pytest.mark.nuts
def test_what_nuts_does_not_offer_is_refused_by_name():
    unrelated = model(UnrelatedEffects(), tau=bm.Fixed(0))
    with pytest.raises(SamplingError, match="nothing to sample"):
        bm.fit(unrelated, BCG, engine="nuts", rng=1)
    with pytest.raises(SamplingError, match="normal likelihood only"):
        bm.fit(model(OUTLIERS, TABLES), BCG, engine="nuts", rng=1)


@pytest.mark.slow
@pytest.mark.nuts
@pytest.mark.parametrize(
    ("form", "likelihood", "table"),
    [
        (T4, NORMAL, BCG),
        (T4, *PROBLEMS["zero cells of nielweise2007, binomial"]),
        (OUTLIERS, NORMAL, BCG),
        (OUTLIERS, *PROBLEMS["two trials of hine1989, normal"]),
    ],
)
def test_exact_and_sampled_forms_agree(form, likelihood, table):
    stated = model(form, likelihood)
    exact = bm.fit(stated, table)
    sampled = bm.fit(stated, table, engine="nuts", rng=11)
    assert sampled.ok, sampled.accuracy.failures
    ess = sampled.accuracy.ess_bulk
    for parameter in ("mu", "tau"):
        one, other = exact.marginals[parameter], sampled.marginals[parameter]
        assert abs(one.mean - other.mean) < 4 * one.sd / ess**0.5
        assert abs(one.sd / other.sd - 1) < 5 / ess**0.5
    assert np.abs((exact.theta.mean - sampled.theta.mean) / exact.theta.sd).max() < 5 / ess**0.5
    assert abs(exact.theta_new.cdf(0.0) - sampled.theta_new.cdf(0.0)) < 4 * 0.5 / ess**0.5
    if form is OUTLIERS:
        difference = exact.outlier_probability - sampled.outlier_probability
        assert np.abs(difference).max() < 0.01


@pytest.mark.parametrize(
    ("kind", "numbers", "told"),
    [
        (StudentRandomEffects, ["4"], r"t\('4'\) cannot be used"),
        (StudentRandomEffects, [0.5], r"t\(0.5\) cannot be used"),
        (OutlierRandomEffects, ["2"], r"outliers\('2'\) cannot be used"),
        (OutlierRandomEffects, [-1], r"outliers\(-1\) cannot be used"),
        (OutlierRandomEffects, [2, "0.1"], "A share of '0.1' outlying studies is impossible"),
        (OutlierRandomEffects, [2, np.nan], "A share of nan outlying studies is impossible"),
    ],
)
def test_numbers_that_are_none_of_a_form_are_refused(kind, numbers, told):
    with pytest.raises(ModelError, match=told):
        kind(*numbers)
