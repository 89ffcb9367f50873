"""Long messages of frameworks are cut to their first sentence; short ones are left as they are."""

from __future__ import annotations

import pytest

from lossbench.show.shortly import LONGEST, shortly

TRACER = (
    "jax.errors.TracerBoolConversionError: Attempted boolean conversion of traced array with shape bool[].. "
    "The error occurred while tracing the function call at suites/a.py:1 for jit. This concrete value was not "
    "available in Python because it depends on the value of the argument y_true.\n"
    "See https://docs.jax.dev/en/latest/errors.html#jax.errors.TracerBoolConversionError"
)


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        (TRACER, "TracerBoolConversionError: Attempted boolean conversion of traced array with shape bool[].."),
        ("grad: 3.2 ulp from exact, 0.5 against 0.6", "grad: 3.2 ulp from exact, 0.5 against 0.6"),
        ("ValueError: first line\nsecond line", "ValueError: first line"),
        ("", ""),
    ],
)
def test_what_a_reader_needs(reason: str, short: str) -> None:
    assert shortly(reason) == short


def test_no_sentence_is_too_long() -> None:
    short = shortly("word " * 100)
    assert len(short) <= LONGEST + 2
    assert short.endswith("word …")
    assert len(shortly("x" * 1000)) <= LONGEST + 2
