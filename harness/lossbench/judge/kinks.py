"""Which subgradient each framework picks where a loss has a corner: any between the one-sided slopes is right.

Asked on inputs that lie on the corner exactly. Recorded as rows of the claims table, named `K:` and the loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.claims import DTYPE, LaneLike
from lossbench.judge.elements import TIGHT_EPS
from lossbench.judge.reference import Evaluate, from_oracle
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS, round_to
from lossbench.spec.loss import Loss

PREFIX: Final = "K:"
_NAMES: Final = {0.0: "lower end", 0.5: "middle", 1.0: "upper end"}


def inputs_on(loss: Loss) -> dict[str, npt.NDArray[Any]] | None:
    """Elements that lie on each kink of a loss, or None where it has none of its own two inputs."""
    if loss.kinks is None or loss.unit != "element" or len(loss.inputs) > 2 or loss.inputs["y_true"].integer:
        return None
    places = np.array(loss.kinks(**loss.params), np.float64)
    targets = {"margin": (-1.0, 1.0), "prediction": (0.0, 1.0), "residual": (1.0,)}[loss.kink_of]
    y = np.repeat(targets, places.size)
    at = np.tile(places, len(targets))
    p = {"margin": at * y, "prediction": at, "residual": y + at}[loss.kink_of]
    return {"y_true": round_to(y, DTYPE), "y_pred": round_to(p, DTYPE)}


def audit(
    losses: Iterable[Loss],
    lanes: Mapping[str, LaneLike],
    *,
    evaluate: Evaluate = from_oracle,
    limit_seconds: float = 60.0,
) -> list[dict[str, Any]]:
    """Rows of the claims table: the hull of the slopes from the oracle, and what each spelling picks in it.

    lanes: lane id -> lane; an id begins with its backend. Elements that no number of the dtype puts on a kink
    are left out, and losses of which none is left.
    """
    hulls = {loss.name: (loss, *hull) for loss in losses if (hull := _hull(loss, evaluate)) is not None}

    def asked(lane_id: str) -> list[dict[str, Any]]:
        backend, found = lane_id.partition("-")[0], []
        for loss, arrays, low, high in hulls.values():
            for binding in loss.bindings_of(backend):
                params = {**loss.params, "reduction": "none"}
                answer = lanes[lane_id].answer_given(
                    loss.name, binding.name, params, arrays, DTYPE, "grad", limit_seconds
                )
                grad = answer.grad if answer.status == "ok" else None
                place = {"backend": backend, "binding": binding.name, "lane": lane_id}
                found.append(_row(loss, arrays, low, high, grad, place, f"{answer.status}: {answer.reason}"))
        return found

    with ThreadPoolExecutor() as threads:
        return [row for rows in threads.map(asked, lanes) for row in rows]


def choice(slope: float, low: float, high: float) -> tuple[str, bool]:
    """What was picked between two one-sided slopes, in words, and whether it lies between them."""
    if np.isnan(slope):
        return "NaN", False
    slack = TIGHT_EPS * FORMATS[DTYPE].eps * max(abs(low), abs(high))
    if not low - slack <= slope <= high + slack:
        return f"{slope:g}, outside", False
    if slope == 0:
        return "0", True
    if np.isinf(low) or np.isinf(high):
        return f"{slope:g}", True
    part = (slope - low) / (high - low)
    near = min(_NAMES, key=lambda known: abs(known - part))
    return f"{slope:g}, {_NAMES[near] if abs(near - part) < 0.01 else f'{part:.2g} of the way'}", True


def _hull(
    loss: Loss, evaluate: Evaluate
) -> tuple[dict[str, npt.NDArray[Any]], Sequence[float], Sequence[float]] | None:
    arrays = inputs_on(loss)
    if arrays is None:
        return None
    try:
        exact: Any = evaluate(loss, {**loss.params, "reduction": "none"}, arrays, DTYPE)
    except BadInput:
        return None
    kink = exact.grad.kink
    if not kink.any():
        return None
    kept = {name: values[kink] for name, values in arrays.items()}
    return kept, exact.grad.low(DTYPE)[kink].tolist(), exact.grad.high(DTYPE)[kink].tolist()


def _row(
    loss: Loss,
    arrays: Mapping[str, npt.NDArray[Any]],
    low: Sequence[float],
    high: Sequence[float],
    grad: npt.NDArray[Any] | None,
    place: Mapping[str, str],
    error: str,
) -> dict[str, Any]:
    ends = [f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True)]
    where = [f"y {y:g}, p {p:g}" for y, p in zip(arrays["y_true"], arrays["y_pred"], strict=True)]
    row = {
        "claim": f"{PREFIX}{loss.name}", "loss": loss.name, "source": f"kinks of {loss.kink_of}",
        "claimed": "; ".join(where), "oracle": "; ".join(ends), "runs_as_written": "", **place,
    }  # fmt: skip
    if grad is None or np.shape(grad) != np.shape(arrays["y_pred"]):
        return {**row, "measured": "", "holds": "unclear", "reason": f"no gradient: {error}"}
    picked = [choice(float(g), a, b) for g, a, b in zip(grad, low, high, strict=True)]
    inside = all(right for _, right in picked)
    said = "; ".join(f"{text} at {at}" for (text, _), at in zip(picked, where, strict=True))
    return {
        **row, "measured": "; ".join(text for text, _ in picked), "holds": "yes" if inside else "no",
        "reason": f"picks {said}; any of {'; '.join(dict.fromkeys(ends))} is right",
    }  # fmt: skip
