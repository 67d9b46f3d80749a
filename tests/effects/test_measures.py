import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from bayesmeta.effects import MEASURES, compute_effects, get_measure
from bayesmeta.errors import ModelError, StudyTableError
from bayesmeta.studies import load, read_studies


@pytest.mark.parametrize(
    ("name", "label", "analysis_label", "scale", "effect", "heterogeneity"),
    [
        ("OR", "odds ratio", "log OR", "log", "normal(0, 2.82)", "half_normal(0.5)"),
        ("RR", "risk ratio", "log RR", "log", "normal(0, 2.82)", "half_normal(0.5)"),
        ("RD", "risk difference", "RD", "identity", None, None),
        ("PETO", "Peto odds ratio", "log PETO", "log", None, None),
        ("AS", "arcsine difference", "AS", "identity", None, None),
        ("MD", "mean difference", "MD", "identity", None, None),
        ("SMD", "standardised mean difference", "SMD", "identity", None, None),
        ("D", "Cohen's d", "D", "identity", None, None),
        ("ROM", "ratio of means", "log ROM", "log", None, None),
        ("VR", "variability ratio", "log VR", "log", None, None),
        ("IRR", "incidence rate ratio", "log IRR", "log", None, None),
        ("IRD", "incidence rate difference", "IRD", "identity", None, None),
        ("PLO", "proportion", "log odds", "logit", None, None),
        ("PR", "proportion", "PR", "identity", None, None),
        ("PLN", "proportion", "log proportion", "log", None, None),
        ("PAS", "proportion", "arcsine", "arcsine", None, None),
        ("PFT", "proportion", "double arcsine", "arcsine", None, None),
        ("MC", "mean change", "MC", "identity", None, None),
        ("SMCC", "standardised mean change (by its own SD)", "SMCC", "identity", None, None),
        ("SMCR", "standardised mean change (by the SD before)", "SMCR", "identity", None, None),
        ("ZCOR", "correlation", "Fisher z", "fisher z", None, None),
        ("COR", "correlation", "COR", "identity", None, None),
        ("GEN", "effect", "GEN", "identity", None, None),
    ],
)
def test_a_measure_knows_its_names_scale_and_default_priors(
    name, label, analysis_label, scale, effect, heterogeneity
):
    measure = MEASURES[name]
    assert (measure.name, measure.label, measure.analysis_label) == (name, label, analysis_label)
    assert measure.scale.name == scale
    assert measure.default_effect_prior == effect
    assert measure.default_heterogeneity_prior == heterogeneity


@pytest.mark.parametrize(("name", "nearest"), [("ORR", "RR"), ("rd", "RD"), ("gen", "GEN")])
def test_an_unknown_measure_suggests_the_nearest(name, nearest):
    with pytest.raises(ModelError, match=f"unknown measure '{name}'. Did you mean '{nearest}'"):
        get_measure(name)


def test_an_unknown_correction_suggests_the_nearest():
    with pytest.raises(ModelError, match=r"unknown correction 'only1'. Did you mean 'only0'"):
        compute_effects(load("bcg"), "OR", correction="only1")


def test_contrasts_are_taken_as_they_are_and_this_is_noted():
    effects = compute_effects(load("eight_schools"), "GEN")
    assert_array_equal(effects.y, [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16])
    assert_array_equal(effects.S[:2], [14.9**2, 10.2**2])
    assert effects.correction == "none"
    assert not effects.corrected.any()
    table = read_studies(pd.DataFrame({"study": ["A"], "yi": [-0.7], "vi": [0.04]}))
    ratios = compute_effects(table, "OR")
    assert_array_equal(ratios.y, [-0.7])
    assert ratios.notes == ("estimates taken as log OR, on the scale of the table",)


def test_a_measure_that_the_data_do_not_have_is_refused():
    with pytest.raises(ModelError, match="GEN takes contrasts, but bcg holds counts"):
        compute_effects(load("bcg"), "GEN")
    with pytest.raises(ModelError, match="eight_schools holds estimates of measure GEN, not OR"):
        compute_effects(load("eight_schools"), "OR")


def test_arms_must_be_chosen_before_effects_are_computed():
    with pytest.raises(StudyTableError, match=r"--arms TREATED CONTROL.*'IL-2RA', 'control'"):
        compute_effects(load("crins2014"), "OR")
