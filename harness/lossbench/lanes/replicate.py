"""What one replicate does: the versions of each cell prepared in random order, then timed in turn in short blocks.

A round is a palindrome of blocks (ABC CBA) in an order drawn anew, so that each version has the same share of every
mood of the machine. Blocks are many and short: what disturbs comes in bursts, and the shorter a block the more often
it escapes them. One untimed call opens each block of several calls; one of few is long enough to fill the caches
itself.
The versions read the same input arrays: were each given its own, where these happen to lie would be worth 1 to 2%
of a process, and every block would begin with a cold cache; what a version allocates itself is its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.lanes.backends.base import Backend
from lossbench.lanes.measurement import Answer, Paired, quiet
from lossbench.lanes.reasons import reason_of
from lossbench.lanes.session import RAISED, Session
from lossbench.lanes.stopwatch import Prepared, calibrated, timed, turned, undisturbed
from lossbench.spec.case import Case, Cell
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.inputs import Inputs
from lossbench.spec.loss import Loss

WORTH_ROUNDS: Final = 48
"""As many as a cell has at most for being dear to prepare."""
SPREAD_RATIO: Final = 30.0
"""How much more rounds of a process vary than processes do, as variances: 3 to 5% against less than 1%."""
OPENED_FROM: Final = 5
"""Calls a block: an untimed one before fewer would cost more than what is left of the other version in the caches."""
LEAST_ROUNDS: Final = 2
TURNS: Final = 1000
"""Of the loop that slows a version, to learn its pace."""
LONG: Final = 2.0
"""Times the seconds that a round should take: its calls are longer than a block, and it costs what it is worth."""


def replicate(
    backend: Backend,
    catalogues: Mapping[str, Catalogue],
    cells: Sequence[tuple[Cell, Mapping[str, str]]],
    *,
    mode: str,
    rounds: int,
    block_seconds: float,
    seed: int,
    extra: Mapping[str, float] | None = None,
    apart: Sequence[Sequence[str]] = (),
    build: Callable[[Loss, Case], Inputs],
) -> Iterator[Paired]:
    """One result a cell, in the order given; versions in the order of `catalogues`, the first of which calibrates.

    cells: each with the name of its loss in those versions that call it otherwise. extra: of a version, the work that
    each of its blocks does besides, as a fraction of the base's time; it is the last version without any otherwise.
    apart: names of versions that share rounds; each such group is timed by itself and gives a result of its own, in
    this order. None: all share their rounds.
    """
    drawn = random.Random(seed)
    sessions = {name: Session(backend, catalogue, mode, build) for name, catalogue in catalogues.items()}
    for cell, names in cells:
        began = time.perf_counter()
        try:
            found = _one(sessions, cell, names, rounds, block_seconds, drawn, extra or {}, apart)
        except RAISED as error:
            found = [Paired(status="failed", reason=reason_of(error))] * max(1, len(apart))
        spent = (time.perf_counter() - began) / len(found)
        yield from (replace(paired, spent_seconds=spent) for paired in found)


def _one(
    sessions: Mapping[str, Session],
    cell: Cell,
    names: Mapping[str, str],
    rounds: int,
    block_seconds: float,
    drawn: random.Random,
    extra: Mapping[str, float],
    apart: Sequence[Sequence[str]],
) -> list[Paired]:
    groups = apart or [list(sessions)]
    answers: dict[str, Answer] = {}
    ready: dict[str, Prepared] = {}
    began = time.perf_counter()
    own_work = [name for name in sessions if name not in extra]
    for name in drawn.sample(own_work, len(own_work)):
        own = replace(cell, case=replace(cell.case, loss=names.get(name, cell.case.loss)))
        answers[name], prepared = sessions[name].prepared(own)
        if prepared is not None:
            ready[name] = prepared
    for name in own_work:  # the base's first: what it cannot do either is no change
        if name not in ready:
            return [Paired(status=answers[name].status, reason=f"{name}: {answers[name].reason}")] * len(groups)
    for name in extra:  # the head's own load: the base's would share its luck with what it is compared with
        answers[name], ready[name] = answers[own_work[-1]], ready[own_work[-1]]
    if len({answer.digest for answer in answers.values()}) > 1:
        return [Paired(status="skipped", reason="the versions declare other inputs for this loss")] * len(groups)
    order = [ready[name] for name in sessions]
    shared = order[0].arguments[:2]
    for prepared in order[1:]:
        prepared.arguments = (*shared, *prepared.arguments[2:])
    backend = next(iter(sessions.values())).backend
    backend.begin(cell.case.dtype)
    first, *others = (answers[name] for name in sessions)
    same_value = all(same(first, other) for other in others)
    with undisturbed():
        loops = calibrated(order[0], backend.wait, block_seconds)
        preparing = time.perf_counter() - began
        timings = [
            palindromes(
                [ready[name] for name in group], backend.wait, loops, rounds, block_seconds, drawn,
                [extra.get(name, 0.0) for name in group], preparing,
            )
            for group in groups
        ]  # fmt: skip
    return [
        Paired(status="ok", loops=loops, seconds_per_call=seconds, planted_per_call=planted, same_value=same_value)
        for seconds, planted in timings
    ]


def worthwhile(rounds: int, preparing_seconds: float, round_seconds: float) -> int:
    """The rounds that say most for their time: at least those asked for, more of a cell that was dear to prepare.

    With r rounds a replicate varies by b + w / r and takes p + r t seconds; the product is least at r = sqrt(w p / b t)
    (W. G. Cochran, Sampling Techniques, 3rd ed., 1977, section 10.6: subsampling with the cost of a unit).
    """
    best = round(float(np.sqrt(SPREAD_RATIO * preparing_seconds / round_seconds)))
    return max(rounds, min(WORTH_ROUNDS, best))


def palindromes(
    order: Sequence[Prepared],
    wait: Callable[[Any], None],
    loops: int,
    rounds: int,
    block_seconds: float,
    drawn: random.Random,
    extra: Sequence[float],
    preparing: float = 0.0,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Seconds per call, of shape (rounds, versions, 2): each version's block there and back again; what of it is extra.

    extra: of each version, the work besides, as a fraction of those of the first one's blocks that count so far; it is
    so many turns of a loop as took that long before, in this process and at its pace. preparing: seconds that it took
    before.
    """
    seconds: list[npt.NDArray[np.float64]] = []
    planted: list[npt.NDArray[np.float64]] = []
    took: list[float] = []
    own = [timed(order[0], wait, loops)] if any(extra) else []
    paces = [turned(TURNS) / TURNS] if any(extra) else []
    while another(took, rounds, 2 * len(order) * block_seconds, preparing):
        # before the round: what is worked out between two blocks slows the second one down
        turns = [max(1, round(x * quickest(own) / quickest(paces))) if x else 0 for x in extra]
        began, block, besides = time.perf_counter(), np.empty((len(order), 2)), np.zeros((len(order), 2))
        there = drawn.sample(range(len(order)), len(order))
        for way, places in enumerate((there, there[::-1])):
            for place in places:
                if loops >= OPENED_FROM:
                    timed(order[place], wait, 1)
                block[place, way] = timed(order[place], wait, loops)
                if turns[place]:
                    besides[place, way] = turned(turns[place])
                    paces.append(besides[place, way] / turns[place])
        took.append(time.perf_counter() - began)
        own += block[0].tolist()
        seconds.append((block + besides) / loops)
        planted.append(besides / loops)
    return np.stack(seconds), np.stack(planted) if any(extra) else np.empty((0, 0, 2))


def another(took: Sequence[float], asked: int, planned: float, preparing: float) -> bool:
    """Whether a replicate takes one more round, after those that took so many seconds each.

    asked: rounds at least, where one takes about as long as it should, `planned`; of longer ones as many as are worth
    their time, which the quickest one tells.
    """
    if not took:
        return True
    each = min(took)
    least = asked if each <= LONG * planned else min(asked, LEAST_ROUNDS)
    return len(took) < worthwhile(least, preparing, each)


def quickest(seconds: Sequence[float]) -> float:
    """The mean of those that count."""
    return float(np.mean(sorted(seconds)[: quiet(len(seconds))]))


def same(a: Answer, b: Answer) -> bool:
    """Whether value and gradient are the same bits, NaN with NaN."""
    pairs = ((a.value, b.value), (a.grad, b.grad))
    return all(
        (x is None and y is None) or (x is not None and y is not None and np.array_equal(x, y, equal_nan=True))
        for x, y in pairs
    )
