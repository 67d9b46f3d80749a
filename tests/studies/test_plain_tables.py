"""Tables of judgements and of times: read as written, or refused with every problem at once."""

import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import bayesmeta as bm


def test_judgements_are_read_from_a_file_in_any_case(tmp_path):
    path = tmp_path / "rob.csv"
    path.write_text(
        "study,randomisation,missing data\nHart,Low,Some  concerns\nBang,HIGH,unclear\n"
    )
    table = bm.read_risk_of_bias(path)
    assert table.judgement == (("low", "some"), ("high", "unclear"))
    assert (table.study, table.domain) == (("Hart", "Bang"), ("randomisation", "missing data"))


def test_every_fault_of_a_table_of_judgements_is_told(tmp_path):
    path = tmp_path / "rob.csv"
    path.write_text("study,randomisation\nHart,lwo\nHart,low\n,\n")
    with pytest.raises(bm.StudyTableError, match=r"rob\.csv has 2 problems") as told:
        bm.read_risk_of_bias(path)
    text = str(told.value)
    assert "line 2, study 'Hart', randomisation = lwo: is no judgement. Did you mean 'low'?" in text
    assert "line 3, study = Hart: the study is given twice" in text


@pytest.mark.parametrize("table", [{"trial": ["Hart"]}, {"study": ["Hart"]}])
def test_a_table_without_studies_or_domains_is_refused(table):
    with pytest.raises(bm.StudyTableError, match=r"column is missing|no domain"):
        bm.read_risk_of_bias(pd.DataFrame(table))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(bm.StudyTableError, match="cannot be read"):
        bm.read_risk_of_bias(tmp_path / "none.csv")


def test_every_fault_of_a_response_table_is_told():
    table = pd.DataFrame({"time": [3, 3, -1], "events": [5, 30, 2.5], "n": [20, 20, 20]})
    with pytest.raises(bm.StudyTableError, match="4 problems") as told:
        bm.read_responses(table)
    for part in ("given twice", "more events than persons", "a whole number", "time = -1"):
        assert part in str(told.value)


def test_every_fault_of_a_life_table_is_told():
    table = pd.DataFrame(
        {"start": [0, 4, 6], "end": [3, 6, 6], "at_risk": [24, 12, ""], "events": [15, 13, 1]}
    )
    with pytest.raises(bm.StudyTableError, match="5 problems") as told:
        bm.read_life_table(table)
    for part in (
        "the interval before ends at 3",
        "only 9 were left",
        "more events than at risk",
        "ends before it starts",
        "events, and no number at risk",
    ):
        assert part in str(told.value)


def test_groups_are_kept_apart():
    table = pd.DataFrame(
        {"group": ["a", "b"], "start": [0, 0], "end": [3, 3], "at_risk": [9, 8], "events": [1, 2]}
    )
    read = bm.read_life_table(table)
    assert read.group == ("a", "b")
    assert_array_equal(read.at_risk, [9, 8])
