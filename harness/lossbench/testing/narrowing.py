"""From a batch that fails to the input that fails: one row, then one element, as long as it stays as bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
Badness = Callable[[Arrays], float]
"""How bad a batch is in ulps: 0 where nothing is wrong or nothing can be said, infinite for another kind of number."""

SHOWN: Final = 8


def narrowed(arrays: Arrays, badness: Badness) -> Arrays:
    """The smallest part of the batch, by halves no coarser than a row and an element, that is still wrong."""
    for axis in range(min(np.ndim(arrays["y_pred"]), 2)):
        if axis and np.shape(arrays["y_true"]) != np.shape(arrays["y_pred"]):
            break
        parts = [_part(arrays, axis, place) for place in range(np.shape(arrays["y_pred"])[axis])]
        scores = [badness(part) for part in parts]
        if not scores or max(scores) <= 0:
            break
        arrays = parts[int(np.argmax(scores))]
    return arrays


def _part(arrays: Arrays, axis: int, place: int) -> Arrays:
    """One place along an axis of the prediction, of every array that shares this axis."""
    length = np.shape(arrays["y_pred"])[axis]
    return {
        name: np.take(values, [place], axis=axis)
        if np.ndim(values) > axis and np.shape(values)[axis] == length
        else values
        for name, values in arrays.items()
    }


def said(arrays: Arrays) -> str:
    """The inputs as one can type them: `y_true = 0.5, y_pred = 1.25`."""
    return ", ".join(f"{name} = {_numbers(values)}" for name, values in arrays.items())


def _numbers(values: npt.NDArray[Any]) -> str:
    flat = [f"{x:.9g}" if np.asarray(values).dtype == np.float32 else repr(x.item()) for x in np.ravel(values)[:SHOWN]]
    more = ", ..." if np.size(values) > SHOWN else ""
    return flat[0] if np.size(values) == 1 else f"[{', '.join(flat)}{more}] of shape {np.shape(values)}"
