"""Rows in order, also where the frame before had as many rows and other names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lossbench.judge import ordered

RNG = np.random.default_rng(11)


def frame(rows: int) -> pd.DataFrame:
    names = RNG.choice(["B", "a", "b", "ä", "a b", ""], (rows, 2))
    return pd.DataFrame({"cell": names[:, 0], "quantity": names[:, 1], "was": np.arange(rows)})


@pytest.mark.parametrize("rows", [0, 1, 2, 40])
def test_each_frame_has_its_own_order(rows: int) -> None:
    """Twice the same, then others as long, then by other columns: equal rows stay as they stood."""
    first, other = frame(rows), frame(rows)
    for each, columns in (
        (first, ["cell", "quantity"]), (first, ["cell", "quantity"]), (other, ["cell", "quantity"]),
        (first, ["quantity"]), (first, ["quantity", "cell"]),
    ):  # fmt: skip
        records = each.to_dict("records")
        expected = [row["was"] for row in sorted(records, key=lambda row: [row[name] for name in columns])]
        assert ordered.by(each, columns)["was"].tolist() == expected


def test_long_frames_are_sorted_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered, "MOST_KEPT", 3)
    kept = dict(ordered._LAST)
    long = frame(9)
    assert ordered.by(long, ["was"])["was"].tolist() == list(range(9))
    assert kept == ordered._LAST
