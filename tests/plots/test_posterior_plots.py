"""Plots of a posterior, by what is on their axes."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from plots.cases import NORMAL, posterior
from scipy.stats import halfnorm, norm
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.plots.joint_plot import region_heights

POST = posterior(13)


def test_the_curves_are_the_densities_per_unit_of_the_logarithm():
    ax = bm.plots.prior_posterior(POST, "mu")
    prior, after = ax.lines
    x = np.log(prior.get_xdata())
    assert_allclose(prior.get_ydata(), norm.pdf(x, 0, 2.82), rtol=CLOSED)
    assert_allclose(after.get_ydata(), POST.mu.pdf(x), rtol=CLOSED)
    assert ax.get_xscale() == "log"


def test_tau_has_its_prior_on_the_analysis_scale():
    prior, after = bm.plots.prior_posterior(POST, "tau").lines
    assert_allclose(prior.get_ydata(), halfnorm.pdf(prior.get_xdata(), scale=0.5), rtol=CLOSED)
    assert_allclose(after.get_ydata(), POST.tau.pdf(after.get_xdata()), rtol=CLOSED)


def test_the_filled_part_is_the_interval():
    filled = bm.plots.prior_posterior(POST, "mu", level=0.8).collections[0]
    ends = filled.get_paths()[0].vertices[:, 0]
    assert_allclose([ends.min(), ends.max()], np.exp(POST.mu.interval(0.8)), rtol=1e-6)


def test_the_prior_of_a_new_effect_mixes_over_that_of_tau():
    line = bm.plots.prior_posterior(POST, "theta_new").lines[0]
    x = np.log(line.get_xdata())
    tau = halfnorm.ppf((np.arange(20_000) + 0.5) / 20_000, scale=0.5)
    by_hand = norm.pdf(x[::100, None], 0, np.hypot(2.82, tau)).mean(-1)
    assert_allclose(line.get_ydata()[::100], by_hand, rtol=1e-4)


def test_an_improper_prior_is_named_and_not_drawn():
    flat = bm.fit(replace(NORMAL, effect=bm.Flat()), bm.load("bcg"))
    prior = bm.plots.prior_posterior(flat, "mu").lines[0]
    assert prior.get_label() == "prior flat, improper: not drawn"
    assert np.isnan(prior.get_ydata()).all()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"parameter": "mue"}, "Did you mean 'mu'"),
        ({"parameter": "theta"}, "name it with study"),
        ({"parameter": "mu", "study": "TPT Madras 1980"}, "leave it out"),
        ({"parameter": "theta", "study": "TPT Madras 1981"}, "Did you mean 'TPT Madras 1980'"),
    ],
)
def test_a_parameter_that_is_not_there_is_told(given, match):
    with pytest.raises(bm.ModelError, match=match):
        bm.plots.prior_posterior(POST, **given)


def test_a_known_tau_has_no_density():
    known = bm.fit(replace(NORMAL, heterogeneity=bm.Fixed(0.3)), bm.load("bcg"))
    with pytest.raises(bm.ModelError, match="tau is known"):
        bm.plots.prior_posterior(known, "tau")
    with pytest.raises(bm.NotExactError, match="no joint density"):
        bm.plots.joint(known)


def test_shrinkage_shows_observed_and_posterior_effects_of_each_study():
    ax = bm.plots.shrinkage(POST)
    by_label = {line.get_label(): line for line in ax.lines}
    effects = bm.compute_effects(bm.load("bcg"), "OR")
    assert_allclose(by_label["observed"].get_xdata(), np.exp(effects.y), rtol=CLOSED)
    assert_allclose(
        by_label["posterior"].get_xdata(), np.exp(POST.study_table()["median"]), rtol=CLOSED
    )
    assert_allclose(by_label["mean effect"].get_xdata()[0], np.exp(POST.mu.quantile(0.5)))
    assert [text.get_text() for text in ax.get_yticklabels()] == list(effects.study)


def test_an_observed_interval_that_leaves_the_axis_ends_in_an_arrow():
    ax = bm.plots.shrinkage(POST)
    effects = bm.compute_effects(bm.load("bcg"), "OR")
    low = np.exp(effects.y - norm.ppf(0.975) * np.sqrt(effects.S))
    arrows = [line for line in ax.lines if line.get_marker() == "<"]
    assert len(arrows[0].get_xdata()) == (low < ax.get_xlim()[0]).sum() > 0


def test_joint_regions_hold_their_probability_of_independent_draws():
    ax = bm.plots.joint(POST)
    draws = POST.joint.draw(8000, np.random.default_rng(3))
    points = np.column_stack([np.exp(draws.mu.ravel()), draws.tau.ravel()])
    lines = [one for one in ax.collections if len(one.get_facecolor()) == 0][-1]
    inside = [path.contains_points(points).mean() for path in lines.get_paths()]
    assert_allclose(inside, [0.95, 0.8, 0.5], atol=0.02)


def test_region_heights_are_those_of_a_normal():
    x = np.linspace(-6, 6, 20_001)
    heights = region_heights(norm.pdf(x), (0.5, 0.95))
    assert_allclose(heights, norm.pdf(norm.ppf([0.75, 0.975])), rtol=1e-3)


def test_the_curve_is_the_distribution_function():
    ax = bm.plots.probability_curve(POST)
    for line, marginal in zip(ax.lines, (POST.mu, POST.theta_new), strict=False):
        assert_allclose(line.get_ydata(), marginal.cdf(np.log(line.get_xdata())), rtol=CLOSED)


def test_certainty_is_never_written():
    words = [text.get_text() for text in bm.plots.probability_curve(POST).get_legend().get_texts()]
    assert words[0] == "mean effect: P(OR < 1) > 0.999"


def test_one_group_has_no_value_of_no_effect():
    table = bm.load_frame("kraaij_2016_lupus_nephritis/single_arm")
    one = bm.read_studies(table[["study", "xi", "ni"]].drop_duplicates("study").dropna())
    model = replace(NORMAL, measure="PLO", effect=bm.Normal(0, 2))
    ax = bm.plots.probability_curve(bm.fit(model, one))
    assert ax.get_legend().get_texts()[0].get_text() == "mean effect"
    assert 0 < ax.get_xlim()[0] < ax.get_xlim()[1] < 1


def test_absolute_risks_are_those_of_the_odds_ratio():
    ax = bm.plots.absolute_risk(POST, (0.1, 0.3))
    b, risk = ax.lines[0].get_data()
    odds = b / (1 - b) * np.exp(POST.mu.quantile(0.5))
    assert_allclose(risk, odds / (1 + odds), rtol=1e-8)
    assert_allclose(b[[0, -1]], [0.1, 0.3])


def test_numbers_needed_turn_round_with_the_good_direction():
    lower = bm.plots.number_needed(POST, (0.1, 0.3), better="lower").lines[0]
    higher = bm.plots.number_needed(POST, (0.1, 0.3), better="higher").lines[0]
    assert_allclose(higher.get_ydata(), -lower.get_ydata(), rtol=CLOSED)
    needed = POST.absolute_risk(0.1).number_needed(better="lower").estimate
    assert_allclose(1 / lower.get_ydata()[0], needed.number, rtol=CLOSED)


def test_ticks_of_numbers_needed_are_reciprocals():
    ax = bm.plots.number_needed(POST, (0.1, 0.3), better="lower", parameter="theta_new")
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert any("NNTB" in label for label in labels)
    assert any("NNTH" in label for label in labels)
    signs = {"NNTB": 1, "NNTH": -1}
    for at, label in zip(ax.get_yticks(), labels, strict=True):
        if label != "∞":
            kind, number = label.split()
            assert_allclose(at, signs[kind] / float(number))


@pytest.mark.parametrize("baseline", [(0.3, 0.1), (0.0, 0.5), (0.2, 1.0)])
def test_a_range_that_holds_no_risks_is_refused(baseline):
    with pytest.raises(bm.ModelError, match="no range of risks"):
        bm.plots.absolute_risk(POST, baseline)


def test_ticks_lie_within_the_axis():
    ax = bm.plots.prior_posterior(POST, "mu")
    low, high = ax.get_xlim()
    ticks = ax.get_xticks()
    assert_array_equal((ticks >= low) & (ticks <= high), True)


CONTINUOUS = bm.Model(
    measure="MD", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 100),
    heterogeneity=bm.HalfNormal(10),
)  # fmt: skip


@pytest.mark.parametrize("name", ["absolute_risk", "number_needed"])
def test_a_continuous_outcome_has_no_risks(name):
    post = bm.fit(CONTINUOUS, bm.load("normand1999"))
    told = {"better": "lower"} if name == "number_needed" else {}
    with pytest.raises(bm.ModelError, match="MD does not turn a baseline risk into a risk"):
        getattr(bm.plots, name)(post, **told)


@pytest.mark.parametrize("name", ["prior_posterior", "shrinkage", "absolute_risk"])
def test_a_level_that_is_no_probability_is_refused(name):
    with pytest.raises(bm.ModelError, match="level = 95 is no probability"):
        getattr(bm.plots, name)(POST, level=95)


def test_an_unknown_parameter_of_a_risk_is_refused():
    with pytest.raises(bm.ModelError, match=r"parameter = 'tau'.*mu.*theta_new"):
        bm.plots.absolute_risk(POST, parameter="tau")
