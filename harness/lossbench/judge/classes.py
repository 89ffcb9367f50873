"""Why a result is not the exact one: re-evaluated under every known definition, then by its shape.

Order: convention (a definition fits every element), domain (inputs outside what the loss is defined on),
range (not finite, or lost to underflow, overflow or saturation of an intermediate), accuracy (digits lost),
defect (nothing explains it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.elements import Comparison, Mask, Reals
from lossbench.judge.verdict import Class
from lossbench.spec.domains import Domain
from lossbench.spec.formats import FORMATS, Format
from lossbench.spec.inputs import class_axis
from lossbench.spec.loss import Loss

ACCURACY_RELATIVE: Final = 0.1
"""A finite result further off than this has no digit left to lose: something else is wrong."""

CANCELLED_EPS: Final = 16.0
"""Errors up to this many eps of the largest operand are what cancelling numbers of that size leaves."""

NO_PARAMS: Final[Mapping[str, Any]] = MappingProxyType({})

FACTOR_EPS: Final = 8.0
NEARLY_ONE: Final = 0.01
MANY: Final = 8
"""A few wrong elements may be off alike by chance; this many different ones are not."""

LARGEST_FACTOR: Final = 1000.0
CHANCE: Final = 0.02
"""A single number is called a whole multiple of another up to this factor, and where chance hardly makes it one."""

Arrays = Mapping[str, npt.NDArray[Any]]


def explain(
    wrong: Comparison, loss: Loss, arrays: Arrays, dtype: str, params: Mapping[str, Any] = NO_PARAMS
) -> tuple[Class, str]:
    """Class and cause of a difference that no definition explains. params: of the case, for its class axis."""
    wrong, arrays = _classes_last(wrong, arrays, params)
    outside = outside_domain(loss, arrays, dtype)
    if outside and _concerns(outside, wrong, loss, arrays):
        return "domain", f"{' and '.join(outside)} outside the documented domain"
    fmt, bad = FORMATS[dtype], wrong.wrong
    got, expected = wrong.got[bad], wrong.expected[bad]
    if not np.isfinite(got).all():
        return _not_finite(got, expected)
    if not np.isfinite(expected).all():
        return "range", "finite where the exact result is not"
    scale = magnitude(arrays)
    error = np.abs(got - expected)
    underflow = (got == 0) & (np.abs(expected) < 4 * fmt.tiny)
    if underflow.all():
        return "range", "flushed to zero where the exact result is representable"
    saturated = (got == 0) | (np.abs(got) == fmt.max)
    if (saturated & ~underflow).any() and leaves_range(arrays, fmt):
        return "range", "an intermediate overflows, underflows or saturates though the result fits"
    if reason := _beyond(wrong, loss, arrays, fmt):
        return "range", reason
    if reason := factor(wrong, dtype):
        return "defect", reason
    terms = max(1, int(np.size(arrays["y_pred"]) / max(1, wrong.got.size)))
    if _lost(error, expected, wrong, scale=scale, terms=terms, fmt=fmt):
        return "accuracy", "digits are lost beyond what the formula owes"
    return "defect", "no known definition and no loss of digits or range explains it"


def _classes_last(wrong: Comparison, arrays: Arrays, params: Mapping[str, Any]) -> tuple[Comparison, Arrays]:
    """The same with the class axis at the end, where every rule here looks for it."""
    shape = np.shape(arrays["y_pred"])
    axis = class_axis(params, len(shape))
    if axis == len(shape) - 1:
        return wrong, arrays
    moved = {n: np.moveaxis(a, axis, -1) if np.shape(a) == shape else a for n, a in arrays.items()}
    return wrong.rearranged(lambda a: np.moveaxis(a, axis, -1) if a.shape == shape else a), moved


def _beyond(wrong: Comparison, loss: Loss, arrays: Arrays, fmt: Format) -> str:
    """Whether each wrong element depends on numbers whose squares overflow, or on one below the normal numbers."""
    with np.errstate(all="ignore"):
        large = _dependent(lambda x: np.isfinite(x) & (np.abs(x) > fmt.max**0.5), wrong, loss, arrays)
        small = _dependent(lambda x: (x != 0) & (np.abs(x) < fmt.tiny), wrong, loss, arrays)
    if large:
        return "squares of inputs of this size overflow"
    return "a subnormal input or difference counts as zero" if small else ""


def _dependent(where: Callable[[Reals], Mask], wrong: Comparison, loss: Loss, arrays: Arrays) -> bool:
    """Whether every wrong element has such a number among the inputs it depends on, or as a difference of two."""
    y_pred = np.asarray(arrays["y_pred"], np.float64)
    full = np.zeros(y_pred.shape, dtype=bool)
    given = [a.astype(np.float64) for a in _floating(arrays) if a.shape == full.shape]
    for values in [*given, *(y_pred - a for a in given)]:
        full |= where(values)
    bad = wrong.wrong
    if bad.shape == full.shape and bad.ndim and loss.unit == "element":
        return bool(full[bad].all())
    if loss.unit != "batch" and full.ndim > 1 and bad.shape in (full.shape, full.shape[:-1]):
        rows = np.asarray(full.any(axis=-1))
        return bool(rows[np.nonzero(bad)[: rows.ndim]].all())
    return bool(full.any())


def _not_finite(got: Reals, expected: Reals) -> tuple[Class, str]:
    if np.isnan(expected).all():
        return "domain", "the exact result is undefined there"
    nan = int(np.isnan(got).sum())
    what = f"{nan} NaN" if nan else f"{int(np.isinf(got).sum())} infinite"
    return "range", f"{what} where the exact result is representable"


def factor(wrong: Comparison, dtype: str) -> str:
    """What to say where all wrong elements are one multiple of the exact ones, which no rounding is; else empty.

    Any factor of at least two different numbers, of many where it is nearly 1; of a single one, whole numbers and
    their inverses.
    """
    fmt, got, expected = FORMATS[dtype], wrong.got[wrong.wrong], wrong.expected[wrong.wrong]
    if not got.size or not np.all(expected) or not np.any(got):
        return ""
    with np.errstate(all="ignore"):
        ratio = got / expected
    first, slack = float(ratio.flat[0]), FACTOR_EPS * fmt.eps * abs(float(ratio.flat[0]))
    if not np.isfinite(ratio).all() or float(np.max(ratio) - np.min(ratio)) > slack or abs(first - 1) <= slack:
        return ""
    different, whole = np.unique(expected).size, max(abs(first), 1 / abs(first))
    if abs(first - 1) < NEARLY_ONE and different < MANY:
        return ""
    doubt = whole * FACTOR_EPS * fmt.eps
    if different < 2 and (whole > LARGEST_FACTOR or doubt > CHANCE or abs(whole - round(whole)) > doubt):
        return ""
    return f"every wrong element is {first:.6g} times the exact one"


def _lost(error: Reals, expected: Reals, wrong: Comparison, *, scale: float, terms: int, fmt: Format) -> bool:
    cancelled = CANCELLED_EPS * fmt.eps * scale
    summed = 4 * terms**0.5 * fmt.eps * np.abs(expected)  # random-walk growth of a plain sum
    explained = (error <= ACCURACY_RELATIVE * np.abs(expected)) | (error <= cancelled) | (error <= summed)
    if terms * fmt.eps >= 4:  # a plain sum of this many terms stops growing
        got = wrong.got[wrong.wrong]
        explained |= (got * expected >= 0) & (np.abs(got) <= np.abs(expected))
    return bool(explained.all())


def magnitude(arrays: Arrays) -> float:
    """The largest finite input, at least 1 (the size of the constants that formulas hold)."""
    finite = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in _floating(arrays)]
    return float(max([1.0, *finite]))


def leaves_range(arrays: Arrays, fmt: Format) -> bool:
    """Whether squares, exponentials, sigmoids or counts of these inputs do not fit the format."""
    values = np.concatenate([np.abs(a[np.isfinite(a)]).ravel() for a in _floating(arrays)] or [np.zeros(0)])
    values = values.astype(np.float64)
    largest = float(values.max(initial=0.0))
    nonzero = values[values > 0]
    smallest = float(nonzero.min()) if nonzero.size else 1.0
    saturates = largest > -np.log(fmt.eps / 2)  # 1 + exp(-x) and 1 - p round to 1
    return bool(largest > fmt.max**0.5 or smallest < fmt.tiny**0.5 or saturates or np.size(arrays["y_pred"]) > fmt.max)


def _floating(arrays: Arrays) -> list[npt.NDArray[Any]]:
    return [np.asarray(a) for a in arrays.values() if np.issubdtype(np.asarray(a).dtype, np.floating)]


def outside_domain(loss: Loss, arrays: Arrays, dtype: str) -> dict[str, Mask]:
    """For each input that leaves its documented domain, where."""
    found = {}
    for name, domain in loss.inputs.items():
        if name in arrays:
            mask = _outside(np.asarray(arrays[name]), domain, FORMATS[dtype], arrays)
            if mask.any():
                found[name] = mask
    return found


def _outside(values: npt.NDArray[Any], domain: Domain, fmt: Format, arrays: Arrays) -> Mask:
    kind = domain.kind
    x = values.astype(np.float64)
    with np.errstate(all="ignore"):
        if kind == "class_index":
            classes = np.shape(arrays["y_pred"])[-1] if np.ndim(arrays["y_pred"]) else 1
            return np.asarray((x < 0) | (x >= classes) | (x != np.rint(x)))
        sums = x.sum(axis=-1, keepdims=True) if x.ndim else x
        slack = 4 * fmt.eps * max(1, x.shape[-1] if x.ndim else 1)
        rules: dict[str, Any] = {
            "positive": x > 0,
            "nonnegative": x >= 0,
            "weight": x >= 0,
            "count": (x >= 0) & (x == np.rint(x)),
            "probability": (x >= 0) & (x <= 1),
            "simplex": (x >= 0) & (x <= 1) & (np.abs(sums - 1) <= slack),
            "log_simplex": (x <= 0) & (np.abs(np.exp(x).sum(axis=-1, keepdims=True) - 1) <= 8 * slack),
            "binary": (x == 0) | (x == 1),
            "sign": np.abs(x) == 1,
            "one_hot": ((x == 0) | (x == 1)) & (sums == 1),
            "logits": ~np.isnan(x) & (x != np.inf),  # minus infinity masks a class
        }
        return np.asarray(~rules.get(kind, np.isfinite(x)))


def _concerns(outside: Mapping[str, Mask], wrong: Comparison, loss: Loss, arrays: Arrays) -> bool:
    """Whether every wrong element has an input outside its domain, as far as shapes can tell."""
    bad = wrong.wrong
    full = np.zeros(np.shape(arrays["y_pred"]), dtype=bool)
    for mask in outside.values():
        if mask.ndim == full.ndim:
            full |= mask if mask.shape == full.shape else mask.any()
        elif mask.shape == full.shape[:-1]:
            full |= mask[..., None]
        else:
            full |= mask.any()
    if bad.shape == full.shape and bad.ndim:
        # a row shares its normalisation, elements share nothing
        rows = full if loss.unit == "element" else full.any(axis=-1, keepdims=True)
        return bool((rows | ~bad).all())
    if bad.shape == full.shape[:-1] and bad.ndim:
        return bool((full.any(axis=-1) | ~bad).all())
    return bool(full.any())
