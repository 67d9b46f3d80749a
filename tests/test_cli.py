"""The command line: what it prints, its JSON forms, its exit statuses, and how it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checks.fakes import as_nuts
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.checks.certify import compare_roads
from bayesmeta.cli import main
from bayesmeta.cli.output import show_progress
from bayesmeta.errors import SamplingError

BCG = Path(__file__).parent.parent / "models" / "bcg.toml"


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """call(*words): exit status, standard output and standard error, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        status = main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def data_of(call, *words):
    """The JSON object that a command prints, and nothing else."""
    status, out, err = call(*words, "--json")
    assert (status, err) == (0, "")
    return json.loads(out, parse_constant=pytest.fail)


# --- what it prints ------------------------------------------------------------------------------


def test_run_prints_the_table_and_writes_the_files(call, tmp_path):
    status, out, err = call("run", BCG, "--out", "results", "--no-nuts")
    assert (status, err) == (0, "")
    assert "BCG vaccine v no vaccination" in out
    assert "Verdict: every check passed; NUTS was left out." in out
    assert "Written to results/bcg" in out
    assert (tmp_path / "results" / "bcg" / "forest.png").stat().st_size > 10_000


def test_run_without_a_folder_writes_nothing(call, tmp_path):
    assert call("run", BCG, "--no-nuts")[0] == 0
    assert list(tmp_path.iterdir()) == []


def test_a_failed_check_is_exit_status_1(call, monkeypatch):
    def fit(model, studies, *, engine="exact", **options):
        exact = bm.fit(model, studies)
        return exact if engine == "exact" else as_nuts(exact, shift=1.0, draws=2000)

    monkeypatch.setattr(crosscheck_module, "fit", fit)
    status, out, _ = call("run", BCG)
    assert status == 1
    assert "disagrees" in out


def test_fit_prints_the_priors_and_says_which_are_defaults(call):
    status, out, _ = call("fit", "bcg", "--measure", "OR", "--tau-prior", "half_cauchy(1)")
    assert status == 0
    assert "effect ~ normal(0, 2.82) (default), heterogeneity ~ half_cauchy(1)\n" in out
    assert "mu, mean effect" in out


def test_fit_takes_and_tells_whatever_a_model_holds(call):
    options = ("--likelihood", "student", "--df", "4.5", "--random-effects", "t(4)",
               "--effect-prior", "normal(0, 30)", "--tau-prior", "half_normal(20)")  # fmt: skip
    status, out, _ = call("fit", "eight_schools", *options)
    assert status == 0
    assert "Random effects: t(4)\nDegrees of freedom: 4.5\n" in out
    model = bm.Model.from_text(**data_of(call, "fit", "eight_schools", *options)["model"])
    assert model == bm.Model(
        measure="GEN",
        likelihood=bm.StudentLikelihood(df=4.5),
        effect=bm.Normal(0, 30),
        heterogeneity=bm.HalfNormal(20),
        random_effects=bm.StudentRandomEffects(4),
    )


def test_the_baseline_may_be_the_average_of_the_arms(call):
    words = ("fit", "crins2014", "--measure", "OR", "--arms", "IL-2RA", "control")
    status, out, _ = call(*words, "--likelihood", "binomial", "--baseline-of", "average")
    assert status == 0
    assert "baseline ~ normal(0, 10) (default)" in " ".join(out.split())
    assert "Baseline of: average\n" in out


def test_unrelated_effects_need_no_prior_of_tau(call):
    found = data_of(call, "fit", "bcg", "--measure", "OR", "--random-effects", "unrelated")
    assert found["model"]["heterogeneity"] == "fixed(0)"


@pytest.mark.parametrize("command", ["fit", "certify"])
def test_the_sampler_asked_for_is_the_one_that_runs(call, monkeypatch, command):
    told = {}

    def sampled(model, studies, **options):
        told.update(options)
        raise SamplingError("stopped here")

    name = {"fit": "fit_model", "certify": "certify_model"}[command]
    monkeypatch.setattr(f"bayesmeta.cli.commands.{command}.{name}", sampled)
    words = ("--engine", "nuts") if command == "fit" else ()
    assert call(command, "bcg", "--measure", "OR", "--sampler", "pymc", *words)[0] == 2
    assert (told["sampler"], "draws" in told) == ("pymc", False)


def test_certify_gives_its_verdict_as_exit_status_and_object(call, monkeypatch):
    def certified(model, studies, **options):
        exact = bm.fit(model, studies)
        assert options["rng"] == 7
        return compare_roads(exact, as_nuts(exact, draws=options.get("draws", 8000)))

    monkeypatch.setattr("bayesmeta.cli.commands.certify.certify_model", certified)
    words = ("certify", "bcg", "--measure", "OR", "--seed", "7")
    status, out, _ = call(*words, "--draws", "400", "--json")
    data = json.loads(out, parse_constant=pytest.fail)
    assert (status, data["certified"]) == (1, False)
    assert "give more draws" in data["sentence"]
    assert data["model"]["heterogeneity"] == "half_normal(0.5)"
    status, out, _ = call(*words, "--draws", "400")
    assert status == 1
    assert "Priors: effect ~ normal(0, 2.82) (default)" in out
    assert "Not certified" in out


def test_pool_prints_a_row_per_method(call):
    _, out, _ = call("pool", "bcg", "--measure", "OR")
    assert [line.split()[0] for line in out.splitlines()[3:8]] == [
        "EE",
        "MH",
        "MH-RM",
        "DL",
        "REML",
    ]


def test_effects_prints_a_row_per_study(call):
    _, out, _ = call("effects", "hine1989", "--measure", "RD")
    assert "Mogensen" in out


def test_check_says_what_it_found(call):
    status, out, _ = call("check", BCG)
    assert status == 0
    assert "tuberculosis: 13 studies, normal, binomial; lower is better" in out


def test_data_lists_the_bundled_tables_and_prints_one(call):
    listed = call("data")[1]
    assert "eight_schools" in listed
    assert "zhou_2019_lupus_nephritis/binary" in listed
    _, out, _ = call("data", "bcg")
    assert "Aronson 1948" in out
    assert "Colditz" in out


def test_data_prints_the_results_of_a_publication_with_what_is_behind_them(call):
    _, out, _ = call("data", "wang_2018_nephrotic_syndrome")
    assert "wang-R-08" in out
    assert "0.00, 0.02" in out
    assert "candidates" in out


def test_one_of_several_solutions_is_chosen(call):
    words = ["pool", "zhou_2019_lupus_nephritis/binary", "--measure", "OR", "--method", "MH-RM"]
    words += ["--outcome", "complete remission", "--arms", "TAC+GC", "MMF+GC"]
    status, _, error = call(*words)
    assert (status, "there are 3 solutions" in error) == (2, True)
    assert call(*words, "--solution", "2")[0] == 0


def test_version(call):
    assert call("--version")[1].strip() == bm.__version__


def test_a_narrow_terminal_loses_no_digit(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = call("run", BCG, "--no-nuts")
    assert "…" not in out
    assert "0.133, 1.696" in out


def test_a_csv_file_is_read_and_its_arms_are_chosen(call, tmp_path):
    (tmp_path / "trials.csv").write_text(
        "study,arm,events,n\nA,drug,1,10\nA,placebo,2,10\nB,drug,2,20\nB,placebo,3,20\n"
    )
    chosen = ("trials.csv", "--measure", "OR", "--arms")
    one = data_of(call, "effects", *chosen, "drug", "placebo")["rows"][0]["estimate"]
    other = data_of(call, "effects", *chosen, "placebo", "drug")["rows"][0]["estimate"]
    assert_allclose(one, -other)


def test_an_outcome_is_chosen(call, tmp_path):
    (tmp_path / "trials.csv").write_text(
        "study,outcome,estimate,se\nA,death,0.1,0.2\nA,pain,0.3,0.4\nB,death,0.2,0.2\n"
    )
    found = data_of(call, "pool", "trials.csv", "--outcome", "death", "--method", "EE")
    assert_allclose(found["estimate"], 0.15)


def test_nothing_of_progress_reaches_a_pipe(call):
    _, out, err = call("run", BCG, "--no-nuts")
    assert "exact posterior," not in out + err


# --- JSON ----------------------------------------------------------------------------------------


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


# --- bad input -----------------------------------------------------------------------------------

HEADER = "study,ai,n1i,ci,n2i\n"
GOOD = "Hart,1,10,2,10\n"
TABLES = {
    "more events than patients": (HEADER + "Maki,12,10,2,10\n", ["line 2", "Maki", "swapped"]),
    "a negative count": (HEADER + "Hart,-1,10,2,10\n", ["line 2", "ai = -1", "start at 0"]),
    "a fraction of a patient": (HEADER + "Hart,1.5,10,2,10\n", ["line 2", "ai = 1.5", "Give"]),
    "a missing number": (HEADER + "Hart,NaN,10,2,10\n", ["line 2", "ai", "Fill it in"]),
    "a text for a number": (HEADER + "Hart,one,10,2,10\n", ["line 2", "ai = one", "12 or 0.35"]),
    "a study twice": (HEADER + GOOD + GOOD, ["line 3", "Hart", "given twice"]),
    "one arm only": ("study,arm,events,n\nA,drug,1,10\n", ["line 2", "'A'", "other arm"]),
    "an empty file": ("", ["empty", "Save"]),
    "no header": ("Hart,1,10,2,10\nMaki,2,10,3,10\n", ["header", "names of the columns"]),
    "a header alone": (HEADER, ["no rows", "Add"]),
    "another delimiter": (HEADER.replace(",", ";"), ["semicolons", "commas"]),
    "an infinite effect": ("study,yi,vi\nA,inf,1\nB,1,1\n", ["line 2", "yi = inf", "infinite"]),
    "a variance of zero": ("study,yi,vi\nA,1,0\nB,1,1\n", ["line 2", "vi = 0", "infinite weight"]),
    "a negative standard error": ("study,estimate,se\nA,1,-1\n", ["line 2", "se = -1", "sign"]),
    "a missing label": (HEADER + ",1,10,2,10\n", ["line 2", "study", "label"]),
    "an empty arm": (HEADER + "Hart,0,0,2,10\n", ["line 2", "without patients"]),
    "a row too long": (HEADER + "Hart,1,10,2,10,7\n", ["line 2"]),
    "unknown columns": ("name,a,b\nx,1,2\n", ["study"]),
}  # fmt: skip


def assert_refused(result, parts, folder):
    status, out, err = result
    assert (status, out) == (2, "")
    assert err.startswith("bayesmeta: ")
    assert "Traceback" not in err
    for part in parts:
        assert part in err
    assert not (folder / "results").exists()


@pytest.mark.parametrize(("text", "parts"), TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("command", ["fit", "pool", "effects"])
def test_a_broken_table_is_refused(call, tmp_path, command, text, parts):
    (tmp_path / "trials.csv").write_text(text)
    assert_refused(call(command, "trials.csv", "--measure", "OR"), parts, tmp_path)


@pytest.mark.parametrize(("text", "parts"), TABLES.values(), ids=TABLES)
def test_a_comparison_of_a_broken_table_is_refused(call, tmp_path, text, parts):
    (tmp_path / "trials.csv").write_text(text)
    (tmp_path / "spec.toml").write_text(
        BCG.read_text().replace('data = "bcg"', 'data = "trials.csv"')
    )
    assert_refused(call("run", "spec.toml", "--out", "results"), parts, tmp_path)


COMMANDS = {
    "a missing table": (["fit", "no.csv", "--measure", "OR"], ["no.csv", "Check the path"]),
    "a misspelt table": (["fit", "bcgg", "--measure", "OR"], ["bcgg", "'bcg'"]),
    "a misspelt bundled table": (["data", "bgc"], ["bgc", "'bcg'"]),
    "an unknown measure": (["pool", "bcg", "--measure", "XX"], ["XX", "RD"]),
    "no measure": (["fit", "bcg"], ["--measure", "OR, RR, RD"]),
    "an unknown method": (["pool", "bcg", "--measure", "OR", "--method", "RML"], ["RML", "REML"]),
    "an unknown interval": (
        ["pool", "bcg", "--measure", "OR", "--interval", "hk"], ["hk", "hksj"],
    ),
    "an unknown engine": (["fit", "bcg", "--measure", "OR", "--engine", "stan"], ["stan", "nuts"]),
    "an unknown likelihood": (
        ["fit", "bcg", "--measure", "OR", "--likelihood", "probit"], ["probit", "binomial"],
    ),
    "an unknown prior": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "gamma(1, 1)"], ["gamma", "half_normal"],
    ),
    "a negative scale": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "half_normal(-1)"], ["-1", "positive"],
    ),
    "a prior that is code": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "__import__('os')"], ["__import__"],
    ),
    "an error rate for a level": (
        ["fit", "bcg", "--measure", "OR", "--level", "0.05"], ["0.05", "0.95"],
    ),
    "an error rate for a level of pool": (
        ["pool", "bcg", "--measure", "OR", "--level", "0.05"], ["0.05", "0.95"],
    ),
    "an unknown correction": (
        ["fit", "bcg", "--measure", "OR", "--correction", "some"], ["some", "only0"],
    ),
    "a correction that is not used": (
        ["fit", "bcg", "--measure", "OR", "--likelihood", "binomial", "--correction", "all"],
        ["Leave --correction out"],
    ),
    "a baseline that is not used": (
        ["fit", "bcg", "--measure", "OR", "--baseline-prior", "normal(0, 1)"],
        ["Leave --baseline-prior out"],
    ),
    "an option of another likelihood": (
        ["fit", "bcg", "--measure", "OR", "--df", "4"], ["Leave --df out", "student"],
    ),
    "a baseline of another likelihood": (
        ["certify", "bcg", "--measure", "OR", "--baseline-of", "average"],
        ["Leave --baseline-of out", "binomial"],
    ),
    "an unknown baseline": (
        ["fit", "bcg", "--measure", "OR", "--baseline-of", "treated"], ["control", "average"],
    ),
    "degrees of freedom that are none": (
        ["fit", "raudenbush1985", "--likelihood", "student", "--df", "0", "--effect-prior",
         "normal(0, 1)", "--tau-prior", "half_normal(1)"], ["above 0"],
    ),
    "an unknown form of the random effects": (
        ["fit", "bcg", "--measure", "OR", "--random-effects", "student(4)"],
        ["t(4)", "outliers(2)", "unrelated"],
    ),
    "an unknown sampler": (
        ["certify", "bcg", "--measure", "OR", "--sampler", "stan"], ["nutpie", "pymc"],
    ),
    "a sampler of an exact fit": (
        ["fit", "bcg", "--measure", "OR", "--sampler", "pymc"], ['engine="nuts"'],
    ),
    "draws of an exact fit": (["fit", "bcg", "--measure", "OR", "--draws", "10"], ["draws"]),
    "a seed of an exact fit": (["fit", "bcg", "--measure", "OR", "--seed", "1"], ["rng"]),
    "no default prior": (
        ["fit", "eight_schools"], ["--effect-prior", "--tau-prior", '"half_normal(10)"'],
    ),
    "arms not chosen": (["fit", "crins2014", "--measure", "OR"], ["--arms", "IL-2RA"]),
    "three arms where two are wanted": (
        ["pool", "three.csv", "--measure", "OR"], ["--arms", "'low'"],
    ),
    "one arm": (["fit", "crins2014", "--measure", "OR", "--arms", "IL-2RA"], ["arms", "2"]),
    "an unknown arm": (
        ["fit", "crins2014", "--measure", "OR", "--arms", "IL-2RA", "contrl"], ["'control'"],
    ),
    "an unknown outcome": (["fit", "bcg", "--measure", "OR", "--outcome", "pain"], ["pain"]),
    "an unknown option": (["fit", "bcg", "--mesure", "OR"], ["--measure"]),
    "an unknown command": (["fitt"], ["fitt", "fit"]),
    "a word too many": (["fit", "bcg", "bcg", "--measure", "OR"], ["bcg"]),
    "an improper posterior": (
        ["fit", "two.csv", "--effect-prior", "flat", "--tau-prior", "flat"], ["prior"],
    ),
    "no comparison": (["run"], ["models/bcg.toml"]),
    "a missing comparison": (["run", "no.toml", "--out", "results"], ["no.toml", "Check the path"]),
    "a folder without comparisons": (["check", "."], ["no .toml file"]),
}  # fmt: skip


@pytest.mark.parametrize(("words", "parts"), COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_command_is_refused(call, tmp_path, words, parts):
    (tmp_path / "two.csv").write_text("study,yi,vi\nA,0.1,0.2\nB,0.2,0.2\n")
    three = "study,arm,events,n\nA,low,1,10\nA,high,2,10\nA,placebo,3,10\n"
    (tmp_path / "three.csv").write_text(three)
    assert_refused(call(*words), parts, tmp_path)


SPECS = {
    "a misspelt key": (("heterogeneity", "heterogenity"), ["heterogenity", "heterogeneity"]),
    "a missing baseline": (("baseline =", "# baseline ="), ["model.baseline", "normal(0, 10)"]),
    "an unknown table": (('data = "bcg"', 'data = "bgc"'), ["data", "bcg"]),
    "three arms": (('"control"]', '"control", "other"]'), ["arms", "two"]),
    "no TOML": (("[model]", "[model"), ["line"]),
}


@pytest.mark.parametrize(("change", "parts"), SPECS.values(), ids=SPECS)
def test_a_wrong_comparison_is_refused_and_leaves_no_file(call, tmp_path, change, parts):
    text = BCG.read_text()
    assert change[0] in text
    (tmp_path / "spec.toml").write_text(text.replace(*change, 1))
    assert_refused(call("run", "spec.toml", "--out", "results"), parts, tmp_path)
    assert_refused(call("check", "spec.toml"), parts, tmp_path)


TABLE_COMMANDS = ("fit", "certify", "pool", "effects", "bias", "influence")


@pytest.mark.parametrize("command", [*TABLE_COMMANDS, "run", "check", "data"])
def test_every_command_explains_itself(call, command):
    status, out, _ = call(command, "--help")
    assert status == 0
    assert f"bayesmeta {command}" in out


@pytest.mark.parametrize("command", TABLE_COMMANDS)
def test_help_tells_what_the_reader_may_be_told_apart_from_the_rest(call, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = call(command, "--help")
    own, reader = out.split("Reading the table")
    assert all(f"--{name} " in own for name in ("measure", "arms", "outcome", "correction", "json"))
    told = ("columns", "scale", "data-level", "analysis", "correlation", "conversion", "shared")
    assert all(f"--{name} " in reader and f"--{name} " not in own for name in told)


def test_help_lists_the_choices_of_intervals(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = call("pool", "--help")
    words = " ".join(out.replace("│", " ").split())
    for choices in (
        "wald, t, hksj, hksj-adhoc, henmi-copas, profile",
        "metafor, hts, nagashima",
        "q-profile, generalised-q",
    ):
        assert choices in words


VALUED = {
    "pool": (
        "measure", "arms", "outcome", "correction", "method", "interval", "pi", "tau2-interval",
        "level", "columns", "scale", "data-level", "analysis", "correlation", "conversion",
        "shared",
    ),
    "fit": (
        "likelihood", "effect-prior", "tau-prior", "baseline-prior", "baseline-of", "df",
        "random-effects", "engine", "draws", "seed", "sampler",
    ),
    "run": ("out",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "option"), [(name, option) for name in VALUED for option in VALUED[name]]
)
def test_an_option_without_its_value_is_refused_in_one_line(call, command, option):
    status, out, err = call(command, "bcg", f"--{option}")
    assert (status, out) == (2, "")
    assert err.startswith("bayesmeta: ")
    assert err.count("\n") == 1
    assert f"--{option} requires" in err.replace('"', "")  # releases of cyclopts quote or not


@pytest.mark.parametrize(
    ("option", "choice"),
    [
        ("correction", "only0"),
        ("interval", "henmi-copas"),
        ("pi", "nagashima"),
        ("tau2-interval", "generalised-q"),
        ("scale", "ratio"),
        ("conversion", "luo-wan"),
        ("shared", "split"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_one_line(call, option, choice):
    status, out, err = call("pool", "bcg", f"--{option}", "other")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"--{option}" in err
    assert choice in err


def test_progress_is_shown_on_a_terminal(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with show_progress() as progress:
        progress.advance("sampling")
        assert progress._bar.tasks[0].description == "sampling"


@pytest.mark.slow
@pytest.mark.nuts
def test_fit_by_nuts_gives_the_same_numbers(call):
    options = ("--engine", "nuts", "--draws", "1000", "--seed", "3")
    sampled = data_of(call, "fit", "bcg", "--measure", "OR", *options)
    exact = data_of(call, "fit", "bcg", "--measure", "OR")
    assert (sampled["engine"], sampled["numerical_error"]) == ("nuts", None)
    means = [[each["mean"] for each in found["parameters"]] for found in (sampled, exact)]
    assert_allclose(means[0], means[1], atol=0.05)


@pytest.mark.slow
def test_the_program_runs_as_a_process_and_as_a_module():
    words = ["pool", "bcg", "--measure", "OR", "--method", "EE", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "bayesmeta", *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["k"] == 13
    refused = subprocess.run(
        [sys.executable, "-m", "bayesmeta", "fit", "bcg"], capture_output=True, check=False
    )
    assert refused.returncode == 2


# --- what the reader is told ----------------------------------------------------------------------

PRINTED = "study,HR,von,bis\nA,0.70,0.50,0.98\nB,0.85,0.60,1.20\n"


def test_columns_scale_and_level_may_be_told(call, tmp_path):
    (tmp_path / "printed.csv").write_text(PRINTED)
    words = ("--columns", "ci_low=von", "--columns", "ci_high=bis", "--data-level", "90")
    found = data_of(call, "effects", "printed.csv", *words)
    assert (found["measure"], found["scale"]) == ("HR", "log")
    # log(0.98 / 0.50) / (2 x 1.6448536269514722)
    assert_allclose(found["rows"][0]["variance"], 0.204560595**2, rtol=1e-6)
    assert found["rows"][0]["note"].startswith("SE from the 90% interval 0.50 to 0.98")
    status, out, _ = call("effects", "printed.csv", *words)
    assert status == 0
    assert "good to 2 digits" in " ".join(out.split())


def test_a_table_of_hazard_ratios_is_fitted_with_its_default_priors(call, tmp_path):
    (tmp_path / "hr.csv").write_text(PRINTED.replace("von,bis", "lower,upper"))
    status, out, err = call("fit", "hr.csv")
    assert (status, err) == (0, "")
    assert "hazard ratio, 2 studies" in out
    assert "effect ~ normal(0, 2.82) (default)" in out
    assert call("pool", "hr.csv", "--method", "DL")[0] == 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("bcg", "--measure", "OR", "--scale", "ratio"), ("scale", "told, but")),
        (("t.csv", "--columns", "ci_low"), ("--columns = ci_low", "events=deaths")),
        (("t.csv", "--columns", "ci_lo=von"), ("Did you mean 'ci_low'",)),
        (
            ("t.csv", "--columns", "ci_low=von", "--columns", "ci_low=bis"),
            ("ci_low=von", "ci_low=bis", "ci_low is given twice"),
        ),
        (("t.csv", "--data-level", "0.05"), ("level = 0.05", "Write 0.95")),
        (("t.csv", "--scale", "log"), ("Invalid value", "--scale")),
        (("t.csv", "--analysis", "1.1"), ("RevMan did not write this table",)),
    ],
)
def test_what_is_told_in_vain_is_refused(call, tmp_path, words, parts):
    (tmp_path / "t.csv").write_text(PRINTED)
    status, _, err = call("effects", *words)
    assert status == 2
    for part in parts:
        assert part in err
