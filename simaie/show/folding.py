"""The choice of the steps of a long trace that a reader needs to see.

These are the steps that a finding names, the other steps of their guest instructions, accesses that took effect out of
order, a few steps around each, the beginning and the end. A short trace is shown in full, and a gap that is too small
to save rows is not folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from simaie.finding import Finding
from simaie.show.reordered import early_accesses
from simaie.trace import Trace

__all__ = ["kept_steps"]

#: A trace up to this many steps fits a screen or two and is never folded.
SHORT = 60
#: Steps shown on either side of one of interest, at the start and at the end.
AROUND = 4
START, END = 8, 12
#: A fold is a row itself: hiding fewer steps than this saves nothing.
SMALLEST_FOLD = 4
#: Of longer evidence, the first and the last steps are shown.
MOST_GUILTY = 40


def kept_steps(trace: Trace, findings: Sequence[Finding] = ()) -> frozenset[int]:
    """Return the steps of `trace` to show, given that `findings` are what matters in it."""
    total = len(trace)
    if total <= SHORT:
        return frozenset(range(total))
    wanted = set(range(START)) | set(range(total - END, total))
    for step in _of_interest(trace, findings):
        wanted.update(range(step - AROUND, step + AROUND + 1))
    return _without_small_gaps(sorted(step for step in wanted if 0 <= step < total))


def _of_interest(trace: Trace, findings: Sequence[Finding]) -> set[int]:
    guilty: set[int] = set()
    for finding in findings:
        steps = sorted(step for step in set(finding.steps) if 0 <= step < len(trace))
        guilty.update(_ends(steps))
    wanted: set[int] = set(guilty)
    for _, steps in trace.instructions:
        if not guilty.isdisjoint(steps):
            wanted.update(_ends(steps))
    wanted.update(_ends(sorted({each for step, late in early_accesses(trace).items() for each in (step, late[0])})))
    wanted.update(min(fault.step, len(trace) - 1) for fault in trace.faults)
    return wanted


def _ends(steps: Sequence[int]) -> Sequence[int]:
    half = MOST_GUILTY // 2
    return steps if len(steps) <= MOST_GUILTY else (*steps[:half], *steps[-half:])


def _without_small_gaps(steps: Sequence[int]) -> frozenset[int]:
    kept = set(steps)
    for before, after in pairwise(steps):
        if after - before - 1 < SMALLEST_FOLD:
            kept.update(range(before + 1, after))
    return frozenset(kept)
