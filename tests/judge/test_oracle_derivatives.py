"""Reverse-mode gradients are the ones that high-precision differences give; kinks give hulls of subgradients."""

# ruff: noqa: ARG005  every formula has the signature of a reference, whatever it uses
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from oracle_fractions import evaluate, nearest_mp

P = np.array([[0.75, 1.5, 2.25], [0.125, 0.5, 3.0]])
Y = np.array([[0.5, 0.25, 1.0], [2.0, 0.625, 0.3125]])


def rows(values: Any) -> list[list[Any]]:
    return [[mp.mpf(v) for v in row] for row in np.asarray(values).tolist()]


def by_differences(function: Callable[[list[list[Any]]], Any], at: Any) -> list[list[float]]:
    """Central differences in 1000 bits, one element at a time."""
    out = []
    with mp.workprec(1000):
        base = rows(at)
        for i, row in enumerate(base):
            out.append([])
            for j in range(len(row)):

                def moved(t: Any, i: int = i, j: int = j) -> Any:
                    point = [list(r) for r in base]
                    point[i][j] = t
                    return function(point)

                out[-1].append(nearest_mp(mp.diff(moved, base[i][j], h=mp.mpf(2) ** -300), "float64"))
    return out


def each(function: Callable[[Any], Any]) -> Callable[[list[list[Any]]], Any]:
    return lambda p: mp.fsum(function(v) for row in p for v in row)


UNARY = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log2": lambda v: mp.log(v) / mp.log(2),
    "log1p": lambda v: mp.log(1 + v),
    "sqrt": mp.sqrt,
    "square": lambda v: v * v,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "sigmoid": lambda v: 1 / (1 + mp.exp(-v)),
    "softplus": lambda v: mp.log(1 + mp.exp(v)),
    "log_sigmoid": lambda v: -mp.log(1 + mp.exp(-v)),
    "logcosh": lambda v: mp.log(mp.cosh(v)),
    "lgamma": mp.loggamma,
    "abs": abs,
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_number(name: str) -> None:
    exact = evaluate(lambda x, _, p: getattr(x, name)(p), Y, P)
    assert exact.grad is not None
    assert exact.grad.rounded().tolist() == by_differences(each(UNARY[name]), P)
    with mp.workprec(300):
        want = [[nearest_mp(UNARY[name](v), "float64") for v in row] for row in rows(P)]
    assert exact.value.rounded().tolist() == want


def softmax_of(row: list[Any]) -> list[Any]:
    total = mp.fsum(mp.exp(v) for v in row)
    return [mp.exp(v) / total for v in row]


def weighted(values: list[list[Any]]) -> Any:
    """The sum with weights Y, so that every element has a gradient of its own."""
    return mp.fsum(w * v for wr, vr in zip(rows(Y), values, strict=True) for w, v in zip(wr, vr, strict=True))


def root(values: list[Any]) -> Any:
    return mp.sqrt(mp.fsum(v * v for v in values))


def first_column(p: list[list[Any]]) -> Any:
    return p[0][1] ** 2 + p[1][1] ** 3


JOINT: dict[str, tuple[Any, Any]] = {
    "xlogy": (
        lambda x, y, p: x.xlogy(p, p * y),
        lambda p: mp.fsum(
            v * mp.log(v * w) for vr, wr in zip(p, rows(Y), strict=True) for v, w in zip(vr, wr, strict=True)
        ),
    ),
    "xlog1py": (lambda x, y, p: x.xlog1py(p, p), each(lambda v: v * mp.log(1 + v))),
    "softmax": (lambda x, y, p: y * x.softmax(p), lambda p: weighted([softmax_of(r) for r in p])),
    "log_softmax, first axis": (
        lambda x, y, p: y * x.log_softmax(p, axis=0),
        lambda p: weighted(
            list(zip(*[[mp.log(s) for s in softmax_of(list(c))] for c in zip(*p, strict=True)], strict=True))
        ),  # type: ignore[arg-type]
    ),
    "logsumexp": (
        lambda x, y, p: x.square(x.logsumexp(p, axis=-1, keepdims=True)),
        lambda p: mp.fsum(mp.log(mp.fsum(mp.exp(v) for v in r)) ** 2 for r in p),
    ),
    "logaddexp": (lambda x, y, p: x.logaddexp(p, 1), each(lambda v: mp.log(mp.exp(v) + mp.e))),
    "norm": (lambda x, y, p: x.norm(p, axis=-1) ** 3, lambda p: mp.fsum(root(r) ** 3 for r in p)),
    "max and min": (
        lambda x, y, p: x.max(p, axis=1) * x.min(p, axis=1),
        lambda p: p[0][2] * p[0][0] + p[1][2] * p[1][0],
    ),
    "mean": (lambda x, y, p: x.exp(x.mean(p)), lambda p: mp.exp(mp.fsum(v for r in p for v in r) / 6)),
    "take_class": (
        lambda x, y, p: x.square(x.take_class(p, np.array([1, 1]))) * x.index(p, (slice(None), 1)) ** 0,
        lambda p: p[0][1] ** 2 + p[1][1] ** 2,
    ),
    "index": (lambda x, y, p: x.index(p, (0, 1)) ** 2 + x.index(p, (1, 1)) ** 3, first_column),
    "index twice": (
        lambda x, y, p: x.sum(x.index(p, (Ellipsis, slice(0, 2))) * x.index(p, (Ellipsis, slice(1, 3)))),
        lambda p: mp.fsum(r[0] * r[1] + r[1] * r[2] for r in p),
    ),
    "matmul": (
        lambda x, y, p: x.matmul(p, x.transpose(p)),
        lambda p: mp.fsum(a * b for r in p for s in p for a, b in zip(r, s, strict=True)),
    ),
    "stack, concat, reshape": (
        lambda x, y, p: x.square(x.concat([x.reshape(x.stack([p, p * y], axis=1), (4, 3)), p], axis=0)),
        lambda p: mp.fsum(
            2 * v * v + (v * w) ** 2 for vr, wr in zip(p, rows(Y), strict=True) for v, w in zip(vr, wr, strict=True)
        ),
    ),
    "moveaxis, expand_dims": (
        lambda x, y, p: x.square(x.expand_dims(x.moveaxis(p, 0, 1), 0) * 3),
        each(lambda v: 9 * v * v),
    ),
    "where": (
        lambda x, y, p: x.where(x.logical_and(p > 1, p < 2.75), x.exp(p), p * p),
        each(lambda v: mp.exp(v) if 1 < v < 2.75 else v * v),
    ),
    "clip": (lambda x, y, p: x.square(x.clip(p, 0.4, 2.5)), each(lambda v: min(max(v, mp.mpf(0.4)), mp.mpf(2.5)) ** 2)),
    "broadcasting": (
        lambda x, y, p: x.index(p, (slice(0, 1), slice(None))) * p,
        lambda p: mp.fsum(a * b for r in p for a, b in zip(p[0], r, strict=True)),
    ),
    "one_hot": (
        lambda x, y, p: x.one_hot(np.array([2, 7]), 3, p) * x.exp(p),
        lambda p: mp.exp(p[0][2]),
    ),
    "safe_divide": (
        lambda x, y, p: x.safe_divide(1, p - 0.5, 0),
        each(lambda v: 1 / (v - 0.5) if abs(v - 0.5) > 0.1 else 0),
    ),
}


def arithmetic(p: list[list[Any]]) -> Any:
    def one(v: Any, w: Any) -> Any:
        return (v * w - w / v) / (v + 2) - 3 * v**2 + mp.mpf(2) ** v + v**w + (1 - v) * v

    return mp.fsum(one(v, w) for vr, wr in zip(p, rows(Y), strict=True) for v, w in zip(vr, wr, strict=True))


JOINT["arithmetic"] = (
    lambda x, y, p: (p * y - y / p) / (p + 2) - 3 * p**2 + 2**p + p**y + (1 - p) * p,
    arithmetic,
)


@pytest.mark.parametrize("name", JOINT)
def test_operations_that_join_numbers(name: str) -> None:
    reference, closed = JOINT[name]
    exact = evaluate(reference, Y, P, params={"reduction": "sum"})
    with mp.workprec(400):
        assert float(exact.value.rounded()) == nearest_mp(closed(rows(P)), "float64")
    assert exact.grad is not None
    assert exact.grad.rounded().tolist() == by_differences(closed, P)
    assert not exact.grad.kink.any()


@pytest.mark.parametrize(
    ("formula", "p", "low", "high"),
    [
        (lambda x, y, p: x.abs(p), [0.0], [-1], [1]),
        (lambda x, y, p: -3 * x.abs(p), [0.0], [-3], [3]),
        (lambda x, y, p: x.maximum(0, p), [0.0], [0], [1]),
        (lambda x, y, p: x.maximum(0, 1 - p), [1.0], [-1], [0]),
        (lambda x, y, p: x.minimum(p, 2), [2.0], [0], [1]),
        (lambda x, y, p: 5 * x.clip(p, -1, 1), [1.0, -1.0, 0.5], [0, 0, 5], [5, 5, 5]),
        (lambda x, y, p: x.maximum(p, -p), [0.0], [-1], [1]),
        (lambda x, y, p: x.norm(p), [0.0, 0.0], [-1, -1], [1, 1]),
        (lambda x, y, p: x.max(p), [2.0, 2.0, 1.0], [0, 0, 0], [1, 1, 0]),
        (lambda x, y, p: x.exp(x.abs(p)) * 2, [0.0], [-2], [2]),
        (lambda x, y, p: x.log(1 - x.maximum(0, p)), [0.0], [-1], [0]),
    ],
)
def test_the_hull_of_the_subgradients_at_a_kink(formula: Any, p: Any, low: Any, high: Any) -> None:
    exact = evaluate(formula, np.zeros(len(p)), p, "float32", params={"reduction": "sum"})
    assert exact.grad is not None
    assert exact.grad.low().tolist() == low
    assert exact.grad.high().tolist() == high
    apart = [a != b for a, b in zip(low, high, strict=True)]
    assert exact.grad.kink.tolist() == apart
    assert np.isnan(exact.grad.reported()).tolist() == apart
    for end in (low, high):
        assert (exact.grad.ulp(end) == 0).all()


def test_any_subgradient_is_right_and_others_are_as_far_as_the_hull() -> None:
    exact = evaluate(lambda x, _, p: x.abs(p), [0.0] * 4, [0.0] * 4, "float32")
    assert exact.grad is not None
    assert exact.grad.ulp([0.0, -1.0, 1 + 2.0**-23, np.nan]).tolist() == [0.0, 0.0, 1.0, np.inf]


@pytest.mark.parametrize(
    "formula",
    [
        lambda x, p: x.square(x.abs(p)),
        lambda x, p: x.square(x.maximum(0, p)),
        lambda x, p: x.abs(p) * p,
        lambda x, p: x.norm(p) ** 2,
    ],
)
def test_a_kink_that_is_smoothed_away_is_none(formula: Any) -> None:
    exact = evaluate(lambda x, _, p: formula(x, p), [0.0], [0.0], params={"reduction": "sum"})
    assert exact.grad is not None
    assert not exact.grad.kink.any()
    assert exact.grad.rounded().tolist() == [0.0]


def test_what_the_result_does_not_depend_on_has_gradient_zero() -> None:
    exact = evaluate(lambda x, y, _: x.square(y), [2.0], [5.0])
    assert exact.grad is not None
    assert exact.grad.rounded().tolist() == [0.0]


@pytest.mark.parametrize("gamma", [0.25, 0.5, 1.5])
@pytest.mark.parametrize("p", [1.0, 1.0 - 2.0**-53])
def test_focal_slope_at_probability_one_is_the_limit(gamma: float, p: float) -> None:
    exact = evaluate(lambda x, y, p: -((1 - p) ** gamma) * x.xlogy(y, p), [1.0], [p])
    assert exact.grad is not None
    with mp.workprec(400):
        q, g = mp.mpf(p), mp.mpf(gamma)
        want = mp.mpf(0) if p == 1 else g * (1 - q) ** (g - 1) * mp.log(q) - (1 - q) ** g / q
        assert exact.grad.rounded().tolist() == [nearest_mp(want, "float64")]
    assert not exact.grad.undefined.any()


@pytest.mark.parametrize(
    ("formula", "low", "high"),
    [
        (lambda x, p: x.square(x.sqrt(p)), 1.0, 1.0),
        (lambda x, p: x.sqrt(x.square(p)), -1.0, 1.0),
        (lambda x, p: x.sqrt(p) * x.sqrt(x.sqrt(p)), np.inf, np.inf),
        (lambda x, p: 3 * x.exp(p) * x.sqrt(p) * x.sqrt(p), 3.0, 3.0),
    ],
)
def test_slopes_that_the_chain_rule_leaves_open_are_limits(formula: Any, low: float, high: float) -> None:
    exact = evaluate(lambda x, _, p: formula(x, p), [0.0], [0.0])
    assert exact.grad is not None
    assert (exact.grad.low().item(), exact.grad.high().item()) == (low, high)
    assert exact.grad.kink.tolist() == [low != high]
