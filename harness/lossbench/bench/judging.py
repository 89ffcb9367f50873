"""The judge of a run: the answers of a case to rows of the agreement table; here, or in processes beside the lanes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lossbench.bench import mapping
from lossbench.judge import agreement
from lossbench.judge.pairs import pairwise
from lossbench.judge.verdict import Verdict
from lossbench.lanes.measurement import Answer
from lossbench.running.contract import Judge
from lossbench.spec import catalogue as catalogues
from lossbench.spec import inputs
from lossbench.spec.case import Case, Cell
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.userloss import UserLoss


class RunJudge:
    """Judges cases of a catalogue; callable as a run expects it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def __call__(self, case: Case, answers: Mapping[Cell, Answer]) -> Iterable[Mapping[str, Any]]:
        """Rows of the agreement table."""
        loss = self._catalogue.losses[case.loss]
        by_id = {cell.id: answer for cell, answer in answers.items()}
        unjudged = isinstance(loss, UserLoss) and not loss.judged
        if unjudged:
            return [verdict.row() for verdict in pairwise(by_id, case.dtype)]
        built = inputs.build(loss, case)
        bindings = {
            cell.id: binding
            for cell in answers
            for binding in loss.bindings_of(cell.lane.backend)
            if binding.name == cell.binding
        }
        try:
            verdicts = agreement.judge(
                loss, dict(case.params), built.arrays, case.dtype, by_id, bindings=bindings, digest=built.digest
            )
        except Exception as error:  # noqa: BLE001 - a suite's reference is its author's code and may raise anything
            reason = f"the reference of {loss.name} raised {type(error).__name__}: {error}"
            verdicts = [
                Verdict(cell=cell, quantity="value", verdict="undefined", klass="", reason=reason) for cell in by_id
            ]
        return [verdict.row() for verdict in verdicts]

    def map_plane(self, name: str, dtype: str, answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
        """Rows of the maps table for a loss and dtype: backend -> what it gave over the plane."""
        return mapping.rows(self._catalogue.losses[name], dtype, answers)


FEW: Final = 40
"""Cases that are judged before a process that would judge them has begun."""


@contextmanager
def bench_of(known: Catalogue, suites: Sequence[Path], cases: int) -> Iterator[tuple[Judge, Executor | None]]:
    """Who judges that many cases, and where: processes beside the lanes, or for a few this process."""
    if cases <= FEW:
        yield RunJudge(known), None
        return
    with judges(suites) as pool:
        yield judge_case, pool


@contextmanager
def judges(suites: Sequence[Path], processes: int | None = None) -> Iterator[Executor]:
    """So many processes, one a processor if None, each with the catalogue; they run `judge_case`, and end with this."""
    # spawned, not forked: this process has threads, and a copy of their locks would never open
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes or os.cpu_count(), spawn, initializer=_begin, initargs=(tuple(suites),))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def judge_case(case: Case, answers: Mapping[Cell, Answer]) -> Iterable[Mapping[str, Any]]:
    """Rows of the agreement table, in a process of `judges`."""
    return _own[0](case, answers)


def map_plane(name: str, dtype: str, answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """Rows of the maps table, in a process of `judges`."""
    return _own[0].map_plane(name, dtype, answers)


_own: list[RunJudge] = []


def _begin(suites: Sequence[Path]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent's to handle
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _own.append(RunJudge(catalogues.load(suites, backend="")))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only processes of `judges` come here"
    parent.join()
    os._exit(1)
