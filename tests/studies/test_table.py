import copy
import pickle
from dataclasses import FrozenInstanceError

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import StudyTable, load, read_studies

THREE_ARMS = """study,arm,outcome,events,n
Hart,drug,death,3,20
Hart,placebo,death,5,21
Hart,both,death,6,22
Maki,placebo,death,1,10
Maki,drug,death,2,11
Maki,placebo,relapse,3,10
Maki,drug,relapse,4,11
"""


@pytest.fixture
def three_arms(tmp_path) -> StudyTable:
    path = tmp_path / "trials.csv"
    path.write_text(THREE_ARMS, encoding="utf-8")
    return read_studies(path)


def test_labels_come_in_order_of_first_appearance(three_arms):
    assert three_arms.studies == ("Hart", "Maki")
    assert three_arms.k == 2
    assert three_arms.outcomes == ("death", "relapse")
    assert three_arms.arm_names == ("drug", "placebo", "both")


def test_two_arms_of_one_outcome_are_aligned_by_study(three_arms):
    counts = three_arms.select(outcome="death", arms=("drug", "placebo")).two_arm()
    assert counts.study == ("Hart", "Maki")
    assert_array_equal(counts.events_treated, [3, 2])
    assert_array_equal(counts.n_treated, [20, 11])
    assert_array_equal(counts.events_control, [5, 1])
    assert_array_equal(counts.n_control, [21, 10])


def test_the_arms_say_which_is_treated(three_arms):
    death = three_arms.select(outcome="death")
    one = death.select(arms=("drug", "placebo")).two_arm()
    other = death.select(arms=("placebo", "drug")).two_arm()
    assert_array_equal(one.events_treated, other.events_control)
    assert_array_equal(one.n_control, other.n_treated)


def test_without_arms_and_outcome_both_choices_are_asked_for(three_arms):
    with pytest.raises(StudyTableError) as e:
        three_arms.two_arm()
    outcome, arm = e.value.problems
    assert "'death', 'relapse'" in outcome.fix
    assert "--outcome" in outcome.fix
    assert "'drug', 'placebo', 'both'" in arm.fix
    assert "--arms TREATED CONTROL" in arm.fix


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"outcome": "deaths"}, "outcome = deaths: no such outcome. Did you mean 'death'"),
        ({"arms": ("drug", "placbo")}, "arm = placbo: no such arm. Did you mean 'placebo'"),
        ({"arms": ("drug", "xyz")}, "arm = xyz: no such arm. There are: 'drug', 'placebo', 'both'"),
        ({"arms": ("drug", "drug")}, "arm = drug: treated and control are the same arm"),
        ({"arms": ("drug",)}, "two arms are needed"),
        ({"arms": "drug"}, "two arms are needed"),
        (
            {"outcome": "death", "arms": ("both", "drug")},
            r"study 'Maki': no arm 'both' for outcome 'death' \(it has 'placebo', 'drug'\)."
            r" Leave it out with drop\('Maki'\)",
        ),
    ],
)
def test_a_choice_that_cannot_be_made_is_told(three_arms, choice, message):
    with pytest.raises(StudyTableError, match=message):
        three_arms.select(**choice)


def test_studies_without_the_outcome_are_noted(three_arms):
    relapse = three_arms.select(outcome="relapse")
    assert relapse.studies == ("Maki",)
    assert relapse.notes[-1] == "without outcome 'relapse': Hart"


def test_a_dropped_study_is_gone_and_noted():
    table = load("bcg").drop("Aronson 1948", "TPT Madras 1980")
    assert table.k == 11
    assert "Aronson 1948" not in table.studies
    assert table.notes[-1] == "left out: Aronson 1948, TPT Madras 1980"


def test_dropping_what_is_not_there_or_everything_is_refused():
    bcg = load("bcg")
    with pytest.raises(StudyTableError, match=r"study 'Aronson': no such study. Did you mean"):
        bcg.drop("Aronson")
    with pytest.raises(StudyTableError, match="no study would be left"):
        bcg.drop(*bcg.studies)


def test_a_table_split_and_joined_is_the_same_table():
    bcg = load("bcg")
    joined = bcg.drop(*bcg.studies[4:]).append(bcg.drop(*bcg.studies[:4]))
    pd.testing.assert_frame_equal(joined.frame, bcg.frame)
    schools = load("eight_schools")
    joined = schools.drop(*schools.studies[4:]).append(schools.drop(*schools.studies[:4]))
    pd.testing.assert_frame_equal(joined.printed, schools.printed)


def test_tables_that_do_not_fit_are_not_joined(three_arms):
    bcg = load("bcg")
    with pytest.raises(StudyTableError, match="study 'Aronson 1948': given again in bcg"):
        bcg.append(bcg.drop(*bcg.studies[1:]))
    with pytest.raises(StudyTableError, match="the arms of crins2014"):
        bcg.append(load("crins2014"))
    with pytest.raises(StudyTableError, match="the layout of eight_schools is contrast"):
        bcg.append(load("eight_schools"))
    with pytest.raises(StudyTableError, match="one table names its outcome"):
        three_arms.append(load("crins2014"))


def test_counts_are_no_contrasts_and_contrasts_no_counts():
    with pytest.raises(StudyTableError, match="the table holds counts, not contrasts"):
        load("bcg").contrast()
    with pytest.raises(StudyTableError, match="the table holds contrasts, not counts"):
        load("eight_schools").two_arm()
    with pytest.raises(StudyTableError, match="no arms to choose"):
        load("eight_schools").select(arms=("a", "b"))


def test_several_outcomes_of_contrasts_must_be_chosen_from():
    frame = pd.DataFrame(
        {"study": ["A", "A"], "outcome": ["x", "y"], "yi": [0.1, 0.2], "vi": [1.0, 1.0]}
    )
    table = read_studies(frame)
    with pytest.raises(StudyTableError, match=r"there are 2 outcomes.*'x', 'y'"):
        table.contrast()
    assert_array_equal(table.select(outcome="y").contrast().estimate, [0.2])


def test_nothing_that_a_table_gives_can_change_it():
    table = load("eight_schools")
    frame, printed = table.frame, table.printed
    frame.loc[0, "estimate"] = 99.0
    printed.loc[0, "estimate"] = "99"
    assert table.frame.loc[0, "estimate"] == 28.39
    assert table.printed.loc[0, "estimate"] == "28.39"
    contrasts = table.contrast()
    with pytest.raises(ValueError, match="read-only"):
        contrasts.estimate[0] = 99.0
    counts = load("bcg").two_arm()
    with pytest.raises(ValueError, match="read-only"):
        counts.events_treated[0] = 99
    with pytest.raises(FrozenInstanceError):
        table.source = "other"


def test_arrays_are_taken_from_the_frame_once_and_another_table_has_its_own():
    table = load("bcg")
    assert table.two_arm() is table.two_arm()
    fewer = table.drop("Aronson 1948")
    assert fewer.two_arm().study == fewer.studies == table.studies[1:]
    copied = pickle.loads(pickle.dumps(table)).two_arm()
    assert not copied.events_treated.flags.writeable
    assert not table.design().control.flags.writeable


def test_a_table_can_be_copied_and_pickled():
    table = load("bcg")
    for twin in (copy.deepcopy(table), pickle.loads(pickle.dumps(table))):
        pd.testing.assert_frame_equal(twin.frame, table.frame)
        assert twin.notes == table.notes


def test_labels_given_as_numbers_are_refused_with_the_label_that_was_meant():
    frame = {"study": [1948, 1948], "arm": [1, 0], "events": [1, 2], "n": [9, 9]}
    table = read_studies(pd.DataFrame(frame))
    with pytest.raises(StudyTableError, match=r"arm = 1: no such arm\. Did you mean '1'"):
        table.select(arms=(1, 0))
    with pytest.raises(StudyTableError, match="Did you mean '1948'"):
        table.drop(1948)
