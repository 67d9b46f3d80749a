"""Plots of judgements and of times, by what is on their axes."""

from math import nan

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose
from plots.cases import DOMAINS, judged

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


def test_responses_are_shares_of_those_seen_with_wilsons_interval():
    table = pd.DataFrame({"time": [3, 6], "events": [81, 15], "n": [263, 148]})
    ax = bm.plots.response_over_time(bm.read_responses(table), unit="months")
    assert_allclose(ax.lines[0].get_data(), [[3, 6], [81 / 263, 15 / 148]])
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    # Newcombe (1998), Statistics in Medicine 17:857, Table I, method 3
    assert_allclose(ends, [[0.2553, 0.3662], [0.0624, 0.1605]], atol=5e-5)
    assert [text.get_text() for text in ax.texts] == ["81/263", "15/148"]


RENAL = pd.DataFrame(
    {"start": [0, 3, 6], "end": [3, 6, 12], "at_risk": [24, 5, 1], "events": [15, 4, 0]}
)


def test_the_steps_are_kaplan_meier_at_the_visits():
    ax = bm.plots.kaplan_meier(bm.read_life_table(RENAL), event="response", unit="months")
    time, probability = ax.lines[0].get_data()
    assert_allclose(time, [0, 3, 6, 12])
    assert_allclose(probability, [0, 15 / 24, 1 - 9 / 24 / 5, 1 - 9 / 24 / 5])
    assert [text.get_text() for text in ax.texts[:3]] == ["24", "5", "1"]


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
    assert [text.get_text() for text in ax.texts[:3]] == ["24", "?", "?"]
