"""What was chosen: a schedule as a sparse list of deviations from a default that needs no list.

The default continues the actor that ran the last step, else takes the first candidate in structural order, and
resolves every choice as 0. A schedule names only where an execution differs from that, which
keeps it short, lets it be cut down piece by piece, and survives small changes of the program.
"""

from __future__ import annotations

import msgspec

__all__ = ["Choice", "Schedule", "Switch"]


class Switch(msgspec.Struct, frozen=True, order=True, array_like=True):
    """At `step` (an index into the trace) `actor` takes the step, against the default."""

    step: int
    actor: str


class Choice(msgspec.Struct, frozen=True, order=True, array_like=True):
    """At `step` (an index into the trace) a local choice is resolved as `value`, which is not 0."""

    step: int
    value: int


class Schedule(msgspec.Struct, frozen=True):
    """The decisions of one execution; both lists are sorted by step."""

    switches: tuple[Switch, ...] = ()
    choices: tuple[Choice, ...] = ()

    def __len__(self) -> int:
        return len(self.switches) + len(self.choices)
