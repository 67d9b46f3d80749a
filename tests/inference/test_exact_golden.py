"""Exact posteriors against reference posteriors, and their own error against the truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from cases import (
    PROBS,
    binomial_model,
    effect_prior,
    estimates,
    expected,
    normal_model,
    reported,
    tau_prior,
)
from numpy.testing import assert_allclose
from tolerances import EXACT

import bayesmeta as bm

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "golden" / "bayes.json").read_text(encoding="utf-8")
)
NORMAL = {case["id"]: case for case in REFERENCE["normal_normal"]}
BINOMIAL = {case["id"]: case for case in REFERENCE["binomial_normal"]}
NEAR_ZERO = 1e-10


def fit_normal(case, engine):
    model = normal_model(effect_prior(case["settings"]), tau_prior(case["settings"]))
    return bm.fit(model, estimates(case["y"], np.square(case["sigma"])), engine=engine)


def fit_binomial(case):
    settings = case["settings"]
    baseline = bm.Normal(settings["am"], settings["asd"])
    model = binomial_model(effect_prior(settings), tau_prior(settings), baseline)
    return bm.fit(model, bm.load(case["dataset"]))


def assert_all_agree(posterior, case):
    got, want = reported(posterior), expected(case)
    for name, value in want.items():
        assert_allclose(got[name], value, rtol=EXACT, atol=NEAR_ZERO, err_msg=name)


def assert_error_covers(posterior, case, reference_error):
    """The reported error is at least the true one: in posterior SDs, relative for tau."""
    got, want = reported(posterior), expected(case)
    for name, value in want.items():
        parameter, _, quantity = name.partition(" ")
        scale = 1.0
        if quantity in ("mean", "sd") or quantity.startswith("q"):
            scale = got[f"{parameter} sd"] if parameter != "tau" else abs(value)
        slack = reference_error * max(abs(value), scale)
        assert abs(got[name] - value) <= posterior.accuracy.error * scale + slack, name


@pytest.mark.parametrize("engine", ["gaussian", "grid"])
@pytest.mark.parametrize("name", NORMAL)
def test_normal_posteriors_agree_with_the_reference(name, engine):
    assert_all_agree(fit_normal(NORMAL[name], engine), NORMAL[name])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["gaussian", "grid"])
@pytest.mark.parametrize("name", NORMAL)
def test_the_reported_error_of_normal_fits_covers_the_true_one(name, engine):
    posterior = fit_normal(NORMAL[name], engine)
    assert_error_covers(posterior, NORMAL[name], REFERENCE["reference_error"]["normal_normal"])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["gaussian", "grid"])
@pytest.mark.parametrize("name", [n for n, c in NORMAL.items() if "theta" in c["expected"]])
def test_study_effects_agree_with_the_reference(name, engine):
    theta, want = fit_normal(NORMAL[name], engine).theta, NORMAL[name]["expected"]["theta"]
    assert_allclose(theta.mean, want["mean"], rtol=EXACT, atol=NEAR_ZERO)
    assert_allclose(theta.sd, want["sd"], rtol=EXACT)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n, c in NORMAL.items() if "theta" in c["expected"]])
def test_both_engines_give_the_same_quantiles_of_study_effects(name):
    gaussian, grid = (fit_normal(NORMAL[name], engine) for engine in ("gaussian", "grid"))
    want = gaussian.theta.quantile(PROBS)
    scale = float(gaussian.theta.sd.max())
    assert_allclose(grid.theta.quantile(PROBS), want, rtol=EXACT, atol=EXACT * scale)


@pytest.mark.parametrize("name", BINOMIAL)
def test_binomial_posteriors_agree_with_the_reference(name):
    assert_all_agree(fit_binomial(BINOMIAL[name]), BINOMIAL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", BINOMIAL)
def test_the_reported_error_of_binomial_fits_covers_the_true_one(name):
    posterior = fit_binomial(BINOMIAL[name])
    assert_error_covers(posterior, BINOMIAL[name], REFERENCE["reference_error"]["binomial_normal"])
