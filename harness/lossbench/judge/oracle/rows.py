"""Rows of a large array: taken in chunks, told apart, and marked where something about them is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.problem import Problem
from lossbench.judge.oracle.reals import NEGATIVE, NOT_A_NUMBER, POSITIVE, Mask, Reals
from lossbench.judge.oracle.wide import Wide

Rows = npt.NDArray[np.int64]

CHUNK_ELEMENTS: Final = 32_768
"""Computed together: few enough to stay in the cache, many enough to hide numpy's own cost."""


def as_balls(a: Reals) -> Reals:
    if not isinstance(a.balls, Wide):
        return a
    out = Reals(a.balls.balls(), a.kind)
    for kind in (POSITIVE, NEGATIVE, NOT_A_NUMBER):
        out = out.with_kind(a.kinds == kind, kind) if a.kind is not None else out
    return out


def added(parts: list[Reals]) -> Reals:
    balls = np.concatenate([part.balls.reshape(-1) for part in parts])
    kinds = np.concatenate([part.kinds.reshape(-1) for part in parts])
    return el.total(Reals(balls, kinds), (0,))


def chunks(rows: Rows, problem: Problem, elements: int = CHUNK_ELEMENTS) -> Iterator[Rows]:
    """Runs of rows, each of a length that is no other dimension's: doubts are told from it whose they are."""
    tail = problem.given["y_pred"].shape[1:]
    step = max(1, elements // max(1, int(np.prod(tail, dtype=np.int64))))
    while step in tail:
        step += 1
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def per_row(mask: Mask) -> Mask:
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def has_nan(part: Problem) -> Mask:
    """Rows with a NaN among their inputs, where NaN may be the right derivative."""
    found = np.zeros(part.rows, bool)
    for name in part.per_row:
        values = part.given[name]
        if values.dtype.kind == "f":
            found |= per_row(np.isnan(values))
    return found


def doubtful(doubts: list[Mask], rows: int) -> Mask:
    """The rows that doubts belong to; all of them where that cannot be seen."""
    bad = np.zeros(rows, bool)
    for mask in doubts:
        if mask.shape[:1] == (rows,) and rows not in mask.shape[1:]:
            bad |= per_row(mask)
        else:
            bad |= True
    return bad


def distinct(problem: Problem, rows: Rows) -> tuple[Rows, Rows]:
    """Positions in `rows` of the first of each kind of equal rows, and the kind of every row."""
    parts = [np.ascontiguousarray(problem.given[name][rows]) for name in sorted(problem.per_row)]
    packed = np.concatenate([a.reshape(len(rows), -1).view(np.uint8).reshape(len(rows), -1) for a in parts], axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, again = np.unique(keys, return_index=True, return_inverse=True)
    return first, again.ravel()
