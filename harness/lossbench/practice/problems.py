"""The problem types of S1's guide, as data: the losses it recommends, rivals, and data with a share of bad targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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


Draw = Callable[[float, np.random.Generator], Sets]
Locate = Callable[[float, np.random.Generator], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """recommended: by S1. rivals: others of the same use. metric: what decides, on a clean test. also: further ones.

    calibration: the one among `also` that says whether predictions mean what they say. draw: `draw(share, source)`
    gives the data; the test is clean. near, far: (target, prediction), where the slope is read; of classes the
    prediction is the first class's number before softmax, the others' being zero. location: targets of a problem
    without features, whose best constant is looked for.
    """

    name: str
    recommended: tuple[Term, ...]
    rivals: tuple[Term, ...]
    end: Layer
    metric: str
    also: tuple[str, ...]
    draw: Draw
    bad: str
    calibration: str
    location: Locate
    near: tuple[float, float] = (0.0, 0.01)
    far: tuple[float, float] = (0.0, 20.0)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every loss: what S1 recommends, then its rivals."""
        return (*self.recommended, *self.rivals)

    def experiment(self, term: Term, share: float) -> Experiment:
        """A training run of this loss on these data."""

        def make(seed: int, images: Any) -> Sets:  # noqa: ARG001 - as every experiment's
            drawn = self.draw(share, np.random.default_rng([10, seed]))
            return _as_rows(drawn) if term.loss in OF_ROWS else drawn

        return Experiment(
            id=f"guide-{self.name}-{term.loss}-{share:g}", title=term.loss, source="S1, guide",
            make=make, loss=(term,), epochs=12, batch=50, metrics=(self.metric, *self.also), optimiser=Adam(rate=0.01),
            model=Model(inputs=(FEATURES,), trunk=(Dense(units=16, activation="relu"),), heads={"y": (self.end,)}),
        )  # fmt: skip


OF_ROWS: Final = ("categorical_crossentropy", "categorical_focal", "categorical_hinge")
"""Losses whose targets are rows of zeros with a one, instead of a class's number."""


def rows(labels: Array) -> Array:
    """Class numbers as rows of zeros with a one."""
    return np.eye(CLASSES)[labels]


def _as_rows(sets: Sets) -> Sets:
    return replace(sets, y={"y": rows(sets.y["y"])}, y_test={"y": rows(sets.y_test["y"])})


def _sets(x: Array, y: Array, clean: Array) -> Sets:
    return Sets(x=x[:SAMPLES], y={"y": y[:SAMPLES]}, x_test=x[SAMPLES:], y_test={"y": clean[SAMPLES:]})


def _law(x: Array) -> Array:
    return 1.5 * x[:, :1] - 2.0 * x[:, 1:2] + 0.5 * x[:, 2:3] + x[:, 4:5]


Noise = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _amounts(noise: Noise) -> Draw:
    def draw(share: float, source: np.random.Generator) -> Sets:
        x = source.normal(size=(SAMPLES + TESTED, FEATURES))
        clean = _law(x) + 1.0 + NOISE * noise(source, (len(x), 1))
        y = clean.copy()
        hit = source.permutation(SAMPLES)[: round(share * SAMPLES)]
        y[hit] += source.uniform(*LIFT, size=(len(hit), 1))
        return _sets(x, y, clean)

    return draw


def _normal(source: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return source.normal(size=shape)


def _tailed(source: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return source.standard_t(2.0, size=shape)


amounts: Final = _amounts(_normal)
"""A linear law with normal noise; a share of the training targets is lifted."""
tailed: Final = _amounts(_tailed)
"""The same with noise of Student's t with two degrees of freedom: most small, a few very large, in the test, too."""


def _one_amount(noise: Noise) -> Locate:
    def draw(share: float, source: np.random.Generator) -> Array:
        y = noise(source, (SAMPLES,))
        y[: round(share * SAMPLES)] += source.uniform(*LIFT, size=round(share * SAMPLES))
        return y

    return draw


one_amount: Final = _one_amount(_normal)
"""Numbers around zero, a share of them lifted."""


def _labels(offset: float) -> Draw:
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


def one_class(share: float, source: np.random.Generator) -> Array:
    """Class numbers of which 55% are the first, a share of them drawn anew."""
    y = np.where(source.random(SAMPLES) < 0.55, 0, source.integers(1, CLASSES, size=SAMPLES)).astype(np.int32)
    anew = round(share * SAMPLES)
    y[:anew] = source.integers(0, CLASSES, size=anew)
    return y


_HINGE: Final = {"map_01_labels": True}
_PLAIN, _FOCAL = Term(loss="binary_crossentropy_logits"), Term(loss="binary_focal_logits", params={"gamma": 2.0})
_YES_NO: Final[dict[str, Any]] = {
    "end": Dense(units=1, activation="sigmoid"), "near": (1.0, 3.0), "far": (1.0, -10.0), "location": one_label,
    "bad": "labels turned around", "calibration": "calibration_error",
}  # fmt: skip
_AMOUNTS: Final[dict[str, Any]] = {
    "recommended": (Term(loss="mse"), Term(loss="mae"), Term(loss="huber")), "rivals": (Term(loss="log_cosh"),),
    "end": Dense(units=1), "metric": "mae", "also": ("rmse", "bias"), "bad": "outliers", "calibration": "bias",
}  # fmt: skip

PROBLEMS: Final[Mapping[str, Problem]] = MappingProxyType({problem.name: problem for problem in (
    Problem(name="regression", draw=amounts, location=one_amount, **_AMOUNTS),
    Problem(name="heavy-tailed", draw=tailed, location=_one_amount(_tailed), **_AMOUNTS),
    Problem(
        name="binary", recommended=(_PLAIN, Term(loss="hinge", params=_HINGE, raw=True)),
        rivals=(Term(loss="squared_hinge", params=_HINGE, raw=True), _FOCAL, Term(loss="mse")),
        metric="binary_accuracy", also=("calibration_error",), draw=_labels(0.0), **_YES_NO,
    ),
    Problem(
        name="multiclass",
        recommended=(Term(loss="categorical_crossentropy"), Term(loss="sparse_categorical_crossentropy")),
        rivals=(Term(loss="categorical_focal"), Term(loss="generalized_crossentropy"),
                Term(loss="categorical_hinge", raw=True)),
        end=Dense(units=CLASSES, activation="softmax"), metric="accuracy", also=("confidence_error",), draw=classes,
        bad="labels drawn anew", calibration="confidence_error", location=one_class, near=(0.0, 3.0), far=(0.0, -10.0),
    ),
    Problem(
        name="imbalanced",
        recommended=(Term(loss="weighted_binary_crossentropy_logits", params={"pos_weight": 10.0}), _FOCAL),
        rivals=(_PLAIN,), metric="balanced_accuracy", also=("recall", "precision", "calibration_error"),
        draw=_labels(4.0), **_YES_NO,
    ),
)})  # fmt: skip
