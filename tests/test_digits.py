"""Numbers as text."""

import math

import pytest

from bayesmeta.digits import choose_decimals, show, show_interval, show_probability
from bayesmeta.plots.ratio_ticks import ratio_ticks


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([0.479, 0.647], 3), ([12.3, 4.56], 2), ([0.0001], 4), ([1234.0], 0), ([], 2), ([0.0], 2)],
)
def test_a_column_shows_three_digits_of_its_smallest_number(values, decimals):
    assert choose_decimals(values) == decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "-"),
        (math.inf, "inf"),
        (-0.0004, "0.00"),
        (123456.7, "1.23e+05"),
        (-1.5, "-1.50"),
    ],
)
def test_numbers_that_need_care(value, text):
    assert show(value, 2) == text


def test_half_an_interval_is_none():
    assert show_interval(0.1, math.nan, 2) == "-"


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, ">0.9999"), (0.0, "<0.0001"), (0.99994, "0.9999"), (math.nan, "-")]
)
def test_no_probability_is_rounded_to_certainty(p, text):
    assert show_probability(p) == text


@pytest.mark.parametrize(
    ("low", "high"), [(0.5, 2), (0.9, 1.05), (0.99, 1.01), (1e-6, 1e8), (0.01, 1.5), (0.2, 300)]
)
def test_an_axis_has_five_to_nine_ticks_on_it(low, high):
    ticks = ratio_ticks(low, high)
    assert 5 <= len(ticks) <= 9
    assert low <= min(ticks)
    assert max(ticks) <= high


def test_ticks_of_an_everyday_axis():
    assert ratio_ticks(0.08, 12) == [0.1, 0.3, 1.0, 3.0, 10.0]
