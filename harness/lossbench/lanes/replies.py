"""A worker's replies, checked before they are used: user code shares its process and could write to its socket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, TypeVar

import numpy as np

from lossbench.lanes.measurement import Answer, Block
from lossbench.lanes.wire import WireError

SENTENCE: Final = frozenset({"subject", "expected", "received", "remedy"})
STATUSES: Final = frozenset({"ok", "absent", "unsupported", "failed", "timeout", "crashed", "skipped"})
SIMPLE: Final[Mapping[str, tuple[type, ...]]] = {"str": (str,), "int": (int,), "float": (int, float)}

Told = TypeVar("Told", Answer, Block)


def answer(reply: Any) -> Answer:
    """What a cell computed. WireError where the reply is something else."""
    made = _made(Answer, reply)
    for array in (made.value, made.grad):
        if array is not None and not (isinstance(array, np.ndarray) and array.dtype.kind in "biuf"):
            raise WireError("the answer's value or gradient is no array of numbers")
    if not isinstance(made.facts, dict) or not all(isinstance(v, str | int | float) for v in made.facts.values()):
        raise WireError("the answer's facts are no plain values")
    return made


def block(reply: Any) -> Block:
    """One visit. WireError where the reply is something else."""
    made = _made(Block, reply)
    rounds = made.seconds_per_call
    if not isinstance(rounds, tuple | list) or not all(type(seconds) is float for seconds in rounds):
        raise WireError("the block's rounds are no numbers")
    return made


def said(reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """A reply that holds a sentence, a status with its reason, or a result. WireError where it holds none."""
    sentence = reply.get("bad_input", dict.fromkeys(SENTENCE, ""))
    if not (isinstance(sentence, dict) and sentence.keys() == SENTENCE and _texts(sentence.values())):
        raise WireError("the reply's error is no sentence")
    if not _texts(reply.get(name, "") for name in ("unsupported", "failed", "traceback")):
        raise WireError("the reply's reason is no text")
    if not {"ok", "bad_input", "unsupported", "failed"} & reply.keys():
        raise WireError("the reply holds no result")
    return reply


def _texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _made(kind: type[Told], reply: Any) -> Told:
    if not isinstance(reply, dict) or not reply.keys() <= {field.name for field in fields(kind)}:
        raise WireError(f"the reply is no {kind.__name__.lower()}")
    if not isinstance(status := reply.get("status"), str) or status not in STATUSES:
        raise WireError("the reply has no status")
    for field in fields(kind):
        wanted = SIMPLE.get(str(field.type))
        value = reply.get(field.name)
        if wanted and field.name in reply and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise WireError(f"the reply's {field.name} is a {type(value).__name__}")
    return kind(**reply)
