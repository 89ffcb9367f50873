"""Which known definition an answer fits. One is named only where it says something else than the exact one does.

Of several, first those that fit value and gradient alike where neither is exact, then the tightest, the binding's own,
its framework's own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lossbench.judge.elements import Comparison, Known, compare
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Quantity
from lossbench.lanes.measurement import Answer
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Binding


def fitting(
    reference: Reference, answer: Answer, seen: Comparison, quantity: Quantity, binding: Binding | None = None
) -> str:
    """The name of the definition that every element of this quantity fits; empty where none does.

    seen: the comparison with the exact definition, some of whose elements are wrong.
    """
    exact, computed = reference.quantity(quantity), of(answer, quantity)
    assert computed is not None, "judged before it is named"
    other: Quantity = "value" if quantity != "value" or answer.grad is None else "grad"
    both = not _right(reference, answer, other, "exact")
    ranked = []
    for order, (name, fit) in enumerate(fits(reference, computed, quantity, binding)):
        if not fit.right or not _differs(reference.quantity(quantity, name), exact, seen):
            continue
        alone = both and not _right(reference, answer, other, name)
        ranked.append((alone, not fit.all_tight, _whose(reference, name, binding), order, name))
    return min(ranked)[-1] if ranked else ""


def of(answer: Answer, quantity: Quantity) -> npt.NDArray[np.floating] | None:
    """One quantity of an answer."""
    return answer.value if quantity == "value" else answer.grad


def fits(
    reference: Reference, computed: npt.NDArray[np.floating], quantity: Quantity, binding: Binding | None = None
) -> Iterator[tuple[str, Comparison]]:
    """Comparisons with each known definition that can be evaluated here, the binding's own first."""
    names = [d.name for d in reference.loss.definitions_in(reference.dtype)]
    if binding is not None and binding.definition in names:
        names = [binding.definition, *(name for name in names if name != binding.definition)]
    for name in names:
        if (seen := _compared(reference, computed, quantity, name)) is not None:
            yield name, seen


def nearest(
    reference: Reference, computed: npt.NDArray[np.floating], seen: Comparison, quantity: Quantity, own: str
) -> list[tuple[str, Comparison]]:
    """What is left to explain beside the exact definition, the binding's own, and the one that leaves least."""
    known = {"exact": seen} | dict(fits(reference, computed, quantity))
    closest = min(known, key=lambda name: int(known[name].wrong.sum()))
    return [(name, known[name]) for name in dict.fromkeys(("exact", own, closest)) if name in known]


def _compared(
    reference: Reference, computed: npt.NDArray[np.floating], quantity: Quantity, name: str
) -> Comparison | None:
    try:
        known = reference.quantity(quantity, name)
    except BadInput:  # this definition cannot be evaluated here, so it explains nothing
        return None
    if known.exact.shape != np.shape(computed):
        return None
    return compare(computed, known, nan_inputs=reference.nan_inputs)


def _differs(known: Known, exact: Known, seen: Comparison) -> bool:
    """Whether a definition differs from the exact one on a wrong element, and not by leaving the dtype's range there.

    An infinity or a zero that the definition comes to by overflow or underflow fits whatever went out of range.
    """
    same = compare(known.rounded, exact, nan_inputs=True).tight
    return bool((seen.wrong & ~same & ~known.leaves_range).any())


def _right(reference: Reference, answer: Answer, quantity: Quantity, name: str) -> bool:
    """Whether a quantity of the answer fits a definition."""
    computed = of(answer, quantity)
    if computed is None or computed.dtype.kind not in "fiu":
        return False
    seen = _compared(reference, computed, quantity, name)
    return seen is not None and seen.right


def _whose(reference: Reference, name: str, binding: Binding | None) -> int:
    """0 for the binding's own definition, 1 for its framework's, 2 for one that is nobody's, 3 for another's."""
    if binding is None:
        return 2
    if binding.definition == name:
        return 0
    backend = next(d.backend for d in reference.loss.definitions if d.name == name)
    return 2 if not backend else 1 if backend == binding.backend else 3
