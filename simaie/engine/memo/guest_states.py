"""Numbers for the states of vCPUs: two nodes of a memo have the same number if the vCPU is in the same state there."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from simaie.engine.snapshot import Snapshot
from simaie.op import Op

__all__ = ["GuestStates"]


class GuestStates:
    """The states of the vCPUs of one memo.

    Objects are compared by identity or by what they hold, as in one execution: the scheme, its cells and what it
    publishes are the same in all histories.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[Snapshot, int]]] = {}
        self._count = 0

    def number(self, vcpu: Any, op: Op, state: Snapshot | None) -> int:
        """Return the number of a state; a state that cannot be read has a number of its own.

        Args:
            vcpu: What the states that are compared have in common: a vCPU.
            op: The operation that it has announced.
            state: Its state.
        """
        if state is not None:
            alike = self._known.setdefault((vcpu, op.kind, op.location, state.size), [])
            for known, number in alike:
                if known.same_as(state):
                    return number
            alike.append((state, self._count))
        self._count += 1
        return self._count - 1
