"""What a result is the right answer to, if not to the question: the oracle asked again beside it.

In a narrower format than the inputs', or with the prediction moved by a rounding or two: next to a jump, which side
a correctly rounded intermediate falls on is chance, and any result between the sides is as good as the inputs are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge import classes
from lossbench.judge.elements import STABLE_OWED, Comparison, Known, Mask, Reals, compare
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Class, Level, Quantity
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS, round_to, step

NUDGE_ULPS: Final = 2
MOST_CLASSES: Final = 16
ABSORBED_EPS: Final = 4.0
"""A prediction below this many eps of the constants and labels that it is added to can vanish in the sum."""

JUMP_RELATIVE: Final = 0.01
"""Ends less apart than this are no two sides: what separates a result from them is an error of its own."""

SINGLE_RELATIVE: Final = 1e-5
"""As near as this to the exact result of inputs rounded to float32, a number was computed from these."""

SIDE: Final = "side chosen by rounding"

Moved = tuple[str, npt.NDArray[Any]]
"""A name for it, and the prediction in its new place."""


def explain(
    reference: Reference, computed: npt.NDArray[Any], quantity: Quantity, left: Comparison, definition: str
) -> tuple[Level, Class, str, str] | None:
    """Verdict, class, convention and cause, or None where nothing beside the question fits either.

    left: the comparison with the definition that leaves the fewest wrong elements.
    """
    jumps = _jumps(quantity, left)
    # first, since a number on a bound as float64 rounds it may lie on the bound's other side as float32 does
    if jumps and _between(reference, computed, quantity, left, definition, _moved_by_ulps(reference)):
        return "kink", "kink", SIDE, "a jump lies within rounding of the inputs"
    narrow = reference.dtype == "float64" and not classes.factor(left, reference.dtype)
    if narrow and _in_float32(reference, computed, quantity, definition):
        return "differs", "accuracy", "", "is computed in float32"
    if jumps and _between(reference, computed, quantity, left, definition, _absorbed(reference)):
        return "differs", "accuracy", "", "digits of the prediction are lost next to a jump"
    return None


def _jumps(quantity: Quantity, left: Comparison) -> bool:
    """Whether a jump is worth looking for: losses hardly have any, and a gradient wrong everywhere is not at one."""
    return quantity != "value" and bool(left.wrong.size == 1 or not left.wrong.all())


def _in_float32(reference: Reference, computed: npt.NDArray[Any], quantity: Quantity, definition: str) -> bool:
    arrays = {name: _rounded(a, "float32") for name, a in reference.arrays.items()}
    narrow = reference.beside("float32", arrays, "float32")
    for name in dict.fromkeys((definition, "exact", *(d.name for d in reference.loss.definitions_in(narrow.dtype)))):
        known = _known(narrow, quantity, name)
        if known is None or known.exact.shape != np.shape(computed):
            continue
        seen = compare(np.asarray(computed, np.float64), known, nan_inputs=reference.nan_inputs)
        if seen.right and (seen.relative <= SINGLE_RELATIVE).all():
            return True
        explained = (
            seen.right or classes.explain(seen, narrow.loss, narrow.arrays, "float32", narrow.params)[0] != "defect"
        )
        if explained and _holds_singles(computed):
            return True
    return False


def _holds_singles(computed: npt.NDArray[Any]) -> bool:
    """Whether every number is one of float32: what was computed in float64 hardly ever is."""
    values = np.asarray(computed, np.float64)
    return bool(np.array_equal(_rounded(values, "float32"), values, equal_nan=True))


def _rounded(values: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    array = np.asarray(values)
    with np.errstate(all="ignore"):
        return np.asarray(round_to(array, dtype)) if array.dtype.kind == "f" else array


def _between(
    reference: Reference,
    computed: npt.NDArray[Any],
    quantity: Quantity,
    left: Comparison,
    definition: str,
    moved: Iterator[Moved],
) -> bool:
    """Whether every wrong element lies between the exact results at the inputs moved about."""
    here = _known(reference, quantity, definition)
    if here is None:
        return False
    ends = [_ends(here)]
    for name, y_pred in moved:
        beside = reference.beside(name, {**reference.arrays, "y_pred": y_pred}, reference.dtype)
        known = _known(beside, quantity, definition)
        if known is None:
            return False
        ends.append(_ends(known))
    with np.errstate(all="ignore"):
        low = np.min([low for low, _ in ends], axis=0)
        high = np.max([high for _, high in ends], axis=0)
        slack = FORMATS[reference.dtype].eps ** 0.5 * np.maximum(np.abs(low), np.abs(high))
        slack = slack + FORMATS[reference.dtype].smallest + STABLE_OWED * here.owed
        got = np.asarray(computed, np.float64)
        inside: Mask = np.isfinite(got) & (got >= low - slack) & (got <= high + slack)
        jump: Mask = high - low > JUMP_RELATIVE * np.maximum(np.abs(low), np.abs(high))
    return bool((inside & jump)[left.wrong].all())


def _ends(known: Known) -> tuple[Reals, Reals]:
    return (
        np.where(known.kink, np.minimum(known.low, known.high), known.exact),
        np.where(known.kink, np.maximum(known.low, known.high), known.exact),
    )


def _known(reference: Reference, quantity: Quantity, definition: str) -> Known | None:
    try:
        return reference.quantity(quantity, definition)
    except BadInput:  # nothing decides a number there
        return None


def _patterns(reference: Reference) -> Iterator[Mask]:
    """Which numbers of the prediction go up while the others go down, each choice once: all, none, the largest of each
    row, the rest, where the target is positive or not, and each class of a few."""
    y_true, y_pred = np.asarray(reference.arrays["y_true"]), np.asarray(reference.arrays["y_pred"])
    rising = [np.ones(y_pred.shape, dtype=bool)]
    if y_pred.ndim and y_pred.shape[-1] > 1:
        rising.append(y_pred == y_pred.max(axis=-1, keepdims=True))
    if y_true.shape == y_pred.shape:
        rising.append(y_true > 0)
    if reference.loss.unit == "row" and y_pred.ndim and y_pred.shape[-1] <= MOST_CLASSES:
        rising += [np.broadcast_to(np.arange(y_pred.shape[-1]) == c, y_pred.shape) for c in range(y_pred.shape[-1])]
    both = {mask.tobytes(): mask for up in rising for mask in (up, ~up)}
    yield from both.values()


def _moved_by_ulps(reference: Reference) -> Iterator[Moved]:
    y_pred = np.asarray(reference.arrays["y_pred"])
    up, down = (step(y_pred, reference.dtype, side * NUDGE_ULPS) for side in (1, -1))
    for number, rises in enumerate(_patterns(reference)):
        yield f"moved by ulps {number}", np.asarray(np.where(rises, up, down), dtype=y_pred.dtype)


def _absorbed(reference: Reference) -> Iterator[Moved]:
    y_pred = np.asarray(reference.arrays["y_pred"])
    with np.errstate(all="ignore"):
        amount = ABSORBED_EPS * FORMATS[reference.dtype].eps * np.maximum(1.0, np.abs(y_pred))
    for number, rises in enumerate(_patterns(reference)):
        with np.errstate(all="ignore"):  # the largest numbers move to infinity, where nothing fits
            there = round_to(y_pred + np.where(rises, amount, -amount), reference.dtype)
        yield f"moved by eps {number}", np.asarray(there, dtype=y_pred.dtype)
