"""Broken tables: each names its line, study, column and remedy."""

import pytest

from bayesmeta.errors import StudyTableError
from bayesmeta.studies import read_studies

TIDY = "study,arm,events,n\nHart,drug,3,20\nHart,placebo,5,20\n"
WIDE = "study,ai,n1i,ci,n2i\nHart,3,20,5,20\n"
CELLS = "study,ai,bi,ci,di\nHart,3,17,5,15\n"
SE = "study,estimate,se\nHart,0.1,0.2\n"
CI = "study,estimate,ci_low,ci_high\nHart,0.1,-0.3,0.5\n"
VI = "study,yi,vi\nHart,0.1,0.04\n"

BROKEN = [
    # table, line, study, column, value, what, fix
    (
        TIDY + "Maki,drug,62,50\nMaki,placebo,1,50\n",
        4,
        "Maki",
        "events",
        "62",
        "more events",
        "swap",
    ),
    (TIDY + "Maki,drug,-1,50\nMaki,placebo,1,50\n", 4, "Maki", "events", "-1", "negative", "0"),
    (
        TIDY + "Maki,drug,2.5,50\nMaki,placebo,1,50\n",
        4,
        "Maki",
        "events",
        "2.5",
        "fraction",
        "number",
    ),
    (TIDY + "Maki,drug,,50\nMaki,placebo,1,50\n", 4, "Maki", "events", None, "no number", "Fill"),
    (TIDY + "Maki,drug,1,NA\nMaki,placebo,1,50\n", 4, "Maki", "n", "NA", "no number", "Fill"),
    (TIDY + "Maki,drug,1,NaN\nMaki,placebo,1,50\n", 4, "Maki", "n", "NaN", "no number", "Fill"),
    (TIDY + "Maki,drug,one,50\nMaki,placebo,1,50\n", 4, "Maki", "events", "one", "text", "number"),
    (TIDY + "Maki,drug,3%,50\nMaki,placebo,1,50\n", 4, "Maki", "events", "3%", "text", "number"),
    (TIDY + "Maki,drug,<5,50\nMaki,placebo,1,50\n", 4, "Maki", "events", "<5", "bound", "itself"),
    (
        TIDY + 'Maki,drug,"1,5",50\nMaki,placebo,1,50\n',
        4,
        "Maki",
        "events",
        "1,5",
        "comma",
        "point",
    ),
    (
        TIDY + "Maki,drug,1,0\nMaki,placebo,1,50\n",
        4,
        "Maki",
        "n",
        "0",
        "without patients",
        "remove",
    ),
    (TIDY + "Maki,drug,1,1e17\nMaki,placebo,1,50\n", 4, "Maki", "n", "1e17", "too many", "digits"),
    (TIDY + "Hart,drug,3,20\n", 4, "Hart", "arm", "drug", r"twice \(first in line 2\)", "Label"),
    (TIDY + "Maki,drug,3,20\n", 4, "Maki", "arm", "drug", "only arm", "other arm"),
    (TIDY + ",drug,3,20\n", 4, None, "study", None, "no label", "every row"),
    (TIDY + "Maki,,3,20\nMaki,drug,3,20\n", 4, "Maki", "arm", None, "no label", "every row"),
    (TIDY + "Maki,drug,3\nMaki,placebo,3,20\n", 4, None, None, None, "3 cells", "commas"),
    (TIDY + "Rag,drug,3,20,1\n", 4, None, None, None, "5 cells", "commas"),
    (WIDE + "Maki,30,20,5,20\n", 3, "Maki", "ai", "30", r"more events .*n1i = 20", "swap"),
    (WIDE + "Maki,0,0,5,20\n", 3, "Maki", "n1i", "0", "without patients", "remove"),
    (WIDE + "Hart,3,20,5,20\n", 3, "Hart", None, None, r"twice \(first in line 2\)", "Tell"),
    (CELLS + "Maki,0,0,5,20\n", 3, "Maki", "ai", "0", "without patients", "remove"),
    (CELLS + "Maki,1,-2,5,20\n", 3, "Maki", "bi", "-2", "negative", "0"),
    (SE + "Maki,0.1,0\n", 3, "Maki", "se", "0", "zero would give infinite weight", "interval"),
    (SE + "Maki,0.1,-0.2\n", 3, "Maki", "se", "-0.2", "negative standard error", "sign"),
    (SE + "Maki,inf,0.2\n", 3, "Maki", "estimate", "inf", "infinite", "counts"),
    (SE + "Maki,−0.1,0.2\n", 3, "Maki", "estimate", "−0.1", "dash", "minus"),
    (SE + "Maki,0.1,1e300\n", 3, "Maki", "se", "1e300", "too large", "digits"),
    (SE + "Maki,0.1,1e-200\n", 3, "Maki", "se", "1e-200", "zero", "interval"),
    (VI + "Maki,0.1,0\n", 3, "Maki", "vi", "0", "variance of zero", "interval"),
    (VI + "Maki,0.1,-1\n", 3, "Maki", "vi", "-1", "negative variance", "sign"),
    (VI.replace("vi", "sei") + "Maki,0.1,0\n", 3, "Maki", "sei", "0", "standard error", "interval"),
    (CI + "Maki,0.1,0.5,-0.3\n", 3, "Maki", "ci_low", "0.5", "not below", "swapped"),
    (CI + "Maki,0.1,0.1,0.1\n", 3, "Maki", "ci_low", "0.1", "not below", "swapped"),
    (CI + "Maki,0.7,-0.3,0.5\n", 3, "Maki", "estimate", "0.7", "outside", "swapped"),
    (CI + "Maki,0.75,0.50,1.12\n", 3, "Maki", "estimate", "0.75", "not the middle", "ratio"),
]


@pytest.mark.parametrize(("text", "line", "study", "column", "value", "what", "fix"), BROKEN)
def test_a_broken_table_says_where_what_and_what_to_do(
    tmp_path, text, line, study, column, value, what, fix
):
    path = tmp_path / "trials.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        StudyTableError, match=f"trials.csv has 1 problem.*\n.*line {line}.*{what}"
    ) as e:
        read_studies(path)
    (problem,) = e.value.problems
    got = (problem.row, problem.place, problem.column, problem.value)
    assert got == (line, "line", column, value)
    assert problem.study == study or column is None
    assert fix in problem.fix


def test_the_tables_that_the_broken_ones_start_from_are_sound(tmp_path):
    for text in (TIDY, WIDE, CELLS, SE, CI, VI, VI.replace("vi", "sei")):
        path = tmp_path / "trials.csv"
        path.write_text(text, encoding="utf-8")
        assert read_studies(path).studies == ("Hart",)


def test_all_problems_of_a_table_are_told_together_in_the_order_of_its_lines(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text(
        "study,arm,events,n\n"
        "Hart 1977,drug,62,50\n"
        "Hart 1977,placebo,-1,50\n"
        "Bong,placebo,3,10\n"
        "Bong,placebo,4,10\n"
        "Solo,drug,1,10\n"
        "Rag,drug,1\n"
        "Rag,placebo,x,10\n",
        encoding="utf-8",
    )
    with pytest.raises(StudyTableError) as e:
        read_studies(path)
    assert str(e.value).splitlines() == [
        "trials.csv has 6 problems; nothing was fitted.",
        "  line 2, study 'Hart 1977', events = 62: more events than patients (n = 50). "
        "Are the columns swapped?",
        "  line 3, study 'Hart 1977', events = -1: a negative count. Counts start at 0.",
        "  line 5, study 'Bong', arm = placebo: given twice (first in line 4). "
        "Label each arm of a study apart, or add the rows up.",
        "  line 6, study 'Solo', arm = drug: the only arm of this study. "
        "Add the other arm's row; is the study spelt alike in both?",
        "  line 7: 3 cells, but the header has 4. "
        'Add or remove commas; a cell that holds a comma needs quotation marks ("1,234").',
        "  line 8, study 'Rag', events = x: text where a number is needed. "
        "Write a plain number such as 12 or 0.35.",
    ]


def test_totals_that_contradict_the_cells_are_told(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("study,ai,bi,ci,di,n1i,n2i\nHart,1,2,3,4,3,8\n", encoding="utf-8")
    with pytest.raises(StudyTableError, match=r"line 2, study 'Hart', n2i = 8: but ci \+ di = 7"):
        read_studies(path)


def test_rounding_alone_does_not_push_an_estimate_off_the_middle_of_its_interval(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("study,estimate,ci_low,ci_high\nHart,0.1,0.0,0.3\n", encoding="utf-8")
    assert read_studies(path).k == 1


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("study,arm,event,n", "missing: events; 'event' is near it"),
        ("study,arm,events,N1", "missing: n[;)]"),
        ("study,estimate,ci_low,ci_hi", "missing: ci_high; 'ci_hi' is near it"),
        ("a,b,c,d", "the columns a, b, c, d fit no known layout. Rename"),
    ],
)
def test_an_unknown_layout_lists_the_columns_and_the_known_layouts(tmp_path, header, message):
    path = tmp_path / "trials.csv"
    path.write_text(f"{header}\nHart,x,1,2\n", encoding="utf-8")
    with pytest.raises(StudyTableError, match=message) as e:
        read_studies(path)
    assert "study, arm, events, n | ai, bi, ci, di |" in str(e.value)


def test_a_column_named_like_one_that_the_reader_makes_is_refused(tmp_path):
    path = tmp_path / "trials.csv"
    path.write_text("study,ri,ni,r\nHart,0.1,40,0.2\n", encoding="utf-8")
    with pytest.raises(StudyTableError, match="r: the reader makes a column of this name"):
        read_studies(path)
