"""The vCPUs that hold a reservation on a granule: a set of opaque identities, inside the entry, under its lock.

In user mode every guest thread is a vCPU, so there is no bound on the members and a bitmap will not do. Each method
is one step: a compound access that is legal only because the caller holds the entry's lock. The value is a sorted
tuple, so that it is immutable and prints alike in every process.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable

from simaie.host.host import Host
from simaie.op import Cell, Role

__all__ = ["TinySet"]

Members = tuple[int, ...]


class TinySet:
    """Identities of vCPUs, at most once each, without bound, for the granule at `address`.

    Hold `guard` for every method.
    """

    __slots__ = ("cell",)

    def __init__(self, host: Host, address: int, guard: Cell) -> None:
        self.cell = host.cell_of(Role.RESERVATIONS, address, (), guard)

    def insert(self, identity: int) -> Awaitable[None]:
        """Make `identity` a member; nothing changes if it is one."""
        return self.cell.update(f"insert {identity}", lambda members: (_with(members, identity), None))

    def remove(self, identity: int) -> Awaitable[None]:
        """Make `identity` no member; nothing changes if it is none."""
        return self.cell.update(f"remove {identity}", lambda members: (_without(members, identity), None))

    def contains(self, identity: int) -> Awaitable[bool]:
        """Whether `identity` is a member."""
        return self.cell.update(f"test {identity}", lambda members: (members, _is_in(members, identity)))

    def clear(self) -> Awaitable[None]:
        """Drop every member."""
        return self.cell.update("empty", lambda members: ((), None))


def _is_in(members: Members, identity: int) -> bool:
    place = bisect_left(members, identity)
    return place < len(members) and members[place] == identity


def _with(members: Members, identity: int) -> Members:
    place = bisect_left(members, identity)
    if members[place : place + 1] == (identity,):
        return members
    return (*members[:place], identity, *members[place:])


def _without(members: Members, identity: int) -> Members:
    place = bisect_left(members, identity)
    return members[:place] + members[place + 1 :] if _is_in(members, identity) else members
