"""The problem types of S1's guide, as data: the losses it recommends, rivals, and data with a share of bad targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from lossbench.spec.training import Adam, Array, Dense, Experiment, Layer, Model, Sets, Term

SAMPLES: Final = 1000
TESTED: Final = 2000
FEATURES: Final = 5
NOISE: Final = 0.5
LIFT: Final = (10.0, 30.0)
"""An outlier's target is moved by a number between these."""
CLASSES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """recommended: by S1. rivals: others of the same use. metric: what decides, on a clean test. near, far: places.

    draw: `draw(share, source)` gives the data; the test is clean. near, far: (target, prediction), where the slope
    is read. location: targets of a problem without features, whose best constant is looked for; None for none.
    """

    name: str
    recommended: tuple[Term, ...]
    rivals: tuple[Term, ...]
    end: Layer
    metric: str
    also: tuple[str, ...]
    draw: Callable[[float, np.random.Generator], Sets]
    bad: str
    near: tuple[float, float] = (0.0, 0.01)
    far: tuple[float, float] = (0.0, 20.0)
    location: Callable[[float, np.random.Generator], Array] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def experiment(self, term: Term, share: float) -> Experiment:
        """A training run of this loss on these data."""

        def make(seed: int, images: Any) -> Sets:  # noqa: ARG001 - as every experiment's
            return self.draw(share, np.random.default_rng([10, seed]))

        return Experiment(
            id=f"guide-{self.name}-{term.loss}-{share:g}", title=term.loss, source="S1, guide",
            make=make, loss=(term,), epochs=12, batch=50, metrics=(self.metric, *self.also), optimiser=Adam(rate=0.01),
            model=Model(inputs=(FEATURES,), trunk=(Dense(units=16, activation="relu"),), heads={"y": (self.end,)}),
        )  # fmt: skip


def _sets(x: Array, y: Array, clean: Array) -> Sets:
    return Sets(x=x[:SAMPLES], y={"y": y[:SAMPLES]}, x_test=x[SAMPLES:], y_test={"y": clean[SAMPLES:]})


def _law(x: Array) -> Array:
    return 1.5 * x[:, :1] - 2.0 * x[:, 1:2] + 0.5 * x[:, 2:3] + x[:, 4:5]


def amounts(share: float, source: np.random.Generator) -> Sets:
    """A linear law with noise; a share of the training targets is lifted."""
    x = source.normal(size=(SAMPLES + TESTED, FEATURES))
    clean = _law(x) + 1.0 + NOISE * source.normal(size=(len(x), 1))
    y = clean.copy()
    hit = source.permutation(SAMPLES)[: round(share * SAMPLES)]
    y[hit] += source.uniform(*LIFT, size=(len(hit), 1))
    return _sets(x, y, clean)


def one_amount(share: float, source: np.random.Generator) -> Array:
    """Numbers around zero, a share of them lifted."""
    y = source.normal(size=SAMPLES)
    y[: round(share * SAMPLES)] += source.uniform(*LIFT, size=round(share * SAMPLES))
    return y


def _labels(offset: float) -> Callable[[float, np.random.Generator], Sets]:
    def draw(share: float, source: np.random.Generator) -> Sets:
        x = source.normal(size=(SAMPLES + TESTED, FEATURES))
        chance = 1 / (1 + np.exp(-(_law(x) - offset)))
        clean = (source.random((len(x), 1)) < chance).astype(np.float64)
        y = clean.copy()
        hit = source.permutation(SAMPLES)[: round(share * SAMPLES)]
        y[hit] = 1.0 - y[hit]
        return _sets(x, y, clean)

    return draw


def classes(share: float, source: np.random.Generator) -> Sets:
    """Four groups of points; a share of the training labels is drawn anew."""
    middles = 1.5 * source.normal(size=(CLASSES, FEATURES))
    clean = source.integers(0, CLASSES, size=SAMPLES + TESTED).astype(np.int32)
    x = middles[clean] + source.normal(size=(len(clean), FEATURES))
    y = clean.copy()
    hit = source.permutation(SAMPLES)[: round(share * SAMPLES)]
    y[hit] = source.integers(0, CLASSES, size=len(hit))
    return _sets(x, y, clean)


def one_label(share: float, source: np.random.Generator) -> Array:
    """Labels of which 30% are positive, a share of them turned around."""
    y = (source.random(SAMPLES) < 0.3).astype(np.float64)
    turned = round(share * SAMPLES)
    y[:turned] = 1.0 - y[:turned]
    return y


_HINGE: Final = {"map_01_labels": True}
_PLAIN, _FOCAL = Term(loss="binary_crossentropy_logits"), Term(loss="binary_focal_logits", params={"gamma": 2.0})
_YES_NO: Final[dict[str, Any]] = {
    "end": Dense(units=1, activation="sigmoid"), "near": (1.0, 3.0), "far": (1.0, -10.0), "location": one_label,
    "bad": "labels turned around",
}  # fmt: skip

PROBLEMS: Final[Mapping[str, Problem]] = MappingProxyType({problem.name: problem for problem in (
    Problem(
        name="regression", recommended=(Term(loss="mse"), Term(loss="mae"), Term(loss="huber")),
        rivals=(Term(loss="log_cosh"),), end=Dense(units=1), metric="mae", also=("rmse", "bias"), draw=amounts,
        bad="outliers", location=one_amount,
    ),
    Problem(
        name="binary", recommended=(_PLAIN, Term(loss="hinge", params=_HINGE, raw=True)),
        rivals=(Term(loss="squared_hinge", params=_HINGE, raw=True), _FOCAL), metric="binary_accuracy",
        also=("calibration_error",), draw=_labels(0.0), **_YES_NO,
    ),
    Problem(
        name="multiclass", recommended=(Term(loss="sparse_categorical_crossentropy_logits"),
                                        Term(loss="sparse_categorical_crossentropy")), rivals=(),
        end=Dense(units=CLASSES, activation="softmax"), metric="accuracy", also=(), draw=classes,
        bad="labels drawn anew",
    ),
    Problem(
        name="imbalanced",
        recommended=(Term(loss="weighted_binary_crossentropy_logits", params={"pos_weight": 10.0}), _FOCAL),
        rivals=(_PLAIN,), metric="balanced_accuracy", also=("recall", "precision", "calibration_error"),
        draw=_labels(4.0), **_YES_NO,
    ),
)})  # fmt: skip
