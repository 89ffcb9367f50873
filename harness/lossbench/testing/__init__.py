"""For other projects' tests: a loss of theirs against a documented one, or two of theirs against each other."""

from __future__ import annotations

from lossbench.testing.agreeing import assert_loss_agrees
from lossbench.testing.sameness import assert_same_loss

__all__ = ["assert_loss_agrees", "assert_same_loss"]
