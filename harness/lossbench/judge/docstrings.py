"""The examples that the installed frameworks print in their own loss docstrings, run and held against what they print.

Only what was measured is counted: an example without an output is neither right nor wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from typing import Any, Final, Literal

from lossbench.judge.claims import rounds_to
from lossbench.judge.docstring_child import PLACES, Ran, run
from lossbench.spec.loss import Loss

LIMIT_SECONDS: Final = 120.0

SINGLE: Final = 8 * 2.0**-23
"""What another build may leave between two float32 results, where a docstring prints them in full."""

SINGLE_DIGITS: Final = 7

Outcome = Literal["holds", "last digit", "does not hold", "no longer runs", "sketch", "prints nothing"]

HOLDS: Final[Mapping[Outcome, str]] = {
    "holds": "yes",
    "last digit": "unclear",
    "does not hold": "no",
    "no longer runs": "no",
    "sketch": "",
    "prints nothing": "",
}

_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|\b(?:nan|inf)\b)")
_FRAME: Final = re.compile(
    r"\b(?:shape|dtype|size|device)=(?:\([^)]*\)|torch\.Size\([^)]*\)|<[^>]*>|[\w.']+)|grad_fn=<[^>]*>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one example."""

    outcome: Outcome
    reason: str


def judge(example: Ran) -> Finding:
    """Hold one example against what its docstring prints below it."""
    want, shown = _line(example.want), _line(example.printed)
    if example.error:
        if example.sketch:
            return Finding(
                outcome="sketch", reason=f"does not run by itself, its text leaves out what it needs: {example.error}"
            )
        verb = "" if example.error.startswith("needs ") else "raises "
        return Finding(outcome="no longer runs", reason=f"{verb}{example.error}")
    if not want:
        return Finding(outcome="prints nothing", reason="runs; no output is printed below it")
    how = ""
    if not shown and example.assigned:
        shown, how = (
            _line(example.assigned),
            "; as written the line assigns and prints nothing, this is what it assigned",
        )
    if OutputChecker().check_output(want, shown, ELLIPSIS | NORMALIZE_WHITESPACE) or want == shown:
        return Finding(outcome="holds", reason=f"prints {shown}{how}")
    outcome = compare_numbers(want, shown)
    said = {
        "holds": f"{shown} is {want} to the printed digits",
        "last digit": f"{shown} is {want} up to rounding or cut-off in its last digits",
    }.get(outcome, f"prints {shown or 'nothing'}, not {want}")
    return Finding(outcome=outcome, reason=said + how)


def numbers(text: str) -> list[str]:
    """The numbers in a printed result, without those that tell its shape or type."""
    return _NUMBER.findall(_FRAME.sub("", text))


def compare_numbers(want: str, shown: str) -> Outcome:
    """Whether two printed results hold the same numbers, to the digits of the first."""
    wanted, got = numbers(want), numbers(shown)
    if not wanted or len(wanted) != len(got):
        return "does not hold"
    found = [_compare(w, g) for w, g in zip(wanted, got, strict=True)]
    for outcome in ("does not hold", "last digit"):
        if outcome in found:
            return outcome
    return "holds"


def _compare(want: str, got: str) -> Outcome:
    if "n" in want or "n" in got:  # nan, inf
        return "holds" if want.lstrip("+") == got.lstrip("+") else "does not hold"
    if rounds_to(float(got), want):
        return "holds"
    printed = Decimal(want)
    unit = Decimal(1).scaleb(int(printed.as_tuple().exponent))
    near = max(unit, Decimal(SINGLE) * abs(printed)) if len(printed.as_tuple().digits) >= SINGLE_DIGITS else unit
    return "last digit" if abs(Decimal(got) - printed) < near else "does not hold"


def audit(
    backends: Iterable[str], losses: Iterable[Loss] = (), *, limit_seconds: float = LIMIT_SECONDS
) -> list[dict[str, Any]]:
    """Rows of the claims table for every example in the docstrings of these backends; each in a child of its own.

    losses: to say which loss a documented function spells.
    """
    spelled: dict[str, str] = {}
    for loss in losses:
        for binding in loss.bindings:
            for name in binding.docs:
                spelled.setdefault(name, loss.name)
    chosen = [name for name in PLACES if name in set(backends)]
    with ThreadPoolExecutor(len(chosen) or 1) as threads:
        found = threads.map(lambda name: run(name, limit_seconds=limit_seconds), chosen)
        return [row for name, examples in zip(chosen, found, strict=True) for row in rows(name, examples, spelled)]


def rows(backend: str, examples: Sequence[Ran], spelled: Mapping[str, str]) -> list[dict[str, Any]]:
    """One row for each example that prints something or fails, and one for a docstring that does neither."""
    by_name: dict[str, list[Ran]] = {}
    for example in examples:
        by_name.setdefault(example.name, []).append(example)
    found = []
    for own in by_name.values():
        telling = [e for e in own if e.want or e.error]
        for number, example in enumerate(telling, 1):
            found.append(_row(backend, example, number, judge(example), spelled))
        if not telling:
            finding = Finding(outcome="prints nothing", reason=f"{len(own)} lines run; no output is printed")
            found.append(_row(backend, own[-1], 0, finding, spelled))
    return found


def _row(backend: str, example: Ran, number: int, finding: Finding, spelled: Mapping[str, str]) -> dict[str, Any]:
    names = (example.name, f"tf.{example.name}", *(alias for alias in example.aliases))
    loss = next((spelled[name] for name in names if name in spelled), example.name.rpartition(".")[2])
    return {
        "claim": f"D:{example.name}:{number}", "loss": loss, "backend": backend, "binding": "docstring", "lane": "",
        "source": f"{example.package}, docstring", "claimed": _line(example.want)[:300],
        "measured": _line(example.printed or example.assigned)[:300], "oracle": "", "holds": HOLDS[finding.outcome],
        "runs_as_written": "no" if example.error else "yes",
        "reason": f"{finding.outcome}: {_line(example.source)[:160]}: {finding.reason}",
    }  # fmt: skip


def _line(text: str) -> str:
    return " ".join(text.split())
