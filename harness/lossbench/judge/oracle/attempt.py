"""One attempt at a certified answer: a working precision and what to do when it does not suffice.

Below the last precision every doubt (an undecided comparison, a ball that touches a singular point)
ends the attempt at once and the next precision is tried. On the last one a ball around 0 that is
narrower than 2**-NEGLIGIBLE_BITS counts as 0: no difference of float64 numbers, and no product of a few, is that small.
An attempt in wide arithmetic notes its doubts, element by element, and goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import flint
import numpy as np
import numpy.typing as npt

PRECISIONS_BITS: Final = (128, 640, 2560, 8192)
NEGLIGIBLE_BITS: Final = 4096


class Undecided(ArithmeticError):  # noqa: N818  it is a state of knowledge, not an error of anybody's
    """The working precision does not decide a comparison or a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The precision in use; `last` if there is no better one to ask for.

    carrier: of the midpoints where whole arrays are computed at once, None for flint's balls. doubts: the
    masks of elements whose comparisons or limits that arithmetic could not decide.
    """

    bits: int
    last: bool
    carrier: npt.DTypeLike | None = None
    doubts: list[npt.NDArray[np.bool_]] = field(default_factory=list)


_current: ContextVar[Attempt] = ContextVar("attempt", default=Attempt(bits=128, last=True))  # noqa: B039  notes no doubts


def is_last() -> bool:
    """Whether doubts have to be settled now."""
    return _current.get().last


def carrier() -> Any:
    """The numpy type of wide midpoints, None where balls are computed one by one."""
    return _current.get().carrier


def doubt(mask: npt.NDArray[np.bool_]) -> None:
    """Some elements are undecided: ends the attempt unless it is the last one; a wide one takes note."""
    if not mask.any():
        return
    attempt = _current.get()
    if attempt.carrier is not None:
        attempt.doubts.append(mask)
    elif not attempt.last:
        raise Undecided


@contextmanager
def working(attempt: Attempt) -> Iterator[Attempt]:
    """Sets flint's precision for the body and restores it, whatever happens; float64 beside the balls stays quiet."""
    before = flint.ctx.prec
    token = _current.set(attempt)
    flint.ctx.prec = attempt.bits
    try:
        with np.errstate(all="ignore"):  # of the float64 stand-ins and error bounds; balls raise no such flags
            yield attempt
    finally:
        flint.ctx.prec = before
        _current.reset(token)


def attempts() -> Iterator[Attempt]:
    """Every precision in turn."""
    for bits in PRECISIONS_BITS:
        yield Attempt(bits=bits, last=bits == PRECISIONS_BITS[-1])
