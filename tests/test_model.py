import pytest

import bayesmeta as bm
from bayesmeta.errors import ModelError
from bayesmeta.model import read_likelihood


@pytest.mark.parametrize(
    "model",
    [
        bm.Model(
            measure="OR",
            likelihood=bm.BinomialLikelihood(baseline=bm.StudentT(3, -2, 1.5)),
            effect=bm.Cauchy(0, 0.7),
            heterogeneity=bm.OnTau2(bm.Truncated(bm.InverseGamma(1, 0.15), 0.01, 4)),
        ),
        bm.Model(
            measure="OR",
            likelihood=bm.BinomialLikelihood(bm.Normal(0, 10), baseline_of="average"),
            effect=bm.Normal(0, 2.82),
            heterogeneity=bm.HalfNormal(0.5),
        ),
        bm.Model(
            measure="RD",
            likelihood=bm.NormalLikelihood(),
            effect=bm.Flat(),
            heterogeneity=bm.Fixed(0),
            correction="all",
        ),
    ],
)
def test_a_model_is_its_text(model):
    again = bm.Model.from_text(**model.as_text())
    assert again == model
    assert hash(again) == hash(model)


def test_a_model_binds_to_any_table():
    model = bm.Model.from_text(
        measure="OR",
        likelihood="binomial",
        baseline="normal(0, 10)",
        effect="normal(0, 2.82)",
        heterogeneity="half_normal(0.5)",
    )
    for name in ("bcg", "hine1989"):
        assert model.bind(bm.load(name)).studies == bm.load(name).studies


def test_a_heterogeneity_prior_of_negative_values_is_refused_with_the_remedy():
    with pytest.raises(ModelError, match=r"negative SD. Use truncated\(normal\(0, 1\), 0, inf\)"):
        bm.Model(
            measure="OR",
            likelihood=bm.NormalLikelihood(),
            effect=bm.Flat(),
            heterogeneity=bm.Normal(0, 1),
        )


@pytest.mark.parametrize(
    ("name", "baseline", "told"),
    [
        (
            "binomail",
            None,
            "Unknown likelihood 'binomail'. Known: normal, binomial, conditional",
        ),
        ("binomial", None, "needs a baseline prior"),
        ("normal", "normal(0, 10)", "has no baseline"),
    ],
)
def test_a_likelihood_is_read_strictly(name, baseline, told):
    with pytest.raises(ModelError, match=told):
        read_likelihood(name, baseline)


def test_unknown_measures_and_forms_are_told():
    texts = {"likelihood": "normal", "effect": "flat", "heterogeneity": "half_normal(1)"}
    with pytest.raises(ModelError, match="ORR"):
        bm.Model.from_text(measure="ORR", **texts)
    with pytest.raises(ModelError, match=r"form of random effects 'cauchy'\. Known: normal"):
        bm.Model.from_text(measure="OR", random_effects="cauchy", **texts)
