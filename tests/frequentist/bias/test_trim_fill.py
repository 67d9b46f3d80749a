import numpy as np
import pytest
from frequentist.metafor_cases import CASES
from frequentist.trouble_cases import FILLED, arrays, case, contrasts
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from tolerances import CLOSED, ITERATIVE

from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.bias.trim_fill import MISSING, trim_and_fill
from bayesmeta.frequentist.independent import pool_batch
from bayesmeta.frequentist.tau2.log_likelihood import restricted_log_likelihood
from bayesmeta.studies import load

UNFILLED = [case for case in CASES if case not in FILLED]


@pytest.mark.parametrize(("name", "measure"), CASES)
def test_number_and_side_agree_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    found = trim_and_fill(table, "GEN")
    wanted = want["trimfill_L0_REML"]
    assert (found.k0, found.side) == (wanted["k0"], wanted["side"])


@pytest.mark.parametrize(("name", "measure"), UNFILLED)
def test_where_nothing_is_filled_the_estimate_agrees_with_metafor(name, measure, golden):
    table, want = case(golden, name, measure)
    found = trim_and_fill(table, "GEN")
    wanted = [want["trimfill_L0_REML"][key] for key in ("beta", "se")]
    assert_allclose([found.adjusted.estimate, found.adjusted.se], wanted, rtol=ITERATIVE)


def loose_reml(y, v):
    """Fisher scoring that stops at steps below 1e-5, from Hedges' estimate: metafor's default."""
    centred = y - y.mean()
    tau2 = max(0.0, (centred**2).sum() / (len(y) - 1) - v.mean())
    step = 1.0
    while abs(step) > 1e-5:
        w = 1 / (v + tau2)
        P = np.diag(w) - np.outer(w, w) / w.sum()
        step = (y @ P @ P @ y - np.trace(P)) / np.trace(P @ P)
        while tau2 + step < 0:
            step /= 2
        tau2 += step
    w = 1 / (v + tau2)
    return (w * y).sum() / w.sum(), w.sum() ** -0.5


@pytest.mark.parametrize(
    ("name", "measure"), [case for case in FILLED if case != ("nielweise2007", "RD")]
)
def test_metafors_estimate_is_that_of_reml_stopped_early(name, measure, golden):
    # Its trimfill does not hand on the threshold that rma was given: with steps stopped at 1e-5
    # its numbers are met, and those of `trim_and_fill`, at the maximum, differ by up to 8e-5.
    table, want = case(golden, name, measure)
    wanted, found = want["trimfill_L0_REML"], trim_and_fill(table, "GEN")
    y, v = arrays(golden, name, measure)
    sign = -1 if found.side == "right" else 1
    order = np.argsort(sign * y, kind="stable")
    kept, out = order[: len(y) - found.k0], order[len(y) - found.k0 :]
    centre, _ = loose_reml(sign * y[kept], v[kept])
    filled = np.append(sign * y, 2 * centre - sign * y[out])
    estimate, se = loose_reml(filled, np.append(v, v[out]))
    assert_allclose([sign * estimate, se], [wanted["beta"], wanted["se"]], rtol=ITERATIVE)


def test_where_metafor_stops_far_from_the_maximum_the_likelihood_says_so(golden):
    # nielweise2007 RD: tau2 is near the threshold 1e-5 itself; metafor's se belongs to a tau2 of
    # 0.001607, the maximum is at 0.0016
    table, want = case(golden, "nielweise2007", "RD")
    found = trim_and_fill(table, "GEN")
    y = np.append(table.contrast().estimate, found.filled_y)
    v = np.append(table.contrast().variance, found.filled_v)
    grid = np.linspace(0.0, 0.01, 20001)
    theirs = grid[
        np.argmin(np.abs((1 / (v + grid[:, None])).sum(1) ** -0.5 - want["trimfill_L0_REML"]["se"]))
    ]
    X = np.ones((len(y), 1))
    ours = restricted_log_likelihood(found.adjusted.tau2, y, v, X)
    assert ours > restricted_log_likelihood(theirs, y, v, X)
    assert ours >= restricted_log_likelihood(grid, y, v, X).max() - 1e-12


@pytest.mark.parametrize(("name", "measure"), FILLED)
def test_the_filled_studies_mirror_the_outermost_about_the_trimmed_estimate(name, measure, golden):
    y, v = arrays(golden, name, measure)
    found = trim_and_fill(contrasts(y, v), "GEN")
    sign = -1 if found.side == "right" else 1
    order = np.argsort(sign * y, kind="stable")
    kept, out = order[: len(y) - found.k0], order[len(y) - found.k0 :]
    centre = pool_batch(y[kept], v[kept], method="REML", level=0.95).estimate
    assert_allclose(found.centre, centre, rtol=1e-9)
    assert_allclose(found.filled_y, 2 * centre - y[out], rtol=1e-9, atol=1e-12)
    refit = pool_batch(
        np.append(y, found.filled_y), np.append(v, v[out]), method="REML", level=0.95
    )
    assert_allclose(found.adjusted.estimate, refit.estimate, rtol=CLOSED)


def test_the_printed_passive_smoking_analysis_is_met(golden):
    data = golden("metafor_trouble")["hackshaw1998"]
    want = data["trimfill_L0_REML"]
    # an older release of the data, rounded
    found = trim_and_fill(contrasts(np.round(data["yi"], 3), np.round(data["vi"], 4)), "GEN")
    assert (found.k0, found.side) == (want["k0"], want["side"])
    assert_allclose(
        [found.k0_se, found.adjusted.estimate, found.adjusted.se, found.adjusted.tau2,
         found.adjusted.q],
        [want[key] for key in ("k0_se", "beta", "se", "tau2", "QE")],
        atol=5.1e-5,
    )  # fmt: skip


def by_counting(distance, estimator):
    """R0, L0 and Q0 by going through the ranks one by one; Duval and Tweedie (2000)."""
    ranked = sorted(distance, key=abs)
    k = len(ranked)
    if estimator == "R0":
        run = 0
        while run < k and ranked[k - 1 - run] > 0:
            run += 1
        return run - 1.0
    T = sum(rank for rank, value in enumerate(ranked, start=1) if value > 0)
    if estimator == "L0":
        return (4 * T - k * (k + 1)) / (2 * k - 1)
    return k - 0.5 - (2 * k**2 - 4 * T + 0.25) ** 0.5


@pytest.mark.parametrize("estimator", MISSING)
@given(st.lists(st.integers(-60, 40).filter(bool), min_size=4, max_size=12, unique_by=abs))
def test_the_number_missing_follows_its_definition(estimator, values):
    try:
        found, _ = MISSING[estimator](np.array(values, float))
    except NotEstimableError:
        found = None
    want = by_counting(values, estimator)
    assert (found is None) == isinstance(want, complex)
    if found is not None:
        assert_allclose(found, want, rtol=1e-12, atol=1e-12)


OFFSETS = [(0.05, 0.01), (0.15, 0.02), (0.3, 0.05), (0.45, 0.1), (0.7, 0.2), (0.9, 0.3), (1.2, 0.5)]


def symmetric():
    offset, v = np.array(OFFSETS).T
    return 0.3 + np.concatenate([offset, -offset]), np.concatenate([v, v])


@pytest.mark.parametrize("estimator", ["L0", "Q0"])
def test_a_symmetric_funnel_is_left_alone(estimator):
    y, v = symmetric()
    found = trim_and_fill(contrasts(y, v), "GEN", side="left", estimator=estimator, method="EE")
    assert found.k0 == 0
    assert_allclose(found.adjusted.estimate, found.observed.estimate, rtol=CLOSED)


@pytest.mark.parametrize("estimator", ["L0", "R0"])
@pytest.mark.parametrize("missing", [3, 4])
def test_studies_taken_from_a_symmetric_funnel_are_found_again(missing, estimator):
    y, v = symmetric()
    kept = np.argsort(y)[missing:]  # the most extreme ones on the left are suppressed
    table = contrasts(y[kept], v[kept])
    found = trim_and_fill(table, "GEN", estimator=estimator, method="EE", side="left")
    assert abs(found.k0 - missing) <= 1
    assert abs(found.adjusted.estimate - 0.3) < abs(found.observed.estimate - 0.3) / 2


@pytest.mark.parametrize("estimator", ["L0", "R0"])
def test_turning_the_effects_round_turns_the_side_round(estimator, golden):
    y, v = arrays(golden, "nielweise2007", "OR")
    first = trim_and_fill(contrasts(y, v), "GEN", estimator=estimator)
    second = trim_and_fill(contrasts(-y, v), "GEN", estimator=estimator)
    assert (first.k0, first.side, second.side) == (second.k0, "right", "left")
    assert_allclose(second.filled_y, -first.filled_y, rtol=CLOSED)
    assert_allclose(second.adjusted.estimate, -first.adjusted.estimate, rtol=1e-9)


def test_the_order_of_the_studies_does_not_matter(golden):
    y, v = arrays(golden, "nielweise2007", "OR")
    place = np.random.default_rng(1).permutation(len(y))
    first = trim_and_fill(contrasts(y, v), "GEN")
    second = trim_and_fill(contrasts(y[place], v[place]), "GEN")
    assert_allclose(np.sort(second.filled_y), np.sort(first.filled_y), rtol=1e-9)


def test_the_frame_has_both_scales():
    frame = trim_and_fill(load("bcg"), "RR").to_frame()
    assert frame["k"].tolist() == [13, 14]
    assert_allclose(frame["natural_estimate"], np.exp(frame["estimate"]), rtol=CLOSED)


def test_the_mirrored_studies_are_named():
    found = trim_and_fill(load("bcg"), "RR")
    assert found.filled_from == ("Vandiviere et al 1973",)
    assert_allclose(found.filled_v, [0.22301724757230932], rtol=CLOSED)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimator": "l0"}, "unknown estimator 'l0'"),
        ({"method": "REMl"}, "unknown method 'REMl'"),
        ({"side": "top"}, "side = 'top'"),
        ({"level": 0.05}, "not a coverage"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ModelError, match=message):
        trim_and_fill(load("bcg"), "OR", **options)


def test_two_studies_are_too_few():
    with pytest.raises(NotEstimableError, match="three studies"):
        trim_and_fill(contrasts([0.1, 0.2], [0.1, 0.2]), "GEN")


def test_equal_variances_ask_for_the_side():
    table = contrasts([0.1, 0.2, 0.9], [0.1, 0.1, 0.1])
    with pytest.raises(NotEstimableError, match="give the side"):
        trim_and_fill(table, "GEN")
    assert trim_and_fill(table, "GEN", side="left").side == "left"


@pytest.mark.parametrize("estimator", MISSING)
def test_identical_studies_miss_none(estimator):
    table = contrasts([0.4] * 5, [0.1, 0.2, 0.3, 0.4, 0.5])
    found = trim_and_fill(table, "GEN", side="left", estimator=estimator, method="EE")
    assert found.k0 == 0
