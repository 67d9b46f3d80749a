"""The command line: what it prints, and its exit statuses."""

import json
import subprocess
import sys

import pytest
from checks.fakes import as_nuts
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.checks.certify import compare_roads
from bayesmeta.cli.output import show_progress
from bayesmeta.errors import SamplingError
from tests.cli.results import BCG, data_of


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
