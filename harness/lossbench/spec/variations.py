"""Parameters away from their defaults, one at a time: a parameter that nobody sets is a parameter that nobody tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lossbench.spec.loss import Loss, Scalar

OTHER_AXIS: Final = 0
"""In place of the last axis: classes then stand where the rows stood, see `inputs.build`."""

WITHOUT_DEFAULT: Final[Mapping[str, Scalar]] = {
    "label_smoothing": 0.1, "pos_weight": 3.0, "alpha": 0.25, "smooth": 0.5, "eps": 1e-3, "ignore_index": 1,
    "axis": OTHER_AXIS,
}  # fmt: skip
"""What to try for a parameter that a loss understands and has no default for. Others change the shape, the domain
of the prediction or hold arrays, and are left out."""

WORDS: Final[Mapping[str, tuple[str, ...]]] = {"recon": ("mse", "bce"), "sign": ("negative", "positive")}
FIXED: Final = ("eps", "data_loss", "log_pred", "log_input", "remove_diagonal", "map_01_labels")
"""Parameters with a default that not every binding honours, or that ask for other inputs."""

REDUCTIONS: Final = ("sum", "none")


def variations(loss: Loss) -> Iterator[Mapping[str, Scalar]]:
    """The loss's defaults with one parameter changed: a number to three quarters, a switch turned, a word's other.

    The reductions come last; a loss that is one number for the whole batch has none.
    """
    for name, default in loss.params.items():
        if name not in FIXED and (other := _other(name, default)) is not None:
            yield {**loss.params, name: other}
    for name in loss.accepts:
        if name in WITHOUT_DEFAULT and name not in loss.params:
            yield {**loss.params, name: WITHOUT_DEFAULT[name]}
            if name == "ignore_index":
                yield {**loss.params, name: WITHOUT_DEFAULT[name], "reduction": "mean_over_valid"}
    if loss.unit != "batch":
        for reduction in REDUCTIONS:
            yield {**loss.params, "reduction": reduction}


def _other(name: str, default: Any) -> Scalar:
    if isinstance(default, bool):
        return not default
    if name == "axis":
        return OTHER_AXIS
    if isinstance(default, int | float):
        return 0.75 * default if default else 0.5
    return next((word for word in WORDS.get(name, ()) if word != default), None)
