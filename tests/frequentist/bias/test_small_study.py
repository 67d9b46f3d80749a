import itertools
import math

import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES
from frequentist.trouble_cases import arrays, case, contrasts, counts
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.bias.rank_correlation import kendall
from bayesmeta.frequentist.bias.small_study import ASYMMETRY_TESTS, small_study_tests
from bayesmeta.studies import load

BINARY = ("bcg", "hine1989", "yusuf1985_table6", "nielweise2007")
ANY = tuple(name for name, test in ASYMMETRY_TESTS.items() if not test.counts)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_eggers_test_agrees_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    row = small_study_tests(table, "GEN", tests="egger")["egger"]
    assert_allclose(
        [row.statistic, row.p_value, row.df],
        [want["egger_lm"][key] for key in ("stat", "p", "df")],
        rtol=CLOSED,
    )


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_eggers_test_with_tau2_agrees_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    row = small_study_tests(table, "GEN", tests="egger-mixed")["egger-mixed"]
    wanted = [want["regtest_rma_REML"][key] for key in ("stat", "p")]
    assert_allclose([row.statistic, row.p_value], wanted, rtol=ITERATIVE)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_begg_and_mazumdars_test_agrees_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    row = small_study_tests(table, "GEN", tests="begg")["begg"]
    wanted = [want["begg"][key] for key in ("tau", "p")]
    assert_allclose([row.statistic, row.p_value], wanted, rtol=CLOSED, atol=1e-15)


@pytest.mark.parametrize("test", ["harbord", "peters"])
@pytest.mark.parametrize("name", BINARY)
def test_tests_on_counts_agree_with_meta(name, test, golden):
    want = golden("metafor_trouble")[name]["OR"][test]
    row = small_study_tests(counts(golden("metafor_pool")[name]), "OR", tests=test)[test]
    assert_allclose(
        [row.statistic, row.p_value, row.df],
        [want[key] for key in ("stat", "p", "df")],
        rtol=CLOSED,
    )


def test_the_printed_tests_of_the_magnesium_trials_are_met(golden):
    # "printed" in metafor's own tests, to four decimals
    data = golden("metafor_trouble")["egger2001"]
    found = small_study_tests(counts(data), "OR")
    assert_allclose(found["egger-mixed"].statistic, data["regtest_z"], atol=5e-5)
    assert_allclose(found["begg"].statistic, data["ranktest_tau"], rtol=CLOSED)
    assert_allclose(found["begg"].p_value, data["ranktest_p"], atol=5e-5)


def test_the_printed_test_of_the_passive_smoking_studies_is_met(golden):
    data = golden("metafor_trouble")["hackshaw1998"]
    table = contrasts(data["yi"], data["vi"])
    row = small_study_tests(table, "GEN", tests="egger-mixed")["egger-mixed"]
    assert_allclose(row.p_value, data["regtest_rma_REML"]["p"], atol=5e-5)


def line(x, y, w):
    """Weighted regression by its normal equations: slope, its dispersed error, t's p-value."""
    X = np.column_stack([np.ones_like(x), x])
    covariance = np.linalg.inv(X.T @ (w[:, None] * X))
    beta = covariance @ X.T @ (w * y)
    dispersion = (w * (y - X @ beta) ** 2).sum() / (len(y) - 2)
    se = math.sqrt(dispersion * covariance[1, 1])
    return beta, se, 2 * stats.t.sf(abs(beta[1] / se), len(y) - 2)


@pytest.mark.parametrize("name", BINARY)
def test_macaskills_test_is_the_regression_on_n_with_the_average_risks_variance(name, golden):
    data = golden("metafor_pool")[name]
    a, b, c, d = (np.array(data[cell], float) for cell in ("ai", "bi", "ci", "di"))
    y, _ = arrays(golden, name, "OR")
    kept = (a + c > 0) & (b + d > 0)
    n = a + b + c + d
    weight = (a + c) * (b + d) / n
    beta, se, p = line(n[kept], y[kept], weight[kept])
    row = small_study_tests(counts(data), "OR", tests="macaskill")["macaskill"]
    assert_allclose([row.estimate, row.se, row.p_value], [beta[1], se, p], rtol=CLOSED)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_thompson_and_sharps_test_is_the_regression_with_tau2_by_moments(name, measure, golden):
    y, v = arrays(golden, name, measure)
    x, w = np.sqrt(v), 1 / v
    residual = y - np.column_stack([np.ones_like(x), x]) @ line(x, y, w)[0]
    # Thompson and Sharp (1999), formula for the moment estimator with one covariate
    top = (w**2).sum() * (w * x**2).sum() - 2 * (w**2 * x).sum() * (w * x).sum()
    top += w.sum() * (w**2 * x**2).sum()
    F = w.sum() - top / (w.sum() * (w * x**2).sum() - (w * x).sum() ** 2)
    tau2 = max(0.0, ((w * residual**2).sum() - (len(y) - 2)) / F)
    w = 1 / (v + tau2)
    centred = x - (w * x).sum() / w.sum()
    slope, se = (w * centred * y).sum() / (w * centred**2).sum(), (w * centred**2).sum() ** -0.5
    row = small_study_tests(contrasts(y, v), "GEN", tests="thompson-sharp")["thompson-sharp"]
    assert_allclose([row.estimate, row.se], [slope, se], rtol=1e-8)
    assert_allclose(row.p_value, 2 * stats.t.sf(abs(slope / se), len(y) - 2), rtol=1e-7)


def test_eggers_slope_is_the_intercept_of_z_against_precision():
    table = load("raudenbush1985").contrast()
    z, precision = table.estimate / np.sqrt(table.variance), 1 / np.sqrt(table.variance)
    slope, intercept = np.polyfit(precision, z, 1)
    row = small_study_tests(load("raudenbush1985"), "GEN", tests="egger")["egger"]
    assert_allclose([row.estimate, row.intercept], [intercept, slope], rtol=1e-9)


@given(st.permutations([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
def test_kendalls_exact_p_counts_the_orders_that_are_as_extreme(order):
    ranks = np.arange(6.0)
    every = [
        sum(a < b for a, b in itertools.combinations(other, 2))
        for other in itertools.permutations(range(6))
    ]
    concordant = sum(a < b for a, b in itertools.combinations(order, 2))
    tail = min(np.mean(np.array(every) <= concordant), np.mean(np.array(every) >= concordant))
    found = kendall(ranks, np.array(order))
    assert found.exact
    assert_allclose(found.p, min(1.0, 2 * tail), rtol=CLOSED)


@given(st.lists(st.integers(0, 4), min_size=5, max_size=12), st.randoms(use_true_random=False))
def test_kendalls_tau_with_ties_is_that_of_another_program(values, random):
    other = values.copy()
    random.shuffle(other)
    assume(len(set(values)) > 1)
    found = kendall(np.array(values, float), np.array(other, float))
    want = stats.kendalltau(values, other, method="asymptotic" if not found.exact else "exact")
    assert_allclose([found.tau, found.p], [want.statistic, want.pvalue], rtol=1e-9, atol=1e-15)


def defined(rows):
    return [row for row in rows if not math.isnan(row.p_value)]


@settings(max_examples=15)
@given(effect_sets(min_rows=4, max_rows=9), st.randoms(use_true_random=False))
def test_the_order_of_the_studies_does_not_matter(effects, random):
    place = list(range(len(effects.y)))
    random.shuffle(place)
    first = small_study_tests(contrasts(effects.y, effects.v), "GEN")
    second = small_study_tests(contrasts(effects.y[place], effects.v[place]), "GEN")
    for row in defined(first.rows):
        assert_allclose(second[row.test].p_value, row.p_value, rtol=1e-6, atol=1e-12)


@settings(max_examples=15)
@given(effect_sets(min_rows=4, max_rows=9))
def test_turning_the_effects_round_turns_the_statistics_round(effects):
    first = small_study_tests(contrasts(effects.y, effects.v), "GEN")
    second = small_study_tests(contrasts(-effects.y, effects.v), "GEN")
    for row in defined(first.rows):
        other = second[row.test]
        assert_allclose(
            [other.statistic, other.p_value], [-row.statistic, row.p_value], rtol=1e-7, atol=1e-9
        )


@settings(max_examples=15)
@given(effect_sets(min_rows=4, max_rows=9), st.sampled_from([1e-3, 0.5, 1024.0]))
def test_the_unit_of_the_effects_does_not_matter(effects, unit):
    first = small_study_tests(contrasts(effects.y, effects.v), "GEN", tests=ANY)
    second = small_study_tests(contrasts(unit * effects.y, unit**2 * effects.v), "GEN", tests=ANY)
    for row in defined(first.rows):
        assert_allclose(second[row.test].p_value, row.p_value, rtol=1e-5, atol=1e-9)


def symmetric(pairs, centre=0.3):
    """A funnel that is symmetric about its centre: each study has its mirror image."""
    offset, v = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
    return np.concatenate([centre + offset, centre - offset]), np.concatenate([v, v])


@pytest.mark.parametrize("test", ["egger", "egger-mixed", "thompson-sharp"])
def test_a_symmetric_funnel_has_slope_0(test):
    y, v = symmetric([(0.1, 0.01), (0.5, 0.1), (0.2, 0.05), (1.0, 0.4), (0.7, 0.2)])
    row = small_study_tests(contrasts(y, v), "GEN", tests=test)[test]
    assert_allclose(row.estimate, 0.0, atol=1e-12)
    assert_allclose([row.intercept, row.p_value], [0.3, 1.0], rtol=1e-9)


def test_few_studies_are_told_to_have_little_power(golden):
    found = small_study_tests(counts(golden("metafor_pool")["hine1989"]), "OR")
    assert any("little power" in note for note in found.notes)


def test_two_studies_keep_their_rows_with_the_reason():
    found = small_study_tests(contrasts([0.1, 0.3], [0.1, 0.2]), "GEN")
    assert [row.test for row in found.rows] == list(ANY)
    assert all("fewer than 3" in row.notes[0] and math.isnan(row.p_value) for row in found.rows)


def test_studies_of_one_size_keep_their_rows_with_the_reason():
    found = small_study_tests(contrasts([0.1, 0.3, 0.2], [0.1, 0.1, 0.1]), "GEN")
    assert "one size" in found["egger"].notes[0]
    assert "all variances or all effects are equal" in found["begg"].notes[0]


def test_studies_without_events_are_left_out_by_name():
    cells = {
        "ai": [0, 3, 5, 9],
        "bi": [20, 30, 25, 90],
        "ci": [0, 6, 8, 20],
        "di": [20, 27, 30, 80],
    }
    row = small_study_tests(counts(cells), "OR", tests="harbord")["harbord"]
    assert (row.k, row.notes) == (3, ("double-zero studies left out: study 1",))


def test_an_unknown_test_is_refused_with_a_suggestion():
    with pytest.raises(ModelError, match=r"unknown test 'eger'.*egger"):
        small_study_tests(load("bcg"), "OR", tests="eger")


def test_a_test_on_counts_is_refused_for_contrasts():
    with pytest.raises(ModelError, match=r"harbord is for OR of 2x2 tables.*Use egger"):
        small_study_tests(load("raudenbush1985"), "GEN", tests=["harbord"])


def test_the_frame_has_a_row_for_each_test():
    frame = small_study_tests(load("bcg"), "OR").to_frame()
    assert frame["test"].tolist() == list(ASYMMETRY_TESTS)
    assert frame["p_value"].notna().all()
