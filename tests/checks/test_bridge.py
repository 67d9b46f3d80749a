"""The bridge: what stands at each step, what is left out, and what its sentences say."""

import json
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from cases import BASELINE, HALF, WIDE, binomial_model, counts, estimates, normal_model
from numpy.testing import assert_allclose
from scipy.special import ndtr
from tolerances import CLOSED, ITERATIVE

import bayesmeta as bm
from bayesmeta.checks.vague_prior import vague_prior
from bayesmeta.cli.program import main
from bayesmeta.report.bridge_table import bridge_as_data, bridge_table

COMPLETE_REMISSION = counts((10, 20, 1, 20), (83, 181, 46, 181))  # Zhou et al. 2019, Bao and Liu
PLAIN = normal_model(WIDE, HALF, "OR")


def printed(estimate, low=None, high=None, *, model="random", **more):
    ci = None if low is None else (bm.Printed.parse(low), bm.Printed.parse(high))
    more = {name: bm.Printed.parse(text) for name, text in more.items()}
    return bm.PublishedRow(model=model, estimate=bm.Printed.parse(estimate), ci=ci, **more)


ZHOU = printed("5.13", "0.75", "35.02", p="0.10", q_p="0.07")


@pytest.fixture(scope="module")
def bcg():
    return bm.bridge(binomial_model(), bm.load("bcg"))


@pytest.fixture(scope="module")
def zhou():
    rule = "random if Q p < 0.1 else fixed"
    return bm.bridge(binomial_model(), COMPLETE_REMISSION, published=ZHOU, method=rule,
                     software="RevMan 5")  # fmt: skip


def names(bridge):
    return [step.name for step in bridge.steps]


def test_steps_come_in_one_order(bcg):
    assert names(bcg) == [
        "paper", "inverse variance", "random effects", "REML", "Hartung-Knapp",
        "vague tau prior", "heterogeneity prior", "effect prior", "likelihood",
    ]  # fmt: skip
    assert bcg.left_out == ("form: the model has random effects: normal as before",)


@pytest.mark.parametrize(
    ("step", "keys", "tol"),
    [
        ("paper", ["mantel_haenszel"], CLOSED),
        ("inverse variance", ["inverse_variance", "EE"], CLOSED),
        ("random effects", ["inverse_variance", "DL"], CLOSED),
        ("REML", ["inverse_variance", "REML"], ITERATIVE),
    ],
)
def test_frequentist_steps_agree_with_metafor(bcg, golden, step, keys, tol):
    want = golden("metafor_pool")["bcg"]["OR"]
    for key in keys:
        want = want[key]
    row = bcg[step].row
    assert_allclose([row.estimate, row.ci_low, row.ci_high],
                    [want["beta"], want["ci_lb"], want["ci_ub"]], rtol=tol)  # fmt: skip
    assert_allclose(row.tau, np.sqrt(want.get("tau2", 0)), rtol=tol)
    assert_allclose(row.p_below_null, 1 - want["pval"] / 2, rtol=tol)


def test_hartung_knapp_agrees_with_metafor(bcg, golden):
    want = golden("metafor_pool")["bcg"]["OR"]["inverse_variance"]["REML"]["knha"]
    row = bcg["Hartung-Knapp"].row
    assert_allclose([row.ci_low, row.ci_high], [want["ci_lb"], want["ci_ub"]], rtol=ITERATIVE)
    assert_allclose(row.p_below_null, 1 - want["pval"] / 2, rtol=ITERATIVE)


def test_the_vague_posterior_agrees_with_brute_force(golden):
    block = golden("metafor_pool")["bcg"]["OR"]
    y, v = np.array(block["yi"]), np.array(block["vi"])
    log_tau = np.linspace(-12, 8, 4001)
    tau = np.exp(log_tau)
    w = 1 / (v + tau[:, None] ** 2)
    mean, total = (w * y).sum(1) / w.sum(1), w.sum(1)
    log_l = 0.5 * np.log(w).sum(1) - 0.5 * np.log(total)
    log_l -= 0.5 * (w * (y - mean[:, None]) ** 2).sum(1)
    p = np.exp(log_l - log_l.max()) * tau / (1 + tau**2)  # half-Cauchy(1), on log tau
    p /= p.sum()
    row = bm.bridge(PLAIN, bm.load("bcg"))["vague tau prior"].row
    assert_allclose(p @ ndtr((row.estimate - mean) * np.sqrt(total)), 0.5, rtol=1e-7)
    assert_allclose(p @ ndtr((row.ci_low - mean) * np.sqrt(total)), 0.025, rtol=1e-7)
    assert_allclose(p @ ndtr(-mean * np.sqrt(total)), row.p_below_null, rtol=1e-7)


def test_the_bridge_ends_at_the_fit_of_its_model(bcg):
    post = bm.fit(binomial_model(), bm.load("bcg"))
    row = bcg.steps[-1].row
    assert_allclose([row.estimate, row.ci_low, row.ci_high], post.mu.quantile([0.5, 0.025, 0.975]))


def test_a_published_row_is_met_in_its_digits(zhou):
    assert names(zhou)[:3] == ["published", "paper", "inverse variance"]
    assert zhou["published"].printed == ("5.13", "0.75", "35.02")
    assert zhou["paper"].sentence == (
        "The studies, pooled by DL-MH (by the rule: DL-MH if Q p < 0.1 else MH-RM), give the "
        "printed digits of estimate, lower limit, upper limit, p, Q p."
    )
    assert_allclose(np.exp(zhou["paper"].row.estimate), 5.1324, atol=5e-5)
    assert_allclose(np.exp(zhou["inverse variance"].row.estimate), 5.115, atol=5e-4)


def test_random_effects_are_left_out_where_the_paper_has_them(zhou):
    assert "random effects" not in names(zhou)
    assert "random effects: DL-MH has them already" in zhou.left_out


def test_printed_digits_that_are_not_met_are_told():
    wrong = printed("5.31", "0.75", "35.02")
    found = bm.bridge(PLAIN, COMPLETE_REMISSION, published=wrong, software="RevMan 5")
    assert found["paper"].sentence == (
        "The studies, pooled by DL-MH: estimate 5.132, where 5.31 is printed. The printed digits "
        "of lower limit, upper limit are met."
    )


def test_a_sentence_tells_what_an_interval_comes_to_exclude(zhou):
    sentence = zhou["heterogeneity prior"].sentence
    assert "it no longer includes 1" in sentence
    before, after = zhou["vague tau prior"].row, zhou["heterogeneity prior"].row
    width = (after.ci_high - after.ci_low) / (before.ci_high - before.ci_low)
    assert f"the interval is {width:.2f} times as wide" in sentence


def test_steps_that_change_nothing_are_left_out():
    model = normal_model(bm.Flat(), bm.HalfCauchy(1), "OR")
    found = bm.bridge(model, bm.load("bcg"), method="REML")
    assert names(found) == ["paper", "Hartung-Knapp", "vague tau prior"]
    assert len(found.left_out) == 7


def test_mean_differences_have_no_mantel_haenszel_step():
    found = bm.bridge(normal_model(bm.Normal(0, 100), bm.HalfNormal(30), "MD"),
                      bm.load("normand1999"))  # fmt: skip
    assert found.method == "EE"
    assert "inverse variance" not in names(found)
    assert "inverse variance: EE weights by it already" in found.left_out


def test_one_study_keeps_every_row_and_says_what_is_undefined():
    found = bm.bridge(PLAIN, counts((10, 20, 1, 20)))
    assert names(found)[-4:] == [
        "Hartung-Knapp", "vague tau prior", "heterogeneity prior", "effect prior"
    ]  # fmt: skip
    assert not found["Hartung-Knapp"].defined
    assert found["Hartung-Knapp"].sentence.endswith(
        "Undefined for these data: hksj interval undefined: one study leaves no degree of freedom."
    )
    vague = found["vague tau prior"]
    assert vague.defined
    assert_allclose(vague.row.tau, 1.0, rtol=1e-7)  # the prior's median: one study says nothing


def test_a_posterior_that_does_not_integrate_keeps_its_row():
    found = bm.bridge(normal_model(WIDE, bm.Flat(), "OR"), COMPLETE_REMISSION)
    step = found["heterogeneity prior"]
    assert not step.defined
    assert "does not integrate for 2 studies" in step.sentence
    assert found["effect prior"].defined


def test_zero_cells_are_told():
    found = bm.bridge(PLAIN, counts((0, 20, 5, 20), (3, 30, 9, 30)), software="RevMan 5")
    assert any("1/2 added to every cell" in note for note in found["paper"].row.notes)
    assert any("1/2 added to every cell" in note for note in found.notes)


def test_correlated_effects_are_walked_too():
    y, S = [0.1, 0.5, 0.9], [0.04, 0.09, 0.16]
    assert all(step.defined for step in bm.bridge(normal_model(WIDE, HALF), estimates(y, S)).steps)


@pytest.mark.parametrize(
    ("model", "studies"),
    [
        (bm.Model(measure="IRR", likelihood=bm.PoissonLikelihood(baseline=BASELINE), effect=WIDE,
                  heterogeneity=HALF), bm.load("nielweise2008")),
        (bm.Model(measure="PLO", likelihood=bm.OneArmLikelihood(), effect=WIDE,
                  heterogeneity=HALF), bm.load("pritz1997")),
        (bm.Model(measure="ZCOR", likelihood=bm.CorrelationLikelihood(), effect=WIDE,
                  heterogeneity=HALF), bm.load("molloy2014")),
    ],
    ids=["rates", "one arm", "correlations"],
)  # fmt: skip
def test_every_kind_of_data_reaches_its_own_likelihood(model, studies):
    found = bm.bridge(model, studies)
    assert found.steps[-1].name == "likelihood"
    assert all(step.defined for step in found.steps)


@pytest.mark.slow
def test_the_form_of_random_effects_is_the_last_step():
    model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=WIDE,
                     heterogeneity=HALF, random_effects=bm.StudentRandomEffects(df=4))  # fmt: skip
    assert names(bm.bridge(model, COMPLETE_REMISSION))[-1] == "form"


def test_the_vague_prior_has_the_unit_of_the_data():
    assert vague_prior(bm.compute_effects(bm.load("bcg"), "OR")) == bm.HalfCauchy(1)
    wide = bm.compute_effects(estimates([0, 1], [1, 12.0**2]), "GEN")
    assert vague_prior(wide) == bm.HalfCauchy(12)


def test_an_improper_vague_prior_is_refused():
    with pytest.raises(bm.BayesmetaError, match=r"flat is not proper\. Give one that is"):
        bm.bridge(PLAIN, COMPLETE_REMISSION, vague=bm.Flat())


def test_an_unknown_method_is_refused():
    with pytest.raises(bm.BayesmetaError, match="Unknown method 'DLL'"):
        bm.bridge(PLAIN, COMPLETE_REMISSION, method="DLL")


def test_a_ratio_printed_as_zero_is_shown_and_starts_nothing():
    found = bm.bridge(PLAIN, COMPLETE_REMISSION, published=printed("0.00", "0.00", "0.02"))
    assert not found["published"].defined
    assert "estimate 5.115, where 0.00 is printed" in found["paper"].sentence


def test_the_frame_has_both_scales(zhou):
    frame = zhou.to_frame().set_index("step")
    assert_allclose(np.exp(frame["estimate"]), frame["natural_estimate"])
    assert frame.loc["paper", "scale"] == "log OR"
    assert isinstance(frame, pd.DataFrame)


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_its_terminal(zhou, width):
    from rich.console import Console

    out = StringIO()
    Console(file=out, width=width).print(bridge_table(zhou))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any("as printed" in line and "0.75, 35.02" in line for line in lines)


def test_json_has_null_where_nothing_is_defined():
    data = bridge_as_data(bm.bridge(PLAIN, counts((10, 20, 1, 20))), version="1")
    (step,) = (step for step in data["steps"] if step["step"] == "Hartung-Knapp")
    assert step["ci_low"] is None
    assert data["method"] == "MH"


def test_printed_intervals_of_another_level_say_so():
    found = bm.bridge(PLAIN, COMPLETE_REMISSION, published=ZHOU, software="RevMan 5", level=0.9)
    assert found["published"].label == "as printed, 95%"
    assert "give the printed digits of estimate, lower limit" in found["paper"].sentence
    assert_allclose(found.to_frame()["level"].iloc[:2], [0.95, 0.9])


ON_THE_COMMAND_LINE = [
    "bridge", "zhou_2019_lupus_nephritis/binary", "--measure", "OR", "--arms", "TAC+MMF+GC",
    "CYC+GC", "--outcome", "complete remission", "--published", "5.13", "0.75", "35.02",
    "--method", "random", "--software", "RevMan 5",
]  # fmt: skip


def test_the_command_walks_the_same_way(capsys):
    assert main([*ON_THE_COMMAND_LINE, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [step["step"] for step in data["steps"]][:2] == ["published", "paper"]
    assert data["method"] == "DL-MH"
    assert main(ON_THE_COMMAND_LINE) == 0
    assert "5.13    0.75, 35.02" in capsys.readouterr().out


def test_printed_numbers_that_are_none_are_refused_together(capsys):
    words = ["bridge", "bcg", "--measure", "OR", "--published", "0,5", "0.3", "x"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "'0,5' is not a plain number" in told
    assert "'x' is not a plain number" in told


def test_no_step_is_compared_with_the_printed_interval():
    """Its level and method are its own; Mantel-Haenszel is undefined without events."""
    no_events = counts((0, 20, 0, 20), (0, 30, 0, 30))
    found = bm.bridge(PLAIN, no_events, published=printed("1.5", "0.5", "4.5", model="fixed"))
    assert not found["paper"].defined
    assert found["paper"].sentence.startswith("The studies, pooled by MH: undefined for these data")
    assert "becomes" not in found["inverse variance"].sentence
    assert "the interval has no length" in found["Hartung-Knapp"].sentence
    assert "the interval has a length again" in found["vague tau prior"].sentence
