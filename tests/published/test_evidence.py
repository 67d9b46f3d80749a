import math

import pytest
from numpy.testing import assert_allclose
from published.rows import as_model, as_row
from scipy import stats

import bayesmeta as bm
from bayesmeta.published.evidence import read_row

Z = stats.norm.isf(0.025)
CI = ("0.75", "35.02")


def read(row, measure="OR", **options):
    return read_row(row, bm.MEASURES[measure], **options)


def test_the_standard_error_lies_between_the_bounds_that_rounding_allows():
    se = read(as_row("random", "5.13", CI, k=2)).se
    want = [math.log(high / low) / (2 * Z) for low, high in ((0.755, 35.015), (0.745, 35.025))]
    assert_allclose(se, want, rtol=1e-12)


def test_p_alone_gives_the_standard_error():
    evidence = read(as_row("fixed", "2.41", k=7, p="0.0006"))
    want = [
        math.log(2.405) / stats.norm.isf(0.00055 / 2),
        math.log(2.415) / stats.norm.isf(0.000325),
    ]
    assert_allclose(evidence.se, want, rtol=1e-9)
    assert any("derived from the p value" in note for note in evidence.notes)


@pytest.mark.parametrize(
    ("printed", "want"),
    [
        ({"q": "4.1"}, (4.05, 4.15)),
        ({"q_p": "0.07"}, (stats.chi2.isf(0.075, 3), stats.chi2.isf(0.065, 3))),
        ({"q_p": "<0.1", "q": "9"}, (8.5, 9.5)),
        ({"i2": "50"}, (3 / 0.505, 3 / 0.495)),
        ({"i2": "0"}, (0, 3 / 0.995)),
        ({"q_p": "<0.0001", "i2": "93"}, (3 / 0.075, 3 / 0.065)),
    ],
)
def test_q_is_what_all_that_is_printed_of_it_allows(printed, want):
    assert_allclose(read(as_row("random", "5.13", CI, k=4, **printed)).q, want, rtol=1e-9)


def test_the_first_of_contradictory_statements_about_q_is_used_and_the_note_says_so():
    evidence = read(as_row("random", "5.13", CI, k=4, q_p="0.50", i2="70"))
    assert_allclose(evidence.q, (stats.chi2.isf(0.505, 3), stats.chi2.isf(0.495, 3)), rtol=1e-9)
    assert any("disagree about Q" in note for note in evidence.notes)


def test_tau2_gives_q_where_nothing_else_closes_it():
    se = (math.log(35.02 / 0.75)) / (2 * Z)
    low, high = read(as_row("random", "5.13", CI, k=4, q_p="<0.0001", tau2="3.40")).q
    v = 4 * se**2 - 3.40
    assert low < 3 * 4 * se**2 / v < high


def test_sizes_and_unit_sd_give_q_where_nothing_else_closes_it():
    row = as_row("random", "2.0000", ("1.0000", "4.0000"), k=5, q_p="<0.0001")
    se = math.log(4) / (2 * Z)
    low, high = read(row, sizes=[100] * 5, unit_sd=2.0).q
    assert low < 4 * 5 * se**2 / 0.04 < high  # (k - 1) s^2 / v, with v = 4/100


def test_an_open_interval_of_q_of_a_random_row_is_refused():
    row = as_row("random", "5.13", CI, k=4, q_p="<0.0001")
    with pytest.raises(bm.PublishedRowError, match=r"q_p = <0.0001: Q .* is open above"):
        read(row)


def test_an_open_interval_of_q_of_a_fixed_row_is_its_probability():
    evidence = read(as_row("fixed", "5.13", CI, k=4, q_p="<0.0001"))
    assert evidence.q is not None
    assert math.isinf(evidence.q[1])
    assert evidence.flagged


def test_what_the_rule_implies_stands_for_q():
    evidence = read(as_row("fixed", "5.13", CI, k=4), implied_q_p=bm.Printed.parse(">0.1"))
    assert_allclose(evidence.q, (0, stats.chi2.isf(0.1, 3)), atol=1e-9)


def test_without_q_the_row_says_that_tau_keeps_its_prior():
    notes = read(as_row("random", "5.13", CI, k=4)).notes
    assert any("tau keeps nearly its prior" in note for note in notes)


def test_a_model_that_is_not_printed_does_not_matter_while_q_is_small():
    evidence = read(as_row(None, "5.13", CI, k=4, q_p="0.60"))
    assert not evidence.random
    with pytest.raises(bm.PublishedRowError, match="model: not printed"):
        read(as_row(None, "5.13", CI, k=4, q_p="0.001"))


def test_a_misprinted_limit_is_found_by_p():
    """Zhou 2019, Table 3: the lower limit equals the estimate, where 0.19 would fit."""
    evidence = read(as_row("fixed", "0.90", ("0.90", "4.18"), k=2, p="0.89", q_p="0.45"))
    want = math.log(4.18 / 0.90) / Z
    assert evidence.se[0] < want < evidence.se[1]
    assert any("lower limit agrees neither" in note for note in evidence.notes)


def test_a_limit_that_rounds_to_0_leaves_the_other():
    evidence = read(as_row("fixed", "0.05", ("0.00", "0.61"), k=2))
    want = math.log(0.61 / 0.05) / Z
    assert evidence.se[0] < want < evidence.se[1]


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (as_row("fixed", "5.13", ("35.02", "0.75"), k=2), "ci = 35.02: the lower limit is above"),
        (as_row("fixed", "5.13", CI, k=2, p="1.10"), "p = 1.10: is above 1"),
        (as_row("fixed", "5.13", CI, k=2, q_p="-0.10"), "q_p = -0.10: is below 0"),
        (as_row("fixed", "5.13", CI, k=0), "k = 0: is not a number of studies"),
        (as_row("fixed", "-2.00", ("-3.16", "-0.85"), k=2), "estimate = -2.00: is not inside"),
        (as_row("fixed", "0.00", ("0.00", "0.02"), k=2), "rounds to 0 has no logarithm"),
        (as_row("fixed", "5.13", k=2), "neither an interval nor a p value"),
        (as_row("fixed", "5.13", k=2, p="<0.05"), "does not give a standard error"),
        (as_row("fixed", "1.00", k=2, p="0.99"), "does not give a standard error"),
        (as_row("fixed", "5.13", ("5.50", "9.10"), k=2), "is outside its interval"),
        (as_row("fixed", "5.13", CI, k=2, i2="101"), "i2 = 101: is above 100"),
        (as_row("fixed", "5.13", CI, k=2, tau2="-1"), "tau2 = -1: is below 0"),
        (as_row("fixed", "5.13", ("4.00", "35.02"), k=2), "not symmetric about the estimate"),
        (as_row("fixed", "<0.05", CI, k=2), "is a bound, not an estimate"),
    ],
)
def test_a_row_that_cannot_be_read_says_where_and_why(row, match):
    with pytest.raises(bm.PublishedRowError, match=match):
        bm.from_published(row, as_model("OR"))


def test_all_that_is_wrong_is_said_at_once():
    row = as_row("fixed", "5.13", ("35.02", "0.75"), k=0, p="7", i2="120")
    with pytest.raises(bm.PublishedRowError) as error:
        read(row, level=95, sizes=[1, 2])
    assert [problem.column for problem in error.value.problems] == [
        "ci", "p", "i2", "k", "sizes", "level",
    ]  # fmt: skip


def test_models_that_need_more_than_a_row_are_refused():
    row = as_row("fixed", "5.13", CI, k=2)
    tables = bm.BinomialLikelihood(baseline=bm.Normal(0, 10))
    model = bm.Model(measure="OR", likelihood=tables, effect=bm.Normal(0, 2),
                     heterogeneity=bm.HalfNormal(0.5))  # fmt: skip
    with pytest.raises(bm.BayesmetaError, match="no data for the binomial likelihood"):
        bm.from_published(row, model)
    with pytest.raises(bm.NotExactError, match="student_t"):
        bm.from_published(row, as_model("OR", effect=bm.StudentT(4, 0, 1)))
    with pytest.raises(bm.ImproperPosteriorError, match="does not integrate for this row"):
        bm.from_published(row, as_model("OR", effect=bm.Flat(), heterogeneity=bm.Flat()))
