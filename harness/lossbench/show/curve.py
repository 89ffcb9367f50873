"""The curve of a loss as inline SVG, the error in ulps below it, written without a plotting library.

A page has more than a hundred of them, and they were nearly all of its time: see docs/decisions/0110.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from lossbench.show import format as fmt
from lossbench.show.axis import Axis, Reals, labels, room, ticks
from lossbench.show.palette import INKS, ink, order

MOST_ERRORS: Final = 40
MARKS: Final = 10
"""Markers on a line."""
WIDTH, HEIGHT = 316.8, 237.6
LEFT, RIGHT = 51.8, 309.6
ABOVE, BELOW = (21.6, 139.1), (151.1, 204.5)
"""From the top edge to the bottom edge of each panel."""
TICK: Final = 3.5
ACROSS, UPWARDS = 8, 5
"""At most so many stretches between ticks."""
FONT: Final = 9.0
LEGEND_Y: Final = 14.1
LEGEND_COLUMNS: Final = 4
SPREAD: Final = {"above": 2.0, "below": 1.3}
"""Half of a marker's width in each panel."""
WORDS: Final = {"value": "loss", "grad": "gradient"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one backend answered, or the exact curve, x ascending. ulp: without sign, NaN where it is not finite."""

    backend: str
    x: Reals
    y: Reals
    ulp: Reals
    exact: bool = False

    @property
    def colour(self) -> str:
        return f"var(--{self.backend})" if self.backend in INKS else "var(--other)"


def drawn(
    points: pd.DataFrame, quantity: str, target: float = math.nan, *, prefix: str, title: str, description: str
) -> Markup:
    """A loss (`value`) or its gradient (`grad`) over the prediction, the error in ulps below it.

    points: rows of the curves table, of one loss and one dtype; one binding a backend is drawn.
    prefix: unique on the page; every id in the picture begins with it.
    """
    lines = list(_lines(points, quantity))
    _, first = np.unique(points["x"].to_numpy(np.float64), return_index=True)
    exact = Line(
        backend="exact", exact=True, x=points["x"].to_numpy(np.float64)[first], ulp=np.zeros(0),
        y=_finite(points[f"oracle_{quantity}"].to_numpy(np.float64)[first]),
    )  # fmt: skip
    errors = [worst_of_each(line.x, line.ulp) for line in lines]
    x, above, below = _axes([exact, *lines], errors)
    rows = math.ceil((1 + len(lines)) / LEGEND_COLUMNS)
    return Markup("".join((
        f'<svg viewBox="0 {_n(FONT * (1 - rows))} {WIDTH} {_n(HEIGHT + FONT * (rows - 1))}" role="img" '
        f'aria-labelledby="{prefix}-t {prefix}-d" class="plot">'
        f'<title id="{prefix}-t">{escape(title)}</title><desc id="{prefix}-d">{escape(description)}</desc>',
        *_definitions(lines, prefix),
        f'<g clip-path="url(#{prefix}a)">', *_upper([exact, *lines], x, above, prefix), "</g>",
        f'<g clip-path="url(#{prefix}b)">', *_lower(lines, errors, x, below, prefix), "</g>",
        *_frame(x, above, below, quantity, target), *_legend([exact, *lines], rows, prefix), "</svg>",
    )))  # fmt: skip


def worst_of_each(x: Reals, errors: Reals, bins: int = MOST_ERRORS) -> tuple[Reals, Reals]:
    """At most `bins` points, each the largest error of its stretch, so that thinning hides nothing."""
    known = np.flatnonzero(np.isfinite(errors))
    stretches = np.array_split(known, min(bins, max(len(known), 1)))
    worst = [int(s[len(s) - 1 - np.argmax(errors[s][::-1])]) for s in stretches if len(s)]
    return x[worst], errors[worst]


def _lines(points: pd.DataFrame, quantity: str) -> Iterator[Line]:
    backend, x, y, ulp = (points[name].to_numpy() for name in ("backend", "x", quantity, f"{quantity}_ulp"))
    for name in sorted(set(backend), key=order):
        own = np.flatnonzero(backend == name)
        at, first = np.unique(x[own].astype(np.float64), return_index=True)
        own = own[first]
        yield Line(backend=str(name), x=at, y=_finite(y[own]), ulp=_finite(np.abs(ulp[own].astype(np.float64))))


def _finite(values: Any) -> Reals:
    """Infinities leave a gap instead of a broken axis."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _axes(lines: Sequence[Line], errors: Sequence[tuple[Reals, Reals]]) -> tuple[Axis, Axis, Axis]:
    seen = np.concatenate([*(line.x[np.isfinite(line.y)] for line in lines), *(places for places, _ in errors)])
    x = room(seen, 0.02)
    y = room(np.concatenate([line.y for line in lines]), 0.05)
    largest = max((float(sizes.max()) for _, sizes in errors if len(sizes)), default=0.0)
    return (
        Axis(low=x[0], high=x[1], start=LEFT, end=RIGHT),
        Axis(low=y[0], high=y[1], start=ABOVE[1], end=ABOVE[0]),
        Axis(low=-0.15, high=max(2.0, largest * 2), start=BELOW[1], end=BELOW[0], bent=True),
    )


def _definitions(lines: Sequence[Line], prefix: str) -> Iterator[str]:
    yield "<defs>"
    for name, (top, bottom) in (("a", ABOVE), ("b", BELOW)):
        box = f'x="{LEFT}" y="{top}" width="{_n(RIGHT - LEFT)}" height="{_n(bottom - top)}"'
        yield f'<clipPath id="{prefix}{name}"><rect {box}/></clipPath>'
    for place, line in enumerate(lines):
        for name, spread in (("m", SPREAD["above"]), ("n", SPREAD["below"])):
            colour = f'fill="{line.colour}" stroke="{line.colour}"'
            yield f'<g id="{prefix}{name}{place}" {colour}>{_shape(ink(line.backend).marker, spread)}</g>'
    yield "</defs>"


def _shape(marker: str, r: float) -> str:
    """A marker around the origin; markers are named as matplotlib names them."""
    if marker == "o":
        return f'<circle r="{r}"/>'
    wide = r if marker != "D" else r * math.sqrt(2)
    corners = {"s": f"M{-r} {-r}H{r}V{r}H{-r}z", "^": f"M0 {-r}L{-r} {r}H{r}z"}
    return f'<path d="{corners.get(marker, f"M0 {-wide:.1f}L{wide:.1f} 0L0 {wide:.1f}L{-wide:.1f} 0z")}"/>'


def _upper(lines: Sequence[Line], x: Axis, y: Axis, prefix: str) -> Iterator[str]:
    """The exact curve first and broad, so that it is seen below all others."""
    for place, line in enumerate(lines, start=-1):
        across, up = x.at(line.x), y.at(line.y)
        yield f'<path d="{_path(across, up)}" {_pen(line)}/>'
        if place >= 0:
            shown = np.arange(place * max(len(across) // (3 * MARKS), 1), len(across), max(len(across) // MARKS, 1))
            yield from _marked(across[shown], up[shown], f"{prefix}m{place}")


def _lower(
    lines: Sequence[Line], errors: Sequence[tuple[Reals, Reals]], x: Axis, y: Axis, prefix: str
) -> Iterator[str]:
    for place, (_, (places, sizes)) in enumerate(zip(lines, errors, strict=True)):
        yield from _marked(x.at(places), y.at(sizes), f"{prefix}n{place}")
    half = _n(float(y.at(0.5)))
    yield f'<path d="M{LEFT} {half}H{RIGHT}" stroke="currentColor" stroke-opacity="0.4" stroke-width="0.5"/>'


def _marked(across: Reals, up: Reals, marker: str) -> Iterator[str]:
    known = np.isfinite(up)
    for a, b in zip(_texts(across[known]), _texts(up[known]), strict=True):
        yield f'<use x="{a}" y="{b}" href="#{marker}"/>'


def _pen(line: Line) -> str:
    if line.exact:
        return 'fill="none" stroke="var(--oracle)" stroke-width="5" stroke-linecap="square"'
    dash = " ".join(_n(1.3 * length) for length in ink(line.backend).dash)
    style = f'stroke-dasharray="{dash}"' if dash else 'stroke-linecap="square"'
    return f'fill="none" stroke="{line.colour}" stroke-width="1.3" {style}'


def _path(across: Reals, up: Reals) -> str:
    """A line through all points, broken where one is missing."""
    text, pen = [], "M"
    for a, b, there in zip(_texts(across), _texts(up), np.isfinite(up).tolist(), strict=True):
        if there:
            text.append(f"{pen}{a} {b}")
        pen = "L" if there else "M"
    return "".join(text)


def _frame(x: Axis, above: Axis, below: Axis, quantity: str, target: float) -> Iterator[str]:
    """Edges, ticks, what stands beside them, and what runs along each axis."""
    across, upper = ticks(x.low, x.high, ACROSS), ticks(above.low, above.high, UPWARDS)
    decades = [10.0**k for k in range(math.ceil(math.log10(below.high)) + 1)]
    lower = [0.0, *(d for d in decades[:: max(1, math.ceil(len(decades) / 3))] if d <= below.high)]
    strokes = []
    for axis, places in ((above, upper), (below, lower)):
        strokes.append(f"M{LEFT} {axis.end}V{axis.start}H{RIGHT}")
        strokes += [f"M{LEFT} {up}h-{TICK}" for up in _texts(axis.at(places))]
        strokes += [f"M{at} {axis.start}v{TICK}" for at in _texts(x.at(across))]
    yield f'<path d="{"".join(strokes)}" fill="none" stroke="currentColor" stroke-width="0.7"/>'
    yield f'<g font-size="{FONT:g}px" text-anchor="middle">'
    yield from (_text(at, BELOW[1] + 13.8, said) for at, said in zip(x.at(across), labels(across)[0], strict=True))
    along = "prediction" if math.isnan(target) else f"prediction, target {target:g}"
    yield _text((LEFT + RIGHT) / 2, BELOW[1] + 26.8, along)
    ends = []
    numbers, power = labels(upper)
    name = WORDS[quantity] + (f" / {_decade(10.0**power)}" if power else "")
    sides = ((above, upper, numbers, name), (below, lower, list(map(_decade, lower)), "error (ulp)"))
    for axis, places, said, name in sides:
        at, middle = LEFT - 13.2 - max(map(_wide, said), default=0.0), (axis.start + axis.end) / 2
        yield _text(at, middle, name, f' transform="rotate(-90 {_n(at)} {_n(middle)})"')
        ends += [(up + 3.4, word) for up, word in zip(axis.at(places), said, strict=True)]
    yield f'</g><g font-size="{FONT:g}px" text-anchor="end">'
    yield from (_text(LEFT - 7, up, word) for up, word in ends)
    yield "</g>"


def _decade(number: float) -> str:
    """In full, or as a power of ten."""
    return fmt.ulps(number).rpartition(fmt.TIMES)[2].strip() if number >= 1 else fmt.significant(number, 1)


def _legend(lines: Sequence[Line], rows: int, prefix: str) -> Iterator[str]:
    """A row above the panels, as many rows as it takes."""
    yield f'<g font-size="{FONT:g}px">'
    for row in range(rows):
        at, y = LEFT + 4.5, LEGEND_Y - FONT * (rows - 1 - row)
        for place, line in list(enumerate(lines, start=-1))[row * LEGEND_COLUMNS : (row + 1) * LEGEND_COLUMNS]:
            yield f'<path d="M{_n(at)} {_n(y)}h19.8" {_pen(line)}/>'
            if place >= 0:
                yield f'<use x="{_n(at + 9.9)}" y="{_n(y)}" href="#{prefix}m{place}"/>'
            yield _text(at + 27.0, y + 3.2, line.backend)
            at += 27.0 + _wide(line.backend) + 9.9
    yield "</g>"


def _text(x: float, y: float, said: str, more: str = "") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}"{more}>{escape(said)}</text>'


def _wide(text: str) -> float:
    """About how wide a text is: the page's own letters are the browser's choice."""
    widths = {".": 0.32, ",": 0.32, fmt.MINUS: 0.84, fmt.NARROW: 0.32}
    return FONT * sum(widths.get(c, 0.64 if c.isdigit() else 0.53) for c in text)


def _texts(values: Reals) -> list[str]:
    """Drawing units to one decimal."""
    return [f"{value:g}" for value in (np.round(values, 1) + 0.0).tolist()]  # adding zero turns -0 into 0


def _n(value: float) -> str:
    return f"{round(value, 1) + 0.0:g}"
