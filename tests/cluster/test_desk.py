"""The desk: whatever is lost and when, every case is done once or given up, and a timed loss is never divided."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.cluster.desk import TRIES, Desk, Share, heaviest_first

WEIGHTS = st.lists(st.floats(0.1, 100.0), max_size=40).map(lambda ws: {f"c{n}": w for n, w in enumerate(ws)})
TIMED = st.lists(st.lists(st.floats(0.1, 100.0), min_size=1, max_size=4), max_size=5).map(
    lambda losses: {f"l{n}": {f"l{n}-{m}": w for m, w in enumerate(ws)} for n, ws in enumerate(losses)}
)


@settings(max_examples=50)
@given(WEIGHTS, TIMED, st.integers(1, 12), st.data())
def test_every_case_is_done_once_or_given_up(
    compared: dict[str, float], timed: dict[str, dict[str, float]], seats: int, data: st.DataObject
) -> None:
    desk = Desk(compared, timed)
    done: Counter[str] = Counter()
    losses_of: Counter[str] = Counter()
    open_shares: list[Share] = []
    while desk.waiting or open_shares:
        if (share := desk.take(seats)) is not None:
            assert share.cases
            assert not share.timed or set(share.cases) == timed[share.timed].keys(), "a timed loss was divided"
            open_shares.append(share)
        if open_shares and (share is None or data.draw(st.booleans())):
            ended = open_shares.pop(data.draw(st.integers(0, len(open_shares) - 1)))
            if data.draw(st.booleans()):
                done.update(case for case in ended.cases if case not in done)
            else:
                half = set(ended.cases[: len(ended.cases) // 2])
                done.update(case for case in half if case not in done)
                losses_of.update(set(ended.cases) - half)
                desk.back(ended, set(done))
    every = {*compared, *(case for cases in timed.values() for case in cases)}
    assert done.keys() | desk.given_up == every
    assert not done.keys() & desk.given_up
    assert set(done.values()) <= {1}
    assert all(losses_of[case] >= TRIES for case in desk.given_up)


@settings(max_examples=50)
@given(WEIGHTS, st.integers(1, 12))
def test_shares_keep_the_order_and_grow_smaller(weights: dict[str, float], seats: int) -> None:
    desk, taken = Desk(weights), list[Share]()
    while (share := desk.take(seats)) is not None:
        taken.append(share)
    assert [case for share in taken for case in share.cases] == list(weights)
    left = sum(weights.values())
    for share in taken:
        assert len(share.cases) == 1 or sum(weights[case] for case in share.cases) <= left / seats
        left -= sum(weights[case] for case in share.cases)


def test_a_seat_without_cores_of_its_own_gets_nothing_to_time() -> None:
    desk = Desk({"a": 1.0}, {"huber": {"h1": 1.0}, "mse": {"m1": 5.0}})
    assert desk.take(2, times=False) == Share(cases=("a",))
    assert desk.take(2, times=False) is None
    assert desk.waiting
    assert desk.take(2) == Share(cases=("m1",), timed="mse"), "the dearest first"


def test_a_case_that_goes_down_with_its_seats_is_given_up_and_takes_no_other_along() -> None:
    desk = Desk({"good": 1.0, "poison": 1.0, "fine": 1.0})
    done: set[str] = set()
    deaths = 0
    while (share := desk.take(1)) is not None:
        if "poison" in share.cases:
            deaths += 1
            desk.back(share, done)
        else:
            done |= set(share.cases)
    assert (done, desk.given_up, deaths) == ({"good", "fine"}, {"poison"}, TRIES)


def test_the_loss_with_the_heaviest_case_comes_first_and_stays_together() -> None:
    weights = {"a[1]": 1.0, "b[1]": 0.5, "a[2]": 2.0, "c[1]": 9.0, "b[2]": 7.0}
    assert list(heaviest_first(weights)) == ["c[1]", "b[1]", "b[2]", "a[1]", "a[2]"]
