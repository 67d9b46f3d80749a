"""Outcomes of a comparison with data, models and published rows of their own."""

import pytest
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.run import run_comparison

ZHOU = "zhou_2019_lupus_nephritis"
FILE = f"""
title = "TAC v MMF"
data = "{ZHOU}/binary"
arms = ["TAC+GC", "MMF+GC"]
[model]
measure = "OR"
likelihoods = ["normal"]
effect = "normal(0, 2.82)"
heterogeneity = "half_normal(0.5)"
[reference]
software = "RevMan 5"
rule = "random if Q p < 0.1 else fixed"
[[outcome]]
name = "complete remission"
better = "higher"
published = "{ZHOU}/zhou-2-11"
[[outcome]]
name = "serum albumin"
better = "higher"
data = "published"
published = "{ZHOU}/zhou-2-14"
[outcome.model]
measure = "MD"
likelihoods = ["normal"]
effect = "normal(0, 30)"
heterogeneity = "half_normal(5)"
"""


@pytest.fixture
def write(tmp_path):
    """write(text): a comparison file in an empty folder."""

    def write(text):
        path = tmp_path / "file.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path):
    with pytest.raises(bm.ComparisonError) as caught:
        bm.read_comparison(path)
    return {problem.column: problem for problem in caught.value.problems}


def test_an_outcome_can_have_its_own_data_and_models(write, tmp_path):
    comparison = bm.read_comparison(write(FILE))
    remission, albumin = comparison.outcomes
    assert [model.measure for model in comparison.models_of(remission)] == ["OR"]
    assert [model.measure for model in comparison.models_of(albumin)] == ["MD"]
    assert [len(tables) for tables in comparison.load()] == [3, 0]
    bm.write_comparison(comparison, tmp_path / "copy.toml")
    assert bm.read_comparison(tmp_path / "copy.toml") == comparison


def test_a_published_row_is_taken_from_its_publication_with_all_digits(write):
    row = bm.read_comparison(write(FILE)).outcomes[0].published
    assert (row.model, row.k, row.estimate.text, row.q_p.text) == ("fixed", 3, "0.95", "0.18")
    assert [limit.text for limit in row.ci] == ["0.54", "1.64"]


def test_all_reconstructions_are_fitted_and_their_range_is_kept(write):
    remission, _ = run_comparison(write(FILE), nuts=False)
    assert len(remission.others) == 2
    every = [one.models[0].exact.mu.quantile(0.5) for one in (remission, *remission.others)]
    ((low, high),) = (ends for ends in remission.ranges if ends[0].road == "exact")
    assert low.estimate < high.estimate
    assert_allclose([low.estimate, high.estimate], [min(every), max(every)], rtol=1e-12)


def test_an_outcome_of_which_only_the_row_is_known_is_analysed_by_it(write):
    _, albumin = run_comparison(write(FILE), nuts=False)
    assert (albumin.studies, albumin.k, albumin.arms) == (None, 2, ("TAC+GC", "MMF+GC"))
    assert [row.road for row in albumin.rows] == ["published", "exact"]
    assert albumin.rows[1].pi_low < albumin.rows[1].ci_low < -0.90 < albumin.rows[1].ci_high
    assert not albumin.failed
    frame = albumin.to_long()
    assert set(frame["quantity"]) == {"mu", "theta_new", "tau", "p_below_null"}


def test_everything_is_written_for_a_published_row_too(write, tmp_path):
    run_comparison(write(FILE), tmp_path / "out", nuts=False)
    folder = tmp_path / "out" / "file" / "02_serum_albumin"
    assert {file.name for file in folder.iterdir()} == {
        "comparison.toml", "estimates.csv", "forest.png", "posterior.nc",
    }  # fmt: skip
    (again,) = run_comparison(folder / "comparison.toml", nuts=False)
    first = run_comparison(write(FILE), nuts=False)[1]
    assert_allclose(again.rows[1].estimate, first.rows[1].estimate, rtol=0, atol=0)


def test_an_outcome_without_data_needs_a_published_row(write):
    text = FILE.replace(f'published = "{ZHOU}/zhou-2-14"\n', "")
    assert "no other data" in problems_of(write(text))["outcome[1].published"].what


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (f"{ZHOU}/zhou-9-99", "not a row"),
        ("zhou_2018/zhou-2-14", "no bundled publication"),
        ("zhou-2-14", "no bundled publication"),
        (f"{ZHOU}/zhou-D-02", "not analysable: no estimate is printed"),
    ],
)
def test_a_name_that_is_no_published_row_is_told(write, name, what):
    found = problems_of(write(FILE.replace(f"{ZHOU}/zhou-2-14", name)))
    assert what in found["outcome[1].published"].what


def test_data_of_an_outcome_that_are_not_there_are_told(write):
    found = problems_of(write(FILE.replace('data = "published"', 'data = "publishd"')))
    assert "neither a bundled table nor a file" in found["outcome[1].data"].what


def test_the_models_of_an_outcome_are_held_against_its_data(write):
    text = FILE.replace('data = "published"\n', "").replace("serum albumin", "total remission")
    found = problems_of(write(text))
    assert list(found) == ["outcome[1].model.measure (normal likelihood)"]


def test_without_a_model_every_outcome_needs_its_own(write):
    start, end = FILE.index("[model]"), FILE.index("[reference]")
    found = problems_of(write(FILE[:start] + FILE[end:]))
    assert found["model"].what == "missing"
