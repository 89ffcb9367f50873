"""The generator itself: the same bytes everywhere, every edge present, nothing outside the domain unasked."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossbench import BadInput, Domain, Loss
from lossbench.spec import draw
from lossbench.spec.case import Case
from lossbench.spec.formats import FORMATS, round_to
from lossbench.spec.inputs import build, digest, settle
from lossbench.spec.regimes import REGIMES

MakeLoss = Callable[..., Loss]
DTYPES = tuple(FORMATS)
KINDS = (
    "real", "positive", "nonnegative", "count", "probability", "simplex", "log_simplex", "logits", "binary", "sign",
    "one_hot", "class_index", "weight",
)  # fmt: skip
PAIRS = (
    ("real", "real"), ("positive", "positive"), ("nonnegative", "nonnegative"), ("count", "positive"),
    ("binary", "probability"), ("binary", "logits"), ("sign", "real"), ("probability", "probability"),
    ("one_hot", "simplex"), ("one_hot", "logits"), ("simplex", "simplex"), ("simplex", "log_simplex"),
    ("class_index", "simplex"), ("class_index", "logits"), ("class_index", "log_simplex"), ("one_hot", "real"),
)  # fmt: skip
WITH_REGIMES = [
    (*pair, name)
    for pair in PAIRS
    for name in REGIMES
    if not (name == "kink" and (pair[0] not in ("real", "positive", "nonnegative", "probability", "sign", "binary")))
]


def made(loss: Loss, regime: str = "typical", **given: Any) -> dict[str, Any]:
    case = Case(loss=loss.name, **{"shape": (16, 8), "regime": regime, **given})
    return build(loss, case).arrays


def pair(make: MakeLoss, y_true: str, y_pred: str, **given: Any) -> Loss:
    return make(y_true, y_pred, extent="rows" if y_true == "class_index" else "same", **given)


# --- determinism --------------------------------------------------------------------------------


def test_the_digest_is_of_names_types_shapes_and_bytes() -> None:
    arrays = {"y_pred": np.array([[1.5, -2.0]], dtype=np.float32), "y_true": np.array([3], dtype=np.int32)}
    by_hand = b"y_pred:float32:1x2:" + struct.pack("<2f", 1.5, -2.0) + b"y_true:int32:1:" + struct.pack("<i", 3)
    assert digest(arrays) == hashlib.sha256(by_hand).hexdigest()
    assert digest({"y_true": arrays["y_true"], "y_pred": arrays["y_pred"]}) == digest(arrays)
    assert digest({"y_pred": arrays["y_pred"].astype(">f4"), "y_true": arrays["y_true"]}) == digest(arrays)


def test_a_deviate_comes_from_the_hash_of_its_key_through_pcg64() -> None:
    seed = int.from_bytes(hashlib.sha256(b"a key/").digest()[:16], "little")
    # PCG64 (XSL-RR 128/64) as published, seeded as numpy seeds it
    state = np.random.PCG64(seed).state["state"]
    advanced = (state["state"] * 47026247687942121848144207491837523525 + state["inc"]) % 2**128
    mixed, turn = (advanced >> 64) ^ (advanced % 2**64), advanced >> 122
    raw = ((mixed >> turn) | (mixed << (64 - turn))) % 2**64
    assert float(draw.Source("a key").uniform((3,))[0]) == (2 * (raw >> 12) + 1) / 2**53


def test_equal_cases_give_equal_bytes_in_another_process(stand_in: MakeLoss, tmp_path: Path) -> None:
    program = tmp_path / "other.py"
    program.write_text(
        "from lossbench import Domain, Loss\n"
        "from lossbench.spec.case import Case\n"
        "from lossbench.spec.inputs import build\n"
        "text = dict(name='stand_in', title='t', summary='s', formula='f', source='s', reference=len, bindings=())\n"
        "loss = Loss(inputs={'y_true': Domain(kind='simplex'), 'y_pred': Domain(kind='log_simplex')}, **text)\n"
        "print(build(loss, Case(loss='stand_in', shape=(16, 8), dtype='float64', regime='ties', seed=3)).digest)\n"
    )
    here = build(
        stand_in("simplex", "log_simplex"),
        Case(loss="stand_in", shape=(16, 8), dtype="float64", regime="ties", seed=3),
    )
    environ = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    printed = subprocess.run([sys.executable, str(program)], env=environ, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == here.digest


def test_seed_regime_shape_and_dtype_change_the_bytes_but_params_do_not(stand_in: MakeLoss) -> None:
    loss = stand_in()
    base = Case(loss="stand_in", shape=(16, 8))
    others = [
        Case(loss="stand_in", shape=(16, 8), seed=1),
        Case(loss="stand_in", shape=(8, 16)),
        Case(loss="stand_in", shape=(16, 8), regime="tiny"),
        Case(loss="stand_in", shape=(16, 8), dtype="float16"),
        Case(loss="another", shape=(16, 8)),
    ]
    digests = {build(loss, case).digest for case in (base, *others)}
    assert len(digests) == 6
    assert build(loss, Case(loss="stand_in", shape=(16, 8), params=(("delta", 2.0),))).digest in digests


def test_every_dtype_rounds_the_same_numbers(stand_in: MakeLoss) -> None:
    exact = made(stand_in("positive", "real"), dtype="float64")
    for dtype in DTYPES:
        for name, values in made(stand_in("positive", "real"), dtype=dtype).items():
            assert values.tobytes() == round_to(exact[name], dtype).tobytes()


def test_the_logarithm_without_a_library() -> None:
    values = np.concatenate([draw.Source("log").uniform((2000,)), [1.0, 0.5, 2.0, 1e-300, 1e300, 0.7071067811865476]])
    assert np.abs(draw.log(values) - np.log(values)).max() <= 4e-16 * np.abs(np.log(values)).max()
    near_one = 1 + np.array([1e-9, -1e-9])
    assert np.abs(draw.log(near_one) / np.log1p(near_one - 1) - 1).max() < 1e-15


# --- typical values -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(64, 8), (0, 8), (1, 1), (2, 3, 4), (8,)])
def test_typical_values_lie_in_their_domain_and_dtype(
    stand_in: MakeLoss, kind: str, dtype: str, shape: tuple[int, ...]
) -> None:
    loss = stand_in(kind, "real", extent="rows" if kind == "class_index" else "same")
    values = made(loss, dtype=dtype, shape=shape)["y_true"]
    domain = Domain(kind=kind)  # type: ignore[arg-type]
    assert values.shape == (shape[:-1] if kind == "class_index" else shape)
    assert domain.contains(values, classes=shape[-1]).all()
    if kind == "class_index":
        assert values.dtype == np.int32
    else:
        assert values.dtype == FORMATS[dtype].carrier
        assert round_to(values, dtype).tobytes() == values.tobytes()


@pytest.mark.parametrize(("kind", "least"), [("real", 500), ("logits", 500), ("positive", 500), ("probability", 500)])
def test_values_are_distinct_and_spread(stand_in: MakeLoss, kind: str, least: int) -> None:
    values = made(stand_in(kind, kind), shape=(64, 8))["y_pred"]
    assert np.unique(values).size >= least
    assert not np.array_equal(values, made(stand_in(kind, kind), shape=(64, 8))["y_true"])
    if kind in ("real", "logits"):
        spread = 1.0 if kind == "real" else 2.0
        assert abs(values.mean()) < 0.2 * spread
        assert 0.85 * spread < values.std() < 1.15 * spread
        assert 0.4 < (values < 0).mean() < 0.6
    else:
        assert values.min() > 0.0
        assert values.max() > 4 * values.min()


@pytest.mark.parametrize(("kind", "expected"), [("binary", {0, 1}), ("sign", {-1, 1}), ("class_index", set(range(8)))])
def test_every_label_occurs(stand_in: MakeLoss, kind: str, expected: set[int]) -> None:
    values = made(pair(stand_in, kind, "real"), shape=(64, 8))["y_true"]
    assert set(values.ravel().tolist()) == expected


def test_sequence_labels_leave_out_the_blank_and_fit_in_time(stand_in: MakeLoss) -> None:
    labels = made(stand_in("class_index", "logits", extent="labels"), shape=(5, 12, 4))["y_true"]
    assert labels.shape == (5, 6)
    assert set(labels.ravel().tolist()) == {1, 2, 3}


def test_an_ignored_index_is_among_the_labels(stand_in: MakeLoss) -> None:
    loss = pair(stand_in, "class_index", "logits")
    labels = made(loss, params=(("ignore_index", -100),))["y_true"]
    assert np.count_nonzero(labels == -100) == 4
    assert np.count_nonzero(labels >= 0) == 12


def test_further_inputs_get_their_extent(stand_in: MakeLoss) -> None:
    domains = {
        "y_true": Domain(kind="one_hot"),
        "y_pred": Domain(kind="simplex"),
        "A": Domain(kind="real", extent="square"),
        "w": Domain(kind="weight", extent="scalar"),
        "rows": Domain(kind="weight", extent="rows"),
    }
    arrays = made(stand_in(inputs=domains))
    assert {name: a.shape for name, a in arrays.items()} == {
        "y_true": (16, 8), "y_pred": (16, 8), "A": (8, 8), "w": (), "rows": (16,),
    }  # fmt: skip


def test_rounding_keeps_finite_numbers_finite_and_positive_ones_positive() -> None:
    settled = settle(np.array([1e-12, 1e30, np.inf, np.nan]), Domain(kind="positive"), "float16")
    assert settled[:3].tolist() == [2.0**-24, 65504.0, np.inf]
    assert np.isnan(settled[3])
    assert settle(np.array([1e-12, -1e30]), Domain(kind="real"), "float16").tolist() == [0.0, -65504.0]


# --- regimes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("y_true", "y_pred", "regime"), WITH_REGIMES)
def test_a_regime_stays_in_the_domain_unless_it_says_so(
    stand_in: MakeLoss, y_true: str, y_pred: str, regime: str
) -> None:
    of = "margin" if y_true in ("sign", "binary") else "residual"
    loss = pair(stand_in, y_true, y_pred, kinks=lambda **_: (-1.0, 0.1, 1.0), kink_of=of)
    chosen = REGIMES[regime]
    if not chosen.applies(loss):
        with pytest.raises(BadInput, match=regime):
            made(loss, regime)
        return
    for dtype in DTYPES:
        for shape in ((16, 8), (0, 8), (1, 2)):
            arrays = made(loss, regime, dtype=dtype, shape=chosen.shape(shape))
            for name, values in arrays.items():
                inside = loss.inputs[name].contains(values, classes=shape[-1])
                assert chosen.leaves_domain or inside.all(), (dtype, name, values[~inside])
                if name == "y_pred":
                    assert round_to(values, dtype).tobytes() == values.tobytes()
            # an outside regime has to be outside, or it tests nothing
            if chosen.leaves_domain and shape == (16, 8):
                masks = [loss.inputs[n].contains(v, classes=8) for n, v in arrays.items()]
                assert y_pred == "log_simplex" or not all(m.all() for m in masks)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kinks", [(0.0,), (-1.0, 1.0), (-0.1, 0.1)])
def test_a_kink_is_met_and_passed_on_both_sides(stand_in: MakeLoss, dtype: str, kinks: tuple[float, ...]) -> None:
    loss = stand_in(kinks=lambda delta: tuple(k * delta for k in kinks), params={"delta": 1.0})
    arrays = made(loss, "kink", dtype=dtype, params=(("delta", 1.0),))
    y, p = (arrays[n].astype(np.float64) for n in ("y_true", "y_pred"))
    for kink in kinks:
        on = float(round_to(kink, dtype))
        ulp = max(abs(on), 2.0 ** FORMATS[dtype].emin) * FORMATS[dtype].eps
        # y = 0 leaves p itself as the residual, so that every dtype can be exactly there
        alone = p[y == 0]
        assert on in alone
        assert np.any((alone > on) & (alone <= on + ulp))
        assert np.any((alone < on) & (alone >= on - ulp))
        beside = max(2e-3, 8 * FORMATS[dtype].eps * max(abs(on), 1))
        for y_zero in (True, False):
            residual = (p - y)[(y == 0) == y_zero]
            assert np.any((residual > on + ulp) & (residual < on + beside))
            assert np.any((residual < on - ulp) & (residual > on - beside))


@pytest.mark.parametrize("y_true", ["sign", "binary"])
def test_a_margin_kink_is_met_for_both_labels(stand_in: MakeLoss, y_true: str) -> None:
    loss = stand_in(y_true, "real", kinks=lambda **_: (1.0,), kink_of="margin")
    arrays = made(loss, "kink")
    sign = arrays["y_true"] if y_true == "sign" else 2 * arrays["y_true"] - 1
    margin = sign * arrays["y_pred"]
    for label in (-1, 1):
        seen = set(margin[sign == label].tolist())
        assert {1.0, float(np.nextafter(np.float32(1), 2)), float(np.nextafter(np.float32(1), 0))} <= {
            float(np.float32(m)) for m in seen
        }


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_probabilities_hold_0_1_and_their_neighbours(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(stand_in("binary", "probability"), "saturated", dtype=dtype)
    p, fmt = arrays["y_pred"].astype(np.float64), FORMATS[dtype]
    for value in (0.0, 1.0, 1 - fmt.eps / 2, fmt.tiny, float(round_to(1e-7, dtype)), float(round_to(1 - 1e-7, dtype))):
        assert value in p
    for end in (0.0, 1.0):
        assert set(arrays["y_true"][p == end].tolist()) == {0.0, 1.0}


def test_saturated_logits_reach_both_ends(stand_in: MakeLoss) -> None:
    p = made(stand_in("binary", "logits"), "saturated", dtype="float16")["y_pred"]
    assert {-10000.0, -1000.0, -100.0, 100.0, 1000.0, 10000.0} <= set(p.ravel().tolist())
    # every edge once, where there is just room for them
    few = made(stand_in("binary", "logits"), "saturated", shape=(2, 7))["y_pred"]
    assert np.unique(few).size == 14


@pytest.mark.parametrize("dtype", DTYPES)
def test_saturated_rows_are_sure_of_the_right_and_of_the_wrong_class(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(pair(stand_in, "class_index", "simplex"), "saturated", dtype=dtype)
    right = np.take_along_axis(arrays["y_pred"], arrays["y_true"][:, None], axis=1)
    assert 0.0 in right
    assert 1.0 in right
    assert np.any((right > 0) & (right < 1e-2))
    assert np.any((right < 1) & (right > 0.99))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tiny_differences_are_about_1e_8(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(stand_in(), "tiny", dtype=dtype)
    y, p = (arrays[n].astype(np.float64) for n in ("y_true", "y_pred"))
    assert np.count_nonzero((y == 0) & (np.abs(p) >= 1e-8) & (np.abs(p) <= 2.1e-8)) >= 16
    both = (np.abs(y) > 0) & (np.abs(y) < 1e-6) & (np.abs(p) < 1e-6)
    assert np.count_nonzero(both) >= 16
    if dtype == "float64":
        near = np.abs(y) > 1e-3
        assert np.all(np.abs(p - y)[near] <= 2.1e-8 * np.maximum(1, np.abs(y[near])))
        assert np.all((p != y)[near])


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_hold_errors_of_every_size_about_0_and_about_ordinary_targets(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(stand_in(), "scales", dtype=dtype)
    y, p = (arrays[n].astype(np.float64) for n in ("y_true", "y_pred"))
    error = np.abs(p - y)
    assert np.abs(p).max() <= 1.01e4  # an ordinary target and a rounding more than the largest error
    for about_zero in (True, False):
        sizes = error[(y == 0) == about_zero]
        powers = set(np.floor(np.log10(sizes[sizes > 0])).tolist())
        # an ordinary target in 16 bit has no neighbour within 1e-4
        assert {0.0, 1.0, 2.0, 3.0} <= powers
        assert not about_zero or {-4.0, -3.0, -2.0, -1.0} <= powers
    assert np.any(p < -100)
    assert np.any(p > 100)


def test_scales_are_compared_unreduced(stand_in: MakeLoss) -> None:
    scales, typical = REGIMES["scales"], REGIMES["typical"]
    assert scales.params(stand_in(), {"delta": 2.0}) == {"delta": 2.0, "reduction": "none"}
    assert scales.params(stand_in(unit="batch"), {}) == {}
    assert typical.params(stand_in(), {"delta": 2.0}) == {"delta": 2.0}


@pytest.mark.parametrize(("y_true", "y_pred"), [("one_hot", "simplex"), ("simplex", "log_simplex"), ("real", "real")])
def test_classes_stand_on_the_axis_asked_for(stand_in: MakeLoss, y_true: str, y_pred: str) -> None:
    loss = stand_in(y_true, y_pred, accepts=("axis",))
    for axis, shape in ((0, (16, 8)), (1, (3, 4, 5)), (-3, (3, 4, 5))):
        arrays = made(loss, params=(("axis", axis),), shape=shape)
        for name, values in arrays.items():
            assert values.shape == shape
            at_the_end = np.moveaxis(values, axis, -1)
            assert loss.inputs[name].contains(at_the_end).all()
            assert y_true == "real" or not loss.inputs[name].contains(values).all()
    last = made(loss, params=(("axis", -1),))
    assert digest(last) == digest(made(loss))


@pytest.mark.parametrize("dtype", DTYPES)
def test_huge_reaches_the_largest_number_and_overflows_a_difference(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(stand_in(), "huge", dtype=dtype)
    y, p, largest = arrays["y_true"], arrays["y_pred"], FORMATS[dtype].max
    assert largest in p
    assert -largest in p
    assert np.all(np.isfinite(p))
    assert np.isfinite(y).all()
    big = np.sqrt(largest)
    assert np.any((np.abs(y) > big) & (np.abs(p) > big) & (np.sign(y) == np.sign(p)))
    assert np.any((np.abs(y) > big) & (np.abs(p) > big) & (np.sign(y) != np.sign(p)))
    assert np.any((np.abs(y) < 10) & (np.abs(p) > big))


@pytest.mark.parametrize("dtype", DTYPES)
def test_subnormals_are_subnormal_to_both_ends(stand_in: MakeLoss, dtype: str) -> None:
    arrays = made(stand_in(), "subnormal", dtype=dtype)
    fmt, p = FORMATS[dtype], np.abs(arrays["y_pred"].astype(np.float64))
    assert np.all((p >= fmt.smallest) & (p <= fmt.tiny))
    for value in (fmt.smallest, fmt.tiny - fmt.smallest, fmt.tiny):
        assert value in p
    assert np.any((arrays["y_pred"] < 0) & (p < fmt.tiny))
    assert np.any((np.abs(arrays["y_true"]) < fmt.tiny) & (arrays["y_true"] != 0))


def test_zero_rows_stand_on_either_side_and_on_both(stand_in: MakeLoss) -> None:
    arrays = made(stand_in(), "zeros")
    y, p = ((arrays[n] == 0).all(axis=1) for n in ("y_true", "y_pred"))
    assert {(bool(a), bool(b)) for a, b in zip(y, p, strict=True)} == {(a, b) for a in (0, 1) for b in (0, 1)}


@pytest.mark.parametrize("y_pred", ["logits", "simplex", "log_simplex"])
def test_ties_with_and_without_the_label(stand_in: MakeLoss, y_pred: str) -> None:
    arrays = made(pair(stand_in, "class_index", y_pred), "ties", shape=(64, 8))
    p = arrays["y_pred"]
    top = p == p.max(axis=1, keepdims=True)
    at_label = np.take_along_axis(top, arrays["y_true"][:, None], axis=1)[:, 0]
    count = top.sum(axis=1)
    assert {1, 2, 8} <= set(count.tolist())
    assert np.any((count == 2) & at_label)
    assert count[2::4].tolist() == [2] * 16
    assert not at_label[2::4].any()


@pytest.mark.parametrize(("kind", "sides"), [("binary", {0.0, 1.0}), ("sign", {-1.0, 1.0}), ("class_index", {0, 7})])
def test_one_sided_labels_take_a_side_a_seed(stand_in: MakeLoss, kind: str, sides: set[float]) -> None:
    loss = pair(stand_in, kind, "logits")
    seen = [set(made(loss, "one_sided", seed=seed)["y_true"].ravel().tolist()) for seed in (0, 1)]
    assert [len(s) for s in seen] == [1, 1]
    assert seen[0] | seen[1] == sides


def test_unnormalised_rows_sum_to_0_to_less_and_to_more(stand_in: MakeLoss) -> None:
    sums = made(stand_in("one_hot", "simplex"), "unnormalised")["y_true"].sum(axis=1)
    assert 0.0 in sums
    assert sums.min() < 0.9
    assert sums.max() > 1.1


def test_masked_logits_spare_the_right_class(stand_in: MakeLoss) -> None:
    arrays = made(pair(stand_in, "class_index", "logits"), "masked")
    hidden = np.isneginf(arrays["y_pred"])
    assert not np.take_along_axis(hidden, arrays["y_true"][:, None], axis=1).any()
    counts = hidden.sum(axis=1)
    assert counts[0] == 7
    assert 1 in counts
    assert np.isfinite(arrays["y_pred"]).sum() > 64


def test_special_values_are_one_a_row(stand_in: MakeLoss) -> None:
    arrays = made(stand_in(), "special")
    for name in ("y_true", "y_pred"):
        values = arrays[name]
        assert (np.isnan(values).sum(), np.isposinf(values).sum(), np.isneginf(values).sum()) == (2, 2, 2)
        assert np.all((~np.isfinite(values)).sum(axis=1) <= 1)
    assert np.isfinite(arrays["y_pred"][3]).all()


def test_one_class_needs_its_shape(stand_in: MakeLoss) -> None:
    loss = pair(stand_in, "class_index", "simplex")
    arrays = made(loss, "one_class", shape=REGIMES["one_class"].shape((16, 8)))
    assert arrays["y_pred"].tolist() == [[1.0]] * 16
    assert arrays["y_true"].tolist() == [0] * 16
    with pytest.raises(BadInput, match="a single class"):
        made(loss, "one_class")


def test_a_hundred_thousand_classes(stand_in: MakeLoss) -> None:
    arrays = made(pair(stand_in, "class_index", "simplex"), shape=(2, 100_000), dtype="float64")
    assert np.allclose(arrays["y_pred"].sum(axis=1), 1.0, rtol=1e-12, atol=0)
    assert arrays["y_true"].max() < 100_000


def test_an_unknown_regime_lists_those_that_apply(stand_in: MakeLoss) -> None:
    with pytest.raises(BadInput, match=r"one of typical, .*received 'odd'"):
        made(stand_in(), "odd")
