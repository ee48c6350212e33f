"""The size of a counterexample for its readers, who must above all follow the unforced switches between vCPUs."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from simaie.op import Kind, owner_of
from simaie.trace import Trace

__all__ = ["Size"]


class Size(NamedTuple):
    """The size of an execution, for comparison from left to right; smaller is better.

    Attributes:
        deviations: The entries of the schedule, each a step at which the execution deviates from the default.
        switches: The number of switches to another vCPU, forced ones too; drains of store buffers do not count.
        instructions: The number of guest instructions that performed an operation.
        steps: The number of operations.
    """

    deviations: int
    switches: int
    instructions: int
    steps: int

    @classmethod
    def of(cls, trace: Trace) -> Size:
        """Return the size of an execution."""
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
