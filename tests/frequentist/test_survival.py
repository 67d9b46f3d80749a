"""Grouped Kaplan-Meier and Wilson's interval against computations by hand."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tolerances import CLOSED

from bayesmeta.errors import ModelError
from bayesmeta.frequentist.survival import grouped_kaplan_meier, wilson_interval

# 6-mercaptopurine, weeks in remission (Freireich and others 1963, Blood 21:699); True: relapse
WEEKS = [(6, True)] * 3 + [(6, False), (7, True), (9, False), (10, True), (10, False), (11, False),
         (13, True), (16, True), (17, False), (19, False), (20, False), (22, True), (23, True),
         (25, False), (32, False), (32, False), (34, False), (35, False)]  # fmt: skip
RELAPSES = sorted({time for time, relapse in WEEKS if relapse})
AT_RISK = np.array([float(sum(time >= at for time, _ in WEEKS)) for at in RELAPSES])
EVENTS = np.array([float(WEEKS.count((at, True))) for at in RELAPSES])


def test_survival_is_what_redistributing_the_lost_to_those_who_stay_gives():
    """Efron (1967): whoever is lost gives his share to all who are seen for longer, alike."""
    share = [Fraction(1, len(WEEKS))] * len(WEEKS)
    left, want = Fraction(1), {}
    for i, (time, relapse) in enumerate(WEEKS):
        if relapse:
            left -= share[i]
            want[time] = left
        else:
            for j in range(i + 1, len(WEEKS)):
                share[j] += share[i] / (len(WEEKS) - i - 1)
    curve = grouped_kaplan_meier(AT_RISK, EVENTS)
    assert_allclose(curve.survival, [float(want[at]) for at in RELAPSES], rtol=CLOSED)


def test_the_error_is_greenwoods():
    # by hand: 3 of 21 relapse, then 1 of 17, then 1 of 15
    first = Fraction(3, 21 * 18)
    second = first + Fraction(1, 17 * 16)
    third = second + Fraction(1, 15 * 14)
    survival = [Fraction(18, 21), Fraction(18, 21) * Fraction(16, 17)]
    survival.append(survival[1] * Fraction(14, 15))
    by_hand = [float(s) * float(v) ** 0.5 for s, v in zip(survival, (first, second, third),
                                                          strict=True)]  # fmt: skip
    assert_allclose(grouped_kaplan_meier(AT_RISK, EVENTS).se[:3], by_hand, rtol=CLOSED)


@pytest.mark.parametrize(("events", "n"), [(21, 29), (0, 8), (9, 9)])
def test_wilsons_ends_are_those_that_a_score_test_just_does_not_reject(events, n):
    low, high = wilson_interval(np.array(events), np.array(n))
    for end, edge in ((low, 0), (high, n)):
        if events == edge:
            assert_allclose(end, events / n, atol=CLOSED)
        else:
            error = np.sqrt(end * (1 - end) / n)
            assert_allclose(abs(events / n - end), 1.959963984540054 * error, rtol=CLOSED)


@pytest.mark.parametrize("level", [95, 0.05])
def test_a_level_that_is_no_coverage_is_refused(level):
    with pytest.raises(ModelError, match="not a coverage"):
        grouped_kaplan_meier(AT_RISK, EVENTS, level=level)
    with pytest.raises(ModelError, match="not a coverage"):
        wilson_interval(EVENTS, AT_RISK, level=level)


def test_the_interval_is_that_of_log_minus_log():
    curve = grouped_kaplan_meier(AT_RISK, EVENTS)
    centre = np.log(-np.log(curve.survival))
    for end in (curve.low, curve.high):
        reach = np.abs(np.log(-np.log(end)) - centre)
        error = curve.se / np.abs(curve.survival * np.log(curve.survival))
        assert_allclose(reach, 1.959963984540054 * error, rtol=1e-9)
    assert np.all(curve.low < curve.survival)
    assert np.all(curve.survival < curve.high)


def test_nothing_lost_leaves_nothing_open():
    curve = grouped_kaplan_meier(np.array([20.0, 15.0]), np.array([5.0, 3.0]))
    for bound in (curve.none_respond, curve.all_respond):
        assert_allclose(bound, curve.survival)
    assert_allclose(curve.survival, [15 / 20, 12 / 20])
    assert_allclose(curve.se, np.sqrt(curve.survival * (1 - curve.survival) / 20))


def test_the_bounds_hold_the_estimate():
    curve = grouped_kaplan_meier(AT_RISK, EVENTS)
    assert np.all(curve.all_respond <= curve.survival)
    assert np.all(curve.survival <= curve.none_respond)


def test_there_is_no_interval_before_the_first_event_or_after_the_last_person():
    curve = grouped_kaplan_meier(np.array([5.0, 5.0]), np.array([0.0, 5.0]))
    assert_allclose(curve.survival, [1, 0])
    assert np.isnan([curve.low, curve.high]).all()
