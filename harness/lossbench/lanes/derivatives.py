"""Derivatives that are asked for beside the usual gradient: by the target, and by the prediction in forward mode.

Many losses have neither in some framework; that is `unsupported`, with the framework's own reason.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from lossbench.lanes.backends.base import Backend, Function, NoGradientError, Tensor, UnsupportedError

FORWARD_ELEMENTS: Final = 1024
"""Forward mode takes a pass for each number of the prediction."""


def by_target(backend: Backend, fn: Function, y_true: Any, mode: str) -> Function:
    """`(value, d sum(value) / d y_true)`. UnsupportedError where nothing differentiates by this target."""
    if np.asarray(y_true).dtype.kind != "f":
        raise UnsupportedError("the target holds whole numbers, by which nothing is differentiated")
    differentiate = backend.value_and_grad(fn, argnum=0, mode=mode)

    def run(*args: Tensor) -> Any:
        try:
            return differentiate(*args)
        except NoGradientError as error:
            raise UnsupportedError(f"{backend.name} gives no gradient by the target") from error
        except RuntimeError as error:
            if "not implemented" in str(error):
                raise UnsupportedError(str(error).split("\n")[0]) from error
            raise

    return run


def forward(backend: Backend, fn: Function, y_pred: Any, mode: str) -> Function:
    """`(value, d sum(value) / d y_pred)` in forward mode. UnsupportedError if compiled or large."""
    if mode != "eager":
        raise UnsupportedError("forward mode is asked for in eager lanes alone")
    if np.size(y_pred) > FORWARD_ELEMENTS:
        raise UnsupportedError(
            f"forward mode takes a pass for each of {np.size(y_pred)} numbers; at most {FORWARD_ELEMENTS} are asked for"
        )
    return backend.forward_gradient(fn)
