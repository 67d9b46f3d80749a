import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from published.rows import as_model, as_row, exact_row
from scipy import stats
from tolerances import CLOSED, EXACT

import bayesmeta as bm
from bayesmeta.published.weights import StudyWeights

Z = stats.norm.isf(0.025)
PROBS = [0.025, 0.5, 0.975]
SIX = np.array([0.3, -0.2, 0.8, 0.1, 0.45, -0.05])


def contrasts(y, v):
    names = [f"study {i}" for i in range(len(y))]
    return bm.read_studies(pd.DataFrame({"study": names, "estimate": y, "se": np.sqrt(v)}))


def numbers(marginal):
    """Mean, SD and quantiles."""
    return [float(np.ravel(marginal.mean)[0]), float(np.ravel(marginal.sd)[0]), *np.ravel(
        marginal.quantile(PROBS)
    )]  # fmt: skip


def brute(m, se, k, q_low, q_high, *, effect_sd, tau_scale):
    """Mean and sd of mu and mean of tau of a random row: dense sums over mu, tau and log Q."""
    s2, df = k * se**2, k - 1
    x, w = np.polynomial.legendre.leggauss(60)
    tau, w_tau = 2.0 * (1 + x), w * stats.halfnorm.pdf(2.0 * (1 + x), scale=tau_scale)
    log_q = 0.5 * math.log(q_high / df) * (1 + x) + math.log(df)
    v = df * s2 / np.exp(log_q)
    chi2 = df * s2 / (v + tau[:, None] ** 2)
    above = 0.5 * math.log(q_high / df) * w * chi2 * stats.chi2.pdf(chi2, df)
    ratio = s2 / (s2 + tau**2)
    below = stats.chi2.cdf(df * ratio, df) - stats.chi2.cdf(q_low * ratio, df)
    weight = w_tau[:, None] * np.column_stack([above, below])
    variance = (np.append(v, s2) + tau[:, None] ** 2) / k
    mu = np.linspace(m - 8, m + 8, 801)
    density = weight[..., None] * stats.norm.pdf(m, mu, np.sqrt(variance)[..., None])
    density = density * stats.norm.pdf(mu, 0, effect_sd)
    total = density.sum()
    of_mu = density.sum(axis=(0, 1)) / total
    mean = of_mu @ mu
    sd = math.sqrt(of_mu @ (mu - mean) ** 2)
    return mean, sd, density.sum(axis=(1, 2)) @ tau / total


@pytest.mark.parametrize(
    ("model", "spread"),
    [("fixed", 0.5), ("fixed", 1.0), ("random", 0.5), ("random", 1.0), ("random", 4.0)],
)
def test_a_row_of_equally_precise_studies_gives_the_posterior_of_the_studies(model, spread):
    y, v = spread * SIX, np.full(6, 0.09)
    whole = as_model("MD", heterogeneity=bm.HalfNormal(0.5))
    row = bm.from_published(exact_row(model, y, v), whole)
    studies = bm.fit(as_model("GEN", heterogeneity=bm.HalfNormal(0.5)), contrasts(y, v))
    for name in ("mu", "tau", "theta_new"):
        assert_allclose(
            numbers(row.marginals[name]), numbers(studies.marginals[name]), rtol=3 * EXACT
        )


def test_a_random_row_whose_q_may_lie_on_both_sides_of_k_minus_1_agrees_with_brute_force():
    k, q_p = 5, "0.4"
    row = as_row("random", "0.6000000000000", (f"{0.6 - Z * 0.2:.15f}", f"{0.6 + Z * 0.2:.15f}"),
                 k=k, q_p=q_p)  # fmt: skip
    posterior = bm.from_published(row, as_model("MD", effect=bm.Normal(0, 1.5)))
    low, high = (stats.chi2.isf(p, k - 1) for p in (0.45, 0.35))
    assert low < k - 1 < high
    want = brute(0.6, 0.2, k, low, high, effect_sd=1.5, tau_scale=0.5)
    got = [float(x) for x in (posterior.mu.mean, posterior.mu.sd, posterior.tau.mean)]
    assert_allclose(got, want, rtol=EXACT)


@pytest.mark.parametrize("effect", [bm.Normal(0.2, 1), bm.Flat()])
def test_one_study_is_the_fit_of_its_contrast(effect):
    estimate, se = 0.77, 0.31
    ends = [math.exp(estimate + side * Z * se) for side in (0, -1, 1)]
    text, *ci = (f"{end:.17g}" for end in ends)
    model = as_model("OR", effect=effect)
    row = bm.from_published(as_row("fixed", text, ci, k=1), model)
    study = bm.fit(as_model("GEN", effect=effect), contrasts([estimate], np.array([se**2])))
    for name in ("mu", "tau", "theta_new", "theta"):
        one, other = getattr(row, name), getattr(study, name)
        assert_allclose(np.ravel(one.mean), np.ravel(other.mean), rtol=CLOSED)
        assert_allclose(np.ravel(one.sd), np.ravel(other.sd), rtol=CLOSED)
    assert_allclose(row.log_marginal_likelihood, study.log_marginal_likelihood, atol=CLOSED)


def test_a_known_tau_of_0_gives_the_closed_normal_posterior():
    row = as_row("fixed", "0.50000000000000", ("0.10000000000000", "0.90000000000000"), k=4,
                 q_p="0.3")  # fmt: skip
    model = as_model("MD", effect=bm.Normal(0.1, 0.7), heterogeneity=bm.Fixed(0.0))
    posterior = bm.from_published(row, model)
    v, v0 = (0.4 / Z) ** 2, 0.49
    want = (0.5 * v0 + 0.1 * v) / (v + v0), math.sqrt(v * v0 / (v + v0))
    assert_allclose([float(posterior.mu.mean), float(posterior.mu.sd)], want, rtol=CLOSED)
    assert_allclose(float(posterior.theta_new.sd), want[1], rtol=CLOSED)


def test_without_k_the_row_is_one_study_of_a_common_effect_and_says_so():
    posterior = bm.from_published(as_row("fixed", "1.23", ("1.09", "1.39")), as_model("RR"))
    assert float(posterior.tau.quantile(0.975)) == 0
    assert any("one study, common effect" in note for note in posterior.notes)


def test_coarse_printing_averages_over_what_it_leaves_open():
    row = as_row("fixed", "0.02", ("-0.04", "0.08"), k=3)
    model = as_model("MD", effect=bm.Normal(0, 0.05), heterogeneity=bm.Fixed(0.0))
    posterior = bm.from_published(row, model)
    mu = np.linspace(-0.4, 0.4, 2001)
    x, w = np.polynomial.legendre.leggauss(40)
    m, se = 0.02 + 0.005 * x, (0.12 + 0.01 * x) / (2 * Z)
    likelihood = np.einsum(
        "i,j,ijk->k", w, w, stats.norm.pdf(m[:, None, None], mu, se[None, :, None])
    )
    density = likelihood * stats.norm.pdf(mu, 0, 0.05)
    density = density / density.sum()
    mean = density @ mu
    want = mean, math.sqrt(density @ (mu - mean) ** 2)
    assert_allclose([float(posterior.mu.mean), float(posterior.mu.sd)], want, rtol=EXACT)


def test_the_rounding_of_usual_ratios_hardly_matters():
    rounded = as_row("random", "5.13", ("0.75", "35.02"), k=2, q_p="0.07")
    digits = as_row("random", "5.13000000", ("0.75150000", "35.02000000"), k=2, q_p="0.070000")
    one, other = (bm.from_published(row, as_model("OR")) for row in (rounded, digits))
    assert_allclose(float(one.mu.mean), float(other.mu.mean), atol=0.005 * float(one.mu.sd))
    assert_allclose(float(one.mu.sd), float(other.mu.sd), rtol=0.005)
    assert_allclose(float(one.tau.mean), float(other.tau.mean), rtol=0.005)


def test_multitarget_therapy_no_longer_leaves_the_effect_open():
    """Zhou 2019, Table 2: complete remission, tacrolimus + mycophenolate v cyclophosphamide."""
    row = as_row("random", "5.13", ("0.75", "35.02"), k=2, p="0.10", q_p="0.07")
    posterior = bm.from_published(row, as_model("OR"))
    reconstructed = contrasts(  # the two trials, 10/20 v 1/20 and 83/181 v 46/181
        [math.log(10 * 19 / (10 * 1)), math.log(83 * 135 / (98 * 46))],
        np.array([1 / 10 + 1 / 10 + 1 + 1 / 19, 1 / 83 + 1 / 98 + 1 / 46 + 1 / 135]),
    )
    studies = bm.fit(as_model("GEN"), reconstructed)
    gap = float(posterior.mu.mean - studies.mu.mean) / float(studies.mu.sd)
    assert_allclose(gap, 0, atol=1.2)  # two trials of such different size are not equally precise
    assert posterior.accuracy.ok


def test_another_level_of_the_interval_is_the_same_row_with_its_own_factor():
    z90 = stats.norm.isf(0.05)
    rows = [
        as_row("fixed", "0.50000000000", tuple(f"{0.5 + s * z * 0.1:.15f}" for s in (-1, 1)), k=3,
               q="1.5000000000")
        for z in (Z, z90)
    ]  # fmt: skip
    one, other = (
        bm.from_published(row, as_model("MD"), level=level)
        for row, level in zip(rows, (0.95, 0.9), strict=True)
    )
    assert_allclose(numbers(one.mu), numbers(other.mu), rtol=EXACT)


def test_a_fixed_row_with_a_large_q_is_flagged():
    row = as_row("fixed", "0.65", ("0.60", "0.70"), k=13, q="163.16")
    with pytest.warns(bm.BayesmetaWarning, match=r"flagged.*Q/\(k - 1\)"):
        posterior = bm.from_published(row, as_model("OR"))
    assert any(note.startswith("flagged") for note in posterior.notes)


def test_equal_sizes_are_no_sizes():
    row = as_row("random", "0.47", ("0.32", "0.69"), k=5, q="9.00")
    plain, equal = (
        bm.from_published(row, as_model("OR"), sizes=sizes) for sizes in (None, [40] * 5)
    )
    assert_allclose(numbers(equal.mu), numbers(plain.mu), rtol=CLOSED)
    assert_allclose(numbers(equal.tau), numbers(plain.tau), rtol=CLOSED)


def test_the_sizes_give_the_moments_of_q():
    rng = np.random.default_rng(5)
    n, c, tau = np.array([20.0, 50.0, 90.0, 240.0]), 0.08, 0.4
    weights = StudyWeights.build(n)
    v = c / weights.n
    y = rng.normal(0, np.sqrt(v + tau**2), (400_000, 4))
    m = (y / v).sum(axis=1) / (1 / v).sum()
    q = ((y - m[:, None]) ** 2 / v).sum(axis=1)
    x, w = np.polynomial.legendre.leggauss(400)
    at = 300 * (1 + x)
    density = np.exp(weights.log_density(at, np.array(c), np.array(tau)))
    mean = 300 * w @ (density * at)
    sd = math.sqrt(300 * w @ (density * (at - mean) ** 2))
    assert_allclose(mean, q.mean(), rtol=5e-3)
    assert_allclose(sd, q.std(), rtol=2e-2)


@pytest.mark.slow
def test_draws_follow_the_marginals():
    row = as_row("random", "1.31", ("0.81", "2.12"), k=2, q_p="0.08")
    posterior = bm.from_published(row, as_model("RR"))
    draws = posterior.joint.draw(10_000, np.random.default_rng(3))
    probs = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
    for name in ("mu", "tau", "theta_new", "theta"):
        points = np.ravel(getattr(posterior, name).quantile(probs))
        below = (np.ravel(getattr(draws, name)) <= points[:, None]).mean(axis=1)
        z = (below - probs) / np.sqrt(probs * (1 - probs) / 10_000)
        assert_allclose(z, 0, atol=3.7)


def test_the_log_likelihood_of_the_row_is_what_the_posterior_came_from():
    row = as_row("random", "1.31", ("0.51", "3.40"), k=2, q_p="0.08")
    posterior = bm.from_published(row, as_model("RR"))
    mu, tau = np.meshgrid(np.linspace(-9, 9, 121), np.linspace(0, 4, 201))
    model = posterior.bound.model
    log_f = posterior.joint.log_likelihood(mu, tau)[..., 0]
    log_f = log_f + model.effect.logpdf(mu) + model.heterogeneity.logpdf(tau)
    weight = np.full(201, 0.02)
    weight[[0, -1]] = 0.01
    evidence = math.log((np.exp(log_f) * weight[:, None]).sum() * 0.15)
    assert_allclose(posterior.log_marginal_likelihood, evidence, atol=1e-4)


def test_the_mean_ratio_of_a_published_row_is_refused():
    row = as_row("random", "5.13", ("0.75", "35.02"), k=2, q_p="0.07")
    posterior = bm.from_published(row, as_model())
    for parameter in ("mu", "theta_new"):
        with pytest.raises(bm.MomentError, match="not given for a published row"):
            bm.natural_mean(posterior, parameter)
