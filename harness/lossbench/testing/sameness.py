"""Are two functions the same loss, whatever that loss is: value and gradient, each judged by its own noise.

No formula says what is owed, so it is measured: how far each result moves when the inputs move by one unit in the
last place. Two results are the same within 8 times that and 8 eps, but never where more than 1% parts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.elements import LOST_RELATIVE, STABLE_OWED, ulp_distance
from lossbench.judge.verdict import Quantity
from lossbench.spec import domains, inputs, live
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS, step
from lossbench.spec.loss import Loss
from lossbench.spec.regimes import REGIMES
from lossbench.testing.agreeing import DTYPES, SHOWN, case_of
from lossbench.testing.guest import Guest, documented, visiting
from lossbench.testing.narrowing import Arrays, narrowed, said

Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

QUANTITIES: Final[tuple[Quantity, ...]] = ("value", "grad")
ARITHMETIC: Final = ("tiny", "subnormal", "huge")
"""Regimes that test a library's arithmetic more than its definition."""

NUDGES: Final = ("+", "-", "+-", "-+")
"""Directions in which the elements of the prediction move by one unit: all up, all down, in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """Where two functions differ. ulp: the largest distance; got: both numbers there, or a sentence."""

    place: str
    quantity: Quantity
    dtype: str
    arrays: Arrays
    ulp: float
    said: str


def assert_same_loss(
    a: Callable[..., Any],
    b: Callable[..., Any],
    *,
    like: str = "",
    dtypes: Iterable[str] = DTYPES,
    regimes: Iterable[str] = (),
    backends: tuple[str, str] = ("", ""),
    pred_first: tuple[bool | None, bool | None] = (None, None),
) -> None:
    """AssertionError where two functions, of one framework or of two, differ in value or gradient.

    like: a documented loss whose inputs suit both (labels, logits, ...); without one the inputs suit real
    predictions and probabilities alike, and are ordinary. regimes: left out, those of `like` inside its domain
    but for tiny, subnormal and huge inputs, where libraries differ as a matter of course.
    backends, pred_first: of a and of b, where they do not tell themselves. BadInput for unknown names.
    """
    target = documented().find(like) if like else None
    with ExitStack() as stack:
        guests = [
            stack.enter_context(visiting(live.described(f, backend=said_of, pred_first=first), f, None, "eager"))
            for f, said_of, first in zip((a, b), backends, pred_first, strict=True)
        ]
        parted = [p for dtype in dtypes for p in _parted(guests[0], guests[1], target, dtype, tuple(regimes))]
        if parted:
            raise AssertionError(_failure(guests[0], guests[1], parted))


def _parted(a: Guest, b: Guest, target: Loss | None, dtype: str, regimes: tuple[str, ...]) -> Iterator[Parted]:
    for name, arrays in _inputs(target, dtype, regimes):
        for quantity in QUANTITIES:
            found = _apart(a, b, arrays, dtype, quantity)
            if found:
                ulp, text = found
                place = f"{quantity}, {dtype}, {name} inputs"
                yield Parted(place=place, quantity=quantity, dtype=dtype, arrays=arrays, ulp=ulp, said=text)


def _inputs(target: Loss | None, dtype: str, regimes: tuple[str, ...]) -> Iterator[tuple[str, Arrays]]:
    if target is None and regimes not in ((), ("typical",)):
        raise BadInput(
            subject="regimes of assert_same_loss", expected="like=, the loss whose inputs they are of",
            received=f"{', '.join(regimes)} alone", remedy="name a documented loss with such inputs",
        )  # fmt: skip
    if target is None:
        yield "typical", _ordinary(dtype)
        return
    within = (n for n, r in REGIMES.items() if r.applies(target) and not r.leaves_domain and n not in ARITHMETIC)
    for name in regimes or within:
        case = case_of(target.name, target.params, dtype, name)
        arrays = inputs.build(target, case).arrays
        yield name, {n: arrays[n] for n in ("y_true", "y_pred")}


def _ordinary(dtype: str) -> Arrays:
    """Targets of 0 and 1, predictions strictly between."""
    places = np.arange(12.0).reshape(4, 3)
    plain = {"y_true": (places % 3 == 0).astype(np.float64), "y_pred": (places + 1) / 14}
    return {name: inputs.settle(values, domains.REAL, dtype) for name, values in plain.items()}


def _apart(a: Guest, b: Guest, arrays: Arrays, dtype: str, quantity: Quantity) -> tuple[float, str] | None:
    """The largest distance and a sentence, or None where the two are the same."""
    first, second = (_seen(g, arrays, dtype, quantity) for g in (a, b))
    for guest, seen in ((a, first), (b, second)):
        if isinstance(seen, str):
            return np.inf, f"{guest.loss.name} in {guest.place}: {seen}"
    assert not isinstance(first, str)
    assert not isinstance(second, str)
    if first.shape != second.shape:
        return np.inf, f"the {quantity} has shape {first.shape} in one and {second.shape} in the other"
    moved = [[_seen(g, _nudged(arrays, dtype, way), dtype, quantity) for way in NUDGES] for g in (a, b)]
    wrong = ~_close(first, second, _noise(first, moved[0]) + _noise(second, moved[1]), dtype)
    if quantity == "grad":
        wrong &= ~_same_kink(first, second, moved, dtype)
    if not wrong.any():
        return None
    ulps = np.where(wrong, ulp_distance(first, second, dtype), -1.0)
    worst = np.unravel_index(int(np.argmax(ulps)), ulps.shape)
    ulp = float(ulps[worst])
    return ulp, f"{float(first[worst]):.9g} against {float(second[worst]):.9g}, {ulp:.3g} ulp apart"


def _seen(guest: Guest, arrays: Arrays, dtype: str, quantity: Quantity) -> Reals | str:
    answer = guest.ask(arrays, dtype)
    found = answer.value if quantity == "value" else answer.grad
    if answer.status != "ok" or found is None:
        return f"{answer.status}: {answer.reason}"
    return np.asarray(found, dtype=np.float64)


def _nudged(arrays: Arrays, dtype: str, way: str) -> Arrays:
    """The prediction with every element moved by one unit in the last place, up, down, or in turn."""
    values = arrays["y_pred"]
    up = np.asarray(step(values, dtype, 1)), np.asarray(step(values, dtype, -1))
    turn = np.arange(values.size).reshape(values.shape) % len(way)
    rising = np.isin(turn, [i for i, sign in enumerate(way) if sign == "+"])
    return {**arrays, "y_pred": np.where(rising, up[0], up[1])}


def _noise(here: Reals, moved: list[Reals | str]) -> Reals:
    """How far a result moves for inputs that are equal to rounding; 0 where it is not finite."""
    with np.errstate(all="ignore"):
        away = [np.abs(m - here) for m in moved if not isinstance(m, str) and m.shape == here.shape]
    finite = [np.where(np.isfinite(d), d, 0.0) for d in away]
    return np.max(finite, axis=0) if finite else np.zeros_like(here)


def _close(first: Reals, second: Reals, noise: Reals, dtype: str) -> Mask:
    fmt = FORMATS[dtype]
    with np.errstate(all="ignore"):
        scale = np.maximum(np.abs(first), np.abs(second))
        cap = max(LOST_RELATIVE, STABLE_OWED * fmt.eps) * scale
        allowed = np.minimum(STABLE_OWED * (fmt.eps * scale + noise), cap) + fmt.smallest
        finite = np.isfinite(first) & np.isfinite(second)
        equal = (first == second) | (np.isnan(first) & np.isnan(second))
        return np.asarray(equal | (finite & (np.abs(first - second) <= allowed)))


def _same_kink(first: Reals, second: Reals, moved: list[list[Reals | str]], dtype: str) -> Mask:
    """Where the slopes on both sides agree and part, any number between them is a right gradient."""
    sides = [side for of in moved for side in of[:2]]
    if any(isinstance(side, str) for side in sides):
        return np.zeros(first.shape, dtype=bool)
    up_a, down_a, up_b, down_b = (np.asarray(side, np.float64) for side in sides)
    none = np.zeros_like(first)
    agreeing = _close(up_a, up_b, none, dtype) & _close(down_a, down_b, none, dtype)
    low, high = np.minimum(up_a, down_a), np.maximum(up_a, down_a)
    slack = STABLE_OWED * FORMATS[dtype].eps * np.maximum(np.abs(low), np.abs(high))
    inside = [(low - slack <= g) & (g <= high + slack) for g in (first, second)]
    return np.asarray(agreeing & inside[0] & inside[1])


def _failure(a: Guest, b: Guest, parted: list[Parted]) -> str:
    worst = max(parted, key=lambda p: ("typical" in p.place, p.ulp))

    def badness(arrays: Arrays) -> float:
        found = _apart(a, b, arrays, worst.dtype, worst.quantity)
        return found[0] if found else 0.0

    part = narrowed(worst.arrays, badness)
    _, text = _apart(a, b, part, worst.dtype, worst.quantity) or (worst.ulp, worst.said)
    others = [p for p in parted if p is not worst]
    names = [f"{g.loss.name} ({g.place})" for g in (a, b)]
    lines = [f"{names[0]} and {names[1]} are not the same loss: {worst.place}", f"  worst input: {said(part)}"]
    lines += [f"  {text}", *(f"    also {p.place}: {p.said}" for p in others[:SHOWN])]
    return "\n".join(lines + ([f"    and {len(others) - SHOWN} more"] if len(others) > SHOWN else []))
