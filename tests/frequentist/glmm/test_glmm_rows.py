import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from tolerances import ITERATIVE

from bayesmeta.cli import main
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist import METHODS, pool
from bayesmeta.frequentist.glmm.outcomes import Binomial, Hypergeometric, Poisson
from bayesmeta.frequentist.glmm.rows import GLMMS
from bayesmeta.studies import load, read_studies

FOR_TABLES = [name for name, kind in GLMMS.items() if "OR" in kind.measures]
FOR_RATES = [name for name, kind in GLMMS.items() if "IRR" in kind.measures]
TRIALS = [(3, 37, 12, 26), (1, 24, 9, 17), (11, 49, 5, 53), (0, 30, 4, 28)]  # a, b, c, d
RATES = [(3, 4.0, 12, 3.8), (1, 2.5, 9, 2.6), (11, 6.0, 5, 5.8), (0, 3.0, 4, 2.0)]


def tables(rows):
    names = [f"study {i}" for i in range(1, len(rows) + 1)]
    return read_studies(pd.DataFrame(rows, columns=["ai", "bi", "ci", "di"]).assign(study=names))


def rates(rows):
    names = [f"study {i}" for i in range(1, len(rows) + 1)]
    columns = ["x1i", "t1i", "x2i", "t2i"]
    return read_studies(pd.DataFrame(rows, columns=columns).assign(study=names))


def groups(rows):
    names = [f"study {i}" for i in range(1, len(rows) + 1)]
    return read_studies(pd.DataFrame(rows, columns=["xi", "ni"]).assign(study=names))


def fit(rows, method, measure="OR", **options):
    studies = {"OR": tables, "IRR": rates, "PLO": groups}[measure](rows)
    return pool(studies, measure, methods=method, **options)[method]


def numbers(row):
    return [row.estimate, row.se, row.tau2, row.q]


def swapped(row):
    return (*row[2:], *row[:2])


@st.composite
def trials(draw):
    """Tables of three to five studies with 2 to 30 events in arms of 40 to 60."""
    k = draw(st.integers(3, 5))
    arm = st.tuples(st.integers(2, 30), st.integers(40, 60)).map(lambda x: (x[0], x[1] - x[0]))
    return [(*draw(arm), *draw(arm)) for _ in range(k)]


@settings(max_examples=6)
@given(trials(), st.sampled_from(["UM.FS", "CM.EL", "CM.AL"]))
def test_swapping_the_arms_flips_the_sign(rows, method):
    there, back = fit(rows, method), fit([swapped(row) for row in rows], method)
    assert_allclose(back.estimate, -there.estimate, rtol=ITERATIVE, atol=1e-8)
    assert_allclose([back.se, back.q], [there.se, there.q], rtol=ITERATIVE, atol=1e-8)
    assert_allclose(back.tau2, there.tau2, rtol=1e-5, atol=1e-8)


def test_swapping_the_arms_of_random_study_effects_flips_the_sign():
    there, back = fit(TRIALS, "UM.RS"), fit([swapped(row) for row in TRIALS], "UM.RS")
    assert_allclose([back.estimate, back.se, back.tau2], [-there.estimate, there.se, there.tau2],
                    rtol=ITERATIVE)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("method", FOR_TABLES)
def test_the_order_of_the_studies_does_not_matter(method):
    found, again = fit(TRIALS, method), fit(TRIALS[::-1], method)
    assert_allclose(numbers(again), numbers(found), rtol=ITERATIVE)


@pytest.mark.parametrize("method", FOR_RATES)
def test_the_unit_of_time_does_not_matter(method):
    days = [(x1, 365 * t1, x2, 365 * t2) for x1, t1, x2, t2 in RATES]
    found, again = fit(RATES, method, "IRR"), fit(days, method, "IRR")
    assert_allclose(numbers(again), numbers(found), rtol=ITERATIVE)


@settings(max_examples=12)
@given(trials())
def test_at_tau2_zero_fixed_study_effects_are_a_logistic_regression(rows):
    """Iteratively reweighted least squares with a column per study, written out."""
    row = fit(rows, "UM.FS")
    x = np.array([value for a, _, c, _ in rows for value in (a, c)], dtype=float)
    n = np.array([value for a, b, c, d in rows for value in (a + b, c + d)], dtype=float)
    X = np.column_stack([np.tile([1.0, 0.0], len(rows)), np.repeat(np.eye(len(rows)), 2, axis=0)])
    beta = np.zeros(X.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-X @ beta))
        information = (X.T * (n * p * (1 - p))) @ X
        beta = beta + np.linalg.solve(information, X.T @ (x - n * p))
    deviance = 2 * (stats.binom.logpmf(x, n, x / n) - stats.binom.logpmf(x, n, p)).sum()
    assert_allclose(row.q, deviance, rtol=1e-8, atol=1e-9)
    if row.tau2 == 0:
        found = [row.estimate, row.se]
        assert_allclose(
            found, [beta[0], np.linalg.inv(information)[0, 0] ** 0.5], rtol=1e-7, atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.parametrize("silent", [(0, 15, 0, 14), (15, 0, 14, 0)])
@pytest.mark.parametrize("method", ["UM.FS", "CM.EL", "CM.AL"])
def test_a_study_that_does_not_tell_the_arms_apart_adds_nothing(method, silent):
    with_it = fit([*TRIALS, silent], method)
    without = fit(TRIALS, method)
    assert_array_equal(numbers(with_it), numbers(without))
    assert (with_it.k, without.k) == (4, 4)
    assert any("add nothing: study 5" in note for note in with_it.notes)


def test_random_study_effects_learn_from_a_double_zero_study():
    with_it = fit([*TRIALS, (0, 15, 0, 14)], "UM.RS")
    assert with_it.k == 5
    assert abs(with_it.estimate - fit(TRIALS, "UM.RS").estimate) > 1e-3
    assert any("kept, though metafor leaves them out: study 5" in note for note in with_it.notes)


def test_a_study_with_a_zero_in_one_arm_counts_uncorrected():
    row = fit(TRIALS, "UM.FS")
    assert row.estimate < fit(TRIALS[:3], "UM.FS").estimate
    assert any("nothing is added to the counts" in note for note in row.notes)
    same = fit(TRIALS, "UM.FS", correction="all")
    assert_array_equal(numbers(same), numbers(row))


@pytest.mark.parametrize("method", FOR_TABLES)
@pytest.mark.parametrize("side", ["-infinity", "+infinity"])
def test_no_event_in_one_arm_of_any_study_has_no_finite_maximum(method, side):
    rows = [(0, 40, 3, 35), (0, 25, 2, 26), (0, 60, 5, 53)]
    if side == "+infinity":
        rows = [swapped(row) for row in rows]
    with pytest.raises(NotEstimableError, match=f"no finite maximum.*{re.escape(side)}"):
        fit(rows, method)


@pytest.mark.parametrize("method", ["UM.FS", "UM.RS", "CM.EL"])
@pytest.mark.parametrize("side", ["-infinity", "+infinity"])
def test_nothing_but_events_in_one_arm_has_no_finite_maximum(method, side):
    rows = [(35, 3, 40, 0), (26, 2, 25, 0), (53, 5, 60, 0)]
    if side == "+infinity":
        rows = [swapped(row) for row in rows]
    with pytest.raises(NotEstimableError, match=f"no finite maximum.*{re.escape(side)}"):
        fit(rows, method)


@pytest.mark.parametrize("method", FOR_RATES)
def test_no_event_in_one_arm_has_no_finite_rate_ratio(method):
    with pytest.raises(NotEstimableError, match="no finite maximum"):
        fit([(0, 4.0, 3, 3.8), (0, 2.5, 2, 2.6)], method, "IRR")


@pytest.mark.parametrize("events", [0, 10])
def test_a_group_without_events_or_with_nothing_else_has_no_finite_log_odds(events):
    with pytest.raises(NotEstimableError, match="GLMM has no finite maximum"):
        fit([(events, 10), (events, 10)], "GLMM", "PLO")


def test_studies_at_opposite_extremes_have_no_finite_tau():
    with pytest.raises(NotEstimableError, match=r"CM.EL has no finite maximum.*still rises at tau"):
        fit([(0, 40, 9, 31), (9, 31, 0, 40)], "CM.EL")


@pytest.mark.parametrize("method", ["UM.FS", "CM.EL", "CM.AL"])
def test_double_zero_studies_alone_have_no_estimate(method):
    with pytest.raises(NotEstimableError, match="every study is without any event"):
        fit([(0, 15, 0, 14), (0, 25, 0, 24)], method)


@pytest.mark.parametrize("method", ["UM.FS", "CM.EL", "CM.AL"])
def test_one_study_gives_its_own_estimate_without_tau(method):
    row = fit([(4, 20, 6, 18)], method)
    if method == "UM.FS":
        assert_allclose(row.estimate, math.log(4 * 18 / (20 * 6)), rtol=1e-9)
        assert_allclose(row.se**2, 1 / 4 + 1 / 20 + 1 / 6 + 1 / 18, rtol=1e-9)
    assert (row.k, row.q, row.q_df, row.q_p) == (1, 0.0, 0, 1.0)
    assert math.isnan(row.tau2)
    assert "tau not estimable from one study" in row.notes


def test_random_study_effects_need_two_studies():
    with pytest.raises(NotEstimableError, match="needs two studies"):
        fit([(4, 20, 6, 18)], "UM.RS")


def test_conditional_and_fixed_rate_models_share_their_test_of_heterogeneity():
    found, again = fit(RATES, "UM.FS", "IRR"), fit(RATES, "CM.EL", "IRR")
    assert_allclose([again.q, again.q_p], [found.q, found.q_p], rtol=1e-9)


def test_tau2_on_its_bound_is_zero_and_noted():
    row = fit([(10, 40, 20, 30), (11, 39, 21, 29), (9, 41, 19, 31)], "UM.FS")
    assert row.tau2 == 0.0
    assert any("tau2 is at its lower bound 0" in note for note in row.notes)


def test_with_many_events_a_small_tau2_is_that_of_the_normal_likelihood():
    rows = [(10_000, 90_000, 10_000, 90_000), (10_900, 89_100, 10_000, 90_000),
            (10_200, 89_800, 10_000, 90_000), (9_900, 90_100, 10_300, 89_700)]  # fmt: skip
    row, normal = fit(rows, "UM.FS"), fit(rows, "ML")
    assert 0.0 < normal.tau2 < 0.06**2
    assert_allclose([row.estimate, row.se], [normal.estimate, normal.se], rtol=2e-3)
    assert_allclose(row.tau2, normal.tau2, rtol=2e-3)


def test_a_tau_between_zero_and_the_smallest_value_tried_is_found():
    """Here the likelihood is highest at tau = 0.04, and lower at 1/8 than at 0."""
    row = fit([(33, 167, 42, 158), (57, 143, 56, 144), (39, 161, 28, 172)], "UM.FS")
    assert 0.03 < row.tau2**0.5 < 0.05


def test_a_huge_and_a_tiny_study_are_pooled_together():
    row = fit([(30_000, 970_000, 40_000, 960_000), (1, 9, 3, 7), (2, 8, 2, 8)], "UM.FS")
    assert_allclose(row.estimate, math.log(30 * 960 / (40 * 970)), rtol=1e-3)
    assert row.tau2 == 0.0


@pytest.mark.parametrize("interval", ["wald", "t"])
def test_interval_and_prediction_are_those_of_other_rows(interval):
    row = pool(load("bcg"), "OR", methods="UM.FS", interval=interval, level=0.9)["UM.FS"]
    quantile = stats.norm.ppf(0.95) if interval == "wald" else stats.t.ppf(0.95, 12)
    half = quantile * np.array([row.se, math.hypot(row.se, row.tau2**0.5)])
    found = [row.ci_high - row.estimate, row.pi_high - row.estimate]
    assert_allclose(found, half, rtol=1e-10)
    tail = stats.norm.sf if interval == "wald" else stats.t(12).sf
    assert_allclose(row.p_value, 2 * tail(abs(row.estimate / row.se)), rtol=1e-9)


def test_there_is_no_knapp_hartung_interval_of_a_mixed_model():
    with pytest.raises(ModelError, match=r"UM.FS has no hksj interval"):
        pool(load("bcg"), "OR", methods="UM.FS", interval="hksj")


def test_mixed_models_must_be_named():
    assert not set(GLMMS) & set(pool(load("bcg"), "OR").methods)
    assert not any(METHODS[name].default for name in GLMMS)


def test_a_mixed_model_refuses_other_measures():
    with pytest.raises(ModelError, match=r"UM.FS pools counts by OR, IRR; this is RR"):
        pool(load("bcg"), "RR", methods="UM.FS")


def test_the_command_line_has_the_mixed_models(capsys):
    assert main(["pool", "bcg", "--measure", "OR", "--method", "UM.FS", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["method"] == "UM.FS"
    assert_allclose(row["estimate"], -0.7450, rtol=0, atol=6e-5)


OUTCOMES = {
    "binomial": (
        Binomial(events=np.array([[3.0]]), n=np.array([[10.0]])),
        lambda eta: stats.binom.logpmf(3, 10, 1 / (1 + np.exp(-eta))),
        math.log(3 / 7),
    ),
    "Poisson": (
        Poisson(events=np.array([[3.0]])),
        lambda eta: stats.poisson.logpmf(3, np.exp(eta)),
        math.log(3),
    ),
    "hypergeometric": (
        Hypergeometric(
            events=np.array([[3.0]]), n=np.array([[10.0]]),
            other_n=np.array([[5.0]]), total=np.array([[7.0]]),
        ),
        lambda eta: stats.nchypergeom_fisher.logpmf(3, 15, 10, 7, np.exp(eta)),
        None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_has_the_probability_of_its_distribution(name):
    outcome, logpmf, _ = OUTCOMES[name]
    eta = np.linspace(-4.0, 4.0, 9)
    assert_allclose(outcome.at(eta[None, None]).value[0, 0], logpmf(eta), rtol=1e-9)


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_outcome_has_the_derivatives_of_its_probability(name):
    outcome, logpmf, _ = OUTCOMES[name]
    eta, h = np.linspace(-2.0, 2.0, 5), 1e-3
    curve = outcome.at(eta[None, None])
    up, down = logpmf(eta + h), logpmf(eta - h)
    assert_allclose(curve.slope[0, 0], (up - down) / (2 * h), rtol=1e-5, atol=1e-6)
    assert_allclose(curve.bend[0, 0], (up - 2 * logpmf(eta) + down) / h**2, rtol=1e-4)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_saturated_outcome_is_at_its_highest_probability(name):
    outcome, logpmf, best = OUTCOMES[name]
    grid = np.linspace(-4, 4, 80_001) if best is None else np.array([best])
    assert_allclose(outcome.saturated(), logpmf(grid).max(), rtol=1e-8)


@pytest.mark.parametrize("events", [2.0, 7.0])  # the fewest and the most that the margins allow
def test_a_saturated_count_at_its_end_is_certain(events):
    inside, _, _ = OUTCOMES["hypergeometric"]
    at_end = replace(inside, events=np.array([[events]]))
    assert_array_equal(at_end.saturated(), [0.0])


def test_the_probability_stays_finite_far_out():
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        for outcome, _, _ in OUTCOMES.values():
            curve = outcome.at(np.array([[[-300.0, 300.0]]]))
            assert np.isfinite(curve.value).all()


@pytest.mark.parametrize("design", [{"design_effect": [1.0, 1.5, 1.0]}, {"shared_control": "AAB"}])
def test_dependent_persons_or_arms_are_refused(design):
    frame = pd.DataFrame(
        {"study": list("abc"), "ai": [3, 4, 5], "n1i": 20, "ci": [6, 6, 9], "n2i": 20}
        | {name: list(values) for name, values in design.items()}
    )
    told = {"shared": "split"} if "shared_control" in design else {}
    with pytest.raises(NotEstimableError, match="takes persons and arms as independent"):
        pool(read_studies(frame, **told), "OR", methods="UM.FS")
