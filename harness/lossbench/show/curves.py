"""The curve of a loss and of its gradient over the prediction at a fixed target, as a table.

One coordinate of the prediction moves, everything else stands still; for a loss over rows the other
class moves against it, so that the picture is the familiar one of a probability from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lossbench.spec.loss import Loss

POINTS: Final = 81


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Inputs of a curve. x: (n,). y_true, y_pred: as the loss takes them, one row a point.

    column: which column of y_pred moves; the others' gradient is not drawn.
    """

    target: float
    x: npt.NDArray[np.float64]
    y_true: npt.NDArray[np.float64] | npt.NDArray[np.int32]
    y_pred: npt.NDArray[np.float64]
    column: int


def inputs(loss: Loss, points: int = POINTS) -> Curve | None:
    """Inputs in float64, to be rounded to the dtype by the caller; None where no such curve is familiar."""
    kinds = (loss.inputs["y_true"].kind, loss.inputs["y_pred"].kind)
    required = [name for name in tuple(loss.inputs)[2:] if name not in loss.accepts]
    extents = {loss.inputs["y_true"].extent, loss.inputs["y_pred"].extent}
    if loss.unit == "batch" or required or not extents <= {"same", "rows"} or len(loss.shapes["small"]) != 2:
        return None
    lows = {"probability": (0.0, 1.0), "simplex": (0.0, 1.0), "positive": (0.05, 4.0), "nonnegative": (0.0, 4.0)}
    low, high = lows.get(kinds[1], (-4.0, 4.0))
    x = np.linspace(low, high, points)
    if loss.unit == "row" and kinds[1] in ("simplex", "logits", "log_simplex"):
        return _row(kinds[0], kinds[1], x)
    if kinds[1] == "log_simplex" or kinds[0] in ("class_index", "one_hot"):
        return None
    targets = {"real": 0.0, "logits": 0.0}
    target = targets.get(kinds[0], 1.0)
    return Curve(target=target, x=x, y_true=np.full((points, 1), target), y_pred=x[:, None], column=0)


def _row(true: str, pred: str, x: npt.NDArray[np.float64]) -> Curve | None:
    if pred == "log_simplex":
        x = np.linspace(0.01, 0.99, len(x))
    pair = np.stack([np.zeros_like(x), x] if pred == "logits" else [1 - x, x], axis=1)
    if pred == "log_simplex":
        pair = np.log(pair)
        x = pair[:, 1]
    if true == "class_index":
        return Curve(target=1.0, x=x, y_true=np.ones(len(x), np.int32), y_pred=pair, column=1)
    if true in ("one_hot", "simplex", "probability", "binary"):
        return Curve(target=1.0, x=x, y_true=np.tile([0.0, 1.0], (len(x), 1)), y_pred=pair, column=1)
    return None
