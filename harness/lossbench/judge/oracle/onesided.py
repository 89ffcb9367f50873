"""Derivatives that the chain rule leaves open (a slope 0 times a slope infinity) as limits from both sides.

The gradient is taken again a hair beside the point, at two distances. What stays is the limit, what
shrinks with the distance is 0, what grows is infinite. A side outside the formula's domain does not count; two
sides that differ are the ends of the hull. Elements that do not meet in the formula are shifted together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from flint import arb

from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Attempt, Undecided, working
from lossbench.judge.oracle.problem import Problem, Separable
from lossbench.judge.oracle.reals import FINITE, NEGATIVE, NOT_A_NUMBER, POSITIVE, Mask, Reals, as_balls
from lossbench.judge.oracle.tape import Cotangent

_DISTANCES_BITS: Final = (1500, 3000)
_TREND_BITS: Final = 60
_AT_MOST: Final = 64

Point = tuple[int, arb]
_NOTHING: Final[Point] = (NOT_A_NUMBER, arb.nan())


def complete(bar: Cotangent, open_: Mask, problem: Problem, *, divide_by: Any = None) -> Cotangent:
    """`bar` with the open elements replaced by limits, where there are any; at most the first 64 of
    them where the whole batch has to be evaluated for each. divide_by: the divisor of the reduction where it
    does not depend on the input."""
    high = bar.low if bar.high is None else bar.high
    kinds, high_kinds = bar.low.kinds.copy(), high.kinds.copy()
    balls, high_balls = bar.low.balls.copy(), high.balls.copy()
    separable = "batch" if divide_by is None else problem.separable()
    with working(Attempt(bits=PRECISIONS_BITS[-1], last=False)):
        for group in _groups(np.argwhere(open_), separable):
            sides = [_limits(group, sign, problem, separable, divide_by) for sign in (-1, 1)]
            for position, *both in zip(group, *sides, strict=True):
                i = tuple(position)
                known = sorted((side for side in both if side[0] != NOT_A_NUMBER), key=lambda side: float(side[1]))
                if known:
                    (kinds[i], balls[i]), (high_kinds[i], high_balls[i]) = known[0], known[-1]
    return Cotangent(low=Reals(balls, kinds), high=Reals(high_balls, high_kinds), owed=bar.owed, absent=None)


def _groups(positions: npt.NDArray[np.int64], separable: Separable) -> Iterator[npt.NDArray[np.int64]]:
    """Positions that may be shifted together: at most one in whatever stands alone."""
    if separable == "batch":
        yield from (position[None] for position in positions[:_AT_MOST])
    elif separable == "element":
        yield positions
    else:
        _, first, counts = np.unique(positions[:, 0], return_index=True, return_counts=True)
        for turn in range(int(counts.max())):
            yield positions[first[counts > turn] + turn]


def _limits(
    group: npt.NDArray[np.int64], sign: int, problem: Problem, separable: Separable, divide_by: Any
) -> list[Point]:
    """The limit at each position, from one side."""
    part, at = problem, group
    if separable != "batch":
        rows, place = np.unique(group[:, 0], return_inverse=True)
        part, at = problem.at(rows), np.column_stack([place.ravel(), group[:, 1:]])
    index = tuple(at.T)
    near: list[tuple[Mask, Any]] = []
    for bits in _DISTANCES_BITS:
        shift = as_balls(np.full(part.given[str(problem.wrt)].shape, arb(0), dtype=object))
        shift[index] = sign * arb(2) ** -bits
        try:
            bar = part.once(Reals(shift), divide_by)[1]
        except Undecided:
            if len(group) == 1:
                return [_NOTHING]
            return [_limits(one[None], sign, problem, separable, divide_by)[0] for one in group]
        assert bar is not None, "the problem has a gradient"
        low = bar.low.balls[index]
        point = np.asarray(bar.low.kinds[index] == FINITE)
        if bar.high is not None:  # beside a kink there is another kink
            point &= np.asarray(low == bar.high.balls[index], dtype=bool)
        near.append((point, low))
    (far_known, far), (near_known, close) = near
    return [_trend(f, c) if known else _NOTHING for f, c, known in zip(far, close, far_known & near_known, strict=True)]


def _trend(far: arb, near: arb) -> Point:
    step = arb(2) ** -_TREND_BITS
    if abs(near - far) <= abs(near) * step:
        return FINITE, arb(near.mid(), (near - far).abs_upper())
    if abs(near) <= abs(far) * step:
        return FINITE, arb(0)
    if abs(far) <= abs(near) * step:
        return (POSITIVE, arb.pos_inf()) if near > 0 else (NEGATIVE, arb.neg_inf())
    return (FINITE, near) if near.is_zero() and far.is_zero() else _NOTHING
