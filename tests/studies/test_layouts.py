"""Tables of means, rates, single groups and correlations: as read, and broken."""

import pytest
from numpy.testing import assert_array_equal

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import load, read_studies

MEANS = "study,m1i,sd1i,n1i,m2i,sd2i,n2i\nHart,5.5,2,10,7,3,20\n"
TIDY_MEANS = "study,arm,mean,sd,n\nHart,drug,5.5,2,10\nHart,placebo,7,3,20\n"
RATES = "study,x1i,t1i,x2i,t2i\nHart,3,10.5,5,20\n"
TIDY_RATES = "study,arm,events,time\nHart,drug,3,10.5\nHart,placebo,5,20\n"
SINGLE = "study,xi,ni\nHart,3,10\n"
CORRELATION = "study,ri,ni\nHart,-0.3,10\n"


def _read(tmp_path, text):
    path = tmp_path / "trials.csv"
    path.write_text(text, encoding="utf-8")
    return read_studies(path)


@pytest.mark.parametrize("text", [MEANS, TIDY_MEANS])
def test_means_are_read_tidy_and_wide(tmp_path, text):
    table = _read(tmp_path, text)
    assert table.layout == "means"
    means = table.select(arms=table.arms or ("drug", "placebo")).means()
    assert means.study == ("Hart",)
    assert_array_equal([means.mean_treated, means.mean_control], [[5.5], [7]])
    assert_array_equal([means.sd_treated, means.sd_control], [[2], [3]])
    assert_array_equal([means.n_treated, means.n_control], [[10], [20]])
    assert table.covariates == ()


@pytest.mark.parametrize("text", [RATES, TIDY_RATES])
def test_rates_are_read_tidy_and_wide(tmp_path, text):
    table = _read(tmp_path, text)
    assert table.layout == "rates"
    rates = table.select(arms=table.arms or ("drug", "placebo")).rates()
    assert_array_equal([rates.events_treated, rates.events_control], [[3], [5]])
    assert_array_equal([rates.time_treated, rates.time_control], [[10.5], [20]])


def test_one_group_and_one_correlation_per_study_have_no_arms(tmp_path):
    single = _read(tmp_path, SINGLE)
    assert (single.layout, single.arms, single.arm_names) == ("single", None, ())
    assert single.frame.to_dict("list") == {
        "study": ["Hart"],
        "outcome": [""],
        "events": [3],
        "n": [10],
    }
    assert_array_equal(single.single().n, [10])
    correlation = _read(tmp_path, CORRELATION)
    assert correlation.layout == "correlation"
    assert_array_equal(correlation.correlations().r, [-0.3])


def test_arms_and_outcome_of_means_must_be_chosen(tmp_path):
    with pytest.raises(StudyTableError, match=r"--arms TREATED CONTROL.*'drug', 'placebo'"):
        _read(tmp_path, TIDY_MEANS).means()


def test_data_of_another_kind_are_told_by_name():
    with pytest.raises(StudyTableError, match=r"holds means, not counts. Use a measure for means"):
        load("normand1999").two_arm()
    with pytest.raises(StudyTableError, match="holds counts, not means"):
        load("bcg").means()
    with pytest.raises(StudyTableError, match="holds counts of one group, not correlations"):
        load("pritz1997").correlations()


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        (MEANS + "Maki,5,0,10,7,3,20\n", "sd1i", "zero gives infinite weight"),
        (MEANS + "Maki,5,2,10,7,-3,20\n", "sd2i", "a negative standard deviation"),
        (MEANS + "Maki,5,2,1,7,3,20\n", "n1i", "fewer than 2 patients"),
        (MEANS + "Maki,5,2,10,7,3,20.5\n", "n2i", "a fraction of a patient"),
        (MEANS + "Maki,inf,2,10,7,3,20\n", "m1i", "an infinite number"),
        (MEANS + "Maki,5,,10,7,3,20\n", "sd1i", "no number"),
        (MEANS + "Maki,1e200,2,10,7,3,20\n", "m1i", "too large a number"),
        (MEANS + "Maki,5,1e-200,10,7,3,20\n", "sd1i", "too small"),
        (RATES + "Maki,3,0,5,20\n", "t1i", "no person-time"),
        (RATES + "Maki,3,10,5,-20\n", "t2i", "no person-time"),
        (RATES + "Maki,3.5,10,5,20\n", "x1i", "a fraction of a patient"),
        (RATES + "Maki,-3,10,5,20\n", "x1i", "a negative count"),
        (RATES + "Maki,3,1e150,5,20\n", "t1i", "beyond measure"),
        (SINGLE + "Maki,11,10\n", "xi", r"more events than patients \(ni = 10\)"),
        (SINGLE + "Maki,0,0\n", "ni", "without patients"),
        (SINGLE + "Maki,1.5,10\n", "xi", "a fraction"),
        (CORRELATION + "Maki,1.2,10\n", "ri", "outside"),
        (CORRELATION + "Maki,-1,10\n", "ri", "has no variance"),
        (CORRELATION + "Maki,0.5,3\n", "ni", "fewer than 4 pairs"),
        (TIDY_MEANS + "Maki,drug,5,2,10\n", "arm", "the only arm"),
        (TIDY_RATES + "Hart,drug,5,2\n", "arm", r"given twice \(first in line 2\)"),
    ],
)
def test_a_broken_table_says_where_and_what(tmp_path, text, column, what):
    with pytest.raises(StudyTableError, match=f"trials.csv has 1 problem.*\n.*{what}") as e:
        _read(tmp_path, text)
    (problem,) = e.value.problems
    assert problem.column == column
    assert problem.row == len(text.splitlines())
    assert problem.fix


def test_the_tables_that_the_broken_ones_start_from_are_sound(tmp_path):
    for text in (MEANS, TIDY_MEANS, RATES, TIDY_RATES, SINGLE, CORRELATION):
        assert _read(tmp_path, text).studies == ("Hart",)
