"""Bad input is one sentence: subject, expected, received, remedy. The command line exits with 2.

LossbenchError
  BadInput          the user's request or file is wrong
  RunDamaged        results on disk cannot be read
"""

from __future__ import annotations

from lossbench.spec.plain import plain


class LossbenchError(Exception):
    """Everything lossbench raises on purpose."""


class BadInput(LossbenchError):  # noqa: N818 - a sentence, not a fault of the program
    """A request that cannot be carried out, said in one sentence."""

    def __init__(self, *, subject: str, expected: str, received: str, remedy: str) -> None:
        self.subject, self.expected, self.received, self.remedy = subject, expected, received, remedy
        # whatever a file or a library said stays within the sentence
        super().__init__(" ".join(plain(f"{subject}: expected {expected}, received {received}; {remedy}.").split()))


class RunDamaged(BadInput):
    """Results on disk that cannot be read: truncated, of another schema, or incomplete."""
