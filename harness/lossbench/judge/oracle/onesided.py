"""Derivatives that the chain rule leaves open (a slope 0 times a slope infinity) as limits from both sides.

The gradient is taken again a hair beside the point, at two distances. What stays is the limit, what
shrinks with the distance is 0, what grows is infinite. A side outside the formula's domain does not count; two
sides that differ are the ends of the hull.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from flint import arb

from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Attempt, Undecided, working
from lossbench.judge.oracle.reals import FINITE, NEGATIVE, NOT_A_NUMBER, POSITIVE, Mask, Reals, as_balls
from lossbench.judge.oracle.tape import Cotangent

_DISTANCES_BITS: Final = (1500, 3000)
_TREND_BITS: Final = 60
_AT_MOST: Final = 64

Point = tuple[int, arb]
Gradient = Callable[[Reals], Reals]
"""The gradient by the input at the input plus a shift; its element may be nan."""


def complete(bar: Cotangent, open_: Mask, gradient: Gradient) -> Cotangent:
    """`bar` with the open elements (at most the first 64) replaced by limits, where there are any."""
    low = Reals(bar.low.balls.copy(), bar.low.kinds.copy())
    high = low if bar.high is None else bar.high
    kinds, high_kinds = low.kinds.copy(), high.kinds.copy()
    balls, high_balls = low.balls.copy(), high.balls.copy()
    with working(Attempt(bits=PRECISIONS_BITS[-1], last=False)):
        for position in np.argwhere(open_)[:_AT_MOST]:
            i = tuple(position)
            sides = [_limit(i, sign, open_.shape, gradient) for sign in (-1, 1)]
            known = [side for side in sides if side[0] != NOT_A_NUMBER]
            if known:
                ordered = sorted(known, key=lambda side: float(side[1]))
                (kinds[i], balls[i]), (high_kinds[i], high_balls[i]) = ordered[0], ordered[-1]
    return Cotangent(low=Reals(balls, kinds), high=Reals(high_balls, high_kinds), owed=bar.owed, absent=None)


def _limit(i: tuple[int, ...], sign: int, shape: tuple[int, ...], gradient: Gradient) -> Point:
    nothing = NOT_A_NUMBER, arb.nan()
    near: list[arb] = []
    for bits in _DISTANCES_BITS:
        shift = as_balls(np.full(shape, arb(0), dtype=object))
        shift[i] = sign * arb(2) ** -bits
        try:
            slopes = gradient(Reals(shift))
        except Undecided:
            return nothing
        if slopes.kinds[i] != FINITE:
            return nothing
        near.append(slopes.balls[i])
    return _trend(*near)


def _trend(far: arb, near: arb) -> Point:
    step = arb(2) ** -_TREND_BITS
    if abs(near - far) <= abs(near) * step:
        return FINITE, arb(near.mid(), (near - far).abs_upper())
    if abs(near) <= abs(far) * step:
        return FINITE, arb(0)
    if abs(far) <= abs(near) * step:
        return (POSITIVE, arb.pos_inf()) if near > 0 else (NEGATIVE, arb.neg_inf())
    return (FINITE, near) if near.is_zero() and far.is_zero() else (NOT_A_NUMBER, arb.nan())
