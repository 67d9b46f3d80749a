"""Tables of means whose rows give medians where means are not reported."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bayesmeta.effects import compute_effects
from bayesmeta.errors import StudyTableError
from bayesmeta.studies import read_studies

TIDY = "study arm median q1 q3 n"


def _read(columns, *rows, **told):
    return read_studies(pd.DataFrame(rows, columns=columns.split()), **told)


# help page of metafor's conv.fivenum: three forms of one distribution, n = 20. By its formulas:
# luo (4/(4 + 20^.75), .7 + .39/20, ...), wan (2 qnorm((n - .375)/(n + .25)), ...)
CASES = {
    "range": ({"min": 2, "median": 6, "max": 14}, 6.5944678, 3.2115760),
    "quartiles": ({"q1": 4, "median": 6, "q3": 10}, 6.7195, 4.7870760),
    "all": ({"min": 2, "q1": 4, "median": 6, "q3": 10, "max": 14}, 6.9388412, 3.6794350),
}


@pytest.mark.parametrize("case", CASES)
def test_each_form_of_reporting_is_read(case):
    numbers, mean, sd = CASES[case]
    rows = [{"study": "A", "arm": arm, "n": 20, **numbers} for arm in "tc"]
    table = read_studies(pd.DataFrame(rows))
    assert table.layout == "means"
    assert_allclose(table.frame["mean"], [mean] * 2, rtol=1e-7)
    assert_allclose(table.frame["sd"], [sd] * 2, rtol=1e-7)
    assert table.covariates == ()


def test_rows_with_means_and_rows_with_medians_mix_and_reported_numbers_stay():
    table = _read(
        "study arm mean sd n median q1 q3",
        ["A", "t", 7.5, 3.25, 20, "", "", ""],
        ["A", "c", "", "", 20, 6, 4, 10],
        ["B", "t", 7.5, "", 20, 6, 4, 10],
        ["B", "c", 1, 2, 20, "", "", ""],
    )
    frame = table.frame
    assert_allclose(frame["mean"], [7.5, 6.7195, 7.5, 1])
    assert_allclose(frame["sd"], [3.25, 4.787076, 4.787076, 2], rtol=1e-6)
    assert frame["derived"].tolist() == [
        "",
        "mean and sd made out of q1, median, q3 (normal, Luo 2018, Wan 2014, Shi 2020)",
        "sd made out of q1, median, q3 (normal, Luo 2018, Wan 2014, Shi 2020)",
        "",
    ]
    note = (
        "made out of medians (Luo 2018, Wan 2014, Shi 2020): means or sds of 2 rows: A (c), B (t)"
    )
    assert note in table.notes
    effects = compute_effects(table.select(arms=("t", "c")), "MD")
    assert effects.row_notes[0].startswith("c: mean and sd made out of")
    assert effects.row_notes[1].startswith("t: sd made out of")
    assert "computed from numbers that were made, not reported: A, B" in effects.notes


def test_both_arms_in_a_row_have_their_own_columns():
    table = _read(
        "study med1i q1_1i q3_1i n1i m2i sd2i n2i min2i",
        ["A", 6, 4, 10, 20, 5, 3, 30, "unused"],
    )
    assert_allclose(table.means().mean_treated, [6.7195])
    assert_allclose(table.means().sd_control, [3])
    assert table.covariates == ("min2i",)
    both = _read("study med1i q1_1i q3_1i n1i med2i min2i max2i n2i",
                 ["A", 6, 4, 10, 20, 6, 2, 14, 20])  # fmt: skip
    assert_allclose(both.means().mean_control, [6.5944678], rtol=1e-7)
    assert compute_effects(both, "SMD").row_notes[0].count("made out of") == 2


def test_quantile_estimation_is_used_on_request_and_names_its_distribution():
    table = _read(
        "study arm median min max n", ["A", "t", 4, 2, 9, 100], ["A", "c", 4, 2, 9, 100],
        conversion="quantile-estimation",
    )  # fmt: skip
    assert_allclose(table.frame["mean"], [4.347284] * 2, rtol=1e-5)
    assert "(log-normal, quantile estimation, McGrath 2020)" in table.frame["derived"][0]


def test_skewed_numbers_are_noted():
    rows = [["A", "t", 5, 4, 14, 50], ["A", "c", 5, 4, 6, 50]]
    notes = _read(TIDY, *rows).notes
    (note,) = (text for text in notes if "skewed" in text)
    assert "1 row: A (t); compare conversion='quantile-estimation'" in note
    fitted = _read(TIDY, *rows, conversion="quantile-estimation").notes
    assert not any("skewed" in text for text in fitted)
    negative = [["A", "t", -5, -6, 14, 50], ["A", "c", 5, 4, 6, 50]]
    fitted = _read(TIDY, *negative, conversion="quantile-estimation").notes
    assert any("skewed" in text for text in fitted)


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        ([6, 4, "", 20], "median", "too few numbers"),
        (["", 4, 10, 20], "median", "too few numbers"),
        ([6, 7, 10, 20], "median", "do not rise"),
        ([6, 6, 6, 20], "median", "no spread"),
        ([6, 4, 10, 4], "n", "fewer than 5 patients"),
        ([6, "4,5", 10, 20], "q1", "text where a number is needed"),
    ],
)
def test_numbers_that_cannot_be_converted_are_told_once_with_their_column(row, column, what):
    with pytest.raises(StudyTableError, match="1 problem;") as e:
        _read(TIDY, ["Hart", "t", *row], ["Hart", "c", 6, 4, 10, 20])
    (problem,) = e.value.problems
    assert (problem.study, problem.column) == ("Hart", column)
    assert what in problem.what


def test_a_row_without_any_number_is_missing_its_mean():
    with pytest.raises(StudyTableError, match="mean: no number"):
        _read("study arm mean sd n median q1 q3", ["A", "t", "", "", 9, "", "", ""],
              ["A", "c", 1, 2, 9, "", "", ""])  # fmt: skip


def test_a_conversion_that_converts_nothing_is_refused():
    with pytest.raises(StudyTableError, match="told, but no row has a median"):
        _read("study m1i sd1i n1i m2i sd2i n2i", ["A", 1, 2, 9, 2, 2, 9], conversion="luo-wan")


def test_a_median_beside_other_data_stays_a_covariate():
    table = _read("study ai n1i ci n2i median min", ["A", 1, 9, 2, 9, 61, "3 months"])
    assert table.covariates == ("median", "min")
    means = _read("study arm mean sd n median", ["A", "t", 1, 2, 9, "low"], ["A", "c", 1, 2, 9, ""])
    assert means.covariates == ("median",)
    assert_array_equal(means.frame["mean"], np.ones(2))
