"""Behaviours for others to read: a sentence, a JSON record, a case file for `lossbench check`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from lossbench.bench.hunting.finds import Behaviour, Find
from lossbench.bench.hunting.reproducers import Reproducer

CASE_ELEMENTS: Final = 200_000
"""A find with more numbers than this is left out of the case file."""


def sentence(behaviour: Behaviour) -> str:
    """One line: what, where, of which class, and where else it shows."""
    find, verdict = behaviour.find, behaviour.find.verdict
    dtypes = ", ".join(dict.fromkeys(dtype for _, dtype in behaviour.seen))
    spellings = ", ".join(dict.fromkeys(binding for binding, _ in behaviour.seen))
    what = "gradient" if verdict.quantity == "grad" else "value"
    return (
        f"{find.witness.loss.name}, {find.backend}/{find.binding.name}, {find.witness.dtype}: {what}, {verdict.klass} "
        f"({find.signature}): {verdict.reason}. Seen in {dtypes}; {spellings}."
    )


def record(number: int, behaviour: Behaviour, reproducer: Reproducer) -> dict[str, Any]:
    """As a JSON object; numbers that JSON lacks are texts."""
    find, verdict = behaviour.find, behaviour.find.verdict
    return {
        "number": number,
        "loss": find.witness.loss.name,
        "backend": find.backend,
        "binding": find.binding.name,
        "native": find.native,
        "dtype": find.witness.dtype,
        "quantity": verdict.quantity,
        "class": verdict.klass,
        "convention": verdict.convention,
        "signature": find.signature,
        "reason": verdict.reason,
        "got": _json(verdict.got),
        "expected": _json(verdict.expected),
        "max_ulp": _json(verdict.max_ulp),
        "params": dict(_params(find)),
        "source": find.witness.source,
        "seen": [{"binding": binding, "dtype": dtype} for binding, dtype in behaviour.seen],
        "reproducer": reproducer.program,
        "printed": reproducer.printed,
        "exact": reproducer.exact,
        "reproduced": reproducer.reproduced,
    }


def cases(behaviours: Sequence[Behaviour]) -> list[dict[str, Any]]:
    """Cases in the form of docs/case-file.md, one a behaviour."""
    found = []
    for number, behaviour in enumerate(behaviours, 1):
        find = behaviour.find
        if sum(np.size(a) for a in find.witness.arrays.values()) > CASE_ELEMENTS:
            continue
        further = {n: _json(a.tolist()) for n, a in find.witness.arrays.items() if n not in ("y_true", "y_pred")}
        found.append({
            "id": f"hunt-{number}-{find.witness.loss.name}-{find.backend}-{find.verdict.quantity}-{find.verdict.klass}",
            "loss": find.witness.loss.name,
            "params": {**_params(find), **further},
            "dtype": find.witness.dtype,
            "y_true": _json(np.asarray(find.witness.arrays["y_true"]).tolist()),
            "y_pred": _json(np.asarray(find.witness.arrays["y_pred"]).tolist()),
            "note": f"{find.backend}/{find.binding.name}: {find.verdict.klass} ({find.signature})",
            "source": "lossbench hunt",
        })  # fmt: skip
    return found


def _params(find: Find) -> dict[str, Any]:
    return {**({"reduction": "none"} if find.witness.separable else {}), **find.witness.params}


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
