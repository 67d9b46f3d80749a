"""Binomial likelihood of risk ratios and risk differences: the average log odds integrated out."""

import numpy as np
import pytest
from cases import HALF, counts, effect_prior, tau_prior
from cases import WIDE as EFFECT
from hypothesis import given, settings
from hypothesis import strategies as st
from likelihoods.brute import TAU, mix, rectangle, reported
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.errors import ImproperPosteriorError, ModelError
from bayesmeta.likelihoods.risks import half_log_odds_ratio, log_odds_of_arms, nuisance_at

GOLDEN = 1e-7  # what the reference is good for
WIDE = bm.BinomialLikelihood(bm.Normal(0, 10))
TABLES = {
    "ordinary": (4, 123, 11, 139),
    "large": (505, 88391, 499, 88391),
    "zero treated": (0, 20, 5, 20),
    "double zero": (0, 20, 0, 30),
    "all events in one arm": (12, 20, 30, 30),
}
PHI = np.linspace(-95, 95, 190_001)


def model(measure="RR", likelihood=WIDE, effect=EFFECT, tau=HALF):
    return bm.Model(measure=measure, likelihood=likelihood, effect=effect, heterogeneity=tau)


def log_g(table, theta, measure="RR", likelihood=WIDE):
    data = likelihood.prepare(counts(table), get_measure(measure), "only0")
    return likelihood.log_g(data, np.atleast_2d(theta))[0]


def risk_of_control(measure, theta, phi):
    """The textbook's root of p_c p_t = K (1 - p_c) (1 - p_t)."""
    K = np.exp(2 * phi)
    if measure == "RR":
        r = np.exp(theta)
        return 2 * K / (K * (1 + r) + np.sqrt(K**2 * (1 - r) ** 2 + 4 * r * K))
    root = np.sqrt(K + (1 - K) ** 2 * theta**2 / 4)
    return (K + (1 - K) * theta**2 / 4) / (K + root) - theta / 2


def by_quadrature(table, theta, measure="RR", sd=10.0):
    """190 001 even points of phi; where a complement of a risk is lost, phi does not matter."""
    r_t, n_t, r_c, n_c = table
    p_c = np.clip(risk_of_control(measure, theta, PHI), 1e-300, 1 - 1e-16)
    p_t = np.clip(p_c * np.exp(theta) if measure == "RR" else p_c + theta, 1e-300, 1 - 1e-16)
    log = stats.binom.logpmf(r_c, n_c, p_c) + stats.binom.logpmf(r_t, n_t, p_t)
    return mix(log + stats.norm.logpdf(PHI, 0, sd), PHI)


@pytest.mark.parametrize("case", ["hine1989_RR", "bcg_RR", "nielweise2007_RR"])
def test_risk_ratio_posteriors_agree_with_the_reference(case, golden):
    (want,) = [c for c in golden("binomial_rr")["binomial_normal_rr"] if c["id"] == case]
    likelihood = bm.BinomialLikelihood(bm.Normal(want["settings"]["am"], want["settings"]["asd"]))
    priors = effect_prior(want["settings"]), tau_prior(want["settings"])
    post = bm.fit(model("RR", likelihood, *priors), bm.load(want["dataset"]))
    expected = want["expected"]
    assert_allclose(post.log_marginal_likelihood, expected["log_marginal_likelihood"], rtol=GOLDEN)
    assert_allclose(post.mu.cdf(0.0), expected["mu"]["p_below_0"], rtol=GOLDEN)
    for name, marginal in (("mu", post.mu), ("tau", post.tau)):
        got = [marginal.mean, marginal.sd, *marginal.quantile([0.025, 0.5, 0.975])]
        keys = ("mean", "sd", "q2.5", "q50", "q97.5")
        assert_allclose(got, [expected[name][key] for key in keys], rtol=GOLDEN)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("theta", [-6.0, -0.5, 0.0, 3.0])
def test_the_risk_ratio_is_integrated_exactly(name, theta):
    assert_allclose(log_g(TABLES[name], theta), by_quadrature(TABLES[name], theta), rtol=1e-9)


def test_a_baseline_prior_against_the_data_is_integrated_over_both_modes():
    """Few control events fail, so that the likelihood has a plateau; the prior sits on it."""
    table, theta, baseline = (0, 12, 40, 40), -4.0, bm.Normal(25, 1.5)
    p_c = np.clip(risk_of_control("RR", theta, PHI), 1e-300, 1 - 1e-16)
    log = 40 * np.log(p_c) + 12 * np.log1p(-p_c * np.exp(theta))
    want = mix(log + stats.norm.logpdf(PHI, 25, 1.5), PHI)
    assert_allclose(log_g(table, theta, likelihood=bm.BinomialLikelihood(baseline)), want)


@given(
    st.tuples(st.integers(0, 30), st.integers(30, 60), st.integers(0, 30), st.integers(30, 60)),
    st.floats(-5, 5),
    st.sampled_from(["OR", "RR"]),
)
@settings(max_examples=25)
def test_exchanging_the_arms_changes_the_sign_and_nothing_else(table, theta, measure):
    likelihood = bm.BinomialLikelihood(bm.StudentT(4, -1, 3), baseline_of="average")
    swapped = (*table[2:], *table[:2])
    want = log_g(table, theta, measure, likelihood)
    assert_allclose(log_g(swapped, -theta, measure, likelihood), want, rtol=1e-12)


def test_the_posterior_with_arms_exchanged_is_the_mirror_image():
    rows = bm.load("hine1989").two_arm()
    arms = [rows.events_treated, rows.n_treated, rows.events_control, rows.n_control]
    one = bm.fit(model(), counts(*zip(*arms, strict=True)))
    other = bm.fit(model(), counts(*zip(*arms[2:], *arms[:2], strict=True)))
    assert_allclose(other.mu.mean, -one.mu.mean, rtol=1e-11)
    assert_allclose(other.mu.quantile(0.975), -one.mu.quantile(0.025), rtol=1e-11)
    assert_allclose(other.tau.mean, one.tau.mean, rtol=1e-11)


def test_the_log_odds_are_those_of_the_risks_asked_for():
    phi, theta = np.linspace(-12, 12, 41), np.array([[-0.9], [-0.01], [0.3], [0.999]])
    for measure in ("RR", "RD"):
        half = half_log_odds_ratio(measure, theta, phi)
        p_c = risk_of_control(measure, theta, phi)
        assert_allclose(
            1 / (1 + np.exp(half - phi)), p_c, rtol=1e-9, atol=1e-15
        )  # the root cancels
    assert_allclose(half_log_odds_ratio("RR", 900.0, np.array(3.0)), 900 + 3.0, rtol=1e-12)


@pytest.mark.parametrize("level", [40.0, 1e3, 1e9])
def test_log_odds_keep_their_digits_where_their_average_is_far(level):
    """One risk goes to 0 or 1, the other to what theta asks for: 0.1 or 0.9, or 1/3."""
    theta, phi = np.array([0.9, -0.9, 0.9, -0.9]), np.array([level, level, -level, -level])
    treated, control = log_odds_of_arms("RD", theta, phi)
    other = np.where(phi * theta > 0, control, treated)
    assert_allclose(other, -np.sign(phi) * np.log(9), rtol=1e-13)
    assert_allclose(treated + control, 2 * phi, rtol=1e-13)
    treated, control = log_odds_of_arms("RR", np.log(3.0), np.array(level))
    assert_allclose(control, -np.log(2), rtol=1e-13)
    assert_allclose(treated + control, 2 * level, rtol=1e-13)


def test_a_baseline_with_a_heavy_tail_is_integrated_where_theta_contradicts_the_data():
    """The likelihood goes to a constant as phi falls, and far more of the prior is there."""
    likelihood, theta = bm.BinomialLikelihood(bm.Cauchy(0, 2.5)), -0.9
    data = model("RD", likelihood, bm.Uniform(-1, 1)).bind(counts((0, 597, 155, 183603))).data
    x = np.linspace(-50, 1.5, 400_001)
    phi = np.sinh(x)
    p_c = risk_of_control("RD", theta, np.maximum(phi, -300))
    log = 155 * np.log(p_c) + (183603 - 155) * np.log1p(-p_c) + 597 * np.log1p(-(p_c + theta))
    log += stats.cauchy.logpdf(phi, 0, 2.5) + np.log(np.cosh(x))
    want = np.log(np.exp(log - log.max()).sum() * (x[1] - x[0])) + log.max()
    got = likelihood.log_g(data, np.array([[theta]]))[0] - data.log_coefficient
    assert_allclose(got, want, rtol=0, atol=1e-8)


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_the_first_look_is_at_the_risk_of_the_control_arm(measure):
    theta, risk = np.array([-0.15, 0.0, 0.2]), np.array([0.2, 0.35, 0.3])
    phi = nuisance_at(measure, theta, risk)
    control = phi - half_log_odds_ratio(measure, theta, phi)
    assert_allclose(1 / (1 + np.exp(-control)), risk, rtol=1e-12)


def test_what_vanishes_where():
    """Risks that go apart without an end suit only arms that are full of events and empty."""
    tables = [*TABLES.values(), (0, 20, 30, 30), (20, 20, 0, 30)]
    want = [[True, True]] * 5 + [[False, True], [True, False]]
    data = WIDE.prepare(counts(*tables), get_measure("RR"), "only0")
    assert_array_equal(WIDE.vanishes(data), want)
    far = WIDE.log_g(data, np.tile([-600.0, -400.0, 400.0, 600.0], (7, 1)))
    assert_array_equal(far[:, 0] < far[:, 1] - 1, np.array(want)[:, 0])
    assert_array_equal(far[:, 3] < far[:, 2] - 1, np.array(want)[:, 1])


def test_a_flat_effect_is_proper_where_a_study_vanishes_at_each_end_and_not_elsewhere():
    flat = model(effect=bm.Flat())
    post = bm.fit(flat, counts((0, 20, 3, 20), (2, 25, 0, 30)))
    assert post.accuracy.error < 1e-8
    with pytest.raises(ImproperPosteriorError, match="arbitrarily low effects"):
        bm.fit(flat, counts((0, 20, 30, 30)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows", [((1, 20, 6, 22), (0, 15, 3, 16)), ((0, 20, 0, 25), (3, 40, 5, 41), (2, 30, 0, 30))]
)
def test_zero_cells_and_double_zeros_against_a_plain_rectangle(rows):
    theta = np.linspace(-24, 24, 801)
    g = np.array([[by_quadrature_coarse(row, t) for t in theta] for row in rows])
    want = rectangle(g, theta, bm.Normal(0, 1.5))
    post = bm.fit(model(effect=bm.Normal(0, 1.5), tau=TAU), counts(*rows))
    assert_allclose(list(reported(post).values()), list(want.values()), rtol=2e-7)


def by_quadrature_coarse(table, theta):
    r_t, n_t, r_c, n_c = table
    phi = PHI[::100]
    p_c = np.clip(risk_of_control("RR", theta, phi), 1e-300, 1 - 1e-16)
    p_t = np.clip(p_c * np.exp(theta), 1e-300, 1 - 1e-16)
    log = stats.binom.logpmf(r_c, n_c, p_c) + stats.binom.logpmf(r_t, n_t, p_t)
    return mix(log + stats.norm.logpdf(phi, 0, 10), phi)


def test_one_study_gives_prior_times_likelihood():
    post = bm.fit(model(effect=bm.Normal(0, 2), tau=bm.Fixed(0)), counts((0, 20, 5, 20)))
    mu = np.linspace(-20, 12, 3201)
    density = log_g((0, 20, 5, 20), mu) + stats.norm.logpdf(mu, 0, 2)
    assert_allclose(post.log_marginal_likelihood, mix(density, mu), rtol=1e-9)


def test_risk_ratio_and_odds_ratio_come_together_as_events_grow_and_risks_fall():
    """By the effects' own difference, log((1 - p_c) / (1 - p_t)), and 1/events of the priors'."""
    gaps = []
    for events in (1_000, 10_000):
        n = events**2
        table = counts((events, n, events + 50, n), (events + 20, n, events, n))
        fits = [
            bm.fit(model(m, effect=bm.Normal(0, 1), tau=bm.HalfNormal(0.1)), table)
            for m in ("OR", "RR")
        ]
        gaps.append(abs(float(fits[0].mu.mean - fits[1].mu.mean)))
    assert gaps[0] < 1e-4
    assert 5 < gaps[0] / gaps[1] < 20


def test_many_events_agree_with_the_normal_likelihood():
    table = counts((500_000, 10**6, 510_000, 10**6), (400_000, 10**6, 390_000, 10**6))
    settings = {"effect": bm.Normal(0, 1), "tau": bm.HalfNormal(0.1)}
    exact = bm.fit(model("RR", WIDE, **settings), table)
    normal = bm.fit(model("RR", bm.NormalLikelihood(), **settings), table)
    assert_allclose(exact.mu.quantile([0.025, 0.5, 0.975]), normal.mu.quantile([0.025, 0.5, 0.975]),
                    atol=1e-5)  # fmt: skip


def test_the_control_arm_alone_is_no_baseline_of_a_risk_ratio():
    likelihood = bm.BinomialLikelihood(bm.Normal(0, 10), baseline_of="control")
    with pytest.raises(ModelError, match=r'For RR the baseline is the average.*"average"'):
        model("RR", likelihood).bind(bm.load("bcg"))
    with pytest.raises(ModelError, match=r"baseline_of = 'treated' is not known.*\"average\""):
        bm.BinomialLikelihood(bm.Normal(0, 10), baseline_of="treated")


@pytest.mark.slow
def test_a_risk_ratio_where_almost_everybody_had_the_event_against_a_plain_sum():
    """The likelihood bends sharply at 0; a single effect is normal before it is seen."""
    tau, phi, theta = 0.1, np.linspace(-60, 60, 2401), np.linspace(-4, 4, 4001)
    p_c = np.clip(risk_of_control("RR", theta[:, None], phi), 1e-300, 1 - 1e-16)
    p_t = np.clip(p_c * np.exp(theta[:, None]), 1e-300, 1 - 1e-16)
    log = stats.binom.logpmf(34, 34, p_t) + stats.binom.logpmf(34, 36, p_c)
    log_g = mix(log + stats.norm.logpdf(phi, 0, 10), phi)
    sd = np.hypot(2.82, tau)
    evidence = mix(log_g + stats.norm.logpdf(theta, 0, sd), theta)
    model = bm.Model(
        measure="RR",
        likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.Fixed(tau),
    )
    post = bm.fit(model, counts((34, 34, 34, 36)))
    assert_allclose(post.log_marginal_likelihood, evidence, rtol=1e-5)
