"""What another version of a framework changed, as lines for a person and as a record for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lossbench.judge.verdict import Verdict

NAMED: Final = 6


def installed(versions: Mapping[str, Mapping[str, str]]) -> str:
    """`optax 0.2.7 -> 0.2.8; the same: jax 0.10.2, jaxlib 0.10.2`."""
    base, head = versions["base"], versions["head"]
    moved, kept = list[str](), list[str]()
    for name in sorted(base.keys() | head.keys()):
        before, after = base.get(name, "none"), head.get(name, "none")
        (kept if before == after else moved).append(f"{name} {before}" + ("" if before == after else f" -> {after}"))
    return (
        f"{', '.join(moved) or 'no version that lossbench asks about differs'}; the same: {', '.join(kept) or 'none'}"
    )


def lines(compared: int, same: int, moved: Sequence[Verdict], turned: Sequence[str]) -> Iterator[str]:
    """The count first, then the largest distances, then answers that only one side gives."""
    largest = f", {len(moved)} differ, the most by {moved[0].max_ulp:.4g} ulp" if moved else ""
    yield f"values and gradients: {compared} compared, {same} the same bits{largest}; {len(turned)} answered otherwise"
    for verdict in moved[:NAMED]:
        beyond = "" if verdict.verdict == "tight" else "  beyond rounding"
        yield (
            f"  {verdict.max_ulp:>10.4g} ulp  {verdict.quantity:<5} {verdict.got:.9g} -> {verdict.expected:.9g} "
            f"at [{verdict.worst_index}]  {verdict.cell}{beyond}"
        )
    yield from (f"  {sentence}" for sentence in turned[:NAMED])
    for what, count in (("distances", len(moved)), ("other answers", len(turned))):
        if count > NAMED:
            yield f"  and {count - NAMED} more {what}"


def record(
    versions: Mapping[str, Mapping[str, str]], compared: int, same: int, moved: Sequence[Verdict], turned: Sequence[str]
) -> dict[str, Any]:
    """The same for a program, every distance named."""
    return {
        "versions": {name: dict(own) for name, own in versions.items()},
        "compared": compared,
        "same": same,
        "moved": [
            {
                "cell": own.cell, "quantity": own.quantity, "max_ulp": own.max_ulp, "median_ulp": own.median_ulp,
                "base": own.got, "head": own.expected, "index": own.worst_index,
                "within_rounding": own.verdict == "tight",
            }
            for own in moved
        ],
        "turned": list(turned),
    }  # fmt: skip
