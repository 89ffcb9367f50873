"""Which cells a run has: a profile times a catalogue, narrowed by what was asked for, in an order that never varies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lossbench.spec.case import OPERATIONS, TIMED_OPERATIONS, Case, Cell, Lane, Mode
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.draw import Shape
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Binding, Loss
from lossbench.spec.profiles import MODES, PROFILES, Profile, Sweep
from lossbench.spec.regimes import REGIMES, embeddings
from lossbench.spec.variations import variations

WIDE_CLASSES = 100_000
LONG_ELEMENTS = 10_000_000
MEDIUM = (128, 128)
SWEPT_CLASSES = 128
LEAST_CLASSES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """cells: all that is run and compared, no id twice. timed: ids of those that are timed as well.

    groups: timed cells of one case and operation, compared with each other and so visited in turn.
    absent: (loss, backend) pairs of the selection for which there is no binding.
    """

    profile: Profile
    cells: tuple[Cell, ...]
    timed: frozenset[str]
    groups: tuple[tuple[Cell, ...], ...]
    absent: tuple[tuple[str, str], ...]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes of its cells, in order of first use."""
        return tuple(dict.fromkeys(cell.lane for cell in self.cells))


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was asked for in place of a profile's own; empty is the profile's."""

    lanes: tuple[Lane, ...]
    modes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


def profile_named(name: str) -> Profile:
    """A profile by name; BadInput lists them."""
    _known("profile", (name,), tuple(PROFILES))
    return PROFILES[name]


def make(
    catalogue: Catalogue,
    profile: Profile,
    *,
    lanes: Sequence[Lane] = (),
    backends: Sequence[str] = (),
    losses: Iterable[str] = (),
    dtypes: Sequence[str] = (),
    regimes: Sequence[str] = (),
    modes: Sequence[str] = (),
    operations: Sequence[str] = (),
    bindings: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Plan:
    """The plan of a run.

    lanes: where to run, instead of one plain lane for each backend and mode. losses: patterns. dtypes,
    operations, bindings and seeds take the place of the profile's; regimes and modes narrow it, except that a mode
    which the profile never uses on a backend takes the place of eager there. BadInput where a name is unknown
    or nothing is left.
    """
    _known("backend", backends, tuple(MODES))
    _known("dtype", dtypes, tuple(FORMATS))
    _known("regime", regimes, tuple(REGIMES))
    _known("mode", modes, tuple(dict.fromkeys(m for ms in MODES.values() for m in ms)))
    _known("operation", operations, OPERATIONS)
    chosen = catalogue.select(losses)
    _known("binding", bindings, tuple(dict.fromkeys(b.name for loss in chosen for b in loss.bindings)))
    plain = (Lane(backend=b, mode=m) for b, ms in MODES.items() for m in ms)
    selection = Selection(
        lanes=tuple(lane for lane in (lanes or plain) if not backends or lane.backend in backends),
        modes=tuple(modes),
        dtypes=tuple(dtypes),
        regimes=tuple(regimes),
        operations=tuple(operations),
        bindings=tuple(bindings),
        seeds=tuple(seeds),
    )
    cells: dict[str, Cell] = {}
    timed: dict[str, None] = {}
    used = {(backend, m) for sweep in profile.sweeps for backend, ms in sweep.modes.items() for m in ms}
    for sweep in profile.sweeps:
        wanted = tuple(lane for lane in selection.lanes if _wanted(lane, sweep, selection.modes, used))
        for cell in _cells(sweep, chosen, wanted, selection):
            cells.setdefault(cell.id, cell)
            if sweep.timed:
                timed[cell.id] = None
    if not cells:
        raise _nothing(chosen, selection)
    # one loss after the other: a lane that compiles for seconds has its share of each, and none is left waiting for it;
    # and in it one dtype after the other, for which everything is compiled anew
    place = {loss.name: number for number, loss in enumerate(chosen)}
    formats = list(FORMATS)
    cells = dict(sorted(cells.items(), key=lambda item: _turn(item[1], place, formats)))
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell_id in timed:
        cell = cells[cell_id]
        groups.setdefault((cell.case.id, cell.operation), []).append(cell)
    asked = tuple(dict.fromkeys(lane.backend for lane in selection.lanes))
    return Plan(
        profile=profile,
        cells=tuple(cells.values()),
        timed=frozenset(timed),
        groups=tuple(tuple(group) for group in groups.values()),
        absent=tuple((loss.name, b) for loss in chosen for b in asked if not loss.bindings_of(b)),
    )


def _turn(cell: Cell, losses: Mapping[str, int], dtypes: Sequence[str]) -> tuple[int, int]:
    return losses[cell.case.loss], dtypes.index(cell.case.dtype)


def shape_of(loss: Loss, size: str) -> Shape | None:
    """The shape of y_pred at a size, None where the loss has no such size.

    `small`, `large` and others that the loss lists; `empty`: no rows; `single`: one row; `medium`: as many as the
    oracle judges in a run; `wide`: 100,000 classes; `long`: 1e7 elements in one reduction; `2^20`: so many numbers,
    at most SWEPT_CLASSES in a row; a loss of rows has at least LEAST_CLASSES, and so no size below.
    """
    if size in loss.shapes:
        return loss.shapes[size]
    small = loss.shapes["small"]
    # pairs of rows or of classes would take the square of the memory
    squares = any(domain.extent == "square" for domain in loss.inputs.values())
    if size in ("empty", "single"):
        return (0 if size == "empty" else 1, *small[1:])
    if len(small) != 2 or squares or embeddings(loss):
        return None
    if size.startswith("2^"):
        numbers = 2 ** int(size.removeprefix("2^"))
        columns = min(SWEPT_CLASSES, numbers)
        return None if loss.unit != "element" and columns < LEAST_CLASSES else (numbers // columns, columns)
    if size == "wide" and REGIMES["one_class"].applies(loss):
        return (4, WIDE_CLASSES)
    if size == "medium" and tuple(loss.inputs)[2:] == ():
        return MEDIUM
    if size == "long" and loss.unit != "batch":
        return (LONG_ELEMENTS // small[1], small[1])
    return None


def _cells(sweep: Sweep, losses: Sequence[Loss], lanes: Sequence[Lane], selection: Selection) -> Iterator[Cell]:
    possible = TIMED_OPERATIONS if sweep.timed else OPERATIONS
    operations = [o for o in possible if o in (selection.operations or sweep.operations)]
    for loss in losses:
        for case in _cases(sweep, loss, selection):
            for operation in operations:
                for lane in lanes:
                    for binding in _bindings(sweep, loss, lane.backend, selection):
                        yield Cell(case=case, binding=binding.name, lane=lane, operation=operation)


def _wanted(lane: Lane, sweep: Sweep, asked: Sequence[str], used: set[tuple[str, Mode]]) -> bool:
    modes = sweep.modes.get(lane.backend, ())
    if not asked:
        return lane.mode in modes
    new = (lane.backend, lane.mode) not in used and "eager" in modes
    return lane.mode in asked and (lane.mode in modes or new)


def _cases(sweep: Sweep, loss: Loss, selection: Selection) -> Iterator[Case]:
    if selection.regimes and (sweep.timed or not sweep.one_regime):
        names = [r for r in sweep.regimes if r in selection.regimes]
    else:
        names = list(selection.regimes or sweep.regimes)
    applicable = [REGIMES[name] for name in names if REGIMES[name].applies(loss)]
    if sweep.one_regime and not selection.regimes:
        applicable = applicable[:1]
    shapes = [shape for size in sweep.sizes if (shape := shape_of(loss, size)) is not None]
    for shape in shapes[:1] if sweep.one_size else shapes:
        for regime in applicable:
            for dtype in selection.dtypes or sweep.dtypes:
                for seed in selection.seeds or sweep.seeds:
                    for params in variations(loss) if sweep.varied else (loss.params,):
                        yield Case(
                            loss=loss.name,
                            params=tuple(sorted(regime.params(loss, params).items())),
                            shape=regime.shape(shape),
                            dtype=dtype,
                            regime=regime.name,
                            seed=seed,
                        )


def _bindings(sweep: Sweep, loss: Loss, backend: str, selection: Selection) -> tuple[Binding, ...]:
    every = loss.bindings_of(backend)
    if selection.bindings:
        return tuple(b for b in every if b.name in selection.bindings)
    if sweep.bindings == "all":
        return every
    formulas = every if sweep.bindings == "first and formula" else ()
    return every[:1] + tuple(b for b in formulas[1:] if b.name == "formula")


def _known(subject: str, asked: Sequence[str], known: Sequence[str]) -> None:
    for name in asked:
        if name not in known:
            raise BadInput(
                subject=subject, expected=f"one of {', '.join(known)}", received=repr(name), remedy="use one of these"
            )


def _nothing(chosen: Sequence[Loss], selection: Selection) -> BadInput:
    """Says what the chosen losses do have."""
    backends = tuple(dict.fromkeys(b.backend for loss in chosen for b in loss.bindings))
    lanes = ", ".join(lane.id for lane in selection.lanes) or "none"
    regimes = [r.name for r in REGIMES.values() if any(r.applies(loss) for loss in chosen)]
    return BadInput(
        subject="selection",
        expected=f"at least one cell ({len(chosen)} losses on {', '.join(backends) or 'no backend'}, "
        f"lanes {lanes}, regimes {', '.join(regimes)})",
        received="a selection that leaves none",
        remedy="widen it",
    )
