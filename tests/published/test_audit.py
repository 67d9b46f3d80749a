"""The audit: what it finds, and that it accuses no consistent row."""

import json
from io import StringIO

import numpy as np
import pytest
from cases import counts
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import chi2, norm

import bayesmeta as bm
from bayesmeta.cli.program import main
from bayesmeta.effects import MEASURES
from bayesmeta.published.rounding import corners, p_of_interval, to_analysis
from bayesmeta.report.audit_table import audit_table

P = bm.Printed.parse
COMPLETE_REMISSION = counts((10, 20, 1, 20), (83, 181, 46, 181))  # Zhou et al. 2019, Bao and Liu


def row(estimate, low=None, high=None, *, model="fixed", k=None, **more):
    ci = None if low is None else (P(low), P(high))
    printed = {name: bm.read_p(text) for name, text in more.items()}
    return bm.PublishedRow(model=model, estimate=P(estimate), ci=ci, k=k, **printed)


def audited(*args, measure="OR", name="a", restates="", rule="", studies=(), **more):
    return bm.AuditedRow(name=name, row=row(*args, **more), measure=measure, restates=restates,
                         rule=rule, studies=studies, software="RevMan 5")  # fmt: skip


def checks(*rows):
    return [finding.check for finding in bm.audit(rows).findings]


# --- the publications ----------------------------------------------------------------------------


def test_the_misprints_of_the_lupus_nephritis_review_are_found_and_nothing_else():
    found = bm.audit_publication("zhou_2019_lupus_nephritis")
    assert [(one.row, one.check) for one in found.findings] == [
        ("zhou-3-06", "symmetry"),
        ("zhou-3-06", "p value"),
        ("zhou-T-06", "measure"),
        ("zhou-T-06", "restatement"),
        ("zhou-T-15", "restatement"),
    ]
    upper, _, named, limit, creatinine = found.findings
    assert "upper limit asks for a lower one of 0.191 to 0.196" in upper.reason
    assert upper.reason.endswith("p = 0.89 goes with the upper limit")
    assert named.reason.endswith("as a difference the row is consistent")
    assert "lower limit -3.1, where zhou-2-10 has -3.16" in limit.reason
    assert "estimate 0.13, where zhou-3-19 has 13.54" in creatinine.reason
    assert creatinine.reason.endswith(
        "the same numbers are printed for zhou-3-18 (herpes zoster or varicella)"
    )


@pytest.mark.parametrize("name", ["kraaij_2016_lupus_nephritis", "wang_2018_nephrotic_syndrome"])
def test_the_rows_of_the_other_reviews_are_consistent(name):
    found = bm.audit_publication(name)
    assert found.findings == ()
    assert found.tests > 70


@pytest.mark.parametrize(
    ("name", "percentages"),
    [
        ("tani_2018_sle_cohort", ["34.7%", "42.8%", "16.6%", "70%", "65.6%", "10.4%"]),
        ("miwa_sle_cohort", ["73.6%"]),
    ],
)
def test_percentages_that_were_not_rounded_are_found(name, percentages):
    findings = bm.audit_publication(name).findings
    assert [one.printed for one in findings] == percentages
    assert {one.check for one in findings} == {"percentage"}


# --- no consistent row is accused ----------------------------------------------------------------


def printed_p(p, decimals):
    """A p value as papers print it: to so many decimals, or as a bound."""
    return f"{p:.{decimals}f}" if p >= 10.0**-decimals else f"<{10.0**-decimals:.{decimals}f}"


@given(
    y=st.floats(-3, 3),
    se=st.floats(0.02, 2),
    k=st.integers(2, 20),
    u=st.floats(0.001, 0.999),
    decimals=st.integers(0, 4),
    measure=st.sampled_from(["OR", "MD"]),
)
def test_a_row_that_was_rounded_correctly_is_never_accused(y, se, k, u, decimals, measure):
    z = norm.ppf(0.975)
    limits = np.array([y, y - z * se, y + z * se])
    natural = np.exp(limits) if measure == "OR" else limits
    texts = [f"{one:.{decimals}f}" for one in natural]
    q = chi2.ppf(u, k - 1)
    found = audited(
        *texts,
        measure=measure,
        model="random" if u > 0.9 else "fixed",
        rule="random if Q p < 0.1 else fixed",
        k=k,
        p=printed_p(2 * norm.sf(abs(y) / se), max(decimals, 1)),
        q_p=printed_p(1 - u, 3),
        q=f"{q:.2f}",
        i2=f"{max(0, 100 * (1 - (k - 1) / q)):.0f}",
    )
    assert bm.audit(found).findings == ()


@given(y=st.floats(-1, 1), se=st.floats(0.1, 1), decimals=st.integers(1, 3))
def test_the_range_of_p_is_that_of_all_numbers_that_are_printed_so(y, se, decimals):
    texts = [f"{np.exp(y + z * se):.{decimals}f}" for z in (0, norm.ppf(0.025), norm.ppf(0.975))]
    estimate, low, high = (to_analysis(P(text), MEASURES["OR"]) for text in texts)
    least, most = p_of_interval(corners(estimate, low, high), level=0.95)
    lower, upper = np.meshgrid(np.linspace(*low, 101), np.linspace(*high, 101))
    centre, half = (lower + upper) / 2, (upper - lower) / 2
    possible = (centre >= estimate[0]) & (centre <= estimate[1]) & (half > 0)
    tried = 2 * norm.sf(np.abs(centre[possible] / half[possible]) * norm.ppf(0.975))
    assert tried.size == 0 or (least <= tried.min() + 1e-12 and tried.max() <= most + 1e-12)


def test_the_range_of_p_is_attained():
    """Corners worked out by hand: 1.00 to 2.79 about 1.67, p printed 0.05 (Zhou et al. 2019)."""
    estimate, low, high = (
        to_analysis(P(text), MEASURES["OR"]) for text in ("1.67", "1.00", "2.79")
    )
    found = p_of_interval(corners(estimate, low, high), level=0.95)
    a, b, e = np.log(1.005), np.log(2.785), np.log(1.665)  # the shortest; the lowest in the middle
    z = norm.ppf(0.975) * np.array([(a + b) / (b - a), e / (e - np.log(0.995))])
    assert_allclose(found, 2 * norm.sf(z), rtol=1e-10)


# --- what is found -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (audited("2.41", "1.46", "3.99"), []),
        (audited("2.41", "1.46", "3.89"), ["symmetry"]),
        (audited("2.41", "3.99", "1.46"), ["order"]),
        (audited("2.41", "2.46", "3.99"), ["order"]),
        (audited("2.41", "1.46", "3.99", p="0.0006"), []),
        (audited("2.41", "1.46", "3.99", p="0.006"), ["p value"]),
        (audited("2.41", "1.46", "3.99", p="NS"), ["p value"]),
        (audited("0.98", "0.79", "1.21", p="NS"), []),
        (audited("0.98", "0.79", "1.21", p="<0.05"), ["p value"]),
        (audited("1.67", "1.00", "2.79", p="0.05"), []),
        (audited("0.00", "0.00", "0.02", p="<0.00001"), []),
        (audited("-2.00", "-3.16", "-0.85", p="0.0007"), ["measure"]),
        (audited("-2.00", "-3.16", "-0.85", p="0.0007", measure="MD"), []),
        (audited("1.40", "1.10", "1.70", measure="MD"), []),
        (audited("1.2", "0.4", "2.0", measure="RD"), ["measure"]),
        (audited("0.97", "0.5", "1.44", measure="unknown"), []),
        (audited("2.41", "1.46", "3.99", p="1.2"), ["number", "p value"]),
        (audited("0.37", p="0.745", measure="t (2 df)"), []),
        (audited("0.37", p="0.475", measure="t (2 df)"), ["t test"]),
        (audited("2.41", k=7, q_p="0.93", i2="0"), []),
        (audited("2.41", k=7, q_p="0.93", i2="40"), ["heterogeneity"]),
        (audited("2.41", k=2, q="3.21", q_p="0.07", i2="69"), []),
        (audited("2.41", k=2, q="3.21", q_p="0.70", i2="69"), ["heterogeneity"] * 2),
        (audited("2.41", k=1, q_p="0.70"), ["heterogeneity"]),
        (audited("2.41", k=5, q_p="0.90", tau2="0.20"), ["heterogeneity"]),
        (audited("2.41", k=0), ["number"]),
    ],
)
def test_each_contradiction_is_found(one, expected):
    assert checks(one) == expected


def test_a_t_interval_is_held_against_t():
    """3 studies: 0.5 +- 4.3027 * 0.2, t = 2.5 with 2 df, p = 0.1296."""
    numbers = row("0.50", "-0.36", "1.36", k=3, p="0.13")
    one = bm.AuditedRow(name="a", row=numbers, measure="MD", t_interval=True)
    assert bm.audit(one).findings == ()
    assert bm.audit(bm.AuditedRow(name="a", row=numbers, measure="MD")).findings[0].reason == (
        "p is printed as 0.13; the interval -0.36 to 1.36 gives 0.25 to 0.259 by the normal "
        "distribution"
    )


@pytest.mark.parametrize(
    ("rule", "one", "broken"),
    [
        ("random if Q p < 0.1 else fixed", {"model": "fixed", "q_p": "0.09"}, True),
        ("random if Q p < 0.1 else fixed", {"model": "random", "q_p": "0.09"}, False),
        ("random if Q p < 0.1 else fixed", {"model": "random", "q_p": "0.10"}, False),
        ("random if Q p < 0.1 else fixed", {"model": "fixed", "q_p": "0.10"}, False),
        ("random if Q p < 0.1 else fixed", {"model": "random", "q_p": "0.11"}, True),
        ("random if Q p < 0.1 else fixed", {"model": "random", "q_p": "<0.1"}, False),
        ("random if Q p < 0.1 else fixed", {"model": "random"}, False),
        ("random if Q p < 0.1 or I2 > 50% else fixed", {"model": "fixed", "i2": "68"}, True),
        ("random if I2 > 50% else fixed", {"model": "fixed", "q_p": "0.078", "k": 2}, True),
        ("DL if k >= 5 else MH-RM", {"model": "random", "k": 4}, True),
        ("random if Q p < 0.1 and k > 2 else fixed", {"model": "random", "k": 2}, True),
        ("fixed", {"model": "random"}, True),
        ("fixed", {"model": "fixed"}, False),
    ],
)
def test_a_model_against_the_rule_of_the_publication(rule, one, broken):
    assert checks(audited("2.41", rule=rule, **one)) == ["rule"] * broken


@pytest.mark.parametrize(
    ("again", "found"),
    [
        (("2.41", "1.46", "3.99"), False),
        (("2.4", "1.5", "4.0"), False),
        (("2.42", "1.46", "3.99"), True),
        (("2.4", "1.4", "4.0"), True),
        (("2.410", "1.463", "3.986"), False),
        (("2.41",), False),
    ],
)
def test_a_restatement_has_the_same_digits_or_fewer(again, found):
    first = audited("2.41", "1.46", "3.99", name="first")
    second = audited(*again, name="second", restates="first", measure="")
    assert checks(first, second) == ["restatement"] * found


def test_a_claim_of_significance_is_held_against_the_table():
    table = audited("5.13", "0.75", "35.02", p="0.10", name="table")
    claim = audited("5.13", p="<0.05", name="abstract", restates="table")
    (finding,) = bm.audit([table, claim]).findings
    assert finding.reason == "p <0.05, where table has 0.10"


def test_rows_are_computed_again_from_their_counts():
    right = {"model": "random", "k": 2, "p": "0.10", "q_p": "0.07"}
    assert checks(audited("5.13", "0.75", "35.02", studies=(COMPLETE_REMISSION,), **right)) == []
    wrong = audited("5.31", "0.75", "35.02", studies=(COMPLETE_REMISSION,), **right)
    findings = bm.audit(wrong).findings
    assert [one.check for one in findings] == ["symmetry", "counts"]
    assert findings[1].reason == "estimate is printed as 5.31; the studies give 5.132 by DL-MH"


def test_one_of_several_possible_tables_is_enough():
    other = counts((10, 20, 2, 20), (83, 181, 46, 181))
    one = audited("5.13", "0.75", "35.02", model="random", studies=(other, COMPLETE_REMISSION))
    assert checks(one) == []


def test_a_bare_row_is_tested_as_far_as_it_goes():
    found = bm.audit(row("2.41", "3.99", "1.46"))
    assert [one.check for one in found.findings] == ["order"]


def test_names_that_do_not_fit_are_told_together():
    with pytest.raises(bm.ModelError, match="2 rows have this name") as error:
        bm.audit([audited("2.41"), audited("2.41"), audited("2.41", name="b", restates="z")])
    assert [problem.what for problem in error.value.problems] == [
        "2 rows have this name",
        "restates 'z', which is not among the rows",
    ]


# --- as it is shown ------------------------------------------------------------------------------


def test_the_frame_is_empty_where_nothing_is_found():
    frame = bm.audit(audited("2.41", "1.46", "3.99")).to_frame()
    assert list(frame) == [
        "row", "comparison", "outcome", "check", "printed", "allowed", "reason"
    ]  # fmt: skip
    assert frame.empty


@pytest.mark.parametrize("width", [80, 120])
def test_findings_fit_their_terminal(width):
    from rich.console import Console

    out = StringIO()
    found = bm.audit(audited("0.90", "0.90", "4.18", name="zhou-3-06", p="0.89"))
    Console(file=out, width=width).print(audit_table(found, title="a review"))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "2 findings" in text


def test_a_misprint_is_no_failed_check(capsys):
    assert main(["audit", "miwa_sle_cohort", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"][0]["printed"] == "73.6%"


def test_a_comparison_file_is_audited_with_its_studies(tmp_path, capsys):
    file = tmp_path / "zhou.toml"
    (tmp_path / "trials.csv").write_text("study,ai,n1i,ci,n2i\nBao,10,20,1,20\nLiu,83,181,46,181\n")
    file.write_text("""
title = "TAC + MMF + GC v CYC + GC"
data = "trials.csv"
[model]
measure = "OR"
likelihoods = ["normal"]
effect = "normal(0, 2.82)"
heterogeneity = "half_normal(0.5)"
[reference]
software = "RevMan 5"
rule = "random if Q p < 0.1 else fixed"
[[outcome]]
name = "complete remission"
better = "higher"
published = { model = "random", k = 2, estimate = "5.13", ci = ["0.75", "35.02"], p = "0.01" }
""")
    assert main(["audit", str(file)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "p is printed as 0.01; the studies give 0.09507 by DL-MH" in out


def test_an_unknown_source_is_refused(capsys):
    assert main(["audit", "zhou"]) == 2
    assert "zhou_2019_lupus_nephritis" in capsys.readouterr().err
