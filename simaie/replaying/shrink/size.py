"""How large a counterexample is to a reader: above all, how often he must switch vCPUs in his head without a reason."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from simaie.op import Kind, owner_of
from simaie.trace import Trace

__all__ = ["Size"]


class Size(NamedTuple):
    """Compared from left to right; smaller is better.

    deviations: entries of the schedule, each a place where the execution departs from the default. switches: how often
    another vCPU goes on, for whatever reason (a store buffer drains beside whoever runs). instructions: guest
    instructions that took a step. steps: operations.
    """

    deviations: int
    switches: int
    instructions: int
    steps: int

    @classmethod
    def of(cls, trace: Trace) -> Size:
        """The size of an execution."""
        steps = (event for event in trace.events if event.op.kind is not Kind.CHOICE)
        actors = [event.actor for event in steps if event.actor == owner_of(event.actor)]
        switches = sum(before != after for before, after in pairwise(actors))
        return cls(len(trace.schedule), switches, len(trace.instructions), len(trace))

    def __str__(self) -> str:
        return (
            f"{_count(self.deviations, 'deviation')}, {_count(self.switches, 'switch', 'switches')}, "
            f"{_count(self.instructions, 'instruction')}, {_count(self.steps, 'step')}"
        )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
