"""Arrows between the conflicting accesses of a finding: which access met which, in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simaie.check.evidence import owner
from simaie.dependence import STOPS_WORLD, conflict
from simaie.finding import Finding
from simaie.trace import Event, Trace

__all__ = ["Arrow", "conflict_arrows"]

#: Of longer evidence, only the first steps have arrows.
_MOST_STEPS = 12


class Arrow(NamedTuple):
    """An arrow from one step to a later one that conflicts with it.

    Attributes:
        source: Index of the earlier step.
        target: Index of the later step, of another vCPU.
        finding: Number of the finding that names both, from 1.
    """

    source: int
    target: int
    finding: int


def conflict_arrows(trace: Trace, findings: Sequence[Finding]) -> tuple[Arrow, ...]:
    """Return the arrows of `findings`: from each step that a finding names to the next that conflicts with it."""
    arrows: dict[tuple[int, int], Arrow] = {}
    for number, finding in enumerate(findings, 1):
        steps = sorted(step for step in set(finding.steps) if 0 <= step < len(trace))[:_MOST_STEPS]
        for source, target in _conflicts(trace, steps):
            arrows.setdefault((source, target), Arrow(source, target, number))
    return tuple(arrows.values())


def _conflicts(trace: Trace, steps: Sequence[int]) -> Iterator[tuple[int, int]]:
    for number, step in enumerate(steps):
        for later in steps[number + 1 :]:
            if _conflict(trace.events[step], trace.events[later]):
                yield step, later
                break


def _conflict(a: Event, b: Event) -> bool:
    """Whether two vCPUs touched a common place and one of them wrote it."""
    if owner(a) == owner(b) or a.op.kind in STOPS_WORLD or b.op.kind in STOPS_WORLD:
        return False  # a stopped world conflicts with everything, which says nothing
    return conflict(a.op, a.wrote, b.op, b.wrote)
