"""The floating-point formats under test, as data.

numpy has no bfloat16, so arrays of bfloat16 and float16 *values* travel as float32 (exact, both
fit) and the backend converts them to its own type; `Format.carrier` says which numpy type carries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One binary floating-point format (IEEE 754-2019 notation).

    precision: significand bits with the hidden one; emin, emax: exponents of the smallest and the
    largest normal number written as 1.xxx * 2**e.
    """

    name: str
    short: str
    precision: int
    emin: int
    emax: int
    carrier: npt.DTypeLike

    @property
    def eps(self) -> float:
        """Distance from 1 to the next larger number, 2**(1 - precision)."""
        return float(2.0 ** (1 - self.precision))

    @property
    def max(self) -> float:
        """The largest finite number."""
        return float((2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.emax)

    @property
    def tiny(self) -> float:
        """The smallest positive normal number."""
        return float(2.0**self.emin)

    @property
    def smallest(self) -> float:
        """The smallest positive (subnormal) number."""
        return float(2.0 ** (self.emin - self.precision + 1))


FORMATS: Final[dict[str, Format]] = {
    f.name: f
    for f in (
        Format(name="float64", short="f64", precision=53, emin=-1022, emax=1023, carrier=np.float64),
        Format(name="float32", short="f32", precision=24, emin=-126, emax=127, carrier=np.float32),
        Format(name="bfloat16", short="bf16", precision=8, emin=-126, emax=127, carrier=np.float32),
        Format(name="float16", short="f16", precision=11, emin=-14, emax=15, carrier=np.float32),
    )
}


def round_to(values: npt.ArrayLike, dtype: str) -> npt.NDArray[np.floating]:
    """Round float64 values to the nearest number of a format, ties to even, in one rounding.

    Returns an array of the format's carrier type. Values beyond the largest finite number by half
    an ulp or more become infinite; NaN and infinities pass through.
    """
    fmt = FORMATS[dtype]
    exact = np.asarray(values, dtype=np.float64)
    if dtype == "float64":
        return exact.copy()
    if dtype == "float32":
        with np.errstate(all="ignore"):
            return exact.astype(np.float32)
    with np.errstate(all="ignore"):
        _, exponent = np.frexp(exact)
        # spacing of the format at |x|: 2**(floor(log2 |x|) - precision + 1), not below the subnormal one
        quantum_exponent = np.maximum(exponent - 1, fmt.emin) - fmt.precision + 1
        scaled = np.ldexp(exact, -quantum_exponent)  # exact: only the exponent changes
        rounded = np.ldexp(np.rint(scaled), quantum_exponent)
        rounded = np.where(np.isfinite(exact), rounded, exact)
        rounded = np.where(np.abs(rounded) > fmt.max, np.copysign(np.inf, rounded), rounded)
        return np.asarray(np.copysign(rounded, exact), dtype=fmt.carrier)


def step(values: npt.ArrayLike, dtype: str, ulps: int) -> npt.NDArray[np.floating]:
    """Numbers of a format moved by whole steps of it, up where `ulps` is positive; the maximum steps to infinity."""
    moved = round_to(values, dtype)
    toward = np.asarray(np.copysign(np.inf, ulps), dtype=moved.dtype)
    for _ in range(abs(ulps)):
        if FORMATS[dtype].carrier is np.float32 and dtype != "float32":
            exact = moved.astype(np.float64)
            _, exponent = np.frexp(exact)
            exponent = np.where(exact == 0, FORMATS[dtype].emin, exponent - 1)
            spacing = np.ldexp(1.0, np.maximum(exponent, FORMATS[dtype].emin) - FORMATS[dtype].precision + 1)
            # 0.7 of the spacing rounds to the neighbour on either side, where the spacing halves too
            moved = round_to(exact + np.copysign(0.7 * spacing, ulps), dtype)
        else:
            with np.errstate(over="ignore", under="ignore"):
                moved = np.asarray(np.nextafter(moved, toward))
    return moved
