"""Tables for the terminal: what they say, and that they fit."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from checks.fakes import as_nuts
from rich.console import Console

import bayesmeta as bm
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.report import tables
from bayesmeta.report.crosscheck_table import crosscheck_table

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
BINOMIAL = replace(NORMAL, likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)))


def text_of(renderable, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def row_of(text, start):
    (line,) = [line for line in text.splitlines() if line.strip().startswith(start)]
    return line


@pytest.fixture(scope="module")
def bcg_text():
    def fit(model, studies, *, engine="exact", **options):
        exact = bm.fit(model, studies)
        return exact if engine == "exact" else as_nuts(exact, draws=2000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crosscheck_module, "fit", fit)
        result = bm.crosscheck([NORMAL, BINOMIAL], bm.load("bcg"), outcome="tuberculosis")
    return text_of(crosscheck_table(result, title="BCG"))


def test_the_cross_check_of_bcg_shows_the_odds_ratios(bcg_text):
    assert "BCG, tuberculosis: odds ratio, 13 studies" in bcg_text
    assert row_of(bcg_text, "Mantel-Haenszel").split()[1:4] == ["0.623", "0.575,", "0.675"]
    exact = next(line for line in bcg_text.splitlines() if "normal likelihood" in line)
    assert exact.strip().endswith("0.479 0.324, 0.695 0.133, 1.696 0.572 0.360, 0.925  0.9997")


def test_every_row_of_the_cross_check_is_on_one_line_of_100_columns(bcg_text):
    lines = bcg_text.splitlines()
    assert max(map(len, lines)) <= 100
    assert sum("likelihood" in line for line in lines) == 4


def test_the_caption_names_estimate_interval_and_limit(bcg_text):
    for part in ("Wald interval", "median", "equal-tailed", "Prediction", "limit 4", "log OR"):
        assert part in bcg_text


def test_the_verdict_is_the_last_line(bcg_text):
    assert bcg_text.strip().splitlines()[-1].strip() == "Verdict: every check passed."


def test_a_failed_check_is_counted_and_named():
    result = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False)
    bad = replace(result.verdicts[0], ok=False, subject="NUTS (normal)", text="R-hat 1.2")
    text = text_of(crosscheck_table(replace(result, verdicts=(*result.verdicts, bad))))
    assert "FAILED  NUTS (normal): R-hat 1.2" in text
    assert "Verdict: 1 of 2 checks failed" in text


def test_notes_of_a_row_are_footnotes():
    one = bm.load("bcg").drop(*bm.load("bcg").studies[1:])
    text = text_of(crosscheck_table(bm.crosscheck(NORMAL, one, nuts=False)))
    assert "[1] tau not estimable from one study" in text
    assert row_of(text, "REML [1]")


def test_a_posterior_is_shown_on_both_scales():
    text = text_of(tables.posterior_tables(bm.fit(NORMAL, bm.load("bcg"))), width=120)
    assert "0.479  0.324, 0.695" in row_of(text, "mu, mean effect")
    assert "-0.737" in row_of(text, "mu, mean effect")
    assert "numerical error" in text


def test_a_measure_on_the_identity_scale_is_shown_once():
    model = replace(NORMAL, measure="GEN", effect=bm.Normal(0, 50), heterogeneity=bm.HalfNormal(20))
    text = text_of(tables.posterior_tables(bm.fit(model, bm.load("eight_schools"))), width=120)
    assert text.splitlines()[1].count("95% interval") == 1


def test_the_reference_table_names_interval_and_prediction_formula():
    text = text_of(tables.reference_table(bm.pool(bm.load("bcg"), "OR")), width=120)
    assert "Interval: wald" in text
    assert "sqrt(se^2 + tau2)" in text
    assert "92.1%" in row_of(text, "REML")


def test_effects_say_where_a_half_was_added():
    text = text_of(tables.effects_table(bm.compute_effects(bm.load("nielweise2007"), "OR")))
    assert "1/2 added" in row_of(text, "Bach 1996")


def test_a_study_named_in_markup_is_shown_as_it_is():
    frame = pd.DataFrame({"study": ["[bold]Aronson[/bold]"], "yi": [0.1], "vi": [0.2]})
    text = text_of(tables.effects_table(bm.compute_effects(bm.read_studies(frame), "GEN")))
    assert "[bold]Aronson[/bold]" in text


def test_numbers_out_of_proportion_still_make_a_table():
    frame = pd.DataFrame({"study": ["A", "B"], "yi": [12.0, 14.0], "vi": [1.0, 1.0]})
    model = replace(NORMAL, effect=bm.Normal(0, 20))
    result = bm.crosscheck(model, bm.read_studies(frame), nuts=False)
    assert np.isfinite(result.rows[0].estimate)
    assert "e+05" in text_of(crosscheck_table(result))
