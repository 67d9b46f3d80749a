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


BASELINE = bm.Normal(0, 10)


@pytest.mark.parametrize(
    ("measure", "likelihood", "data"),
    [
        ("RD", bm.BinomialLikelihood(BASELINE), "bcg"),
        ("PR", bm.OneArmLikelihood(), "pritz1997"),
        ("OR", bm.BinomialLikelihood(BASELINE, baseline_of="average"), "bcg"),
        ("RR", bm.BinomialLikelihood(BASELINE), "bcg"),
        ("OR", bm.ConditionalLikelihood(), "bcg"),
        ("IRR", bm.PoissonLikelihood(BASELINE), "nielweise2008"),
        ("PLO", bm.OneArmLikelihood(), "pritz1997"),
        ("ZCOR", bm.CorrelationLikelihood(), "molloy2014"),
        ("MD", bm.StudentLikelihood(), "normand1999"),
        ("GEN", bm.StudentLikelihood(df=7.123456789), "eight_schools"),
        ("RD", bm.NormalLikelihood(), "bcg"),
    ],
)
def test_a_bound_model_is_read_back_from_its_text_and_binds_again(measure, likelihood, data):
    model = bm.Model(
        measure=measure,
        likelihood=likelihood,
        effect=bm.Normal(0.1, 0.4),
        heterogeneity=bm.HalfNormal(0.123456789012),
    )
    bound = model.bind(bm.load(data)).model
    again = bm.Model.from_text(**bound.as_text())
    assert again == bound
    assert again.bind(bm.load(data)).model == bound


@pytest.mark.parametrize(
    ("measure", "likelihood", "form", "told"),
    [
        ("OR", "normal", "normal, cut to (-1, 1)", r"not of OR under the normal likelihood"),
        ("RD", "binomial", "normal, cut to (0, 1)", r"RD lies in \(-1, 1\)"),
    ],
)
def test_random_effects_cut_to_other_bounds_than_those_of_the_measure_are_refused(
    measure, likelihood, form, told
):
    model = bm.Model.from_text(
        measure=measure,
        likelihood=likelihood,
        baseline="normal(0, 10)" if likelihood == "binomial" else None,
        effect="normal(0, 1)",
        heterogeneity="half_normal(0.5)",
        random_effects=form,
    )
    with pytest.raises(ModelError, match=told):
        model.bind(bm.load("bcg"))


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


PARTS = {
    "measure": "RD",
    "likelihood": bm.BinomialLikelihood(bm.Normal(0, 10)),
    "effect": bm.Normal(0, 0.5),
    "heterogeneity": bm.HalfNormal(0.1),
}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("likelihood", "normal"),
        ("likelihood", bm.NormalLikelihood),
        ("effect", "normal(0, 1)"),
        ("effect", bm.Flat),
        ("heterogeneity", 0.5),
        ("random_effects", "t(4)"),
        ("random_effects", bm.UnrelatedEffects),
    ],
)
def test_a_part_of_a_model_of_another_kind_is_refused(name, wrong):
    with pytest.raises(ModelError, match=rf"{name} = .* cannot be used.*Model\.from_text"):
        bm.Model(**(PARTS | {name: wrong}))


@pytest.mark.parametrize("wrong", ["bcg", [1, 2], bm.load("bcg").frame, None])
def test_what_is_no_study_table_is_refused_with_the_remedy(wrong):
    with pytest.raises(bm.StudyTableError, match=r"not as a StudyTable.*read_studies"):
        bm.Model(**PARTS).bind(wrong)


@pytest.mark.parametrize("effect", [bm.Uniform(2, 3), bm.Uniform(1, 2)])
def test_an_effect_prior_beyond_the_bounds_of_its_measure_is_refused(effect):
    model = bm.Model(**(PARTS | {"effect": effect}))
    with pytest.raises(ModelError, match=r"prior uniform\(.*\) is outside \(-1, 1\)"):
        model.bind(bm.load("bcg"))
