"""Divergence maps as inline pictures: a panel a backend and one for the backends with each other, value above gradient.

Every place of the plane has one of a few colours; what is within `QUIET_ULP` stays paper. Equal neighbours are drawn as
one rectangle, so that a picture is a few kilobytes that the page's content security policy lets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup, escape

from lossbench.show import format as fmt
from lossbench.show.palette import order

QUIET_ULP: Final = 2
PARTED_ULP: Final = 10
EDGES_ULP: Final = (QUIET_ULP, PARTED_ULP, 100, 10_000)
LEGEND: Final[Mapping[str, str]] = {
    "u0": f"at most {QUIET_ULP} ulp",
    "u1": f"to {PARTED_ULP}",
    "u2": "to 100",
    "u3": "to 10,000",
    "u4": "more",
    "u5": "infinite or NaN where the other is not",
    "un": "no number is right",
}
"""CSS class of a colour -> what it means."""

WIDTH: Final = 122
HEIGHT: Final = 86
GAP: Final = 8
LEFT: Final = 46
TOP: Final = 13
TICKS: Final = 5
WORDS: Final = {"value": "value", "grad": "gradient"}

Levels = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DivergenceMap:
    """One dtype of a loss. axes: what runs across and up. parted: what the panels of the backends together say."""

    dtype: str
    axes: str
    picture: Markup
    parted: tuple[str, ...]


def all_of(maps: pd.DataFrame, titles: Mapping[str, str]) -> dict[str, list[DivergenceMap]]:
    """Loss name -> its maps, one a dtype, from rows of the maps table."""
    found: dict[str, list[DivergenceMap]] = {}
    for place, ((loss, dtype), rows) in enumerate(maps.groupby(["loss", "dtype"], sort=False)):
        title = f"{titles.get(str(loss), str(loss))}: error over the plane, {dtype}"
        found.setdefault(str(loss), []).append(
            DivergenceMap(
                dtype=str(dtype), axes=axes(rows), picture=picture(rows, title, f"m{place}"), parted=tuple(parted(rows))
            )
        )
    return found


def axes(rows: pd.DataFrame) -> str:
    """What runs across and what upwards, and what stands still."""
    first = rows.iloc[0]
    fixed = f"; {first['fixed']}" if first["fixed"] else ""
    return f"{first['x_name']} to the right, {first['y_name']} upwards{fixed}"


def parted(rows: pd.DataFrame) -> Iterator[str]:
    """Where the backends part from each other, a sentence a quantity."""
    together = rows[rows["backend"] == ""]
    for quantity, reason in zip(together["quantity"], together["reason"], strict=True):
        yield f"{WORDS[str(quantity)].capitalize()}: {reason}."


def picture(rows: pd.DataFrame, title: str, prefix: str) -> Markup:
    """rows: of one loss and dtype. prefix: unique on the page."""
    backends = [*sorted({str(b) for b in rows["backend"]} - {""}, key=order)]
    backends += [""] if (rows["backend"] == "").any() else []
    records: list[dict[str, Any]] = [{str(k): v for k, v in r.items()} for r in rows.to_dict("records")]
    panels = {(str(r["backend"]), str(r["quantity"])): r for r in records}
    quantities = [q for q in WORDS if any((b, q) in panels for b in backends)]
    first = rows.iloc[0]
    wide = LEFT + len(backends) * (WIDTH + GAP)
    bottom = TOP + len(quantities) * (HEIGHT + GAP)
    places = {b: LEFT + n * (WIDTH + GAP) for n, b in enumerate(backends)}
    drawn = [f'<text x="{left}" y="9">{escape(b or "each other")}</text>' for b, left in places.items()]
    drawn += [_ticks(np.asarray(first["x"]), left, bottom) for left in places.values()]
    for line, quantity in enumerate(quantities):
        top = TOP + line * (HEIGHT + GAP)
        drawn.append(f'<text class="up" transform="translate(8 {top + HEIGHT})rotate(-90)">{WORDS[quantity]}</text>')
        drawn.append(_ticks_up(np.asarray(first["y"]), top))
        drawn += [_panel(panels[b, quantity], left, top) for b, left in places.items() if (b, quantity) in panels]
    said = "; ".join(f"{WORDS[q]} of {b or 'the backends'}: {row['reason']}" for (b, q), row in panels.items())
    return Markup(
        f'<svg class="map" role="img" aria-labelledby="{prefix}t {prefix}d" viewBox="0 0 {wide} {bottom + 9}">'
        f'<title id="{prefix}t">{escape(title)}</title><desc id="{prefix}d">{escape(said)}</desc>{"".join(drawn)}</svg>'
    )


def levels(ulp: Sequence[float] | npt.NDArray[Any], width: int) -> Levels:
    """The colour of each place, rows upwards as they are drawn: 0 to 5, 6 where no number is right."""
    distance = np.asarray(ulp, np.float64).reshape(-1, width)[::-1]
    found = np.digitize(np.nan_to_num(distance, nan=0.0, posinf=np.inf), EDGES_ULP, right=True).astype(np.int8)
    found[np.isinf(distance)] = len(EDGES_ULP) + 1
    found[np.isnan(distance)] = len(EDGES_ULP) + 2
    return found


def rectangles(mask: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """(x, y, width, height) of rectangles that cover exactly what is set: each as wide, then as high, as it can be."""
    left = mask.copy()
    for y, x in np.argwhere(mask).tolist():
        if not left[y, x]:
            continue
        run = left[y, x:]
        width = int(run.argmin()) if not run.all() else run.size
        height = 1
        while y + height < left.shape[0] and left[y + height, x : x + width].all():
            height += 1
        left[y : y + height, x : x + width] = False
        yield x, y, width, height


def _panel(row: Mapping[Any, Any], left: int, top: int) -> str:
    found = levels(row["ulp"], len(row["x"]))
    high, wide = found.shape
    paths = [
        f'<path class="{name}" d="{_path(found == level)}"/>'
        for level, name in enumerate(LEGEND)
        if level and (found == level).any()
    ]
    scale = f"scale({WIDTH / wide:.5g} {HEIGHT / high:.5g})"
    inside = f'<g transform="translate({left} {top}){scale}">{"".join(paths)}</g>' if paths else ""
    return f'{inside}<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}"/>'


def _path(mask: npt.NDArray[np.bool_]) -> str:
    """Each rectangle from where the last began."""
    text, at = [], (0, 0)
    for x, y, width, height in rectangles(mask):
        text.append(f"m{x - at[0]} {y - at[1]}h{width}v{height}h-{width}z".replace(" -", "-"))
        at = (x, y)
    return "".join(text)


def _ticks(axis: npt.NDArray[np.float64], left: float, bottom: int) -> str:
    """The first and the last stay within the panel."""
    last = len(axis) - 1
    anchors = {i: "end" if i == last else "mid" if i else "" for i in _marked(len(axis))}
    places = {i: left + WIDTH * (1 if i == last else (i + 0.5) / len(axis) if i else 0) for i in anchors}
    return "".join(
        f'<text class="{anchors[i]}" x="{x:.0f}" y="{bottom + 2}">{_short(axis[i])}</text>' for i, x in places.items()
    )


def _ticks_up(axis: npt.NDArray[np.float64], top: int) -> str:
    places = {i: top + HEIGHT * (1 - (i + 0.5) / len(axis)) + 3 for i in _marked(len(axis))}
    return "".join(f'<text class="end" x="{LEFT - 3}" y="{y:.0f}">{_short(axis[i])}</text>' for i, y in places.items())


def _marked(count: int) -> list[int]:
    """Places of the axis that are written out: the ends, the middle, and between."""
    return sorted({round(n * (count - 1) / (TICKS - 1)) for n in range(TICKS)})


def _short(number: float) -> str:
    text = f"1-{1 - number:.0e}" if 0.995 < number < 1 else f"{number:.2g}"
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e").replace("-", fmt.MINUS)
