"""What is measured: a loss, the ways frameworks spell it, and the definitions known to differ.

A Loss is one frozen value in one suite file. It imports no framework and no arithmetic: bindings
are functions of `m`, the namespace of a backend, and references are functions of `x`, the exact
namespace of the oracle; both offer the vocabulary of `lossbench.spec.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from lossbench.spec.domains import Domain

Unit = Literal["element", "row", "batch"]
"""What one unreduced number stands for: an element of the prediction, a row of it (the class axis
is summed away), or the whole batch (already a scalar)."""

Formula = Callable[..., Any]
Scalar = float | int | bool | str | None

GENERIC_PARAMETERS = ("reduction", "per_sample", "sample_weight")
"""Parameters every loss takes: lossbench applies them to the unreduced losses, in the framework's
own operations, wherever a binding does not take them itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A documented definition that differs from the exact one on some inputs.

    name: readable and unique within the loss, e.g. `eps_clip=1e-7`.
    reference: like `Loss.reference`; evaluated by the oracle to recognise the convention.
    where: one sentence: who uses it and on which inputs it shows.
    backend: the framework whose own it is, empty for nobody's: of two that fit, its own is named.
    dtypes: in which somebody follows it, empty for every one: a constant as float16 holds it explains no float32.
    """

    name: str
    reference: Formula
    where: str
    backend: str = ""
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How one framework spells a loss.

    backend: `tensorflow`, `torch` or `jax`.
    name: `keras`, `tf.nn`, `functional`, `optax`, `jax.nn`, `formula`, ...; unique within loss and backend.
    call: `call(m, y_true, y_pred, **params)`; returns the unreduced losses (see `unit`) or, where
        `reduction` is among `accepts`, the reduced loss; or a pair of these and a number that is added
        once to the reduced loss, such as a penalty on weights.
    docs: the qualified public names it exercises, e.g. `torch.nn.functional.huber_loss`.
    unit: what one number of its unreduced output stands for.
    accepts: the parameters handed to `call`; a parameter that is set, not here and not generic
        makes the cell `unsupported`.
    differs: what it does differently from the loss's formula, one sentence, or empty.
    definition: the name of the definition its documentation states; `exact` is the loss's own.
    """

    backend: str
    name: str
    call: Formula
    docs: tuple[str, ...]
    unit: Unit = "element"
    accepts: tuple[str, ...] = ()
    differs: str = ""
    definition: str = "exact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A documented loss.

    name: the id users type. title: as a heading. aliases: other names it is found by.
    formula: LaTeX of one unreduced loss, with y the target and p the prediction.
    source: citation of the definition. documented_in: the catalogue's sources (S0 to S4) or empty.
    inputs: argument name -> Domain, `y_true` and `y_pred` first; further arrays are passed by keyword.
    params: scalar parameters with the default each has in the formula.
    accepts: further parameters that the reference understands (arrays such as `class_weight`, or
        options such as `label_smoothing`), without a default.
    reference: `reference(x, y_true, y_pred, **params)` returns unreduced losses of shape `unit`.
    unit: what one unreduced number stands for.
    reduction: how unreduced losses become one number unless a case says otherwise.
    shapes: prediction shape for agreement (`small`), for timing (`large`).
    definitions: known differing definitions. kinks: `kinks(**params)` -> where the derivative jumps,
        as values of `kink_of` ("residual" p - y, "margin" y p, or "prediction").
    """

    name: str
    title: str
    summary: str
    formula: str
    source: str
    inputs: Mapping[str, Domain]
    reference: Formula
    bindings: tuple[Binding, ...]
    unit: Unit = "element"
    aliases: tuple[str, ...] = ()
    documented_in: tuple[str, ...] = ()
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    accepts: tuple[str, ...] = ()
    reduction: str = "mean"
    shapes: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: MappingProxyType({"small": (16, 8), "large": (2048, 128)})
    )
    definitions: tuple[Definition, ...] = ()
    kinks: Callable[..., tuple[float, ...]] | None = None
    kink_of: Literal["residual", "margin", "prediction"] = "residual"

    def __post_init__(self) -> None:
        for text in ("name", "title", "summary", "formula", "source"):
            if not str(getattr(self, text)).strip():
                raise TypeError(f"Loss {self.name!r}: {text} is required, got an empty string; write it")
        if tuple(self.inputs)[:2] != ("y_true", "y_pred"):
            raise TypeError(
                f"Loss {self.name!r}: inputs must begin with y_true, y_pred, got {tuple(self.inputs)}; reorder them"
            )
        seen: set[tuple[str, str]] = set()
        for binding in self.bindings:
            key = (binding.backend, binding.name)
            if key in seen:
                raise TypeError(f"Loss {self.name!r}: two bindings are named {key}; rename one")
            seen.add(key)

    @property
    def known_params(self) -> tuple[str, ...]:
        """Every parameter name that a case of this loss may set."""
        return (*self.params, *self.accepts, *GENERIC_PARAMETERS)

    def bindings_of(self, backend: str) -> tuple[Binding, ...]:
        """The bindings of one backend, the documented spelling first."""
        return tuple(b for b in self.bindings if b.backend == backend)

    def definitions_in(self, dtype: str) -> tuple[Definition, ...]:
        """The known differing definitions that somebody follows in this dtype."""
        return tuple(d for d in self.definitions if not d.dtypes or dtype in d.dtypes)

    def definition(self, name: str) -> Formula:
        """The reference of a definition by name; `exact` is the loss's own. KeyError if unknown."""
        if name == "exact":
            return self.reference
        return {d.name: d.reference for d in self.definitions}[name]
