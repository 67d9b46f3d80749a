"""Printed results recomputed by the publication's own method from the counts behind them."""

from collections import Counter

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.published.prints import agrees_with_print, write_as_printed

ZHOU, WANG = "zhou_2019_lupus_nephritis", "wang_2018_nephrotic_syndrome"
ROUNDED_OTHERWISE = {  # printed percentages that are cut or rounded up, not to the nearest
    "kraaij_2016_lupus_nephritis/single_arm": 0,
    "miwa_sle_cohort/single_arm": 1,
    "tani_2018_sle_cohort/single_arm": 15,
}


@pytest.fixture(scope="module")
def tables():
    return {name: bm.recompute(name) for name in (ZHOU, WANG)}


@pytest.mark.parametrize(("name", "rows", "own"), [(ZHOU, 34, 20), (WANG, 35, 5)])
def test_every_row_with_counts_is_recomputed(tables, name, rows, own):
    table = tables[name]
    assert len(table) == rows
    assert table.loc[table["restates"] == "", "row"].nunique() == own


def test_every_printed_number_comes_out_but_one_misprint(tables):
    table = pd.concat(tables.values())
    wrong = table[table["differs"] != ""]
    assert wrong["row"].tolist() == ["zhou-T-15"]
    assert wrong["recomputed"].tolist() == ["13.54 (1.75, 104.81)"]


def test_the_model_is_the_one_that_the_rule_takes(tables):
    for name in (ZHOU, WANG):
        own = {row.row_id: row for row in bm.load_published(name)}
        for _, row in tables[name].iterrows():
            model = own[row["row"]].printed.model
            if model is not None:
                assert row["method"] == {"fixed": "MH-RM", "random": "DL-MH"}[model]
    taken = Counter(tables[ZHOU].loc[tables[ZHOU]["restates"] == "", "method"])
    assert taken == {"MH-RM": 20, "DL-MH": 2}  # 18 fixed rows, one of them with three solutions


def test_all_solutions_of_a_row_are_recomputed(tables):
    number = tables[WANG].groupby("row").size()
    assert (number["wang-R-07"], number["wang-R-08"]) == (7, 8)


def test_a_publication_without_counts_is_refused():
    with pytest.raises(bm.StudyTableError, match="no pooled results with counts"):
        bm.recompute("tani_2018_sle_cohort")
    with pytest.raises(bm.StudyTableError, match=r"Did you mean 'miwa_sle_cohort'"):
        bm.recompute("miwa_sle")


def test_harbords_test_comes_out_of_the_four_trials_together():
    frame = bm.load_frame(f"{WANG}/binary")
    frame = frame[frame["outcome"] == "complete remission"].copy()
    frame["arm"] = frame["arm"].where(frame["arm"] == "TAC", "other")
    studies = bm.read_studies(frame[["study", "arm", "events", "n"]])
    found = bm.small_study_tests(studies.select(arms=("TAC", "other")), "OR", tests=["harbord"])
    row = next(row for row in bm.load_published(WANG) if row.row_id == "wang-B-02")
    assert found.rows[0].k == row.k == 4
    assert agrees_with_print(found.rows[0].statistic, row.printed.estimate)
    assert agrees_with_print(found.rows[0].p_value, row.printed.p)


@pytest.mark.parametrize(("name", "number"), ROUNDED_OTHERWISE.items())
def test_percentages_are_those_of_their_counts_or_one_unit_beside(name, number):
    frame = bm.load_frame(name)
    frame = frame[frame["percent_printed"] != ""]
    otherwise = 0
    for _, row in frame.iterrows():
        percent = 100 * int(row["xi"]) / int(row["ni"])
        printed = bm.Printed.parse(row["percent_printed"])
        otherwise += not agrees_with_print(percent, printed)
        assert abs(percent - printed.value) <= max(2 * printed.half_unit, 1.04)
    assert otherwise == number


def test_the_numbers_are_written_with_the_printed_digits():
    assert write_as_printed(0.25, bm.Printed.parse("<0.05")) == "0.25"
    assert write_as_printed(2.0, bm.Printed.parse("13")) == "2"
