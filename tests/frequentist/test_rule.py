import math

import pytest
from frequentist.tables import contrasts, table
from hypothesis import given
from hypothesis import strategies as st

import bayesmeta as bm
from bayesmeta.errors import ModelError
from bayesmeta.frequentist import METHODS, fitting_methods, normal_name, pool
from bayesmeta.frequentist.rule import QUANTITIES, Condition, Rule, parse_rule
from bayesmeta.frequentist.software import name_methods
from bayesmeta.studies import load

NAMES = tuple(METHODS)

numbers = st.floats(0, 1).map(lambda x: float(f"{x:.6g}"))
conditions = st.builds(
    Condition,
    quantity=st.sampled_from(QUANTITIES),
    sign=st.sampled_from(["<", "<=", ">", ">="]),
    number=numbers,
)
rules = st.builds(
    Rule,
    chosen=st.just("DL"),
    otherwise=st.sampled_from(["MH", "MH-RM", "EE", "PETO"]),
    conditions=st.lists(conditions, min_size=2, max_size=4).map(tuple),
    joined=st.sampled_from(["and", "or"]),
)


@given(rules)
def test_a_rule_survives_being_written_and_read(rule):
    assert parse_rule(str(rule), NAMES) == rule


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("DL if Q p<0.1 else MH", "DL if Q p < 0.1 else MH"),
        ("  DL  if  I2>=50.0%   else EE ", "DL if I2 >= 50% else EE"),
        ("DL-MH if Q  p < .10 or I2 > 50 % else MH-RM", None),
        ("EE if k <= 5 and tau2 < 0.04 else REML", "EE if k <= 5 and tau2 < 0.04 else REML"),
    ],
)
def test_spacing_and_digits_do_not_matter(text, normal):
    assert normal_name(text) == (normal or "DL-MH if Q p < 0.1 or I2 > 50% else MH-RM")


REFUSED = {
    "DL if Q p < 0.1": "METHOD if CONDITION",
    "if Q p < 0.1 else MH": "METHOD if CONDITION",
    "Random if Q p < 0.1 else fixed": "Did you mean 'random'",
    "fixed if Q p >= 0.1 else fixed": "takes fixed either way",
    "fixed if Q p >= 0.1 else MH": "takes MH either way",
    "DL if Q p < 0.1 else mh": "Did you mean 'MH'",
    "DL if Q p < 0.1 else DL": "takes DL either way",
    "DL if Q p < 0.1 or I2 > 50% and k > 3 else MH": "mixes 'and' with 'or'",
    "DL if p < 0.1 else MH": r"looks at 'p'. It can look at Q p, I2, k, tau2",
    "DL if Q p = 0.1 else MH": "no comparison in 'Q p = 0.1'",
    "DL if Q p == 0.1 else MH": "no comparison",
    "DL if I2 > 0.5 else MH": "I2 is in percent: write I2 > 50%",
    "DL if Q p < 10% else MH": "Only I2 is in percent",
    "DL if Q p < 1.5 else MH": "between 0 and 1",
    "DL if I2 > 150% else MH": "between 0 and 100",
    "DL if k > -1 else MH": "not negative",
    "DL if k > many else MH": "not negative",
    "DL if k > nan else MH": "not negative",
    "DL if Q p < 0.1 or else MH": "no comparison in 'Q p < 0.1 or'|between 0 and 1",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED)
def test_what_is_no_rule_is_refused_with_what_is_allowed(text, message):
    with pytest.raises(ModelError, match=message):
        pool(bm.load("bcg"), "OR", methods=text)


@pytest.mark.parametrize(
    ("rows", "taken"),
    [([(4, 20, 6, 18), (5, 30, 9, 25)], "MH"), ([(4, 20, 12, 12), (25, 10, 9, 25)], "DL")],
)
def test_the_branch_is_that_of_the_common_effect_row(rows, taken):
    studies, text = table(rows), "DL if Q p < 0.1 or I2 > 50% else MH"
    row = pool(studies, "OR", methods=text)[text]
    both = pool(studies, "OR", methods=["DL", "MH"])
    assert (row.estimate, row.se, row.q) == (both[taken].estimate, both[taken].se, both[taken].q)
    q = both["MH"]
    seen = f"Q p = {q.q_p:.4g} (of MH), I2 = {q.i2:.1f}% (of MH): the rule takes {taken}"
    assert row.notes[0] == seen
    assert (q.q_p < 0.1 or q.i2 > 50) == (taken == "DL")
    assert row.label == f"{both[taken].label}, chosen by a rule"


def test_and_wants_all_and_or_wants_one():
    studies = bm.load("bcg")  # Q p < 0.0001, k = 13
    rows = pool(studies, "OR", methods=["DL if Q p < 0.1 and k > 20 else EE",
                                        "DL if Q p < 0.1 or k > 20 else EE"])  # fmt: skip
    assert [row.tau2 > 0 for row in rows] == [False, True]


@pytest.mark.parametrize(
    ("sign", "holds"), [("<", False), ("<=", True), (">", False), (">=", True)]
)
def test_a_comparison_at_its_number(sign, holds):
    text = f"DL if k {sign} 13 else EE"
    assert (pool(bm.load("bcg"), "OR", methods=text)[text].tau2 > 0) == holds


def test_tau2_is_that_of_the_random_effects_method():
    text = "REML if tau2 > 0.3 else EE"
    row = pool(bm.load("bcg"), "OR", methods=text)[text]
    assert row.notes[0].startswith(f"tau2 = {row.tau2:.4g} (of REML)")


def test_i2_is_that_of_the_common_effect_and_not_of_tau2():
    # 92.6% from Q, 92.1% from REML's tau2
    text = "REML if I2 > 92.4% else EE"
    row = pool(bm.load("bcg"), "OR", methods=text)[text]
    assert row.i2 < 92.4
    assert row.notes[0] == "I2 = 92.6% (of EE): the rule takes REML"


def test_two_random_methods_are_chosen_by_the_inverse_variance_q():
    text = "REML if I2 > 50% else HS"
    row = pool(bm.load("bcg"), "OR", methods=text)[text]
    assert "(of EE): the rule takes REML" in row.notes[0]


def test_what_is_undefined_meets_no_condition_and_is_told():
    text = "DL if I2 > 0% else EE"
    row = pool(contrasts([0.4], [0.1]), "GEN", methods=text)[text]
    assert row.notes[0] == "I2 undefined (of EE): the rule takes EE"
    assert row.tau2 == 0.0


def test_an_interval_that_a_branch_has_not_is_told():
    text = "DL if Q p < 0.1 else MH"
    row = pool(table([(4, 20, 6, 18), (5, 30, 9, 25)]), "OR", methods=text, interval="hksj")[text]
    assert row.interval == "wald"
    assert any("MH has no hksj interval" in note for note in row.notes)


def test_a_branch_without_an_estimate_keeps_its_row():
    studies = table([(0, 10, 0, 12), (0, 20, 0, 18)])
    text = "DL if Q p < 0.1 else MH"
    row = pool(studies, "OR", methods=text)[text]
    assert math.isnan(row.estimate)
    assert any("every study is double-zero" in note for note in row.notes)


def test_a_method_that_does_not_fit_the_data_is_refused_within_a_rule():
    with pytest.raises(ModelError, match="Method MH pools"):
        pool(contrasts([0.1, 0.2], [0.1, 0.1]), "GEN", methods="DL if k > 1 else MH")


def test_one_rule_written_twice_is_one_row():
    texts = ["DL if k > 1 else EE", "DL if k>1 else EE"]
    assert pool(bm.load("bcg"), "OR", methods=texts).methods == (texts[0],)


ODDS, MEANS, RATES = load("bcg"), load("normand1999"), load("nielweise2008")


@pytest.mark.parametrize(
    ("studies", "measure", "software", "named"),
    [
        (ODDS, "OR", "metafor", ("DL", "MH")),
        (ODDS, "RD", "RevMan 5", ("DL-MH", "MH-RM")),
        (ODDS, "AS", "RevMan 5", ("DL", "EE")),
        (MEANS, "MD", "metafor", ("DL", "EE")),
        (MEANS, "SMD", "RevMan 5", ("DL", "EE")),
        (RATES, "IRR", "metafor", ("DL", "MH")),
        (RATES, "IRR", "RevMan 5", ("DL", "EE")),
        (contrasts([0.1, 0.2], [0.1, 0.1]), "OR", "RevMan 5", ("DL", "EE")),
    ],
)
def test_random_and_fixed_are_the_methods_of_the_software(studies, measure, software, named):
    fitting = fitting_methods(studies, measure)
    random, fixed = named
    rule = name_methods("random if Q p < 0.1 else fixed", software, fitting)
    assert rule == f"{random} if Q p < 0.1 else {fixed}"
    assert (
        name_methods("fixed if k > 2 else REML", software, fitting) == f"{fixed} if k > 2 else REML"
    )
    assert name_methods("REML", software, fitting) == "REML"


def test_pool_takes_random_and_fixed_as_metafor_has_them():
    row = pool(ODDS, "OR", methods="random  if Q p<.1 else fixed").rows[0]
    assert row == pool(ODDS, "OR", methods="DL if Q p < 0.1 else MH").rows[0]


# Zhou and others (2019), Drug Des Devel Ther 13:857, Table 2, tacrolimus with mycophenolate against
# cyclophosphamide: "random effects if p < 0.1, else fixed", Review Manager 5.3. The counts (events
# and non-events of Bao 2008 and Liu 2015) are the only ones that give all digits of the row.
REVIEW = {
    "complete remission": ([(10, 10, 1, 19), (83, 98, 46, 135)], "DL-MH", "5.13 (0.75, 35.02)",
                           "0.10", "0.07"),
    "total remission": ([(18, 2, 9, 11), (151, 30, 114, 67)], "MH-RM", "3.32 (2.08, 5.32)",
                        "0.00", "0.15"),
}  # fmt: skip


@pytest.mark.parametrize("outcome", REVIEW)
def test_the_choices_of_a_published_review_are_replayed(outcome):
    rows, taken, printed, p, q_p = REVIEW[outcome]
    model = bm.Model.from_text(
        measure="OR",
        likelihood="normal",
        effect="normal(0, 2.82)",
        heterogeneity="half_normal(0.5)",
    )
    checked = bm.crosscheck(
        model, table(rows), nuts=False, software="RevMan 5", rule="random if Q p < 0.1 else fixed"
    )
    row = checked.reference["DL-MH if Q p < 0.1 else MH-RM"]
    estimate, low, high = map(math.exp, (row.estimate, row.ci_low, row.ci_high))
    assert f"{estimate:.2f} ({low:.2f}, {high:.2f})" == printed
    assert (f"{row.p_value:.2f}", f"{row.q_p:.2f}") == (p, q_p)
    assert row.notes[0].endswith(f"the rule takes {taken}")
