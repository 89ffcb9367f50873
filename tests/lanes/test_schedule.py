"""Every cell as often as every other, next to those it is compared with, at every position."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lossbench.lanes.schedule import order, visits

sizes = st.lists(st.integers(1, 6), min_size=1, max_size=5)
seeds = st.integers(0, 2**32)


def groups_of(counts: list[int]) -> list[list[str]]:
    return [[f"g{number}c{cell}" for cell in range(size)] for number, size in enumerate(counts)]


@given(sizes, st.integers(0, 7), seeds)
def test_each_cell_once_a_visit(counts: list[int], number: int, seed: int) -> None:
    groups = groups_of(counts)
    seen = Counter(visits(groups, number, seed))
    assert seen == Counter((visit, cell) for visit in range(number) for group in groups for cell in group)


@given(sizes, st.integers(1, 7), seeds)
def test_a_group_is_visited_without_a_break(counts: list[int], number: int, seed: int) -> None:
    walked = list(visits(groups_of(counts), number, seed))
    breaks = sum(a[1][:2] != b[1][:2] or a[0] != b[0] for a, b in itertools.pairwise(walked))
    assert breaks == len(counts) * number - 1


@given(st.integers(1, 6), seeds)
def test_positions_balance_over_a_full_turn(size: int, seed: int) -> None:
    group = groups_of([size])[0]
    walked = [cell for _, cell in visits([group], 2 * size, seed)]
    positions = Counter((cell, place % size) for place, cell in enumerate(walked))
    assert positions == {(cell, place): 2 for cell in group for place in range(size)}


@given(st.integers(2, 6))
def test_every_pass_turns_back(size: int) -> None:
    group = list(range(size))
    for visit in range(0, 8, 2):
        assert order(group, visit) == order(group, visit + 1)[::-1]
    assert order(group, 0) != order(group, 2)


@given(sizes, seeds)
def test_the_order_is_a_function_of_the_seed(counts: list[int], seed: int) -> None:
    groups = groups_of(counts)
    assert list(visits(groups, 3, seed)) == list(visits(groups, 3, seed))


def test_an_empty_group_is_no_visit() -> None:
    assert list(visits([[], ["a"]], 2, 0)) == [(0, "a"), (1, "a")]
