"""A thread of machine code: its registers, its private memory, and the loop that runs block after block.

**What is a step.** Only accesses to shared memory and ordering instructions are operations of the vCPU. Registers,
constant memory (code, read-only data) and the thread's own stack are no business of any other vCPU.

**The stack is private until an address into it escapes.** No other thread can know such an address before this thread
stores it in shared memory. Just before that, what lives on the stack is stored to shared memory, and from then on the
stack is shared memory. On a host that reorders stores, a fence follows, because the original stores were made earlier;
to explore what a host may do with them, let the stack be shared from the beginning (``shared_stacks=True``). An address
that is stored in disguise (compressed, or combined with other bits than the lowest) is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from simaie.barrier import Barrier
from simaie.binary.abi import RETURN
from simaie.binary.calls import CCall
from simaie.binary.cells import CAPACITY, mask
from simaie.binary.heap import ARENA
from simaie.binary.layout import Layout
from simaie.binary.place import Place
from simaie.binary.process import EndOfThread
from simaie.binary.translation import Code
from simaie.errors import GuestFault, NotModelledError
from simaie.guest.running import Runner
from simaie.trace import AccessKind

__all__ = ["BinaryThread"]

_LOAD, _STORE = AccessKind.LOAD, AccessKind.STORE
#: The bytes below the stack pointer that a function may use (System V ABI of x86-64, 3.2.2).
_RED_ZONE = 128
#: The most backward jumps without an access; a thread that makes more spins for ever, or might as well.
_MOST_IDLE = 4_000_000
#: The causes of faults that belong to no access; the last block is where they happened.
_OF_BLOCKS = frozenset({"fetch", "endless"})
_MARGIN = 32  # between the stack and the TLS block, in bytes
_WIDEST = 8  # of one access to shared memory, in bytes


def _old(old: int, new: int) -> int:
    return old


class BinaryThread(Runner):
    """One thread.

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
        self._stack = code.cells.number(image.abi.stack)
        self._top = self.high - layout.tls - _MARGIN
        self.idle, self._back, self._calls_left = 0, False, 0
        self.calls: Sequence[CCall] = ()
        self.thread_pointer = self._place_tls()
        self.cpu, self.word = cpu, image.abi.word
        self.arena, self.allocated = layout.heap + number * ARENA, 0
        self._open: list[Any] = []
        self._entry = 0
        self.created: list[Any] = []
        self.child: Callable[[int, int, int], Any] = _no_child
        self.result = 0
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

    def place_arguments(self, texts: Sequence[str]) -> tuple[int, int]:
        """Place the arguments of `main` at the top of the stack; return their number and the address of their table."""
        places: list[int] = []
        for text in texts:
            content = text.encode() + b"\0"
            self._top -= len(content)
            places.append(self._top)
            self._memory[self._top - self.low : self._top - self.low + len(content)] = content
        self._top = (self._top & -16) - self.word * (len(places) + 1)
        self._top &= -16
        for number, place in enumerate((*places, 0)):
            self.poke(self._top + self.word * number, self.word, place)
        return len(places), self._top

    # -- the loop -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Call the functions of `calls`, one after the other."""
        self._calls_left = len(self.calls)
        if self._shared_stack:
            await self.publish()
        for call in self.calls:
            await self._enter(call.entry, call.arguments)
            self._calls_left -= 1
            pc = before = self._entry = call.entry
            blocks, registers, cpu = self._code.blocks, self.registers, self._cpu
            try:
                while pc != RETURN:
                    block = blocks.get(pc)
                    if block is None:
                        block = self._code.block(pc)
                    to = block(self, registers, cpu)
                    if type(to) is not int:
                        to = await to
                    if to <= pc:
                        self._back = True
                        self.idle += 1
                        if self.idle > _MOST_IDLE:
                            raise GuestFault("endless", to, "an endless loop without an access to shared memory")
                    before, pc = pc, to
            except EndOfThread:
                return
            except GuestFault as fault:
                at = self._describe(before) if fault.cause in _OF_BLOCKS else self._describe(self.position)
                raise GuestFault(fault.cause, fault.address, f"{fault} ({at})") from None
            self.result = registers[self._code.cells.number(self._image.abi.result)]

    async def _enter(self, entry: int, arguments: tuple[int, ...]) -> None:
        """Prepare registers and stack for the call of a function, as its ABI has it."""
        abi, registers, number = self._image.abi, self.registers, self._code.cells.number
        stack = self._top & ~15
        for register, symbol in abi.presets:
            if symbol in self._image.symbols:
                registers[number(register)] = self._image.symbols[symbol].address
        for register in abi.entry:
            registers[number(register)] = entry
        if abi.thread is not None:
            registers[number(abi.thread)] = self.thread_pointer
        passed = arguments[: len(abi.arguments)]
        for register, value in zip(abi.arguments, passed, strict=False):
            registers[number(register)] = value & mask(abi.word)
        words = list(arguments[len(passed) :])
        if abi.link is None:
            stack -= -(-abi.word * len(words) // 16) * 16 + abi.word
            words.insert(0, RETURN)
        else:
            registers[number(abi.link)] = RETURN
            stack -= 64 + -(-abi.word * len(words) // 16) * 16
        if abi.isa == "mips":
            words = [0, 0, 0, 0, *words]  # where the callee may save its register arguments
        for index, value in enumerate(words):
            place = stack + abi.word * index
            if value and not self.poke(place, abi.word, value & mask(abi.word)):
                await self._put("call", place, value & mask(abi.word))
        registers[self._stack] = stack

    # -- what the engine reads --------------------------------------------------------------------

    def guest_state(self) -> Any:
        """Return the position, the registers and the live part of the private stack, as plain values."""
        first = self.registers[self._stack] - _RED_ZONE - self._bottom
        live = bytes(self._memory[first if 0 <= first <= len(self._memory) else 0 :]) if self.high > self.low else b""
        return self.position, self._calls_left, self._back, self.allocated, str(self.registers), live

    @property
    def position(self) -> int:
        """The address of the instruction in execution."""
        place = self._cpu.place
        return 0 if place is None else int(place.address)

    @property
    def in_loop(self) -> bool:
        """Whether the thread has ever jumped backwards."""
        return self._back

    @property
    def where(self) -> str:
        """The source lines of the instruction in execution."""
        return str(self._cpu.place)

    def _describe(self, pc: int) -> str:
        place = self._cpu.place
        is_call = place is not None and place.is_call and place.address == pc
        return self._image.describe(pc, "" if is_call else self._code.disassembly(pc))

    # -- memory -----------------------------------------------------------------------------------

    def peek(self, address: int, width: int) -> int | None:
        """Return the value of private or constant memory; None if the memory is shared."""
        if self.low <= address < self.high:
            at = address - self.low
            return int.from_bytes(self._memory[at : at + width], self._endian)
        known = self._image.constant(address, width)
        return None if known is None else int.from_bytes(known, self._endian)

    def poke(self, address: int, width: int, value: int) -> bool:
        """Store to private memory; return whether it is private."""
        if self.low <= address < self.high:
            at = address - self.low
            self._memory[at : at + width] = value.to_bytes(width, self._endian)
            return True
        return False

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
        if self.low <= value < self.high or width > _WIDEST:
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
        if self.low <= value < self.high:
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
        first = max(self.registers[self._stack] - _RED_ZONE, low) if self.registers[self._stack] else low
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

    # -- read-modify-writes of x86 ------------------------------------------------------------------

    async def update(
        self, pc: int, address: int, name: str, function: str, operand: int, width: int, locked: bool
    ) -> int:
        """Return the old value of a location after an arithmetic read-modify-write, or before it if it is private."""
        if (value := await self._private(pc, address, width, locked)) is not None:
            return value
        cpu = self._cpu
        if self.low <= operand < self.high:
            await self.publish()
        if name == "xchg":
            return int(await cpu.xchg(address, operand, width=width))
        form = cpu._locked if locked else cpu._plain
        return int(await form(name, function, address, operand, width, _old))

    async def compare(
        self, pc: int, address: int, name: str, expected: int, new: int, width: int, locked: bool
    ) -> int:
        """Return the old value of a location after a compare-and-exchange, or before it if it is private."""
        if (value := await self._private(pc, address, width, locked)) is not None:
            return value
        if self.low <= new < self.high or self.low <= new & mask(width // 2) < self.high:
            await self.publish()
        method = getattr(self._cpu, f"lock_{name}" if locked else name)
        return int(await (method(address, expected, new, width=width) if name == "cmpxchg" else
                          method(address, expected, new)))  # fmt: skip

    async def bit(
        self, pc: int, address: int, name: str, offset: int, width: int, locked: bool, immediate: bool
    ) -> int:
        """Change a bit; return the old bit."""
        if self.low <= address < self.high:
            at = address if immediate else address + _signed(offset, width) // (8 * width) * width
            old = await self._private(pc, at, width, locked)
            assert old is not None
            bit = 1 << offset % (8 * width)
            self.poke(at, width, old | bit if name == "bts" else old & ~bit if name == "btr" else old ^ bit)
            return int(bool(old & bit))
        self._begin(self._places[pc], address, 1)
        method = getattr(self._cpu, f"lock_{name}" if locked else name)
        return int(await method(address, offset, width=width, immediate=immediate))

    async def _private(self, pc: int, address: int, width: int, locked: bool) -> int | None:
        """Return the value of a private location, of which a lock is just a fence; None if it is shared."""
        if self.low <= address < self.high:
            if locked:
                self.step(pc)
                await self._cpu.mfence()
            return self.peek(address, width)
        self._begin(self._places[pc], address, width)
        return None

    # -- hooks ----------------------------------------------------------------------------------------

    async def begin_hook(self, name: str) -> int:
        """Begin the function `name`, which is run here; return the address to which it returns."""
        link = self._image.abi.link
        if link is None:
            following = await self.read(self.registers[self._stack], self.word)
        else:
            following = self.registers[self._code.cells.number(link)]
        call = (following & ~1 if self._image.abi.isa == "arm" else following) - 1  # inside the instruction that calls
        if following == RETURN:  # a jump in place of a call and a return
            call = self._entry
        place = self._calls.get((call, name))
        if place is None:
            place = self._calls[call, name] = Place(self._image, call, name, is_call=True)
        self._cpu.place, self.idle = place, 0
        return following

    async def arguments(self) -> tuple[int, ...]:
        """Return the first four arguments of a function that begins."""
        abi, registers = self._image.abi, self.registers
        if abi.arguments:
            return tuple(registers[self._code.cells.number(name)] for name in abi.arguments[:4])
        stack = registers[self._stack]
        return tuple([await self.read(stack + self.word * number, self.word) for number in range(1, 5)])

    def end_hook(self, following: int, result: int | None) -> int:
        """End a function that is run here; return the address of the next block."""
        registers, abi = self.registers, self._image.abi
        if result is not None:
            registers[self._code.cells.number(abi.result)] = result & mask(self.word)
        if abi.link is None:
            registers[self._stack] += self.word
        return following

    async def enter(self, block: Any) -> None:
        """Enter a block that a checker judges."""
        await block.__aenter__()
        self._open.append(block)

    async def leave(self, name: str, *returned: Any) -> None:
        """Leave the block that was entered last; a call of an object returns a value."""
        if not self._open:
            raise NotModelledError(f"{self._image.name}: {name} without a beginning, at {self.where}")
        block = self._open.pop()
        if returned:
            block.returns(returned[0])
        await block.__aexit__(None, None, None)

    def is_heap(self, address: int) -> bool:
        """Whether an address is on the heap."""
        return self._layout.is_heap(address)

    async def read(self, address: int, width: int) -> int:
        """Return the value of a location, private or shared."""
        value = self.peek(address, width)
        return await self._load(self._at, address, width) if value is None else value

    async def write(self, address: int, width: int, value: int) -> None:
        """Write a location, private or shared."""
        if not self.poke(address, width, value):
            await self._store(self._at, address, width, value)

    @property
    def _at(self) -> Place:
        """The place of the hook or of the instruction in execution."""
        return self._cpu.place or Place(self._image, self._entry, "call", is_call=True)

    # -- what is not modelled -----------------------------------------------------------------------

    def unmodelled(self, pc: int, what: str) -> NotModelledError:
        """Return the error for an instruction that is not modelled."""
        flags = self._image.abi.flags
        advice = f"; compile with {flags}" if flags else ""
        where = f"{self._image.name}: {self._describe(pc)}"
        return NotModelledError(f"{where}: the instruction is not modelled ({what}){advice}")


def _no_child(number: int, function: int, argument: int) -> Any:
    raise NotModelledError("only a program that is run as a whole creates threads")


def _signed(value: int, width: int) -> int:
    half = 1 << 8 * width - 1
    return (value & 2 * half - 1 ^ half) - half
