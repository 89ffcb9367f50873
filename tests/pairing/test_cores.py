"""Lines of work on cores: never twice at once, spare ones where a core would stand idle, faults raised."""

from __future__ import annotations

import threading

import pytest

from lossbench.pairing import cores


def test_every_line_is_worked_off_by_one_core_at_a_time() -> None:
    left, at, worst, lock = {"a": 5, "b": 3, "c": 1}, {"a": 0, "b": 0, "c": 0}, [0], threading.Lock()
    seen: set[int] = set()

    def step(line: str, core: int) -> bool:
        with lock:
            at[line] += 1
            worst[0] = max(worst[0], at[line])
            seen.add(core)
        with lock:
            at[line] -= 1
            left[line] -= 1
            return left[line] > 0

    cores.shared(left, step, (0, 1))
    assert left == {"a": 0, "b": 0, "c": 0}
    assert worst == [1]
    assert seen <= {0, 1}


def test_a_spare_line_serves_where_nothing_else_is_free() -> None:
    """The first line ends only once the spare one has begun: with nobody to take that, it would wait for ever."""
    begun = threading.Event()

    def step(line: str, core: int) -> bool:  # noqa: ARG001
        if line == "spare":
            begun.set()
            return False
        assert begun.wait(30)
        return False

    cores.shared(["spare", "own"], step, (0, 1), rank=lambda line: (line == "spare",))


def test_one_core_takes_the_others_first() -> None:
    order: list[str] = []

    def step(line: str, core: int) -> bool:  # noqa: ARG001
        order.append(line)
        return False

    cores.shared(["spare", "a", "b"], step, (0,), rank=lambda line: (line == "spare",))
    assert order == ["a", "b", "spare"]


def test_what_a_step_raises_is_raised_and_ends_the_rest() -> None:
    def step(line: str, core: int) -> bool:  # noqa: ARG001
        if line == "bad":
            raise ValueError("on purpose")
        return True

    with pytest.raises(ValueError, match="on purpose"):
        cores.shared(["good", "bad"], step, (0, 1))
