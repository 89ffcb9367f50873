"""Somebody's own cases, read from JSON: data from a stranger, so everything is bounded and checked.

The format is `docs/case-file.md`. A fault names the file and the place in it (`cases[3].y_pred`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.representable import representable
from lossbench.spec.tolerance import Tolerance

MAX_BYTES: Final = 64 * 2**20
MAX_CASES: Final = 100_000
MAX_DIMENSIONS: Final = 16
KNOWN_KEYS: Final = frozenset(
    {"id", "loss", "params", "y_true", "y_pred", "dtype", "expected", "expected_grad", "tol", "note", "source"}
)
TEXT_NUMBERS: Final = {
    **dict.fromkeys(("nan", "NaN"), np.nan),
    **dict.fromkeys(("inf", "+inf", "Infinity"), np.inf),
    **dict.fromkeys(("-inf", "-Infinity"), -np.inf),
}
LITERALS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)')
"""Texts, which may hold the words, and outside of them the words that are no JSON."""
ARRAY_PARAMS: Final = frozenset({"sample_weight", "class_weight", "pos_weight", "A", "mean", "logvar", "weights", "w"})
"""Parameters that may be given as (nested) lists; one given as a plain number stays a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenCase:
    """One case of a file. Arrays are float64 (or int64 where every number is an integer), unrounded."""

    id: str
    loss: str
    params: Mapping[str, Any]
    y_true: npt.NDArray[Any] | None
    y_pred: npt.NDArray[Any] | None
    dtype: str
    expected: npt.NDArray[np.float64] | None = None
    expected_grad: npt.NDArray[np.float64] | None = None
    tolerance: Tolerance | None = None
    note: str = ""
    source: str = ""


def read(path: Path) -> tuple[GivenCase, ...]:
    """Read and check a case file.

    Raises BadInput naming the file and the place when it is unreadable, too large, not JSON, not a
    list of cases, or a case has an unknown key, a ragged or non-numeric array, or a repeated id.
    """
    document = _document(path, _text(path))
    cases = document.get("cases") if isinstance(document, dict) else document
    if not isinstance(cases, list):
        _bad(path, "", 'a list of cases or {"cases": [...]}', type(document).__name__, "wrap the cases in a list")
    if len(cases) > MAX_CASES:
        _bad(path, "", f"at most {MAX_CASES} cases", str(len(cases)), "split the file")
    given = tuple(_case(path, f"cases[{n}]", case) for n, case in enumerate(cases))
    seen: dict[str, int] = {}
    for n, case in enumerate(given):
        if case.id in seen:
            _bad(path, f"cases[{n}].id", "unique ids", f"{case.id!r}, also cases[{seen[case.id]}]", "rename one")
        seen[case.id] = n
    return given


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        _bad(path, "", "a readable file", f"{error.strerror or error}", "check the path and its permissions")
    if len(content) > MAX_BYTES:
        _bad(path, "", f"at most {MAX_BYTES} bytes", "more", "split the file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x}"
        _bad(path, f"byte {error.start}", "UTF-8 text", found, "save the file as UTF-8")
    if not text.strip():
        _bad(path, "", 'a list of cases or {"cases": [...]}', "an empty file", "write cases into it")
    return text


def _document(path: Path, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        _bad(path, f"line {error.lineno} column {error.colno}", "JSON", error.msg, "mend the file there")
    except RecursionError:
        _bad(path, "", "lists nested at most a few levels deep", "nesting too deep to read", "flatten the file")
    except _NotJsonError as error:
        found = next(m for m in LITERALS.finditer(text) if m[1])
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        _bad(path, f"line {line} column {column}", "JSON", f"the bare word {error}", f'write "{_spelt(str(error))}"')
    except ValueError as error:  # an integer of too many digits
        _bad(path, "", "numbers of ordinary length", str(error), "shorten the number")


class _NotJsonError(Exception):
    """A bare NaN or Infinity, which Python's parser would let pass."""


def _no_number(word: str) -> NoReturn:
    raise _NotJsonError(word)


def _spelt(word: str) -> str:
    return "nan" if word == "NaN" else word.replace("Infinity", "inf")


def array(path: Path, place: str, value: Any) -> npt.NDArray[Any]:
    """Nested lists of numbers ("nan", "inf", "-inf" as text) as an array: int64 where all are integers."""
    leaves: list[float | int] = []
    shape = _walk(path, place, value, leaves, depth=0)
    whole = bool(leaves) and all(isinstance(leaf, int) and abs(leaf) < 2**31 for leaf in leaves)
    try:
        return np.array(leaves, dtype=np.int64 if whole else np.float64).reshape(shape)
    except OverflowError:
        _bad(path, place, "numbers that fit float64", "an integer beyond its range", "write it as a decimal")


def _walk(path: Path, place: str, value: Any, leaves: list[float | int], *, depth: int) -> tuple[int, ...]:
    if depth > MAX_DIMENSIONS:
        _bad(path, place, f"at most {MAX_DIMENSIONS} dimensions", "deeper nesting", "flatten the array")
    if isinstance(value, list):
        shapes = [_walk(path, f"{place}[{n}]", item, leaves, depth=depth + 1) for n, item in enumerate(value)]
        for n, shape in enumerate(shapes):
            if shape != shapes[0]:
                _bad(path, f"{place}[{n}]", f"shape {shapes[0]} like its neighbours", str(shape), "even out the rows")
        return (len(value), *(shapes[0] if shapes else ()))
    if isinstance(value, bool):
        leaves.append(int(value))
    elif isinstance(value, int | float):
        leaves.append(value)
    elif isinstance(value, str) and value in TEXT_NUMBERS:
        leaves.append(TEXT_NUMBERS[value])
    else:
        _bad(path, place, 'a number or "nan", "inf", "-inf"', repr(value)[:60], "correct it")
    return ()


def _case(path: Path, place: str, case: Any) -> GivenCase:
    if not isinstance(case, dict):
        _bad(path, place, "an object", type(case).__name__, "write the case as {...}")
    unknown = sorted(set(case) - KNOWN_KEYS)
    if unknown:
        _bad(path, f"{place}.{unknown[0]}", f"one of {', '.join(sorted(KNOWN_KEYS))}", unknown[0], "rename or drop it")
    name = case.get("id")
    if not isinstance(name, str) or not name:
        _bad(path, f"{place}.id", "a non-empty text", repr(name)[:60], "give the case an id")
    loss = case.get("loss")
    if not isinstance(loss, str):
        _bad(path, f"{place}.loss", "a loss name", repr(loss)[:60], "see `lossbench list`")
    dtype = case.get("dtype", "float32")
    if not isinstance(dtype, str) or dtype not in FORMATS:
        _bad(path, f"{place}.dtype", f"one of {', '.join(FORMATS)}", repr(dtype)[:60], "use one of these")
    for key in ("id", "loss", "note", "source"):
        if not representable(str(case.get(key))):
            _bad(path, f"{place}.{key}", "characters", repr(case[key])[:60], "write them whole, not by halves")
    params = case.get("params") or {}
    if not isinstance(params, dict):
        _bad(path, f"{place}.params", "an object", type(params).__name__, 'write {"delta": 1.0}')
    several = params.get("outputs") is not None
    if several:
        case, params = _completed(path, place, case, params)
    arrays = {
        key: array(path, f"{place}.{key}", case[key]) if case.get(key) is not None else None
        for key in ("y_true", "y_pred", "expected", "expected_grad")
    }
    for key in ("y_true", "y_pred"):
        if arrays[key] is None and not several:
            _bad(path, f"{place}.{key}", "an array", "nothing", f"add {key}")
    return GivenCase(
        id=name,
        loss=loss,
        params={key: _param(path, f"{place}.params.{key}", key, value) for key, value in params.items()},
        y_true=arrays["y_true"],
        y_pred=arrays["y_pred"],
        dtype=dtype,
        expected=_floats(arrays["expected"]),
        expected_grad=_floats(arrays["expected_grad"]),
        tolerance=_tolerance(path, f"{place}.tol", case.get("tol")),
        note=str(case.get("note") or ""),
        source=str(case.get("source") or ""),
    )


def _completed(
    path: Path, place: str, case: Mapping[str, Any], params: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A case of several outputs, whose arrays stand in `outputs` alone, and its derivatives in one row.

    An output without y_true or y_pred takes its entry of the case's own list.
    """
    outputs = params["outputs"]
    if not isinstance(outputs, list) or not outputs:
        _bad(path, f"{place}.params.outputs", "a list of outputs", repr(outputs)[:60], "write [{loss, weight, ...}]")
    completed = []
    for n, output in enumerate(outputs):
        listed = {
            key: case[key][n]
            for key in ("y_true", "y_pred")
            if isinstance(case.get(key), list) and len(case[key]) == len(outputs)
        }
        completed.append({**listed, **output} if isinstance(output, dict) else output)
    slopes = case.get("expected_grad")
    flat = None if slopes is None else list(_leaves(slopes))
    return {**case, "y_true": None, "y_pred": None, "expected_grad": flat}, {**params, "outputs": completed}


def _leaves(value: Any, depth: int = 0) -> Iterator[Any]:
    if isinstance(value, list) and depth <= MAX_DIMENSIONS:
        for item in value:
            yield from _leaves(item, depth + 1)
    else:
        yield value


def _param(path: Path, place: str, key: str, value: Any) -> Any:
    if key == "outputs":
        if not isinstance(value, list):
            _bad(path, place, "a list of outputs", type(value).__name__, "write [{loss, weight, y_true, y_pred}, ...]")
        return tuple(_output(path, f"{place}[{n}]", output) for n, output in enumerate(value))
    if isinstance(value, list):
        if key == "weights" and any(isinstance(layer, list) for layer in value):
            return tuple(array(path, f"{place}[{n}]", layer).astype(np.float64) for n, layer in enumerate(value))
        if key not in ARRAY_PARAMS:
            return tuple(array(path, place, value).ravel().tolist())
        return array(path, place, value).astype(np.float64)
    if key == "class_weight" and isinstance(value, dict):
        return _by_class(path, place, value)
    if isinstance(value, str) and value in TEXT_NUMBERS:
        return TEXT_NUMBERS[value]
    if value is None or (isinstance(value, bool | int | float | str) and representable(value)):
        return value
    return _bad(path, place, "a number, a text or a list", repr(value)[:60], "correct it")


def _by_class(path: Path, place: str, weights: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """{"0": 1.0, "2": 5.0}: one weight a class, 1 where none is named."""
    if not weights or not all(key.isdecimal() and len(key) < 6 for key in weights):
        _bad(path, place, 'class numbers, as in {"0": 1.0}', repr(weights)[:60], "name classes by their index")
    found = np.ones(max(map(int, weights)) + 1)
    for key, weight in weights.items():
        if isinstance(weight, list):
            _bad(path, f"{place}.{key}", "a number", "a list", "give one weight a class")
        found[int(key)] = float(array(path, f"{place}.{key}", weight))
    return found


def _output(path: Path, place: str, output: Any) -> Mapping[str, Any]:
    if not isinstance(output, dict) or not {"loss", "y_true", "y_pred"} <= set(output):
        _bad(path, place, "an object with loss, weight, y_true, y_pred", repr(output)[:60], "complete it")
    params = output.get("params") or {}
    if not isinstance(params, dict):
        _bad(path, f"{place}.params", "an object", type(params).__name__, 'write {"delta": 1.0}')
    weight = output.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not representable(weight):
        _bad(path, f"{place}.weight", "a number that fits float64", repr(weight)[:60], "correct it")
    return {
        "loss": str(output["loss"]),
        "weight": float(weight),
        "params": {key: _param(path, f"{place}.params.{key}", key, value) for key, value in params.items()},
        "y_true": array(path, f"{place}.y_true", output["y_true"]),
        "y_pred": array(path, f"{place}.y_pred", output["y_pred"]),
    }


def _floats(values: npt.NDArray[Any] | None) -> npt.NDArray[np.float64] | None:
    return None if values is None else values.astype(np.float64)


def _tolerance(path: Path, place: str, value: Any) -> Tolerance | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not set(value) <= {"rel", "abs"}:
        _bad(path, place, '{"rel": r, "abs": a}', repr(value)[:60], "correct it")
    try:
        return Tolerance(relative=float(value.get("rel", 0.0)), absolute=float(value.get("abs", 0.0)))
    except (TypeError, ValueError, OverflowError):
        _bad(path, place, "numbers", repr(value)[:60], "correct it")


def _bad(path: Path, place: str, expected: str, received: str, remedy: str) -> NoReturn:
    where = f"case file {path.name}" + (f" at {place}" if place else "")
    raise BadInput(subject=where, expected=expected, received=received, remedy=remedy)
