"""Estimates as papers give them: scales, levels, p-values, rounding, misprints."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from tolerances import CLOSED

from bayesmeta.effects import MEASURES, compute_effects
from bayesmeta.errors import ModelError, StudyTableError
from bayesmeta.studies import load, read_studies
from bayesmeta.studies.estimates.spellings import DIFFERENCES, RATIO_MEASURES, RATIOS

Z95 = 1.959963984540054  # R's qnorm(0.975)


def read(text, **told):
    """A table of texts, so that the digits are those of its author."""
    header, *lines = [line.split(",") for line in text.strip().splitlines()]
    return read_studies(pd.DataFrame(lines, columns=header), name="trials.csv", **told)


def problems(text, **told):
    with pytest.raises(StudyTableError) as caught:
        read(text, **told)
    return caught.value.problems


def rows_of(golden):
    return pd.DataFrame(golden("printed_intervals")["rows"])


def printed_table(rows, *, ratio):
    """Published rows as a table, without their p-values."""
    kept = rows[rows["measure"].isin(RATIO_MEASURES) == ratio]
    return kept, kept[["row_id", "estimate", "ci_low", "ci_high"]].rename(
        columns={"row_id": "study"}
    )


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [True, False])
def test_published_intervals_give_the_standard_errors_worked_out_elsewhere(golden, ratio):
    rows, table = printed_table(rows_of(golden), ratio=ratio)
    studies = read_studies(table, scale="ratio" if ratio else "analysis")
    got, came = studies.frame, studies.provenance
    assert_allclose(got["estimate"], rows["yi"].astype(float), atol=6e-6)  # printed to 5 decimals
    assert_allclose(got["se"], rows["se"].astype(float), atol=6e-6)
    # bounds there are from the limits alone; the estimate in the middle makes them narrower
    assert (came["se_low"] >= rows["se_low"].astype(float).to_numpy() - 6e-6).all()
    assert (came["se_high"] <= rows["se_high"].astype(float).to_numpy() + 6e-6).all()


@pytest.mark.parametrize("ratio", [True, False])
def test_published_p_values_agree_with_their_intervals_and_are_not_refused(golden, ratio):
    rows, table = printed_table(rows_of(golden), ratio=ratio)
    table["p"] = rows["p"].replace("NS", "")
    studies = read_studies(table, scale="ratio" if ratio else "analysis")
    assert studies.k == len(table)
    assert not studies.provenance["note"].str.contains("p is printed").any()


def test_the_published_odds_ratio_2_41_knows_its_two_digits():
    studies = read("study,or,ci_low,ci_high\nA,2.41,1.46,3.99")
    (row,) = studies.provenance.to_dict("records")
    assert row["how"] == "from the 95% interval 1.46 to 3.99, printed to 2 decimals"
    assert "good to 2 digits" in row["note"]
    effects = compute_effects(studies, "OR")
    assert effects.row_notes == (row["note"],)
    # the extremes among all odds ratios and limits that print so, by brute force
    grid = np.linspace(-0.005, 0.005, 201)
    m, low = np.meshgrid(np.log(2.41 + grid), np.log(1.46 + grid))
    fits = np.abs(np.exp(2 * m - low) - 3.99) <= 0.005
    brute = ((m - low) / Z95)[fits]
    assert_allclose([row["se_low"], row["se_high"]], [brute.min(), brute.max()], rtol=2e-4)


def test_ratios_and_their_logarithms_give_the_same_effects():
    ratios = np.array([[2.0, 1.0, 4.0], [0.5, 0.125, 2.0]])
    one = pd.DataFrame(ratios, columns=["hr", "lci", "uci"])
    other = pd.DataFrame(np.log(ratios), columns=["log_hr", "lci", "uci"])
    a, b = read_studies(one), read_studies(other)
    pd.testing.assert_frame_equal(a.frame, b.frame)
    assert (a.measure, b.measure) == ("HR", "HR")
    assert_allclose(a.frame["se"], [math.log(2) / Z95, math.log(4) / Z95], rtol=CLOSED)
    told = read_studies(one.set_axis(["estimate", "ci_low", "ci_high"], axis=1), scale="ratio")
    pd.testing.assert_frame_equal(told.frame, a.frame)


@pytest.mark.parametrize(
    ("header", "cell", "told"),
    [
        ("estimate,ci_low,ci_high", "", {"level": 0.9}),
        ("estimate,ci_low,ci_high", "", {"level": 90}),
        ("estimate,ci_low,ci_high,level", ",0.9", {}),
        ("estimate,ci_low,ci_high,level", ",90", {}),
        ("estimate,ci_low,ci_high,level", ",90%", {}),
        ("estimate,90% CI lower,90% CI upper", "", {}),
        ("estimate,L90,U90", "", {}),
    ],
)
def test_the_level_of_an_interval_may_be_told_in_four_ways(header, cell, told):
    # half width 1.6448536269514722 (R's qnorm(0.95)) x 0.2
    half = 0.32897072539029444
    studies = read(f"study,{header}\nA,0.1,{0.1 - half!r},{0.1 + half!r}{cell}", **told)
    assert_allclose(studies.frame["se"], 0.2, rtol=CLOSED)
    assert "from the 90% interval" in studies.provenance["how"][0]


@pytest.mark.parametrize(
    "limits",
    ["lower,upper", "lci,uci", "ci.lb,ci.ub", "ci_lb,ci_ub", "ll,ul", "LCL,UCL",
     "95% CI lower,95% CI upper", "conf.low,conf.high", "Lower limit,Upper limit", "ci_l95,x"],
)  # fmt: skip
def test_limits_are_recognised_by_their_usual_names_only(limits):
    text = f"study,estimate,{limits}\nA,0.1,-0.3,0.5"
    if limits.endswith("x"):
        assert "fit no known layout" in problems(text)[0].what
    else:
        assert limits.replace(",", ", ") in read(text).notes[0]


@pytest.mark.parametrize(
    ("p", "se"),
    # 0.7 / qnorm(1 - p/2): 1.6448536269514722, 1.9599639845400545, 3.2905267314918945
    [("0.10", 0.7 / 1.6448536269514722), ("0.05", 0.7 / Z95), ("0.001", 0.7 / 3.2905267314918945)],
)
def test_an_estimate_with_its_p_value_gives_a_standard_error(p, se):
    studies = read(f"study,estimate,p\nA,-0.7,{p}")
    assert_allclose(studies.frame["se"], se, rtol=CLOSED)
    assert studies.provenance["se_low"][0] < se < studies.provenance["se_high"][0]
    ratio = read(f"study,rr,p\nA,{math.exp(-0.7)!r},{p}")
    assert_allclose(ratio.frame["se"], se, rtol=CLOSED)


def test_altman_and_blands_examples_to_the_precision_of_their_formula_for_z():
    # BMJ 343:d2090: 17 percentage points, P = 0.032; relative risk 0.30, P = 0.034. Their z is
    # -0.862 + sqrt(0.743 - 2.404 log P), an approximation, 0.2% off here.
    difference = read("study,estimate,p\nA,17,0.032").frame["se"]
    assert_allclose(difference, 7.940, rtol=2e-3)
    ratio = read("study,rr,p\nA,0.30,0.034").frame["se"]
    assert_allclose(ratio, -math.log(0.30) / 2.117, rtol=2e-3)


def test_each_row_uses_the_most_direct_source_it_has_and_says_which():
    studies = read(
        "study,estimate,se,ci_low,ci_high,p\n"
        "A,0.1,0.20,,,\nB,0.1,,-0.3,0.5,\nC,0.7,,,,0.05\nD,0.1,0.2,-0.3,0.5,0.62"
    )
    assert_allclose(studies.frame["se"], [0.2, 0.4 / Z95, 0.7 / Z95, 0.2], rtol=CLOSED)
    said = [how.split(",")[0] for how in studies.provenance["how"]]
    assert said == ["standard error as given", "from the 95% interval -0.3 to 0.5",
                    "from p = 0.05", "standard error as given"]  # fmt: skip
    notes = compute_effects(studies, "MD").row_notes
    assert notes[0] == ""
    assert notes[2].startswith("SE from p = 0.05")


def test_a_variance_and_a_standard_error_are_taken_as_they_are_if_they_agree():
    studies = read("study,yi,vi,sei\nA,0.1,0.04,0.2")
    assert studies.frame[["se", "variance"]].to_numpy().tolist() == [[0.2, 0.04]]
    (problem,) = problems("study,yi,vi,sei\nA,0.1,0.09,0.2")
    assert (problem.column, problem.value) == ("vi", "0.09")
    assert "not the square of sei" in problem.what


def test_a_table_reads_back_from_its_own_frame():
    for name in ("eight_schools", "raudenbush1985", "bcg"):
        table = load(name)
        pd.testing.assert_frame_equal(read_studies(table.frame).frame, table.frame)


def test_bundled_estimates_are_read_as_before():
    assert load("eight_schools").notes[:2] == (
        "read as one contrast per study: estimate and its standard error se",
        "kept as covariates, not used: n",
    )
    assert load("raudenbush1985").notes[0] == (
        "read as one contrast per study: yi and its sampling variance vi"
    )
    assert set(load("raudenbush1985").contrast().notes) == {""}


def test_sizes_beside_metafors_estimates_are_a_covariate():
    studies = read("authors,yi,sei,ni\nHart,0.100,0.200,40")
    assert (studies.layout, studies.covariates) == ("contrast", ("ni",))


def test_digits_of_a_frame_of_floats_tell_no_rounding():
    studies = read_studies(pd.DataFrame({"or": [2.41], "lower": [1.46], "upper": [3.99]}))
    assert studies.provenance[["se_low", "se_high"]].isna().all(axis=None)
    assert studies.provenance["how"][0] == "from the 95% interval 1.46 to 3.99"


def test_provenance_follows_its_studies():
    table = read("study,estimate,se,ci_low,ci_high\nA,0.1,0.20,,\nB,0.1,,-0.3,0.5")
    assert table.drop("A").contrast().how[0].startswith("from the 95%")
    both = table.drop("A").append(table.drop("B"))
    assert [how[:4] for how in both.contrast().how] == ["from", "stan"]
    assert load("bcg").provenance is None


def test_hazard_ratios_are_a_measure_of_estimates_only():
    studies = read("study,hr,lower,upper\nA,0.70,0.50,0.98")
    assert compute_effects(studies, "HR").measure.analysis_label == "log HR"
    with pytest.raises(ModelError, match="HR takes contrasts, but bcg holds counts"):
        compute_effects(load("bcg"), "HR")
    with pytest.raises(ModelError, match="holds estimates of measure HR, not OR"):
        compute_effects(studies, "OR")


def test_the_reader_and_the_registry_name_the_same_ratios():
    log_scale = {name for name, measure in MEASURES.items() if measure.scale.name == "log"}
    assert set(RATIO_MEASURES) == log_scale
    assert set(RATIOS.values()) <= log_scale
    assert set(DIFFERENCES.values()) <= set(MEASURES) - log_scale


# --- rounding -------------------------------------------------------------------------------------

SIZES = st.floats(min_value=0.05, max_value=2)


@given(mean=st.floats(-2, 2), se=SIZES, decimals=st.integers(1, 5), level=st.floats(0.6, 0.999))
def test_what_is_printed_and_read_back_has_its_true_se_between_its_bounds(
    mean, se, decimals, level
):
    z = norm.ppf((1 + level) / 2)
    cells = [f"{x:.{decimals}f}" for x in (mean, mean - z * se, mean + z * se)]
    assume(float(cells[1]) < float(cells[2]))
    studies = read(f"study,estimate,ci_low,ci_high\nA,{','.join(cells)}", level=level)
    (row,) = studies.provenance.to_dict("records")
    assert row["se_low"] <= se * (1 + 1e-12)
    assert row["se_high"] >= se * (1 - 1e-12)


@given(mean=st.floats(-1, 2), se=SIZES, decimals=st.integers(2, 5))
def test_the_same_holds_for_ratios_whose_limits_are_not_printed_as_zero(mean, se, decimals):
    cells = [f"{math.exp(x):.{decimals}f}" for x in (mean, mean - Z95 * se, mean + Z95 * se)]
    assume(min(map(float, cells)) > 0)
    (row,) = read(f"study,or,lower,upper\nA,{','.join(cells)}").provenance.to_dict("records")
    assert row["se_low"] <= se * (1 + 1e-9)
    assert row["se_high"] >= se * (1 - 1e-9)


@given(mean=st.floats(0.2, 2), se=SIZES, decimals=st.integers(2, 6))
def test_the_same_holds_for_p_values(mean, se, decimals):
    p = f"{2 * norm.sf(mean / se):.{decimals}f}"
    assume(0 < float(p) < 1)
    (row,) = read(f"study,estimate,p\nA,{mean!r},{p}").provenance.to_dict("records")
    assert row["se_low"] <= se * (1 + 1e-9)
    assert row["se_high"] >= se * (1 - 1e-9)


def test_a_standard_error_of_one_digit_says_so_and_one_of_three_does_not():
    notes = read("study,estimate,se\nA,0.1,0.3\nB,0.1,0.312").contrast().notes
    assert "good to 1 digit (0.25 to 0.35)" in notes[0]
    assert notes[1] == ""


# --- misprints ------------------------------------------------------------------------------------


def test_the_published_misprint_0_90_from_0_90_to_4_18_is_found_with_the_limit_that_fits():
    (problem,) = problems("study,or,ci_low,ci_high\nURTI,0.90,0.90,4.18")
    assert "the middle of the interval is 1.94 (ratio scale)" in problem.what
    assert "a lower limit of 0.19 would fit" in problem.fix
    assert "give se to use it knowingly" in problem.fix
    assert (problem.column, problem.value, problem.study) == ("or", "0.90", "URTI")


def test_every_misprint_of_a_table_is_told_at_once():
    found = problems(
        "study,or,ci_low,ci_high,p\nA,2.41,1.46,3.99,0.6\nB,2.41,1.46,3.09,\nC,5.1,1.46,3.99,\n"
        "D,2.41,3.99,1.46,\nE,2.41,1.46,3.99,0.0006"
    )
    assert [(one.study, one.column) for one in found] == [
        ("A", "p"),
        ("B", "or"),
        ("C", "or"),
        ("D", "ci_low"),
    ]
    said = [f"{one.what}. {one.fix}" for one in found]
    assert "estimate and interval give p = 0.0006" in said[0]
    assert "an upper limit of 3.98 would fit" in said[1]
    assert "outside its interval" in said[2]
    assert "Are the limits swapped" in said[3]


def test_ratios_read_as_logarithms_are_asked_about_and_the_other_way_round():
    text = "study,estimate,ci_low,ci_high\nA,2.41,1.46,3.99"
    assert "Are these ratios? scale='ratio'" in problems(text)[0].fix
    text = "study,or,ci_low,ci_high\nA,0.88,0.38,1.38"
    assert "Are these logarithms? scale='analysis'" in problems(text)[0].fix
    assert "a ratio is above 0" in problems("study,or,se\nA,-0.3,0.1")[0].what


def test_a_standard_error_makes_a_misprinted_interval_usable_and_the_row_says_so():
    studies = read("study,or,se,ci_low,ci_high\nA,0.90,0.78,0.90,4.18")
    assert_allclose(studies.frame["se"], 0.78, rtol=CLOSED)
    assert "its interval is not symmetric and was not used" in studies.contrast().notes[0]
    other = read("study,estimate,se,ci_low,ci_high\nA,0.10,0.50,-0.30,0.50")
    assert "its interval would give SE 0.204" in other.contrast().notes[0]


def test_a_p_value_of_another_test_is_told_but_not_refused():
    # z = 2.0, and a t test of 30 degrees of freedom: 2 (1 - pt(2, 30)) = 0.0546
    studies = read("study,estimate,ci_low,ci_high,p\nA,2.000,0.040,3.960,0.0546")
    assert "p is printed as 0.0546, Wald's is 0.046" in studies.contrast().notes[0]


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        ("0.5,,,<0.001", "p", "a bound: it says only that se is below 0.152"),
        ("0.5,,,>0.05", "p", "a bound gives no standard error"),
        ("0.5,,,0.000", "p", "a p-value of 0 gives no"),
        ("0.5,,,1", "p", "a p-value of 1 gives no"),
        ("0.0,,,0.5", "p", "an estimate of no effect"),
        ("0.5,,,1.5", "p", "no probability"),
        ("0.5,,,-0.1", "p", "no probability"),
        ("0.5,,,NS", "p", "no p-value"),
        ("0.5,,,none given", "p", "text where a number"),
        ("0.5,0.1,,", "ci_high", "only one limit"),
        ("0.5,0.1,<1,", "ci_high", "a bound, not a number"),
        ("0.5,,,", None, "nothing says how precise it is"),
        (",0.1,0.9,", "estimate", "no number"),
    ],
)
def test_a_row_without_a_usable_precision_says_why(row, column, what):
    (problem,) = problems(f"study,estimate,ci_low,ci_high,p\nA,{row}")
    assert problem.column == column
    assert what in problem.what
    assert problem.fix


def test_numbers_beyond_reckoning_are_refused():
    text = "study,estimate,ci_low,ci_high,p\nA,0.1,-1e308,1e308,\nB,1e-200,,,0.5\nC,0.1,0,0.2,"
    text += "\nD,1e300,9e299,1.1e300,"
    assert [(one.study, one.what[:18]) for one in problems(text)] == [
        ("A", "the standard error"),
        ("B", "the standard error"),
        ("D", "too large a number"),
        ("D", "the standard error"),
    ]


def test_a_bound_of_p_is_welcome_beside_an_interval():
    assert read("study,or,ci_low,ci_high,p\nA,4.47,2.24,8.95,<0.0001").k == 1
    (problem,) = problems("study,or,ci_low,ci_high,p\nA,2.41,1.46,3.99,<0.00001")
    assert problem.column == "p"


def test_a_ratio_limit_printed_as_zero_has_no_logarithm():
    found = problems("study,or,ci_low,ci_high\nA,0.05,0.00,0.90")
    assert [(one.column, one.what) for one in found] == [
        ("ci_low", "a ratio of 0 has no logarithm")
    ]
    assert "0.0028 fits estimate and upper limit" in found[0].fix  # 0.05^2 / 0.90


# --- what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "column"),
    [
        ({"scale": "log"}, "scale"),
        ({"level": 0.05}, "level"),
        ({"level": 100}, "level"),
        ({"correlation": 1.5}, "correlation"),
        ({"correlation": "half"}, "correlation"),
        ({"conversion": "wan"}, "conversion"),
        ({"shared": "halve"}, "shared"),
        ({"columns": ["yi"]}, "columns"),
        ({"columns": {"yi": 3}}, "columns"),
        ({"measure": 3}, "measure"),
        ({"analysis": 1.2}, "analysis"),
    ],
)
def test_a_word_that_is_not_known_or_out_of_range_is_refused(told, column):
    (problem,) = problems("study,yi,vi\nA,1,1", **told)
    assert problem.column == column


def test_all_wrong_words_are_told_at_once():
    assert len(problems("study,yi,vi\nA,1,1", scale="log", level=0.05)) == 2


@pytest.mark.parametrize(
    ("text", "told", "what"),
    [
        ("study,ai,bi,ci,di\nA,1,2,3,4", {"scale": "ratio"}, "these are no estimates"),
        ("study,ai,bi,ci,di\nA,1,2,3,4", {"measure": "HR"}, "these are no estimates"),
        ("study,yi,vi\nA,1,1", {"level": 0.9}, "there are no intervals"),
        ("study,yi,vi\nA,1,1", {"analysis": "1.1"}, "RevMan did not write"),
        ("study,yi,vi\nA,1,1", {"correlation": 0.5}, "told, but this table does not hold two"),
        ("study,yi,vi\nA,1,1", {"conversion": "luo-wan"}, "told, but no row has a median"),
        ("study,yi,vi\nA,1,1", {"shared": "split"}, "told, but no column shared_control"),
        ("study,yi,vi,shared_control\nA,1,1,x", {"shared": "split"}, "cannot use this one"),
        ("study,or,se\nA,1,1", {"measure": "HR"}, "named after OR, but measure = 'HR'"),
        ("study,md,se\nA,1,1", {"scale": "ratio"}, "MD is no ratio"),
        ("study,or,rr,se\nA,1,1,1", {}, "several columns hold estimates: or, rr"),
        ("study,yi,lower,upper,level\nA,1,0,2,0.9", {"level": 0.9}, "a column of levels"),
        ("study,yi,90% lower,90% upper\nA,1,0,2", {"level": 0.95}, "its name says 90%"),
        ("study,yi,lower,upper,level\nA,1,0,2,high", {}, "no coverage"),
    ],
)
def test_what_is_told_must_fit_the_table(text, told, what):
    (problem,) = problems(text, **told)
    assert what in problem.what
    assert problem.fix


def test_columns_may_be_named_by_hand():
    told = {"study": "id", "estimate": "Effekt", "ci_low": "von", "ci_high": "bis"}
    studies = read("id,Effekt,von,bis\nA,2.41,1.46,3.99", columns=told, scale="ratio")
    assert studies.studies == ("A",)
    assert "column 'von' read as 'ci_low', as told" in studies.notes
    counts = read("study,arm,deaths,n\nA,x,1,9\nA,y,2,9", columns={"events": "deaths"})
    assert_array_equal(counts.frame["events"], [1, 2])


def test_a_column_named_by_hand_keeps_the_measure_that_its_name_says():
    studies = read("study,or,log_or,se\nA,2,0.7,0.1", columns={"estimate": "or"})
    assert studies.measure == "OR"
    assert_allclose(studies.frame["estimate"], math.log(2), rtol=CLOSED)


def test_a_problem_names_the_column_as_its_author_did():
    text = "study,arm,deaths,n\nA,x,10,9\nA,y,2,9"
    (problem,) = problems(text, columns={"events": "deaths"})
    assert problem.column == "deaths"


def test_names_given_by_hand_that_cannot_be_are_refused_with_suggestions():
    text = "study,arm,deaths,n,total\nA,x,1,9,9\nA,y,2,9,9"
    told = {"event": "deaths", "events": "death", "n": "total", "arm": "total"}
    said = [f"{one.value}: {one.what}. {one.fix}" for one in problems(text, columns=told)]
    assert said == [
        "'event': no layout has this name. Did you mean 'events'?",
        "'death': no such column. Did you mean 'deaths'?",
        "'total': this column is given two names. Name it once.",
        "'n': the table has a column of this name beside 'total'. Rename or remove one of them.",
        "'total': this column is given two names. Name it once.",
        "'arm': the table has a column of this name beside 'total'. Rename or remove one of them.",
    ]


@pytest.mark.parametrize("label", ["authors", "slab"])
def test_metafors_labels_are_labels(label):
    assert read(f"{label},xi,mi\nHart,2,5").frame.to_dict("list") == {
        "study": ["Hart"],
        "outcome": [""],
        "events": [2],
        "n": [7],
    }


def test_non_events_of_one_group_must_add_up():
    (problem,) = problems("study,xi,mi,ni\nA,2,5,8")
    assert "xi + mi = 7" in problem.what
    (problem,) = problems("study,xi,mi\nA,0,0")
    assert "without patients" in problem.what


def test_a_table_without_anything_to_say_how_precise_it_is_is_no_table_of_estimates():
    (problem,) = problems("study,or\nA,2")
    assert "or holds estimates, and no column says how precise they are" in problem.what
    assert "each limit in a column of its own" in problem.fix


def test_a_level_marked_as_missing_is_that_of_the_table():
    levels = read("study,yi,lower,upper,level\nA,1,0,2,NA\nB,1,0,2,\nC,1,0,2,95%")
    assert_allclose(levels.frame["se"], 1 / Z95)


def test_ratios_are_not_taken_for_differences():
    studies = read("study,estimate,lower,upper\nA,2.41,1.46,3.99", scale="ratio")
    with pytest.raises(ModelError, match="holds ratios, turned into logarithms, and MD is no"):
        compute_effects(studies, "MD")
    for measure in ("OR", "HR", "GEN"):
        assert_allclose(compute_effects(studies, measure).y, math.log(2.41), rtol=CLOSED)


def test_an_unknown_measure_that_was_told_is_named_where_it_is_used():
    with pytest.raises(ModelError, match="unknown measure 'HRR'"):
        compute_effects(read("study,yi,vi\nA,1,1", measure="HRR"), "HR")


@pytest.mark.parametrize(
    ("header", "measure"),
    [("ln(HR),SE(ln(HR))", "HR"), ("logOR,selogOR", "OR"), ("d,se", "D"), ("g,se_g", "SMD"),
     ("MD,standard error of MD", "MD"), ("effect size,se", None)],
)  # fmt: skip
def test_usual_names_of_effects_and_their_errors_are_known(header, measure):
    studies = read(f"study,{header}\nA,0.4,0.1")
    assert studies.measure == measure
    assert studies.frame[["estimate", "se"]].to_numpy().tolist() == [[0.4, 0.1]]


def test_the_error_of_a_ratio_itself_is_not_taken_for_that_of_its_logarithm():
    assert "no column says how precise" in problems("study,or,se_or\nA,2,0.3")[0].what
