"""The memory of an emulator whose helpers are compiled code, as the host has it.

A location of the emulator is a cell, and what lies in the window of the guest is the guest's memory. So the host orders
both by its own rules. Plain accesses, atomics, acquire, release and barriers are those of the host's instruction set.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

import msgspec

from simaie.binary.helper import GUEST
from simaie.binary.image import Image
from simaie.errors import UnmodelledCodeError
from simaie.host.host import Host, Mutex, SharedCell
from simaie.host.loaded import LOADED, plain
from simaie.host.ordered import joined
from simaie.host.pages import PageTable
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import MachineFacts, VCpu
from simaie.schemes.native import Native

__all__ = ["EmulatorMemory", "HostFacts"]

T = TypeVar("T")
_WIDEST = 8  # of a location of the emulator, in bytes


class HostFacts(msgspec.Struct, frozen=True):
    """The facts about the emulator as a program of the host; see `simaie.protocols.MachineFacts`."""

    isa: str
    host_order: Any
    host_takes_orders: bool
    full_system: bool = False
    host_word: int = 64
    address_bits: int = 64
    guest_order: Any = 0


class EmulatorMemory(Native):
    """Performs the accesses of helpers.

    Args:
        host: Host port.
        pages: Page table of the guest.
        machine: Facts about the machine of the guest.
        image: The file of the helpers.
    """

    constant_attributes = frozenset({"_cells", "_mutexes"})  # naming a cell is no access

    def __init__(self, host: Host, pages: PageTable, machine: MachineFacts, image: Image) -> None:
        facts = HostFacts(image.abi.isa, machine.host_order, machine.host_takes_orders, guest_order=machine.guest_order)
        super().__init__(host, pages, facts)
        self._image = image
        self._cells: dict[int, tuple[int, SharedCell]] = {}
        self._mutexes: dict[int, Mutex] = {}

    def mutex(self, address: int) -> Mutex:
        """Return the mutex of the host at an address."""
        at: int = plain(address)
        if at not in self._mutexes:
            self._mutexes[at] = self.host.mutex(f"mutex {self._named(at)}")
        return self._mutexes[at]

    def _named(self, address: int) -> str:
        return self._image.place(address) or f"{address:#x}"

    def _cell(self, address: int, width: int) -> SharedCell:
        """Return the cell at an address; UnmodelledCodeError if it overlaps one of another width."""
        found = self._cells.get(address)
        if found is not None and found[0] == width:
            return found[1]
        for start in range(address - _WIDEST + 1, address + width):
            if start in self._cells and start + self._cells[start][0] > address:
                raise UnmodelledCodeError(
                    f"{self._image.name}: {width} bytes at {self._named(address)}, where another access of the helpers "
                    f"has {self._cells[start][0]} bytes at {self._named(start)}: use one type for each location, and "
                    "compile with -fno-store-merging -fno-tree-vectorize"
                )
        cell = self.host.cell(f"{self._named(address)}/{width}", self._image.initial(address, width))
        self._cells[address] = width, cell
        return cell

    def _op(self, cpu: Any, kind: Kind, address: int, width: int, **rest: Any) -> Op:
        at: int = plain(address)
        note = str(cpu.place)
        if at >= GUEST:
            return Op(kind, None, address - GUEST, width, note=note, **rest)
        where = address if type(address) is LOADED else 0  # so that the operation depends on it
        return Op(kind, self._cell(at, width), where, 0, note=note, **rest)

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Load with one operation."""
        return self._op(cpu, Kind.LOAD, address, width)

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Store with one operation."""
        return self._op(cpu, Kind.STORE, address, width, value=value)

    def load_pair(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Refuse the access: the lifter makes two of it."""
        raise self._refused("a load of two registers at once")

    def store_pair(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """Refuse the access: the lifter makes two of it."""
        raise self._refused("a store of two registers at once")

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """Refuse the access."""
        raise self._refused("an exclusive load; compile with atomic instructions, such as -march=armv8.1-a")

    async def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> bool:
        """Refuse the access."""
        raise self._refused("an exclusive store; compile with atomic instructions, such as -march=armv8.1-a")

    def _refused(self, what: str) -> UnmodelledCodeError:
        return UnmodelledCodeError(f"{self._image.name}: a helper makes {what}: that is not modelled")

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Do nothing, because nothing is reserved."""

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Perform one fetch-and-apply."""
        return self._op(
            cpu, Kind.FETCH, address, width, function=function, order=self.atomic_order, form=self.atomic_form
        )

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """Perform one compare-and-swap."""
        return self._op(
            cpu, Kind.CAS, address, width, value=new, expected=expected, order=self.atomic_order,
            form=self.atomic_form,
        )

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """Perform an access of one operation with an order; fences around it on a host that takes no orders."""
        if self.passes_orders and type(body) is Op:
            return msgspec.structs.replace(body, order=joined(body.order, order))
        return super().in_order(order, body)
