"""Why one loss of a problem rather than another: the measured numbers of the guide as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from lossbench.practice.guide import Scored
from lossbench.practice.problems import PROBLEMS


def reasons(scored: Sequence[Scored]) -> list[str]:
    """Why the first of them, and what speaks against it. scored: one problem and share, best metric first."""
    first, problem = scored[0], PROBLEMS[scored[0].problem]
    said = [
        f"{first.loss} has the best {problem.metric} on a clean test: {first.metrics[problem.metric]:.4g} "
        f"(range over seeds {first.spread:.2g})."
    ]
    for other in scored[1:]:
        gap = abs(other.metrics[problem.metric] - first.metrics[problem.metric])
        close = " - no more than the seeds differ" if gap <= max(first.spread, other.spread) else ""
        said.append(f"{other.loss}: {other.metrics[problem.metric]:.4g}, {gap:.2g} behind{close}.")
    if first.share:
        least, most = (f(scored, key=lambda s: abs(s.shift)) for f in (min, max))
        said.append(
            f"{first.share:.0%} of bad targets move the best constant by {least.shift:.3g} under {least.loss}, by "
            f"{most.shift:.3g} under {most.loss}."
        )
    return [*said, *_slopes(scored), *_rest(scored, problem.calibration)]


def _slopes(scored: Sequence[Scored]) -> list[str]:
    """Far from the target a slope is how much one bad sample pulls; near it, whether the loss comes to rest."""
    small, large = (f(scored, key=lambda s: s.far) for f in (min, max))
    flat, steep = (f(scored, key=lambda s: s.near) for f in (min, max))
    return [
        f"A prediction far off pulls with a slope of {small.far:.3g} under {small.loss}, of {large.far:.3g} under "
        f"{large.loss}; one close by with {flat.near:.3g} under {flat.loss}, {steep.near:.3g} under {steep.loss}."
    ]


def _rest(scored: Sequence[Scored], calibration: str) -> list[str]:
    best, worst = (f(scored, key=lambda s: abs(s.metrics[calibration])) for f in (min, max))
    there = [s for s in scored if s.steps is not None]
    fast = min(there, key=lambda s: s.steps or 0)
    never = [s.loss for s in scored if s.steps is None]
    cheap, dear = (f(scored, key=lambda s: s.seconds_a_step) for f in (min, max))
    return [
        f"Best calibrated ({calibration}) is {best.loss} with {best.metrics[calibration]:.3g}, worst {worst.loss} with "
        f"{worst.metrics[calibration]:.3g}.",
        f"{fast.loss} came within a tenth of the best after {fast.steps} steps"
        + (f"; never: {', '.join(never)}." if never else "."),
        f"The cheapest step was {cheap.loss}'s, {cheap.seconds_a_step * 1e6:.0f} microseconds on {cheap.backend}; "
        f"{dear.loss}'s took {dear.seconds_a_step / cheap.seconds_a_step:.2f} times that.",
    ]
