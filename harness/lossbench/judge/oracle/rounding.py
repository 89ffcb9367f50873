"""From balls to the formats: correct rounding (ties to even, subnormals, overflow) in whole numbers."""

from __future__ import annotations

import math

from flint import arb

from lossbench.spec.formats import Format

SPARE_BITS = 80
"""Relative accuracy asked of every result, and how far below the smallest number a ball around 0 must stay."""


def round_number(man: int, exp: int, fmt: Format) -> float:
    """man * 2**exp to the nearest number of the format. `exp` may be astronomically large or small."""
    if man == 0:
        return 0.0
    sign, size = (-1.0 if man < 0 else 1.0), abs(man)
    top = size.bit_length() + exp - 1  # floor(log2 |x|)
    if top > fmt.emax:
        return sign * math.inf
    if top < fmt.emin - fmt.precision:
        return sign * 0.0
    quantum = max(top, fmt.emin) - fmt.precision + 1
    shift = quantum - exp
    if shift <= 0:
        whole = size << -shift
    else:
        whole, rest = size >> shift, size & ((1 << shift) - 1)
        half = 1 << (shift - 1)
        whole += rest > half or (rest == half and whole & 1)
    if whole.bit_length() + quantum - 1 > fmt.emax:
        return sign * math.inf
    return sign * math.ldexp(whole, quantum)


def round_exact(point: arb, fmt: Format) -> float:
    """An exact ball (radius 0) rounded."""
    man, exp = point.man_exp()
    return round_number(int(man), int(exp), fmt)


def round_ball(ball: arb, fmt: Format) -> float:
    """The middle of the ball, rounded: correct where `is_certified`."""
    return round_exact(ball.mid(), fmt)


def is_certified(ball: arb, fmt: Format) -> bool:
    """Whether every number in the ball rounds alike, with digits to spare."""
    if ball.is_exact():
        return True
    if ball.contains(arb(0)):
        return is_nothing(ball, fmt)
    if ball.rel_accuracy_bits() < SPARE_BITS:
        return False
    return round_exact(ball.lower(), fmt) == round_exact(ball.upper(), fmt)


def is_nothing(ball: arb, fmt: Format) -> bool:
    """Whether the ball lies around 0, far below the smallest number of the format."""
    limit = arb(2) ** (fmt.emin - fmt.precision + 1 - SPARE_BITS)
    return bool(abs(ball).upper() < limit)


def quantum_exponent(ball: arb, fmt: Format) -> int:
    """log2 of the format's spacing at the number: that of the subnormals below, of the largest numbers above."""
    man, exp = ball.mid().man_exp()
    if man == 0:
        return fmt.emin - fmt.precision + 1
    top = int(abs(int(man)).bit_length() + int(exp) - 1)
    return min(max(top, fmt.emin), fmt.emax) - fmt.precision + 1
