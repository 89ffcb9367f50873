"""The simulation: known schedules by hand, and bounds that no schedule escapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbench.cluster.desk import Share
from lossbench.cluster.efficiency import Cost, Costs, Simulation
from lossbench.cluster.seats import CORES


def costs(*seconds: float, start: float = 0.0) -> Costs:
    """Cases of one lane, one cell each."""
    cases = {f"c{n}[]": Cost(loss="huber", cells=1, lanes={"torch": s}) for n, s in enumerate(seconds)}
    return Costs(cases=cases, start=start)


def test_equal_cases_divide_evenly() -> None:
    found = Simulation(costs(*[1.0] * 12)).on(4)
    assert (found.seconds, found.efficiency) == (3.0, 1.0)


def test_one_long_case_bounds_what_nodes_can_do() -> None:
    found = Simulation(costs(10.0, 1.0, 1.0)).on(3)
    assert (found.seconds, found.longest, found.longest_case, found.bound) == (10.0, 10.0, "c0[]", "longest case")
    assert found.efficiency == pytest.approx(12 / 30)


def test_what_an_earlier_run_tells_keeps_the_dear_from_the_end() -> None:
    told = costs(*[1.0] * 20, 10.0)
    assert Simulation(told).on(3).seconds == 10.0
    assert Simulation(told, known=False).on(3).seconds > 12.0


def test_the_start_of_every_node_counts() -> None:
    found = Simulation(costs(*[1.0] * 10, start=5.0)).on(10)
    assert (found.seconds, found.bound) == (6.0, "start-up")
    assert (found.efficiency, found.scheduled) == (pytest.approx(10 / 60), 1.0)


def test_the_coordinator_is_beside_the_nodes_but_before_those_that_time() -> None:
    case = {"c": Cost(loss="huber", cells=1, lanes={"torch": 2.0})}
    beside = Simulation(Costs(cases=case, start=1.0, documents=9.0)).on(4)
    assert (beside.seconds, beside.bound) == (10.0, "claims and curves")
    before = Simulation(Costs(cases=case, visits={"huber": 3.0}, start=1.0, documents=9.0)).on(4)
    assert before.seconds == 15.0


def test_what_compiles_compiles_in_every_seat() -> None:
    function = ("torch", "huber", "float32", "f", "grad")
    cases = {
        "first": Cost(loss="huber", cells=1, lanes={"torch": 1.0}, compiled={function: 8.0}),
        "second": Cost(loss="huber", cells=1, lanes={"torch": 1.0}, compiled={function: 0.5}),
    }
    simulation = Simulation(Costs(cases=cases))
    assert simulation.seconds(Share(cases=("first", "second"))) == 10.5
    assert simulation.seconds(Share(cases=("second",))) == 9.0
    assert simulation.seconds(Share(cases=("second",)), {function}) == 1.5, "a seat that has compiled it need not again"


def test_lanes_share_the_cores_of_a_seat() -> None:
    case = Cost(loss="huber", cells=3, lanes={"torch": 2.0, "jax": 2.0, "tensorflow": 2.0}, judging=2.0)
    assert Simulation(Costs(cases={"c": case})).seconds(Share(cases=("c",))) == 8.0 / CORES


def test_more_seeds_are_more_work_and_no_longer_case() -> None:
    once = Simulation(costs(4.0, 1.0, 1.0)).on(10)
    often = Simulation(costs(4.0, 1.0, 1.0).seeded(100)).on(10)
    assert (once.work, often.work) == (6.0, 600.0)
    assert (once.longest, often.longest) == (4.0, 4.0)
    assert often.efficiency > 0.9 > once.efficiency


def test_a_timed_loss_is_one_piece() -> None:
    cases = {n: Cost(loss="huber", cells=1, lanes={"torch": 1.0}) for n in "ab"}
    found = Simulation(Costs(cases=cases, visits={"huber": 3.0})).on(2)
    assert (found.seconds, found.work) == (5.0, 5.0)


@given(st.lists(st.floats(0.01, 50.0), min_size=1, max_size=60), st.integers(1, 200), st.floats(0.0, 20.0))
def test_no_schedule_beats_its_bounds_and_this_one_is_near(seconds: list[float], nodes: int, start: float) -> None:
    found = Simulation(costs(*seconds, start=start)).on(nodes)
    least = start + max(max(seconds), sum(seconds) / nodes)
    assert found.seconds >= least * (1 - 1e-9)
    assert 0 < found.efficiency <= 1 + 1e-9
    # greedy: no node rests while a share waits, and a share is a case or at most a part of what was left
    assert found.seconds <= start + 2 * sum(seconds) / nodes + max(seconds) + 1e-9 or nodes == 1
