"""The names a suite author needs, and no more. Importing them costs numpy and the standard library."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from lossbench.spec import domains, evidence
from lossbench.spec.domains import Domain
from lossbench.spec.errors import BadInput
from lossbench.spec.functions import like
from lossbench.spec.loss import Binding, Definition, Loss

try:
    __version__ = version("lossbench")
except PackageNotFoundError:  # run from a copied source tree, as a foreign interpreter's worker does
    __version__ = "0+unknown"

__all__ = [
    "BadInput",
    "Binding",
    "Definition",
    "Domain",
    "Loss",
    "__version__",
    "domains",
    "evidence",
    "like",
]
