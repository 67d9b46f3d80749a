import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.printed import Printed


@pytest.mark.parametrize(
    ("text", "value", "half_unit"),
    [
        ("2.41", 2.41, 0.005),
        ("0.10", 0.1, 0.005),
        ("12", 12.0, 0.5),
        ("-0.5", -0.5, 0.05),
        ("+3", 3.0, 0.5),
        (".25", 0.25, 0.005),
        ("1e-3", 0.001, 0.0005),
        ("1.20e2", 120.0, 0.5),
        (" 7.0 ", 7.0, 0.05),
    ],
)
def test_the_last_digit_says_how_far_a_number_was_rounded(text, value, half_unit):
    printed = Printed.parse(text)
    assert (printed.value, printed.half_unit, printed.bound) == (value, half_unit, "exact")
    assert (printed.low, printed.high) == (value - half_unit, value + half_unit)


@pytest.mark.parametrize(
    ("text", "bound", "low", "high"),
    [("<0.0001", "below", -math.inf, 0.0001), ("> 0.99", "above", 0.99, math.inf)],
)
def test_a_bound_is_open_on_one_side(text, bound, low, high):
    printed = Printed.parse(text)
    assert (printed.bound, printed.low, printed.high) == (bound, low, high)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,234",
        "0,5",
        "5%",
        "nan",
        "inf",
        "1e999",
        "0e999",
        "12 3",
        "-",
        ".",
        "<",
        "p = 0.1",
        "٣",
        "--1",
    ],
)
def test_what_is_no_plain_number_is_refused(text):
    with pytest.raises(ValueError, match=r"not a plain number|too large"):
        Printed.parse(text)


@given(st.floats(-1e6, 1e6), st.integers(0, 8))
def test_a_number_lies_within_its_own_rounding(value, digits):
    printed = Printed.parse(f"{value:.{digits}f}")
    slack = 1e-9 * max(1.0, abs(value))
    assert printed.low - slack <= value <= printed.high + slack
