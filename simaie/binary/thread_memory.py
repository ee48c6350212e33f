"""The memory of a thread of machine code: what is private, what is shared, and when private memory becomes shared.

**The stack is private until an address into it escapes.** No other thread can know such an address before this thread
stores it in shared memory. Just before that, what lives on the stack is stored to shared memory, and from then on the
stack is shared memory. On a host that reorders stores, a fence follows, because the original stores were made earlier;
to explore what a host may do with them, let the stack be shared from the beginning (``shared_stacks=True``). An address
that is stored in disguise (compressed, or combined with other bits than the lowest) is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from simaie.barrier import Barrier
from simaie.binary.calls import CCall
from simaie.binary.cells import CAPACITY, mask
from simaie.binary.heap import ARENA
from simaie.binary.layout import Layout
from simaie.binary.place import Place
from simaie.binary.recording import Recorded
from simaie.binary.translation import Code
from simaie.errors import GuestFault, UnmodelledCodeError
from simaie.guest.running import Runner
from simaie.host.loaded import LOADED, like, plain
from simaie.trace import AccessKind

__all__ = ["RED_ZONE", "ThreadMemory"]

_LOAD, _STORE = AccessKind.LOAD, AccessKind.STORE
#: The bytes below the stack pointer that a function may use (System V ABI of x86-64, 3.2.2).
RED_ZONE = 128
_MARGIN = 32  # between the stack and the TLS block, in bytes
_WIDEST = 8  # of one access to shared memory, in bytes


class ThreadMemory(Runner):
    """A thread with its registers and its memory.

    Args:
        code: The translated program.
        layout: Where stacks lie.
        number: The number of its stack.
        cpu: Its vCPU.
        shared_stack: Whether its stack is shared memory from the beginning.

    Attributes:
        cpu: Its vCPU.
        word: The width of a pointer, in bytes.
        registers: By number of the cell.
        arena: The first address of its part of the heap.
        allocated: The number of bytes of the arena that it has allocated.
        created: The threads that it has created.
        child: Returns the code of a thread that it creates: its number, the address of the function, the argument.
        low: The first address of the private memory; equal to `high` if there is none.
        high: The first address after it.
        idle: The number of backward jumps since the last operation.
        thread_pointer: The address by which it finds its thread-local storage.
        result: The result register after the last call.
        alone: Its memory, if it is a function that runs alone; else None.
        recorded: The functions whose calls are recorded, by name.
    """

    def __init__(self, code: Code, layout: Layout, number: int, cpu: Any, *, shared_stack: bool = False) -> None:
        image = code.image
        self._code, self._image, self._layout, self._cpu = code, image, layout, cpu
        self._places, self._calls = code.places, code.calls
        self.registers = [0] * CAPACITY
        self.low = self._bottom = layout.low(number)
        self.high = self.low + layout.slot
        self._memory = bytearray(layout.slot)
        self._endian = image.abi.endian
        self._carried: dict[int, tuple[int, int]] = {}  # private address -> width and value, of values that were loaded
        self._stack = code.cells.number(image.abi.stack)
        self._top = self.high - layout.tls - _MARGIN
        self.idle, self._back, self._calls_left = 0, False, 0
        self.calls: Sequence[CCall] = ()
        self.recorded: Mapping[str, Recorded] = {}
        self.thread_pointer = self._place_tls()
        self.cpu, self.word = cpu, image.abi.word
        self.arena, self.allocated = layout.heap + number * ARENA, 0
        self._open: list[Any] = []
        self._entry, self._before = 0, (0, 0, 0)
        self.created: list[Any] = []
        self.child: Callable[[int, int, int], Any] = _no_child
        self.result = 0
        self.alone: Any = None
        self._shared_stack = shared_stack

    def _place_tls(self) -> int:
        """Place the TLS block at the top of the private memory, and return the thread pointer."""
        abi, tls = self._image.abi, self._image.tls
        if abi.tls_above:
            begin = self._top + _MARGIN
            pointer = begin - abi.thread_bias
        else:
            pointer = self.high - _MARGIN // 2
            begin = pointer - len(tls)
            self.poke(pointer, abi.word, pointer)  # System V ABI: the word at the thread pointer is its address
        self._memory[begin - self.low : begin - self.low + len(tls)] = tls
        return pointer

    def peek(self, address: int, width: int) -> int | None:
        """Return the value of private or constant memory; None if the memory is shared."""
        if self.low <= address < self.high:
            at = address - self.low
            value = int.from_bytes(self._memory[at : at + width], self._endian)
            return self._with_dependencies(address, width, value) if self._carried else value
        known = self._image.constant(address, width)
        return None if known is None else int.from_bytes(known, self._endian)

    def poke(self, address: int, width: int, value: int) -> bool:
        """Store to private memory; return whether it is private."""
        if self.low <= address < self.high:
            at = address - self.low
            if self._carried or type(value) is LOADED:
                value = self._without_dependencies(plain(address), width, value)
            self._memory[at : at + width] = value.to_bytes(width, self._endian)
            return True
        return False

    def _without_dependencies(self, address: int, width: int, value: int) -> int:
        """Return a value as a plain number; `_with_dependencies` adds the loads on which it depends again."""
        for start, (size, _) in list(self._carried.items()):
            if start < address + width and address < start + size:
                del self._carried[start]
        if type(value) is LOADED:
            self._carried[address] = width, value
        return plain(value)  # type: ignore[no-any-return]  # of an int, an int

    def _with_dependencies(self, address: int, width: int, value: int) -> int:
        for start, (size, carried) in self._carried.items():
            if start < address + width and address < start + size:
                return like(value, carried)  # type: ignore[no-any-return]  # a number, as `value`
        return value

    def escapes(self, value: int) -> bool:
        """Whether a value that is about to be stored in shared memory is an address of the private memory."""
        return self.low <= (value if type(value) is int else plain(value)) < self.high

    def load(self, pc: int, address: int, width: int) -> Coroutine[Any, Any, int]:
        """Load from shared memory, for the instruction at `pc`."""
        return self._load(self._places[pc], address, width)

    def store(self, pc: int, address: int, width: int, value: int) -> Coroutine[Any, Any, None]:
        """Store to shared memory, for the instruction at `pc`."""
        return self._store(self._places[pc], address, width, value)

    def _load(self, place: Place, address: int, width: int) -> Coroutine[Any, Any, int]:
        self._begin(place, address, width)
        if width > _WIDEST:
            return self._load_wide(place, address, width)
        cpu = self._cpu
        made: Coroutine[Any, Any, int] = cpu._access(
            place.mnemonic, _LOAD, address, width, cpu._scheme.load(cpu, address, width)
        )
        return made

    def _store(self, place: Place, address: int, width: int, value: int) -> Coroutine[Any, Any, None]:
        self._begin(place, address, width)
        if self.escapes(value) or width > _WIDEST:
            return self._store_in_order(place, address, width, value)
        cpu = self._cpu
        body = cpu._scheme.store(cpu, address, width, value)
        made: Coroutine[Any, Any, None] = cpu._access(place.mnemonic, _STORE, address, width, body, 1, value)
        return made

    async def _load_wide(self, place: Place, address: int, width: int) -> int:
        parts = [await self._load(place, address + at, _WIDEST) for at in range(0, width, _WIDEST)]
        if self._endian == "big":
            parts.reverse()
        return sum(part << 8 * _WIDEST * number for number, part in enumerate(parts))

    async def _store_in_order(self, place: Place, address: int, width: int, value: int) -> None:
        if self.escapes(value):
            await self.publish()
        if width <= _WIDEST:
            await self._store(place, address, width, value)
            return
        for at in range(0, width, _WIDEST):
            number = at if self._endian == "little" else width - _WIDEST - at
            await self._store(place, address + at, _WIDEST, value >> 8 * number & mask(_WIDEST))

    def step(self, pc: int) -> None:
        """Begin an operation without an address, for the instruction at `pc`."""
        self._cpu.place, self.idle = self._places[pc], 0

    def here(self, pc: int) -> None:
        """Take note that the instruction at `pc` may fault."""
        self._cpu.place = self._places[pc]

    def reach(self, pc: int, address: int) -> bool:
        """Begin an atomic access; return whether its location is still private."""
        self.step(pc)
        if self.low <= address < self.high:
            return True
        self._begin(self._places[pc], address, 1)
        return False

    def _begin(self, place: Place, address: int, width: int) -> None:
        """Begin an access to shared memory; GuestFault if there is no such memory."""
        self._cpu.place, self.idle = place, 0
        if not self._image.is_writable(address, width) and not (
            self._layout.is_stack(address) or self._layout.is_heap(address)
        ):
            if name := self._image.external_at(address):
                where = f"{name!r}, which {self._image.name} does not define; define it, or link with -static"
                raise GuestFault("undefined", address, f"an access to {where}")
            if self._image.constant(address, 1) is not None:
                raise GuestFault("permission", address, f"an access to read-only memory at {address:#x}")
            near = " (a null pointer)" if address < 0x1000 else ""
            overflow = self._layout.is_guard(address)
            what = f"a stack overflow at {address:#x}" if overflow else f"no memory at {address:#x}{near}"
            raise GuestFault("address", address, what)

    async def publish(self) -> None:
        """Make the private memory shared."""
        low, high, cpu, word = self.low, self.high, self._cpu, self._image.abi.word
        if low == high:
            return
        first = max(self.registers[self._stack] - RED_ZONE, low) if self.registers[self._stack] else low
        self.low = self.high = 0
        for address in range(first & -word, high, word):
            value = int.from_bytes(self._memory[address - low : address - low + word], self._endian)
            if value:
                await self._put("publish", address, value)
        if cpu._machine.host_order != Barrier.FULL:
            await cpu._access("publish", AccessKind.OTHER, 0, 0, cpu._scheme.fence(cpu, "full"))

    async def _put(self, what: str, address: int, value: int) -> None:
        """Store a word of the stack to shared memory."""
        cpu, word = self._cpu, self._image.abi.word
        await cpu._access(what, _STORE, address, word, cpu._scheme.store(cpu, address, word, value), 1, value)


def _no_child(number: int, function: int, argument: int) -> Any:
    raise UnmodelledCodeError("only a program that is run as a whole creates threads")
