"""How a comparison spends its budget, on stand-in replicates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossbench.judge.change import Rule
from lossbench.lanes.measurement import Paired
from lossbench.lanes.versions import Version
from lossbench.pairing.campaign import FEW_ROUNDS, ROUNDS, Campaign, Course, without
from lossbench.spec.case import Case, Cell, Lane

VERSIONS = tuple(Version(name=name, path="x", builtin=False) for name in ("base", "control", "head"))
COSTS = {"torch": 0.001, "jax": 0.06}


def cell(backend: str, number: int = 0) -> Cell:
    case = Case(loss="huber", shape=(4 + number,))
    return Cell(case=case, binding="b", lane=Lane(backend=backend), operation="grad")  # type: ignore[arg-type]


class FakeSource:
    """Says too little to settle anything; a replicate of jax costs sixty times one of torch."""

    def __init__(self, lane: Lane, asked: list[str], answer: Paired | None) -> None:
        self.lane, self._asked, self._answer = lane, asked, answer

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *_: object) -> None: ...

    def ready(self) -> None: ...

    def replicate(self, cells: Sequence[Any], **_: Any) -> list[Paired]:
        time.sleep(COSTS[self.lane.backend])
        self._asked.append(self.lane.backend)
        if self._answer is not None:
            return [self._answer] * len(cells)
        noise = 3.0 if self._asked.count(self.lane.backend) % 2 else 1 / 3
        seconds = np.array([[[1.0, 1.0], [noise, noise]]])
        return [Paired(status="ok", loops=1, seconds_per_call=seconds)] * len(cells)


def campaign(asked: list[str], seconds: float, answer: Paired | None = None, cells: int = 1) -> Campaign:
    chosen = [(cell(backend, number), {}) for backend in COSTS for number in range(cells)]
    return Campaign(
        versions=VERSIONS, cells=chosen, rule=Rule(cells=len(chosen)), budget_seconds=seconds, places=(0,),
        started=lambda lane, _versions, _seed: FakeSource(lane, asked, answer),
    )  # fmt: skip


def test_every_cell_is_looked_at_once_before_any_is_twice() -> None:
    asked: list[str] = []
    campaign(asked, 3.0).run()
    assert sorted(asked[:4]) == ["jax"] * 2 + ["torch"] * 2
    both = 2 * asked.count("jax")
    assert both > 12
    for end in range(4, both):
        apart = asked[:end].count("torch") - asked[:end].count("jax")
        assert abs(apart) <= 1, "the lane with the fewest is next, until time is left for the cheap one alone"


@pytest.mark.parametrize(
    ("seconds", "together", "rounds"), [(8.0, 11, ROUNDS), (7.9, 11, FEW_ROUNDS), (7.9, 10, ROUNDS)]
)
def test_rounds_are_many_where_there_is_time_or_little_else_to_pay(seconds: float, together: int, rounds: int) -> None:
    assert campaign([], seconds, cells=2).rounds(together) == rounds


class Costly(FakeSource):
    """Settles a cell at its first look; that of four elements costs thirty times the others."""

    def replicate(self, cells: Sequence[Any], **_: Any) -> list[Paired]:
        found = []
        for asked, _names in cells:
            seconds = 0.15 if asked.case.shape == (4,) else 0.005
            time.sleep(seconds)
            self._asked.append(str(asked.case.shape[0]))
            found.append(Paired(status="ok", loops=1, seconds_per_call=np.ones((2, 2, 2)), spent_seconds=seconds))
        return found


def test_a_dear_cell_comes_after_the_others() -> None:
    asked: list[str] = []
    chosen = [(cell("torch", number), {}) for number in range(6)]
    made = Campaign(
        versions=VERSIONS, cells=chosen, rule=Rule(cells=len(chosen)), budget_seconds=5.0, places=(0,),
        started=lambda lane, _versions, _seed: Costly(lane, asked, None),
    )  # fmt: skip
    assert {course.judgement.verdict for course in made.run()} == {"PASS"}
    dear = [place for place, name in enumerate(asked) if name == "4"]
    others = [place for place, name in enumerate(asked) if name != "4"]
    assert len(dear) == len(others) / 5
    assert dear[0] < others[5], "what it costs is found out with the others"
    assert dear[1] > others[-1], "then it waits until they are settled"


def test_a_lane_with_a_dear_cell_does_not_come_before_the_others() -> None:
    """The dear one waits with a single replicate, which is no reason to ask its lane before others that had two."""
    asked: list[str] = []

    class Both(FakeSource):
        def replicate(self, cells: Sequence[Any], **_: Any) -> list[Paired]:
            found = []
            for one, _names in cells:
                dear = self.lane.backend == "jax" and one.case.shape == (4,)
                time.sleep(0.1 if dear else 0.01)
                self._asked.append(self.lane.backend)
                seconds = np.ones((1, 2, 2))
                seconds[:, 1] = 2.0 ** (1 if self._asked.count(self.lane.backend) // 3 % 2 else -1)
                found.append(
                    Paired(
                        status="ok",
                        loops=1,
                        seconds_per_call=seconds,
                        spent_seconds=0.1 if dear else 0.01,
                    )
                )
            return found

    chosen = [(cell(backend, number), {}) for backend in COSTS for number in range(3)]
    Campaign(
        versions=VERSIONS, cells=chosen, rule=Rule(cells=len(chosen)), budget_seconds=2.8, places=(0,),
        started=lambda lane, _versions, _seed: Both(lane, asked, None),
    ).run()  # fmt: skip
    assert 0.5 < asked.count("torch") / asked.count("jax") < 2, "the lane with the fewest is next"


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ([3.0, 3.0, 3.0, 3.0], [0, 1]),
        ([0.0, 0.0, 0.0, 0.0], [0, 1, 2, 3]),
        ([4.0, 1.0, 4.0, 1.0], [1, 3, 0]),
        ([20.0, 15.0, 5.0, 5.0], [2]),
        ([8.0, 8.0, 8.0, 8.0], []),
    ],
)
def test_the_cells_of_a_process_fit_into_the_time_that_is_left(seconds: list[float], chosen: list[int]) -> None:
    """Of ten seconds of which two are kept for closing, at 0.65 s a cell or 1.3 times what its last replicate took.

    Of two that had as many replicates the one that costs less comes first.
    """
    made = campaign([], 10.0, cells=4)
    own = [Course(cell=c, names=names, judgement=without("none yet")) for c, names in made.cells[:4]]
    for course, each in zip(own, seconds, strict=True):
        course.seconds = each
    lane = own[0].cell.lane
    made.courses, made.costs[lane], made._began = own, 0.5, time.monotonic()
    assert list(made._chosen(lane, own) or ()) == [own[place] for place in chosen]


class Noisy(FakeSource):
    """Unchanged code at a noise of 1%."""

    draws = np.random.default_rng(3)

    def replicate(self, cells: Sequence[Any], **_: Any) -> list[Paired]:
        found = []
        for _cell in cells:
            seconds = np.ones((1, 2, 2))
            seconds[:, 1] = np.exp(0.01 * self.draws.standard_normal())
            found.append(Paired(status="ok", loops=1, seconds_per_call=seconds))
        return found


@pytest.mark.parametrize(("seconds", "kept"), [(0.0, 6.0 + 24.0), (0.1, 6.0 + 2.4), (30.0, 0.3 * 200.0)])
def test_what_is_kept_for_a_suspect_is_what_it_costs(seconds: float, kept: float) -> None:
    """Sixteen replicates with the control, half as dear again, and frameworks started; at most 30% of the budget."""
    made = campaign([], 200.0)
    own = [Course(cell=c, names=names, judgement=without("none yet"), seconds=seconds) for c, names in made.cells[:1]]
    made.courses, made.costs[own[0].cell.lane], made._began = own, 1.0, time.monotonic()
    before = made._left(own)
    own[0].judgement = replace(own[0].judgement, suspect=True)
    assert before - made._left(own) == pytest.approx(kept, abs=0.05)


@pytest.mark.parametrize(("cells", "least", "most"), [(20, 2.0, 2.4), (2, 3.0, 8.0)])
def test_cells_learn_from_each_other_what_noise_is_usual(cells: int, least: float, most: float) -> None:
    """Alone a cell needs four replicates, by Student's t: 4.5 x 1% / 2 lies below what 5% leaves above the centre."""
    chosen = [(cell("torch", number), {}) for number in range(cells)]
    made = Campaign(
        versions=VERSIONS, cells=chosen, rule=Rule(cells=cells), budget_seconds=20.0, places=(0,),
        started=lambda lane, _versions, _seed: Noisy(lane, [], None),
    )  # fmt: skip
    courses = made.run()
    assert {course.judgement.verdict for course in courses} == {"PASS"}
    assert least <= np.mean([len(course.x) for course in courses]) <= most


def test_what_the_base_cannot_do_is_asked_once() -> None:
    asked: list[str] = []
    made = campaign(asked, 3.0, Paired(status="failed", reason="base: ValueError: no"))
    assert {course.judgement.verdict for course in made.run()} == {"INVALID"}
    assert all(course.judgement.idle for course in made.courses)
    assert sorted(asked) == ["jax", "torch"]
