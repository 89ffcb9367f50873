"""A worked example of a source: inputs, and what the source says they give. Never an expected value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from lossbench.spec.loss import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One documented call of a loss.

    id: as the catalogue numbers it. loss: a name or alias of the catalogue. y_true, y_pred: nested lists
    with the source's own Python types (1 and 1.0 differ to a framework). claimed: the decimal that the
    source prints, as text, or None. source: which of the catalogue's sources, and where in it.
    call: the expression as the source writes it, in `tf`, `y_true` and `y_pred`; empty where the source
    has no code. given_as: what the source passes, Python lists or numpy arrays. note: what to know about it.
    """

    id: str
    loss: str
    y_true: Any
    y_pred: Any
    source: str
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    claimed: str | None = None
    call: str = ""
    given_as: Literal["list", "array"] = "list"
    note: str = ""

    @property
    def snippet(self) -> str:
        """The call as a program's lines; the last is the expression."""
        wrap = "{}" if self.given_as == "list" else "np.array({})"
        lines = [f"y_true = {wrap.format(self.y_true)}", f"y_pred = {wrap.format(self.y_pred)}", self.call]
        return "\n".join(lines)
