"""Large arrays: whole-array arithmetic with error bounds first, certified balls for what it leaves open.

Every number that comes out of float64 or long double carries a radius. It counts if twice the radius is below
`CERTAIN_ULPS` of a unit in the last place of the dtype (and, but for float64, both ends of the ball round
alike); otherwise the rows, or single elements where those stand alone, go on to the next arithmetic,
equal ones once. A reduction adds what each row came to. Nothing is sampled and nothing is guessed: where more than
`BALL_ELEMENTS` would need balls, or a reduced value is not certain enough, there is no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.attempt import PRECISIONS_BITS, Attempt, Undecided, attempts, working
from lossbench.judge.oracle.bounded import Points, is_certain, uncertain
from lossbench.judge.oracle.exact import Exact, ExactArray
from lossbench.judge.oracle.namespace import x
from lossbench.judge.oracle.onesided import complete
from lossbench.judge.oracle.operations import Array, add, divide, lift
from lossbench.judge.oracle.problem import Problem, open_elements
from lossbench.judge.oracle.reals import (
    FINITE,
    Floats,
    Mask,
    Reals,
    finite_balls,
    scalar,
)
from lossbench.judge.oracle.reductions import divisor, reduce
from lossbench.judge.oracle.rows import Rows, added, as_balls, chunks, distinct, doubtful, has_nan, per_row
from lossbench.judge.oracle.tape import Cotangent, gradient
from lossbench.judge.oracle.wide import long_double
from lossbench.spec.formats import FORMATS, Format

BALL_ELEMENTS: Final = 65_536
BALLS_TOGETHER: Final = 2048


def carriers(fmt: Format) -> list[npt.DTypeLike]:
    """In what whole arrays are computed, the fastest first; nothing where none has digits to spare."""
    wider = long_double()
    return ([np.float64] if fmt.precision < 50 else []) + ([] if wider is None else [wider])


def evaluate(problem: Problem, dtype: str) -> Exact | None:
    """Value and gradient with certain digits; None where that is out of reach."""
    separable = problem.separable()
    flat = separable == "element"
    parts = problem.flat() if flat else problem
    try:
        if separable == "batch":
            return _together(problem, dtype)
        rows = _Rows(problem=parts, fmt=FORMATS[dtype], divide_by=_divisor(problem, parts))
        return rows.found(problem.given["y_pred"].shape if flat else None)
    except Undecided:
        return None


def _divisor(problem: Problem, parts: Problem) -> Array | int:
    """Of the whole reduction, from chunks of it."""
    if problem.reduction in ("none", "sum"):
        return 1
    if problem.reduction == "batchmean":
        return problem.rows
    weighted = problem.reduction not in ("mean", "batchmean")
    with working(_attempt(long_double() or np.float64)) as attempt:
        counts: list[Any] = []
        for rows in chunks(np.arange(parts.rows), parts):
            summands, _ = parts.at(rows).forward()
            if problem.reduction == "sum_by_nonzero_weights" and summands.given is not None:
                count: Array | int = int(np.count_nonzero(summands.given.value.floats))
            else:
                count = divisor(x, summands, problem.reduction)
            counts.append(count)
            if isinstance(count, Array) and count.active:
                raise Undecided
            if isinstance(count, int) and not weighted:
                return summands.losses.value.balls.size * parts.rows // len(rows)
        if attempt.doubts:
            raise Undecided
    if all(isinstance(count, int) for count in counts):
        whole = int(sum(counts))
        return max(1, whole) if problem.reduction == "sum_by_nonzero_weights" else whole
    arrays = [lift(count) for count in counts]
    with working(next(attempts())):
        total = added([as_balls(a.value) for a in arrays])
        return Array(total, np.asarray(sum(float(a.owed) for a in arrays)))


def _attempt(carrier: npt.DTypeLike) -> Attempt:
    return Attempt(bits=PRECISIONS_BITS[0], last=True, carrier=carrier)


@dataclass(kw_only=True)
class _Rows:
    """The rows of a problem, evaluated in chunks and put together."""

    problem: Problem
    fmt: Format
    divide_by: Array | int
    sums: list[Reals] = field(default_factory=list)
    owed: float = 0.0
    values: Points | None = None
    slopes: Points | None = None
    by_balls: int = 0
    bits: int = 53
    certified: bool = True

    def found(self, shape: tuple[int, ...] | None) -> Exact | None:
        """shape: of the arrays, where elements were made rows."""
        pending = np.arange(self.problem.rows)
        for carrier in carriers(self.fmt):
            open_ = [self._wide(rows, carrier) for rows in chunks(pending, self.problem)]
            pending = np.concatenate(open_)
            if not pending.size:
                break
        if pending.size and not self._balls(pending):
            return None
        value = self._value(shape)
        if value is None:  # the terms cancel, or leave float64's range: their digits have to come from balls
            self.sums, self.owed = [], 0.0
            value = self._value(shape) if self._balls(np.arange(self.problem.rows)) else None
        if value is None:
            return None
        slopes = self.slopes
        grad = None if slopes is None else slopes.array(shape or slopes.low.shape, self.fmt.name)
        certified = self.certified and value.is_certified() and (grad is None or grad.is_certified())
        return Exact(value=value, grad=grad, bits=self.bits, certified=certified)

    def _wide(self, rows: Rows, carrier: npt.DTypeLike) -> Rows:
        """Evaluates a chunk, keeps what is certain and returns the rows that are not."""
        part = self.problem.at(rows)
        with working(_attempt(carrier)) as attempt:
            summands, by = part.forward()
            losses = summands.losses
            out = reduce(x, summands, reduction=self.problem.reduction, divide_by=self.divide_by)
            bar = None if by is None else gradient(out, by)
            bad = doubtful(attempt.doubts, len(rows))
            if self.problem.reduction == "none":
                losses = out
                bad |= per_row(uncertain(out.value, self.fmt))
            else:
                bad |= per_row(~finite_balls(losses.value.balls) & (losses.value.kinds == FINITE))
            if bar is not None:
                at = part.given[str(part.wrt)]
                open_ = open_elements(bar, at)
                for end in (bar.low,) if bar.high is None else (bar.low, bar.high):
                    open_ = open_ | uncertain(end, self.fmt)
                bad |= per_row(open_) & ~has_nan(part)
            good = ~bad
            self._keep(rows, good, losses, bar)
        return rows[bad]

    def _balls(self, rows: Rows) -> bool:
        """The same by balls, equal rows once; False where these are too many."""
        size = max(1, self.problem.given["y_pred"].size // max(1, self.problem.rows))
        first, again = distinct(self.problem, rows)
        if first.size * size > BALL_ELEMENTS:
            return False
        self.by_balls = first.size * size
        order = np.argsort(again, kind="stable")
        ends = np.searchsorted(again[order], np.arange(first.size + 1))
        for chosen in chunks(np.arange(first.size), self.problem, BALLS_TOGETHER):
            group = order[ends[chosen[0]] : ends[chosen[-1] + 1]]
            if not self._exactly(rows[first[chosen]], rows[group], again[group] - chosen[0]):
                return False
        return True

    def _exactly(self, rows: Rows, all_rows: Rows, again: Rows) -> bool:
        part = self.problem.at(rows)
        for attempt in attempts():
            with working(attempt):
                try:
                    summands, by = part.forward()
                    out = reduce(x, summands, reduction=self.problem.reduction, divide_by=self.divide_by)
                    bar = None if by is None else gradient(out, by)
                except Undecided:
                    continue
                if bar is not None:
                    open_ = open_elements(bar, part.given[str(part.wrt)])
                    if open_.any():
                        bar = complete(bar, open_, part, divide_by=self.divide_by)
            ends = [] if bar is None else [bar.low] if bar.high is None else [bar.low, bar.high]
            kept = out if self.problem.reduction == "none" else summands.losses
            ends += [out.value] if self.problem.reduction == "none" else []
            name = self.fmt.name
            sure = all(ExactArray(end, None, kept.owed, name).is_certified() for end in ends)
            if sure or attempt.last:
                self.bits = max(self.bits, attempt.bits)
                with working(attempt):
                    losses = _repeated(kept, again)
                    repeated = None if bar is None else bar.rearranged(lambda p: p[again])
                    self._keep(all_rows, np.ones(len(all_rows), bool), losses, repeated)
                self.certified &= sure
                return True
        return False

    def _keep(self, rows: Rows, good: Mask, losses: Array, bar: Cotangent | None) -> None:
        chosen = losses.value if good.all() else losses.value.reshaped(lambda p: p[good])
        owed = losses.owed[good]
        if self.problem.reduction == "none":
            self.values = self.values or Points.empty((self.problem.rows, *losses.shape[1:]), self.fmt)
            self.values.put(rows[good], chosen, None, owed)
        else:
            axes = tuple(range(len(chosen.shape)))
            self.sums.append(as_balls(el.total(chosen, axes)))
            self.owed += float(np.sum(owed + np.abs(chosen.floats)))
        if bar is None:
            return
        self.slopes = self.slopes or Points.empty((self.problem.rows, *bar.low.shape[1:]), self.fmt)
        high = None if bar.high is None else bar.high.reshaped(lambda p: p[good])
        self.slopes.put(rows[good], bar.low.reshaped(lambda p: p[good]), high, bar.owed[good])

    def _value(self, shape: tuple[int, ...] | None) -> ExactArray | None:
        name = self.fmt.name
        if self.values is not None:
            return self.values.array(shape or self.values.low.shape, name)
        with working(next(attempts())):
            summed = Array(added(self.sums), np.asarray(self.owed))
            out = divide(summed, lift(self.divide_by))
            summands, _ = self.problem.at(slice(0, 1)).forward()
            if summands.added is not None:
                out = add(out, summands.added)
            if not bool((out.value.kinds != FINITE).any()) and not is_certain(scalar(out.value), self.fmt):
                return None
        return ExactArray(out.value, None, out.owed, name)


def _together(problem: Problem, dtype: str) -> Exact | None:
    """A batch that does not come apart: certain as a whole, or not at all.

    In the last arithmetic a radius far below what the formula owes will do: the rounding of such a number is not
    proven, and the answer does not call itself certified."""
    fmt = FORMATS[dtype]
    wider = carriers(fmt)
    for carrier in wider:
        with working(_attempt(carrier)) as attempt:
            out, bar = problem.once()
            ends = [(out.value, out.owed)]
            if bar is not None:
                ends += [(end, bar.owed) for end in (bar.low, bar.high) if end is not None]
            proven = not any(bool(uncertain(end, fmt).any()) for end, _ in ends)
            near = proven or (
                carrier == wider[-1] and not any(bool(uncertain(end, fmt, owed).any()) for end, owed in ends)
            )
            if attempt.doubts or not near:
                continue
            if bar is not None and open_elements(bar, problem.given[str(problem.wrt)]).any():
                continue
            arrays = [_array(out.value, None, out.owed, dtype)]
            if bar is not None:
                arrays.append(_array(bar.low, bar.high, bar.owed, dtype))
        certified = proven and all(array.is_certified() for array in arrays)
        return Exact(value=arrays[0], grad=arrays[1] if bar is not None else None, bits=53, certified=certified)
    return None


def _array(low: Reals, high: Reals | None, owed: Floats, dtype: str) -> ExactArray:
    points = Points.empty(low.shape, FORMATS[dtype])
    points.put((), low, high, owed)
    return points.array(low.shape, dtype)


def _repeated(a: Array, again: Rows) -> Array:
    return Array(a.value.reshaped(lambda p: p[again]), a.owed[again])
