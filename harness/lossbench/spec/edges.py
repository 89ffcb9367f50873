"""How each regime bends typical values: every edge it names is present wherever the shape has room for it.

A function here takes a Scene and changes its arrays of exact float64 numbers in place; rounding to the
dtype and settling into the domain come afterwards, in `inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.spec import draw
from lossbench.spec.domains import Domain, Kind
from lossbench.spec.draw import Reals, Shape, Source
from lossbench.spec.formats import FORMATS, Format, round_to, step
from lossbench.spec.loss import Loss, Scalar

SIGNED: frozenset[Kind] = frozenset({"real", "logits"})
NUMERIC: frozenset[Kind] = SIGNED | {"positive", "nonnegative", "probability", "count"}
ROWS: frozenset[Kind] = frozenset({"one_hot", "simplex"})
LABELS: frozenset[Kind] = ROWS | {"class_index"}
SCALES: Final = (-14, 14)
LARGEST_SCALE: Final = 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a regime bends: arrays of one case, by input name."""

    loss: Loss
    params: Mapping[str, Scalar]
    shape: Shape
    dtype: str
    seed: int
    source: Source
    arrays: dict[str, Reals]

    @property
    def format(self) -> Format:
        return FORMATS[self.dtype]

    def domain(self, name: str) -> Domain:
        return self.loss.inputs[name]

    def numeric(self, name: str) -> bool:
        """Whether an input holds numbers of y_pred's own extent, rather than labels or rows that sum to 1."""
        return self.domain(name).kind in NUMERIC and self.arrays[name].shape == self.shape

    def signs(self, name: str, purpose: str) -> Reals:
        """Random signs where the domain has them, else 1."""
        shape = self.arrays[name].shape
        return self.source.signs(shape, purpose) if self.domain(name).kind in SIGNED else np.ones(shape)

    def row_number(self) -> npt.NDArray[np.int64]:
        """The number of the row an element is in, to be broadcast against y_pred; of the element if one-dimensional."""
        lead = self.shape[:-1] if len(self.shape) > 1 else self.shape
        numbers = np.arange(int(np.prod(lead, dtype=np.int64))).reshape(lead)
        return numbers[..., None] if len(self.shape) > 1 else numbers

    def labels(self) -> npt.NDArray[np.int64] | None:
        """The class of each row, or None where the target is not one label a row."""
        y, domain, classes = self.arrays["y_true"], self.domain("y_true"), self.shape[-1]
        if domain.kind == "class_index" and domain.extent == "rows":
            return y.astype(np.int64)
        if domain.kind in ROWS and classes:
            return np.asarray(np.argmax(y, axis=-1))
        return None


def _pick(source: Source, shape: Shape, choices: npt.ArrayLike, purpose: str) -> Reals:
    """Random choices; the first elements are each of them once, so that none is missing."""
    values = np.asarray(choices, dtype=np.float64)
    picked = values[source.integers(0, len(values), shape, purpose)]
    flat = picked.reshape(-1)
    flat[: len(values)] = values[: flat.size]
    return flat.reshape(shape)


def _calls(function: Any, params: Mapping[str, Scalar]) -> tuple[float, ...]:
    return tuple(float(k) for k in function(**params))


def kink(s: Scene) -> None:
    """On each kink, one ulp and 1e-3 (at least four ulp) to either side of it."""
    assert s.loss.kinks is not None
    kinks = _calls(s.loss.kinks, {name: s.params[name] for name in s.loss.params if name in s.params})
    y, p = s.arrays["y_true"], s.arrays["y_pred"]
    number = np.arange(p.size).reshape(p.shape)
    at = np.asarray(kinks, dtype=np.float64)[number % len(kinks)]
    side = (number // len(kinks)) % 5
    if s.loss.kink_of == "residual" and s.numeric("y_true"):
        # quarters: then y + kink is exact for the usual kinks; 0 makes it exact for any kink
        quarters = np.rint(4 * y) / 4
        grid = np.where((number // (5 * len(kinks))) % 3 == 0, 0.0, quarters)
        inside = s.domain("y_true").contains(grid)
        y[...] = np.where(inside, grid, round_to(y, s.dtype))
        base = y + at
    elif s.loss.kink_of == "margin":
        base = at * (2 * y - 1 if s.domain("y_true").kind == "binary" else y)
    else:
        base = at
    on = round_to(base, s.dtype).astype(np.float64)
    beside = np.maximum(1e-3, 4 * s.format.eps * np.abs(on))
    points = np.choose(side, [on, step(on, s.dtype, 1), step(on, s.dtype, -1), on + beside, on - beside])
    p[...] = np.where(s.domain("y_pred").contains(points), points, p)


def saturated(s: Scene) -> None:
    """Logits of +-20 to +-1e4; probabilities 0, 1, one ulp from them and about 1e-7."""
    eps = s.format.eps
    beside = [eps / 2, eps, 1e-7, 2e-7, 5e-8, 1e-8, 1e-3]
    probabilities = [0.0, 1.0, s.format.tiny, *beside, *(1 - b for b in beside)]
    large = [100.0, 1000.0, 10000.0, 300.0, 90.0, 40.0, 20.0]
    for name in ("y_pred", "y_true"):
        array, kind = s.arrays[name], s.domain(name).kind
        if kind == "logits":
            array[...] = _pick(s.source, array.shape, [*large, *(-v for v in large)], f"{name} saturated")
        elif kind == "probability":
            array[...] = _pick(s.source, array.shape, probabilities, f"{name} saturated")
        elif kind in ("simplex", "log_simplex") and array.shape == s.shape and s.shape[-1] > 1:
            array[...] = _peaked(s, name, logarithm=kind == "log_simplex")


def _peaked(s: Scene, name: str, *, logarithm: bool) -> Reals:
    """Rows with nearly everything on one class: the label's in half of the rows, its neighbour in the others."""
    classes, rows = s.shape[-1], s.row_number()
    labels = s.labels() if name == "y_pred" else None
    hot = s.source.integers(0, classes, s.shape[:-1], f"{name} hot") if labels is None else labels
    hot = (hot + (rows[..., 0] // 3) % 2) % classes
    peak = draw.one_hot(hot, classes) > 0
    rest = np.choose(rows % 3, [0.0, s.format.eps / 2, 1e-7])
    if logarithm:
        low = _pick(s.source, s.shape, [-100.0, -1000.0, -10000.0, -20.0], f"{name} low")
        return np.where(peak, -rest, low)
    return np.where(peak, 1 - rest, rest / (classes - 1))


def tiny(s: Scene) -> None:
    """Differences of 1e-8, absolute and relative, and rows that are as small themselves."""
    y, p, row = s.arrays["y_true"], s.arrays["y_pred"], s.row_number() % 4
    small = max(1e-8, 4 * s.format.smallest) * (1 + s.source.uniform(p.shape, "tiny"))
    signed = small * s.signs("y_pred", "tiny sign")
    if s.numeric("y_true"):
        scaled = np.abs(y) * small if s.domain("y_true").kind not in SIGNED else y * small
        held = s.domain("y_true").contains(scaled)
        y[...] = np.where((row == 2) & held, scaled, np.where((row == 3) & s.domain("y_true").contains(0 * y), 0.0, y))
        near = np.choose(row, [y + signed, y * (1 + signed), signed, signed])
    else:
        near = np.where(row % 2 == 0, signed, p + signed)
    p[...] = np.where(s.domain("y_pred").contains(near), near, p)


def huge(s: Scene) -> None:
    """Magnitudes up to the largest number: of the prediction alone, of both, alike, opposite."""
    y, p, row, fmt = s.arrays["y_true"], s.arrays["y_pred"], s.row_number() % 4, s.format
    exponents = s.source.integers(4, fmt.emax + 1, p.shape, "huge").astype(np.int32)
    alone = np.minimum(np.ldexp(1 + s.source.uniform(p.shape, "huge mantissa"), exponents - 1), fmt.max)
    alone *= s.signs("y_pred", "huge sign")
    ends = alone.reshape(-1)
    ends[:2] = [fmt.max, -fmt.max if s.domain("y_pred").kind in SIGNED else fmt.max][: ends.size]
    alone = ends.reshape(p.shape)
    scales = s.source.integers(fmt.emax // 2, fmt.emax - 3, row.shape, "scale").astype(np.int32)
    if s.numeric("y_true") and s.domain("y_true").kind != "probability":
        near = np.where(s.domain("y_true").contains(np.abs(y)), np.abs(y) + 1, 1.0) * s.signs("y_true", "huge y")
        large = np.ldexp(np.clip(near, -4.0, 4.0), scales)
        y[...] = np.where(row == 0, y, large)
        both = np.ldexp(np.clip(1 + np.abs(p), 1, 4), scales) * s.signs("y_pred", "huge p")
        opposite = -large if s.domain("y_pred").kind in SIGNED else large / 4
        alike = np.abs(large) if s.domain("y_pred").kind not in SIGNED else large
        p[...] = np.choose(row, [alone, both, alike * (1 + 1e-3 * s.source.uniform(p.shape, "alike")), opposite])
    else:
        p[...] = np.where(row % 2 == 0, alone, np.ldexp(np.clip(p, -4.0, 4.0), scales))


def scales(s: Scene) -> None:
    """Errors of 6e-5 to 1e4, sizes in turn; every other target is 0 where the domain has it."""
    y, p = s.arrays["y_true"], s.arrays["y_pred"]
    number = np.arange(p.size).reshape(p.shape)
    exponents = (number % (SCALES[1] - SCALES[0]) + SCALES[0]).astype(np.int32)
    size = np.minimum(np.ldexp(1 + s.source.uniform(p.shape, "scales"), exponents), LARGEST_SCALE)
    signed = size * s.signs("y_pred", "scales sign")
    base = np.zeros(p.shape)
    if s.numeric("y_true"):
        y[...] = np.where((number % 2 == 0) & s.domain("y_true").contains(0 * y), 0.0, y)
        base = np.where(s.domain("y_pred").contains(y), y, base)
    held = s.domain("y_pred").contains(base + signed)
    p[...] = np.where(held, base + signed, base + size)


def subnormal(s: Scene) -> None:
    """Below the smallest normal number, its neighbours included; in the prediction, or in both."""
    fmt, row = s.format, s.row_number() % 3
    ends = [fmt.smallest, fmt.tiny - fmt.smallest, fmt.tiny, 2 * fmt.smallest]
    for name in ("y_pred", "y_true"):
        if not s.numeric(name) or s.domain(name).kind == "count":
            continue
        array = s.arrays[name]
        below = s.source.integers(1, 2 ** (fmt.precision - 1), array.shape, f"{name} below") * fmt.smallest
        below = np.where(s.source.uniform(array.shape, f"{name} mix") < 0.5, below, np.resize(ends, array.shape))
        below.reshape(-1)[: len(ends)] = ends[: below.size]
        below *= s.signs(name, f"{name} below sign")
        array[...] = below if name == "y_pred" else np.where(row == 1, below, array)


def zeros(s: Scene) -> None:
    """Rows of zeros: in both, in the target, in the prediction, in none."""
    row = s.row_number() % 4
    for name, rows in (("y_pred", (0, 2)), ("y_true", (0, 1))):
        array, domain = s.arrays[name], s.domain(name)
        if array.shape == s.shape and domain.kind in NUMERIC | {"binary"}:
            array[...] = np.where(np.isin(row, rows), 0.0, array)
    for name, domain in s.loss.inputs.items():
        if domain.kind == "weight" and s.arrays[name].ndim:
            s.arrays[name].reshape(-1)[::2] = 0.0


def ties(s: Scene) -> None:
    """Rows whose classes are all equal; whose two largest are, with and without the label among them."""
    p, classes, row = s.arrays["y_pred"], s.shape[-1], s.row_number() % 4
    if classes < 2:
        return
    labels = s.labels()
    first = s.source.integers(0, classes, s.shape[:-1], "tie") if labels is None else labels
    other = s.source.integers(0, classes - 1, s.shape[:-1], "other")
    beside = (row[..., 0] == 2) & (classes > 2)  # then neither of the two is the label
    second = (first + np.where(beside, 2 + other % max(classes - 2, 1), 1 + other)) % classes
    first = (first + beside) % classes
    pair = (draw.one_hot(first, classes) + draw.one_hot(second, classes)) > 0
    kind = s.domain("y_pred").kind
    if kind in ("simplex", "log_simplex"):
        rest = 0.25 / max(classes - 2, 1)
        two = np.where(pair, 0.375 if classes > 2 else 0.5, rest)
        equal = np.full(s.shape, 1 / classes)
        two, equal = (draw.log(two), draw.log(equal)) if kind == "log_simplex" else (two, equal)
    else:
        top = np.max(p, axis=-1, keepdims=True)
        two, equal = np.where(pair, top + 1, p), np.broadcast_to(top, s.shape)
    p[...] = np.where(row == 0, equal, np.where(row == 3, p, two))


def one_sided(s: Scene) -> None:
    """One label throughout, told by the seed: 0 at even seeds; odd ones take 1, or the last class."""
    y, kind, last = s.arrays["y_true"], s.domain("y_true").kind, s.seed % 2 == 1
    label = (s.shape[-1] - 1) if last else (1 if s.domain("y_true").extent == "labels" else 0)
    if kind == "one_hot":
        y[...] = np.arange(y.shape[-1]) == label
    elif kind == "class_index":
        y[...] = label
    else:
        y[...] = 1.0 if last else (-1.0 if kind == "sign" else 0.0)


def unnormalised(s: Scene) -> None:
    """Rows that sum to 0, to a half, to 2 and to other numbers than 1."""
    for name in ("y_true", "y_pred"):
        if s.domain(name).kind in ROWS and s.arrays[name].shape == s.shape:
            sums = np.choose((s.row_number() + (name == "y_pred")) % 4, [0.0, 0.5, 2.0, 0.75])
            s.arrays[name] *= sums if name == "y_true" else np.maximum(sums, 0.25)


def masked(s: Scene) -> None:
    """Minus infinity for some wrong classes; row 0 keeps the right one alone, row 1 masks a single class."""
    labels, p, classes = s.labels(), s.arrays["y_pred"], s.shape[-1]
    if labels is None or classes < 2:
        return
    right = draw.one_hot(labels, classes) > 0
    single = draw.one_hot((labels + 1) % classes, classes) > 0
    row = s.row_number()
    hidden = np.where(row == 0, True, np.where(row % 4 == 1, single, s.source.uniform(s.shape, "masked") < 0.3))
    p[...] = np.where(hidden & ~right, -np.inf, p)


def special(s: Scene) -> None:
    """One NaN, +inf or -inf in a row of the prediction, then of the target where it holds numbers."""
    row, column = s.row_number() % 8, np.arange(s.shape[-1]) if len(s.shape) > 1 else np.zeros(1)
    for name, rows in (("y_pred", (0, 1, 2)), ("y_true", (4, 5, 6))):
        if s.arrays[name].shape != s.shape or s.domain(name).kind not in NUMERIC | {"simplex", "log_simplex"}:
            continue
        for at, value in zip(rows, (np.nan, np.inf, -np.inf), strict=True):
            s.arrays[name][...] = np.where((row == at) & (column == 0), value, s.arrays[name])
