"""A loss is not a metric: where a lower loss came with a worse metric, in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lossbench.practice.metrics import less_is_better

TIE: Final = 1e-12


def sentences(epochs: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each experiment, framework and metric where the lowest test loss is not the best metric's epoch.

    epochs: rows of the books; seed 0 in float32 is told.
    """
    runs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in epochs:
        if row["seed"] == 0 and row["dtype"] == "float32":
            for backend, results in row["results"].items():
                runs.setdefault((row["experiment"], backend), []).append(results | {"epoch": row["epoch"]})
    return [said for (experiment, backend), rows in runs.items() for said in _of(experiment, backend, rows)]


def _of(experiment: str, backend: str, rows: list[Mapping[str, Any]]) -> Iterable[str]:
    names = [n for n in rows[0] if n.startswith("val_") and n != "val_loss"]
    for name in names:
        sign = 1.0 if less_is_better(name) else -1.0
        lowest = min(rows, key=lambda r: float(r["val_loss"]))
        best = min(rows, key=lambda r, n=name, s=sign: s * float(r[n]))  # type: ignore[misc]
        if sign * (float(lowest[name]) - float(best[name])) > TIE and float(best["val_loss"]) > float(
            lowest["val_loss"]
        ):
            yield (
                f"{experiment} on {backend}: the lowest test loss, {float(lowest['val_loss']):.4g} after epoch "
                f"{lowest['epoch']}, comes with {name.removeprefix('val_')} {float(lowest[name]):.4g}; the best, "
                f"{float(best[name]):.4g} after epoch {best['epoch']}, with a loss of {float(best['val_loss']):.4g}."
            )
