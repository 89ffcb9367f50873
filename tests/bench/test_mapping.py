"""Maps from answers: a planted error is found where it is, by hand; backends apart are told from backends wrong."""

from __future__ import annotations

import math
import os
import signal
import threading
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lossbench.bench import mapping
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue
from lossbench.spec.case import Lane
from lossbench.spec.planes import Plane, plane

LOSSES = catalogue.load().losses
LIMIT = Fraction(float(np.finfo(np.float32).max))


def exactly(where: Plane) -> tuple[np.ndarray, np.ndarray]:
    """The squared error and its derivative in fractions, rounded once to float32."""
    pairs = zip(where.arrays["y_true"][:, 0].tolist(), where.arrays["y_pred"][:, 0].tolist(), strict=True)
    errors = [Fraction(p) - Fraction(y) for y, p in pairs]
    return tuple(  # type: ignore[return-value]
        np.array([[_rounded(f(e))] for e in errors], np.float32) for f in (lambda e: e * e, lambda e: 2 * e)
    )


def _rounded(exact: Fraction) -> float:
    if abs(exact) > 2 * LIMIT:
        return math.copysign(math.inf, exact)
    with np.errstate(over="ignore"):
        return float(np.float32(float(exact)))


@pytest.fixture(scope="module")
def where() -> Plane:
    found = plane(LOSSES["mse"], "float32")
    assert found is not None
    return found


def rows(**answers: tuple[np.ndarray, np.ndarray]) -> dict[tuple[str, str], dict[str, Any]]:
    given = {name: Answer(status="ok", value=value, grad=grad) for name, (value, grad) in answers.items()}
    return {(row["backend"], row["quantity"]): row for row in mapping.rows(LOSSES["mse"], "float32", given)}


def test_right_answers_are_near_everywhere(where: Plane) -> None:
    found = rows(torch=exactly(where), jax=exactly(where))
    assert set(found) == {(b, q) for b in ("torch", "jax", "") for q in ("value", "grad")}
    for (backend, _), row in found.items():
        assert max(row["ulp"]) <= (0.0 if backend == "" else 0.5), row["reason"]
        said = "the same everywhere" if backend == "" else "nowhere more than"
        assert row["reason"].startswith(said)
        assert len(row["ulp"]) == len(row["x"]) * len(row["y"])


def test_a_planted_error_is_found_where_it_is(where: Plane) -> None:
    value, grad = exactly(where)
    x, y = where.x.tolist().index(10.0), where.y.tolist().index(0.0)
    place = y * len(where.x) + x
    wrong = value.copy()
    wrong[place] = np.float32(100 + 64 * 2.0**-17)  # 64 numbers further: floats near 100 are 2**-17 apart
    found = rows(torch=(wrong, grad), jax=(value, grad))
    for backend in ("torch", ""):
        row = found[backend, "value"]
        assert row["ulp"][place] == 64
        assert sum(u > 10 for u in row["ulp"]) == 1
        assert (row["at_x"], row["at_y"]) == (10.0, 0.0)
    assert "prediction 10, target 0: 100, exact 100" in found["torch", "value"]["reason"]
    assert found["jax", "value"]["reason"].startswith("nowhere more than")


def test_two_that_are_wrong_alike_do_not_part(where: Plane) -> None:
    value, grad = exactly(where)
    wrong = np.full_like(value, np.nan)
    found = rows(torch=(wrong, grad), jax=(wrong, grad))
    assert all(math.isinf(u) for u in found["torch", "value"]["ulp"])
    assert max(found["", "value"]["ulp"]) == 0


def test_of_equal_distances_the_most_ordinary_place_is_named(where: Plane) -> None:
    value, grad = exactly(where)
    found = rows(torch=(np.full_like(value, np.nan), grad))["torch", "value"]
    assert (abs(found["at_x"]), abs(found["at_y"])) == (1.0, 1.0)


def test_an_answer_without_a_gradient_has_no_map_of_it(where: Plane) -> None:
    value, _ = exactly(where)
    given = {"torch": Answer(status="ok", value=value), "jax": Answer(status="failed", reason="no")}
    found = mapping.rows(LOSSES["mse"], "float32", given)
    assert [(row["backend"], row["quantity"]) for row in found] == [("torch", "value")]


class Busy:
    """Stands in for a lane: one that is asked in vain, and one at which the user presses Ctrl-C."""

    lane = Lane(backend="torch")

    def __init__(self, released: threading.Event, *, presses: bool) -> None:
        self._released, self._presses, self.came_back = released, presses, False

    def answer_given(self, *_: Any) -> Answer:
        if self._presses:
            os.kill(os.getpid(), signal.SIGINT)
        self._released.wait(60)
        self.came_back = True
        return Answer(status="skipped")


def test_ctrl_c_does_not_wait_for_a_worker_that_hangs() -> None:
    released = threading.Event()
    lanes = {name: Busy(released, presses=name == "torch") for name in ("jax", "torch")}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
    try:
        with pytest.raises(KeyboardInterrupt):
            mapping.asked([LOSSES["mse"]], ["float32"], lanes)  # type: ignore[arg-type]
        assert not any(lane.came_back for lane in lanes.values())
    finally:
        signal.signal(signal.SIGINT, before)
        released.set()
