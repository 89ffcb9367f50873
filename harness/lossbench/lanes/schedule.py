"""The order of visits: cells that are compared stand next to each other in time, in changing order.

A ratio is taken between neighbours, so drift of the machine cancels. Within a group the order alternates
(ABC, CBA) and rotates (BCA, ACB, ...): over 2 * n visits of n cells each cell stands at each position exactly twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def visits(groups: Sequence[Sequence[T]], visits: int, seed: int) -> Iterator[tuple[int, T]]:
    """Yields `(visit, cell)`: each cell once a visit, the cells of a group in direct succession.

    The order of the groups and the first order within each are shuffled by the seed, once a visit and
    once a run; the rest follows from `order`.
    """
    shuffled = random.Random(seed)
    first = [shuffled.sample(list(group), len(group)) for group in groups]
    for visit in range(visits):
        for number in shuffled.sample(range(len(first)), len(first)):
            for cell in order(first[number], visit):
                yield visit, cell


def order(group: Sequence[T], visit: int) -> list[T]:
    """The group's order on a visit: forwards and backwards in turn, rotated by one after each such pair."""
    if not group:
        return []
    turn = (visit // 2) % len(group)
    rotated = [*group[turn:], *group[:turn]]
    return rotated if visit % 2 == 0 else rotated[::-1]
