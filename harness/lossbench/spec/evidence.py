"""What is said about losses, as data for a suite: worked examples, claims in prose, known defects."""

from __future__ import annotations

from lossbench.spec.claim import Claim
from lossbench.spec.example import Example
from lossbench.spec.ledger import KnownDefect

__all__ = ["Claim", "Example", "KnownDefect"]
