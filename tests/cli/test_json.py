"""The command line's JSON forms."""

import json

from numpy.testing import assert_allclose

import bayesmeta as bm
from tests.cli.results import data_of


def test_fit_as_json_has_the_keys_that_were_promised(call):
    found = data_of(call, "fit", "bcg", "--measure", "OR", "--likelihood", "binomial")
    assert list(found) == [
        "bayesmeta", "measure", "scale", "likelihood", "engine", "priors", "model", "k",
        "log_marginal_likelihood", "numerical_error", "nuts", "parameters", "studies", "notes",
    ]  # fmt: skip
    assert [list(each) for each in found["parameters"]] == [
        ["name", "mean", "sd", "q2.5", "q50", "q97.5", "p_below_zero"]
    ] * 3
    assert [each["name"] for each in found["parameters"]] == ["mu", "tau", "theta_new"]
    assert list(found["studies"][0]) == ["study", "mean", "sd", "q2.5", "q50", "q97.5"]
    assert (found["scale"], found["engine"], found["k"]) == ("log", "exact", 13)
    assert found["priors"] == {
        "effect": "normal(0, 2.82)",
        "heterogeneity": "half_normal(0.5)",
        "baseline": "normal(0, 10)",
    }


def test_fit_as_json_gives_the_numbers_of_the_posterior(call):
    found = data_of(call, "fit", "bcg", "--measure", "OR")
    model = bm.Model(
        measure="OR",
        likelihood=bm.NormalLikelihood(),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    posterior = bm.fit(model, bm.load("bcg"))
    mu, tau, _ = found["parameters"]
    assert mu["q97.5"] == float(posterior.mu.quantile(0.975))
    assert mu["p_below_zero"] == float(posterior.mu.cdf(0.0))
    assert tau["p_below_zero"] == 0.0
    assert found["log_marginal_likelihood"] == posterior.log_marginal_likelihood
    assert_allclose([study["mean"] for study in found["studies"]], posterior.theta.mean)


def test_the_level_names_the_quantiles(call):
    found = data_of(call, "fit", "bcg", "--measure", "OR", "--level", "0.9")
    assert list(found["parameters"][0])[3:6] == ["q5", "q50", "q95"]


def test_numbers_that_do_not_exist_are_null(call):
    flat = ("--effect-prior", "flat", "--tau-prior", "flat")
    few = bm.load("bcg").drop(*bm.load("bcg").studies[4:]).frame.drop(columns="outcome")
    few.to_csv("few.csv", index=False)
    arms = ("--arms", "treated", "control")
    found = data_of(call, "fit", "few.csv", "--measure", "OR", *flat, *arms)
    assert found["parameters"][1]["sd"] is None


POOLED = [
    "bayesmeta", "measure", "scale", "method", "interval", "k", "estimate", "se", "ci_low",
    "ci_high", "p_value", "tau2", "tau2_ci_low", "tau2_ci_high", "tau2_interval", "i2",
    "i2_ci_low", "i2_ci_high", "h2", "h2_ci_low", "h2_ci_high", "q", "q_df", "q_p",
    "pi_low", "pi_high", "pi_method", "notes",
]  # fmt: skip


def test_pool_takes_several_methods_and_rules_and_names_its_intervals(call):
    rule = "DL if Q p < 0.1 or I2 > 50% else MH"
    words = [
        "pool",
        "bcg",
        "--measure",
        "OR",
        "--method",
        rule,
        "--method",
        "MH",
        "--interval",
        "hksj",
    ]
    status, out, _ = call(*words[:-2], "--pi", "hts", "--tau2-interval", "generalised-q")
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    for told in ("the rule takes DL", "t(k - 2)", "95% intervals by generalised-q: tau2 0.1"):
        assert told in out
    assert call(*words)[0] == 2  # MH, asked for by name, has no such interval


def test_pool_as_json_is_one_row_or_all(call):
    one = data_of(call, "pool", "bcg", "--measure", "OR", "--method", "REML")
    every = data_of(call, "pool", "bcg", "--measure", "OR")
    assert sorted(one) == sorted(POOLED)
    assert list(every) == ["rows"]
    assert one in every["rows"]
    assert every["rows"][0]["pi_low"] is None


def test_effects_as_json(call):
    found = data_of(call, "effects", "nielweise2007", "--measure", "OR")
    assert list(found) == ["bayesmeta", "measure", "scale", "rows", "notes"]
    assert list(found["rows"][0]) == ["study", "estimate", "variance", "note"]
    assert found["rows"][0]["note"]
    effects = bm.compute_effects(bm.load("nielweise2007"), "OR")
    assert_allclose([row["variance"] for row in found["rows"]], effects.S)


def test_an_error_as_json_is_the_only_output(call, tmp_path):
    (tmp_path / "t.csv").write_text("study,ai,n1i,ci,n2i\nA,11,10,1,10\nB,-1,10,x,10\n")
    status, out, err = call("fit", "t.csv", "--measure", "OR", "--json")
    error = json.loads(out)["error"]
    assert (status, err) == (2, "")
    assert error["type"] == "StudyTableError"
    assert [list(problem) for problem in error["problems"]] == [
        ["row", "column", "study", "value", "what", "fix"]
    ] * 3
    assert [problem["row"] for problem in error["problems"]] == [2, 3, 3]


def test_a_wrong_option_as_json(call):
    status, out, err = call("fit", "bcg", "--measur", "OR", "--json")
    assert (status, err) == (2, "")
    message = json.loads(out)["error"]["message"]
    assert "Did you mean --measure" in message.replace('"', "")  # releases of cyclopts quote or not
