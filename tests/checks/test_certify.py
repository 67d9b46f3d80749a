"""The certificate: what it compares, when it fails, and that it can."""

from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from cases import HALF, WIDE, binomial_model, normal_model
from checks.fakes import GOOD_RUN, as_nuts
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.checks.agreement import Difference
from bayesmeta.checks.certify import adjust_holm, compare_roads
from bayesmeta.random_effects import StudentRandomEffects
from bayesmeta.report.certificate_table import certificate_as_data

CRINS = bm.load("crins2014").select(arms=("IL-2RA", "control"))
PAIR = CRINS.drop(*CRINS.studies[1:-1])


def fit(heterogeneity=HALF, effect=WIDE, data=PAIR):
    return bm.fit(normal_model(effect, heterogeneity, "OR"), data)


@pytest.fixture(scope="module")
def exact():
    return fit()


@pytest.fixture(scope="module")
def sampled(exact):
    return as_nuts(exact, draws=20_000)


@pytest.fixture(scope="module")
def certificate(exact, sampled):
    return compare_roads(exact, sampled)


def test_perfect_draws_are_certified(certificate):
    assert certificate.ok
    assert certificate.failures == ()
    assert certificate.sentence.startswith("Certified: quadrature (error at most")
    assert certificate.diagnostics.seed == GOOD_RUN.seed
    assert {"bayesmeta", "pymc", "nutpie", "python"} <= set(certificate.versions)


BELOW_UNIT = f"P(< {fit().bound.unit:.4g})"


def test_every_parameter_is_compared_in_eight_numbers(certificate):
    frame = certificate.to_frame()
    assert_array_equal(frame.groupby("parameter").size(), 8)
    assert len(frame) == 8 * (3 + 2)
    assert "theta of 'Heffron (2003)'" in set(frame["parameter"])
    statistics = list(frame.query("parameter == 'tau'")["statistic"])
    percent = ["2.5%", "25%", "50%", "75%", "97.5%"]
    assert statistics == ["mean", "sd", *(f"{p} quantile" for p in percent), BELOW_UNIT]


def test_a_bound_that_is_hardly_passed_is_moved_to_where_draws_pass_it(exact, certificate):
    frame = certificate.to_frame()
    (row,) = frame[(frame["parameter"] == "mu") & frame["statistic"].str.startswith("P(<")].index
    assert exact.mu.sf(0.0) < 0.01
    assert frame.loc[row, "statistic"] == f"P(< {float(exact.mu.quantile(0.99)):.4g})"
    assert_allclose(frame.loc[row, "exact"], 0.99, rtol=1e-9)


def test_the_tail_probability_has_the_binomial_standard_error(exact, certificate):
    frame = certificate.to_frame().set_index(["parameter", "statistic"])
    p = float(exact.tau.cdf(exact.bound.unit))
    row = frame.loc[("tau", BELOW_UNIT)]
    assert_allclose(row["exact"], p, rtol=CLOSED)
    # the draws are independent: their effective number is theirs, within its own error
    assert_allclose(row["mcse"], np.sqrt(p * (1 - p) / 20_000), rtol=0.1)
    assert_allclose(row["imprecision"], 20_000**-0.5, rtol=0.1)


def test_a_heterogeneity_prior_that_is_off_by_a_tenth_is_seen(exact):
    found = compare_roads(exact, as_nuts(fit(bm.HalfNormal(0.55)), draws=8000))
    assert min(found.p_adjusted) < 0.01
    assert "Monte Carlo standard errors apart" in found.sentence


def test_an_effect_prior_that_is_off_by_a_tenth_is_seen():
    prior, wrong = bm.Normal(0, 0.5), bm.Normal(0, 0.55)
    found = compare_roads(fit(effect=prior), as_nuts(fit(effect=wrong), draws=8000))
    assert min(found.p_adjusted) < 0.01
    assert not found.ok


@pytest.mark.slow
def test_right_samplers_are_hardly_ever_refused(exact):
    """At most 1% of them by Holm: 2 of 12 would be an accident of 1 in 150."""
    refused = [
        not compare_roads(exact, as_nuts(exact, draws=12_000, seed=100 + s)).ok for s in range(12)
    ]
    assert sum(refused) < 2


def test_agreement_by_imprecision_is_none(exact):
    found = compare_roads(exact, as_nuts(exact, draws=400))
    assert not found.ok
    assert "more than 5%; give more draws" in found.sentence


def test_a_run_that_fails_its_diagnostics_certifies_nothing(exact, sampled):
    failed = replace(GOOD_RUN, divergences=3, failures=("3 divergent transitions",))
    found = compare_roads(exact, replace(sampled, accuracy=failed))
    assert not found.ok
    assert found.sentence == "Not certified: the NUTS run failed: 3 divergent transitions."


def test_a_draw_that_is_no_number_certifies_nothing(exact):
    assert not compare_roads(exact, as_nuts(exact, shift=np.nan, draws=400)).ok


def test_known_values_are_compared_as_they_are():
    known = fit(bm.Fixed(0.3))
    found = compare_roads(known, as_nuts(known, draws=20_000))
    assert found.ok
    (row,) = [d for d in found.differences if d.parameter == "tau"]
    assert (row.statistic, row.exact, row.sampled) == ("mean", 0.3, 0.3)


def test_moments_whose_estimates_have_no_variance_are_left_out_and_named():
    """Half-Cauchy, 2 studies: tau falls as tau^-4, so that it has 2 moments and not 4."""
    heavy = fit(bm.HalfCauchy(0.5))
    found = compare_roads(heavy, as_nuts(heavy, draws=400))
    compared = {(d.parameter, d.statistic) for d in found.differences}
    assert ("tau", "mean") in compared
    assert ("tau", "sd") not in compared
    assert any(note.startswith("sd not compared for tau, theta_new: ") for note in found.notes)


@pytest.mark.slow
def test_t_random_effects_have_no_fourth_moment_of_a_new_study():
    model = replace(normal_model(WIDE, HALF, "OR"), random_effects=StudentRandomEffects(4))
    heavy = bm.fit(model, PAIR)
    found = compare_roads(heavy, as_nuts(heavy, draws=400))
    assert any(note.startswith("sd not compared for theta_new: ") for note in found.notes)


def test_study_effects_that_the_exact_engine_lacks_are_left_out_and_said():
    t4 = StudentRandomEffects(4)
    known = bm.fit(replace(binomial_model(bm.Fixed(-1.5)), random_effects=t4), CRINS)
    from bayesmeta.inference.marginals import Empirical

    drawn = replace(known, theta=Empirical(draws=np.zeros((6, 4))))
    joint = as_nuts(fit(effect=bm.Fixed(-1.5), data=CRINS), draws=400).joint
    found = compare_roads(known, replace(drawn, engine="nuts", joint=joint, accuracy=GOOD_RUN))
    assert any("true effects were not compared" in note for note in found.notes)


def test_p_values_are_two_sided_and_adjusted_by_holm():
    """Holm (1979): the smallest times n, the next times n - 1, never falling."""
    numbers = {"parameter": "mu", "statistic": "mean", "exact": 0.0, "mcse": 1.0, "unit": 10.0}
    assert_allclose(Difference(sampled=-2.5, **numbers).p_value, 2 * norm.cdf(-2.5), rtol=CLOSED)
    assert Difference(sampled=np.nan, **numbers).p_value == 0
    assert_allclose(Difference(sampled=-2.5, **numbers).imprecision, 0.1, rtol=CLOSED)
    assert_allclose(adjust_holm([0.2, 0.001, 0.04, 0.015]), [0.2, 0.004, 0.08, 0.045], rtol=CLOSED)
    assert_allclose(adjust_holm([0.6, 0.5]), [1.0, 1.0], rtol=CLOSED)


def test_two_exact_posteriors_are_no_certificate(exact):
    with pytest.raises(bm.ModelError, match="with one of NUTS"):
        compare_roads(exact, exact)


def test_the_data_of_a_certificate_are_json(certificate):
    import json

    data = json.loads(json.dumps(certificate_as_data(certificate, version="0"), allow_nan=False))
    assert data["certified"] is True
    assert len(data["comparisons"]) == len(certificate.differences)
    assert data["nuts"]["seed"] == 1


def test_the_table_has_a_row_for_each_parameter_and_ends_with_the_sentence(certificate):
    from rich.console import Console

    from bayesmeta.report.certificate_table import certificate_table

    console = Console(width=200, record=True, file=StringIO())
    console.print(certificate_table(certificate))
    text = console.export_text()
    assert "theta of 'Gras (2008)'" in text
    assert certificate.sentence in " ".join(text.split())
    assert "seed 1" in text


@pytest.mark.slow
@pytest.mark.nuts
def test_the_two_roads_are_certified_on_real_data():
    model = normal_model(bm.Normal(0, 50), bm.HalfCauchy(25))
    found = bm.certify(model, bm.load("eight_schools"), rng=3)
    assert found.ok, found.failures


@pytest.mark.slow
@pytest.mark.nuts
def test_a_run_with_another_prior_is_not_certified():
    sampled = bm.fit(
        normal_model(WIDE, bm.HalfNormal(0.55), "OR"), PAIR, engine="nuts", rng=3, draws=5000
    )
    assert sampled.ok
    found = compare_roads(fit(), sampled)
    assert not found.ok
    assert not any("diagnostics" in failure for failure in found.failures)
