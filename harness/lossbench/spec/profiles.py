"""How much to run, as data: a profile is a list of sweeps and the seconds that may go into timed calls.

The aim on two cores: quick within 2 minutes, standard within 10, timed calls being the largest part of either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from lossbench.spec.case import Mode, Operation
from lossbench.spec.regimes import REGIMES

MODES: Final[Mapping[str, tuple[Mode, ...]]] = MappingProxyType(
    {
        "tensorflow": ("eager", "compiled", "xla"),
        "torch": ("eager", "compiled"),
        "jax": ("eager", "compiled"),
    }
)
"""What each backend has, in the order in which lanes are named."""

ALL_DTYPES: Final = ("float32", "float64", "bfloat16", "float16")
EDGES: Final = tuple(name for name in REGIMES if name != "typical")

Bindings = Literal["first", "first and formula", "all"]
Modes = Mapping[str, tuple[Mode, ...]]
Practice = Literal["none", "sketch", "whole"]

DERIVATIVES: Final[tuple[Operation, ...]] = ("grad_target", "jvp")
EAGER: Final[Modes] = MappingProxyType(dict.fromkeys(MODES, ("eager",)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Cells: every applicable combination of what is listed.

    timed: whether they are timed as well as compared. regimes: in order; with `one_regime`, the first that
    applies to the loss. modes: by backend; a backend left out is not run. sizes: see `plan.shape_of`; with
    `one_size`, the first that the loss has.
    bindings: `first` is the documented spelling, `formula` the formula in the framework's own operations.
    varied: instead of the default parameters, each away from its default in turn, see `variations`.
    """

    timed: bool = False
    dtypes: tuple[str, ...] = ("float32",)
    regimes: tuple[str, ...] = ("typical",)
    one_regime: bool = False
    modes: Modes
    bindings: Bindings = "all"
    sizes: tuple[str, ...] = ("small",)
    one_size: bool = False
    operations: tuple[Operation, ...] = ("value", "grad")
    seeds: tuple[int, ...] = (0,)
    varied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a run does. timed_seconds: for all timed calls together, to be shared out over the timed cells.

    visits: how often the schedule comes round to each timed cell. mapped: dtypes of the divergence maps.
    practice: which training runs follow.
    """

    name: str
    summary: str
    sweeps: tuple[Sweep, ...]
    timed_seconds: float
    visits: int = 6
    mapped: tuple[str, ...] = ()
    practice: Practice = "none"


def _compiled(**modes: tuple[Mode, ...]) -> Modes:
    return MappingProxyType(modes)


QUICK: Final = Profile(
    name="quick",
    summary="float32, value with gradient; the documented spelling of every loss eagerly, compiled in TensorFlow and "
    "JAX; ordinary inputs and one edge each",
    timed_seconds=16,
    visits=3,
    sweeps=(
        Sweep(modes=EAGER, bindings="first", operations=("grad",)),
        Sweep(
            modes=EAGER,
            bindings="first",
            regimes=("kink", "saturated", "masked", "zeros", "tiny"),
            one_regime=True,
            operations=("grad",),
        ),
        # at this shape a call costs the framework's overhead and some work; `standard` has the large shape
        Sweep(
            timed=True,
            modes=_compiled(tensorflow=("eager", "compiled"), torch=("eager",), jax=("eager", "compiled")),
            bindings="first",
            sizes=("medium", "large"),
            one_size=True,
            operations=("grad",),
        ),
    ),
)

STANDARD: Final = Profile(
    name="standard",
    summary="all spellings in float32, the documented one in float64 and in every regime; timed eagerly and compiled "
    "at the large shape",
    timed_seconds=150,
    visits=4,
    mapped=("float32",),
    practice="sketch",
    sweeps=(
        Sweep(modes=EAGER, operations=("grad",)),
        Sweep(modes=EAGER, dtypes=("float64",), bindings="first", operations=("grad",)),
        Sweep(modes=EAGER, regimes=EDGES, bindings="first", operations=("grad",)),
        Sweep(modes=EAGER, dtypes=("float64",), regimes=("saturated",), bindings="first", operations=("grad",)),
        Sweep(timed=True, modes=EAGER, sizes=("large",), operations=("grad",)),
        Sweep(timed=True, modes=EAGER, sizes=("large",), bindings="first"),
        Sweep(
            timed=True, modes=_compiled(tensorflow=("compiled",), jax=("compiled",)), bindings="first", sizes=("large",)
        ),
        # torch.compile takes seconds a function, so it is asked for one spelling, value and gradient in one
        Sweep(
            timed=True,
            modes=_compiled(torch=("compiled",)),
            bindings="first",
            sizes=("large",),
            operations=("grad",),
        ),
    ),
)

AGREEMENT: Final = Profile(
    name="agreement",
    summary="value and gradient in four dtypes and every regime, nothing timed; the documented spelling, in PyTorch "
    "and in float32 all of them",
    timed_seconds=0,
    sweeps=(
        Sweep(modes=EAGER, dtypes=ALL_DTYPES, regimes=("typical", *EDGES), bindings="first", operations=("grad",)),
        # a call costs PyTorch a millisecond, JAX half a second wherever shape, dtype or spelling are new
        Sweep(modes=_compiled(torch=("eager",)), dtypes=ALL_DTYPES, regimes=("typical", *EDGES), operations=("grad",)),
        Sweep(modes=EAGER, operations=("grad",)),
    ),
)

SWEPT: Final = tuple(f"2^{power}" for power in range(0, 25, 4))
"""Numbers in the prediction, 1 to 16,777,216."""

SWEEP_OF_SIZES: Final = (
    Sweep(
        timed=True,
        modes=_compiled(tensorflow=("eager", "compiled"), torch=("eager",), jax=("eager", "compiled")),
        sizes=SWEPT,
    ),
    # its compiler makes a program for each shape, in seconds
    Sweep(timed=True, modes=_compiled(torch=("compiled",)), bindings="first", sizes=SWEPT, operations=("grad",)),
)

SIZES: Final = Profile(
    name="sizes",
    summary="every spelling timed at sizes from 1 to 2^24 numbers: overhead and slope, and which is fastest where",
    timed_seconds=900,
    sweeps=SWEEP_OF_SIZES,
)

FULL: Final = Profile(
    name="full",
    summary="four dtypes, every mode, regime and spelling, three seeds, the shapes at the edge, and the sizes",
    timed_seconds=1800,
    mapped=ALL_DTYPES,
    practice="whole",
    sweeps=(
        Sweep(modes=EAGER, dtypes=ALL_DTYPES, regimes=("typical", *EDGES), seeds=(0, 1, 2)),
        Sweep(modes=EAGER, dtypes=ALL_DTYPES, operations=("grad",), varied=True),
        Sweep(modes=EAGER, dtypes=("float32", "float64"), regimes=("typical", *EDGES), operations=DERIVATIVES),
        Sweep(modes=EAGER, dtypes=ALL_DTYPES, sizes=("medium", "empty", "single", "wide", "long")),
        Sweep(modes=MODES, dtypes=ALL_DTYPES, regimes=("typical", *EDGES)),
        Sweep(timed=True, modes=MODES, dtypes=ALL_DTYPES, sizes=("small", "large")),
        *SWEEP_OF_SIZES,
    ),
)

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {p.name: p for p in (QUICK, AGREEMENT, STANDARD, SIZES, FULL)}
)
