"""The picture of losses by frameworks: ordinary inputs and the edges are two answers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from lossbench.show import picture
from lossbench.spec import catalogue

LOSS = catalogue.load((), backend="").find("huber")
SPELLING = LOSS.bindings_of("torch")[0].name


def drawn(verdicts: Mapping[str, str], broken: Mapping[str, str] | None = None) -> picture.Square:
    """The square of Huber's gradient in torch, given a class a regime and a status a regime."""
    same = {"loss": "huber", "backend": "torch", "binding": SPELLING, "dtype": "float32"}
    rows = [
        {**same, "against": "oracle", "quantity": "grad", "regime": regime, "class": klass}
        for regime, klass in verdicts.items()
    ]
    cells = [{**same, "operation": "grad", "regime": r, "status": s} for r, s in (broken or {}).items()]
    columns = [*same, "operation", "regime", "status"]
    regimes = [*verdicts, *(broken or {})]
    (line,) = picture.lines(
        {"huber": LOSS}, {"huber": "regression"}, ["torch"], ["float32"], regimes,
        pd.DataFrame(cells, columns=columns), pd.DataFrame(rows), {},
    )  # fmt: skip
    return line.squares[1]


@pytest.mark.parametrize(
    ("verdicts", "mark", "edge"),
    [
        ({"typical": "rounding", "kink": "rounding"}, "rounding", None),
        ({"typical": "rounding", "kink": "kink"}, "rounding", None),
        ({"kink": "rounding", "typical": "rounding", "huge": "range", "tiny": "accuracy"}, "rounding", "range"),
        ({"typical": "defect", "huge": "range"}, "defect", None),
        ({"huge": "range", "tiny": "rounding"}, "range", None),
    ],
)
def test_the_edges_are_a_small_letter_where_they_are_worse(
    verdicts: dict[str, str], mark: str, edge: str | None
) -> None:
    square = drawn(verdicts)
    assert (square.mark.key, square.edge.key if square.edge else None) == (mark, edge)


def test_a_cell_that_broke_at_the_edge_says_so_and_where() -> None:
    square = drawn({"typical": "rounding"}, {"huge": "crashed"})
    assert square.edge is not None
    assert square.edge.key == "crashed"
    assert square.title.endswith("on other inputs, at worst: the process died (float32 huge)")


def test_ordinary_inputs_sort_first() -> None:
    wrong_day, wrong_edge = drawn({"typical": "accuracy"}), drawn({"typical": "rounding", "huge": "defect"})
    assert wrong_day.severity > wrong_edge.severity > drawn({"typical": "rounding"}).severity
