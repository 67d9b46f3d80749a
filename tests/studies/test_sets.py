"""Tables with several comparisons, and several solutions for the same counts."""

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import load, read_studies

ZHOU = "zhou_2019_lupus_nephritis/binary"


def _table(**columns):
    rows = {"study": ["A", "A"] * 2, "arm": ["new", "old"] * 2, "events": [1, 2, 3, 4], "n": 9}
    return pd.DataFrame({**rows, **columns})


def test_rows_of_several_solutions_are_no_repetition():
    table = read_studies(_table(solution=[1, 1, 2, 2]))
    assert table.solutions == ("1", "2")
    assert_array_equal(table.select(solution=2).frame["events"], [3, 4])


def test_a_row_repeated_within_a_solution_is_refused():
    with pytest.raises(StudyTableError, match="given twice"):
        read_studies(_table(solution=[1, 1, 1, 1]))
    with pytest.raises(StudyTableError, match="given twice"):
        read_studies(_table(solution=""))


def test_counts_are_not_given_before_a_solution_is_chosen():
    table = read_studies(_table(solution=[1, 1, 2, 2])).select(arms=("new", "old"))
    with pytest.raises(StudyTableError, match=r"there are 2 solutions.*'1', '2'"):
        table.two_arm()
    assert_array_equal(table.select(solution="1").two_arm().events_treated, [1])


def test_a_wide_table_wants_its_solution_too():
    frame = pd.DataFrame({"study": ["A", "A"], "yi": [1, 2], "vi": [1, 1], "solution": ["x", "y"]})
    table = read_studies(frame)
    with pytest.raises(StudyTableError, match="there are 2 solutions"):
        table.contrast()
    assert table.select(solution="y").contrast().estimate.tolist() == [2.0]


def test_an_unknown_solution_or_comparison_is_told():
    table = load(ZHOU)
    with pytest.raises(StudyTableError, match="no such solution"):
        table.select(solution=4)
    with pytest.raises(StudyTableError, match=r"no such comparison.*Did you mean"):
        table.select(comparison="TAC+GC vs MMF+G")
    with pytest.raises(StudyTableError, match="the table has no column solution"):
        load("bcg").select(solution=1)


def test_arms_choose_the_comparison_that_has_both():
    table = load("wang_2018_nephrotic_syndrome/binary")
    chosen = table.select(outcome="complete remission", arms=("TAC", "CsA"))
    assert chosen.studies == ("Choudhry 2009", "Wang W 2012")
    assert "in other comparisons: Sinha 2017, Gulati A 2012" in chosen.notes


def test_a_study_without_an_arm_of_its_comparison_is_still_refused():
    frame = _table(comparison="c", study=["A", "A", "B", "B"], arm=["new", "old", "new", "odl"])
    with pytest.raises(StudyTableError, match="no arm 'old'"):
        read_studies(frame).select(arms=("new", "old"))


def test_two_comparisons_of_the_same_arms_are_told_apart_by_name():
    table = read_studies(_table(comparison=["early", "early", "late", "late"]))
    chosen = table.select(arms=("new", "old"))
    with pytest.raises(StudyTableError, match="there are 2 comparisons"):
        chosen.two_arm()
    assert_array_equal(chosen.select(comparison="late").two_arm().events_control, [4])


def test_tables_of_different_solutions_can_be_joined():
    table = read_studies(_table(solution=[1, 1, 2, 2]))
    assert table.select(solution=1).append(table.select(solution=2)).solutions == ("1", "2")
