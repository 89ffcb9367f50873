"""A plan is a function of catalogue, profile and selection: complete, without repetition, always in one order."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench import BadInput, Binding, Loss
from lossbench.spec import inputs, plan
from lossbench.spec.case import Lane
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.formats import FORMATS
from lossbench.spec.profiles import MODES, PROFILES
from lossbench.spec.regimes import REGIMES


def bindings(*names: tuple[str, str]) -> tuple[Binding, ...]:
    return tuple(Binding(backend=b, name=n, call=len, docs=()) for b, n in names)


@pytest.fixture(name="two", scope="module")
def _two(stand_in: Callable[..., Loss]) -> Catalogue:
    everywhere = [(b, n) for b in MODES for n in ("first", "second", "formula")]
    losses = {
        "absolute": stand_in(
            name="absolute", bindings=bindings(*everywhere), params={"delta": 1.0}, kinks=lambda delta: (delta,)
        ),
        "entropy": stand_in(
            "class_index", "logits", extent="rows", name="entropy", unit="row", bindings=bindings(*everywhere[:6])
        ),
    }
    return Catalogue(losses=losses, families=dict.fromkeys(losses, "test"), files=MappingProxyType({}))


def made(two: Catalogue, profile: str = "standard", **selection: Any) -> plan.Plan:
    return plan.make(two, PROFILES[profile], **selection)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_makes_every_cell_once_and_every_case_can_be_built(two: Catalogue, profile: str) -> None:
    cells = made(two, profile).cells
    assert len({c.id for c in cells}) == len(cells)
    cases = {c.case.id: c.case for c in cells if max(c.case.shape) < 10_000 and c.case.dtype == "float16"}
    for case in list(cases.values())[:150] or [c.case for c in cells][:20]:
        arrays = inputs.build(two.losses[case.loss], case).arrays
        assert arrays["y_pred"].shape == case.shape


def test_every_loss_backend_operation_and_mode_is_in_standard(two: Catalogue) -> None:
    seen = {(c.case.loss, c.lane.backend, c.lane.mode, c.operation) for c in made(two).cells}
    have = {("absolute", b) for b in MODES} | {("entropy", "tensorflow"), ("entropy", "torch")}
    # where a program takes seconds to compile, one gives value and gradient
    assert seen == {
        (loss, b, m, o)
        for loss, b in have
        for m in ("eager", "compiled")
        for o in ("value", "grad")
        if (b, m, o) != ("torch", "compiled", "value")
    }
    assert made(two).absent == (("entropy", "jax"),)
    assert {(c.case.loss, c.case.params) for c in made(two).cells} >= {("absolute", (("delta", 1.0),)), ("entropy", ())}


def test_quick_runs_torch_eagerly_alone_and_one_edge_a_loss(two: Catalogue) -> None:
    quick = made(two, "quick").cells
    assert {(c.lane.backend, c.lane.mode) for c in quick} == {
        ("tensorflow", "eager"), ("tensorflow", "compiled"), ("torch", "eager"), ("jax", "eager"), ("jax", "compiled"),
    }  # fmt: skip
    assert {(c.case.loss, c.case.regime) for c in quick} == {
        ("absolute", "typical"), ("absolute", "kink"), ("entropy", "typical"), ("entropy", "saturated"),
    }  # fmt: skip
    assert {c.binding for c in quick} == {"first"}
    assert {c.case.dtype for c in quick} == {"float32"}


def test_full_has_every_dtype_mode_binding_and_applicable_regime(two: Catalogue) -> None:
    full = made(two, "full").cells
    for loss in two.losses.values():
        cells = [c for c in full if c.case.loss == loss.name]
        assert {c.case.dtype for c in cells} == set(FORMATS)
        assert {c.case.regime for c in cells} == {r.name for r in REGIMES.values() if r.applies(loss)}
        assert {c.binding for c in cells} == {"first", "second", "formula"}
        assert len({c.case.seed for c in cells}) > 1
    shapes = {c.case.shape for c in full if c.case.loss == "entropy"}
    assert {(0, 8), (1, 8), (4, 100_000), (1_250_000, 8), (16, 1)} <= shapes
    assert (4, 100_000) not in {c.case.shape for c in full if c.case.loss == "absolute"}


def test_torch_compile_in_standard_is_for_one_spelling_and_shape(two: Catalogue) -> None:
    compiled = [c for c in made(two).cells if c.lane.id == "torch-cpu-compiled"]
    assert {(c.binding, c.case.dtype, c.case.shape) for c in compiled} == {("first", "float32", (2048, 128))}


def test_groups_hold_the_timed_cells_by_case_and_operation(two: Catalogue) -> None:
    standard = made(two)
    grouped = [c.id for group in standard.groups for c in group]
    assert sorted(grouped) == sorted(standard.timed)
    assert standard.timed <= {c.id for c in standard.cells}
    for group in standard.groups:
        assert len({(c.case, c.operation) for c in group}) == 1
        assert len({c.lane.backend for c in group}) > 1


names = st.sets(st.sampled_from(["absolute", "entropy"]), min_size=1)
selections = st.fixed_dictionaries(
    {},
    optional={
        "losses": names.map(sorted),
        "backends": st.sets(st.sampled_from(sorted(MODES)), min_size=1).map(sorted),
        "dtypes": st.sets(st.sampled_from(sorted(FORMATS)), min_size=1).map(sorted),
        "regimes": st.sets(st.sampled_from(["typical", "kink", "saturated"]), min_size=1).map(sorted),
        "modes": st.sets(st.sampled_from(["eager", "compiled", "xla"]), min_size=1).map(sorted),
        "operations": st.sets(st.sampled_from(["value", "grad"]), min_size=1).map(sorted),
        "bindings": st.sets(st.sampled_from(["first", "formula"]), min_size=1).map(sorted),
        "seeds": st.sets(st.integers(0, 9), min_size=1, max_size=2).map(sorted),
    },
)


@settings(max_examples=40, deadline=None)
@given(selection=selections, profile=st.sampled_from(["quick", "standard"]))
def test_a_plan_is_repeatable_and_holds_only_what_was_asked(
    two: Catalogue, selection: dict[str, Any], profile: str
) -> None:
    try:
        first = made(two, profile, **selection)
    except BadInput as fault:
        assert fault.subject == "selection"  # noqa: PT017 - most selections leave something, some nothing
        return
    assert first.cells == made(two, profile, **selection).cells
    assert first.groups == made(two, profile, **selection).groups
    assert len({c.id for c in first.cells}) == len(first.cells)
    for cell in first.cells:
        seen = {
            "losses": cell.case.loss, "backends": cell.lane.backend, "dtypes": cell.case.dtype,
            "regimes": cell.case.regime, "modes": cell.lane.mode, "operations": cell.operation,
            "bindings": cell.binding, "seeds": cell.case.seed,
        }  # fmt: skip
        for name, value in seen.items():
            assert name not in selection or value in selection[name]


def test_a_mode_that_a_profile_lacks_takes_the_place_of_eager(two: Catalogue) -> None:
    compiled = made(two, "quick", modes=["compiled"], backends=["torch"]).cells
    assert {c.lane.id for c in compiled} == {"torch-cpu-compiled"}
    # where the profile has such cells, it stays at those
    narrowed = made(two, "standard", modes=["compiled"], backends=["torch"]).cells
    assert {c.case.shape for c in narrowed} == {(2048, 128)}


def test_given_lanes_take_the_place_of_plain_ones(two: Catalogue) -> None:
    lanes = [Lane(backend="torch", label=label) for label in ("base", "head")]
    chosen = made(two, "quick", lanes=lanes)
    assert [lane.id for lane in chosen.lanes] == ["torch-cpu-eager-base", "torch-cpu-eager-head"]
    assert all({c.lane.label for c in group} == {"base", "head"} for group in chosen.groups)


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"dtypes": ["float8"]}, "dtype: expected one of float64, float32, bfloat16, float16, received 'float8'"),
        ({"backends": ["mxnet"]}, "backend: expected one of tensorflow, torch, jax"),
        ({"regimes": ["odd"]}, "regime: expected one of typical, kink"),
        ({"modes": ["lazy"]}, "mode: expected one of eager, compiled, xla"),
        ({"operations": ["hessian"]}, "operation: expected one of value, grad"),
        ({"bindings": ["third"]}, "binding: expected one of first, second, formula"),
        ({"losses": ["absolut"]}, "did you mean absolute"),
        ({"losses": ["entropy"], "backends": ["jax"]}, "selection: expected at least one cell .* on tensorflow, torch"),
        ({"losses": ["entropy"], "regimes": ["kink"]}, "regimes typical, saturated"),
        ({"backends": ["torch"], "modes": ["xla"]}, "received a selection that leaves none"),
    ],
)
def test_a_selection_of_nothing_names_what_there_is(two: Catalogue, selection: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        made(two, **selection)


def test_an_unknown_profile_lists_them() -> None:
    assert plan.profile_named("quick").name == "quick"
    with pytest.raises(BadInput, match="one of quick, agreement, standard, sizes, full, received 'slow'"):
        plan.profile_named("slow")


def test_sizes_that_would_square_are_left_out(stand_in: Callable[..., Loss]) -> None:
    loss = stand_in("class_index", "logits", extent="rows", unit="batch")
    assert plan.shape_of(loss, "long") is None
    pairs = stand_in("class_index", "real", extent="rows", unit="row")
    assert [plan.shape_of(pairs, size) for size in ("long", "wide")] == [None, None]
    assert plan.shape_of(loss, "empty") == (0, 8)
    assert plan.shape_of(loss, "no such size") is None
