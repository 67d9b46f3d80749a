"""Plots of judgements and of times, by what is on their axes."""

from itertools import pairwise
from math import nan

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from plots.cases import DOMAINS, judged, visits
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.plots.risk_of_bias_style import LOOKS


def test_each_light_has_the_colour_and_the_sign_of_its_judgement():
    table = judged(13)
    ax = bm.plots.risk_of_bias(table)
    colours, signs = {}, {}
    for line in ax.lines:
        for place in zip(*line.get_data(), strict=True):
            if line.get_marker() == "o":
                colours[place] = to_hex(line.get_markerfacecolor()).upper()
            else:
                signs[place] = line.get_marker()
    for i, row in enumerate(table.judgement):
        for j, one in enumerate(row):
            assert (colours[j, i], signs[j, i]) == LOOKS[one][:2]
    assert len(colours) == 13 * len(DOMAINS)


def test_bars_hold_the_share_of_each_judgement_and_fill_the_axis():
    table = judged(13)
    ax = bm.plots.risk_of_bias_summary(table)
    for bars, judgement in zip(ax.containers, LOOKS, strict=True):
        share = [column.count(judgement) / 13 for column in zip(*table.judgement, strict=True)]
        assert_allclose([bar.get_width() for bar in bars], share)
    assert_allclose([bar.get_x() + bar.get_width() for bar in ax.containers[-1]], 1)


COHORT = bm.load_frame("tani_2018_sle_cohort/single_arm").query(
    "category == 'response' and subgroup == 'all'"
)


def test_responses_of_the_european_cohort_are_shares_with_wilsons_interval():
    times = COHORT["timepoint"].str.removesuffix(" months").astype(float)
    table = COHORT.rename(columns={"event": "group", "xi": "events", "ni": "n"}).assign(time=times)
    table = table[["group", "time", "events", "n"]]
    ax = bm.plots.response_over_time(bm.read_responses(table), unit="months")
    printed = (
        COHORT["percent_printed"].to_numpy(dtype=float).reshape(3, 2).T
    )  # improved, resolved; by visit
    for line, bars, part, percent in zip(
        ax.lines, ax.collections, table.groupby("group", sort=False), printed, strict=True
    ):
        r, n = part[1][["events", "n"]].to_numpy(dtype=float).T
        assert_allclose(line.get_ydata(), r / n)
        assert_allclose(line.get_ydata(), percent / 100, atol=6e-4)
        for (low, high), p, k in zip(
            [segment[:, 1] for segment in bars.get_segments()], r / n, n, strict=True
        ):
            for end in (low, high):  # not rejected by the score test, just so
                assert_allclose((p - end) ** 2, norm.ppf(0.975) ** 2 * end * (1 - end) / k)
    assert [text.get_text() for text in ax.texts[:4]] == ["r/n ●", "21/29", "19/25", "19/20"]


def test_groups_stand_beside_each_other_within_the_axes():
    for groups in (1, 4):
        responses, _ = visits(groups)
        ax = bm.plots.response_over_time(responses)
        at = np.array([line.get_xdata() for line in ax.lines])
        assert at.shape == (groups, 2)
        assert ax.get_xlim()[0] < at.min()
        assert at.max() < ax.get_xlim()[1]
        assert len(np.unique(at)) == at.size
        assert_allclose(at.mean(axis=0), [3, 6])


def test_the_curve_of_the_european_cohort_is_the_share_that_its_authors_print():
    rows = bm.load_frame("tani_2018_sle_cohort/time_to_response").rename(
        columns={"interval_start_months": "start", "interval_end_months": "end", "outcome": "group"}
    )
    ax = bm.plots.kaplan_meier(bm.read_life_table(rows), unit="months")
    renal, improved = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    # 62.5% of 24 and 72.4% of 29 at 3 months; by hand, 4 of the 5 left respond by 6 months
    assert_allclose(renal.get_ydata(), [0, 15 / 24, 1 - 9 / 24 / 5, 1 - 9 / 24 / 5])
    assert_allclose(improved.get_ydata(), [0, 21 / 29, 21 / 29])
    told = [text.get_text() for text in ax.texts]
    assert told == ["at risk ●", "24", "5", "1", "■", "29", "?"]
    assert [text.get_text() for text in ax.get_legend().get_texts()][1:] == [
        "physician-judged improvement", "none to all of those lost",
    ]  # fmt: skip


def test_times_that_lie_close_keep_their_distance():
    end = np.arange(1.0, 31)
    table = pd.DataFrame({"start": end - 1, "end": end, "at_risk": 140 - end, "events": 1})
    ax = bm.plots.kaplan_meier(bm.read_life_table(table))
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.figure.canvas.draw()
    for texts in (ax.texts[1:], ax.get_xticklabels()):
        boxes = [text.get_window_extent(renderer) for text in texts]
        assert len(boxes) > 5
        assert all(a.x1 < b.x0 for a, b in pairwise(boxes))


RENAL = pd.DataFrame(
    {"start": [0, 3, 6], "end": [3, 6, 12], "at_risk": [24, 5, 1], "events": [15, 4, 0]}
)


def test_the_steps_are_kaplan_meier_at_the_visits():
    ax = bm.plots.kaplan_meier(bm.read_life_table(RENAL), event="response", unit="months")
    time, probability = ax.lines[0].get_data()
    assert_allclose(time, [0, 3, 6, 12])
    assert_allclose(probability, [0, 15 / 24, 1 - 9 / 24 / 5, 1 - 9 / 24 / 5])
    assert [text.get_text() for text in ax.texts[:4]] == ["at risk", "24", "5", "1"]


def test_the_band_runs_from_none_to_all_of_those_lost():
    ax = bm.plots.kaplan_meier(bm.read_life_table(RENAL))
    (band,) = [one for one in ax.collections if len(one.get_facecolor())]
    vertices = band.get_paths()[0].vertices
    at_six = vertices[np.abs(vertices[:, 0] - 6) < 1e-9, 1]
    # 19 responded, and 4 were lost between the visits at 3 months
    assert_allclose([at_six.max(), at_six.min()], [23 / 24, 15 / 24])
    assert_allclose(vertices[np.abs(vertices[:, 0] - 12) < 1e-9, 1].min(), 19 / 24)


def test_a_number_at_risk_that_is_not_known_may_be_none():
    table = RENAL.assign(at_risk=[24, nan, nan], events=[15, 0, 0])
    ax = bm.plots.kaplan_meier(bm.read_life_table(table))
    assert_allclose(ax.lines[0].get_ydata(), [0, 15 / 24, 15 / 24, 15 / 24])
    assert [text.get_text() for text in ax.texts[:4]] == ["at risk", "24", "?", "?"]
