"""The order of blocks in a round, what a block calls, and how many rounds there are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from lossbench.judge.replicates import log_ratios
from lossbench.lanes import replicate
from lossbench.lanes.replicate import palindromes
from lossbench.lanes.session import Prepared


def ran(*, rounds: int = 3, seconds: float = 1.0, loops: int = 5) -> tuple[list[str], np.ndarray]:
    """The calls made, in order, and what `palindromes` returned."""
    calls: list[str] = []

    def prepared(name: str) -> Prepared:
        return Prepared(call=lambda: calls.append(name), arguments=(), dtype="float32")

    found, _ = palindromes(
        [prepared(name) for name in "ABC"], lambda _: None, loops, rounds, seconds, random.Random(7), [0.0, 0.0, 0.0]
    )
    return calls, found


def blocks(calls: list[str]) -> list[str]:
    """One letter a block of five calls; two blocks of one version may meet."""
    found = calls[::6]
    assert calls == [name for name in found for _ in range(6)], "one untimed call and those of the block"
    return found


def test_every_round_is_a_palindrome_in_an_order_of_its_own() -> None:
    calls, seconds = ran(rounds=12)
    order = blocks(calls)
    rounds = [order[i : i + 6] for i in range(0, len(order), 6)]
    assert all(sorted(r[:3]) == ["A", "B", "C"] and r == r[::-1] for r in rounds)
    assert len({"".join(r) for r in rounds}) > 2
    assert seconds.shape == (12, 3, 2)
    assert (seconds > 0).all()


def test_a_block_of_few_calls_has_no_untimed_one() -> None:
    few, _ = ran(rounds=1, loops=4)
    many, _ = ran(rounds=1, loops=5)
    assert (len(few), len(many)) == (2 * 3 * 4, 2 * 3 * 6)


@pytest.mark.parametrize("extra", [0.05, 0.5, 2.0])
def test_a_planted_slowdown_is_as_large_as_was_asked_for(extra: float) -> None:
    """Of calls too long for one more of them in a block to be 5%; both sides see the machine's mood."""
    numbers = np.random.default_rng(3).standard_normal(20_000)
    same = [Prepared(call=lambda: np.sin(numbers), arguments=(), dtype="float64") for _ in "AB"]
    ratios, shares = [], []
    for seed in range(15):
        seconds, planted = palindromes(same, lambda _: None, 2, 30, 1.0, random.Random(seed), [0.0, extra])
        ratios.append(float(log_ratios(seconds)[0]))
        assert planted.shape == seconds.shape
        assert not planted[:, 0].any(), "the base has none"
        assert (planted[:, 1] > 0).all()
        shares.append(float(np.median(planted[:, 1] / seconds[:, 1])))
    assert np.median(ratios) == pytest.approx(np.log1p(extra), rel=0.3)
    assert np.median(shares) == pytest.approx(extra / (1 + extra), rel=0.3)


def rounds_taken(each: float, *, asked: int, preparing: float, planned: float = 0.006) -> int:
    """Of rounds of so many seconds, with now and then one that was disturbed."""
    took: list[float] = []
    while replicate.another(took, asked, planned, preparing):
        took.append(each * (5 if len(took) % 3 == 0 else 1))
    return len(took)


def test_rounds_as_long_as_they_should_be_are_those_asked_for_at_least() -> None:
    assert rounds_taken(0.006, asked=5, preparing=0.0) == 5
    assert rounds_taken(0.011, asked=5, preparing=0.0) == 5
    assert rounds_taken(0.006, asked=5, preparing=10.0) == replicate.WORTH_ROUNDS


def test_longer_rounds_are_as_many_as_they_are_worth() -> None:
    assert rounds_taken(0.1, asked=16, preparing=0.001) == replicate.LEAST_ROUNDS
    assert rounds_taken(30.0, asked=16, preparing=2.0) == replicate.LEAST_ROUNDS
    dear = [rounds_taken(0.02, asked=5, preparing=seconds) for seconds in (0.02, 0.1, 0.5)]
    assert dear == [replicate.worthwhile(2, seconds, 0.02) for seconds in (0.02, 0.1, 0.5)]
    assert dear[0] < dear[1] < dear[2]


def test_slow_calls_have_no_more_than_the_least_rounds() -> None:
    _, seconds = ran(rounds=50, seconds=1e-12)
    assert len(seconds) == replicate.LEAST_ROUNDS


def test_rounds_are_those_that_say_most_for_their_time() -> None:
    """Against the product of variance and time, over all numbers of rounds."""
    for preparing, each in ((0.02, 0.006), (0.1, 0.006), (0.5, 0.02)):
        product = [(1 + replicate.SPREAD_RATIO / r) * (preparing + r * each) for r in range(1, 40)]
        best = 1 + int(np.argmin(product))
        assert abs(replicate.worthwhile(1, preparing, each) - min(replicate.WORTH_ROUNDS, best)) <= 1
    assert replicate.worthwhile(20, 0.0, 0.006) == 20, "never fewer than asked for"
    assert replicate.worthwhile(1, 60.0, 0.006) == replicate.WORTH_ROUNDS
