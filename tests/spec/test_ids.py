"""Ids are join keys: two that differ must read differently."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.formats import FORMATS

names = st.sampled_from(["huber", "mae", "cross_entropy", "my_losses.huber"])
params = st.fixed_dictionaries(
    {}, optional={"delta": st.floats(0.0, 9.0), "gamma": st.integers(-3, 3), "from_logits": st.booleans()}
)
cases = st.builds(
    Case,
    loss=names,
    params=params.map(lambda p: tuple(sorted(p.items()))),
    shape=st.lists(st.integers(0, 99), min_size=1, max_size=3).map(tuple),
    dtype=st.sampled_from(sorted(FORMATS)),
    regime=st.sampled_from(["typical", "kink"]),
    seed=st.integers(0, 9),
)
lanes = st.builds(
    Lane,
    backend=st.sampled_from(["torch", "jax"]),
    mode=st.sampled_from(["eager", "compiled"]),
    threads=st.integers(1, 4),
    label=st.sampled_from(["", "base"]),
)
cells = st.builds(
    Cell, case=cases, binding=st.sampled_from(["a", "b"]), lane=lanes, operation=st.sampled_from(["value", "grad"])
)


def test_an_id_reads_as_documented() -> None:
    case = Case(loss="huber", params=(("delta", 1.0),), shape=(4096, 128))
    cell = Cell(case=case, binding="functional", lane=Lane(backend="torch", mode="compiled"), operation="grad")
    assert case.id == "huber[delta=1,f32,4096x128,typical,s0]"
    assert cell.id == "huber[delta=1,f32,4096x128,typical,s0]@torch-cpu-compiled/functional:grad"


@given(cells, cells)
def test_ids_are_equal_only_for_equal_cells(a: Cell, b: Cell) -> None:
    assert (a.id == b.id) == (a == b)


def test_close_parameters_have_ids_of_their_own() -> None:
    deltas = (1.0, 1.0000001, 1e-7, 0.1 + 0.2, 0.3)
    assert len({Case(loss="huber", params=(("delta", d),), shape=(2,)).id for d in deltas}) == len(deltas)
