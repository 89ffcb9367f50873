"""Is a function the documented loss that it should be: value and gradient against the exact result, in a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from warnings import catch_warnings, simplefilter

import numpy as np

from lossbench.judge.agreement import judge_one
from lossbench.judge.custom import ALWAYS_FATAL, SHAPE, judge_custom
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Quantity, Verdict
from lossbench.spec import inputs, live
from lossbench.spec.case import Case
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Scalar
from lossbench.spec.regimes import REGIMES
from lossbench.testing.guest import Guest, documented, visiting
from lossbench.testing.narrowing import Arrays, narrowed, said

DTYPES: Final = ("float32",)
SHOWN: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One verdict and the inputs it is about. fatal: whether a test fails on it."""

    case: Case
    arrays: Arrays
    verdict: Verdict
    fatal: bool


def assert_loss_agrees(
    function: Callable[..., Any],
    like: str,
    *,
    dtypes: Iterable[str] = DTYPES,
    regimes: Iterable[str] = (),
    backend: str = "",
    mode: str = "eager",
    pred_first: bool | None = None,
    **params: Scalar,
) -> tuple[Verdict, ...]:
    """AssertionError where a function is not the documented loss that it should be; else every verdict.

    like, params: the loss and its parameters; a parameter that the function has a name for is passed to it.
    regimes: named, everything must be right in them; left out, all that apply are tried, typical inputs must be
    right and others free of unexplained differences. pred_first: where the names of the arguments do not tell.
    BadInput for a loss, dtype, regime or parameter that does not exist.
    """
    target = documented().find(like)
    described = live.described(function, like=target.name, params=params, backend=backend, pred_first=pred_first)
    with visiting(described, function, target, mode) as guest:
        judged = list(_judged(guest, tuple(dtypes), tuple(regimes)))
        wrong = [j for j in judged if j.fatal]
        if wrong:
            named = "".join(f", {k}={v}" for k, v in params.items())
            raise AssertionError(_failure(guest, f"{like}{named and f'({named[2:]})'}", judged, wrong))
    return tuple(j.verdict for j in judged)


def _judged(guest: Guest, dtypes: Iterable[str], regimes: tuple[str, ...]) -> Iterator[Judged]:
    names = regimes or tuple(name for name, regime in REGIMES.items() if regime.applies(guest.loss))
    for dtype in dtypes:
        for name in names:
            case = case_of(guest.loss.name, guest.loss.params, dtype, name)
            arrays = inputs.build(guest.loss, case).arrays
            for verdict in _verdicts(guest, arrays, dtype, ("value", "grad"), case.id):
                strict = name == "typical" or name in regimes
                unexplained = verdict.klass in ALWAYS_FATAL and not REGIMES[name].leaves_domain
                fatal = (strict and not _right(verdict)) or unexplained
                yield Judged(case=case, arrays=arrays, verdict=verdict, fatal=fatal)


def case_of(loss: str, params: Mapping[str, Scalar], dtype: str, regime: str) -> Case:
    """The small case of a regime. BadInput where there is no such dtype or regime."""
    for what, name, names in (("dtype", dtype, tuple(FORMATS)), ("regime", regime, tuple(REGIMES))):
        if name not in names:
            raise BadInput(
                subject=f"{what} of a test", expected=f"one of {', '.join(names)}", received=repr(name),
                remedy="correct the name",
            )  # fmt: skip
    shape = REGIMES[regime].shape(SHAPE)
    return Case(loss=loss, params=tuple(sorted(params.items())), shape=shape, dtype=dtype, regime=regime)


def _right(verdict: Verdict) -> bool:
    return verdict.right or verdict.verdict == "undefined"


def _verdicts(
    guest: Guest, arrays: Arrays, dtype: str, quantities: Iterable[Quantity], name: str = ""
) -> Iterator[Verdict]:
    loss = guest.loss
    reference = Reference(loss=loss, params=dict(loss.params), arrays=arrays, dtype=dtype, grad=True)
    answer = guest.ask(arrays, dtype)
    for quantity in quantities:
        yield judge_one(reference, f"{name}@{guest.lane}:grad", answer, quantity)


def _failure(guest: Guest, like: str, judged: list[Judged], wrong: list[Judged]) -> str:
    """The verdict first, then the worst input, what else differs, and what the function is instead."""
    worst = max(wrong, key=lambda j: (j.verdict.klass in ALWAYS_FATAL, j.case.regime == "typical", _size(j.verdict)))
    dtype, quantity = worst.case.dtype, worst.verdict.quantity

    def badness(arrays: Arrays) -> float:
        (found,) = _verdicts(guest, arrays, dtype, (quantity,))
        return 0.0 if _right(found) or np.isnan(found.max_ulp) else found.max_ulp

    part = narrowed(worst.arrays, badness)
    (found,) = _verdicts(guest, part, dtype, (quantity,))
    lines = [
        f"{guest.loss.name} is not {like} in {guest.place}: {_place(worst)}: {worst.verdict.klass or 'absent'}",
        f"  worst input: {said(part)}",
        f"  {found.reason}",
        f"  {len(wrong)} of {len(judged)} comparisons fail",
    ]
    others = [j for j in wrong if j is not worst]
    lines += [f"    {_place(j)}: {j.verdict.klass or 'absent'}: {j.verdict.reason}" for j in others[:SHOWN]]
    if len(others) > SHOWN:
        lines.append(f"    and {len(others) - SHOWN} more")
    relative = _relative(guest)
    return "\n".join([*lines, f"  it {relative}"] if relative else lines)


def _relative(guest: Guest) -> str:
    like = guest.loss.like
    known = documented().losses.values()
    with catch_warnings():
        simplefilter("ignore")  # about inputs that suit another loss
        result = judge_custom(guest.loss, guest.lane, guest, catalogue=known, dtypes=(), regimes=(), like=like)
    return result.relatives[0].sentence if result.relatives else ""


def _place(judged: Judged) -> str:
    return f"{judged.verdict.quantity}, {judged.case.dtype}, {judged.case.regime} inputs"


def _size(verdict: Verdict) -> float:
    return float("inf") if np.isnan(verdict.max_ulp) else verdict.max_ulp
