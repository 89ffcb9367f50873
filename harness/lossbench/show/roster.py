"""Every answer of a run as a block of data, which the page turns into rows only as far as one looks.

A hundred thousand rows of elements would take a browser many seconds. A column is a list of distinct words and, row
by row, which of them it holds, as runs of (word, how many rows) where that is shorter.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from lossbench.judge.stacked import Ints
from lossbench.record.frames import Tables
from lossbench.show import format as fmt
from lossbench.show import marks, sections
from lossbench.show.palette import INKS

MOST: Final = 50_000
"""Rows on a page: two megabytes."""
_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def of(tables: Tables, titles: Mapping[str, str]) -> Markup | None:
    """The data as JSON that can stand in a page; None where there is nothing.

    One row per cell and quantity held against the exact result, then one per cell that has no result.
    """
    rows = _rows(tables)
    if rows.empty:
        return None
    total = len(rows)
    if total > MOST:  # what is not rounding first, then as many of the rest as there is room for
        severity = rows["class"].map({key: marks.of(key).severity for key in rows["class"].unique()})
        rows = rows.loc[(-severity).sort_values(kind="stable").index[:MOST].sort_values()]
    columns = [
        _column("loss", rows["loss"], titles.get, href=lambda n: f"#{sections.anchor(n)}" if n in titles else ""),
        _column("framework", rows["backend"], css=lambda b: f"backend b-{b if b in INKS else 'other'}"),
        _column("mode", rows["mode"]),
        _column("spelling", rows["binding"]),
        _column("dtype", rows["dtype"]),
        _column("inputs", rows["regime"]),
        _column("quantity", rows["quantity"]),
        _column("verdict", rows["class"], lambda key: marks.of(key).key, css=lambda key: f"mark m-{marks.of(key).key}",
                key=lambda key: marks.of(key).severity),
        _column("worst (ulp)", rows["max_ulp"].map(_rounded), lambda u: fmt.ulps(float(u)), key=_number),
    ]  # fmt: skip
    text = json.dumps({"rows": len(rows), "of": total, "columns": columns}, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_SAFE))


def _rows(tables: Tables) -> pd.DataFrame:
    modes = dict(zip(tables.cells["lane"], tables.cells["mode"], strict=True))
    oracle = tables.agreement[tables.agreement["against"] == "oracle"]
    judged = oracle.assign(mode=oracle["lane"].map(modes).fillna(""))
    silent = tables.cells[tables.cells["status"] != "ok"]
    silent = silent[~silent["cell"].isin(judged["cell"])]
    without = silent.assign(quantity=silent["operation"], max_ulp=math.nan, **{"class": silent["status"]})
    names = ["loss", "backend", "mode", "binding", "dtype", "regime", "quantity", "class", "max_ulp"]
    parts = [part[names] for part in (judged, without) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else judged[names]


def _rounded(ulp: Any) -> str:
    """Three digits are all that is shown, so that a column has few distinct words."""
    return "" if ulp is None or math.isnan(ulp) else f"{float(ulp):.3g}"


def _number(text: str) -> float | str | None:
    """As JSON can hold it: infinities as words, unknown as null."""
    if not text:
        return None
    value = float(text)
    return value if math.isfinite(value) else text


def _column(
    head: str, values: pd.Series[Any], words: Any = str, *, href: Any = None, css: Any = None, key: Any = None
) -> dict[str, Any]:
    """words, href, css, key: from a value to its text, link, CSS class and what it sorts by (else its text)."""
    codes, distinct = pd.factorize(values.fillna("").astype(str))
    names = [str(name) for name in distinct]
    column: dict[str, Any] = {"head": head, "words": [_word(words, name) for name in names], **_packed(codes)}
    for field, give in (("href", href), ("css", css), ("key", key)):
        if give is not None:
            column[field] = [give(name) for name in names]
    return column


def _word(words: Any, name: str) -> str:
    if not name:
        return fmt.NOTHING
    return str(words(name) or name)


def _packed(codes: Ints) -> dict[str, Any]:
    """Codes, each with how often it comes in a row, where that is shorter than one after the other."""
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff(starts, append=len(codes))
    if 2 * len(starts) < len(codes):
        return {"runs": np.stack([codes[starts], lengths], axis=-1).ravel().tolist()}
    return {"at": codes.tolist()}
