"""What docs/methods/edge-cases.md promises, over every method and interval."""

import functools

import numpy as np
import pytest
from frequentist.tables import contrasts, table
from numpy.testing import assert_allclose

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist import METHODS, pool
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.frequentist.tau2 import likelihood as maximum_likelihood
from bayesmeta.frequentist.tau2 import roots as tau2_roots

ALWAYS = ("estimate", "se")
ROW = ("estimate", "se", "ci_low", "ci_high", "p_value", "q", "q_p")
TAU2_ROW = ("tau2", "tau2_ci_low", "tau2_ci_high", "i2", "i2_ci_low", "i2_ci_high", "h2")
WAYS = [
    {"interval": interval, "pi": pi, "tau2_interval": tau2_interval}
    for interval, pi, tau2_interval in [
        ("wald", "metafor", "q-profile"),
        ("t", "hts", "generalised-q"),
        ("hksj", "metafor", "q-profile"),
        ("hksj-adhoc", "hts", "generalised-q"),
        ("henmi-copas", "nagashima", "generalised-q"),
        ("profile", "nagashima", "q-profile"),
    ]
]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way["interval"])


def numbers(row, names):
    return np.array([getattr(row, name) for name in names], dtype=float)


def random_rows(reference):
    return [row for row in reference if not METHODS[row.method].common]


@ways
def test_one_study_gives_its_estimate_and_no_spread(way):
    for row in pool(table([(4, 20, 6, 18)]), "OR", **way):
        assert np.isfinite(numbers(row, ALWAYS)).all()
        assert (row.k, row.q, row.q_df, row.q_p) == (1, 0.0, 0, 1.0)
        rest = ("tau2_ci_low", "i2", "h2", "i2_ci_low", "h2_ci_high", "pi_low", "pi_high")
        assert np.isnan(numbers(row, rest)).all()
        assert np.isfinite(row.ci_low) == (row.interval == "wald")
        if not METHODS[row.method].common:
            assert np.isnan(row.tau2)
            assert "tau not estimable from one study" in row.notes


@ways
def test_two_studies_have_everything_but_the_hts_prediction_interval(way):
    for row in pool(contrasts([0.4, 1.9], [0.1, 0.2]), "GEN", **way):
        assert np.isfinite(numbers(row, ROW)).all()
        if row.method in TAU2:
            assert np.isfinite(numbers(row, TAU2_ROW)).all()
            shown = way["pi"] != "hts"
            assert np.isfinite([row.pi_low, row.pi_high]).all() == shown


@ways
def test_equal_variances_make_all_weights_equal(way):
    y = np.array([0.4, 1.9, 0.3, 0.8])
    for row in pool(contrasts(y, np.full(4, 0.1)), "GEN", **way):
        assert_allclose(row.estimate, y.mean(), rtol=1e-12)


@ways
def test_less_spread_than_chance_gives_is_told(way):
    reference = pool(contrasts([0.1, 0.12, 0.11], [1.0, 2.0, 1.0]), "GEN", **way)
    for row in random_rows(reference):
        assert_allclose(row.estimate, reference["EE"].estimate, rtol=1e-7)
        assert row.tau2 == 0.0 or row.method == "SJ"  # SJ is above 0 unless the effects are equal
        assert (row.tau2_ci_low, row.tau2_ci_high, row.i2_ci_high) == (0.0, 0.0, 0.0)
        assert any("no tau2 >= 0 is in its" in note for note in row.notes)
        assert row.method == "SJ" or any("lower bound 0" in note for note in row.notes)


@ways
def test_q_below_its_degrees_of_freedom_gives_an_i2_of_zero(way):
    reference = pool(contrasts([0.1, 0.9, 0.3], [1.0, 0.5, 1.0]), "GEN", **way)
    for row in reference:
        assert row.q < row.q_df
        assert row.i2 == 0.0 or row.method in ("SJ", "HE")


@ways
def test_identical_studies_have_no_heterogeneity(way):
    reference = pool(contrasts(np.full(4, 0.3), [0.1, 0.2, 0.3, 0.4]), "GEN", **way)
    for row in reference:
        assert_allclose(row.estimate, 0.3, rtol=1e-12)
        assert (row.tau2, row.q, row.i2) == (0.0, 0.0, 0.0)
        if row.interval == "hksj":  # an error of 0 gives an interval without length, and no test
            assert row.ci_low == row.ci_high
            assert np.isnan(row.p_value)
            assert any("the hksj error is 0 of the plain one" in note for note in row.notes)
        if way["pi"] == "nagashima" and row.method in TAU2:
            assert row.pi_low == row.pi_high
            assert any("prediction interval has no length" in note for note in row.notes)


@ways
@pytest.mark.parametrize("v", [(1.0, 0.5, 1e-12, 2e-12), (1.0, 0.5, 3.0, 1e-12)])
def test_variances_twelve_powers_of_ten_apart_give_finite_numbers(way, v):
    for row in pool(contrasts([0.1, 0.9, -0.4, 1.4], v), "GEN", **way):
        assert np.isfinite(numbers(row, ROW)).all()
        assert row.ci_low <= row.estimate <= row.ci_high
        if row.method in TAU2:
            assert np.isfinite(numbers(row, TAU2_ROW)).all()
            assert row.tau2_ci_low <= row.tau2_ci_high


ZEROS = {
    "a zero cell": [(0, 20, 6, 18), (5, 30, 9, 25), (3, 20, 5, 20)],
    "a double-zero study": [(4, 20, 6, 18), (5, 30, 9, 25), (0, 15, 0, 14)],
    "an arm without events": [(0, 20, 6, 18), (0, 30, 9, 25), (0, 10, 2, 9)],
    "double-zero studies only": [(0, 20, 0, 18), (0, 30, 0, 25), (0, 10, 0, 9)],
}
WITHOUT_ESTIMATE = {
    ("an arm without events", "OR"): {"MH"},
    ("an arm without events", "RR"): {"MH"},
    ("double-zero studies only", "OR"): {"MH", "MH-RM", "DL-MH", "PETO"},
    ("double-zero studies only", "RR"): {"MH", "MH-RM", "DL-MH"},
    ("double-zero studies only", "RD"): {"MH"},
}


@pytest.mark.parametrize("way", [WAYS[0], WAYS[2]], ids=lambda way: way["interval"])
@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
@pytest.mark.parametrize("case", ZEROS)
def test_zero_cells_leave_out_these_methods_and_no_other(case, measure, way):
    reference = pool(table(ZEROS[case]), measure, **way)
    missing = {row.method for row in reference if np.isnan(row.estimate)}
    assert missing == WITHOUT_ESTIMATE.get((case, measure), set())
    for row in reference:
        if row.method in missing:
            assert np.isnan(numbers(row, ROW)).all()
            assert any("has no" in note for note in row.notes)
        else:
            assert np.isfinite(numbers(row, ALWAYS)).all()
    for name in missing:
        with pytest.raises(NotEstimableError):
            pool(table(ZEROS[case]), measure, methods=name)


STOPPED = {
    "REML": ("fit_reml", maximum_likelihood),
    "ML": ("fit_ml", maximum_likelihood),
    "PM": ("fit_pm", tau2_roots),
    "EB": ("fit_eb", tau2_roots),
}


@pytest.mark.parametrize("method", STOPPED)
def test_a_search_that_does_not_converge_says_so_by_name_and_spares_the_others(method, monkeypatch):
    fit, module = STOPPED[method]
    monkeypatch.setattr(module, fit, functools.partial(getattr(module, fit), max_iterations=1))
    studies = contrasts([0.1, 0.9, -0.4, 1.4], [0.1, 0.01, 0.2, 0.3])
    reference = pool(studies, "GEN")
    assert [row.method for row in reference if np.isnan(row.estimate)] == [method]
    note = f"{method} did not converge in 1 steps"
    assert any(note in told for told in reference[method].notes)
    with pytest.raises(NotEstimableError, match=note):
        pool(studies, "GEN", methods=method)


def test_a_q_profile_that_does_not_converge_leaves_the_estimate(monkeypatch):
    short = functools.partial(tau2_roots._newton, max_iterations=1)

    def stopped(*args, tol, max_iterations):
        return short(*args, tol=tol)

    monkeypatch.setattr(tau2_roots, "_newton", stopped)
    row = pool(contrasts([0.1, 0.9, -0.4], [0.1, 0.01, 0.2]), "GEN", methods="DL")["DL"]
    assert np.isnan([row.tau2_ci_low, row.tau2_ci_high, row.i2_ci_high]).all()
    assert np.isfinite(numbers(row, ROW)).all()
    assert any("tau2 by its Q statistic did not converge" in note for note in row.notes)
