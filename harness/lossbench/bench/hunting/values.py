"""Inputs worth trying: the edges of each domain in a dtype, and draws that cover every exponent alike."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.bench.hunting import ordinals
from lossbench.spec import draw
from lossbench.spec.domains import Domain, Kind
from lossbench.spec.formats import FORMATS, Format, round_to
from lossbench.spec.inputs import settle

Reals = npt.NDArray[np.float64]
Rng = np.random.Generator

UNBOUNDED: Final = frozenset({"real", "logits", "positive", "nonnegative", "count", "weight"})
SIGNED: Final = frozenset({"real", "logits"})
PLAIN: Final = (1e-7, 1e-5, 1e-3, 0.01, 0.1, 0.25, 0.5, 2.0, 3.0, 10.0, 20.0, 50.0, 90.0, 100.0, 200.0, 1e3, 1e5)
COUNTS: Final = (0.0, 1.0, 2.0, 3.0, 10.0, 34.0, 100.0, 170.0, 1e3, 1e4, 1e6)
REACHED: Final = 2.0**14
"""Half of the draws of unbounded numbers lie within this factor of 1, where users' numbers are."""


def edges(kind: Kind, dtype: str) -> Reals:
    """Numbers of a domain at which formulas change their behaviour, each once, rounded to the dtype."""
    fmt = FORMATS[dtype]
    match kind:
        case "binary" | "one_hot" | "class_index":
            found = [0.0, 1.0]
        case "sign":
            found = [-1.0, 1.0]
        case "count":
            found = list(COUNTS)
        case "probability" | "simplex":
            small = [0.0, fmt.smallest, fmt.tiny, fmt.tiny**0.5, 1e-12, 1e-8, fmt.eps / 4, fmt.eps, fmt.eps**0.5]
            found = [*small, *(p for p in PLAIN if p < 1), 1 - fmt.eps / 2, 1 - 4 * fmt.eps, 1 - fmt.eps**0.5, 0.9, 1.0]
        case _:
            found = _around(fmt)
            if kind in SIGNED:
                found = [0.0, *found, *(-number for number in found)]
            elif kind in ("nonnegative", "weight"):
                found = [0.0, *found]
    rounded = np.asarray(round_to(np.asarray(found), dtype), dtype=np.float64)
    return np.unique(rounded[np.isfinite(rounded)])


def _around(fmt: Format) -> list[float]:
    powers = [fmt.smallest, fmt.tiny, fmt.tiny**0.5, fmt.eps, fmt.eps**0.5, fmt.eps**0.25]
    large = [fmt.max**0.25, fmt.max**0.5, 2 * fmt.max**0.5, fmt.max / 2, fmt.max]
    return [*powers, *PLAIN, 1 - fmt.eps / 2, 1.0, 1 + fmt.eps, np.log(fmt.max), 1.5 * np.log(fmt.max), *large]


def drawn(rng: Rng, kind: Kind, dtype: str, shape: tuple[int, ...]) -> Reals:
    """Numbers of an elementwise domain, uniform in their count; half of unbounded ones near 1."""
    fmt = FORMATS[dtype]
    match kind:
        case "binary":
            return np.asarray(rng.integers(0, 2, shape), dtype=np.float64)
        case "sign":
            return np.asarray(2.0 * rng.integers(0, 2, shape) - 1.0)
        case "count":
            whole = np.floor(ordinals.uniform(rng, 1.0, min(fmt.max, 2.0**20), dtype, shape))
            return np.asarray(np.where(rng.random(shape) < 0.2, 0.0, whole))
        case "probability":
            below = ordinals.uniform(rng, 0.0, 1.0, dtype, shape)
            beyond = 1.0 - ordinals.uniform(rng, fmt.eps / 2, 1.0, dtype, shape)
            return np.asarray(round_to(np.where(rng.random(shape) < 0.5, below, beyond), dtype), dtype=np.float64)
    low, high = (-fmt.max, fmt.max) if kind in SIGNED else (0.0, fmt.max)
    wide = ordinals.uniform(rng, low, high, dtype, shape)
    near = ordinals.uniform(rng, 1 / REACHED, min(REACHED, fmt.max), dtype, shape)
    if kind in SIGNED:
        near = near * (2.0 * rng.integers(0, 2, shape) - 1.0)
    found = np.where(rng.random(shape) < 0.5, wide, near)
    return np.asarray(np.where(found == 0, fmt.smallest, found) if kind == "positive" else found)


def rows(rng: Rng, kind: Kind, dtype: str, shape: tuple[int, ...], labels: npt.NDArray[Any]) -> Reals:
    """Rows over the last axis. labels: the true class of each row, which is never masked."""
    if kind == "one_hot":
        return draw.one_hot(labels, shape[-1])
    if kind in ("simplex", "log_simplex"):
        weights = _simplex(rng, dtype, shape)
        if kind == "simplex":
            return weights
        with np.errstate(divide="ignore"):
            return np.log(weights)
    ways = rng.integers(0, 6, shape[:-1])[..., None]
    sizes = ordinals.uniform(rng, FORMATS[dtype].smallest, FORMATS[dtype].max, dtype, shape[:-1])[..., None]
    picked = rng.choice(edges(kind, dtype), shape)
    alike = np.broadcast_to(picked[..., :1], shape)
    scaled = sizes * rng.uniform(-1.0 if kind in SIGNED else 0.1, 1.0, shape)
    ordinary = rng.normal(0.0, 3.0, shape) if kind in SIGNED else rng.uniform(0.0, 3.0, shape)
    single = np.where(np.arange(shape[-1]) == labels[..., None], picked, ordinary)
    found = np.select([ways == 0, ways == 1, ways == 2, ways == 3, ways == 4],
                      [picked, alike, scaled, single, drawn(rng, kind, dtype, shape)], ordinary)  # fmt: skip
    if kind == "logits":
        masked = (rng.random(shape[:-1]) < 0.15)[..., None] & (rng.random(shape) < 0.7)
        found = np.where(masked & (np.arange(shape[-1]) != labels[..., None]), -np.inf, found)
    return np.asarray(found)


def _simplex(rng: Rng, dtype: str, shape: tuple[int, ...]) -> Reals:
    fmt = FORMATS[dtype]
    powers = rng.choice([0.0, 1.0, 4.0, 16.0], (*shape[:-1], 1))
    weights = rng.uniform(1e-3, 1.0, shape) ** powers
    edge = rng.choice(edges("simplex", dtype), shape)
    edge[..., 0] = 1.0 if shape[-1] == 1 else np.maximum(0.0, 1.0 - edge[..., 1:].sum(axis=-1))
    certain = draw.one_hot(rng.integers(0, shape[-1], shape[:-1]), shape[-1])
    way = rng.integers(0, 3, shape[:-1])[..., None]
    # an edge row whose other entries already exceed 1 is scaled back as well
    found = np.select([way == 0, way == 1], [weights, edge], certain)
    total = found.sum(axis=-1, keepdims=True)
    return np.asarray(np.where(np.abs(total - 1) <= fmt.eps, found, found / np.where(total > 0, total, 1.0)))


def rounded(values: Reals, domain: Domain, dtype: str) -> npt.NDArray[Any]:
    """As a lane receives it; minus infinity stays."""
    return settle(values, domain, dtype)
