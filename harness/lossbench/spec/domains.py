"""Where inputs live, as data: it validates values and it generates them, boundaries included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Kind = Literal[
    "real",  # any finite number
    "positive",  # > 0
    "nonnegative",  # >= 0
    "count",  # whole numbers >= 0, stored as floats
    "probability",  # in [0, 1], elements independent
    "simplex",  # in [0, 1], the last axis sums to 1
    "log_simplex",  # logarithm of a simplex
    "logits",  # real, meant for a sigmoid or a softmax
    "binary",  # 0 or 1
    "sign",  # -1 or 1
    "one_hot",  # the last axis holds a single 1
    "class_index",  # whole numbers in [0, classes), integer dtype
    "weight",  # >= 0, elements independent
]

Extent = Literal[
    "same",  # the shape of y_pred
    "rows",  # y_pred's shape without its last axis
    "square",  # (classes, classes)
    "labels",  # (batch, label length): sequence targets
    "scalar",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """The set an input is drawn from, and its extent relative to y_pred's shape."""

    kind: Kind
    extent: Extent = "same"
    note: str = ""

    @property
    def integer(self) -> bool:
        """Whether values are indices: they keep int32 whatever the dtype under test."""
        return self.kind == "class_index"

    def contains(self, values: npt.ArrayLike, *, classes: int = 0, slack: float = 0.02) -> npt.NDArray[np.bool_]:
        """Which elements lie in the domain; a simplex or one-hot row is inside or outside as a whole.

        classes: the number of classes an index may name, 0 for any. slack: how far a row's sum may be from 1,
        as 16-bit numbers cannot do better.
        """
        array = np.asarray(values, dtype=np.float64)
        inside = np.array(_ELEMENTS[self.kind](array), dtype=np.bool_)
        if self.kind == "class_index" and classes:
            inside &= array < classes
        if self.kind not in ("simplex", "log_simplex", "one_hot") or array.ndim == 0:
            return inside
        with np.errstate(all="ignore"):
            sums = np.sum(np.exp(array) if self.kind == "log_simplex" else array, axis=-1, keepdims=True)
        rows = np.all(inside, axis=-1, keepdims=True) & (np.abs(sums - 1) <= slack)
        return np.array(np.broadcast_to(rows, array.shape), dtype=np.bool_)


_Mask = npt.NDArray[np.bool_]


def _whole(a: npt.NDArray[np.float64]) -> _Mask:
    return np.asarray(np.isfinite(a) & (a == np.rint(a)), dtype=np.bool_)


_ELEMENTS: dict[Kind, Callable[[npt.NDArray[np.float64]], _Mask]] = {
    "real": np.isfinite,
    "logits": np.isfinite,
    "positive": lambda a: np.isfinite(a) & (a > 0),
    "nonnegative": lambda a: np.isfinite(a) & (a >= 0),
    "weight": lambda a: np.isfinite(a) & (a >= 0),
    "count": lambda a: _whole(a) & (a >= 0),
    "probability": lambda a: (a >= 0) & (a <= 1),
    "simplex": lambda a: (a >= 0) & (a <= 1),
    "log_simplex": lambda a: a <= 0,
    "binary": lambda a: (a == 0) | (a == 1),
    "sign": lambda a: (a == -1) | (a == 1),
    "one_hot": lambda a: (a == 0) | (a == 1),
    "class_index": lambda a: _whole(a) & (a >= 0),
}


REAL = Domain(kind="real")
POSITIVE = Domain(kind="positive")
NONNEGATIVE = Domain(kind="nonnegative")
COUNT = Domain(kind="count")
PROBABILITY = Domain(kind="probability")
SIMPLEX = Domain(kind="simplex")
LOG_SIMPLEX = Domain(kind="log_simplex")
LOGITS = Domain(kind="logits")
BINARY = Domain(kind="binary")
SIGN = Domain(kind="sign")
ONE_HOT = Domain(kind="one_hot")
CLASS_INDEX = Domain(kind="class_index", extent="rows")
