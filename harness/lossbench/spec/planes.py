"""The plane of (target, prediction) of a loss in a dtype, as inputs: one point a row, every axis where trouble lives.

Losses of rows have two classes: the plane is that of both logits, or of both probabilities, of a row whose second
class is the right one; with soft targets that of target and prediction of the second class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.spec.formats import FORMATS, Format, round_to
from lossbench.spec.loss import Loss
from lossbench.spec.regimes import embeddings

POINTS: Final = 43 * 43
"""Rows of every plane, repeated ones at the end: one shape for all, since JAX compiles each operation for each."""

Axis = npt.NDArray[np.float64]
Rows = Callable[[Axis, Axis], tuple[Axis, Axis]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """x, y: distinct numbers of the dtype, ascending. fixed: what stands still, or empty.

    arrays: as the loss takes them, `POINTS` rows; row j * len(x) + i is the point (x[i], y[j]).
    """

    x: Axis
    y: Axis
    x_name: str
    y_name: str
    fixed: str
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def size(self) -> int:
        """How many rows are points of the plane; the others repeat the first."""
        return len(self.x) * len(self.y)


def plane(loss: Loss, dtype: str) -> Plane | None:
    """None where elements do not pair one target with one prediction, nor rows have two numbers to move."""
    true, pred = loss.inputs["y_true"], loss.inputs["y_pred"]
    required = [name for name in tuple(loss.inputs)[2:] if name not in loss.accepts]
    usual = {true.extent, pred.extent} <= {"same", "rows"} and len(loss.shapes["small"]) == 2
    if loss.unit == "batch" or required or not usual or embeddings(loss):
        return None
    fmt, classes = FORMATS[dtype], true.kind in ("class_index", "one_hot")
    if loss.unit == "element":
        if classes or "log_simplex" in (true.kind, pred.kind):
            return None
        return _plane(fmt, _axis(pred.kind, fmt), _axis(true.kind, fmt), ("prediction", "target"))
    sides = {"simplex": _soft, "log_simplex": _log_soft}
    if true.kind in sides and pred.kind in sides:

        def soft(across: Axis, down: Axis) -> tuple[Axis, Axis]:
            return sides[true.kind](down), sides[pred.kind](across)

        return _plane(fmt, _axis(pred.kind, fmt), _axis(true.kind, fmt), ("prediction", "target"), rows=soft)
    axis = _axis(pred.kind, fmt)
    if classes or true.kind in sides:
        what = "logit" if pred.kind == "logits" else "prediction"
        names = (f"{what} of the right class", f"{what} of the wrong class")
        fixed = "rows that do not sum to 1 off one line" if "simplex" in pred.kind else ""
        return _plane(fmt, axis, axis, names, rows=_right_second, indices=true.kind == "class_index", fixed=fixed)
    target = {"sign": (-1.0, 1.0), "binary": (0.0, 1.0), "probability": (0.0, 1.0)}.get(true.kind, (1.0, 2.0))

    def vectors(across: Axis, down: Axis) -> tuple[Axis, Axis]:
        return np.tile(target, (len(across), 1)), np.stack([across, down], axis=1)

    names, fixed = ("first of two predictions", "second"), f"target ({target[0]:g}, {target[1]:g})"
    return _plane(fmt, axis, axis, names, rows=vectors, fixed=fixed)


def _plane(
    fmt: Format,
    x: Axis,
    y: Axis,
    names: tuple[str, str],
    *,
    rows: Rows | None = None,
    indices: bool = False,
    fixed: str = "",
) -> Plane:
    """rows: makes (y_true, y_pred) from the two coordinates of each point; one element each without."""
    x, y = _numbers(x, fmt), _numbers(y, fmt)
    across, down = (a.ravel() for a in np.meshgrid(x, y))
    more = POINTS - across.size
    across, down = (np.concatenate([a, np.full(more, a[0])]) for a in (across, down))
    y_true, y_pred = (down[:, None], across[:, None]) if rows is None else rows(across, down)
    settled = y_true[:, 1].astype(np.int32) if indices else round_to(y_true, fmt.name)
    return Plane(
        x=x, y=y, x_name=names[0], y_name=names[1], fixed=fixed,
        arrays={"y_true": settled, "y_pred": round_to(y_pred, fmt.name)},
    )  # fmt: skip


def _right_second(right: Axis, wrong: Axis) -> tuple[Axis, Axis]:
    return np.tile([0.0, 1.0], (len(right), 1)), np.stack([wrong, right], axis=1)


def _soft(second: Axis) -> Axis:
    return np.stack([1 - second, second], axis=1)


def _log_soft(second: Axis) -> Axis:
    with np.errstate(divide="ignore"):
        return np.stack([np.log1p(-np.exp(second)), second], axis=1)


def _numbers(values: Axis, fmt: Format) -> Axis:
    rounded = np.asarray(round_to(values, fmt.name), np.float64)
    return np.asarray(np.unique(rounded[np.isfinite(rounded)] + 0.0))  # one zero


def _axis(kind: str, fmt: Format) -> Axis:
    match kind:
        case "binary":
            return np.array([0.0, 1.0])
        case "sign":
            return np.array([-1.0, 1.0])
        case "probability" | "simplex":
            return _probabilities(fmt)
        case "log_simplex":
            return np.asarray(np.log(_probabilities(fmt)[1:-1]))
        case "count":
            return np.array([0.0, 1, 2, 3, 4, 5, 7, 10, 20, 50, 100, 1e3, 1e4, 1e6, 2.0**24])
        case "logits":
            return _both_ways(np.array([*_LOGITS, fmt.max]))
        case "positive" | "nonnegative" | "weight":
            zero = [] if kind == "positive" else [0.0]
            ends = [fmt.tiny, fmt.tiny**0.5], [1e7, 4 * fmt.max**0.5, fmt.max**0.9, fmt.max]
            return np.array([*zero, fmt.smallest, *ends[0], *10.0 ** np.arange(-8, 6.5, 0.5), *ends[1]])
        case _:
            ends = [fmt.tiny, fmt.tiny**0.5, 1e-8, 1e-4], [1e7, 4 * fmt.max**0.5, fmt.max**0.9, fmt.max]
            return _both_ways(np.array([*ends[0], *10.0 ** np.arange(-2, 4.5, 0.5), *ends[1]]))


_LOGITS: Final = (1e-8, 1e-4, 0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 18, 24, 40, 64, 87, 89, 104, 200, 1e3, 1e4)
"""Close where exponentials of some dtype begin to vanish or to overflow."""


def _both_ways(magnitudes: Axis) -> Axis:
    return np.concatenate([-magnitudes[::-1], [0.0], magnitudes])


def _probabilities(fmt: Format) -> Axis:
    """Close to both ends, and about the 1e-7 at which predictions are clipped."""
    low = [0.0, fmt.smallest, 1e-30, 1e-20, 1e-15, 1e-12, 1e-10, 1e-9, 1e-8, 5e-8, 1e-7, 2e-7, 1e-6, 1e-5, 1e-4, 1e-3]
    high = [1 - 1e-2, 1 - 1e-3, 1 - 1e-4, 1 - 1e-5, 1 - 1e-6, 1 - 2e-7, 1 - 1e-7, 1 - fmt.eps / 2, 1.0]
    return np.array([*low, 1e-2, 0.05, *np.arange(1, 10) / 10, 0.95, *high])
