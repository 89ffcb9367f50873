"""A known defect of a framework, as reviewed data: what, where, why, and where one can read about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDefect:
    """One known defect. loss, backend, binding, dtype, regime, quantity, lane: shell patterns over a row's columns,
    several of them parted by `|`.

    klass: the class the defect is seen as. reason: one sentence with the cause. reference: a public document or
    the framework's source, by qualified name, with the version it was seen in.
    """

    loss: str
    backend: str
    binding: str
    klass: str
    reason: str
    reference: str
    dtype: str = "*"
    regime: str = "*"
    quantity: str = "*"
    lane: str = "*"

    def __post_init__(self) -> None:
        for text in ("loss", "reason", "reference"):
            if not getattr(self, text).strip():
                raise TypeError(f"ledger entry for {self.loss!r}: {text} is required, got an empty string; write it")
