"""What a worker holds between visits: small arguments all, of large ones those last used; the rest comes back alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lossbench.lanes import session as sessions
from lossbench.lanes.backends import backend_class
from lossbench.lanes.session import Session
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.catalogue import load

CELL = Cell(case=Case(loss="mse", shape=(8, 4)), binding="functional", lane=Lane(backend="torch"), operation="grad")
CELLS = [replace(CELL, case=replace(CELL.case, seed=seed)) for seed in range(4)]
CELL_BYTES = 2 * 8 * 4 * 4
"""Target and prediction in float32."""


def held(session: Session) -> list[str]:
    return [name for name, prepared in session._kept.items() if prepared.arguments]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(sessions, "LARGE_BYTES", CELL_BYTES)
    monkeypatch.setattr(sessions, "HELD_BYTES", 2 * CELL_BYTES)
    return Session(backend_class("torch")(), load(backend="torch"), "eager")


def test_of_large_arguments_those_last_used_are_held(session: Session) -> None:
    for cell in CELLS:
        assert session.answer(cell, keep=True).status == "ok"
    assert held(session) == [cell.id for cell in CELLS[2:]]
    session.block(CELLS[2], 1, 1, 1e-4)
    session.block(CELLS[0], 1, 1, 1e-4)
    assert held(session) == [CELLS[2].id, CELLS[0].id]


def test_what_is_built_again_are_the_same_numbers(session: Session) -> None:
    answers = [session.answer(cell, keep=True) for cell in CELLS]
    assert CELLS[0].id not in held(session)
    assert session.block(CELLS[0], 2, 3, 1e-4).status == "ok"
    prepared = session._kept[CELLS[0].id]
    value, gradient = prepared.call(*prepared.arguments)
    assert float(value.detach()) == float(answers[0].value)
    np.testing.assert_array_equal(gradient.numpy(), answers[0].grad)
    assert not np.array_equal(answers[0].grad, answers[1].grad)


def test_small_arguments_stay(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LARGE_BYTES", CELL_BYTES + 1)
    for cell in CELLS:
        session.answer(cell, keep=True)
    assert held(session) == [cell.id for cell in CELLS]


def test_one_that_is_larger_than_all_that_may_stay_is_timed(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "HELD_BYTES", 1)
    for cell in CELLS:
        session.answer(cell, keep=True)
        assert session.block(cell, 1, 1, 1e-4).status == "ok"
    assert held(session) == [CELLS[-1].id]


def test_a_prepared_call_holds_no_inputs_besides(session: Session) -> None:
    """Arrays that only the program had are gone with it; the session's own are those of its latest case."""
    task = session._task(CELL)
    program = session._program(task)
    assert len(program.handed_over()) == 2
    assert program.handed_over() == []
    assert vars(program)["_arguments"] == []
