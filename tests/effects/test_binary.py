import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

from bayesmeta.effects import MEASURES, compute_effects
from bayesmeta.effects.binary import binary_effects
from bayesmeta.errors import StudyTableError
from bayesmeta.studies import TwoArmCounts, load

TABLES = ("bcg", "hine1989", "yusuf1985_table6", "nielweise2007")
CHECKED = ("OR", "RR", "RD")  # the others are checked by another road
BINARY = [name for name, measure in MEASURES.items() if measure.layout == "binary"]


def _effects(rows, measure, correction="only0"):
    a, b, c, d = np.array(rows).T
    counts = TwoArmCounts(
        study=tuple(f"s{i}" for i in range(len(rows))),
        events_treated=a,
        n_treated=a + b,
        events_control=c,
        n_control=c + d,
    )
    return binary_effects(counts, MEASURES[measure], correction=correction, source="trials")


def _two_by_twos(smallest):
    cells = st.integers(smallest, 10**6)
    row = st.tuples(cells, cells, cells, cells).filter(
        lambda r: r[0] + r[1] > 0 and r[2] + r[3] > 0
    )
    return st.lists(row, min_size=1, max_size=5)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("measure", CHECKED)
def test_effects_agree_with_metafor(table, measure, golden):
    want = golden("metafor_effects")[table][measure]
    got = compute_effects(load(table), measure)
    assert_allclose(got.y, want["yi"], rtol=CLOSED, atol=1e-15)  # exact zeros there
    assert_allclose(got.S, want["vi"], rtol=CLOSED)


@given(_two_by_twos(smallest=0), st.sampled_from(BINARY), st.sampled_from(["only0", "all"]))
def test_swapping_the_arms_flips_the_sign_and_keeps_the_variance(rows, measure, correction):
    before = _effects(rows, measure, correction=correction)
    swapped = [(c, d, a, b) for a, b, c, d in rows]
    after = _effects(swapped, measure, correction=correction)
    assert_allclose(after.y, -before.y, rtol=CLOSED, atol=1e-14)
    assert_allclose(after.S, before.S, rtol=CLOSED)
    assert_array_equal(after.corrected, before.corrected)


@given(_two_by_twos(smallest=0))
def test_counting_non_events_flips_the_odds_ratio(rows):
    before = _effects(rows, "OR")
    after = _effects([(b, a, d, c) for a, b, c, d in rows], "OR")
    assert_allclose(after.y, -before.y, rtol=CLOSED, atol=1e-14)
    assert_allclose(after.S, before.S, rtol=CLOSED)


@given(_two_by_twos(smallest=0), st.sampled_from(BINARY), st.randoms(use_true_random=False))
def test_the_order_of_the_studies_only_permutes(rows, measure, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    before = _effects(rows, measure)
    after = _effects([rows[i] for i in order], measure)
    assert_array_equal(after.y, before.y[order])
    assert_array_equal(after.S, before.S[order])


@given(_two_by_twos(smallest=1), st.sampled_from(BINARY))
def test_the_zero_cell_rule_touches_no_table_without_a_zero(rows, measure):
    plain = _effects(rows, measure, correction="none")
    ruled = _effects(rows, measure)
    assert_array_equal(ruled.y, plain.y)
    assert not ruled.corrected.any()
    assert (ruled.notes, ruled.row_notes) == ((), ("",) * len(rows))


def test_the_rule_in_force_and_what_it_touched_are_in_the_result():
    effects = _effects([(1, 9, 2, 8), (0, 10, 2, 8), (0, 10, 0, 10)], "OR")
    assert effects.correction == "only0"
    assert_array_equal(effects.corrected, [False, True, True])
    assert effects.notes == (
        "1/2 added to every cell of 2 studies with a zero cell: s1, s2",
        "the effect comes from the added 1/2 alone in 1 study without events, or without "
        "non-events, in both arms: s2",
    )
    assert effects.row_notes == ("", "1/2 added to every cell", "1/2 added to every cell")


def test_the_correction_of_all_tables_adds_one_half_to_each_cell():
    effects = _effects([(1, 9, 2, 8)], "OR", correction="all")
    assert_allclose(effects.y, [np.log(1.5 * 8.5 / (9.5 * 2.5))], rtol=CLOSED)
    assert_allclose(effects.S, [1 / 1.5 + 1 / 9.5 + 1 / 2.5 + 1 / 8.5], rtol=CLOSED)
    assert effects.notes == ("1/2 added to every cell of all studies",)


def test_without_correction_every_study_without_a_finite_effect_is_told():
    with pytest.raises(StudyTableError, match="yusuf1985_table6 has 4 problems") as e:
        compute_effects(load("yusuf1985_table6"), "OR", correction="none")
    assert [problem.study for problem in e.value.problems] == ["Pitt", "Hutton", "Gupta", "Yusuf"]
    assert all("only0" in problem.fix for problem in e.value.problems)


def test_without_correction_a_zero_cell_that_does_no_harm_is_kept():
    effects = _effects([(0, 10, 2, 8)], "RD", correction="none")
    assert_allclose(effects.y, [-0.2], rtol=CLOSED)
    assert_allclose(effects.S, [0.2 * 0.8 / 10], rtol=CLOSED)
    with pytest.raises(StudyTableError, match="the RD of this table"):
        _effects([(0, 10, 10, 0)], "RD", correction="none")
    with pytest.raises(StudyTableError, match="study 's0', 0 10 2 8: the log RR"):
        _effects([(0, 10, 2, 8)], "RR", correction="none")


def test_effects_are_read_only():
    effects = compute_effects(load("bcg"), "OR")
    for array in (effects.y, effects.S, effects.corrected):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_arcsine_differences_of_full_arms_are_not_said_to_come_from_an_added_half():
    full = np.array([20])
    counts = TwoArmCounts(
        study=("A",), events_treated=full, n_treated=full, events_control=full, n_control=full
    )
    effects = binary_effects(counts, MEASURES["AS"], correction="only0", source="trials.csv")
    assert effects.notes == ()
