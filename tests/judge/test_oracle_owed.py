"""What a formula owes to rounding bounds what plain float32 evaluation of it loses, and is not vacuous."""

# ruff: noqa: ARG005  every formula has the signature of a reference, whatever it uses
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracle_fractions import evaluate

EPS = float(np.finfo(np.float32).eps)
F = np.float32


class Plain:
    """The part of the vocabulary that the formulas below use, in numpy float32."""

    abs, exp, log, log1p, sqrt, tanh = np.abs, np.exp, np.log, np.log1p, np.sqrt, np.tanh
    maximum, minimum, where, square = np.maximum, np.minimum, np.where, np.square

    @staticmethod
    def sum(a: Any, axis: Any = None) -> Any:
        return np.sum(a, axis=axis, dtype=F)

    @staticmethod
    def norm(a: Any, axis: Any = None) -> Any:
        return np.sqrt(np.sum(a * a, axis=axis, dtype=F))

    @staticmethod
    def log_softmax(a: Any, axis: int = -1) -> Any:
        shifted = a - np.max(a, axis=axis, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True, dtype=F))

    @staticmethod
    def xlogy(a: Any, b: Any) -> Any:
        return a * np.log(b)

    @staticmethod
    def xlog1py(a: Any, b: Any) -> Any:
        return a * np.log1p(b)


FORMULAS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "squares": lambda x, y, p: x.square(p - y),
    "root mean square": lambda x, y, p: x.sqrt(x.sum(x.square(p - y)) / 4096),
    "cancelling": lambda x, y, p: (p + y) - y,
    "naive log of a softmax": lambda x, y, p: x.log(x.exp(p) / (1 + x.exp(p))),
    "crossentropy": lambda x, y, p: x.sum(y * x.log_softmax(p), axis=-1),
    "cosine": lambda x, y, p: x.sum(y * p, axis=-1) / (x.norm(y, axis=-1) * x.norm(p, axis=-1)),
    "entropy": lambda x, y, p: x.xlogy(x.abs(y), x.abs(p)) + x.xlog1py(x.abs(y), x.abs(p)),
    "quotient": lambda x, y, p: (y - p) / (y + 2 * p),
    "power": lambda x, y, p: (x.abs(p - y) / 3) ** 1.5,
}


def inputs(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    y = (rng.standard_normal((24, 8)) * 10.0 ** rng.integers(-1, 2, (24, 8))).astype(F)
    p = np.where(rng.random((24, 8)) < 0.3, y * F(1.0001), rng.standard_normal((24, 8)) * 3).astype(F)
    return y, p


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", FORMULAS)
def test_float32_stays_inside_eight_times_what_is_owed(name: str, seed: int) -> None:
    y, p = inputs(seed)
    exact = evaluate(FORMULAS[name], y, p, "float32", grad=False).value
    with np.errstate(all="ignore"):
        plain = np.asarray(FORMULAS[name](Plain, y, p), dtype=np.float64)
    error = np.abs(plain - exact.rounded("float64"))
    bound = exact.owed("float32")
    assert (error <= 8 * bound).all()
    assert (
        not exact.shape or (error > 0.02 * bound).mean() > 0.05
    )  # a bound a hundred times too wide would show nothing


def test_gradients_owe_too() -> None:
    y, p = inputs(3)
    exact = evaluate(lambda x, y, p: x.sum(x.square((p + y) - y) / 3), y, p, "float32").grad
    assert exact is not None
    error = np.abs((2 * ((p + y) - y) * (F(1) / F(3))).astype(np.float64) - exact.rounded("float64"))
    assert (error <= 8 * exact.owed("float32")).all()
    assert (error > EPS * np.abs(exact.rounded("float64"))).any()  # cancellation is in the bound, not in luck


def test_softmax_gradient_owes_little() -> None:
    y = np.eye(8, dtype=F)[np.arange(24) % 8]
    _, p = inputs(4)
    exact = evaluate(lambda x, y, p: -x.sum(y * x.log_softmax(p), axis=-1), y, p, "float32").grad
    assert exact is not None
    shifted = np.exp(p - p.max(-1, keepdims=True))
    plain = shifted / shifted.sum(-1, keepdims=True, dtype=F) - y
    assert (np.abs(plain.astype(np.float64) - exact.rounded("float64")) <= 8 * exact.owed("float32")).all()


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, y, p: -p,
        lambda x, y, p: x.abs(p),
        lambda x, y, p: x.maximum(p, y),
        lambda x, y, p: x.where(p > y, p, y),
        lambda x, y, p: p * 0.25,
        lambda x, y, p: p / 2,
        lambda x, y, p: x.index(p, 0),
        lambda x, y, p: x.max(p),
    ],
)
def test_exact_operations_owe_nothing(formula: Any) -> None:
    y, p = inputs(5)
    assert (evaluate(formula, y, p, "float32", grad=False).value.owed() == 0).all()


def test_one_rounding_owes_one_unit() -> None:
    exact = evaluate(lambda x, y, p: p + y, [3.0], [4.0], "float32", grad=False).value
    assert exact.owed().tolist() == [7.0]
    assert exact.owed("float32").tolist() == [7 * EPS]
    assert evaluate(lambda x, y, p: (p + y) - y, [3.0], [4.0], grad=False).value.owed().tolist() == [7.0 + 4.0]
    assert evaluate(lambda x, y, p: (p + y) * y, [3.0], [4.0], grad=False).value.owed().tolist() == [21.0 + 21.0]


def test_a_logsumexp_that_cancels_owes_its_terms() -> None:
    rng = np.random.default_rng(6)
    scores = rng.standard_normal((24, 8)) * 3
    p = (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(F)  # log-probabilities: the result is nearly 0
    exact = evaluate(lambda x, _, p: x.logsumexp(p), np.zeros(24), p, "float32", grad=False).value
    top = p.max(-1)
    plain = np.log(np.exp(p - top[:, None]).sum(-1, dtype=F)) + top
    error = np.abs(plain.astype(np.float64) - exact.rounded("float64"))
    assert (error <= 8 * exact.owed("float32")).all()
    assert (error > 8 * EPS * np.abs(exact.rounded("float64"))).any()
