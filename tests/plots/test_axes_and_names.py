"""What pictures share: axes of effects, ticks, names of users."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from plots.cases import NORMAL, effects, posterior, trials
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.plots.effect_axis import bounded_ticks, set_axis, set_effect_axis
from bayesmeta.plots.ratio_ticks import ratio_ticks
from bayesmeta.scales import LOGIT

LONG = "The international randomised multicentre trial of $5 against $6 in <b>nephritis</b> & lupus"
CYRILLIC = "Исследование терапии волчаночного нефрита такролимусом"


def named():
    rows = [(LONG, 9, 40, 20, 41), (CYRILLIC, 14, 60, 3, 61), ("Bao 2008", 5, 30, 9, 31)]
    table = pd.DataFrame(rows, columns=["study", "ai", "n1i", "ci", "n2i"])
    return bm.read_studies(table)


@given(st.floats(-7, 7), st.floats(0.05, 12))
def test_ticks_of_ratios_lie_within_the_axis_and_apart(middle, width):
    low, high = np.exp([middle - width / 2, middle + width / 2])
    ticks = np.array(ratio_ticks(low, high))
    assert 2 <= len(ticks) <= 9
    assert low * (1 - 1e-8) <= ticks[0]
    assert ticks[-1] <= high * (1 + 1e-8)
    assert np.diff(np.log(ticks)).min() >= 0.07 * width * (1 - 1e-6)


def test_no_effect_keeps_its_tick_where_others_go():
    assert ratio_ticks(0.72, 2.9) == [1.0, 1.5, 2.0, 2.5]


def test_ticks_far_from_1_are_round():
    assert ratio_ticks(190, 665) == [200, 300, 400, 500, 600]


@given(st.floats(-6, 4), st.floats(0.2, 9))
def test_ticks_of_proportions_lie_within_the_axis(low, width):
    ticks = LOGIT.from_natural(np.array(bounded_ticks(LOGIT, low, low + width)))
    assert len(ticks) >= 2
    assert (ticks >= low - 0.05 * width).all()
    assert (ticks <= low + 1.05 * width).all()


@pytest.mark.parametrize("name", ["OR", "PLO", "ZCOR", "MD"])
def test_an_axis_of_effects_is_even_in_the_analysis_scale(name):
    ax, measure = Figure().add_subplot(), get_measure(name)
    set_effect_axis(ax, measure, -1.0, 0.5)
    at = measure.scale.to_natural(np.array([-1.0, -0.25, 0.5]))
    points = ax.transData.transform(np.column_stack([at, np.zeros(3)]))[:, 0]
    assert_allclose(np.diff(points), np.diff(points)[::-1], rtol=CLOSED)
    assert_allclose(ax.get_xlim(), at[[0, 2]], rtol=CLOSED)


def test_only_ratios_bend_an_axis_that_is_not_told_to():
    for name, kind in (("OR", "log"), ("PLO", "linear")):
        ax = Figure().add_subplot()
        set_axis(ax, "y", get_measure(name).scale, (0.1, 0.9))
        assert ax.get_yscale() == kind
        assert ax.get_ylim() == (0.1, 0.9)


def test_a_long_name_of_a_row_is_broken_and_nothing_of_it_lost():
    ax = bm.plots.refits(bm.leave_one_out(named(), "OR"))
    told = [text.get_text() for text in ax.get_yticklabels()]
    assert [text.replace("\n", " ") for text in told] == [
        f"without {name}" for name in (LONG, CYRILLIC, "Bao 2008")
    ]
    assert max(len(line) for text in told for line in text.split("\n")) <= 42
    assert not any(text.get_parse_math() for text in ax.get_yticklabels())


def test_a_long_name_beside_a_point_is_cut():
    ax = bm.plots.baujat(bm.baujat(named(), "OR"))
    told = {text.get_text() for text in ax.texts}
    assert told <= {"The international randomised…", "Исследование терапии волчаноч…", "Bao 2008"}
    assert len(told) > 1


def test_a_name_in_a_legend_is_no_formula():
    ax = bm.plots.prior_posterior(bm.fit(NORMAL, named()), "theta", study=LONG)
    told = ax.get_legend().get_texts()
    assert LONG in [
        text.get_text().replace("\n", " ").removeprefix("posterior of ") for text in told
    ]
    assert not any(text.get_parse_math() for text in told)


def test_the_arms_name_the_axes_of_labbe():
    table = bm.load("zhou_2019_lupus_nephritis/binary")
    table = table.select(arms=("TAC+MMF+GC", "CYC+GC"), outcome="complete remission")
    ax = bm.plots.labbe(table, "OR")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("risk in CYC+GC", "risk in TAC+MMF+GC")
    assert {text.get_text() for text in ax.texts} == set(table.studies)


@pytest.mark.parametrize("low", ["x", "y"])
def test_risks_near_nought_leave_no_room_for_negative_ones(low):
    rare = trials(13)
    ax = bm.plots.labbe(rare, "RR")
    start, end = ax.get_xlim() if low == "x" else ax.get_ylim()
    assert -0.05 * end < start <= 0
    ticks = ax.get_xticks()
    inside = ticks[(ticks >= start) & (ticks <= end)]
    assert_array_equal(inside >= 0, True)


def test_the_probability_curve_ends_at_the_tails_of_a_new_study_and_shows_no_effect():
    post = posterior(13)
    low, high = bm.plots.probability_curve(post).get_xlim()
    want = np.exp(post.theta_new.quantile([0.002, 0.998]))
    assert_allclose(low, want[0], rtol=CLOSED)
    assert_allclose(high, want[1], rtol=CLOSED)
    harmless = bm.fit(replace(NORMAL, effect=bm.Normal(-6, 0.1)), trials(13))
    assert bm.plots.probability_curve(harmless).get_xlim()[1] > 1


def test_the_axes_of_the_joint_density_hold_its_marginal_tails():
    post = posterior(13)
    ax = bm.plots.joint(post)
    assert_allclose(np.log(ax.get_xlim()), post.mu.quantile([0.003, 0.997]), rtol=1e-8)
    assert_allclose(ax.get_ylim()[1], post.tau.quantile(0.997), rtol=1e-8)
    cross = next(line for line in ax.lines if line.get_label() == "medians")
    assert_allclose(cross.get_xdata(), np.exp(post.mu.quantile(0.5)), rtol=1e-8)
    assert_allclose(cross.get_ydata(), post.tau.quantile(0.5), rtol=1e-8)


def test_studies_outside_the_lines_of_a_radial_plot_are_named_and_no_others():
    found, ax = effects(13), bm.plots.galbraith(effects(13))
    common = np.average(found.y, weights=1 / found.S)
    far = np.abs(found.y - common) / np.sqrt(found.S) > 1.959963984540054
    names = {text.get_text() for text in ax.texts}
    assert names <= {name for name, out in zip(found.study, far, strict=True) if out}
    assert "Hart & Sutherland 1977" in names
