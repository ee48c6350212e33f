"""Running a function alone: `init` before an execution, and the final check after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from simaie.barrier import Barrier
from simaie.binary.calls import CCall
from simaie.binary.layout import Layout
from simaie.binary.thread import BinaryThread
from simaie.binary.translation import Code
from simaie.errors import GuestFault, InputError
from simaie.guest.heap import HeapBlock
from simaie.guest.isa import isa_class
from simaie.op import Function, Kind, Op

__all__ = ["Memory", "run_alone"]

#: A function that makes more accesses does not end.
_MOST_ACCESSES = 1_000_000
_MOST_PAUSES = 1_000


class _Facts(NamedTuple):
    """What a vCPU asks of its machine."""

    isa: str
    full_system: bool = False
    host_word: int = 64
    address_bits: int = 64
    guest_order: Barrier = Barrier.NONE
    host_order: Barrier = Barrier.FULL
    host_takes_orders: bool = False


class Memory:
    """Memory over another memory: what is written stays here.

    Args:
        read: Returns the unsigned value at (address, width) of the other memory.
        endian: The byte order.
    """

    def __init__(self, read: Callable[[int, int], int], endian: Any) -> None:
        self._read, self._endian = read, endian
        self.written: dict[int, int] = {}
        #: The blocks of the heap that were allocated in it.
        self.blocks: list[HeapBlock] = []

    def get(self, address: int, width: int) -> int:
        """Return the unsigned value of a location."""
        written = self.written
        if not written or not any(address + at in written for at in range(width)):
            return self._read(address, width)
        places = range(address, address + width)
        content = bytes(written[at] if at in written else self._read(at, 1) for at in places)
        return int.from_bytes(content, self._endian)

    def put(self, address: int, width: int, value: int) -> None:
        """Write a location."""
        content = (value & (1 << 8 * width) - 1).to_bytes(width, self._endian)
        self.written.update(zip(range(address, address + width), content, strict=True))


class _Direct:
    """Takes the place of a scheme: performs each access at once."""

    def __init__(self, memory: Memory, what: str) -> None:
        self._memory, self._what, self._left = memory, what, _MOST_ACCESSES
        self.host = self

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise InputError(f"{self._what} makes more than {_MOST_ACCESSES:,} accesses; does it wait for a thread?")

    def let_go(self, cpu: Any) -> None:
        """Do nothing, because nothing is held."""

    async def exception(self, cpu: Any, cause: str) -> None:
        """Do nothing."""

    async def fence(self, cpu: Any, kind: str) -> None:
        """Do nothing, because all is in order."""

    async def clear_exclusive(self, cpu: Any) -> None:
        """Do nothing, because there is no other thread."""

    def in_order(self, order: Any, body: Awaitable[Any]) -> Awaitable[Any]:
        """Return the access as it is."""
        return body

    async def load(self, cpu: Any, address: int, width: int) -> int:
        """Return a value."""
        self._count()
        return self._memory.get(address, width)

    load_linked = load

    async def store(self, cpu: Any, address: int, width: int, value: int) -> None:
        """Write a value."""
        self._count()
        self._memory.put(address, width, value)

    async def store_conditional(self, cpu: Any, address: int, width: int, value: int) -> bool:
        """Write a value; it always succeeds."""
        await self.store(cpu, address, width, value)
        return True

    async def atomic_rmw(self, cpu: Any, address: int, width: int, function: Function) -> int:
        """Apply a function; return the old value."""
        old = await self.load(cpu, address, width)
        await self.store(cpu, address, width, function.apply(old))
        return old

    async def cmpxchg(self, cpu: Any, address: int, width: int, expected: int, new: int) -> int:
        """Compare and exchange; return the old value."""
        old = await self.load(cpu, address, width)
        if old == expected:
            await self.store(cpu, address, width, new)
        return old

    cmpxchg_unlocked = cmpxchg

    async def fetch(self, address: int, width: int, function: Function) -> int:
        """Apply a function, as the host's read-modify-write; return the old value."""
        return await self.atomic_rmw(None, address, width, function)


def run_alone(code: Code, layout: Layout, call: CCall, memory: Memory, what: str) -> int:
    """Run a function to its end, and return what it returned.

    Args:
        code: The program.
        layout: Where stacks lie.
        call: The function and its arguments.
        memory: The shared memory.
        what: The function, for messages.

    Raises:
        InputError: The function faults, or does not end.
        AssertionError: An assertion of the function failed.
    """
    isa = code.image.abi.isa
    cpu: Any = isa_class(isa)("alone", 0, _Direct(memory, what), _Facts(isa))
    thread = BinaryThread(code, layout, 0, cpu)
    thread.calls, thread.alone = [call], memory
    thread.allocated = layout.allocated
    coroutine = thread.run()
    pauses = 0
    try:
        while True:
            op = coroutine.send(None)
            pauses += 1
            if not isinstance(op, Op) or op.kind is not Kind.PAUSE or pauses > _MOST_PAUSES:
                raise InputError(f"{what} waits for another thread, at {thread.where}")
    except StopIteration:
        return thread.result
    except GuestFault as fault:
        raise InputError(f"{what} faults: {fault}") from None
    finally:
        coroutine.close()
