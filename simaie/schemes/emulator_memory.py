"""The memory of an emulator whose helpers are compiled code, as the host has it.

A location of the emulator is a cell, and what lies in the window of the guest is the guest's memory. So the host orders
both by its own rules. Plain accesses, atomics, acquire, release and barriers are those of the host's instruction set.

**Exclusives.** An exclusive load is a load, and the exclusive store is a compare-and-swap with the value that was
loaded, which also acquires if the load did. If the helper makes no other access between the two, that has the same
results as a reservation: a location that was changed and changed back in between might as well have been loaded after
that. So it is what compilers make of C's atomics. With another access in between it would not be the same, and is
refused. A store that fails without a cause is not tried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any, NamedTuple, TypeVar

import msgspec

from simaie.binary.helper import GUEST
from simaie.binary.image import Image
from simaie.errors import UnmodelledCodeError
from simaie.host.host import Host, Mutex, SharedCell
from simaie.host.loaded import LOADED, plain
from simaie.host.ordered import acquires, joined
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


class _Linked:
    """What the last exclusive load of a helper read.

    Attributes:
        place: Its address and width; None if another access followed.
        value: The value.
        acquires: Whether it was an acquire.
    """

    __slots__ = ("acquires", "place", "value")

    def __init__(self) -> None:
        self.place: tuple[int, int] | None = None
        self.value, self.acquires = 0, False


class _Exclusive(NamedTuple):
    """An exclusive access: one operation, to which an order can still be added.

    Attributes:
        op: The operation.
        linked: What the last exclusive load read.
        loads: The address and the width of an exclusive load; None for a store.
    """

    op: Op
    linked: _Linked
    loads: tuple[int, int] | None

    def __await__(self) -> Generator[Op, Any, Any]:
        result = yield self.op
        linked = self.linked
        if self.loads is None:
            return plain(result) == plain(linked.value)
        linked.place, linked.value, linked.acquires = self.loads, result, acquires(self.op.order)
        return result


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
        if cpu.local is not None:
            cpu.local.place = None
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
        """Load with one operation, and remember the value for the exclusive store."""
        if width > _WIDEST:
            raise self._refused(f"an exclusive load of {width} bytes")
        if cpu.local is None:
            cpu.local = _Linked()
        return _Exclusive(self._op(cpu, Kind.LOAD, address, width), cpu.local, (plain(address), width))

    def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[bool]:  # type: ignore[override]  # an access of one operation is no coroutine
        """Compare and swap with one operation."""
        linked: _Linked | None = cpu.local
        if linked is None or linked.place != (plain(address), width):
            raise self._refused(
                "an exclusive store, and no exclusive load of the same location is its last access before it in the "
                "same call"
            )
        order = joined(self.atomic_order, Order.ACQUIRE if linked.acquires else Order.RELAXED)
        op = self._op(
            cpu, Kind.CAS, address, width, value=value, expected=linked.value, order=order, form=self.atomic_form
        )
        return _Exclusive(op, linked, None)

    def _refused(self, what: str) -> UnmodelledCodeError:
        return UnmodelledCodeError(f"{self._image.name}: a helper makes {what}: that is not modelled")

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """Forget the exclusive load."""
        if cpu.local is not None:
            cpu.local.place = None

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
        if self.passes_orders and type(body) is _Exclusive:
            return body._replace(op=msgspec.structs.replace(body.op, order=joined(body.op.order, order)))
        return super().in_order(order, body)
