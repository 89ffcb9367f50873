"""Claims are found true or false by the oracle; what a source prints is never an expectation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from suites.documented import EXAMPLES

from lossbench import BadInput, Binding, Loss, domains
from lossbench.judge import claims, snippets
from lossbench.judge.claims import Tried
from lossbench.judge.snippets import Ran
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue
from lossbench.spec.example import Example


def _squared(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return x.square(y_pred - y_true)


def _absent(*_: Any, **__: Any) -> Any:
    raise AssertionError("a framework's spelling is not called here")


MSE = Loss(
    name="mse",
    title="Squared error",
    summary="A loss of the tests.",
    formula="l",
    source="these tests",
    inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
    reference=_squared,
    bindings=(Binding(backend="tensorflow", name="keras", call=_absent, docs=()),),
)


def example(claimed: str | None) -> Example:
    """(0.1^2 + 0.1^2 + 0.2^2 + 0.3^2) / 4 = 0.0375."""
    return Example(
        id="E", loss="mse", y_true=[1.0, 2.0, 3.0, 4.0], y_pred=[1.1, 1.9, 3.2, 3.7], claimed=claimed, source="tests"
    )


def measuring(*answers: Answer) -> Any:
    def run(*_: Any) -> Iterable[Tried]:
        return [Tried(backend="tensorflow", binding="keras", lane="tensorflow-cpu-eager", answer=a) for a in answers]

    return run


def checked(claimed: str | None, *answers: Answer, written: Mapping[str, Ran] | None = None) -> list[dict[str, Any]]:
    return claims.check([example(claimed)], measuring(*answers), find=lambda _: MSE, written=written)


RIGHT = Answer(status="ok", value=np.asarray(0.0375, np.float32))
AS_CLAIMED = Answer(status="ok", value=np.asarray(0.0475, np.float32))


def test_a_wrong_claim_is_found() -> None:
    rows = checked("0.0475", RIGHT)
    assert [row["holds"] for row in rows] == ["no", "no"]
    assert [row["backend"] for row in rows] == ["oracle", "tensorflow"]
    assert rows[1]["measured"] == "0.0375"
    assert "0.0475 is not the exact 0.0375" in rows[1]["reason"]


def test_a_right_claim_holds_to_its_digits() -> None:
    assert checked("0.0375", RIGHT)[0]["holds"] == "yes"
    assert checked("0.04", RIGHT)[0]["holds"] == "yes"
    assert checked("0.03", RIGHT)[0]["holds"] == "no"


def test_a_backend_that_agrees_with_a_wrong_claim_does_not_make_it_true() -> None:
    row = checked("0.0475", AS_CLAIMED)[1]
    assert row["holds"] == "no"
    assert "and is the measured 0.0475" in row["reason"]


def test_no_claim_is_neither_true_nor_false() -> None:
    assert [row["holds"] for row in checked(None, RIGHT)] == ["", ""]


def test_a_failure_is_a_row() -> None:
    row = checked("0.0375", Answer(status="failed", reason="no kernel"))[1]
    assert (row["measured"], row["reason"]) == ("", "failed: no kernel")


def test_whether_the_call_runs_as_written_is_said() -> None:
    rows = checked("0.0375", RIGHT, written={"E": Ran(ok=False, error="TypeError: no lists")})
    assert rows[1]["runs_as_written"] == "no"
    assert "TypeError: no lists" in rows[0]["reason"]
    assert checked("0.0375", RIGHT)[1]["runs_as_written"] == ""


@pytest.mark.parametrize(
    ("value", "claimed", "rounds"),
    [
        (0.28768207245178096, "0.2876821", True),
        (0.2876821505, "0.2876821", False),
        (2.0, "2.0", True),
        (2.06, "2.0", False),
        (-0.8, "-0.80", True),
        (float("nan"), "0.0", False),
        (float("inf"), "1.0", False),
    ],
)
def test_rounding_to_the_printed_digits(value: float, claimed: str, rounds: bool) -> None:
    assert claims.rounds_to(value, claimed) is rounds


def test_a_claim_that_is_no_number_is_bad_input() -> None:
    with pytest.raises(BadInput, match="about two"):
        claims.rounds_to(2.0, "about two")


def test_the_documented_examples_are_all_there() -> None:
    assert [e.id for e in EXAMPLES] == [f"E{n}" for n in range(1, 24)]
    assert [e.id for e in EXAMPLES if e.claimed] == [f"E{n}" for n in range(1, 11)]


def test_which_documented_outputs_are_wrong() -> None:
    """By hand: E5 0.15/4, E6 mean of -log (.9, .8, .7, .6) = 0.2990, E7 and E8 (2 * 0.3567 + 0.2231) / 3 = 0.3122,
    E9 4.11/4 = 1.0275, E10 1.555/4 = 0.38875; the first four print what is right."""
    losses = catalogue.load()
    rows = claims.check(EXAMPLES, measuring(), find=losses.find)
    assert [row["claim"] for row in rows if row["holds"] == "no"] == ["E5", "E6", "E7", "E8", "E9", "E10"]
    assert [row["claim"] for row in rows if row["holds"] == "yes"] == ["E1", "E2", "E3", "E4"]
    exact = {row["claim"]: row["oracle"] for row in rows}
    assert (exact["E3"], exact["E10"], exact["E17"], exact["E21"]) == ("0.2876821", "0.38875", "10.0", "1.25")


def test_snippets_cost_only_themselves() -> None:
    found = snippets.run(
        {"right": "y = 2\ny * 3", "raises": "[1].shape", "prints": "print('{noise}')\n'x'"}, preamble="import math"
    )
    assert found["right"] == Ran(ok=True, printed="6")
    assert not found["raises"].ok
    assert "AttributeError" in found["raises"].error
    assert found["prints"] == Ran(ok=True, printed="x")


def test_a_dying_interpreter_leaves_what_it_had_said() -> None:
    found = snippets.run({"first": "1", "dies": "__import__('os')._exit(3)", "after": "2"}, preamble="")
    assert found["first"].ok
    assert (found["dies"].ok, found["after"].ok) == (False, False)
    assert "3" in found["after"].error
