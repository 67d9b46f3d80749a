import numpy as np
import pandas as pd
import pytest

from bayesmeta.errors import StudyTableError
from bayesmeta.studies.cells import cells_of_csv, cells_of_frame


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n,,\n", "the file is empty"),
        (b"study,yi,vi\n", "line 1: a header and no rows"),
        (b"\nstudy,yi,vi\n\n", "line 2: a header and no rows"),
        (b"study;yi;vi\nA;1;2\n", "line 1: .* separated by semicolons.*sep=';'"),
        (b"study\tyi\tvi\nA\t1\t2\n", r"line 1: .* separated by tabs"),
        (b"study|yi|vi\nA|1|2\n", "separated by vertical bars"),
        (b"Hart,4,119,11,128\nMaki,1,2,3,4\n", "line 1: no header.*Hart, 4, 119"),
        (b"Hart,placebo,3,20\nHart,drug,3,20\n", "line 1: no header"),
        (b"study,yi,yi,vi\nA,1,1,2\n", "line 1, yi: 2 columns have this name"),
        ("study,yi,vi\nA,1,2\nRöver,1,2\n".encode("latin-1"), "line 3, byte 0xf6: .*not UTF-8"),
        ("study,yi,vi\nA,1,2\n".encode("utf-16"), "line 1, byte 0xff: .*not UTF-8"),
        (b'study,yi,vi\n"A,1,2\n', "line 2: the quotation marks do not close"),
    ],
)
def test_a_file_without_a_table_is_refused_with_its_place(data, message):
    with pytest.raises(StudyTableError, match=message):
        cells_of_csv(data, "trials.csv")


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    cells = cells_of_csv("\ufeffstudy,yi\nRöver,1\n".encode(), "trials.csv")
    assert list(cells.frame.columns) == ["study", "yi"]
    assert cells.frame["study"].tolist() == ["Röver"]


def test_lines_are_counted_over_empty_lines_and_quoted_line_breaks():
    data = b'study,yi\n\n"Hart\nand Maki",1\n,\nBong,2\n'
    cells = cells_of_csv(data, "trials.csv")
    assert cells.places == (3, 6)
    assert cells.notes == ("empty lines skipped: 2, 5",)


def test_every_line_with_too_few_or_too_many_cells_is_told():
    cells = cells_of_csv(b"study,yi,vi\nA,1\nB,1,2\nC,1,234,5\n", "trials.csv")
    assert [problem.row for problem in cells.problems] == [2, 4]
    assert [problem.what for problem in cells.problems] == [
        "2 cells, but the header has 3",
        "4 cells, but the header has 3",
    ]


def test_columns_without_a_name_are_skipped_if_empty_and_else_named():
    cells = cells_of_csv(b",study,yi,\n1,A,1,\n2,B,2,\n", "trials.csv")
    assert list(cells.frame.columns) == ["column 1", "study", "yi"]
    assert len(cells.notes) == 2


def test_a_frame_is_read_as_text_that_gives_the_same_numbers_back():
    values = [0.1 + 0.2, 5.0, np.nan, 1e-300, float("inf"), -0.0]
    cells = cells_of_frame(pd.DataFrame({"yi": values}), "DataFrame")
    assert cells.frame["yi"].tolist() == ["0.30000000000000004", "5", "", "1e-300", "inf", "0"]


def test_missing_values_of_every_kind_become_empty_cells():
    frame = pd.DataFrame({"study": ["NA", None, pd.NA, pd.NaT, np.nan]}, dtype=object)
    cells = cells_of_frame(frame, "DataFrame")
    assert cells.frame["study"].tolist() == ["NA", "", "", "", ""]


def test_a_named_index_is_a_column_and_an_unnamed_one_is_not():
    frame = pd.DataFrame({"yi": [1.0]}, index=pd.Index(["Hart"], name="study"))
    assert cells_of_frame(frame, "DataFrame").frame["study"].tolist() == ["Hart"]
    unnamed = pd.DataFrame({"yi": [1.0]}, index=["Hart"])
    assert list(cells_of_frame(unnamed, "DataFrame").frame.columns) == ["yi"]


def test_frames_without_rows_or_with_one_name_twice_are_refused():
    twice = pd.DataFrame([[1.0, 2.0]], columns=["yi", "yi"])
    with pytest.raises(StudyTableError, match="yi: 2 columns have this name"):
        cells_of_frame(twice, "DataFrame")
    with pytest.raises(StudyTableError, match="the frame has no rows"):
        cells_of_frame(twice.iloc[:0, :1], "DataFrame")
