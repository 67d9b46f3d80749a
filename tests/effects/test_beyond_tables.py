"""Measures of means, rates, single groups and correlations."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

from bayesmeta.effects import MEASURES, compute_effects
from bayesmeta.effects.single import double_arcsine, invert_double_arcsine
from bayesmeta.errors import ModelError, StudyTableError
from bayesmeta.studies import load, read_studies

GOLDEN = [
    ("normand1999", "MD"),
    ("normand1999", "SMD"),
    ("normand1999", "ROM"),
    ("nielweise2008", "IRR"),
    ("pritz1997", "PLO"),
    ("pritz1997", "PR"),
    ("pritz1997", "PFT"),
    ("molloy2014", "ZCOR"),
]
TABLE_OF = {
    "binary": "bcg",
    "means": "normand1999",
    "rates": "nielweise2008",
    "single": "pritz1997",
    "correlation": "molloy2014",
    "paired": "morris2008",
    "contrast": "eight_schools",
}


def _read(columns, *rows):
    return read_studies(pd.DataFrame(rows, columns=columns.split()))


MEANS = "study m1i sd1i n1i m2i sd2i n2i"
RATES = "study x1i t1i x2i t2i"


@pytest.mark.parametrize(("table", "measure"), GOLDEN)
def test_effects_agree_with_metafor(table, measure, golden):
    want = golden("metafor_effects")[table][measure]
    got = compute_effects(load(table), measure)
    assert_allclose(got.y, want["yi"], rtol=CLOSED, atol=1e-15)  # exact zeros there
    assert_allclose(got.S, want["vi"], rtol=CLOSED)


@pytest.mark.parametrize("table", ["bcg", "hine1989"])
def test_petos_odds_ratios_pool_to_metafors_peto_estimate(table, golden):
    want = golden("metafor_effects")[table]["PETO_pooled"]
    effects = compute_effects(load(table), "PETO")
    weight = 1 / effects.S
    assert_allclose(effects.y @ weight / weight.sum(), want["beta"], rtol=CLOSED)
    assert_allclose(weight.sum() ** -0.5, want["se"], rtol=CLOSED)


def test_petos_odds_ratio_adds_one_half_to_a_table_with_a_zero_as_metafors_escalc():
    # 0.5 of 11 against 2.5 of 11: E = 1.5, V = 3 x 19 x 11 x 11 / (22^2 x 21)
    effects = compute_effects(_read("study ai bi ci di", ["A", 0, 10, 2, 8]), "PETO")
    V = 3 * 19 * 121 / (22**2 * 21)
    assert_allclose([effects.y[0], effects.S[0]], [(0.5 - 1.5) / V, 1 / V], rtol=CLOSED)


def test_the_arcsine_difference_has_textbook_values_and_needs_no_added_half():
    # arcsin sqrt(1/4) = pi/6, arcsin sqrt(1/2) = pi/4, arcsin 0 = 0
    table = _read("study ai bi ci di", ["A", 5, 15, 20, 20], ["B", 0, 20, 10, 10])
    effects = compute_effects(table, "AS")
    assert_allclose(effects.y, [-np.pi / 12, -np.pi / 4], rtol=CLOSED)
    assert_allclose(effects.S, [1 / 80 + 1 / 160, 1 / 80 + 1 / 80], rtol=CLOSED)
    assert effects.notes == ()
    asked = compute_effects(table, "AS", correction="all")
    assert_allclose(asked.S, [1 / 84 + 1 / 164, 1 / 84 + 1 / 84], rtol=CLOSED)


def test_the_variability_ratio_is_that_of_nakagawa():
    effects = compute_effects(load("normand1999"), "VR")
    want_y, want_v = [], []
    for _, row in load("normand1999").frame.groupby("study", sort=False):
        (s1, s2), (n1, n2) = row["sd"], row["n"]
        want_y.append(np.log(s1) - np.log(s2) + 1 / (2 * n1 - 2) - 1 / (2 * n2 - 2))
        want_v.append((n1 + n2 - 2) / (2 * (n1 - 1) * (n2 - 1)))
    assert_allclose(effects.y, want_y, rtol=CLOSED)
    assert_allclose(effects.S, want_v, rtol=CLOSED)


@pytest.mark.parametrize("measure", ["MD", "SMD", "ROM", "VR"])
def test_swapping_the_arms_of_means_flips_the_sign(measure):
    table = _read("study arm mean sd n", ["A", "x", 5, 2, 10], ["A", "y", 7, 3, 20])
    one = compute_effects(table.select(arms=("x", "y")), measure)
    other = compute_effects(table.select(arms=("y", "x")), measure)
    assert_allclose(other.y, -one.y, rtol=CLOSED)
    assert_allclose(other.S, one.S, rtol=CLOSED)


@given(st.floats(0.01, 100))
def test_another_unit_of_the_outcome_moves_the_mean_difference_only(factor):
    table = _read(
        MEANS,
        ["A", 5.0, 2.0, 10, 7.0, 3.0, 20],
        ["B", 5 * factor, 2 * factor, 10, 7 * factor, 3 * factor, 20],
    )
    for measure in ("SMD", "ROM", "VR"):
        found = compute_effects(table, measure)
        assert_allclose([found.y[1], found.S[1]], [found.y[0], found.S[0]], rtol=1e-9)
    moved = compute_effects(table, "MD")
    assert_allclose(moved.y, [-2.0, -2 * factor], rtol=1e-9)


def test_a_ratio_of_means_of_two_signs_is_refused_and_of_two_negative_ones_is_not():
    table = _read(MEANS, ["A", -1, 1, 9, 2, 1, 9], ["B", 1, 1, 9, 0, 1, 9], ["C", 2, 1, 9, 1, 1, 9])
    with pytest.raises(StudyTableError, match="2 problems") as e:
        compute_effects(table, "ROM")
    assert [problem.study for problem in e.value.problems] == ["A", "B"]
    assert all("one sign" in problem.fix for problem in e.value.problems)
    effects = compute_effects(_read(MEANS, ["A", -4, 1, 9, -2, 0.5, 9]), "ROM")
    assert_allclose(effects.y, [np.log(2)], rtol=CLOSED)


def test_events_without_a_zero_stay_and_with_one_get_a_half_in_both_arms():
    table = _read(RATES, ["A", 7, 100, 4, 100], ["B", 0, 100, 2, 50])
    ratio, difference = compute_effects(table, "IRR"), compute_effects(table, "IRD")
    assert_allclose(ratio.y, [np.log(7 / 4), np.log(0.5 / 100 / (2.5 / 50))], rtol=CLOSED)
    assert_allclose(ratio.S, [1 / 7 + 1 / 4, 1 / 0.5 + 1 / 2.5], rtol=CLOSED)
    assert_allclose(difference.y, [0.03, 0.005 - 0.05], rtol=CLOSED)
    assert_allclose(difference.S, [0.0011, 0.5 / 1e4 + 2.5 / 2500], rtol=CLOSED)
    assert_array_equal(ratio.corrected, [False, True])
    added = "1/2 added to the events of both arms"
    assert ratio.notes == (f"{added} of 1 study with a zero: B",)
    assert ratio.row_notes == ("", added)
    with pytest.raises(StudyTableError, match=r"study 'B'.*only0"):
        compute_effects(table, "IRR", correction="none")


def test_log_and_arcsine_proportions_have_textbook_values():
    table = _read("study xi ni", ["A", 5, 20], ["B", 0, 10], ["C", 10, 10])
    arcsine = compute_effects(table, "PAS")
    assert_allclose(arcsine.y, [np.pi / 6, 0, np.pi / 2], rtol=CLOSED)
    assert_allclose(arcsine.S, [1 / 80, 1 / 40, 1 / 40], rtol=CLOSED)
    logs = compute_effects(table, "PLN")
    assert_allclose(logs.y, np.log([5 / 20, 0.5 / 11, 10.5 / 11]), rtol=CLOSED)
    assert_allclose(logs.S, [1 / 5 - 1 / 20, 2 - 1 / 11, 1 / 10.5 - 1 / 11], rtol=CLOSED)
    assert_array_equal(logs.corrected, [False, True, True])


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_double_arcsine_is_inverted_exactly_for_its_own_group(counts):
    x, n = map(float, counts)
    y, _ = double_arcsine(np.array(x), np.array(n - x))
    assert_allclose(invert_double_arcsine(y, np.array(n)), x / n, rtol=1e-7, atol=1e-7)


def test_the_raw_correlation_has_its_large_sample_variance():
    effects = compute_effects(load("molloy2014"), "COR")
    frame = load("molloy2014").frame
    assert_array_equal(effects.y, frame["r"])
    want = (1 - 2 * frame["r"] ** 2 + frame["r"] ** 4) / (frame["n"] - 1)
    assert_allclose(effects.S, want, rtol=CLOSED)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_finite_effects_of_its_data_and_a_scale_that_returns(measure):
    chosen = MEASURES[measure]
    rates = _read("study xi ti", ("a", 4, 100.5), ("b", 9, 80))
    table = rates if chosen.layout == "single_rates" else load(TABLE_OF[chosen.layout])
    table = replace(table, measure=None)
    if len(table.arm_names) == 2 and table.arms is None:
        table = table.select(arms=table.arm_names)
    effects = compute_effects(table, measure)
    assert np.isfinite(effects.y).all()
    assert (effects.S > 0).all()
    natural = chosen.scale.to_natural(effects.y)
    assert_allclose(chosen.scale.from_natural(natural), effects.y, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("measure", MEASURES)
def test_the_two_scales_of_a_measure_have_two_names(measure):
    chosen = MEASURES[measure]
    assert (chosen.analysis_label == chosen.name) == (chosen.scale.name == "identity")


def test_pooled_values_beyond_the_arcsine_range_are_certain_proportions():
    to_natural = MEASURES["PAS"].scale.to_natural
    assert_array_equal(to_natural(np.array([-0.1, 0, 2.0])), [0, 0, 1])


def test_a_measure_of_other_data_is_refused_with_those_that_fit():
    with pytest.raises(ModelError, match=r"MD takes means, but bcg holds counts: use one of OR,"):
        compute_effects(load("bcg"), "MD")
    with pytest.raises(ModelError, match=r"normand1999 holds means: use one of MD, SMD, D, ROM"):
        compute_effects(load("normand1999"), "OR")
