import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import read_studies


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tidy_table_keeps_its_arms_and_chooses_none(tmp_path):
    text = "study, arm ,events,n,year\n Hart ,drug,3,20,1977\nHart,placebo,5.0,21,1977\n"
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert (table.layout, table.arms, table.source) == ("binary", None, "trials.csv")
    assert (table.arm_names, table.outcomes) == (("drug", "placebo"), ())
    assert table.frame.to_dict("list") == {
        "study": ["Hart", "Hart"],
        "arm": ["drug", "placebo"],
        "outcome": ["", ""],
        "events": [3, 5],
        "n": [20, 21],
        "year": [1977, 1977],
    }
    assert table.covariates == ("year",)
    assert "kept as covariates, not used: year" in table.notes


@pytest.mark.parametrize(
    "text",
    [
        "study,ai,bi,ci,di\nHart,3,17,5,16\nMaki,0,9,1,8\n",
        "study,ai,n1i,ci,n2i\nHart,3,20,5,21\nMaki,0,9,1,9\n",
        "study,ai,bi,ci,di,n1i,n2i\nHart,3,17,5,16,20,21\nMaki,0,9,1,8,9,9\n",
    ],
)
def test_wide_tables_give_two_arms_at_once(tmp_path, text):
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert table.arms == ("treated", "control")
    counts = table.two_arm()
    assert counts.study == ("Hart", "Maki")
    assert_array_equal(counts.events_treated, [3, 0])
    assert_array_equal(counts.n_treated, [20, 9])
    assert_array_equal(counts.events_control, [5, 1])
    assert_array_equal(counts.n_control, [21, 9])
    assert table.notes[0].startswith("read as a wide two-arm table")


@pytest.mark.parametrize(
    ("text", "se", "variance"),
    [
        ("study,estimate,se\nHart,0.10,0.20\n", 0.2, 0.04),
        ("study,yi,vi\nHart,0.10,0.04\n", 0.2, 0.04),
        ("study,yi,sei\nHart,0.10,0.20\n", 0.2, 0.04),
        # 0.1 +- 1.959963984540054 x 0.2, the 97.5% point of the normal from R's qnorm
        (
            "study,estimate,ci_low,ci_high\nHart,0.10,-0.2919927969080108,0.4919927969080108\n",
            0.2,
            0.04,
        ),
    ],
)
def test_contrasts_are_read_with_any_form_of_their_spread(tmp_path, text, se, variance):
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert (table.layout, table.arms, table.arm_names) == ("contrast", None, ())
    frame = table.frame
    assert_allclose(frame[["estimate", "se", "variance"]], [[0.1, se, variance]], rtol=CLOSED)
    assert table.printed is not None
    assert table.printed.iloc[0, 0] == "0.10"
    contrasts = table.contrast()
    assert_allclose(contrasts.variance, [variance], rtol=CLOSED)


def test_an_interval_is_said_to_be_taken_as_wald(tmp_path):
    text = "study,estimate,ci_low,ci_high\nHart,0.1,-0.3,0.5\n"
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert "Wald 95%" in table.notes[0]


def test_the_digits_of_a_frame_of_floats_are_not_taken_for_printed_ones():
    floats = pd.DataFrame({"study": ["A"], "estimate": [0.1], "se": [0.2]})
    assert read_studies(floats).printed is None
    printed = read_studies(floats.astype({"estimate": str, "se": str})).printed
    assert printed is not None
    assert printed.to_numpy().tolist() == [["0.1", "0.2"]]


@pytest.mark.parametrize("label", ["trial", "author", "studlab", "Study"])
def test_a_study_label_may_be_called_otherwise_and_this_is_noted(tmp_path, label):
    text = f"{label},yi,vi\nHart,0.1,0.04\n"
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert table.studies == ("Hart",)
    assert f"column '{label}' read as 'study'" in table.notes


def test_rows_without_labels_are_numbered_and_this_is_noted(tmp_path):
    table = read_studies(_write(tmp_path / "trials.csv", "yi,vi\n0.1,0.04\n0.2,0.04\n"))
    assert table.studies == ("study 1", "study 2")
    assert "no study labels: the rows are numbered" in table.notes


def test_a_tidy_table_without_study_labels_is_refused(tmp_path):
    path = _write(tmp_path / "trials.csv", "arm,events,n\ndrug,1,2\nplacebo,1,2\n")
    with pytest.raises(StudyTableError, match="missing: study"):
        read_studies(path)


def test_na_is_a_study_like_any_other(tmp_path):
    table = read_studies(_write(tmp_path / "trials.csv", "study,yi,vi\nNA,1,1\nNone,1,1\n"))
    assert table.studies == ("NA", "None")


def test_a_frame_names_its_rows_from_zero():
    frame = pd.DataFrame({"study": ["A", "B"], "yi": [0.1, np.nan], "vi": [1.0, 1.0]})
    with pytest.raises(StudyTableError, match=r"DataFrame has 1 problem.*\n.*row 1, study 'B', yi"):
        read_studies(frame)
    with pytest.raises(StudyTableError, match=r"^my table has 1 problem"):
        read_studies(frame, name="my table")


def test_a_boolean_is_no_number():
    with pytest.raises(StudyTableError, match="vi = True: text"):
        read_studies(pd.DataFrame({"yi": [0.1], "vi": [True]}))


def test_a_frame_and_its_csv_give_the_same_table(tmp_path):
    frame = pd.DataFrame({"study": ["A", "B"], "yi": [1 / 3, -2e-9], "vi": [0.1 + 0.2, 1e12]})
    frame.to_csv(tmp_path / "trials.csv", index=False)
    one, other = read_studies(frame), read_studies(tmp_path / "trials.csv")
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_covariates_are_numbers_only_if_all_their_cells_are(tmp_path):
    text = "study,yi,vi,year,dose,group\nA,1,1,1999,0.5,1\nB,1,1,2001,,b\n"
    frame = read_studies(_write(tmp_path / "trials.csv", text)).frame
    assert frame["year"].tolist() == [1999, 2001]
    assert_array_equal(frame["dose"], [0.5, np.nan])
    assert frame["group"].tolist() == ["1", "b"]


def test_counts_win_over_contrasts_and_this_is_noted(tmp_path):
    text = "study,ai,bi,ci,di,yi,vi\nHart,3,17,5,16,0.1,0.2\n"
    table = read_studies(_write(tmp_path / "trials.csv", text))
    assert table.layout == "binary"
    assert "kept as covariates, not used: yi, vi" in table.notes


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("bcg", r"no such file. It is a bundled table: load\('bcg'\)"),
        (
            "no/such/bgc.csv",
            "no such file. Check the path; or did you mean the bundled table 'bcg'",
        ),
        ("no/such/trials.csv", "no such file. Check the path"),
        (".", "cannot be read"),
    ],
)
def test_a_file_that_is_not_there_is_told_with_the_nearest_bundled_name(
    tmp_path, monkeypatch, path, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyTableError, match=message):
        read_studies(path)
