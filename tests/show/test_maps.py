"""Divergence maps: what is coloured is what is far, nothing else, and the picture says it in words too."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import synthetic_run
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lossbench.show import maps, page
from lossbench.show.maps import LEGEND


@settings(max_examples=60, deadline=None)
@given(mask=hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_rectangles_cover_what_is_set_once(mask: np.ndarray) -> None:
    seen = np.zeros(mask.shape, int)
    for x, y, width, height in maps.rectangles(mask):
        seen[y : y + height, x : x + width] += 1
    assert np.array_equal(seen, mask.astype(int))


def test_a_block_is_one_rectangle() -> None:
    assert list(maps.rectangles(np.ones((4, 6), bool))) == [(0, 0, 6, 4)]


def test_levels_by_hand() -> None:
    ulp = [0.0, 2.0, 2.1, 10.0, 10.5, 100.0, 101.0, 1e4, 1.1e4, 1e30, math.inf, math.nan]
    found = maps.levels(ulp, 12).ravel().tolist()
    assert found == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6]
    assert len(LEGEND) == 7


def test_the_first_row_of_the_plane_is_drawn_at_the_bottom() -> None:
    assert maps.levels([0.0, 0.0, math.inf, 0.0], 2).tolist() == [[5, 0], [0, 0]]


def drawn(rows: pd.DataFrame) -> str:
    return str(maps.picture(rows, "T <b>", "m0"))


def rows_of(ulp: list[float]) -> pd.DataFrame:
    losses = synthetic_run.catalogue(1).losses
    found = synthetic_run.maps(losses)
    first = found.iloc[:1].copy()
    first.at[first.index[0], "x"] = np.array([0.0, 1.0])
    first.at[first.index[0], "y"] = np.array([0.0, 1.0])
    first.at[first.index[0], "ulp"] = np.array(ulp)
    first["reason"] = "far <script> at 1"
    return first


def test_what_is_near_is_not_drawn_and_what_is_far_has_its_colour() -> None:
    assert "<path" not in drawn(rows_of([0.0, 1.0, 2.0, 0.5]))
    text = drawn(rows_of([0.0, 50.0, 0.0, math.inf]))
    assert re.findall(r'<path class="(u\d)" d="([^"]+)"', text) == [("u2", "m1 1h1v1h-1z"), ("u5", "m1 0h1v1h-1z")]


def test_the_picture_says_it_in_words_and_hostile_text_stays_text() -> None:
    text = drawn(rows_of([0.0, 50.0, 0.0, math.inf]))
    assert "far &lt;script&gt; at 1" in text
    assert "T &lt;b&gt;" in text
    assert "style=" not in text


def test_the_page_shows_map_legend_and_sentences() -> None:
    known = synthetic_run.catalogue(2)
    text = page.render(synthetic_run.make(known.losses), known)
    assert text.count('<svg class="map"') == 2
    assert text.count("Where they part") == 2
    assert all(f'<i class="{name}">' in text for name in LEGEND)
    assert "more than 10 ulp apart on 12% of the plane" in text


def test_colours_differ_in_both_forms_and_from_paper() -> None:
    style = (page.TEMPLATES / "style.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme:dark", 1)
    for part in (light, dark.split("}}")[0]):
        colours = dict(re.findall(r"--(u\w|paper):(#\w+)", part))
        assert {*LEGEND, "paper"} <= set(colours)
        assert colours["u0"] == colours["paper"]
        assert len({colours[name] for name in LEGEND}) == len(LEGEND)
