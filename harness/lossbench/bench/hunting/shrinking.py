"""The smallest witness that still shows the same: fewer options, rows, columns and digits.

Candidates are asked in one batch where rows stand alone; only the simplest that still look wrong are confirmed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.bench.hunting.finds import Find, coarse, outcome, size
from lossbench.bench.hunting.lanes import NO_RESULT, TOGETHER, Asking, rows_of
from lossbench.bench.hunting.looking import look
from lossbench.bench.hunting.values import SIGNED
from lossbench.bench.hunting.witness import Witness, joined
from lossbench.lanes.measurement import Answer
from lossbench.spec.draw import one_hot
from lossbench.spec.formats import round_to

CONFIRMED: Final = 2
ROUNDS: Final = 6
ALONE_ASKS: Final = 48
LIMIT_SECONDS: Final = 1.5
ROWED: Final = frozenset({"simplex", "log_simplex", "one_hot"})


@dataclass(slots=True, kw_only=True)
class Shrinking:
    """One find on its way to a smaller one."""

    asking: Asking
    find: Find
    limit_seconds: float = LIMIT_SECONDS
    _asks: int = 0
    _began: float = field(default_factory=time.monotonic)

    def smallest(self) -> Find:
        """The smallest found within the limit."""
        self._without_options()
        if self.find.witness.separable:
            while self._fewer(_columns):
                pass
            for _ in range(ROUNDS):
                if self._over() or not self._simpler():
                    break
        else:
            self._fewer_rows()
            while self._fewer(_columns) or self._fewer(_rows):
                pass
            while self._fewer(_numbers):
                pass
        return self.find

    def _over(self) -> bool:
        return time.monotonic() - self._began > self.limit_seconds or self._asks >= ALONE_ASKS

    def _accepts(self, candidate: Witness, answer: Answer | None = None) -> bool:
        """Whether it still shows the same; then it is the find."""
        if self._over():
            return False
        self._asks += 1
        old = self.find
        if answer is None:
            seen = self.asking.verdict(candidate, old.backend, old.binding, old.verdict.quantity)
        else:
            seen = self.asking.judged(candidate, answer, old.backend, old.binding, old.verdict.quantity)
        if seen is None or seen.klass != old.verdict.klass:
            return False
        new = replace(old, witness=candidate, verdict=seen)
        if _kind(new) != _kind(old):
            return False
        self.find = new
        return True

    def _without_options(self) -> None:
        for name in tuple(self.find.witness.params):
            if name != "reduction":
                params = {n: v for n, v in self.find.witness.params.items() if n != name}
                self._accepts(replace(self.find.witness, params=params))

    def _fewer(self, ways: Callable[[Witness], Iterator[Witness]]) -> bool:
        """Takes the first way that still shows it."""
        before = size(self.find.witness)
        return any(size(candidate) < before and self._accepts(candidate) for candidate in ways(self.find.witness))

    def _fewer_rows(self) -> None:
        """Where all rows are alike: simpler numbers first, then the least number of rows, by bisection."""
        witness = self.find.witness
        if not _alike(witness):
            return
        count = witness.rows
        for candidate in _numbers(witness.at([0])):
            if size(candidate) < size(self.find.witness.at([0])):
                self._accepts(candidate.padded(count))
        low, high = 0, count
        while high - low > max(1, high // 500):
            middle = (low + high) // 2
            if self._accepts(self.find.witness.at(slice(0, middle))):
                high = middle
            else:
                low = middle
            if self._over():
                return

    def _simpler(self) -> bool:
        """One batch of candidates in which one thing is simpler; the simplest that is confirmed is taken."""
        old = self.find
        before = size(old.witness)
        candidates = [c for c in _numbers(old.witness) if size(c) < before]
        candidates = sorted(candidates, key=size)[:TOGETHER]
        if not candidates:
            return False
        batch = joined(candidates).padded(TOGETHER)
        self._asks += 1
        answer = self.asking.ask(batch, old.backend, old.binding)
        reference = self.asking.reference(batch)
        try:
            seen = look(batch, reference, answer, old.verdict.quantity, old.binding)
        except NO_RESULT:
            seen = None
        if seen is None:
            return any(self._accepts(candidate) for candidate in candidates[:CONFIRMED])
        wanted = coarse(old.verdict.got, old.verdict.expected)
        rows = sorted({s.row for s in seen.suspects if s.kind[0] == wanted and s.row < len(candidates)})
        return any(self._accepts(candidates[row], rows_of(answer, slice(row, row + 1))) for row in rows[:CONFIRMED])


def _kind(find: Find) -> tuple[str, str]:
    """What must stay: the class is compared apart, where it lies may become simpler."""
    verdict = find.verdict
    if verdict.klass == "convention":
        return verdict.convention.partition("=")[0], ""
    if verdict.klass == "api":
        return verdict.reason[:24], ""
    return outcome(verdict), ""


def _alike(witness: Witness) -> bool:
    return witness.rows > 1 and all(
        bool((a == a[:1]).all()) for n, a in witness.arrays.items() if witness.per_row(n) and np.ndim(a)
    )


def _rows(witness: Witness) -> Iterator[Witness]:
    """Half of the rows, then without one."""
    count = witness.rows
    if count < 2:
        return
    yield witness.at(slice(0, count // 2))
    yield witness.at(slice(count // 2, count))
    if count <= 16:
        for row in range(count):
            yield witness.at([i for i in range(count) if i != row])


def _columns(witness: Witness) -> Iterator[Witness]:
    """Without one class or coordinate, or half of many."""
    shape = np.shape(witness.arrays["y_pred"])
    if len(shape) != 2 or shape[1] < 2:
        return
    drops = (
        [[c] for c in range(shape[1])]
        if shape[1] <= 8
        else [[*range(shape[1] // 2)], [*range(shape[1] // 2, shape[1])]]
    )
    for drop in drops:
        kept = [c for c in range(shape[1]) if c not in drop]
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, values in witness.arrays.items():
            domain = witness.loss.inputs[name]
            if domain.kind == "class_index":
                if np.isin(values, drop).any():
                    break
                arrays[name] = np.searchsorted(kept, values).astype(values.dtype)
            elif domain.extent == "square":
                arrays[name] = values[np.ix_(kept, kept)]
            else:
                part = values[:, kept] if values.ndim == 2 else values
                if domain.kind == "one_hot" and (part.sum(axis=-1) != 1).any():
                    break
                arrays[name] = part
        else:
            yield replace(witness, arrays=arrays)


def _numbers(witness: Witness) -> Iterator[Witness]:
    """One number, or one array, made simpler; a row that must sum to 1 as a whole."""
    for name, values in witness.arrays.items():
        domain = witness.loss.inputs[name]
        if domain.extent == "scalar" or values.size > 512:
            continue
        for changed in _rewritten(values, domain.kind):
            if domain.integer:
                new = changed.astype(values.dtype)
            else:
                new = np.asarray(round_to(changed, witness.dtype), dtype=values.dtype)
            if not np.array_equal(new, values):
                yield replace(witness, arrays={**witness.arrays, name: new})


def _rewritten(values: npt.NDArray[Any], kind: str) -> Iterator[npt.NDArray[Any]]:
    given = np.asarray(values, dtype=np.float64)
    if kind == "class_index":
        yield np.zeros_like(given)
        return
    if kind in ROWED and given.ndim:
        classes = given.shape[-1]
        for rows in (
            *(one_hot(np.full(given.shape[:-1], c), classes) for c in range(classes)),
            np.full_like(given, 1 / classes),
        ):
            with np.errstate(divide="ignore"):
                yield np.log(rows) if kind == "log_simplex" else rows
        if kind == "one_hot":
            return
    yield np.zeros_like(given)
    yield np.ones_like(given)
    if np.isfinite(given).all():
        for count in (1, 2, 3):
            yield _short(given, count)
        yield _power(given)
    for place in np.ndindex(given.shape):
        for number in _simpler_than(float(given[place]), kind):
            changed = given.copy()
            changed[place] = number
            yield changed


def _simpler_than(value: float, kind: str) -> Iterator[float]:
    if kind == "sign":
        yield 1.0
        return
    yield from () if kind == "positive" else (0.0,)
    yield 1.0
    if kind == "binary" or not np.isfinite(value):
        return
    if kind in SIGNED:
        yield abs(value)
        yield float(np.copysign(1.0, value))
    if kind in ("probability", "simplex"):
        yield 0.5
    else:
        yield from (2.0, 10.0, 100.0, 1000.0)
    yield float(_power(np.asarray(value)))
    for count in (1, 2, 3, 4):
        yield float(_short(np.asarray(value), count))


def _short(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    return np.array([float(f"{v:.{count}g}") for v in values.ravel()]).reshape(values.shape)


def _power(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The nearest power of ten of each number, its sign kept."""
    return np.array(
        [float(f"{np.sign(v):.0f}e{np.rint(np.log10(abs(v))):.0f}") if v else 0.0 for v in values.ravel()]
    ).reshape(values.shape)
