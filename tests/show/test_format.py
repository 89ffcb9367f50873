"""A number has the digits that its interval or its dtype allows, and no more."""

from __future__ import annotations

import math

import pytest

from lossbench.show import format as fmt


@pytest.mark.parametrize(
    ("value", "low", "high", "text", "interval"),
    [
        (5.0512, 4.92, 5.31, "5.1", "[4.9, 5.3]"),
        (5.0512, 5.0471, 5.0552, "5.051", "[5.047, 5.055]"),
        (1234.0, 1100.0, 1400.0, "1,200", "[1,100, 1,400]"),
        (0.8, 0.2, 3.0, "0.8", "[0.2, 3.0]"),
        (2.0, 2.0, 2.0, "2.000", "[2.000, 2.000]"),
    ],
)
def test_the_interval_decides_the_digits(value: float, low: float, high: float, text: str, interval: str) -> None:
    assert fmt.with_interval(value, low, high) == (text, interval)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00505, "5.05 ms"),
        (2.5e-6, "2.50 µs"),
        (1.5e-9, "1.50 ns"),
        (12.0, "12.0 s"),
        (125.0, "2 min 05 s"),
        (7260.0, "2 h 1 min"),
        (math.nan, fmt.NOTHING),
    ],
)
def test_a_duration_carries_its_unit(seconds: float, text: str) -> None:
    assert fmt.duration(seconds).replace(fmt.NARROW, " ") == text


def test_a_column_shares_one_unit() -> None:
    assert fmt.time_unit([0.9e-3, 5e-3, 20e-3]) == ("ms", 1e-3)
    assert fmt.time_unit([]) == ("s", 1.0)


@pytest.mark.parametrize(
    ("ulp", "text"),
    [(0.0, "0"), (0.5, "0.5"), (2.0, "2"), (137.4, "137"), (4321.0, "4,321"), (math.inf, "∞"), (math.nan, fmt.NOTHING)],
)
def test_ulps(ulp: float, text: str) -> None:
    assert fmt.ulps(ulp) == text


def test_many_ulps_are_a_power_of_ten() -> None:
    assert fmt.ulps(4.13e9).replace(fmt.NARROW, "") == f"4.1{fmt.TIMES}10⁹"


def test_a_value_reads_back_and_has_no_digit_of_a_wider_type() -> None:
    assert fmt.value(0.10000000149011612, "float32") == "0.1"
    assert fmt.value(0.1, "float64") == "0.1"
    assert fmt.value(-1e-30, "float64") == f"{fmt.MINUS}1e{fmt.MINUS}30"
    assert fmt.value(0.0999755859375, "float16") == "0.099976"
    assert fmt.value(math.nan) == "NaN"


def test_two_numbers_are_shown_until_they_part() -> None:
    assert fmt.apart(0.38875, 0.7475) == "0.389"
    assert fmt.apart(1.0000001, 1.0000002).startswith("1.0000001")
    assert fmt.apart(math.inf, 1.0) == "∞"
    assert fmt.apart(6.778684e36, math.inf, "float32").replace(fmt.NARROW, "") == "6.78×10³⁶"


@pytest.mark.parametrize(
    ("share", "text"), [(0.0342, "3.4%"), (0.5, "50%"), (0.0001, "<0.1%"), (0.0, "0%"), (1.0, "100%")]
)
def test_percent(share: float, text: str) -> None:
    assert fmt.percent(share) == text


def test_a_factor_with_a_wide_interval_loses_digits() -> None:
    assert fmt.ratio(3.4215, 3.41, 3.43) == f"3.42{fmt.TIMES}"
    assert fmt.ratio(3.4215, 2.1, 5.0) == f"3{fmt.TIMES}"
    assert fmt.ratio(math.nan) == fmt.NOTHING
