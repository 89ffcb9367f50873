"""An example holds, does not hold, no longer runs or prints nothing: told apart on examples written here."""

from __future__ import annotations

import pytest

from lossbench.judge import docstrings
from lossbench.judge.docstring_child import Ran, examples


def ran(want: str = "", printed: str = "", **fields: object) -> Ran:
    return Ran(name="lib.loss", package="lib 1", source="loss(y, p)", want=want, printed=printed, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("want", "printed", "outcome"),
    [
        ("0.28", "0.2846", "holds"),
        (
            "array([0.5, 1.5], dtype=float32)",
            "<tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.5, 1.5])>",
            "holds",
        ),
        ("tensor(0.20...)", "tensor(0.2014)", "holds"),
        ("0.8654", "0.86546", "last digit"),
        ("0.155", "0.18", "does not hold"),
        ("0.155", "[0.18, 0.13]", "does not hold"),
        ("nan", "0.0", "does not hold"),
        ("", "0.3", "prints nothing"),
    ],
)
def test_printed_results(want: str, printed: str, outcome: str) -> None:
    assert docstrings.judge(ran(want, printed)).outcome == outcome


def test_an_assignment_prints_nothing_but_is_compared() -> None:
    found = docstrings.judge(ran("0.155", "", assigned="0.155"))
    assert (found.outcome, "prints nothing" in found.reason) == ("holds", True)


def test_failures_are_told_from_sketches() -> None:
    assert docstrings.judge(ran("1.0", error="AttributeError: no shape")).outcome == "no longer runs"
    assert docstrings.judge(ran("1.0", error="NameError: model", sketch=True)).outcome == "sketch"


def test_a_statement_over_several_prompts_is_one() -> None:
    text = ">>> total = (\n>>>     1 + 2)\n>>> total\n3\n"
    assert [(source.count("\n"), want) for source, want, _ in examples(text)] == [(2, ""), (1, "3\n")]
