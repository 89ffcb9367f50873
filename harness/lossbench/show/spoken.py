"""Text columns of a run as Python's own strings: a page looks at each row often, and Arrow makes a string a look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from lossbench.record.frames import Tables


def out(tables: Tables) -> Tables:
    """The tables that a page goes through row by row; the measurements, which it does not, as they are."""
    return replace(tables, cells=_plain(tables.cells), agreement=_plain(tables.agreement))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Equal texts are one string."""
    text = [str(name) for name in frame.columns if isinstance(frame[name].dtype, pd.StringDtype)]
    found = {}
    for name in text:
        codes, distinct = pd.factorize(frame[name])
        words = np.array([*distinct.to_numpy(dtype=object), np.nan], dtype=object)  # the last for -1: nothing there
        found[name] = pd.Series(words[codes], dtype=object, index=frame.index)
    return frame.assign(**found)
