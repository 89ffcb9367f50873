"""Whole-array arithmetic of the oracle against its balls, on the same numbers: what is certain is right."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb

from lossbench.judge.oracle import evaluate, kernels, large, wide
from lossbench.judge.oracle.attempt import Attempt, working
from lossbench.judge.oracle.evaluate import LARGE_ELEMENTS, certified
from lossbench.judge.oracle.exact import Exact
from lossbench.judge.oracle.problem import Problem
from lossbench.spec import catalogue, inputs, plan
from lossbench.spec.case import Case
from lossbench.spec.formats import FORMATS, round_to
from lossbench.spec.regimes import REGIMES

LOSSES = catalogue.load().losses
SOME = (
    "mae", "mse", "rmse", "huber", "log_cosh", "msle", "mape", "binary_crossentropy", "binary_crossentropy_logits",
    "categorical_crossentropy", "sparse_categorical_crossentropy_logits", "binary_focal", "poisson", "kl_divergence",
    "hinge", "cosine_similarity", "dice", "vae_kl", "matrix_crossentropy", "loss_plus_l2",
)  # fmt: skip


def numbers(name: str, regime: str, dtype: str, shape: tuple[int, ...] | None = None) -> dict[str, Any]:
    loss = LOSSES[name]
    size = shape or plan.shape_of(loss, "small")
    assert size is not None
    params = tuple(sorted(loss.params.items()))
    case = Case(loss=name, params=params, shape=REGIMES[regime].shape(size), dtype=dtype, regime=regime, seed=3)
    return inputs.build(loss, case).arrays


def both(name: str, arrays: dict[str, Any], dtype: str, **params: Any) -> tuple[Exact, Exact]:
    """From whole arrays and from balls."""
    problem = Problem.of(LOSSES[name], params, arrays, "exact", "y_pred")
    fast, slow = large.evaluate(problem, dtype), certified(problem, dtype)
    assert fast is not None
    assert slow is not None
    return fast, slow


def assert_same(fast: Exact, slow: Exact, dtype: str) -> None:
    for got, known in ((fast.value, slow.value), (fast.grad, slow.grad)):
        assert got is not None
        assert known is not None
        assert got.shape == known.shape
        np.testing.assert_array_equal(got.kink, known.kink)
        np.testing.assert_array_equal(got.undefined, known.undefined)
        np.testing.assert_allclose(got.owed(), known.owed(), rtol=1e-6)
        for a, b in ((got.low(), known.low()), (got.high(), known.high()), (got.rounded(), known.rounded())):
            if dtype == "float64":  # within an ulp: long double does not decide every rounding
                np.testing.assert_array_max_ulp(a, b, maxulp=1)
            else:
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_whole_arrays_round_as_balls_do(name: str, dtype: str) -> None:
    assert_same(*both(name, numbers(name, "typical", dtype), dtype), dtype)


@pytest.mark.parametrize(
    "name", ["mse", "huber", "binary_crossentropy_logits", "hinge", "sparse_categorical_crossentropy_logits"]
)
@pytest.mark.skipif(wide.long_double() is None, reason="no format wider than float64 here")
def test_float64_is_within_an_ulp(name: str) -> None:
    assert_same(*both(name, numbers(name, "typical", "float64"), "float64"), "float64")


@pytest.mark.parametrize("regime", ["kink", "saturated", "tiny", "huge", "subnormal", "zeros"])
@pytest.mark.parametrize(
    "name", ["mae", "huber", "binary_crossentropy", "binary_crossentropy_logits", "hinge", "categorical_crossentropy"]
)
def test_edges_are_those_of_balls(name: str, regime: str) -> None:
    if not REGIMES[regime].applies(LOSSES[name]):
        pytest.skip("has no such inputs")
    shape = (6, 4)
    assert_same(*both(name, numbers(name, regime, "float32", shape), "float32"), "float32")


@pytest.mark.skipif(wide.long_double() is None, reason="no format wider than float64 here")
def test_overflow_of_the_stand_ins_is_no_infinity() -> None:
    """1/p of a subnormal p is finite in long double and infinite in the float64 rules beside it."""
    arrays = numbers("binary_focal", "subnormal", "float64")
    assert_same(*both("binary_focal", arrays, "float64"), "float64")


def test_infinities_and_nan_keep_their_places() -> None:
    arrays = numbers("mse", "special", "float32")
    fast, slow = both("mse", arrays, "float32", reduction="none")
    assert_same(fast, slow, "float32")
    assert np.isnan(fast.value.rounded()).any()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean_with_sample_weight", "sum_by_nonzero_weights"])
def test_reductions_and_weights_come_out_alike(reduction: str) -> None:
    arrays = numbers("huber", "typical", "float32")
    arrays["sample_weight"] = np.where(np.arange(16) % 3 == 0, 0.0, 0.75).astype(np.float32)
    assert_same(*both("huber", arrays, "float32", reduction=reduction), "float32")


@pytest.mark.parametrize(
    ("name", "stands_alone"),
    [("mse", "element"), ("categorical_crossentropy", "row"), ("cosine_similarity", "row"), ("rmse", "batch"),
     ("dice", "batch"), ("circle", "batch")],
)  # fmt: skip
def test_what_stands_alone_is_found(name: str, stands_alone: str) -> None:
    params: dict[str, Any] = {}
    problem = Problem.of(LOSSES[name], params, numbers(name, "typical", "float32"), "exact", "y_pred")
    assert problem.separable() == stands_alone


def test_radii_hold_the_truth() -> None:
    """Of every kernel, at random arguments with radii: the true image of both ends lies in the ball."""
    rng = np.random.default_rng(5)
    mid = np.concatenate([rng.normal(size=40), np.ldexp(rng.normal(size=40), rng.integers(-60, 5, 40))])
    rad = np.abs(mid) * 2.0 ** rng.integers(-50, -3, mid.size)
    functions = {
        arb.exp: kernels.exp, arb.expm1: kernels.expm1, arb.tanh: kernels.tanh, arb.cosh: kernels.cosh,
        arb.sinh: kernels.sinh,
        arb.log: kernels.log, arb.sqrt: kernels.sqrt, arb.log1p: kernels.log1p,
        (lambda z: 1 / z): kernels.reciprocal, (lambda z: 1 / (1 + (-z).exp())): kernels.sigmoid,
        (lambda z: z.exp().log1p()): kernels.softplus, (lambda z: z.cosh().log()): kernels.logcosh,
        (lambda z: 1 / z.cosh() ** 2): kernels.sech_squared,
        (lambda z: z.sqrt().rsqrt()): lambda a: kernels.real_power(a, -0.25),
    }  # fmt: skip
    with working(Attempt(bits=400, last=True)):
        for exact, kernel in functions.items():
            positive = kernel in (kernels.log, kernels.sqrt, kernels.log1p) or "lambda" in kernel.__name__
            m = np.abs(mid) if positive else mid
            found = kernel(wide.Wide(m, rad))
            for i in range(m.size):
                for end in (arb(m[i]) - arb(rad[i]), arb(m[i]), arb(m[i]) + arb(rad[i])):
                    truth = exact(end)
                    off = abs(truth - arb(float(found.mid[i])))
                    assert off <= arb(float(found.rad[i])) * 1.01, (kernel, m[i], rad[i])


def test_radii_are_carried_by_arithmetic() -> None:
    """Corners of random balls, added, multiplied and divided exactly, lie in the ball that comes out."""
    rng = np.random.default_rng(6)
    a, b = (wide.Wide(m, np.abs(m) * 2.0 ** rng.integers(-45, -4, 100)) for m in rng.normal(size=(2, 100)))
    with working(Attempt(bits=400, last=True)):
        for name, found in {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b}.items():
            for i in range(100):
                for p, q in ((p, q) for p in (-1, 1) for q in (-1, 1)):
                    left = Fraction(float(a.mid[i])) + p * Fraction(float(a.rad[i]))
                    right = Fraction(float(b.mid[i])) + q * Fraction(float(b.rad[i]))
                    truth = getattr(left, f"__{name.replace('div', 'truediv')}__")(right)
                    assert abs(truth - Fraction(float(found.mid[i]))) <= Fraction(float(found.rad[i])) * Fraction(
                        101, 100
                    )


@pytest.mark.parametrize("length", [1, 7, 100, 128, 129, 5000])
def test_the_bound_of_a_sum_holds(length: int) -> None:
    rng = np.random.default_rng(length)
    terms = np.ldexp(rng.normal(size=(4, length)), rng.integers(-20, 20, (4, length)))
    found = wide.total(wide.Wide.of(terms, np.float64), (1,))
    for row, mid, rad in zip(terms.tolist(), found.mid.tolist(), found.rad.tolist(), strict=True):
        assert abs(sum(map(Fraction, row)) - Fraction(mid)) <= Fraction(rad)
    assert (found.rad <= 60 * 2.0**-53 * np.abs(terms).sum(axis=1)).all()


def test_sums_know_their_rounding_error_exactly() -> None:
    rng = np.random.default_rng(1)
    a, b = (np.ldexp(rng.normal(size=200), rng.integers(-30, 30, 200)) for _ in range(2))
    total = wide.Wide.of(a, np.float64) + wide.Wide.of(b, np.float64)
    for i in range(200):
        truth = Fraction(a[i]) + Fraction(b[i])
        assert abs(truth - Fraction(float(total.mid[i]))) == Fraction(float(total.rad[i]))


def test_equal_rows_are_computed_by_balls_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    plain = large._Rows._exactly

    def counted(self: Any, rows: Any, *others: Any) -> bool:
        seen.append(len(rows))
        return plain(self, rows, *others)

    monkeypatch.setattr(large._Rows, "_exactly", counted)
    monkeypatch.setattr(large, "carriers", lambda _: [])
    row = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], np.float32)
    p = np.repeat(row, 3000, axis=0)
    y = np.repeat(np.array([[1, 0, 0], [0, 1, 0]], np.float32), 3000, axis=0)
    exact = evaluate(LOSSES["categorical_crossentropy"], {}, {"y_true": y, "y_pred": p}, "float32")
    assert sum(seen) == 2
    assert float(exact.value.rounded("float64")) == pytest.approx(2 * math.log(2), rel=1e-15)
    assert exact.grad is not None
    assert exact.grad.rounded()[0, 0] == np.float32(-4.0 / 6000)


def test_too_many_open_elements_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "carriers", lambda _: [])
    monkeypatch.setattr(large, "BALL_ELEMENTS", 1000)
    arrays = numbers("mse", "typical", "float32", (2048, 8))
    assert large.evaluate(Problem.of(LOSSES["mse"], {}, arrays, "exact", "y_pred"), "float32") is None


def test_a_perturbation_of_one_element_is_seen() -> None:
    """In a large array, where every other element is right: one ulp off is one ulp, and not one more."""
    arrays = numbers("huber", "typical", "float32", (2048, 16))
    exact = evaluate(LOSSES["huber"], {}, arrays, "float32", grad=True)
    assert arrays["y_pred"].size > LARGE_ELEMENTS
    assert exact.grad is not None
    right = exact.grad.rounded()
    assert exact.grad.ulp(right).max() <= 0.5
    wrong = right.copy()
    wrong[7, 3] = np.nextafter(wrong[7, 3], np.float32(np.inf))
    found = exact.grad.ulp(wrong)
    assert 0.4 <= found[7, 3] <= 1.6
    assert np.count_nonzero(found > 0.5) == 1 or found[7, 3] <= 0.5


def test_a_long_reduction_is_the_rounded_sum() -> None:
    n = 300_000
    rng = np.random.default_rng(2)
    p = round_to(rng.normal(size=(n, 2)), "float16")
    y = round_to(rng.normal(size=(n, 2)), "float16")
    exact = evaluate(LOSSES["mse"], {"reduction": "mean"}, {"y_true": y, "y_pred": p}, "bfloat16", grad=False)
    truth = math.fsum(((p.astype(float) - y.astype(float)) ** 2).ravel().tolist()) / (2 * n)  # each square is exact
    assert float(exact.value.rounded("float64")) == truth
    assert float(exact.value.owed("bfloat16")) > FORMATS["bfloat16"].eps * truth


def test_a_broken_kernel_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with balls can fail: a ten-millionth off in one function is seen."""
    from lossbench.judge.oracle import elementary

    def off(a: wide.Wide) -> wide.Wide:
        found: wide.Wide = kernels.sigmoid(a)
        return wide.Wide(found.mid * (1 + 1e-7), found.rad)

    monkeypatch.setitem(wide.KERNELS, elementary._SIGMOID, off)
    name = "binary_crossentropy_logits"
    with pytest.raises(AssertionError):
        assert_same(*both(name, numbers(name, "typical", "float32"), "float32"), "float32")


def test_a_batch_without_a_provable_rounding_is_known_far_better_than_the_formula_owes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large, "carriers", lambda _: [np.float64])
    problem = Problem.of(LOSSES["circle"], {}, numbers("circle", "typical", "float32", (24, 16)), "exact", "y_pred")
    fast, slow = large.evaluate(problem, "float32"), certified(problem, "float32")
    assert fast is not None
    assert slow is not None
    assert (fast.certified, slow.certified) == (False, True)
    for got, known in ((fast.value, slow.value), (fast.grad, slow.grad)):
        assert got is not None
        assert known is not None
        apart = np.abs(got.rounded("float64") - known.rounded("float64"))
        assert bool(np.all(apart <= known.owed("float32") / 64))
    monkeypatch.setattr(large, "carriers", lambda _: [np.float64, np.float64])
    monkeypatch.setattr("lossbench.judge.oracle.bounded.CERTAIN_ULPS", 1e-12)
    assert large.evaluate(problem, "float32") is None
