"""Losses that no suite has, one for each way inputs can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lossbench import Binding, Domain, Loss


def stand_in(y_true: str = "real", y_pred: str = "real", *, extent: Any = "same", **given: Any) -> Loss:
    """A Loss with these domains and a reference that is never called."""
    fields: dict[str, Any] = {
        "name": "stand_in",
        "title": "Stand-in",
        "summary": "For a test.",
        "formula": "p - y",
        "source": "nowhere",
        "inputs": {"y_true": Domain(kind=y_true, extent=extent), "y_pred": Domain(kind=y_pred)},  # type: ignore[arg-type]
        "reference": lambda x, y_true, y_pred: y_pred - y_true,  # noqa: ARG005
        "bindings": (Binding(backend="torch", name="formula", call=lambda m, y, p: p - y, docs=()),),  # noqa: ARG005
    }
    return Loss(**{**fields, **given})


@pytest.fixture(name="stand_in", scope="session")
def _stand_in() -> Callable[..., Loss]:
    return stand_in
