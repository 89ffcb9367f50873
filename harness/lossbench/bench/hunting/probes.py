"""What is asked, in which order: edges first, then regimes, long reductions and parameters, then draws without end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Final

import numpy as np

from lossbench.bench.hunting import ordinals, values
from lossbench.bench.hunting.witness import Witness, joined
from lossbench.spec import draw, inputs
from lossbench.spec.case import Case
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Loss
from lossbench.spec.regimes import REGIMES, embeddings

CLASSES: Final = 3
ROWS: Final = 512
EDGE_ELEMENTS: Final = 2048
DRAWN_ELEMENTS: Final = 16_384
DRAWN_ROWS: Final = 4096
LONG_ROWS: Final = (70_000, 2_000)
"""Beyond the largest float16, and beyond where a plain 16-bit sum stops growing."""
LONG_PRECISION: Final = 11
"""Bits of the widest format whose sums and counts are put to that test."""
MANY_CLASSES: Final = (2, 33_000)
SEQUENCES: Final = 4
VARIANTS: Final = ("_keras", "_s4", "unsupervised", "_plus_", "vae_")
LEFT_OUT: Final = ("typical", "special")

TRIED: Final[Mapping[str, tuple[Any, ...]]] = {
    "gamma": (0.5, 0.0, 1.0, 5.0), "alpha": (0.25,), "label_smoothing": (0.1,), "delta": (1e-3, 1e4),
    "beta": (1e-3, 0.0),
    "q": (1e-3, 1.0), "pos_weight": (100.0,), "log_input": (True,), "full": (True,), "eps": (1e-7, 1e-12),
    "smooth": (1.0,), "margin": (0.0,), "distance": (True,), "map_01_labels": (True,), "normalize": (True,),
    "log_pred": (True,),
}  # fmt: skip
"""Values inside the documented ranges, at or near their ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A place in the order. stage: see `STAGES`. round_number: of the draws.
    native: the frameworks' own spellings alone."""

    loss: Loss
    dtype: str
    stage: str
    round_number: int = 0
    native: bool = True


STAGES: Final = ("edges", "regimes", "params", "long", "draws")


def alone(loss: Loss) -> bool:
    """Whether rows of this loss can be judged one by one."""
    square = any(domain.extent == "square" for name, domain in loss.inputs.items() if name != "A")
    return loss.unit != "batch" and not embeddings(loss) and not square and "outputs" not in loss.accepts


def promising(loss: Loss) -> float:
    """How much there is to find: edges of the domain, native spellings, known definitions; variants come later."""
    kinds = [loss.inputs[name].kind for name in ("y_true", "y_pred")]
    edge = {"probability": 3, "simplex": 3, "logits": 3, "positive": 2, "log_simplex": 2, "nonnegative": 1}
    native = {b.backend for b in loss.bindings if b.docs}
    variant = any(word in loss.name for word in ("_keras", "_s4", "unsupervised", "_plus_", "vae_"))
    return (
        2 * len(native)
        + sum(edge.get(kind, 0) for kind in kinds)
        - 4 * variant
        - 2 * (not alone(loss))
        - 8 * (len(loss.shapes["small"]) > 2)
    )


def variant(loss: Loss) -> bool:
    """Whether it repeats another loss: one of its definitions, or a sum that contains it."""
    return any(word in loss.name for word in VARIANTS)


def order(losses: Sequence[Loss], dtypes: tuple[str, ...]) -> Iterator[Probe]:
    """Without end: every loss and dtype in the first stages, breadth first, then draws in rounds."""
    ranked = sorted(losses, key=promising, reverse=True)
    first, rest = dtypes[:1], dtypes[1:]
    leading = [loss for loss in ranked if not variant(loss)]
    following = [loss for loss in ranked if variant(loss)]
    stages = (("edges", first), ("params", first), ("long", dtypes), ("regimes", first), ("edges", rest[:1]))
    for group in (leading, following):
        for stage, few in stages:
            for dtype, loss in product(few, group):
                if stage != "long" or FORMATS[dtype].precision <= LONG_PRECISION:
                    yield Probe(loss=loss, dtype=dtype, stage=stage)
    for stage, some in (("edges", rest[1:]), ("regimes", rest), ("params", rest)):
        for dtype, loss in product(some, ranked):
            yield Probe(loss=loss, dtype=dtype, stage=stage)
    for dtype, loss, stage in product(dtypes, ranked, ("edges", "regimes")):
        yield Probe(loss=loss, dtype=dtype, stage=stage, native=False)
    number = 0
    while ranked:
        for loss, dtype in product(ranked, dtypes):
            yield Probe(loss=loss, dtype=dtype, stage="draws", round_number=number, native=False)
        number += 1


def witnesses(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:
    """The questions of a probe."""
    made = {"edges": _edges, "regimes": _regimes, "long": _long, "params": _params, "draws": _draws}[probe.stage]
    yield from made(probe, rng)


def _edges(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:
    loss, dtype = probe.loss, probe.dtype
    if not alone(loss):
        return
    yield _by_rows(loss, dtype, rng, ROWS, CLASSES) if _wants_rows(loss) else _crossed(loss, dtype, rng)
    if loss.inputs["y_pred"].kind == "logits" and _wants_rows(loss) and dtype != "float64":
        rows, classes = MANY_CLASSES
        yield _by_rows(loss, dtype, rng, rows, classes)


def _regimes(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:  # noqa: ARG001 - regimes draw by key
    loss, together = probe.loss, list[Witness]()
    for name, regime in REGIMES.items():
        if name in LEFT_OUT or not regime.applies(loss):
            continue
        shape = regime.shape(loss.shapes["small"])
        case = Case(
            loss=loss.name, params=tuple(sorted(loss.params.items())), shape=shape, dtype=probe.dtype, regime=name
        )
        try:
            arrays = inputs.build(loss, case).arrays
        except BadInput:
            continue
        stands = alone(loss)
        if stands and loss.unit == "element":
            arrays = {n: a.reshape(-1) for n, a in arrays.items()}
        made = Witness(loss=loss, dtype=probe.dtype, arrays=arrays, separable=stands, source=f"regime {name}")
        if stands and shape == loss.shapes["small"] and len(shape) < 3:
            together.append(made)
        else:
            yield made
    if together:
        count = EDGE_ELEMENTS if loss.unit == "element" else ROWS
        yield replace(joined(together).padded(count), source="regimes")


def _long(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:
    """One row again and again, so that the exact mean is known at once: only the reduction is put to the test."""
    loss, dtype = probe.loss, probe.dtype
    if not alone(loss) or FORMATS[dtype].precision > LONG_PRECISION or loss.inputs["y_pred"].extent != "same":
        return
    if len(loss.shapes["small"]) > 2:
        return
    shape = (1, CLASSES) if _wants_rows(loss) else (1,)
    row = {}
    for name, domain in loss.inputs.items():
        source = draw.Source(f"long/{rng.integers(2**31)}/{name}")
        typical = draw.typical(source, domain, draw.extent(domain, shape), CLASSES)
        row[name] = values.rounded(typical, domain, dtype)
    for length, reduction in product(LONG_ROWS, ("mean", "sum")):
        one = Witness(loss=loss, dtype=dtype, arrays=row, params={"reduction": reduction}, source=f"{length} rows")
        yield one.padded(length)


def _params(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:
    loss = probe.loss
    if not alone(loss):
        return
    known = {*loss.params, *loss.accepts}
    for name, tried in TRIED.items():
        for value in tried:
            if name not in known or loss.params.get(name) == value:
                continue
            made = (
                _by_rows(loss, probe.dtype, rng, ROWS, CLASSES)
                if _wants_rows(loss)
                else _crossed(loss, probe.dtype, rng)
            )
            yield _with(made, {name: value})


def _draws(probe: Probe, rng: np.random.Generator) -> Iterator[Witness]:
    loss, dtype = probe.loss, probe.dtype
    if not alone(loss):
        yield from islice(_small(loss, dtype, rng), 4)
    elif _wants_rows(loss):
        yield _by_rows(loss, dtype, rng, DRAWN_ROWS, CLASSES)
    else:
        yield _drawn(loss, dtype, rng)


def _with(made: Witness, params: Mapping[str, Any]) -> Witness:
    said = ", ".join(f"{name}={value}" for name, value in params.items())
    return Witness(
        loss=made.loss,
        dtype=made.dtype,
        arrays=made.arrays,
        params=params,
        separable=True,
        source=f"{made.source}, {said}",
    )


def _wants_rows(loss: Loss) -> bool:
    rowed = {"simplex", "log_simplex", "one_hot", "class_index"}
    return loss.unit == "row" or any(d.kind in rowed for d in loss.inputs.values()) or len(loss.shapes["small"]) > 2


def _crossed(loss: Loss, dtype: str, rng: np.random.Generator) -> Witness:
    """Every edge of the target against every edge of the prediction, and predictions a few steps from the target."""
    ends = {n: values.edges(d.kind, dtype) for n, d in loss.inputs.items() if n in ("y_true", "y_pred")}
    pairs = np.array(list(product(ends["y_true"], ends["y_pred"])))
    rng.shuffle(pairs)
    pairs = np.concatenate([[(t, p) for t, p in pairs if t in (0.0, 1.0)], pairs])
    pairs = pairs[np.minimum(np.arange(EDGE_ELEMENTS), len(pairs) - 1)]
    given = {"y_true": pairs[:, 0], "y_pred": pairs[:, 1]}
    further = {n: rng.choice(values.edges(d.kind, dtype), len(pairs)) for n, d in loss.inputs.items() if n not in given}
    return _settled(loss, dtype, {**given, **further}, "edges of the domain")


def _drawn(loss: Loss, dtype: str, rng: np.random.Generator) -> Witness:
    """Uniform over bit patterns; in a third the prediction is near the target, in a third one of them is an edge."""
    n = DRAWN_ELEMENTS
    given = {name: values.drawn(rng, d.kind, dtype, (n,)) for name, d in loss.inputs.items()}
    third = n // 3
    for name, part in (("y_true", slice(0, third)), ("y_pred", slice(third, third + third // 4))):
        given[name][part] = rng.choice(values.edges(loss.inputs[name].kind, dtype), len(given[name][part]))
    if loss.inputs["y_true"].kind == loss.inputs["y_pred"].kind:
        near = slice(2 * third, n)
        steps = rng.integers(-4, 5, n - 2 * third) * 2 ** rng.integers(0, FORMATS[dtype].precision, n - 2 * third)
        given["y_pred"][near] = ordinals.moved(given["y_true"][near], steps, dtype)
        if loss.inputs["y_pred"].kind == "probability":
            given["y_pred"][near] = np.clip(given["y_pred"][near], 0.0, 1.0)
        elif loss.inputs["y_pred"].kind in ("positive", "nonnegative"):
            given["y_pred"][near] = np.abs(given["y_pred"][near])
    return _settled(loss, dtype, given, "bit patterns")


def _by_rows(loss: Loss, dtype: str, rng: np.random.Generator, count: int, classes: int) -> Witness:
    rest = loss.shapes["small"][1:-1]
    shape = (min(count, SEQUENCES), *rest, loss.shapes["small"][-1]) if rest else (count, classes)
    labels = rng.integers(0, shape[-1], shape[:-1])
    given: dict[str, Any] = {}
    for name, domain in loss.inputs.items():
        extent = draw.extent(domain, shape)
        if domain.kind == "class_index":
            given[name] = labels if extent == shape[:-1] else rng.integers(min(1, shape[-1] - 1), shape[-1], extent)
        elif domain.extent == "same" and domain.kind not in ("binary", "sign", "count", "probability"):
            given[name] = values.rows(rng, domain.kind, dtype, shape, labels)
        elif domain.kind in ("binary", "sign", "count", "probability"):
            given[name] = values.drawn(rng, domain.kind, dtype, extent)
        else:
            given[name] = draw.typical(draw.Source(f"rows/{name}"), domain, extent, classes)
    if loss.inputs["y_true"].kind == loss.inputs["y_pred"].kind == "real":
        _relate(rng, given, shape)
    return _settled(loss, dtype, given, f"rows of {shape[-1]} classes")


def _relate(rng: np.random.Generator, given: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Targets equal, opposite, all zero, and predictions all zero."""
    way = rng.integers(0, 8, shape[:-1])[..., None]
    true, pred = given["y_true"], given["y_pred"]
    given["y_true"] = np.select([way == 0, way == 1, way == 2], [pred, -pred, 0 * true], true)
    given["y_pred"] = np.where(way == 3, 0.0, pred)


def _small(loss: Loss, dtype: str, rng: np.random.Generator) -> Iterator[Witness]:
    """A batch of four rows, drawn anew each time."""
    shape = (4, *loss.shapes["small"][1:-1], CLASSES)
    while True:
        given = {}
        labels = rng.integers(0, 2, shape[:-1])
        for name, domain in loss.inputs.items():
            extent = draw.extent(domain, shape)
            if domain.kind == "class_index":
                given[name] = labels.astype(np.float64)
            elif domain.kind in ("one_hot", "simplex", "log_simplex"):
                given[name] = values.rows(rng, domain.kind, dtype, shape, labels)
            elif rng.random() < 0.5:
                given[name] = rng.choice(values.edges(domain.kind, dtype), extent)
            else:
                given[name] = values.drawn(rng, domain.kind, dtype, extent)
        yield _settled(loss, dtype, given, "small batches")


def _settled(loss: Loss, dtype: str, given: Mapping[str, Any], source: str) -> Witness:
    arrays = {}
    for name, domain in loss.inputs.items():
        numbers = np.asarray(given[name], dtype=np.float64)
        masked = np.isneginf(numbers)
        settled = values.rounded(np.where(masked, 0.0, numbers), domain, dtype)
        arrays[name] = np.where(masked, -np.inf, settled).astype(settled.dtype) if masked.any() else settled
    return Witness(loss=loss, dtype=dtype, arrays=arrays, separable=alone(loss), source=source)
