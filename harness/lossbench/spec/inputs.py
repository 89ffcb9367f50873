"""The inputs of a case: a pure function of it, so that every worker builds the same bytes and a digest proves it.

The same numbers underlie every dtype and every choice of parameters; each is then rounded to the dtype, once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.spec import draw
from lossbench.spec.case import Case
from lossbench.spec.domains import Domain
from lossbench.spec.draw import Reals, Source
from lossbench.spec.edges import Scene
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS, round_to
from lossbench.spec.loss import Loss
from lossbench.spec.regimes import REGIMES

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """arrays: by input name, rounded to the dtype, in its carrier type (indices int32). digest: see `digest`."""

    arrays: Arrays
    digest: str


def build(loss: Loss, case: Case) -> Inputs:
    """The inputs of a case. BadInput where the regime does not exist or has no meaning for the loss or shape."""
    regime = REGIMES.get(case.regime)
    if regime is None or not regime.applies(loss):
        raise BadInput(
            subject=f"regime of {case.id}",
            expected="one of " + ", ".join(r.name for r in REGIMES.values() if r.applies(loss)),
            received=repr(case.regime),
            remedy="choose one that applies to this loss",
        )
    if regime.shape(case.shape) != case.shape:
        raise BadInput(
            subject=f"shape of {case.id}",
            expected=f"a single class, as in {regime.shape(case.shape)}",
            received=str(case.shape),
            remedy="take the shape from Regime.shape",
        )
    params = {**loss.params, **dict(case.params)}
    axis = class_axis(params, len(case.shape))
    shape = classes_last(case.shape, axis)
    key = f"{case.loss}/{'x'.join(map(str, case.shape))}/{case.regime}/{case.seed}"
    arrays = {
        name: draw.typical(Source(f"{key}/{name}"), domain, draw.extent(domain, shape), shape[-1] if shape else 1)
        for name, domain in loss.inputs.items()
    }
    if regime.bend is not None:
        scene = Scene(
            loss=loss, params=params, shape=shape, dtype=case.dtype, seed=case.seed, source=Source(key), arrays=arrays
        )
        regime.bend(scene)
    arrays = {
        name: np.moveaxis(a, -1, axis) if loss.inputs[name].extent == "same" and a.ndim else a
        for name, a in arrays.items()
    }
    _ignore(loss, params, arrays)
    settled = {name: settle(values, loss.inputs[name], case.dtype) for name, values in arrays.items()}
    return Inputs(arrays=settled, digest=digest(settled))


def class_axis(params: Mapping[str, object], rank: int) -> int:
    """Where the classes stand: `axis` where it names one axis, else the last; negative only for no axes at all."""
    axis = params.get("axis")
    return int(axis) % rank if isinstance(axis, int) and rank else rank - 1


def classes_last(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """A shape with one of its axes moved to the end."""
    return (*shape[:axis], *shape[axis + 1 :], shape[axis]) if shape else shape


def settle(values: Reals, domain: Domain, dtype: str) -> npt.NDArray[Any]:
    """Rounded to the dtype and kept in the domain: finite stays finite, positive stays positive."""
    if domain.integer:
        return values.astype(np.int32)
    rounded = round_to(values, dtype)
    fmt = FORMATS[dtype]
    rounded = np.where(np.isinf(rounded) & np.isfinite(values), np.copysign(fmt.max, rounded), rounded)
    if domain.kind == "positive":
        rounded = np.where(rounded == 0, fmt.smallest, rounded)
    return np.asarray(rounded, dtype=fmt.carrier)


def _ignore(loss: Loss, params: Mapping[str, object], arrays: dict[str, Reals]) -> None:
    """Where a case ignores an index, every fourth label is that index."""
    ignored = params.get("ignore_index")
    if ignored is None or loss.inputs["y_true"].kind != "class_index":
        return
    arrays["y_true"].reshape(-1)[::4] = float(str(ignored))


def digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over the arrays in the order of their names: name, dtype, shape, little-endian bytes."""
    seen = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        shape = "x".join(map(str, array.shape))
        seen.update(f"{name}:{array.dtype.name}:{shape}:".encode())
        seen.update(little.tobytes())
    return seen.hexdigest()
