"""Running comparison files: what is written, and that nothing is half written."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from checks.fakes import as_nuts
from matplotlib import pyplot as plt
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta import run as run_module
from bayesmeta.checks import crosscheck as crosscheck_module
from bayesmeta.run import find_jobs

BCG = Path(__file__).parent.parent / "models" / "bcg.toml"
FILES = ["comparison.toml", "estimates.csv", "forest.png", "posterior.nc"]
OF_REPORT = ["comparison.toml", "conclusions.json", "report.html", "tables"]
ALL = sorted({*FILES, *OF_REPORT})


@pytest.fixture
def quick_nuts(monkeypatch):
    def fit(model, studies, *, engine="exact", **options):
        exact = bm.fit(model, studies)
        return exact if engine == "exact" else as_nuts(exact, draws=2000)

    monkeypatch.setattr(crosscheck_module, "fit", fit)


def two_outcomes(folder):
    (folder / "trials.csv").write_text(
        "study,arm,outcome,events,n\n"
        "A,drug,death,1,10\nA,placebo,death,2,10\nA,drug,pain / fever,3,10\n"
        "A,placebo,pain / fever,4,10\n"
    )
    path = folder / "trials.toml"
    path.write_text(
        'title = "Drug"\ndata = "trials.csv"\narms = ["drug", "placebo"]\n[model]\n'
        'measure = "OR"\nlikelihoods = ["normal"]\neffect = "normal(0, 2.82)"\n'
        'heterogeneity = "half_normal(0.5)"\n[[outcome]]\nname = "death"\nbetter = "lower"\n'
        '[[outcome]]\nname = "pain / fever"\nbetter = "lower"\n'
    )
    return path


@pytest.fixture(scope="module")
def bcg_results(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    plt.close("all")
    (result,) = bm.run_comparison(BCG, out, nuts=False)
    assert plt.get_fignums() == []  # a run leaves no figure open
    return out / "bcg", result


def test_the_files_are_in_a_folder_of_the_comparisons_name_below_the_index(bcg_results):
    folder, _ = bcg_results
    assert sorted(file.name for file in folder.iterdir()) == ALL
    assert sorted(path.name for path in folder.parent.iterdir()) == ["bcg", "index.html"]


def test_the_estimates_read_back(bcg_results):
    folder, result = bcg_results
    # as text: some releases of pandas lose digits of small numbers when they read floats
    back = pd.read_csv(folder / "estimates.csv", keep_default_na=False, dtype=str)
    want = result.to_long()
    assert list(back.columns) == list(want.columns)
    assert_allclose([float(text) for text in back["estimate"]], want["estimate"], rtol=1e-14)
    assert back["study"].to_list() == want["study"].to_list()


def test_every_posterior_reads_back_as_arviz_takes_it(bcg_results):
    import arviz_stats

    folder, _ = bcg_results
    tree = xr.load_datatree(folder / "posterior.nc")
    assert list(tree.children) == ["exact_normal", "exact_binomial"]
    assert tree.attrs["measure"] == "OR"
    for name in tree.children:
        summary = arviz_stats.summary(tree[name], var_names=["mu", "tau"], round_to="none")
        assert_allclose(summary.loc["mu", "mean"], -0.745, atol=0.03)
        assert list(tree[name]["posterior"]["theta"].dims) == ["chain", "draw", "study"]
        assert np.isfinite(arviz_stats.loo(tree[name], pointwise=True).elpd)


def test_the_resolved_comparison_runs_again_and_says_what_it_was_made_with(bcg_results):
    folder, _ = bcg_results
    first, again = bm.read_comparison(BCG), bm.read_comparison(folder / "comparison.toml")
    assert again.models == first.models
    assert again.methods == ("EE", "MH", "DL", "REML")
    record = tomllib.loads((folder / "comparison.toml").read_text())["record"]
    assert record["versions"]["numpy"] == np.__version__
    assert record["engine"]["exact_binomial"]["numerical_error"] < 1e-8
    assert record["failed"] is False


@pytest.mark.slow
def test_the_seed_of_a_sampled_posterior_is_recorded(tmp_path, quick_nuts):
    bm.run_comparison(BCG, tmp_path)
    record = tomllib.loads((tmp_path / "bcg" / "comparison.toml").read_text())["record"]
    assert record["engine"]["nuts_normal"]["seed"] == 1
    assert record["engine"]["nuts_normal"]["divergences"] == 0


@pytest.mark.slow
def test_a_second_run_replaces_its_files_and_no_other(tmp_path):
    bm.run_comparison(BCG, tmp_path, nuts=False)
    (tmp_path / "bcg" / "my notes.txt").write_text("mine")
    (tmp_path / "bcg" / "estimates.csv").write_text("old")
    bm.run_comparison(BCG, tmp_path, nuts=False)
    assert (tmp_path / "bcg" / "my notes.txt").read_text() == "mine"
    assert (tmp_path / "bcg" / "estimates.csv").read_text().startswith("outcome,")


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bm.run_comparison(BCG, nuts=False)
    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(run_module, "_tree", broken)
    with pytest.raises(OSError, match="disk full"):
        bm.run_comparison(BCG, tmp_path / "out", nuts=False)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert not (tmp_path / "out" / "bcg").exists()


def test_each_outcome_has_a_folder_and_a_comparison_of_its_own(tmp_path):
    results = bm.run_comparison(two_outcomes(tmp_path), tmp_path / "out", nuts=False)
    assert [result.outcome for result in results] == ["death", "pain / fever"]
    found = sorted((tmp_path / "out" / "trials").iterdir())
    assert [path.name for path in found[2:]] == OF_REPORT
    whole = bm.read_comparison(found[2])
    assert [outcome.name for outcome in whole.outcomes] == ["death", "pain / fever"]
    assert whole.load()[0][0].k == 1  # the path of its data is right from there
    folders = found[:2]
    assert [folder.name for folder in folders] == ["01_death", "02_pain_fever"]
    for folder in folders:
        assert sorted(file.name for file in folder.iterdir()) == FILES
        assert len(bm.read_comparison(folder / "comparison.toml").outcomes) == 1


def test_a_folder_is_searched_for_comparisons(tmp_path):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for place in (tmp_path / "bcg.toml", tmp_path / "deep" / "deeper" / "bcg.toml"):
        place.write_text(BCG.read_text())
    assert [job.folder for job in find_jobs([tmp_path])] == [Path("bcg"), Path("deep/deeper/bcg")]


def test_two_comparisons_of_one_name_are_refused(tmp_path):
    (tmp_path / "bcg.toml").write_text(BCG.read_text())
    with pytest.raises(bm.ComparisonError, match="Rename one"):
        find_jobs([BCG, tmp_path / "bcg.toml"])


def test_a_folder_without_comparisons_is_refused(tmp_path):
    with pytest.raises(bm.ComparisonError, match=r"no \.toml file"):
        find_jobs([tmp_path])


def test_a_place_for_results_that_is_a_file_is_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "crosscheck", None)  # not reached
    (tmp_path / "out").write_text("a file")
    with pytest.raises(bm.ComparisonError, match=r"not a folder.*another --out"):
        bm.run_comparison(BCG, tmp_path / "out", nuts=False)


def test_a_wrong_comparison_stops_all_before_any_is_run(tmp_path):
    (tmp_path / "wrong.toml").write_text(BCG.read_text().replace("lower", "lwer"))
    with pytest.raises(bm.ComparisonError, match="Did you mean 'lower'"):
        find_jobs([BCG, tmp_path / "wrong.toml"])


@pytest.mark.slow
@pytest.mark.nuts
def test_bcg_end_to_end(tmp_path):
    (result,) = bm.run_comparison(BCG, tmp_path)
    assert not result.failed, [verdict for verdict in result.verdicts if not verdict.ok]
    tree = xr.load_datatree(tmp_path / "bcg" / "posterior.nc")
    assert list(tree.children) == ["exact_normal", "exact_binomial", "nuts_normal", "nuts_binomial"]
    assert "sample_stats" in tree["nuts_binomial"].children
    assert sorted(file.name for file in (tmp_path / "bcg").iterdir()) == ALL
