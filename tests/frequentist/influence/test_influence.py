import numpy as np
import pandas as pd
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.metafor_cases import CASES
from frequentist.trouble_cases import arrays, case, contrasts
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.independent import independent_effects, pool_batch
from bayesmeta.frequentist.influence.deletion import cumulative, leave_one_out
from bayesmeta.frequentist.influence.measures import baujat, influence
from bayesmeta.frequentist.influence.predicted import blups
from bayesmeta.frequentist.pool import pool
from bayesmeta.frequentist.tau2 import TAU2
from bayesmeta.studies import load, read_studies

METHODS = ("EE", *TAU2)
NUMBERS = (
    "k", "estimate", "se", "ci_low", "ci_high", "p_value", "tau2", "i2", "q", "q_p",
)  # fmt: skip


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_blups_agree_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    found = blups(table, "GEN")
    assert_allclose(found.prediction, want["blup_REML"]["pred"], rtol=ITERATIVE)
    assert_allclose(found.se, want["blup_REML"]["se"], rtol=ITERATIVE)


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_leaving_one_out_agrees_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    found = leave_one_out(table, "GEN")
    unit = float(np.median(table.contrast().variance))  # metafor's tau2 comes near 0, not to it
    assert_allclose(found.estimate, want["leave1out_REML"]["estimate"], rtol=ITERATIVE)
    assert_allclose(
        found.tau2, want["leave1out_REML"]["tau2"], rtol=ITERATIVE, atol=ITERATIVE * unit
    )


def test_the_printed_leave_one_out_row_is_met(golden):
    want = golden("metafor_trouble")["bcg_printed"]["leave1out_first"]
    row = leave_one_out(load("bcg"), "RR").to_frame().iloc[0]
    assert_allclose([row[key] for key in want], list(want.values()), rtol=ITERATIVE)


def test_the_printed_measures_of_influence_are_met(golden):
    want = golden("metafor_trouble")["bcg_printed"]["influence_first"]
    row = influence(load("bcg"), "RR").to_frame().iloc[0]
    assert_allclose([row[key] for key in want], list(want.values()), rtol=ITERATIVE)


def test_the_printed_cumulative_estimates_are_met(golden):
    data = golden("metafor_trouble")["bcg_printed"]
    found = cumulative(load("bcg"), "RR", order=data["year"])
    # printed to six decimals, from REML stopped at steps of 1e-5
    assert_allclose(found.estimate, data["cumul"], atol=3e-6)


@pytest.mark.parametrize("method", METHODS)
def test_leaving_one_out_is_dropping_the_study_and_pooling(method):
    table = load("bcg")
    found = leave_one_out(table, "OR", method=method).to_frame().set_index("study")
    for study in table.studies[:3]:
        row = pool(table.drop(study), "OR", methods=method)[method]
        want = [getattr(row, name) for name in NUMBERS]
        assert_allclose(found.loc[study, list(NUMBERS)].to_numpy(float), want, rtol=1e-8)


def test_the_last_cumulative_row_is_the_pooled_estimate():
    row = pool(load("bcg"), "OR", methods="REML")["REML"]
    frame = cumulative(load("bcg"), "OR").to_frame().iloc[-1]
    assert_allclose(
        [frame["estimate"], frame["se"], frame["tau2"], frame["k"]],
        [row.estimate, row.se, row.tau2, row.k],
        rtol=CLOSED,
    )


def test_a_column_orders_the_studies():
    table = read_studies(
        pd.DataFrame(
            {"study": ["A", "B", "C"], "estimate": [0.1, 0.5, 0.2], "se": [0.1, 0.2, 0.3],
             "year": [2001, 1999, 2000]}
        )
    )  # fmt: skip
    found = cumulative(table, "GEN", order="year", method="EE")
    assert found.study == ("B", "C", "A")
    assert_allclose(found.estimate[0], 0.5, rtol=CLOSED)


def by_refitting(y, v, i, method):
    """Measures of influence of one study as they are defined, by matrices."""
    k, kept = len(y), np.arange(len(y)) != i
    full = pool_batch(y, v, method=method, level=0.95)
    rest = pool_batch(y[kept], v[kept], method=method, level=0.95)
    X, W = np.ones((k, 1)), np.diag(1 / (v + full.tau2))
    H = X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W
    theirs = np.linalg.inv(X.T @ np.diag(1 / (v + rest.tau2)) @ X)
    change = full.estimate - rest.estimate
    return {
        "rstudent": (y[i] - rest.estimate) / np.sqrt(v[i] + rest.tau2 + rest.se**2),
        "dffits": change / np.sqrt(H[i, i] * (rest.tau2 + v[i])),
        "dfbetas": change / np.sqrt(theirs[0, 0]),
        "cook": change**2 * (X.T @ W @ X)[0, 0],
        "cov_ratio": rest.se**2 / full.se**2,
        "tau2_deleted": rest.tau2,
        "q_deleted": rest.q,
        "hat": H[i, i],
        "weight": 100 * W[i, i] / np.trace(W),
    }


@pytest.mark.parametrize("method", ["EE", "DL", "REML"])
@pytest.mark.parametrize(("name", "measure"), [("bcg", "OR"), ("molloy2014", "ZCOR")])
def test_measures_of_influence_are_those_of_refitting(name, measure, method, golden):
    y, v = arrays(golden, name, measure)
    frame = influence(contrasts(y, v), "GEN", method=method).to_frame()
    for i in (0, 3, len(y) - 1):
        want = by_refitting(y, v, i, method)
        assert_allclose([frame.loc[i, key] for key in want], list(want.values()), rtol=1e-8)


def test_the_shares_of_baujats_plot_add_up_to_q(golden):
    y, v = arrays(golden, "bcg", "OR")
    found = baujat(contrasts(y, v), "GEN")
    q = golden("metafor_pool")["bcg"]["OR"]["inverse_variance"]["EE"]["QE"]
    assert_allclose(found.heterogeneity.sum(), q, rtol=CLOSED)


@pytest.mark.parametrize("method", ["EE", "REML"])
def test_baujats_coordinates_are_those_of_refitting(method, golden):
    y, v = arrays(golden, "bcg", "OR")
    found = baujat(contrasts(y, v), "GEN", method=method)
    full = pool_batch(y, v, method=method, level=0.95)
    kept = np.arange(len(y)) != 3
    rest = pool_batch(y[kept], v[kept], method=method, level=0.95)
    want = [
        (y[3] - full.estimate) ** 2 / (v[3] + full.tau2),
        (full.estimate - rest.estimate) ** 2 / rest.se**2,
    ]
    assert_allclose([found.heterogeneity[3], found.influence[3]], want, rtol=1e-9)


def test_a_study_that_stands_alone_is_marked():
    y = np.array([0.1, 0.12, 0.08, 0.11, 0.09, 3.0])
    found = influence(contrasts(y, np.full(6, 0.01)), "GEN")
    assert_array_equal(found.influential, [False] * 5 + [True])


@settings(max_examples=15)
@given(effect_sets(min_rows=4, max_rows=8))
def test_turning_the_effects_round_turns_residuals_and_changes_round(effects):
    first = influence(contrasts(effects.y, effects.v), "GEN", method="DL").to_frame()
    second = influence(contrasts(-effects.y, effects.v), "GEN", method="DL").to_frame()
    for name in ("residual", "rstudent", "dffits", "dfbetas"):
        assert_allclose(second[name], -first[name], rtol=1e-7, atol=1e-9)
    for name in ("cook", "cov_ratio", "hat", "tau2_deleted"):
        assert_allclose(second[name], first[name], rtol=1e-7, atol=1e-9)


@settings(max_examples=15)
@given(effect_sets(min_rows=4, max_rows=8))
def test_the_unit_of_the_effects_does_not_matter_to_influence(effects):
    first = influence(contrasts(effects.y, effects.v), "GEN", method="DL").to_frame()
    second = influence(contrasts(64 * effects.y, 4096 * effects.v), "GEN", method="DL").to_frame()
    for name in ("rstudent", "dffits", "dfbetas", "cook", "cov_ratio", "hat"):
        assert_allclose(second[name], first[name], rtol=1e-7, atol=1e-9)


@settings(max_examples=15)
@given(effect_sets(min_rows=3, max_rows=8))
def test_a_prediction_lies_between_the_study_and_the_mean(effects):
    table = contrasts(effects.y, effects.v)
    found, mean = blups(table, "GEN", method="DL"), pool(table, "GEN", methods="DL")["DL"].estimate
    low, high = np.minimum(found.observed, mean), np.maximum(found.observed, mean)
    slack = 1e-12 * (1 + np.abs(mean))
    assert np.all((found.prediction >= low - slack) & (found.prediction <= high + slack))


def test_frames_have_both_scales():
    for frame in (blups(load("bcg"), "RR").to_frame(), leave_one_out(load("bcg"), "RR").to_frame()):
        name = "prediction" if "prediction" in frame else "estimate"
        assert_allclose(frame[f"natural_{name}"], np.exp(frame[name]), rtol=CLOSED)


def test_without_one_of_two_studies_tau2_is_undefined():
    found = leave_one_out(contrasts([0.1, 0.4], [0.1, 0.2]), "GEN")
    assert_allclose(found.estimate, [0.4, 0.1], rtol=CLOSED)
    assert np.isnan(found.tau2).all()


@pytest.mark.parametrize(
    ("ask", "needs"),
    [(leave_one_out, "two"), (blups, "two"), (baujat, "two"), (influence, "three")],
)
def test_one_study_is_too_few(ask, needs):
    with pytest.raises(NotEstimableError, match=needs):
        ask(contrasts([0.1], [0.1]), "GEN")


@pytest.mark.parametrize("ask", [leave_one_out, cumulative, blups, baujat, influence])
def test_an_unknown_method_is_refused_with_a_suggestion(ask):
    with pytest.raises(ModelError, match=r"unknown method 'RMEL'.*REML"):
        ask(load("bcg"), "OR", method="RMEL")


@pytest.mark.parametrize(
    ("order", "message"),
    [("yeer", "no column 'yeer'"), ([1.0, 2.0], "one number for each of the 13")],
)
def test_an_order_that_does_not_fit_is_refused(order, message):
    with pytest.raises(ModelError, match=message):
        cumulative(load("bcg"), "OR", order=order)


def test_correlated_errors_are_refused(monkeypatch):
    from bayesmeta.frequentist import independent

    real = independent.compute_effects(load("bcg"), "OR")
    S = np.diag(real.S) + 0.001

    class Correlated:
        study, y, measure, notes = real.study, real.y, real.measure, real.notes

    Correlated.S = S
    monkeypatch.setattr(independent, "compute_effects", lambda *_, **__: Correlated)
    with pytest.raises(ModelError, match="correlated errors"):
        independent_effects(load("bcg"), "OR")


@pytest.mark.parametrize(("distance", "marked"), [(1.3, False), (1.4, True)])
def test_cooks_distance_alone_marks_a_study(distance, marked):
    # four equal studies, the last moved away: Cook's distance is distance^2 / 4, and the median of
    # chi-squared(1) is 0.4549; dffits and dfbetas are distance / 2, the leverage is 1/4
    found = influence(contrasts([0.0, 0.0, 0.0, distance], np.ones(4)), "GEN", method="EE")
    assert_allclose(found.cook[3], distance**2 / 4, rtol=CLOSED)
    assert bool(found.influential[3]) == marked
