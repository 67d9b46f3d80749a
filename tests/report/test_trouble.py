"""Tables and JSON forms of small-study effects and of influence."""

import io
import json
import math

import pytest
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.cli import main
from bayesmeta.report.trouble_tables import bias_tables


@pytest.fixture
def call(capsys):
    """call(*words): exit status, standard output and standard error."""

    def call(*words):
        status = main(list(words))
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def lines_with(text, word):
    return [line for line in text.splitlines() if word in line]


def test_bias_prints_every_analysis(call):
    status, out, err = call("bias", "nielweise2007", "--measure", "OR")
    assert (status, err) == (0, "")
    for test in bm.ASYMMETRY_TESTS.values():
        assert test.label in out
    assert "7 missing on the right" in out
    assert "Test of no selection: chi2(1)" in out
    assert "not to be relied on (Becker 2005)" in out


def test_no_line_of_the_tables_is_wider_than_100_columns(call):
    for command in ("bias", "influence"):
        out = call(command, "nielweise2007", "--measure", "OR")[1]
        assert max(map(len, out.splitlines())) <= 100


def test_the_filled_estimate_is_shown_on_the_natural_scale(call):
    row = lines_with(call("bias", "nielweise2007", "--measure", "OR")[1], "filled up")[0]
    # metafor: -0.51384 on the log scale
    assert f"{math.exp(-0.513839263380531):.3f}" in row


def test_influence_prints_a_row_for_each_study_in_three_tables(call):
    status, out, err = call("influence", "bcg", "--measure", "OR", "--method", "DL")
    assert (status, err) == (0, "")
    assert out.startswith("odds ratio, 13 studies, DL")
    for study in bm.load("bcg").studies:
        assert len(lines_with(out, study)) == 3


def test_bias_as_json_holds_the_numbers_of_python(call):
    status, out, _ = call("bias", "bcg", "--measure", "OR", "--json")
    data = json.loads(out, parse_constant=pytest.fail)
    tests = bm.small_study_tests(bm.load("bcg"), "OR")
    assert status == 0
    assert_allclose(
        [row["p_value"] for row in data["tests"]], [row.p_value for row in tests.rows], rtol=1e-12
    )
    assert data["tests"][3]["estimate"] is None  # a rank correlation has no slope
    assert data["trim_fill"]["k0"] == 0
    assert data["selection"]["intervals"][0]["studies"] == 8
    assert [row["n"] for row in data["fail_safe"]["rows"]] == [607, 13, 348]


def test_influence_as_json_holds_the_numbers_of_python(call):
    data = json.loads(call("influence", "bcg", "--measure", "RR", "--json")[1])
    frame = bm.influence(bm.load("bcg"), "RR").to_frame()
    assert_allclose([row["cook"] for row in data["influence"]], frame["cook"], rtol=1e-12)
    assert [len(data[key]) for key in ("influence", "leave_one_out", "predictions")] == [13] * 3


def test_what_cannot_be_estimated_is_told_and_the_rest_is_shown(call, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("study,estimate,se\nA,0.1,0.2\nB,0.5,0.3\n")
    status, out, err = call("bias", str(path))
    assert (status, err) == (0, "")
    assert "not estimable from fewer than 3 studies" in out
    assert "Trim and fill is not estimable: Trim and fill needs three studies." in out
    assert "Selection model is not estimable: 2 studies are fewer" in " ".join(out.split())
    assert json.loads(call("bias", str(path), "--json")[1])["trim_fill"] is None


def test_an_unknown_method_is_bad_input(call):
    status, out, err = call("influence", "bcg", "--measure", "OR", "--method", "RMEL")
    assert (status, out) == (2, "")
    assert "unknown method 'RMEL'. Did you mean 'REML'?" in err


def test_notes_are_shown_once():
    from rich.console import Console

    report = bm.look_for_bias(bm.load("raudenbush1985"), "GEN")
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(bias_tables(report))
    text = " ".join(console.export_text().split())
    for note in (*report.tests.notes, *report.trim_fill.notes, *report.selection.notes):
        assert text.count(note) == 1
