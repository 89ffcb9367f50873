"""A stranger's case made ready: the loss found, shapes and parameters settled, arrays rounded to the dtype.

What a file says in another way than the catalogue does (targets of shape (n, 1), a default spelt out, the outputs of
a model in a list) is put into the catalogue's form here, once, for the oracle and every backend alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.spec import domains
from lossbench.spec.case import Operation
from lossbench.spec.casefile import GivenCase
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import round_to
from lossbench.spec.loss import Loss

Arrays = dict[str, npt.NDArray[Any]]

NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "from_logits": (False,), "label_smoothing": (0,), "axis": (-1,), "normalize": (False,), "log_pred": (False,),
    "log_input": (False,), "full": (False,), "map_01_labels": (False,), "distance": (False,), "sign": ("negative",),
    "pos_weight": (1,), "eps": (0,), "smooth": (0,), "gamma": (0,), "per_sample": ("none",),
}  # fmt: skip
"""Values that say what holds anyway for a loss without the parameter."""

SPARSE: Final = "sparse_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A case made ready: arrays rounded to the dtype, parameters checked. operation: `value` where nothing
    can be differentiated by. fault: why the case cannot be evaluated at all, or empty."""

    case: GivenCase
    loss: Loss
    params: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    operation: Operation = "grad"
    fault: str = ""


def prepare(case: GivenCase, catalogue: Catalogue) -> Prepared:
    """Finds the loss and settles the case. BadInput for a loss or a parameter name that no loss has."""
    loss = catalogue.find(case.loss)
    vocabulary = {
        name for other in catalogue.losses.values() for name in (*other.known_params, *tuple(other.inputs)[2:])
    }
    try:
        return _settled(case, loss, catalogue)
    except BadInput as fault:
        if set(case.params) - vocabulary:
            raise
        return Prepared(case=case, loss=loss, params={}, arrays={}, fault=str(fault))


def _settled(case: GivenCase, loss: Loss, catalogue: Catalogue) -> Prepared:
    given = _known(case, loss)
    if given.get("outputs") is not None:
        return _several(case, loss, given, catalogue)
    loss, given, labels = _data_loss(loss, given, case.y_true, case.y_pred, catalogue)
    assert labels is not None
    assert case.y_pred is not None
    arrays = {
        "y_true": _rounded(_fitting(labels, case.y_pred, loss), loss, "y_true", case.dtype),
        "y_pred": _rounded(case.y_pred, loss, "y_pred", case.dtype),
    }
    for name in tuple(loss.inputs)[2:]:
        if isinstance(given.get(name), np.ndarray):
            arrays[name] = given.pop(name).astype(np.float64)
        elif name not in given:
            raise _fault(case, f"a value for {name}", "none", f"add {name} to params")
    return Prepared(case=case, loss=loss, params={**loss.params, **given}, arrays=arrays)


def _known(case: GivenCase, loss: Loss) -> dict[str, Any]:
    """The parameters that say something: nulls and spelt-out defaults of what the loss does not take left out."""
    taken = {*loss.known_params, *tuple(loss.inputs)[2:]}
    given = {name: value for name, value in case.params.items() if value is not None}
    logits = loss.name.endswith("_logits")
    for name in sorted(set(given) - taken):
        neutral = (True,) if logits and name == "from_logits" else NEUTRAL.get(name, ())
        if isinstance(given[name], np.ndarray | tuple) or given[name] not in neutral:
            known = ", ".join(sorted(taken))
            raise _fault(case, f"parameters of {loss.name} ({known})", name, "rename or drop it")
        del given[name]
    if given.get("per_sample") == "none":
        del given["per_sample"]
    return given


def _fault(case: GivenCase, expected: str, received: str, remedy: str) -> BadInput:
    return BadInput(subject=f"case {case.id!r}", expected=expected, received=received, remedy=remedy)


def _fitting(y_true: npt.NDArray[Any], y_pred: npt.NDArray[Any], loss: Loss) -> npt.NDArray[Any]:
    """Targets in the shape that the loss wants: labels (n, 1) lose their last axis, others broadcast."""
    shape = y_pred.shape
    if loss.inputs["y_true"].extent == "rows":
        one_more = y_true.ndim == y_pred.ndim and y_true.ndim > 0 and y_true.shape[-1] == 1 != shape[-1]
        return y_true[..., 0] if one_more else y_true
    if y_true.shape == shape or loss.inputs["y_true"].extent != "same":
        return y_true
    if y_true.shape == shape[:-1] and shape[-1] == 1:
        return y_true[..., None]
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape == (*shape, 1):
        return y_true[..., 0]
    try:
        return np.broadcast_to(y_true, shape)
    except ValueError:
        raise BadInput(
            subject="y_true",
            expected=f"y_pred's shape {shape}, or one that broadcasts to it",
            received=str(y_true.shape),
            remedy="give one target a prediction",
        ) from None


def _rounded(values: npt.NDArray[Any], loss: Loss, name: str, dtype: str) -> npt.NDArray[Any]:
    if loss.inputs[name].integer and np.all(values == np.rint(values)):
        return values.astype(np.int32)
    return round_to(values, dtype)


def _data_loss(
    loss: Loss, given: dict[str, Any], y_true: Any, y_pred: Any, catalogue: Catalogue
) -> tuple[Loss, dict[str, Any], Any]:
    """A loss around another takes that one's inputs; class indices become the one-hot rows of the dense form."""
    if "data_loss" not in loss.params:
        return loss, given, y_true
    data = catalogue.find(str(given.get("data_loss", loss.params["data_loss"])))
    name = data.name
    if name.startswith(SPARSE) and y_true.ndim < y_pred.ndim:
        y_true, name = (y_true[..., None] == np.arange(y_pred.shape[-1])).astype(np.int64), name.removeprefix(SPARSE)
    inputs = {**loss.inputs, **{key: catalogue.find(name).inputs[key] for key in ("y_true", "y_pred")}}
    return replace(loss, inputs=inputs, unit=data.unit), {**given, "data_loss": name}, y_true


def _several(case: GivenCase, loss: Loss, given: Mapping[str, Any], catalogue: Catalogue) -> Prepared:
    """The predictions of all outputs end to end as the one array to differentiate by; each output reduces itself."""
    reduction = given.get("reduction", "mean")
    outputs, predictions = [], []
    for output in given["outputs"]:
        of = catalogue.find(output["loss"])
        y_pred = _rounded(output["y_pred"], of, "y_pred", case.dtype)
        outputs.append({
            "loss": of.name,
            "weight": output["weight"],
            "params": {"reduction": reduction, **output["params"]},
            "y_true": _rounded(_fitting(output["y_true"], output["y_pred"], of), of, "y_true", case.dtype),
            "shape": tuple(y_pred.shape),
        })  # fmt: skip
        predictions.append(y_pred.ravel())
    together = np.concatenate(predictions)
    any_number = {"y_true": domains.REAL, "y_pred": domains.REAL}
    params = {name: value for name, value in given.items() if name != "reduction"}
    return Prepared(
        case=case,
        loss=replace(loss, inputs=any_number),
        params={**loss.params, **params, "outputs": tuple(outputs)},
        arrays={"y_true": np.zeros_like(together), "y_pred": together},
        operation="grad" if prod(together.shape) else "value",
    )
