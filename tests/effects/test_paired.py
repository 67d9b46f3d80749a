"""Two measurements of the same persons: changes of one group, of two, and crossover trials."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

from bayesmeta.effects import compute_effects
from bayesmeta.errors import ModelError, StudyTableError
from bayesmeta.frequentist import pool
from bayesmeta.studies import load, read_studies

PAIRED = "study mean_post sd_post mean_pre sd_pre n"
WIDE = "study m1i sd1i m2i sd2i ni"


def _read(columns, *rows, **told):
    return read_studies(pd.DataFrame(rows, columns=columns.split()), **told)


def _one_group(arm):
    frame = load("morris2008").frame
    return read_studies(frame[frame["arm"] == arm].drop(columns=["arm", "outcome"]))


# tests of R's metafor for this example (test_analysis_example_morris2008.r), four digits
@pytest.mark.parametrize(
    ("measure", "arm", "y", "v"),
    [
        ("SMCR", "training", [0.5056, 1.0481, 1.8054, 1.4181, 0.0801],
         [0.0594, 0.0254, 0.2322, 0.1225, 0.0802]),
        ("SMCR", "control", [-0.2365, 0.0958, 0, 0.2667, -0.4250],
         [0.0544, 0.0173, 0.0511, 0.0232, 0.0864]),
        ("SMCC", "training", [0.5417, 1.0198, 2.6619, 1.9088, 0.0765],
         [0.0573, 0.0304, 0.5048, 0.2822, 0.0716]),
        ("SMCC", "control", [-0.2213, 0.1219, 0, 0.5575, -0.2126],
         [0.0512, 0.0240, 0.1111, 0.1050, 0.0730]),
    ],
)  # fmt: skip
def test_standardised_changes_of_one_group_agree_with_metafor(measure, arm, y, v):
    effects = compute_effects(_one_group(arm), measure)
    assert_allclose(effects.y, y, atol=5.1e-5)
    assert_allclose(effects.S, v, atol=5.1e-5)


@pytest.mark.parametrize(
    ("measure", "y", "v"),
    [
        # Morris (2008), table 1, page 368; the variances as metafor
        ("SMCR", [0.74, 0.95, 1.81, 1.15, 0.51], [0.1138, 0.0426, 0.2833, 0.1458, 0.1667]),
        ("SMCC", [0.76, 0.90, 2.66, 1.35, 0.29], [0.1086, 0.0544, 0.6159, 0.3872, 0.1447]),
    ],
)
def test_differences_of_two_groups_are_those_of_morris_2008(measure, y, v):
    table = load("morris2008").select(arms=("training", "control"))
    effects = compute_effects(table, measure)
    assert_allclose(effects.y, y, atol=5.1e-3)
    assert_allclose(effects.S, v, atol=5.1e-5)
    assert effects.study == table.studies


def test_the_mean_change_has_the_variance_of_a_paired_difference():
    # metafor, test_misc_escalc.r: 4.0000 and 0.2618
    table = _read(WIDE + " ri", ["A", 26, 30**0.5, 22, 20**0.5, 60, 0.7])
    effects = compute_effects(table, "MC")
    assert_allclose([effects.y[0], effects.S[0]], [4, 0.2618], atol=5.1e-5)
    assert_allclose(effects.S, (50 - 1.4 * 600**0.5) / 60, rtol=CLOSED)


def test_changes_have_the_variance_that_repeated_samples_have():
    """Brute force: many samples of a bivariate normal, the formulas at its true parameters."""
    rng = np.random.default_rng(1)
    n, r, repeats = 40, 0.6, 8_000
    covariance = np.array([[4.0, r * 6], [r * 6, 9.0]])
    pairs = rng.multivariate_normal([5.0, 4.0], covariance, size=(repeats, n))
    post, pre = pairs[..., 0], pairs[..., 1]
    change = post - pre
    drawn = {
        "MC": change.mean(axis=1),
        "SMCC": change.mean(axis=1) / change.std(axis=1, ddof=1),
        "SMCR": change.mean(axis=1) / pre.std(axis=1, ddof=1),
    }
    truth = _read(WIDE + " ri", ["A", 5, 2, 4, 3, n, r])
    wide = np.sqrt(13 - 12 * r)
    want = {"MC": 1.0, "SMCC": 1 / wide, "SMCR": 1 / 3}
    for measure, sample in drawn.items():
        effects = compute_effects(truth, measure)
        factor = effects.y[0] / want[measure]  # the correction for bias
        assert_allclose(factor * sample.mean(), want[measure], rtol=0.02)
        if measure != "SMCR":  # Becker's variance takes both SDs as equal, which they are not here
            assert_allclose((factor * sample).var(), effects.S[0], rtol=0.07)


def test_beckers_variance_is_that_of_repeated_samples_with_equal_deviations():
    rng = np.random.default_rng(2)
    n, r = 60, 0.5
    pairs = rng.multivariate_normal([1.0, 0.0], [[4, 2], [2, 4]], size=(8_000, n))
    change = pairs[..., 0] - pairs[..., 1]
    g = change.mean(axis=1) / pairs[..., 1].std(axis=1, ddof=1)
    effects = compute_effects(_read(WIDE + " ri", ["A", 1, 2, 0, 2, n, r]), "SMCR")
    factor = effects.y[0] / 0.5
    assert_allclose((factor * g).var(), effects.S[0], rtol=0.07)


def test_a_crossover_trial_has_the_paired_standard_error():
    rng = np.random.default_rng(3)
    drug, placebo = rng.normal(5, 2, 12), rng.normal(4, 1, 12)
    table = _read(
        WIDE + " ri",
        [
            "A", drug.mean(), drug.std(ddof=1), placebo.mean(), placebo.std(ddof=1), 12,
            np.corrcoef(drug, placebo)[0, 1],
        ],
    )  # fmt: skip
    effects = compute_effects(table, "MC")
    difference = drug - placebo
    assert_allclose(effects.y, difference.mean(), rtol=CLOSED)
    assert_allclose(effects.S, difference.var(ddof=1) / 12, rtol=1e-9)


@settings(max_examples=15)
@given(
    st.floats(-0.95, 0.95), st.floats(0.5, 20), st.floats(0.5, 20), st.integers(3, 300),
    st.floats(0.1, 3),
)  # fmt: skip
def test_every_way_to_tell_the_correlation_gives_it_back(r, sd1, sd2, n, change):
    from scipy.stats import t as student

    sd_change = np.sqrt(sd1**2 + sd2**2 - 2 * r * sd1 * sd2)
    t = change / (sd_change / np.sqrt(n))
    p = 2 * student.sf(t, n - 1)
    row = ["A", 10 + change, sd1, 10.0, sd2, n]
    told = [("r", r), ("sd_change", sd_change), ("t", -t)]
    if p > 1e-90:  # less is refused as beyond measure
        told.append(("p", p))
    for column, value in told:
        table = _read(f"{PAIRED} {column}", [*row, value])
        assert_allclose(table.frame["r"], [r], rtol=1e-6, atol=1e-6)


def test_what_was_worked_out_or_assumed_is_said_of_table_frame_and_effects():
    rows = [["A", 26, 5.5, 22, 4.5, 60, 7, ""], ["B", 9, 2, 8, 2, 30, "", ""],
            ["C", 9, 2, 8, 2, 30, "", 0.7]]  # fmt: skip
    table = _read(PAIRED + " t r", *rows, correlation=0.5)
    assert "correlation worked out from the paired t in 1 row: A" in table.notes
    assert "correlation 0.5 assumed in 1 row: B" in table.notes
    assert table.frame["derived"].tolist() == [
        "correlation 0.624 from the paired t", "correlation 0.5 assumed", "",
    ]  # fmt: skip
    assert table.covariates == ()
    effects = compute_effects(table, "MC")
    assert effects.row_notes[1:] == ("correlation 0.5 assumed", "")
    assert "computed from numbers that were made, not reported: A, B" in effects.notes


def test_no_correlation_is_refused_with_the_ways_to_give_one():
    with pytest.raises(StudyTableError, match="2 problems") as e:
        _read(PAIRED, ["A", 26, 5.5, 22, 4.5, 60], ["B", 26, 5.5, 22, 4.5, 60])
    for way in ("column r", "sd_change", "t or p", "correlation=0.5"):
        assert way in e.value.problems[0].fix


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("t", 1.0, "outside (-1, 1): probably a misprint"),
        ("t", 0, "t = 0 whatever the correlation is"),
        ("sd_change", 40, "outside (-1, 1): probably a misprint"),
        ("sd_change", 0, "not above 0"),
        ("p", "<0.001", "no plain number"),
        ("p", 1.5, "no p value between 0 and 1"),
        ("r", 1.2, "outside (-1, 1)"),
        ("r", "high", "no plain number"),
    ],
)
def test_a_number_that_tells_no_correlation_is_refused_by_study_and_column(column, value, what):
    with pytest.raises(StudyTableError) as e:
        _read(f"{PAIRED} {column}", ["Hart", 26, 5.5, 22, 4.5, 60, value])
    (problem,) = e.value.problems
    assert (problem.study, problem.column) == ("Hart", column)
    assert what in problem.what


@pytest.mark.parametrize("correlation", [1, -1.2])
def test_an_assumed_correlation_outside_its_range_is_refused(correlation):
    with pytest.raises(StudyTableError, match=r"correlation = .*not a correlation"):
        _read(PAIRED, ["A", 26, 5.5, 22, 4.5, 60], correlation=correlation)


def test_a_correlation_for_other_data_is_refused():
    with pytest.raises(StudyTableError, match="does not hold two measurements"):
        _read("study yi vi", ["A", 0.1, 0.2], correlation=0.5)


def test_bad_numbers_of_pairs_are_told_once_each():
    with pytest.raises(StudyTableError) as e:
        _read(PAIRED + " r", ["A", 26, 0, 22, -1, 1, 0.5], ["B", "x", 1, 2, 3, 9.5, 0.5])
    told = [(problem.study, problem.column) for problem in e.value.problems]
    assert told == [("A", "sd_post"), ("A", "n"), ("A", "sd_pre"), ("B", "mean_post"), ("B", "n")]


def test_a_standardised_change_needs_three_persons():
    table = _read(PAIRED + " r", ["A", 26, 5, 22, 4, 2, 0.5], ["B", 26, 5, 22, 4, 3, 0.5])
    assert compute_effects(table, "MC").y.tolist() == [4, 4]
    for measure in ("SMCC", "SMCR"):
        with pytest.raises(StudyTableError, match=r"study 'A'.*3 persons"):
            compute_effects(table, measure)


@settings(max_examples=15)
@given(st.floats(0.01, 100), st.floats(-50, 50))
def test_another_unit_of_the_outcome_moves_the_mean_change_only(factor, shift):
    columns = WIDE + " ri"
    plain = _read(columns, ["A", 5.0, 2.0, 4.0, 3.0, 20, 0.4])
    other = _read(
        columns, ["A", shift + 5 * factor, 2 * factor, shift + 4 * factor, 3 * factor, 20, 0.4]
    )
    for measure in ("SMCC", "SMCR"):
        one, two = compute_effects(plain, measure), compute_effects(other, measure)
        assert_allclose([two.y, two.S], [one.y, one.S], rtol=1e-6)
    assert_allclose(compute_effects(other, "MC").y, [factor], rtol=1e-6)


def test_swapping_the_arms_flips_the_sign_of_every_change():
    table = load("morris2008")
    for measure in ("MC", "SMCC", "SMCR"):
        one = compute_effects(table.select(arms=("training", "control")), measure)
        two = compute_effects(table.select(arms=("control", "training")), measure)
        assert_allclose(two.y, -one.y, rtol=CLOSED)
        assert_array_equal(two.S, one.S)


def test_changes_pool_and_other_measures_are_refused():
    table = load("morris2008").select(arms=("training", "control"))
    assert pool(table, "SMCR", methods="EE").rows[0].k == 5
    with pytest.raises(ModelError, match=r"MD takes means.*use one of MC, SMCC, SMCR"):
        compute_effects(table, "MD")


def test_cohens_d_is_the_difference_in_pooled_deviations_without_correction():
    row = ["A", 55, 47, 155, 75, 64, 156]
    table = _read("study m1i sd1i n1i m2i sd2i n2i", row)
    pooled = np.sqrt((154 * 47**2 + 155 * 64**2) / 309)
    effects = compute_effects(table, "D")
    d = -20 / pooled
    assert_allclose(effects.y, [d], rtol=CLOSED)
    assert_allclose(effects.S, [1 / 155 + 1 / 156 + d**2 / 622], rtol=CLOSED)
    # the exact factor of Hedges (1981) is 1 - 3/(4 m - 1) to its order
    assert_allclose(compute_effects(table, "SMD").y, d * (1 - 3 / (4 * 309 - 1)), rtol=1e-5)


@pytest.mark.parametrize(
    ("sd_pre", "t", "what"),
    [("1e-310", "2", "too small"), ("2", "1e308", "beyond measure"), ("2", "1e-310", "beyond")],
)
def test_numbers_of_pairs_beyond_measure_are_refused(sd_pre, t, what):
    columns = ["study", "mean_post", "sd_post", "mean_pre", "sd_pre", "n", "t"]
    frame = pd.DataFrame([["A", "5", "2", "6", sd_pre, "20", t]], columns=columns)
    with pytest.raises(StudyTableError, match=what):
        read_studies(frame)
