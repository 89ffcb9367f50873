"""lossbench for other projects' tests: two fixtures and two marks.

pytest imports this file in every run of whoever has lossbench installed, so it imports pytest and nothing else;
the rest comes when a test asks for a fixture, and a framework when the loss under test brings it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

MARKS = {"loss_dtype": "dtypes", "loss_regime": "regimes"}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known, also under --strict-markers."""
    config.addinivalue_line("markers", "loss_dtype(*names): float types that lossbench's fixtures try, e.g. 'bfloat16'")
    config.addinivalue_line("markers", "loss_regime(*names): kinds of inputs they must be right on, e.g. 'saturated'")


@pytest.fixture
def loss_agrees(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`loss_agrees(function, like="huber", delta=1.0)`: fails unless the function is that documented loss."""
    from lossbench.testing import assert_loss_agrees

    return _failing(assert_loss_agrees, _marked(request))


@pytest.fixture
def assert_same_loss(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`assert_same_loss(a, b, like="huber")`: fails unless two functions agree, of one framework or of two."""
    from lossbench.testing import assert_same_loss as same

    return _failing(same, _marked(request))


def _marked(request: pytest.FixtureRequest) -> dict[str, Iterable[str]]:
    marks = {name: request.node.get_closest_marker(mark) for mark, name in MARKS.items()}
    return {name: mark.args for name, mark in marks.items() if mark is not None}


def _failing(judge: Callable[..., object], marked: dict[str, Iterable[str]]) -> Callable[..., None]:
    """The same as a failure without a traceback of ours; what a call says goes before what a mark says."""

    def ask(*functions: Callable[..., Any], **asked: Any) -> None:
        __tracebackhide__ = True
        from lossbench.spec.errors import BadInput

        try:
            judge(*functions, **{**marked, **asked})
        except (AssertionError, BadInput) as said:
            failure = str(said)
        else:
            return
        pytest.fail(failure, pytrace=False)

    return ask
