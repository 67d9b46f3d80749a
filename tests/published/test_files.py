"""The comparison files of the bundled publications: nothing analysable is left out."""

import tomllib
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from scipy.special import stdtr

import bayesmeta as bm
from bayesmeta.studies.bundled import bundled_folders, read_source

FOLDER = Path(__file__).parents[2] / "models"
FILES = sorted(FOLDER.glob("*/*.toml"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in FILES]
ELSEWHERE = {  # rows that are no effect, and where they are computed again
    "wang-B-01": "t and P agree, below; the studies behind it are not known",
    "wang-B-02": "test_recompute.py: Harbord's test from the eight counts",
}


def sections(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))


def rows_behind(file):
    """Names of the printed rows behind each outcome: as the file says, and as its data do."""
    for outcome in file["outcome"]:
        named = {outcome["published"].rpartition("/")[2]} if "published" in outcome else set()
        of_data = rows_of_data(outcome.get("data", file["data"]), outcome["name"], file.get("arms"))
        assert len(named | of_data) <= 1, f"{outcome['name']} has the data of another row"
        yield from named | of_data


def rows_of_data(data, outcome, arms):
    frame = pd.DataFrame() if data == "published" else bm.load_frame(data)
    if "row" not in frame:
        return set()
    frame = frame[frame["outcome"] == outcome]
    if arms is None:
        return set(frame["row"])
    return {row for row, part in frame.groupby("row") if set(part["arm"]) == set(arms)}


@pytest.fixture(scope="module")
def covered():
    return Counter(row for path in FILES for row in rows_behind(sections(path)))


def own_rows():
    return [
        row for name in bm.available_published() for row in bm.load_published(name)
        if not row.restates
    ]  # fmt: skip


def test_every_analysable_row_is_in_one_comparison_file(covered):
    expected = {row.row_id for row in own_rows() if row.status != "not analysable"}
    assert covered == dict.fromkeys(expected - ELSEWHERE.keys(), 1)


def test_a_row_that_is_not_analysable_says_why_and_is_in_no_file(covered):
    found = {row.row_id: row.reason for row in own_rows() if row.status == "not analysable"}
    assert len(found) == 13
    assert all(found.values())
    assert not found.keys() & covered.keys()


def test_the_other_bias_test_has_the_p_value_of_its_t():
    (row,) = (row for row in own_rows() if row.row_id == "wang-B-01")
    t, p = row.printed.estimate, row.printed.p
    ends = [2 * stdtr(2, -(t.value + sign * t.half_unit)) for sign in (1, -1)]
    assert (t.text, p.text) == ("0.37", "0.745")
    assert ends[0] < p.value + p.half_unit
    assert ends[1] > p.value - p.half_unit


@pytest.mark.parametrize("cohort", ["miwa_sle_cohort", "tani_2018_sle_cohort"])
def test_every_proportion_of_a_cohort_after_baseline_is_analysed(cohort):
    frame = bm.load_frame(f"{cohort}/single_arm")
    after = frame.loc[~frame["outcome"].str.contains("baseline"), "outcome"]
    named = [
        outcome["name"]
        for path in sorted((FOLDER / cohort).glob("*.toml"))
        if sections(path)["data"] == f"{cohort}/single_arm"
        for outcome in sections(path)["outcome"]
    ]
    assert Counter(named) == Counter(after)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_has_the_rule_and_the_software_of_its_publication(path):
    source = read_source(bundled_folders()[path.parent.name])
    reference = sections(path).get("reference", {})
    if path.stem == "tac_v_placebo":  # not pooled by the publication: no rule was used
        assert "rule" not in reference
        return
    assert reference.get("rule") == source.get("rule")
    assert reference.get("software") == source.get("software")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_file_of_published_rows_names_no_likelihood_of_counts(path):
    file = sections(path)
    if file["data"] == "published":
        assert file["model"]["likelihoods"] == ["normal"]


def test_directions_of_benefit_are_those_of_the_outcomes():
    outcomes = [one for path in FILES for one in sections(path)["outcome"]]
    directions = {(one["name"].partition(",")[0], one["better"]) for one in outcomes}
    assert len(directions) == len({name for name, _ in directions})  # one name, one direction
    of_reviews = [
        one
        for path in FILES
        if not path.parent.name.endswith("_cohort")
        for one in sections(path)["outcome"]
    ]
    names = {one["name"].partition(",")[0] for one in of_reviews if one["better"] == "higher"}
    assert names == {
        "C3", "C4", "anti-dsDNA negative", "complete remission", "complete renal response",
        "glomerular filtration rate", "partial remission", "partial renal response",
        "rise of serum albumin", "serum albumin", "total remission", "total renal response",
        "total response at 6 months",
    }  # fmt: skip
