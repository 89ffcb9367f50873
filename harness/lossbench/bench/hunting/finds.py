"""A find: a verdict that rounding does not explain; a behaviour: all finds of the same kind in one framework."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from lossbench.bench.hunting.spelling import number
from lossbench.bench.hunting.values import UNBOUNDED
from lossbench.bench.hunting.witness import Witness
from lossbench.judge.verdict import SEVERITY, Verdict
from lossbench.spec.loss import Binding

COUNTED: Final = frozenset({"convention", "domain", "accuracy", "range", "api", "defect"})
FORMULAS: Final = frozenset({"formula", "stable", "softplus", "log1p", "misses"})
SMALL: Final = 0.125
LARGE: Final = 8.0
READ_ELEMENTS: Final = 512

Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One binding in one dtype on one witness."""

    backend: str
    binding: Binding
    witness: Witness
    verdict: Verdict

    @property
    def signature(self) -> str:
        """What kind of difference it is, beyond its class: the convention, or what came out where, and the options."""
        said = self.verdict.convention.partition("=")[0] if self.verdict.klass == "convention" else self._outcome()
        options = [f"{n}={v}" for n, v in sorted(self.witness.params.items()) if n != "reduction"]
        if self.witness.params.get("reduction") in ("mean", "sum"):
            options.append(f"{self.witness.params['reduction']} of {'many' if self.witness.rows > 16 else 'few'} rows")
        return ", ".join([said, *options])

    def _outcome(self) -> str:
        if self.verdict.klass == "api":
            return raised(self.verdict.reason)
        return f"{outcome(self.verdict)} {region(self.witness)}".strip()

    @property
    def key(self) -> Key:
        """Finds with the same key are one behaviour."""
        return (self.witness.loss.name, self.backend, self.verdict.quantity, self.verdict.klass, self.signature)

    @property
    def native(self) -> bool:
        """Whether the framework itself offers this spelling."""
        return self.binding.name not in FORMULAS

    @property
    def severity(self) -> int:
        """Of its class, larger is worse."""
        return SEVERITY[self.verdict.klass]


@dataclass(slots=True, kw_only=True)
class Behaviour:
    """What one framework does with one quantity of one loss. find: its smallest witness, of a native spelling where
    one shows it. seen: (binding, dtype) that show it too."""

    find: Find
    seen: dict[tuple[str, str], Find] = field(default_factory=dict)

    def add(self, find: Find) -> None:
        """Another sighting; the better one is kept as the example."""
        self.seen.setdefault((find.binding.name, find.witness.dtype), find)
        if (find.native, -size(find.witness)) > (self.find.native, -size(self.find.witness)):
            self.find = find


def merged(finds: Iterable[Find]) -> list[Behaviour]:
    """Behaviours, native spellings first, then by class from worst to mildest."""
    found: dict[Key, Behaviour] = {}
    for find in finds:
        if find.key not in found:
            found[find.key] = Behaviour(find=find)
        found[find.key].add(find)
    return sorted(found.values(), key=lambda b: (not b.find.native, -_listed(b.find), b.find.key))


def _listed(find: Find) -> int:
    return 5 if find.verdict.klass == "range" else 2 if find.verdict.klass == "api" else find.severity


def outcome(verdict: Verdict) -> str:
    """What came out, as far as it tells one behaviour from another of the same class."""
    return "digits lost" if verdict.klass == "accuracy" else coarse(verdict.got, verdict.expected)


def coarse(got: float, expected: float) -> str:
    """What came out where something else is due."""
    if np.isnan(got):
        return "NaN"
    if np.isinf(got):
        return "infinite"
    if np.isinf(expected):
        return "finite where infinite is due"
    return "zero" if got == 0 else "another number"


def region(witness: Witness) -> str:
    """Where a witness lies: masked, at small or large numbers, at the ends of a bounded domain; empty if none."""
    kinds = {name: domain.kind for name, domain in witness.loss.inputs.items()}
    numbers = [np.asarray(witness.arrays[n], np.float64).ravel() for n, kind in kinds.items() if kind in UNBOUNDED]
    free = np.abs(np.concatenate(numbers)) if numbers else np.zeros(0)
    if np.isinf(free).any():
        return "where a class is masked" if kinds["y_pred"] == "logits" else "at infinite numbers"
    finite = free[free > 0]
    if finite.size:
        return "at large numbers" if finite.max() > LARGE else "at small numbers" if finite.max() < SMALL else ""
    bounded = [np.asarray(witness.arrays[n], np.float64) for n in ("y_pred",) if kinds[n] not in UNBOUNDED]
    if any(((a == 0) | (a == 1)).any() for a in bounded):
        return "at 0 or 1"
    return "near 0 or 1" if any(((a < SMALL**3) | (a > 1 - SMALL**3)).any() for a in bounded) else ""


def raised(reason: str) -> str:
    """The kind of failure, without the numbers that differ from input to input."""
    if reason.startswith("returns "):
        return reason.partition(";")[0].partition(" for ")[0]
    head = reason.removeprefix("failed: ").partition(":")[0]
    return head[:60]


def size(witness: Witness) -> float:
    """How much there is to read in a witness: elements, digits, options."""
    arrays = [np.asarray(a, np.float64) for a in witness.arrays.values()]
    options = sum(name != "reduction" for name in witness.params)
    numbers = [float(value) for a in arrays if a.size <= READ_ELEMENTS for value in a.flat]
    return float(sum(a.size for a in arrays) + 10 * options + sum(_digits(value, witness.dtype) for value in numbers))


def _digits(value: float, dtype: str) -> float:
    """Digits of a number as a person writes it; 0 and 1 count least."""
    if value in (0.0, 1.0):
        return 0.0 if value == 0 else 0.1
    if not math.isfinite(value):
        return 4.0
    mantissa, _, exponent = number(abs(value), dtype).partition("e")
    written = mantissa.replace(".", "").strip("0") or "0"
    return len(written) + 0.3 * abs(math.log10(abs(value))) + 0.2 * (value < 0) + 0.1 * bool(exponent)
