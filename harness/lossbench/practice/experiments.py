"""The experiments of the built-in suite, by what a user types: an id (T8-mse-5%) or the start of one (T8)."""

from __future__ import annotations

from functools import lru_cache

import lossbench
from lossbench.spec import suitefile
from lossbench.spec.catalogue import builtin_suites
from lossbench.spec.errors import BadInput
from lossbench.spec.training import Experiment


@lru_cache(maxsize=1)
def every() -> dict[str, Experiment]:
    """Id -> experiment, in the suite's order."""
    folder = builtin_suites()
    package = suitefile.folder_package(folder, f"{lossbench.__name__}.suites")
    module = suitefile.load(folder / "practice.py", package)
    return {experiment.id: experiment for experiment in module.EXPERIMENTS}


def chosen(words: tuple[str, ...]) -> tuple[Experiment, ...]:
    """Those asked for, all without a word. BadInput for a word that names none."""
    known = every()
    for word in words:
        if not any(_named(name, word) for name in known):
            raise BadInput(
                subject="--only", expected=f"experiments among {', '.join(dict.fromkeys(_family(n) for n in known))}",
                received=repr(word), remedy="correct the name",
            )  # fmt: skip
    return tuple(e for name, e in known.items() if not words or any(_named(name, word) for word in words))


def _family(name: str) -> str:
    return name.partition("-")[0]


def _named(name: str, word: str) -> bool:
    return name.lower() == word.lower() or name.lower().startswith(f"{word.lower()}-")
