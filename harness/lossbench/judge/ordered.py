"""Rows of a frame in the order of some of its columns, sorted by Arrow, which is quick where these are text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MOST_KEPT: Final = 100_000
"""Rows of which an order is kept: ten megabytes of names."""

Order = npt.NDArray[np.uint64]
_LAST: Final[dict[tuple[str, ...], tuple[pa.Table, Order]]] = {}
"""The columns that were sorted by -> what they held and its order, the last time."""


def by(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Ascending, the first column first, equal rows as they stood; text by its code points.

    Runs of one plan have the same names in the same rows: to see that is quicker than to sort them again.
    """
    if len(frame) < 2:
        return frame
    keys = pa.table({name: pa.array(frame[name]) for name in columns})
    return frame.take(_order(keys))


def _order(keys: pa.Table) -> Order:
    names = tuple(keys.column_names)
    known = _LAST.get(names)
    if known is not None and known[0].equals(keys):
        return known[1]
    found: Order = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in names]).to_numpy()
    if len(keys) <= MOST_KEPT:
        _LAST[names] = keys, found
    return found
