"""The objective of a run: the catalogue's losses on a model's outputs, each in its framework's own spelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from lossbench.lanes.evaluation import plan
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Binding, Loss
from lossbench.spec.reduction import reduce
from lossbench.spec.training import Activation, Dense, Experiment, Term

ACTIVATIONS: Final[Mapping[str, tuple[Activation, ...]]] = MappingProxyType(
    {
        "real": ("linear", "relu", "sigmoid", "softmax"),
        "logits": ("linear", "sigmoid", "softmax"),  # the numbers that go into the activation
        "nonnegative": ("relu", "sigmoid", "softmax"),
        "positive": ("softmax", "sigmoid"),
        "probability": ("sigmoid", "softmax"),
        "simplex": ("softmax",),
    }
)
"""Kind of a loss's prediction -> the activations of an output that lie in it."""

NATIVE: Final = ("keras", "tf.nn", "functional", "optax", "jax.nn")
"""Spellings of the frameworks' own, as opposed to formulas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One term made concrete for a framework. raw: it takes the numbers before the output's activation."""

    term: Term
    loss: Loss
    binding: Binding
    raw: bool


def check(experiment: Experiment, catalogue: Catalogue) -> None:
    """BadInput where a loss does not fit the output that it is given."""
    for term in experiment.loss:
        loss = catalogue.find(term.loss)
        layers = experiment.model.heads.get(term.head)
        where = f"loss {loss.name!r} on output {term.head!r} of {experiment.id}"
        if layers is None:
            known = ", ".join(experiment.model.heads)
            raise BadInput(subject=where, expected=f"an output of the model ({known})", received=repr(term.head),
                           remedy="name one of them as the head of the term")  # fmt: skip
        last = layers[-1]
        activation = last.activation if isinstance(last, Dense) and not term.raw else "linear"
        kind = loss.inputs["y_pred"].kind
        fitting = ACTIVATIONS.get(kind, ())
        if activation not in fitting:
            raise BadInput(
                subject=where,
                expected=f"an output of kind {kind}" + (f" ({' or '.join(fitting)})" if fitting else ""),
                received=f"a {activation} one",
                remedy=f"end the output with {fitting[0]}, or take a loss of another kind of prediction"
                if fitting else "take a loss of another kind of prediction",
            )  # fmt: skip


def parts(
    terms: Sequence[Term], catalogue: Catalogue, backend: str, *, from_logits: bool, activations: Mapping[str, str]
) -> tuple[Part, ...]:
    """The spelling each term takes in this framework.

    A framework whose library has no loss of probabilities takes its own loss of logits instead, and all take it
    where `from_logits`.
    """
    found = []
    for term in terms:
        loss = catalogue.find(term.loss)
        squashed = activations.get(term.head) in ("sigmoid", "softmax")
        twin = catalogue.losses.get(f"{loss.name}_logits")
        own = _native(loss, backend, term.params)
        unsafe = own is None or (backend == "torch" and own.docs[0].endswith("nll_loss"))  # log of a softmax: -inf
        if twin is not None and squashed and (from_logits or unsafe):
            loss = twin
        raw = term.raw or loss.inputs["y_pred"].kind == "logits"
        found.append(Part(term=term, loss=loss, binding=spelling(loss, backend, term.params), raw=raw))
    return tuple(found)


def spelling(loss: Loss, backend: str, params: Mapping[str, Any]) -> Binding:
    """The framework's own spelling where it takes these parameters, else a formula. BadInput where it has neither."""
    return _native(loss, backend, params) or _formula(loss, backend)


def _native(loss: Loss, backend: str, params: Mapping[str, Any]) -> Binding | None:
    own = (b for b in loss.bindings_of(backend) if b.name in NATIVE)
    return next((b for b in own if set(params) <= set(b.accepts)), None)


def _formula(loss: Loss, backend: str) -> Binding:
    spelled = {b.name: b for b in loss.bindings_of(backend)}
    if not spelled:
        raise BadInput(subject=f"loss {loss.name!r}", expected=f"a spelling for {backend}", received="none",
                       remedy="take another loss, or add a binding")  # fmt: skip
    return spelled.get("stable") or spelled.get("formula") or next(iter(spelled.values()))


def objective(m: Any, made: Sequence[Part]) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    """A function of (outputs, targets): the weighted sum of the terms, a scalar tensor.

    outputs: head -> what it gives, `head/raw` -> the numbers before its activation, and `mean` and `logvar`.
    """

    def value(outputs: Mapping[str, Any], targets: Mapping[str, Any]) -> Any:
        total = None
        for part in made:
            term = part.term
            latents = {name: outputs[name] for name in ("mean", "logvar")} if term.latents else {}
            asked = plan(part.loss, part.binding, {**term.params, **latents})
            y_pred = outputs[f"{term.head}/raw"] if part.raw else outputs[term.head]
            found = part.binding.call(m, targets[term.head], y_pred, **asked.handed)
            losses, added = found if isinstance(found, tuple) else (found, None)
            if len(losses.shape):
                losses = reduce(m, losses, unit=part.binding.unit, reduction=asked.reduction)
            if added is not None:
                losses = losses + added
            weighted = losses if term.weight == 1.0 else losses * term.weight
            total = weighted if total is None else total + weighted
        return total

    return value
