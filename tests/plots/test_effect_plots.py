"""Plots of effects and of what each study does, by what is on their axes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from plots.cases import effects, trials
from scipy.stats import beta, norm
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.plots.normal_qq_plot import standardised_residuals
from bayesmeta.plots.texts import plain

BCG = effects(13)
SE = np.sqrt(BCG.S)
COMMON = np.average(BCG.y, weights=1 / BCG.S)


def by_label(ax):
    return {line.get_label(): line for line in ax.lines}


def test_a_funnel_has_effects_over_standard_errors_with_zero_on_top():
    ax = bm.plots.funnel(BCG)
    studies = by_label(ax)["study"]
    assert_allclose(studies.get_xdata(), np.exp(BCG.y), rtol=CLOSED)
    assert_allclose(studies.get_ydata(), SE, rtol=CLOSED)
    assert ax.get_ylim()[0] > SE.max() > ax.get_ylim()[1] == 0


def test_the_lines_of_a_funnel_are_about_the_common_effect():
    ax = bm.plots.funnel(BCG)
    assert_allclose(by_label(ax)["common effect"].get_xdata(), np.exp(COMMON), rtol=CLOSED)
    line = by_label(ax)["95% if one true effect"]
    se, x = line.get_ydata(), line.get_xdata()
    inside = x > ax.get_xlim()[0] * 1.0001
    assert_allclose(np.log(x[inside]), COMMON - norm.ppf(0.975) * se[inside], rtol=1e-9)


@pytest.mark.parametrize(("p", "shade"), [(0.2, None), (0.07, 0), (0.02, 1), (0.001, 2)])
def test_the_shade_of_a_point_tells_its_p_value(p, shade):
    ax = bm.plots.funnel(BCG)
    se = 0.3
    point = (float(np.exp(norm.ppf(p / 2) * se)), se)
    found = {
        to_hex(one.get_facecolor()[0])
        for one in ax.collections
        if any(path.contains_point(point) for path in one.get_paths())
    }
    assert found == (set() if shade is None else {["#e6e6e6", "#d0d0d0", "#bababa"][shade]})


def test_filled_in_studies_are_shown_where_trim_and_fill_puts_them():
    filled = bm.trim_and_fill(trials(13), "OR", estimator="R0", side="right")
    ax = bm.plots.funnel(BCG, filled=filled)
    line = by_label(ax)[f"filled in ({filled.k0})"]
    assert_allclose(line.get_xdata(), np.exp(filled.filled_y), rtol=CLOSED)
    assert_allclose(
        by_label(ax)["REML with filled in"].get_xdata()[0], np.exp(filled.adjusted.estimate)
    )


def test_trim_and_fill_of_another_measure_is_refused():
    with pytest.raises(bm.ModelError, match="filled is of RR"):
        bm.plots.funnel(BCG, filled=bm.trim_and_fill(trials(13), "RR"))


def test_one_group_has_no_shades():
    table = pd.DataFrame({"study": ["a", "b"], "xi": [3, 5], "ni": [20, 30]})
    ax = bm.plots.funnel(bm.compute_effects(bm.read_studies(table), "PLO"))
    assert len(ax.collections) == 0
    assert_allclose(by_label(ax)["study"].get_xdata(), [3 / 20, 5 / 30], rtol=CLOSED)


def test_a_radial_plot_has_z_over_precision_and_the_common_effect_as_slope():
    ax = bm.plots.galbraith(BCG)
    lines = by_label(ax)
    assert_allclose(lines["study"].get_xdata(), 1 / SE, rtol=CLOSED)
    assert_allclose(lines["study"].get_ydata(), BCG.y / SE, rtol=CLOSED)
    x, y = lines["common effect"].get_data()
    assert_allclose((y[1] - y[0]) / (x[1] - x[0]), COMMON, rtol=1e-9)


def test_the_right_axis_of_a_radial_plot_reads_effects_off():
    ax = bm.plots.galbraith(BCG)
    ax.figure.draw_without_rendering()
    beside = ax.child_axes[0].yaxis
    ticks = beside.get_ticklocs() / ax.get_xlim()[1]
    texts = [text.get_text() for text in beside.get_ticklabels()]
    assert_allclose(np.exp(ticks), [float(text) for text in texts], rtol=1e-9)


def test_labbe_has_the_observed_risks_and_the_area_of_the_patients():
    ax = bm.plots.labbe(trials(13), "OR")
    counts = trials(13).two_arm()
    (circles,) = ax.collections
    risks = np.column_stack(
        [counts.events_control / counts.n_control, counts.events_treated / counts.n_treated]
    )
    assert_allclose(circles.get_offsets(), risks, rtol=CLOSED)
    patients = counts.n_control + counts.n_treated
    drawn = circles.get_sizes() > 8  # smaller ones are drawn at that size, to be seen
    assert_allclose(
        circles.get_sizes()[drawn] / circles.get_sizes().max(), (patients / patients.max())[drawn]
    )


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
def test_the_curve_of_labbe_has_the_pooled_effect_everywhere(measure):
    curve = next(x for x in bm.plots.labbe(trials(13), measure).lines if "REML" in x.get_label())
    b, r = curve.get_data()
    keep = (r > 0) & (r < 1) & (b > 0)
    b, r = b[keep], r[keep]
    effect = {
        "OR": np.log(r / (1 - r)) - np.log(b / (1 - b)), "RR": np.log(r / b), "RD": r - b,
    }[measure]  # fmt: skip
    pooled = bm.leave_one_out(trials(13).append(bm.read_studies(EXTRA)), measure).estimate[-1]
    assert_allclose(effect, pooled, rtol=1e-6)


EXTRA = pd.DataFrame({"study": ["left out"], "ai": [5], "n1i": [50], "ci": [6], "n2i": [50]})


def test_labbe_takes_no_other_measure():
    with pytest.raises(bm.ModelError, match="no effect on a risk"):
        bm.plots.labbe(trials(13), "PETO")


def test_baujat_has_the_coordinates_and_names_the_furthest():
    found = bm.baujat(trials(13), "OR")
    ax = bm.plots.baujat(found)
    assert_allclose(ax.lines[0].get_data(), [found.heterogeneity, found.influence])
    assert "TPT Madras 1980" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("result", "first"),
    [
        (bm.leave_one_out(trials(13), "OR"), "without Aronson 1948"),
        (bm.cumulative(trials(13), "OR"), "+ Aronson 1948"),
    ],
    ids=["leave one out", "cumulative"],
)
def test_refits_have_a_row_for_each_set(result, first):
    ax = bm.plots.refits(result)
    assert_allclose(ax.lines[0].get_xdata(), np.exp(result.estimate), rtol=CLOSED)
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    assert_allclose(ends, np.exp([*zip(result.ci_low, result.ci_high, strict=True)]), rtol=CLOSED)
    assert ax.get_yticklabels()[0].get_text() == first
    told = [plain(text.get_text()) for text in ax.texts]
    assert told[0] == "OR [95%]"
    numbers = np.exp([result.estimate, result.ci_low, result.ci_high]).T
    assert told[1:14] == [f"{e:.2f} [{low:.2f}, {high:.2f}]" for e, low, high in numbers]
    assert told[14] == "tau"
    taus = [f"{tau:.2f}" for tau in np.sqrt(result.tau2)]
    assert told[16:] == taus[1:]
    assert told[15] == ("-" if result.kind == "cumulative" else taus[0])


def test_standardised_residuals_are_those_of_the_hat_matrix():
    tau2 = bm.leave_one_out(trials(13).append(bm.read_studies(EXTRA)), "OR").tau2[-1]
    M = np.diag(BCG.S + tau2)
    X = np.ones((13, 1))
    W = np.linalg.inv(M)
    residual_maker = np.eye(13) - X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    variance = np.diag(residual_maker @ M @ residual_maker.T)
    by_hand = residual_maker @ BCG.y / np.sqrt(variance)
    assert_allclose(standardised_residuals(BCG, method="REML"), by_hand, rtol=1e-6)


def test_the_band_of_a_normal_plot_is_that_of_order_statistics():
    ax = bm.plots.normal_qq(BCG)
    band = ax.collections[0].get_paths()[0].vertices
    low, high = norm.ppf(beta.ppf([0.025, 0.975], 1, 13))
    first = band[band[:, 0] == band[:, 0].min(), 1]
    assert_allclose([first.min(), first.max()], [low, high], rtol=1e-9)


def test_the_points_of_a_normal_plot_rise():
    x, z = by_label(bm.plots.normal_qq(BCG))["study"].get_data()
    assert_allclose(x, norm.ppf((np.arange(1, 14) - 0.375) / 13.25), rtol=CLOSED)
    assert_allclose(z, np.sort(standardised_residuals(BCG, method="REML")), rtol=CLOSED)


@pytest.mark.parametrize("name", ["funnel", "galbraith", "normal_qq"])
def test_a_single_study_has_nothing_to_be_held_against(name):
    with pytest.raises(bm.NotEstimableError, match="plot needs two studies"):
        getattr(bm.plots, name)(effects(1))


def test_labbe_needs_counts_of_two_arms():
    with pytest.raises(bm.ModelError, match="takes counts, but normand1999 holds means"):
        bm.plots.labbe(bm.load("normand1999"), "OR")
