"""Grouped Kaplan-Meier against printed numbers."""

import numpy as np
from numpy.testing import assert_allclose

from bayesmeta.frequentist.survival import grouped_kaplan_meier

# 6-mercaptopurine, Freireich and others (1963): at risk and events at the times of remission's end
AT_RISK = np.array([21.0, 17, 15, 12, 11, 7, 6])
EVENTS = np.array([3.0, 1, 1, 1, 1, 1, 1])


def test_survival_and_greenwoods_error_are_those_printed_for_6_mercaptopurine():
    curve = grouped_kaplan_meier(AT_RISK, EVENTS)
    # Collett, Modelling Survival Data in Medical Research; the same in R's survfit
    assert_allclose(curve.survival, [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4)
    assert_allclose(curve.se, [0.0764, 0.0869, 0.0963, 0.1068, 0.1141, 0.1282, 0.1346], atol=5e-5)


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
