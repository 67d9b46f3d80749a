"""Reasons of priors: from the comparison file to the report."""

import pytest

import bayesmeta as bm
from bayesmeta.effects import get_measure
from bayesmeta.report.html.prior_reasons import NOT_RECORDED, explain_priors

FILE = """
title = "BCG vaccine"
data = "bcg"
arms = ["treated", "control"]
[model]
measure = "OR"
likelihoods = ["normal"]
effect = "normal(0, 1)"
heterogeneity = "half_normal(0.5)"
{more}
[[outcome]]
name = "tuberculosis"
better = "lower"
"""


@pytest.fixture
def read(tmp_path):
    """read(more): the comparison of a file with these lines more."""

    def read(more):
        path = tmp_path / "bcg.toml"
        path.write_text(FILE.format(more=more), encoding="utf-8")
        return bm.read_comparison(path)

    return read


def test_reasons_survive_reading_and_writing(read, tmp_path):
    comparison = read('[reasons]\neffect = "vaccines rarely do more"')
    assert comparison.reasons == {"effect": "vaccines rarely do more"}
    bm.write_comparison(comparison, tmp_path / "again.toml")
    assert bm.read_comparison(tmp_path / "again.toml") == comparison


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ('[reasons]\ntau = "habit"', "reasons.tau"),
        ('[reasons]\neffect = " "', "reasons.effect"),
        ("[reasons]\neffect = 3", "reasons.effect"),
        ('[reasons]\nbaseline = "wide"', "reasons.baseline"),  # the normal likelihood has none
    ],
)
def test_a_fault_of_the_reasons_is_told_at_its_place(read, more, place):
    with pytest.raises(bm.ComparisonError) as caught:
        read(more)
    assert [problem.column for problem in caught.value.problems] == [place]


def test_a_reason_stands_with_its_prior_and_a_prior_without_one_is_told():
    model = bm.Model(
        measure="OR",
        likelihood=bm.BinomialLikelihood(bm.Normal(0, 10)),
        effect=bm.Normal(0, 1),
        heterogeneity=bm.HalfNormal(0.5),
    )
    told = explain_priors(model, get_measure("OR"), {"effect": "vaccines rarely do more."})
    assert told["effect"].endswith("; reason: vaccines rarely do more")
    assert "source: Röver" in told["heterogeneity"]
    assert told["baseline"].endswith(NOT_RECORDED)
