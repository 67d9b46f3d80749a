"""The bundled results of five publications: totals as counted in the publications' own tables."""

from collections import Counter

import pytest

import bayesmeta as bm
from bayesmeta.studies import bundled

ROWS = {  # printed results, and those of them that repeat another
    "kraaij_2016_lupus_nephritis": (23, 2),
    "miwa_sle_cohort": (7, 0),
    "tani_2018_sle_cohort": (9, 0),
    "wang_2018_nephrotic_syndrome": (15, 5),
    "zhou_2019_lupus_nephritis": (74, 24),
}
STATUSES = {
    "kraaij_2016_lupus_nephritis": {"published row": 16, "printed": 4, "not analysable": 1},
    "miwa_sle_cohort": {"printed": 5, "not analysable": 2},
    "tani_2018_sle_cohort": {"not analysable": 9},
    "wang_2018_nephrotic_syndrome": {
        "published row": 4,
        "reconstructed uniquely": 4,
        "candidates": 2,
    },
    "zhou_2019_lupus_nephritis": {
        "published row": 28,
        "reconstructed uniquely": 19,
        "candidates": 1,
        "inferred": 1,
        "not analysable": 1,
    },
}
TOTALS = {  # rows; sums of events and patients, all solutions included
    "kraaij_2016_lupus_nephritis/binary": (8, 138, 280),
    "wang_2018_nephrotic_syndrome/binary": (68, 628, 1384),
    "zhou_2019_lupus_nephritis/binary": (100, 1311, 6575),
    "kraaij_2016_lupus_nephritis/single_arm": (17, 133, 409),
    "miwa_sle_cohort/single_arm": (26, 247, 921),
    "tani_2018_sle_cohort/single_arm": (86, 900, 2193),
    "wang_2018_nephrotic_syndrome/single_arm": (4, 94, 134),
}


def results(name):
    return {row.row_id: row for row in bm.load_published(name)}


@pytest.mark.parametrize(("name", "counts"), ROWS.items())
def test_every_printed_row_is_there_once(name, counts):
    rows = bm.load_published(name)
    assert len({row.row_id for row in rows}) == len(rows)
    assert (len(rows), sum(bool(row.restates) for row in rows)) == counts


def test_the_publications_are_listed():
    assert list(bm.available_published()) == list(ROWS)


@pytest.mark.parametrize(("name", "statuses"), STATUSES.items())
def test_every_result_has_the_status_that_its_data_give_it(name, statuses):
    own = [row for row in bm.load_published(name) if not row.restates]
    assert Counter(row.status for row in own) == statuses


def test_there_are_97_results_of_their_own_in_all():
    assert sum(rows - repeated for rows, repeated in ROWS.values()) == 97
    total = sum((Counter(statuses) for statuses in STATUSES.values()), Counter())
    assert total == {
        "published row": 48,
        "reconstructed uniquely": 23,
        "not analysable": 13,
        "printed": 9,
        "candidates": 3,
        "inferred": 1,
    }


@pytest.mark.parametrize("name", ROWS)
def test_only_rows_without_an_estimate_or_an_error_are_not_analysable(name):
    for row in bm.load_published(name):
        bare = row.printed is None or (row.printed.ci is None and row.printed.p is None)
        if row.status == "not analysable":
            assert bare
            assert row.reason
        elif row.status == "published row":
            assert not bare


@pytest.mark.parametrize("name", ROWS)
def test_a_row_that_repeats_another_names_one_of_its_publication(name):
    rows = results(name)
    for row in rows.values():
        if row.restates:
            original = rows[row.restates]
            assert not original.restates
            assert (original.comparison, original.outcome) == (row.comparison, row.outcome)
            assert original.status == row.status


@pytest.mark.parametrize(("name", "totals"), TOTALS.items())
def test_the_counts_add_up_to_what_they_added_up_to_when_they_were_checked(name, totals):
    frame = bm.load(name).frame
    assert (len(frame), frame["events"].sum(), frame["n"].sum()) == totals


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_counts_belongs_to_a_printed_result(name):
    rows = results(name)
    for table in (one for one in bm.available() if one.startswith(f"{name}/")):
        frame = bm.load_frame(table)
        for _, line in frame[frame["row"] != ""].iterrows() if "row" in frame else ():
            result = rows[line["row"]]
            assert line["outcome"] == result.outcome
            if "comparison" in line:
                assert line["comparison"] == result.comparison


def test_a_number_keeps_its_digits_and_a_word_stays_a_word():
    zhou = results("zhou_2019_lupus_nephritis")
    assert zhou["zhou-2-04"].printed.ci[0].text == "-55.00"
    assert zhou["zhou-2-02"].printed.p.bound == "below"
    kraaij = results("kraaij_2016_lupus_nephritis")["kraaij-R-03"]
    assert (kraaij.p, kraaij.printed.p) == ("NS", None)


def test_a_model_is_what_the_publication_says_or_nothing():
    wang = results("wang_2018_nephrotic_syndrome")
    models = {row: wang[row].printed.model for row in ("wang-R-01", "wang-R-04", "wang-R-06")}
    assert models == {"wang-R-01": None, "wang-R-04": None, "wang-R-06": "random"}
    assert results("kraaij_2016_lupus_nephritis")["kraaij-R-01"].printed.model == "fixed"


def test_misprints_are_kept_as_they_were_printed():
    zhou = results("zhou_2019_lupus_nephritis")
    respiratory = zhou["zhou-3-06"].printed
    assert (respiratory.estimate.text, respiratory.ci[0].text) == ("0.90", "0.90")
    assert zhou["zhou-T-06"].printed.ci[0].text == "-3.1"
    assert (zhou["zhou-T-06"].measure, zhou["zhou-2-10"].measure) == ("OR", "MD")
    assert zhou["zhou-T-15"].printed.estimate.text == "0.13"


def test_an_unknown_publication_suggests_the_nearest():
    with pytest.raises(bm.StudyTableError, match=r"no bundled publication.*'miwa_sle_cohort'"):
        bm.load_published("miwa_sle")


def test_no_file_name_of_a_source_is_in_the_data():
    for name in ROWS:
        for file in bundled.bundled_folders()[name].iterdir():
            assert "_2778" not in file.read_text(encoding="utf-8")
            assert ".txt" not in file.read_text(encoding="utf-8")
