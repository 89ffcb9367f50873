"""One fixed colour, marker and dash per backend, told apart by colour-blind readers and in grey.

Each colour has a light and a dark form; the page switches between them by CSS variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    """light, dark: colour on a light and on a dark page. marker, dash: matplotlib's, for use without colour."""

    light: str
    dark: str
    marker: str
    dash: tuple[float, ...]


INKS: Final[dict[str, Ink]] = {
    "tensorflow": Ink(light="#b36200", dark="#ffb454", marker="o", dash=()),
    "torch": Ink(light="#8a2be2", dark="#cda4ff", marker="s", dash=(5, 2)),
    "jax": Ink(light="#007a5e", dark="#4fd1a5", marker="^", dash=(1.5, 1.5)),
}
OTHER: Final = Ink(light="#5b6068", dark="#b4bac4", marker="D", dash=(4, 1, 1, 1))
ORACLE: Final = Ink(light="#c3c8cf", dark="#565d68", marker="", dash=())


def ink(backend: str) -> Ink:
    """The backend's ink; a backend from outside gets a neutral one."""
    return INKS.get(backend, OTHER)


def order(backend: str) -> tuple[int, str]:
    """Sort key: the known backends in their fixed order, others after them by name."""
    names = tuple(INKS)
    return (names.index(backend) if backend in INKS else len(names), backend)


def variables() -> tuple[dict[str, str], dict[str, str]]:
    """CSS variables (light, dark): `--tensorflow`, ..., `--other`, `--oracle`."""
    named = {**INKS, "other": OTHER, "oracle": ORACLE}
    return (
        {f"--{name}": each.light for name, each in named.items()},
        {f"--{name}": each.dark for name, each in named.items()},
    )
