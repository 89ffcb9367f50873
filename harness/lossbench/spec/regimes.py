"""Where trouble lives, as data: each regime says which losses it applies to and how it bends their inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lossbench.spec import edges
from lossbench.spec.draw import Shape
from lossbench.spec.edges import LABELS, NUMERIC, ROWS, Scene
from lossbench.spec.loss import Loss, Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """One way of choosing inputs.

    applies: whether a loss has such inputs. bend: see `edges`; None leaves typical values.
    leaves_domain: whether values are on purpose outside what the documentation allows.
    single_class: whether y_pred has a single class, whatever the loss's own shape.
    unreduced: whether losses are compared one by one, since in their mean the large would bury the small.
    """

    name: str
    summary: str
    applies: Callable[[Loss], bool]
    bend: Callable[[Scene], None] | None = None
    leaves_domain: bool = False
    single_class: bool = False
    unreduced: bool = False

    def params(self, loss: Loss, params: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
        """The parameters this regime takes in place of a loss's own."""
        return {**params, "reduction": "none"} if self.unreduced and loss.unit != "batch" else params

    def shape(self, shape: Shape) -> Shape:
        """The shape this regime takes in place of one of a loss's shapes."""
        return (*shape[:-1], 1) if self.single_class else shape


def _target(loss: Loss) -> str:
    return loss.inputs["y_true"].kind


def _predicted(loss: Loss) -> str:
    return loss.inputs["y_pred"].kind


def _elementwise_kink(loss: Loss) -> bool:
    if loss.kinks is None or _predicted(loss) not in NUMERIC - {"count"}:
        return False
    targets = NUMERIC if loss.kink_of == "residual" else {"sign", "binary"}
    return loss.kink_of == "prediction" or (_target(loss) in targets and loss.inputs["y_true"].extent == "same")


def embeddings(loss: Loss) -> bool:
    """Whether rows are points that belong to classes, compared in pairs, rather than scores of classes."""
    return _target(loss) == "class_index" and _predicted(loss) == "real"


def _classes(loss: Loss) -> bool:
    domain = loss.inputs["y_true"]
    return domain.kind in LABELS and domain.extent in ("same", "rows") and not embeddings(loss)


REGIMES: Final[dict[str, Regime]] = {
    r.name: r
    for r in (
        Regime(name="typical", summary="ordinary values of each domain", applies=lambda _: True),
        Regime(
            name="kink",
            summary="on each kink of the loss, one ulp and 1e-3 to either side",
            applies=_elementwise_kink,
            bend=edges.kink,
        ),
        Regime(
            name="saturated",
            summary="logits of 20 to 1e4 either way; probabilities 0, 1, one ulp from them and about 1e-7",
            applies=lambda loss: _predicted(loss) in {"logits", "probability", "simplex", "log_simplex"},
            bend=edges.saturated,
        ),
        Regime(
            name="tiny",
            summary="differences of 1e-8, absolute and relative, and values as small",
            applies=lambda loss: _predicted(loss) in NUMERIC - {"count"},
            bend=edges.tiny,
        ),
        Regime(
            name="huge",
            summary="magnitudes up to the largest finite number of the dtype",
            applies=lambda loss: _predicted(loss) in NUMERIC - {"probability"},
            bend=edges.huge,
        ),
        Regime(
            name="scales",
            summary="errors of every size from 1e-4 to 1e4, about 0 and about ordinary targets, losses one by one",
            applies=lambda loss: _predicted(loss) in NUMERIC - {"probability", "count"},
            bend=edges.scales,
            unreduced=True,
        ),
        Regime(
            name="subnormal",
            summary="below the smallest normal number of the dtype",
            applies=lambda loss: _predicted(loss) in NUMERIC - {"count"},
            bend=edges.subnormal,
        ),
        Regime(
            name="zeros",
            summary="rows of zeros in the target, the prediction, both",
            applies=lambda loss: _predicted(loss) in NUMERIC - {"positive"},
            bend=edges.zeros,
        ),
        Regime(
            name="ties",
            summary="equal largest classes, with and without the label among them",
            applies=lambda loss: _classes(loss) and loss.inputs["y_pred"].extent == "same",
            bend=edges.ties,
        ),
        Regime(
            name="one_sided",
            summary="one label in the whole batch",
            applies=lambda loss: _target(loss) in {"binary", "sign", "one_hot", "class_index"},
            bend=edges.one_sided,
        ),
        Regime(
            name="unnormalised",
            summary="rows that should sum to 1 and do not",
            applies=lambda loss: _target(loss) in ROWS or _predicted(loss) == "simplex",
            bend=edges.unnormalised,
            leaves_domain=True,
        ),
        Regime(
            name="masked",
            summary="minus infinity as the logit of some wrong classes",
            applies=lambda loss: _classes(loss) and _predicted(loss) in {"logits", "log_simplex"},
            bend=edges.masked,
            leaves_domain=True,
        ),
        Regime(
            name="special",
            summary="NaN and infinities among ordinary values",
            applies=lambda loss: _predicted(loss) in NUMERIC | {"simplex", "log_simplex"},
            bend=edges.special,
            leaves_domain=True,
        ),
        Regime(
            name="one_class",
            summary="a single class",
            applies=_classes,
            single_class=True,
        ),
    )
}
