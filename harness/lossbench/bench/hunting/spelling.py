"""A witness as a program in its framework alone: inputs, the call, the derivative, and what is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.spec.formats import round_to

SHOWN_ELEMENTS: Final = 16
REPEATED_ROWS: Final = 9
MODULES: Final[Mapping[str, Mapping[str, str]]] = {
    "torch": {"torch": "import torch"},
    "tensorflow": {"tf": "import tensorflow as tf", "keras": "import keras"},
    "jax": {
        "jax": "import jax",
        "jnp": "import jax.numpy as jnp",
        "optax": "import optax",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a reproducer prints: one quantity, whole or at one place."""

    quantity: str
    place: tuple[int, ...] | None


def shown(quantity: str, shape: tuple[int, ...], worst: tuple[int, ...]) -> Shown:
    """The whole of a small result, the worst element of a large one."""
    return Shown(quantity=quantity, place=None if int(np.prod(shape)) <= SHOWN_ELEMENTS else worst)


def number(value: float, dtype: str) -> str:
    """The shortest text that is this number once it is rounded to the dtype."""
    if not np.isfinite(value):
        return f'float("{value}")'
    for digits in range(1, 18):
        text = f"{value:.{digits}g}"
        if float(round_to(float(text), dtype)) == value:
            break
    short = repr(float(text))
    return short if len(short) <= len(text) + 4 else text


def array(values: npt.NDArray[Any], dtype: str) -> str:
    """A nested list; rows that are all alike once, and how often."""
    given = np.asarray(values)
    if given.ndim == 0:
        return str(int(given)) if given.dtype.kind in "iu" else number(float(given), dtype)
    if len(given) >= REPEATED_ROWS and bool((given == given[:1]).all()):
        return f"[{array(given[0], dtype)}] * {len(given)}"
    return "[" + ", ".join(array(item, dtype) for item in given) + "]"


def program(
    backend: str,
    lines: list[str],
    arrays: Mapping[str, npt.NDArray[Any]],
    dtype: str,
    what: Shown,
) -> str:
    """Source of a whole program. lines: of the loss, the last an expression of the names in `arrays`."""
    made = [f"{name} = {_tensor(backend, name, values, dtype, what)}" for name, values in arrays.items()]
    body = {"torch": _torch, "tensorflow": _tensorflow, "jax": _jax}[backend](lines, tuple(arrays), what)
    text = "\n".join([*_before(backend, lines, dtype), *made, *body])
    used = [line for name, line in MODULES[backend].items() if f"{name}." in text.replace("tf.keras", "tf_keras")]
    return "\n".join([*used, "", text, ""])


def _before(backend: str, lines: list[str], dtype: str) -> list[str]:
    if backend == "jax" and dtype == "float64":
        return ['jax.config.update("jax_enable_x64", True)']
    if backend == "tensorflow" and dtype != "float32" and any("keras." in line for line in lines):
        return [f'keras.config.set_floatx("{dtype}")']
    return []


def _tensor(backend: str, name: str, values: npt.NDArray[Any], dtype: str, what: Shown) -> str:
    whole = np.asarray(values).dtype.kind in "iu"
    text = array(values, dtype)
    if backend == "torch":
        by = ", requires_grad=True" if name == "y_pred" and what.quantity == "grad" else ""
        return f"torch.tensor({text}, dtype=torch.{'int64' if whole else dtype}{by})"
    kind = "int32" if whole else dtype
    return f"tf.constant({text}, tf.{kind})" if backend == "tensorflow" else f"jnp.array({text}, jnp.{kind})"


def _at(what: Shown) -> str:
    return "" if not what.place else "[" + ", ".join(map(str, what.place)) + "]"


def _torch(lines: list[str], names: tuple[str, ...], what: Shown) -> list[str]:  # noqa: ARG001
    body = [*lines[:-1], f"loss = {lines[-1]}"]
    if what.quantity == "value":
        return [*body, f"print(loss{_at(what)}.tolist())"]
    return [*body, "loss.sum().backward()", f"print(y_pred.grad{_at(what)}.tolist())"]


def _tensorflow(lines: list[str], names: tuple[str, ...], what: Shown) -> list[str]:  # noqa: ARG001
    if what.quantity == "value":
        return [*lines[:-1], f"loss = {lines[-1]}", f"print(loss.numpy(){_at(what)}.tolist())"]
    inner = [*lines[:-1], f"loss = {lines[-1]}"]
    return [
        "with tf.GradientTape() as tape:",
        "    tape.watch(y_pred)",
        *(f"    {line}" for line in inner),
        f"print(tf.convert_to_tensor(tape.gradient(loss, y_pred)).numpy(){_at(what)}.tolist())",
    ]


def _jax(lines: list[str], names: tuple[str, ...], what: Shown) -> list[str]:  # noqa: ARG001
    if what.quantity == "value":
        return [*lines[:-1], f"loss = {lines[-1]}", f"print(loss{_at(what)}.tolist())"]
    return [
        "",
        "def total(y_pred):",
        *(f"    {line}" for line in lines[:-1]),
        f"    return jnp.sum({lines[-1]})",
        "",
        f"print(jax.grad(total)(y_pred){_at(what)}.tolist())",
    ]


def commented(source: str, *, exact: str, printed: str, versions: str) -> str:
    """The program with the exact result and what was seen as its last comments."""
    return f"{source}# exact:  {exact}\n# prints: {printed}   ({versions})\n"


def plain(values: npt.ArrayLike, what: Shown, dtype: str) -> str:
    """A result as the program prints it."""
    found = np.asarray(values, dtype=np.float64)
    if what.place is not None:
        found = found[what.place]
    return str(_listed(found, dtype))


def _listed(values: npt.NDArray[Any], dtype: str) -> Any:
    if values.ndim == 0:
        return float(values)
    return [_listed(item, dtype) for item in values]
