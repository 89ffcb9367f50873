"""Bad input is one sentence: subject, expected, received, remedy. The command line exits with 2.

LossbenchError
  BadInput          the user's request or file is wrong
  RunDamaged        results on disk cannot be read
"""

from __future__ import annotations

from typing import Final

from lossbench.spec.plain import plain

LONGEST: Final = 1000
"""Characters of each part of a sentence: a file of megabytes may hold nothing but one name."""


class LossbenchError(Exception):
    """Everything lossbench raises on purpose."""


class BadInput(LossbenchError):  # noqa: N818 - a sentence, not a fault of the program
    """A request that cannot be carried out, said in one sentence."""

    def __init__(self, *, subject: str, expected: str, received: str, remedy: str) -> None:
        self.subject, self.expected, self.received, self.remedy = subject, expected, received, remedy
        # whatever a file or a library said stays within the sentence
        said = f"{_cut(subject)}: expected {_cut(expected)}, received {_cut(received)}; {_cut(remedy)}."
        super().__init__(" ".join(plain(said).split()))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


class RunDamaged(BadInput):
    """Results on disk that cannot be read: truncated, of another schema, or incomplete."""
