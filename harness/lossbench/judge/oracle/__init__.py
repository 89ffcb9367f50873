"""The oracle: exact values and gradients of every loss, correctly rounded, independent of every backend.

A reference is written once, in the vocabulary of `x`, and evaluated in ball arithmetic (flint.arb) on
extended reals, differentiated in reverse, at rising precision until every rounding is proven. Subgradient
sets travel as intervals; contributions are gathered before they meet a kink's interval, so that smooth
pieces written with clip or abs (Huber) come out as points. The rounding error that the formula
owes travels beside, in float64. Where the chain rule says 0 times infinity, the limit from both sides is taken.

More than `LARGE_ELEMENTS` elements are computed by whole arrays with an error bound beside every number (`wide`,
`bounded`); what the bounds leave open goes through the balls, row by row (`large`), and nothing is sampled. Float64
results are then within a quarter of an ulp, all others correctly rounded.
"""

from lossbench.judge.oracle.evaluate import evaluate
from lossbench.judge.oracle.exact import Exact, ExactArray
from lossbench.judge.oracle.namespace import ExactOps, x
from lossbench.judge.oracle.weighted import Weighted

__all__ = ["Exact", "ExactArray", "ExactOps", "Weighted", "evaluate", "x"]
