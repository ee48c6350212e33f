"""The vCPUs that hold a reservation on a granule: a set of opaque identities, kept in the entry under its lock.

In user mode every guest thread is a vCPU, so the number of members has no bound and a bitmap does not suffice. Each
method is one step: a compound access that is legal only because the caller holds the entry's lock. The value is a
sorted tuple, so it is immutable and prints the same in every process.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Awaitable

from simaie.host.host import Host
from simaie.op import Cell, Role

__all__ = ["TinySet"]

Members = tuple[int, ...]


class TinySet:
    """A set of vCPU identities without bound; the caller holds the mutex `guard` in every method.

    Args:
        host: Host port, which creates the cell.
        address: First byte of the granule that the set belongs to.
        guard: The mutex that protects the set.
    """

    __slots__ = ("cell",)

    def __init__(self, host: Host, address: int, guard: Cell) -> None:
        self.cell = host.cell_of(Role.RESERVATIONS, address, (), guard)

    def insert(self, identity: int) -> Awaitable[None]:
        """Insert `identity`; a no-op if it is a member."""
        return self.cell.update(f"insert {identity}", lambda members: (_with(members, identity), None))

    def remove(self, identity: int) -> Awaitable[None]:
        """Remove `identity`; a no-op if it is not a member."""
        return self.cell.update(f"remove {identity}", lambda members: (_without(members, identity), None))

    def contains(self, identity: int) -> Awaitable[bool]:
        """Whether `identity` is a member."""
        return self.cell.update(f"test {identity}", lambda members: (members, _is_in(members, identity)))

    def clear(self) -> Awaitable[None]:
        """Remove every member."""
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
