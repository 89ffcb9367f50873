"""What is said about losses, as data for a suite: worked examples, claims in prose, training runs, known defects."""

from __future__ import annotations

from lossbench.spec import training
from lossbench.spec.claim import Claim
from lossbench.spec.example import Example
from lossbench.spec.ledger import KnownDefect

__all__ = ["Claim", "Example", "KnownDefect", "training"]
