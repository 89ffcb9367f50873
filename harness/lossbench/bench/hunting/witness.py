"""A question to a loss: parameters and arrays in one dtype; its rows stand alone or they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.spec.loss import Loss

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """params: those that are set beyond the loss's defaults. separable: whether rows stand alone (reduction none).
    source: where the inputs come from, in words."""

    loss: Loss
    dtype: str
    arrays: Arrays
    params: Mapping[str, Any] = field(default_factory=dict)
    separable: bool = False
    source: str = ""

    @property
    def all_params(self) -> dict[str, Any]:
        """With the defaults, and reduction none where rows stand alone."""
        return {**self.loss.params, **({"reduction": "none"} if self.separable else {}), **self.params}

    @property
    def rows(self) -> int:
        """How many rows the prediction has."""
        return len(self.arrays["y_pred"])

    def at(self, index: Any) -> Witness:
        """Some of its rows (an index array or slice)."""
        return replace(self, arrays={n: a[index] if self.per_row(n) else a for n, a in self.arrays.items()})

    def per_row(self, name: str) -> bool:
        """Whether an input has an entry for every row."""
        domain = self.loss.inputs.get(name)
        return domain is None or domain.extent not in ("square", "scalar")

    def padded(self, rows: int) -> Witness:
        """With its last row repeated, so that compilers see few shapes."""
        return self.at(np.minimum(np.arange(rows), self.rows - 1))


def joined(parts: list[Witness]) -> Witness:
    """Rows of several witnesses of the same shapes and parameters."""
    first = parts[0]
    together = {
        n: np.concatenate([part.arrays[n] for part in parts]) if first.per_row(n) else a
        for n, a in first.arrays.items()
    }
    return replace(first, arrays=together)
