import subprocess
import sys

import pandas as pd
import pytest
from inference.fits import log_or_model

from bayesmeta.errors import AccuracyError, ModelError
from bayesmeta.inference.fit import fit, supported_engines
from bayesmeta.priors import Cauchy
from bayesmeta.studies import load, read_studies
from benchmarks.random_problems import draw_problem


def test_exact_takes_the_gaussian_engine_where_the_family_allows_it():
    assert fit(log_or_model("normal"), load("bcg")).engine == "gaussian"


def test_exact_takes_the_grid_for_the_binomial_likelihood():
    assert fit(log_or_model("binomial"), load("bcg")).engine == "grid"


def test_exact_takes_the_other_engine_where_the_first_does_not_meet_its_tolerance():
    model, studies = draw_problem("normal", 52)  # standard errors from 4e-6 to 2
    with pytest.raises(AccuracyError, match="still moves"):
        fit(model, studies, engine="gaussian")
    posterior = fit(model, studies)
    assert posterior.engine == "grid"
    assert posterior.accuracy.ok
    assert "by the grid engine, as the first one did not" in posterior.notes[-1]


def test_of_correlated_studies_it_is_told_what_the_engine_that_takes_them_says():
    frame = pd.DataFrame({
        "study": ["A", "B", "C"], "ai": [4, 9, 3], "n1i": [40, 45, 30], "ci": [8, 8, 6],
        "n2i": [42, 42, 31], "shared_control": ["one", "one", None],
    })  # fmt: skip
    studies = read_studies(frame, shared="covariance")
    assert fit(log_or_model("normal"), studies).engine == "gaussian"
    with pytest.raises(AccuracyError, match="nodes of tau"):
        fit(log_or_model("normal"), studies, tol=1e-18)


def test_an_engine_can_be_named():
    assert fit(log_or_model("normal"), load("bcg"), engine="grid").engine == "grid"


@pytest.mark.parametrize(
    ("effect", "engines"),
    [(None, ("gaussian", "grid", "nuts")), (Cauchy(0, 1), ("grid", "nuts"))],
)
def test_the_effect_prior_decides_which_engines_serve(effect, engines):
    from dataclasses import replace

    model = log_or_model("normal")
    model = model if effect is None else replace(model, effect=effect)
    assert supported_engines(model) == engines


def test_an_unknown_engine_is_told_with_the_known_ones():
    with pytest.raises(ModelError, match=r"'jags'.*Known: exact, nuts, gaussian, grid"):
        fit(log_or_model("normal"), load("bcg"), engine="jags")


def test_nuts_must_be_given_a_seed():
    with pytest.raises(ModelError, match=r"needs a seed.*rng=1"):
        fit(log_or_model("normal"), load("bcg"), engine="nuts")


@pytest.mark.parametrize("engine", ["exact", "gaussian", "grid"])
def test_nuts_options_are_refused_by_exact_engines(engine):
    with pytest.raises(ModelError, match=f'draws, rng cannot be given to engine="{engine}"'):
        fit(log_or_model("normal"), load("bcg"), engine=engine, draws=100, rng=1)


@pytest.mark.parametrize("tol", [0, -1e-8, float("nan"), float("inf"), "1e-6", None])
def test_a_tolerance_that_is_no_error_is_refused(tol):
    with pytest.raises(ModelError, match=r"tol = .* is no accepted error"):
        fit(log_or_model("normal"), load("bcg"), tol=tol)


def test_the_tolerance_is_refused_by_nuts():
    with pytest.raises(ModelError, match="tol is of the exact engines"):
        fit(log_or_model("normal"), load("bcg"), engine="nuts", rng=1, tol=1e-6)


def test_an_exact_fit_loads_no_sampler():
    heavy = {"arviz", "arviz_stats", "matplotlib", "nutpie", "pymc", "pytensor", "xarray"}
    code = (
        "import sys\n"
        "from bayesmeta.inference import fit\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
