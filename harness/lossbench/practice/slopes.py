"""What a loss says of one number: its slope near and far from a target, and the constant that suits many targets best.

The number is what goes into the output's activation, of classes the first one's with the others at zero: so that every
loss of a problem is asked about the same thing, whether it takes that number or what the activation makes of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np

from lossbench.practice.problems import CLASSES, OF_ROWS, Problem, rows
from lossbench.practice.process import Trainee
from lossbench.spec import catalogue
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.training import Array, Dense, Term

HALVINGS: Final = 60
REACH: Final = 60.0
SEED: Final = 11


def near_and_far(problem: Problem, term: Term, trainee: Trainee) -> tuple[float, float]:
    """The size of the slope at the problem's two places."""
    targets, numbers = (np.array(pair) for pair in zip(problem.near, problem.far, strict=True))
    near, far = np.abs(_slope(problem, term, trainee, targets, numbers))
    return float(near), float(far)


def shift(problem: Problem, term: Term, share: float, trainee: Trainee) -> float:
    """How far a share of bad targets moves the best constant."""
    return best_constant(problem, term, share, trainee) - best_constant(problem, term, 0.0, trainee)


def best_constant(problem: Problem, term: Term, share: float, trainee: Trainee) -> float:
    """Bisection on the sum of slopes, which rises with the number for every loss of the guide around its optimum."""
    targets = problem.location(share, np.random.default_rng(SEED))
    low, high = -REACH, REACH
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float(np.sum(_slope(problem, term, trainee, targets, np.full(len(targets), middle)))) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _slope(problem: Problem, term: Term, trainee: Trainee, targets: Array, numbers: Array) -> Array:
    """By the number, a target each: the loss's slopes by its prediction, along the way that the prediction takes."""
    assert isinstance(problem.end, Dense)
    activation = "linear" if term.raw or _takes_logits(term.loss) else problem.end.activation
    if problem.end.activation == "softmax":
        labels = targets.astype(np.int32)
        y_true = rows(labels) if term.loss in OF_ROWS else labels
        raw = np.eye(1, CLASSES) * numbers[:, None]
        y_pred, along = raw, np.broadcast_to(np.eye(1, CLASSES), raw.shape)
        if activation == "softmax":
            y_pred = np.exp(raw - raw.max(axis=1, keepdims=True))
            y_pred /= y_pred.sum(axis=1, keepdims=True)
            along = y_pred * (along - y_pred[:, :1])
    else:
        y_true, y_pred, along = targets[:, None], numbers[:, None], np.ones((len(numbers), 1))
        if activation == "sigmoid":
            y_pred = 1 / (1 + np.exp(-y_pred))
            along = y_pred * (1 - y_pred)
    asked: Array = trainee.ask("slopes", loss=term.loss, params=dict(term.params), y_true=y_true, y_pred=y_pred)
    found: Array = np.sum(asked * along, axis=1)
    return found


@lru_cache(maxsize=1)
def _known() -> Catalogue:
    return catalogue.load(backend="")


def _takes_logits(loss: str) -> bool:
    return _known().find(loss).inputs["y_pred"].kind == "logits"
