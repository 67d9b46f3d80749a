"""The cross-check: its rows, its verdicts, and what it does where a road cannot be taken."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from checks.fakes import GOOD_RUN, as_nuts
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.errors import AccuracyError, SamplingError
from bayesmeta.frequentist import pool

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
BINOMIAL = replace(NORMAL, likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)))


@pytest.fixture
def quick_nuts(monkeypatch):
    """Replace NUTS by draws of the exact posterior; give what can be changed about the run."""
    run = {"shift": 0.0, "diagnostics": GOOD_RUN}

    def fit(model, studies, *, engine="exact", rng=None, progress=None, **options):
        exact = bm.fit(model, studies)
        if engine == "exact":
            return exact
        progress.advance("sampling")
        accuracy = replace(run["diagnostics"], seed=rng)
        return as_nuts(exact, shift=run["shift"], accuracy=accuracy)

    monkeypatch.setattr(crosscheck_module, "fit", fit)
    return run


@pytest.fixture(scope="module")
def bcg():
    return bm.crosscheck([NORMAL, BINOMIAL], bm.load("bcg"), nuts=False)


def test_the_rows_come_in_the_order_of_the_table(quick_nuts):
    result = bm.crosscheck([NORMAL, BINOMIAL], bm.load("bcg"))
    assert [(row.road, row.method) for row in result.rows] == [
        ("frequentist", "EE"),
        ("frequentist", "MH"),
        ("frequentist", "DL"),
        ("frequentist", "REML"),
        ("exact", "normal"),
        ("exact", "binomial"),
        ("nuts", "normal"),
        ("nuts", "binomial"),
    ]
    assert not result.failed


def test_the_rows_hold_the_numbers_of_their_roads(bcg):
    frame = bcg.to_frame().set_index(["road", "method"])
    pooled = bm.pool(bm.load("bcg"), "OR", methods="REML")["REML"]
    reml = frame.loc[("frequentist", "REML")]
    assert_allclose(reml["natural_ci_low"], np.exp(pooled.ci_low))
    assert_allclose(reml["tau"] ** 2, pooled.tau2)
    posterior = bm.fit(BINOMIAL, bm.load("bcg"))
    exact = frame.loc[("exact", "binomial")]
    assert_allclose(exact["natural_estimate"], np.exp(float(posterior.mu.quantile(0.5))))
    assert_allclose(exact["pi_high"], float(posterior.theta_new.quantile(0.975)))
    assert_allclose(exact["p_below_null"], float(posterior.mu.cdf(0.0)))
    assert exact["numerical_error"] < 1e-8


def test_the_level_reaches_every_interval():
    wide = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False).to_frame()
    narrow = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, level=0.8).to_frame()
    assert (narrow["ci_high"] < wide["ci_high"]).all()
    assert (narrow["level"] == 0.8).all()


def test_the_long_form_names_the_scale_of_every_number(bcg):
    long = bcg.to_long()
    mu = long[(long["road"] == "exact") & (long["quantity"] == "mu")].set_index(["method", "scale"])
    assert_allclose(np.exp(mu.loc[("normal", "log OR"), "high"]), mu.loc[("normal", "OR"), "high"])
    assert set(long.loc[long["quantity"] == "tau", "scale"]) == {"log OR"}
    assert set(long.loc[long["quantity"] == "p_below_null", "scale"]) == {"probability"}
    predicted = long.loc[long["quantity"] == "theta_new", "method"]
    assert set(predicted) == {"DL", "REML", "normal", "binomial"}
    theta = long[(long["quantity"] == "theta") & (long["scale"] == "OR")]
    assert len(theta) == 2 * 13
    assert not long["estimate"].isna().any()


def test_a_run_that_fails_its_diagnostics_fails_the_cross_check(quick_nuts):
    bad = replace(GOOD_RUN, divergences=12, failures=("12 divergent transitions",))
    quick_nuts["diagnostics"] = bad
    result = bm.crosscheck(NORMAL, bm.load("bcg"))
    assert result.failed
    assert [v.text for v in result.verdicts if not v.ok] == ["12 divergent transitions"]
    assert result.rows[-1].divergences == 12


def test_a_disagreement_fails_the_cross_check(quick_nuts):
    quick_nuts["shift"] = 0.1
    result = bm.crosscheck(NORMAL, bm.load("bcg"))
    assert result.failed
    (bad,) = [verdict for verdict in result.verdicts if not verdict.ok]
    assert bad.subject == "NUTS (normal)"
    assert "disagrees with exact by" in bad.text
    assert abs(result.rows[-1].z_largest) > 4


@pytest.mark.slow
def test_each_run_has_its_seed_and_the_same_rng_gives_the_same_ones(quick_nuts):
    def seeds(rng):
        result = bm.crosscheck([NORMAL, NORMAL], bm.load("bcg"), rng=rng)
        return [one.nuts.accuracy.seed for one in result.models]

    assert seeds(1) == seeds(1)
    assert len({*seeds(1), *seeds(2)}) == 4


@pytest.mark.parametrize(("road", "error"), [("exact", AccuracyError), ("nuts", SamplingError)])
def test_a_road_that_cannot_be_taken_keeps_its_row_and_says_why(monkeypatch, road, error):
    def fit(model, studies, *, engine="exact", **options):
        if engine == road:
            raise error("It did not settle.")
        return as_nuts(bm.fit(model, studies)) if engine == "nuts" else bm.fit(model, studies)

    monkeypatch.setattr(crosscheck_module, "fit", fit)
    result = bm.crosscheck(NORMAL, bm.load("bcg"))
    (row,) = [row for row in result.rows if row.road == road]
    assert row.notes == ("It did not settle.",)
    assert np.isnan(row.estimate)
    assert result.failed


def test_a_method_without_an_estimate_keeps_its_row_and_says_why():
    frame = pd.DataFrame(
        {"study": ["A", "B"], "ai": [0, 0], "n1i": [20, 30], "ci": [0, 0], "n2i": [20, 30]}
    )
    result = bm.crosscheck(BINOMIAL, bm.read_studies(frame), nuts=False)
    rows = {row.method: row for row in result.rows}
    assert np.isnan(rows["MH"].estimate)
    assert "double-zero" in rows["MH"].notes[0]
    assert np.isfinite(rows["binomial"].estimate)
    assert not result.failed


def test_one_study_is_enough():
    one = bm.load("bcg").drop(*bm.load("bcg").studies[1:])
    rows = {row.method: row for row in bm.crosscheck(NORMAL, one, nuts=False).rows}
    assert np.isnan(rows["REML"].tau)
    assert any("not estimable" in note for note in rows["REML"].notes)
    assert rows["normal"].ci_high - rows["normal"].ci_low > rows["EE"].ci_high - rows["EE"].ci_low


def test_revman_has_its_own_mantel_haenszel():
    result = bm.crosscheck(NORMAL, bm.load("nielweise2007"), nuts=False, software="RevMan 5")
    assert [row.method for row in result.reference] == ["EE", "MH-RM", "DL", "DL-MH", "REML"]


def test_the_methods_asked_for_are_shown_in_that_order():
    result = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, methods=["REML", "EE"])
    assert [row.method for row in result.reference] == ["REML", "EE"]


def test_a_mixed_model_can_be_asked_for_and_says_why_it_has_no_estimate():
    result = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, methods=["EE", "UM.FS"])
    assert_allclose(result.reference["UM.FS"].estimate, -0.7450, rtol=0, atol=6e-5)
    frame = pd.DataFrame({"study": ["A", "B"], "ai": [0, 0], "bi": [40, 30], "ci": [4, 5],
                          "di": [36, 25]})  # fmt: skip
    result = bm.crosscheck(NORMAL, bm.read_studies(frame), nuts=False, methods=["EE", "UM.FS"])
    assert np.isnan(result.reference["UM.FS"].estimate)
    assert any("no finite maximum" in note for note in result.reference["UM.FS"].notes)


def test_a_method_that_does_not_fit_the_data_is_refused():
    model = replace(NORMAL, measure="GEN")
    with pytest.raises(bm.ModelError, match="pools counts"):
        bm.crosscheck(model, bm.load("eight_schools"), nuts=False, methods=["MH"])


def test_models_of_different_measures_are_refused():
    with pytest.raises(bm.ModelError, match="different measures"):
        bm.crosscheck([NORMAL, replace(NORMAL, measure="RR")], bm.load("bcg"), nuts=False)


def test_no_model_is_refused():
    with pytest.raises(bm.ModelError, match="no model"):
        bm.crosscheck([], bm.load("bcg"))


def test_a_level_that_is_an_error_rate_is_refused():
    with pytest.raises(bm.ModelError, match=r"0\.95"):
        bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, level=0.05)


def test_an_improper_posterior_is_refused():
    flat = replace(NORMAL, effect=bm.Flat(), heterogeneity=bm.Flat())
    two = bm.load("bcg").drop(*bm.load("bcg").studies[2:])
    with pytest.raises(bm.ImproperPosteriorError):
        bm.crosscheck(flat, two, nuts=False)


def test_two_models_of_one_likelihood_are_told_apart():
    wider = replace(NORMAL, heterogeneity=bm.HalfNormal(1))
    result = bm.crosscheck([NORMAL, wider], bm.load("bcg"), nuts=False)
    assert list(result.posteriors) == ["exact (normal 1)", "exact (normal 2)"]


def test_a_published_row_comes_first_on_the_analysis_scale():
    row = bm.PublishedRow(
        model="random",
        estimate=bm.Printed.parse("0.47"),
        ci=(bm.Printed.parse("0.33"), bm.Printed.parse("0.69")),
        tau2=bm.Printed.parse("0.36"),
    )
    first = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, published=row).rows[0]
    assert first.road == "published"
    assert_allclose([first.estimate, first.ci_low, first.tau], [np.log(0.47), np.log(0.33), 0.6])


def test_every_step_is_told(quick_nuts):
    steps = []

    class Told:
        def advance(self, label):
            steps.append(label)

    bm.crosscheck(NORMAL, bm.load("bcg"), progress=Told())
    assert steps == [
        "frequentist reference",
        "exact posterior, normal likelihood",
        "NUTS, normal likelihood: sampling",
    ]


def test_the_rule_and_the_intervals_reach_the_frequentist_rows():
    rule = "DL if Q p < 0.1 or I2 > 50% else MH"
    choices = {"interval": "hksj", "pi": "hts", "tau2_interval": "generalised-q"}
    result = bm.crosscheck(NORMAL, bm.load("bcg"), nuts=False, rule=rule, **choices)
    alone = pool(bm.load("bcg"), "OR", methods=rule, **choices)[rule]
    assert [row.method for row in result.reference] == ["EE", "MH", "DL", "REML", rule]
    assert result.reference[rule] == alone
