"""Sentences of a report: what the numbers say, and never more."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from checks.fakes import GOOD_RUN, as_nuts

import bayesmeta as bm
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.checks.reanalysis import reanalyse
from bayesmeta.checks.rows import Row
from bayesmeta.effects import get_measure
from bayesmeta.printed import Printed
from bayesmeta.published.row import PublishedRow
from bayesmeta.report.html.conclusions import Conclusion, conclude
from bayesmeta.report.html.methods_paragraph import write_methods
from bayesmeta.report.html.outcome_tables import crosscheck_page_table
from bayesmeta.report.html.prior_reasons import NOT_RECORDED, explain_priors
from bayesmeta.report.html.words import headline, sentences, side_of, side_of_printed

MODEL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
BINOMIAL = replace(MODEL, likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)))


def trials(*rows):
    frame = pd.DataFrame(rows, columns=["ai", "n1i", "ci", "n2i"])
    return bm.read_studies(frame.assign(study=[f"trial {i}" for i in range(len(rows))]))


def printed(estimate, low, high, **others):
    ci = (Printed.parse(low), Printed.parse(high))
    return PublishedRow(model="fixed", estimate=Printed.parse(estimate), ci=ci, **others)


@pytest.fixture(scope="module")
def bcg():
    return bm.crosscheck(MODEL, bm.load("bcg"), nuts=False, better="lower", outcome="tuberculosis")


def test_an_interval_across_the_null_leaves_the_direction_open():
    result = bm.crosscheck(
        MODEL, trials((5, 50, 6, 50), (7, 60, 6, 60)), nuts=False, better="lower"
    )
    told = headline(result)
    assert told.endswith("the interval includes 1, so that the direction is open.")
    assert not any(word in told for word in ("good", "bad", "significant", "effective", "works"))


def test_an_interval_beside_the_null_names_the_side_and_no_more(bcg):
    assert headline(bcg) == (
        "Odds ratio of treated against control 0.479 (95% posterior interval 0.324 to 0.695; 13 "
        "studies): the whole interval lies below 1, where the effect is good."
    )
    assert "where the effect is bad" in headline(replace(bcg, better="higher"))
    assert headline(replace(bcg, better=None)).endswith("the whole interval lies below 1.")


def test_the_null_value_itself_is_included():
    ends = {"road": "exact", "method": "", "label": ""}
    assert side_of(Row(**ends, ci_low=-1.0, ci_high=0.0)) == "includes"
    assert side_of(Row(**ends, ci_low=-1.0, ci_high=-1e-12)) == "below"
    assert side_of(Row(**ends, ci_low=np.nan, ci_high=1.0)) == "none"


def test_a_printed_limit_that_is_the_null_to_its_rounding_tells_nothing():
    measure = get_measure("OR")
    assert side_of_printed(printed("1.5", "1.00", "2.2"), measure) == "rounding"
    assert side_of_printed(printed("1.5", "1.01", "2.2"), measure) == "above"
    assert side_of_printed(printed("1.5", "0.99", "2.2"), measure) == "includes"
    assert side_of_printed(printed("0.5", "0.25", "0.99"), measure) == "below"


def test_a_limit_beside_the_null_is_never_shown_as_the_null(bcg):
    rows = tuple(
        replace(row, estimate=-0.3, ci_low=-0.6, ci_high=-0.0001) if row.road == "exact" else row
        for row in bcg.rows
    )
    names = ("measure", "level", "arms", "better", "studies", "others", "failed", "k")
    shifted = SimpleNamespace(**{name: getattr(bcg, name) for name in names}, rows=rows)
    assert "0.5488 to 0.9999" in headline(shifted)


def test_one_study_is_not_pooled():
    result = bm.crosscheck(MODEL, trials((2, 50, 9, 50)), nuts=False, better="lower")
    told = " ".join(sentences(result))
    assert "; 1 study)" in headline(result)
    assert "nothing is pooled" in told
    assert "what is said of tau comes from its prior" in told
    assert "new study" not in told


def test_a_known_tau_is_said_to_be_set():
    model = replace(MODEL, heterogeneity=bm.Fixed(0))
    result = bm.crosscheck(model, trials((2, 50, 9, 50), (3, 40, 5, 40)), nuts=False)
    assert "tau is set to 0, not found from the data" in " ".join(sentences(result))


def test_a_failed_check_comes_before_the_number(bcg, monkeypatch):
    def fit(model, studies, *, engine="exact", **options):
        exact = bm.fit(model, studies)
        return exact if engine == "exact" else as_nuts(exact, shift=0.3, draws=2000)

    monkeypatch.setattr(crosscheck_module, "fit", fit)
    result = bm.crosscheck(MODEL, bm.load("bcg"), better="lower")
    assert result.failed
    assert headline(result).startswith("A check failed, do not rely on these numbers: odds ratio")
    assert "disagrees with exact" in sentences(result)[0]


def test_likelihoods_that_differ_are_told_in_the_headline():
    studies = trials((1, 30, 6, 30), (0, 30, 1, 30))
    result = bm.crosscheck([MODEL, BINOMIAL], studies, nuts=False, better="lower")
    assert [side_of(row) for row in result.rows if row.road == "exact"] == ["includes", "below"]
    assert headline(result).endswith("; this depends on the likelihood.")
    assert conclude(result).bayesian == ("includes", "below")


def test_a_published_row_alone_is_named_as_such():
    result = reanalyse(MODEL, printed("2.41", "1.35", "4.30", k=4, q_p=Printed.parse("0.40")))
    assert "4 studies, from the published row alone" in headline(result)
    assert any("data of its studies are not known" in text for text in sentences(result))


def test_a_row_that_cannot_be_read_has_no_number():
    row = PublishedRow(model="fixed", estimate=Printed.parse("2.41"))
    result = reanalyse(MODEL, row)
    assert headline(result).startswith("There is no posterior: ")
    assert conclude(result).change == "alone"


def test_one_group_has_no_null_value_and_no_direction():
    table = pd.DataFrame({"study": ["a", "b"], "xi": [12, 15], "ni": [30, 40]})
    model = replace(MODEL, measure="PLO")
    result = bm.crosscheck(model, bm.read_studies(table), nuts=False, better="higher")
    told = " ".join((headline(result), *sentences(result)))
    assert "interval lies" not in told
    assert "benefit" not in told
    assert conclude(result).change == "alone"


def test_a_change_of_one_group_is_no_effect_of_its_treatment():
    table = pd.DataFrame({"study": ["a"], "mean_pre": [11.7], "sd_pre": [5.6], "mean_post": [8.2],
                          "sd_post": [4.2], "n": [37], "r": [0.5]})  # fmt: skip
    model = replace(MODEL, measure="MC", effect=bm.Normal(0, 10), heterogeneity=bm.Fixed(0))
    result = bm.crosscheck(model, bm.read_studies(table), nuts=False, better="lower")
    assert "where the change is good" in headline(result)
    assert any("without a control group" in text for text in sentences(result))


def conclusion(published=(), frequentist=(), bayesian=()):
    return Conclusion(outcome="", headline="", null="1", published=published, failed=False, k=2,
                      frequentist=frequentist, bayesian=bayesian, status="")  # fmt: skip


@pytest.mark.parametrize(
    ("published", "frequentist", "bayesian", "change"),
    [
        (("below",), ("includes",), ("above",), "reversed"),
        (("below",), ("below", "includes"), ("includes",), "changed"),
        ((), ("below",), ("includes",), "changed"),
        (("below",), ("below", "includes"), ("below",), "depends"),
        (("rounding",), ("includes",), ("includes",), "same"),
        (("rounding",), (), ("includes",), "alone"),
        ((), (), ("includes", "below"), "depends"),
        (("includes",), ("includes",), ("includes",), "same"),
    ],
)
def test_changes_of_the_conclusion(published, frequentist, bayesian, change):
    assert conclusion(published, frequentist, bayesian).change == change


def test_a_conclusion_comes_back_from_its_data(bcg):
    one = conclude(bcg)
    assert Conclusion.from_data(one.as_data()) == one


def test_the_methods_paragraph_names_what_was_done(bcg):
    (methods,) = write_methods([bcg], rule="random if Q p < 0.1 else fixed", software="RevMan 5")
    for part in ("log OR scale", "mu ~ normal(0, 2.82)", "tau ~ half_normal(0.5)", "quadrature",
                 "DerSimonian-Laird", 'rule "random if Q p < 0.1 else fixed"', "RevMan 5",
                 f"bayesmeta {bm.__version__}", f"numpy {np.__version__}", "No posterior was",
                 "bound of the numerical error"):  # fmt: skip
        assert part in methods.text
    assert "NUTS (" not in methods.text


def test_the_methods_paragraph_gives_the_diagnostics_of_nuts(monkeypatch):
    def fit(model, studies, *, engine="exact", **options):
        exact = bm.fit(model, studies)
        return exact if engine == "exact" else as_nuts(exact, draws=2000)

    monkeypatch.setattr(crosscheck_module, "fit", fit)
    result = bm.crosscheck(MODEL, bm.load("bcg"))
    table = crosscheck_page_table(result)
    assert table.columns[-4:] == ("z", "R-hat", "ESS", "div")
    assert table.rows[-1][-3:] == ("1.001", "4000", "0")
    (methods,) = write_methods([result])
    assert f"{GOOD_RUN.chains} chains of {GOOD_RUN.draws} draws" in methods.text
    assert "largest R-hat 1.001, smallest effective sample size 4000, 0 divergent" in methods.text


def test_only_a_prior_that_is_the_measures_default_has_a_source():
    measure = get_measure("OR")
    assert "Günhan" in explain_priors(MODEL, measure)["effect"]
    told = explain_priors(replace(MODEL, effect=bm.Normal(0, 1)), measure)["effect"]
    assert NOT_RECORDED in told
    assert "between 0.141 and 7.1" in told  # exp(-1.96), exp(1.96)
    assert (
        "common effect"
        in explain_priors(replace(MODEL, heterogeneity=bm.Fixed(0)), measure)["heterogeneity"]
    )
