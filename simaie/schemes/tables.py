"""Tables of cells by address, created when first named: hash-table entries, locks of entries, monitors.

An access is looked up by its first byte: as in the published schemes, a second granule or page that it touches is
neither marked nor locked.

The monitors of a published scheme are often an array with the reserved address of each vCPU. Here they are, for each
address, the set of the vCPUs that reserve it. So a vCPU that looks for the monitors of an address looks at that set in
one step, where the source has a loop. The loops of all schemes here run under a lock or in a stopped world, where their
length makes no difference. A member that stays behind when its vCPU reserves another address is harmless: a
store-conditional also needs the vCPU's own record of its last load-linked.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from simaie.errors import UsageError
from simaie.host.host import Host, Mutex, SharedCell
from simaie.op import Cell, Role, cell_name
from simaie.protocols import VCpu

__all__ = ["Cells", "Monitors", "Mutexes", "clear_others", "insert", "require_granule"]


def require_granule(granule: object) -> int:
    """Return `granule` if it is a power of two, in bytes; otherwise raise UsageError."""
    if type(granule) is not int or granule < 1 or granule & (granule - 1):
        raise UsageError(f"granule must be a power of two, in bytes, not {granule!r}")
    return granule


class Cells:
    """One cell for each granule of an address space.

    Args:
        host: Host port, which creates the cells.
        name: The first word of the name of each cell.
        granule: Bytes per cell, a power of two.
        value: The initial value of each cell.
        role: The purpose of the cells.
        guard: The mutex that protects all of them, or None.
    """

    constant_attributes = frozenset({"_cells"})  # naming a cell is no access

    def __init__(
        self,
        host: Host,
        name: str,
        granule: int,
        value: Any = None,
        role: Role = Role.OTHER,
        guard: Cell | None = None,
    ) -> None:
        self._host = host
        self._name = name
        self._granule = require_granule(granule)
        self._value = value
        self._role = role
        self._guard = guard
        self._cells: dict[int, SharedCell] = {}

    def at(self, address: int) -> SharedCell:
        """Return the cell of the granule that contains `address`."""
        first = address & -self._granule
        cell = self._cells.get(first)
        if cell is None:
            name = f"{self._name} {first:#x}"
            cell = self._cells[first] = self._host.cell(name, self._value, self._guard, self._role, first)
        return cell


class Mutexes:
    """One mutex for each granule of an address space.

    Args:
        host: Host port, which creates the mutexes.
        granule: Bytes per mutex, a power of two.
    """

    constant_attributes = frozenset({"_mutexes"})  # naming a mutex is no access

    def __init__(self, host: Host, granule: int) -> None:
        self._host = host
        self._granule = require_granule(granule)
        self._mutexes: dict[int, Mutex] = {}

    def at(self, address: int) -> Mutex:
        """Return the mutex of the granule that contains `address`."""
        first = address & -self._granule
        mutex = self._mutexes.get(first)
        if mutex is None:
            mutex = self._mutexes[first] = self._host.mutex(cell_name(Role.LOCK, first), first)
        return mutex


class Monitors:
    """The vCPUs that have reserved an address: a set of opaque identities for each granule; each method is one step.

    Args:
        host: Host port, which creates the cells.
        granule: Bytes per set, a power of two.
        guard: The mutex that protects the sets in every method but `holds`; None if none does.
    """

    def __init__(self, host: Host, granule: int, guard: Cell | None = None) -> None:
        self._sets = Cells(host, Role.RESERVATIONS.value, granule, (), Role.RESERVATIONS, guard)

    def set(self, cpu: VCpu, address: int) -> Awaitable[None]:
        """Set the monitor of `cpu` to `address`."""
        return insert(self._sets.at(address), cpu)

    async def holds(self, cpu: VCpu, address: int) -> bool:
        """Whether the monitor of `cpu` is set to `address`."""
        return cpu.identity in await self._sets.at(address).load()

    def clear(self, address: int) -> Awaitable[None]:
        """Clear the monitors of all vCPUs that are set to `address`."""
        return self._sets.at(address).update("empty", lambda members: ((), None))

    def clear_others(self, cpu: VCpu, address: int) -> Awaitable[None]:
        """Clear the monitors that are set to `address`, except that of `cpu`."""
        return clear_others(self._sets.at(address), cpu)


def insert(members: SharedCell, cpu: VCpu) -> Awaitable[None]:
    """Insert `cpu` into a cell that holds a sorted tuple of vCPUs: one step."""
    mine = cpu.identity
    return members.update(f"insert {mine}", lambda old: (tuple(sorted({*old, mine})), None))


def clear_others(members: SharedCell, cpu: VCpu) -> Awaitable[None]:
    """Remove all vCPUs but `cpu` from a cell that holds a tuple of vCPUs: one step."""
    mine = cpu.identity
    return members.update(f"keep {mine}", lambda old: (tuple(each for each in old if each == mine), None))
