"""Values and gradients of the oracle are the correctly rounded ones of closed forms written by hand in mpmath."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from oracle_fractions import evaluate, nearest_mp

from lossbench.spec.formats import FORMATS, round_to

DTYPES = tuple(FORMATS)
BITS = 2600  # enough for a difference of any two float64 numbers


def reals(dtype: str) -> list[float]:
    """Ordinary, neighbouring, huge, tiny and subnormal numbers of the format."""
    fmt = FORMATS[dtype]
    rng = np.random.default_rng(7)
    some = [float(v) for v in round_to(rng.standard_normal(5) * 3, dtype)]
    edges = [
        0.0,
        1.0,
        -1.0,
        1.0 + fmt.eps,
        1.0 - fmt.eps / 2,
        0.5,
        fmt.max,
        -fmt.max,
        fmt.tiny,
        fmt.smallest,
        -fmt.smallest,
    ]
    return some + edges


def pairs(targets: list[float], predictions: list[float]) -> tuple[Any, Any]:
    grid = np.array([(t, p) for t in targets for p in predictions])
    return grid[:, 0], grid[:, 1]


def check(exact: Any, y: Any, p: Any, dtype: str, value: Any, slope: Any) -> None:
    """Every element equals its closed form, rounded by fractions; slope None marks a kink."""
    got_value, got_grad = exact.value.rounded(), exact.grad.rounded()
    assert exact.certified
    with mp.workprec(BITS):
        for i, (t, q) in enumerate(zip(y.tolist(), p.tolist(), strict=True)):
            t, q = mp.mpf(t), mp.mpf(q)
            assert float(got_value[i]) == nearest_mp(value(t, q), dtype), (dtype, t, q)
            want = slope(t, q)
            assert bool(exact.grad.kink[i]) is (want is None), (dtype, t, q)
            if want is not None:
                assert float(got_grad[i]) == nearest_mp(want, dtype), (dtype, t, q)


@pytest.mark.parametrize("dtype", DTYPES)
def test_squared_error(dtype: str) -> None:
    y, p = pairs(reals(dtype), reals(dtype))
    exact = evaluate(lambda x, y, p: x.square(p - y), y, p, dtype)
    check(exact, y, p, dtype, lambda t, q: (q - t) ** 2, lambda t, q: 2 * (q - t))


@pytest.mark.parametrize("dtype", DTYPES)
def test_absolute_error_with_its_kink(dtype: str) -> None:
    y, p = pairs(reals(dtype), reals(dtype))
    exact = evaluate(lambda x, y, p: x.abs(p - y), y, p, dtype)
    check(exact, y, p, dtype, lambda t, q: abs(q - t), lambda t, q: mp.sign(q - t) if q != t else None)
    assert exact.grad is not None
    at = exact.grad.kink
    assert (exact.grad.low()[at] == -1).all()
    assert (exact.grad.high()[at] == 1).all()
    assert np.isnan(exact.grad.reported()[at]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("delta", [1.0, 0.1])
def test_huber_is_smooth_at_its_joint(dtype: str, delta: float) -> None:
    def reference(x: Any, y: Any, p: Any, delta: Any) -> Any:
        error = x.abs(p - y)
        inner = x.minimum(error, delta)
        return inner * (error - inner / 2)

    y, p = pairs([*reals(dtype), 2.0], [*reals(dtype), 3.0, delta if dtype == "float64" else 1.0, -1.0])
    exact = evaluate(reference, y, p, dtype, defaults={"delta": delta})

    def value(t: Any, q: Any) -> Any:
        e, d = abs(q - t), mp.mpf(delta)
        return e * e / 2 if e <= d else d * (e - d / 2)

    check(exact, y, p, dtype, value, lambda t, q: max(-mp.mpf(delta), min(mp.mpf(delta), q - t)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_crossentropy_of_probabilities(dtype: str) -> None:
    fmt = FORMATS[dtype]
    chances = [0.0, 1.0, 1.0 - fmt.eps / 2, fmt.eps, fmt.tiny, fmt.smallest, 0.5, float(round_to(0.3, dtype))]
    y, p = pairs([0.0, 1.0, 0.25], chances)
    exact = evaluate(lambda x, y, p: -(x.xlogy(y, p) + x.xlog1py(1 - y, -p)), y, p, dtype)
    assert exact.bits == 128  # zeros and ones are known for what they are, not guessed by precision

    def value(t: Any, q: Any) -> Any:
        part = -t * mp.log(q) if q else (mp.inf if t else 0)
        return (part if t else 0) + ((-(1 - t) * mp.log(1 - q) if q != 1 else mp.inf) if t != 1 else 0)

    def slope(t: Any, q: Any) -> Any:
        left = (-t / q if q else -mp.inf) if t else 0
        right = ((1 - t) / (1 - q) if q != 1 else mp.inf) if t != 1 else 0
        return left + right

    check(exact, y, p, dtype, value, slope)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_crossentropy_of_logits(dtype: str) -> None:
    logits = [*reals(dtype), 20.0, -20.0, 100.0, -104.0, 700.0, -746.0, 5000.0]
    y, p = pairs([0.0, 1.0, 0.25], [float(v) for v in round_to(logits, dtype)])
    exact = evaluate(lambda x, y, z: x.softplus(z) - x.weigh(y, z), y, p, dtype)

    def softplus(z: Any) -> Any:
        if abs(z) > 10**5:  # beyond every format: the correction is far below the last subnormal
            return z if z > 0 else mp.mpf(0)
        return max(z, mp.mpf(0)) + mp.log(1 + mp.exp(-abs(z)))

    def sigmoid(z: Any) -> Any:
        return mp.mpf(z > 0) if abs(z) > 10**5 else 1 / (1 + mp.exp(-z))

    check(exact, y, p, dtype, lambda t, z: softplus(z) - t * z, lambda t, z: sigmoid(z) - t)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logcosh(dtype: str) -> None:
    y, p = pairs([0.0, 1.0, -2.5], [*reals(dtype), 1e-3, 40.0, 800.0])
    p = round_to(p, dtype).astype(np.float64)
    exact = evaluate(lambda x, y, p: x.logcosh(p - y), y, p, dtype)

    def value(t: Any, q: Any) -> Any:
        e = abs(q - t)
        return e - mp.log(2) if e > 10**4 else mp.log(mp.cosh(e))

    check(exact, y, p, dtype, value, lambda t, q: mp.sign(q - t) if abs(q - t) > 10**4 else mp.tanh(q - t))


def crossentropy(x: Any, y: Any, z: Any) -> Any:
    return -x.sum(x.weigh(y, x.log_softmax(z)), axis=-1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_categorical_crossentropy_of_logits_masked_ones_included(dtype: str) -> None:
    rng = np.random.default_rng(3)
    z = round_to(rng.standard_normal((6, 5)) * 4, dtype).astype(np.float64)
    z[1, 2] = z[2, 0] = z[2, 1] = -np.inf  # masked
    z[3] = [FORMATS[dtype].max, 0, 1, 2, 3]
    z[4] = 0.5
    z[5] = [-100.0, 0.0, 100.0, -20.0, 20.0]
    y = np.eye(5)[[0, 1, 3, 0, 4, 2]]
    y[5] = [0.1, 0.2, 0.3, 0.2, 0.2]
    y = round_to(y, dtype).astype(np.float64)
    exact = evaluate(crossentropy, y, z, dtype)
    assert exact.certified
    assert exact.grad is not None
    with mp.workprec(600):
        for row in range(6):
            t, a = [mp.mpf(v) for v in y[row].tolist()], [mp.mpf(v) for v in z[row].tolist()]
            top = max(a)
            terms = [mp.exp(v - top) if v - top > -(10**6) else mp.mpf(0) for v in a]
            log_sum = top + mp.log(mp.fsum(terms))
            want = mp.fsum(tj * (log_sum - aj) for tj, aj in zip(t, a, strict=True) if tj)
            assert float(exact.value.rounded()[row]) == nearest_mp(want, dtype)
            for j in range(5):
                share = terms[j] / mp.fsum(terms)
                assert float(exact.grad.rounded()[row, j]) == nearest_mp(share * mp.fsum(t) - t[j], dtype), (row, j)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cosine_similarity_of_tiny_and_huge_vectors(dtype: str) -> None:
    fmt = FORMATS[dtype]
    rng = np.random.default_rng(5)
    p = round_to(rng.standard_normal((6, 4)), dtype).astype(np.float64)
    y = round_to(rng.standard_normal((6, 4)), dtype).astype(np.float64)
    p[1], p[2], p[3] = p[1].round(2) * 0 + fmt.max, p[2] * 0 + fmt.smallest, y[3]
    y[4], p[4] = [fmt.max, fmt.smallest, 1.0, 0.0], [fmt.smallest, fmt.max, 1.0, 0.0]

    def reference(x: Any, y: Any, p: Any) -> Any:
        return -x.sum(y * p, axis=-1) / (x.norm(y, axis=-1) * x.norm(p, axis=-1))

    exact = evaluate(reference, y, p, dtype)
    assert exact.certified
    assert exact.grad is not None
    with mp.workprec(BITS * 2):
        for row in range(6):
            t, q = [mp.mpf(v) for v in y[row].tolist()], [mp.mpf(v) for v in p[row].tolist()]
            length_t, length_q = mp.sqrt(mp.fsum(v * v for v in t)), mp.sqrt(mp.fsum(v * v for v in q))
            dot = mp.fsum(a * b for a, b in zip(t, q, strict=True))
            assert float(exact.value.rounded()[row]) == nearest_mp(-dot / length_t / length_q, dtype)
            for j in range(4):
                slope = -(t[j] * length_q**2 - dot * q[j]) / length_t / length_q**3
                if abs(slope) < mp.mpf(2) ** -4000:  # parallel vectors: zero but for this test's own rounding
                    slope = mp.mpf(0)
                assert float(exact.grad.rounded()[row, j]) == nearest_mp(slope, dtype), (row, j)


def test_gradient_by_the_target_on_request() -> None:
    exact = evaluate(lambda x, y, p: x.xlogy(y, y) - x.xlogy(y, p), [0.25, 0.5], [0.5, 0.25], wrt="y_true")
    assert exact.grad is not None
    with mp.workprec(200):
        want = [nearest_mp(mp.log(mp.mpf(a) / b) + 1, "float64") for a, b in ((0.25, 0.5), (0.5, 0.25))]
    assert exact.grad.rounded().tolist() == want


def test_the_reduction_comes_before_the_rounding() -> None:
    p = np.array([1.0, 2.0**-12.4, 2.0**-12.4])  # each small square alone is below half an ulp of 1
    p = p.astype(np.float32).astype(np.float64)
    exact = evaluate(lambda x, y, p: x.square(p - y), np.zeros(3), p, "float32", params={"reduction": "sum"})
    naive = np.float32(np.float32(1.0) + np.float32(p[1] ** 2)) + np.float32(p[2] ** 2)
    with mp.workprec(200):
        want = nearest_mp(mp.fsum(mp.mpf(v) ** 2 for v in p.tolist()), "float32")
    assert exact.value.rounded().item() == want
    assert want != float(naive)
