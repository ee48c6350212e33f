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
    publishes are the same in all histories. If a vCPU holds another object that is compared by identity, `has` tells of
    it as soon as the vCPU is fed its history again.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[Snapshot, int]]] = {}
        self._count = 0
        self._unread = -1  # the number of a vCPU that has ended

    def number(self, vcpu: Any, op: Op, state: Snapshot | None) -> int:
        """Return the number of a state; a state that cannot be read has a number below -1 of its own.

        Args:
            vcpu: What the states that are compared have in common: a vCPU.
            op: The operation that it has announced.
            state: Its state.
        """
        if state is None:
            self._unread -= 1
            return self._unread
        alike = self._alike(vcpu, op, state)
        for known, number in alike:
            if known.same_as(state):
                return number
        alike.append((state, self._count))
        self._count += 1
        return self._count - 1

    def has(self, number: int, vcpu: Any, op: Op, state: Snapshot | None) -> bool:
        """Whether a state, which was numbered, is read as before; the other arguments are as for `number`."""
        if state is None:
            return number < 0
        return any(known == number and its.same_as(state) for its, known in self._alike(vcpu, op, state))

    def _alike(self, vcpu: Any, op: Op, state: Snapshot) -> list[tuple[Snapshot, int]]:
        return self._known.setdefault((vcpu, op.kind, op.location, state.digest), [])
