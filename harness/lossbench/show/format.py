"""The one place where numbers become text: no more digits than the number deserves.

An interval decides the digits where there is one, the dtype where the number is a value of a dtype,
and two or three significant digits otherwise. Units stand in headers: a whole column shares one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

MINUS, TIMES, NARROW = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{NO-BREAK SPACE}"
NOTHING = "\N{EN DASH}"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_TIME_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
_DTYPE_DIGITS = {"float64": 16, "float32": 8, "float16": 5, "bfloat16": 4}
_CARRIERS = {"float64": np.float64, "float32": np.float32}


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return None


def significant(value: float, digits: int = 3) -> str:
    """`digits` significant digits; plain between 0.001 and 100,000, powers of ten outside."""
    special = _special(value)
    if special is not None:
        return special
    if value == 0:
        return "0"
    mantissa, _, power = f"{value:.{max(digits - 1, 0)}e}".partition("e")
    exponent = int(power)
    if -4 < exponent < 5:
        text = f"{float(f'{mantissa}e{exponent}'):,.{max(digits - 1 - exponent, 0)}f}"
    else:
        text = f"{mantissa}{NARROW}{TIMES}{NARROW}10{str(exponent).translate(_SUPERSCRIPT)}"
    return text.replace("-", MINUS)


def digits_for(value: float, low: float, high: float, *, at_most: int = 4) -> int:
    """Significant digits of `value` so that its last digit is worth about half of the interval's width.

    One digit at least; `at_most` where the interval is a point.
    """
    half = abs(high - low) / 2
    if not math.isfinite(value) or not math.isfinite(half) or value == 0:
        return 2
    if half == 0:
        return at_most
    place = math.floor(math.log10(half))
    return min(max(math.floor(math.log10(abs(value))) - place + 1, 1), at_most)


def with_interval(value: float, low: float, high: float) -> tuple[str, str]:
    """`("5.05", "[4.92, 5.31]")`: the value and its interval, both to the interval's digits."""
    digits = digits_for(value, low, high)
    if not (math.isfinite(low) and math.isfinite(high)):
        return significant(value, 2), ""
    places = _places(value, digits)
    return significant(value, digits), f"[{_at(low, places)}, {_at(high, places)}]"


def _places(value: float, digits: int) -> int:
    return digits - 1 - math.floor(math.log10(abs(value))) if value else digits


def _at(value: float, places: int) -> str:
    if places > 6:
        return significant(value, 3)
    return f"{round(value, places):,.{max(places, 0)}f}".replace("-", MINUS)


def time_unit(seconds: Iterable[float]) -> tuple[str, float]:
    """The unit (name, seconds in it) in which the median of `seconds` is between 1 and 1000."""
    known = [s for s in seconds if math.isfinite(s) and s > 0]
    middle = statistics.median(known) if known else 1.0
    for name, size in _TIME_UNITS:
        if middle >= size:
            return name, size
    return _TIME_UNITS[-1]


def duration(seconds: float, digits: int = 3) -> str:
    """One time with its own unit: `5.05 ms`; minutes and hours from 100 s on."""
    special = _special(seconds)
    if special is not None:
        return NOTHING if special == "NaN" else special
    if seconds >= 100:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest:02d} s"
    name, size = time_unit([seconds])
    return f"{significant(seconds / size, digits)}{NARROW}{name}"


def ratio(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """A factor: `3.4×`, to the digits its interval allows, never more than three."""
    digits = min(digits_for(value, low, high), 3) if math.isfinite(low) and math.isfinite(high) else 2
    return NOTHING if math.isnan(value) else f"{significant(value, digits)}{TIMES}"


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def ulps(value: float) -> str:
    """An error in ulps: a decimal below 10, whole up to 10,000, a power of ten above."""
    if math.isnan(value):
        return NOTHING
    if math.isinf(value):
        return _special(value) or ""
    size = abs(value)
    if size < 10:
        return f"{value:.1f}".replace("-", MINUS).replace(".0", "")
    return f"{value:,.0f}".replace("-", MINUS) if size < 10_000 else significant(value, 2)


def relative(value: float) -> str:
    """A relative error, two digits."""
    return NOTHING if math.isnan(value) else significant(value, 2)


def count(number: int) -> str:
    """`4,212`."""
    return f"{number:,}"


def percent(share: float) -> str:
    """`3.4%` below ten, whole above, `<0.1%` where rounding would say nothing."""
    hundred = share * 100
    if 0 < hundred < 0.1:
        return "<0.1%"
    return f"{hundred:.1f}%".replace(".0%", "%") if hundred < 10 else f"{hundred:.0f}%"


def share(part: float) -> str:
    """How much of a limit: a percentage, a dash where the limit is unknown."""
    return NOTHING if math.isnan(part) else percent(part)


def value(number: float, dtype: str = "float64") -> str:
    """A number of a dtype: the shortest text that reads back as it, no digit more."""
    special = _special(number)
    if special is not None:
        return special
    if dtype in _CARRIERS:
        typed: Any = _CARRIERS[dtype](number)
        plain = typed == 0 or 1e-4 <= abs(typed) < 1e6
        text = (
            np.format_float_positional(typed, unique=True, trim="-")
            if plain
            else np.format_float_scientific(typed, unique=True, trim="-", exp_digits=1)
        )
    else:
        text = f"{number:.{_DTYPE_DIGITS.get(dtype, 8)}g}"
    return text.replace("-", MINUS)


def apart(number: float, other: float, dtype: str = "float64") -> str:
    """A number shown so far that it is told from another: two digits beyond where they part, within its dtype."""
    if not math.isfinite(number) or number in (0, other):
        return value(number, dtype)
    if not math.isfinite(other):
        return significant(number, 3)
    share = abs(number - other) / max(abs(number), abs(other))
    digits = min(max(math.ceil(-math.log10(share)) + 2, 3), _DTYPE_DIGITS.get(dtype, 16) + 1)
    return significant(number, digits)


def beside(number: float, claimed: float, dtype: str = "float32") -> str:
    """A measured number beside a printed one: two digits more than was printed, within the dtype's own."""
    if not math.isfinite(claimed) or not math.isfinite(number):
        return value(number, dtype)
    printed = np.format_float_positional(claimed, unique=True, trim="-").lstrip("-0.").replace(".", "")
    digits = min(len(printed) + 2, _DTYPE_DIGITS.get(dtype, 8) - 1)
    return f"{number:.{digits}g}".replace("-", MINUS)
