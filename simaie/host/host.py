"""The host port: schemes and the AIE module create their operations with it.

Its methods return awaitables. Awaiting one is one step; an access wider than the host word is one step per word.
No method touches shared state: a method only describes an operation, and the engine performs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from simaie.barrier import parse_barrier
from simaie.errors import GuestFault
from simaie.host.loaded import LOADED, lift, like, plain
from simaie.host.ordered import with_order
from simaie.host.ram import Endian
from simaie.op import Cell, Form, Function, Kind, Op, Order, Role, cell_name
from simaie.protocols import VCpu

if TYPE_CHECKING:
    from simaie.host.futex import Futex
    from simaie.host.wakeups import Wakeups

__all__ = ["Host", "Mutex", "Ranges", "SharedCell"]

T = TypeVar("T")

#: The ranges of an access in RAM: (physical address, width in bytes) of each part, in the order of guest addresses.
Ranges: TypeAlias = tuple[tuple[int, int], ...]

_LOAD, _STORE, _RELAXED = Kind.LOAD, Kind.STORE, Order.RELAXED  # looked up once, not per access


class SharedCell(Cell):
    """A cell of the emulator's own memory, at most one pointer wide, with plain accesses and host atomics."""

    __slots__ = ()

    def load(self, order: Order = _RELAXED) -> Awaitable[Any]:
        """Return the cell's value: one plain load."""
        return Op(_LOAD, self, order=order)

    def store(self, value: Any, order: Order = _RELAXED) -> Awaitable[None]:
        """Set the cell's value: one plain store."""
        return Op(_STORE, self, value=value, order=order)

    def compare_and_swap(self, expected: Any, new: Any) -> Awaitable[Any]:
        """Set the cell to `new` if it holds `expected`, atomically; return the old value."""
        return Op(Kind.CAS, self, value=new, expected=expected, order=Order.SEQ_CST)

    def exchange(self, new: Any) -> Awaitable[Any]:
        """Set the cell to `new` atomically; return the old value."""
        return Op(Kind.EXCHANGE, self, value=new, order=Order.SEQ_CST)

    def fetch(self, function: Function) -> Awaitable[Any]:
        """Apply `function` to the cell atomically; return the old value."""
        return Op(Kind.FETCH, self, function=function, order=Order.SEQ_CST)

    def update(self, name: str, apply: Callable[[Any], tuple[Any, Any]]) -> Awaitable[Any]:
        """Make a compound access under the cell's guard, in one step.

        Args:
            name: Names the access in traces.
            apply: Maps the old value to (new value, result).

        Returns:
            The result of `apply`.
        """
        return Op(Kind.UPDATE, self, function=Function(name, apply))


class Mutex(Cell):
    """A host mutex; `value` is its owner. Locking is one step, disabled while another actor holds the mutex."""

    __slots__ = ()

    def __init__(self, name: str, address: int | None = None) -> None:
        super().__init__(name, role=Role.LOCK, address=address)

    def lock(self) -> Awaitable[None]:
        """Acquire the mutex."""
        return Op(Kind.LOCK, self, order=Order.ACQUIRE)

    def unlock(self) -> Awaitable[None]:
        """Release the mutex; the caller must be its owner."""
        return Op(Kind.UNLOCK, self, order=Order.RELEASE)


class Host:
    """Creates operations on guest RAM and on cells for the emulator; one per execution.

    Args:
        word: Bytes of the widest single access to RAM. A wider access is split, lowest address first, or faults if
            `refuses_wide` is set.
        endian: Byte order of guest RAM.
    """

    constant_attributes = frozenset({"_calls", "_futexes", "_wakeups"})  # naming a cell is no access
    refuses_wide = False
    _calls: SharedCell | None = None

    def __init__(self, *, word: int = 8, endian: Endian = "little") -> None:
        self.word = word
        self.endian = endian
        self._futexes: dict[int, Futex] = {}
        self._wakeups: dict[str, Wakeups] = {}

    def let_go(self, cpu: VCpu) -> None:
        """Drop the operations of `cpu` that were created but not awaited, since its instruction has faulted."""

    def with_order(self, op: Op, order: Order, form: Form) -> Op:
        """Return the operation that takes the place of `op`, which it made: one with `order` and `form` in addition."""
        return with_order(op, order, form)

    def made(self, make: Callable[[], T]) -> T:
        """Return ``make()``: an object that a vCPU makes and may publish in a cell.

        The engine may run the same part of a vCPU several times (see `simaie.engine.memo`). This method then returns
        the same object each time, which so keeps its identity. A scheme that publishes objects of its own without it
        runs on the reference engine only.

        Args:
            make: Creates the object; it makes no access.
        """
        return make()

    def cell(
        self,
        name: str,
        value: Any = None,
        guard: Cell | None = None,
        role: Role = Role.OTHER,
        address: int | None = None,
    ) -> SharedCell:
        """Create a cell.

        Args:
            name: Identity of the cell in traces; must be structural, the same in every execution.
            value: Initial value.
            guard: The mutex that protects the cell, or None.
            role: What checkers and pictures recognise the cell by, see `simaie.op.Cell`.
            address: The granule, page or slot that the cell belongs to, see `simaie.op.Cell`; or None.
        """
        return SharedCell(name, value, guard, role, address)

    def cell_of(self, role: Role, address: int, value: Any = None, guard: Cell | None = None) -> SharedCell:
        """Create a cell that is named after its role and address; see `cell` for the arguments."""
        return self.cell(cell_name(role, address), value, guard, role, address)

    @property
    def calls(self) -> SharedCell:
        """The cell that counts the ended calls that the guest wants ordered; created when first used."""
        if self._calls is None:
            self._calls = self.cell("calls", 0)
        return self._calls

    def futex(self, address: int) -> Futex:
        """Return the futex of a word of RAM, by its physical address; created when first used."""
        if address not in self._futexes:
            from simaie.host.futex import Futex  # which is made of cells

            self._futexes[address] = Futex(self, address)
        return self._futexes[address]

    def wakeups(self, name: str) -> Wakeups:
        """Return the flags of this name that end sleeps; created when first used."""
        if name not in self._wakeups:
            from simaie.host.wakeups import Wakeups  # which is made of cells

            self._wakeups[name] = Wakeups(self, name)
        return self._wakeups[name]

    def mutex(self, name: str, address: int | None = None) -> Mutex:
        """Create a free mutex.

        Args:
            name: Identity of the mutex in traces.
            address: First byte of the granule that the mutex protects, or None.
        """
        return Mutex(name, address)

    def load(self, address: int, width: int, order: Order = _RELAXED) -> Awaitable[int]:
        """Read `width` bytes of RAM at the physical `address`, as an unsigned integer.

        Args:
            address: Physical address.
            width: Width in bytes.
            order: Memory order of the access.
        """
        if width <= self.word:
            return Op(_LOAD, None, address, width, None, None, None, order)
        return self._load_words(address, width)

    def store(self, address: int, width: int, value: int, order: Order = _RELAXED) -> Awaitable[None]:
        """Write `value` to the `width` bytes of RAM at the physical `address`.

        Args:
            address: Physical address.
            width: Width in bytes.
            value: The unsigned integer to write.
            order: Memory order of the access.
        """
        if width <= self.word:
            return Op(_STORE, None, address, width, value, None, None, order)
        return self._store_words(address, width, value)

    async def _load_words(self, address: int, width: int) -> int:
        self._check_wide(address, width)
        widths = word_widths(width, self.word)
        parts = [await Op(_LOAD, None, address + i * self.word, each) for i, each in enumerate(widths)]
        return join_parts(parts, widths, self.endian)

    async def _store_words(self, address: int, width: int, value: int) -> None:
        self._check_wide(address, width)
        widths = word_widths(width, self.word)
        for i, part in enumerate(split_parts(value, widths, self.endian)):
            await Op(_STORE, None, address + i * self.word, widths[i], part)

    def load_ranges(self, ranges: Ranges) -> Awaitable[int]:
        """Read an access that may be several ranges of RAM, one `load` per range, in their order."""
        if len(ranges) == 1:
            return self.load(*ranges[0])
        return self._load_parts(ranges)

    def store_ranges(self, ranges: Ranges, value: int) -> Awaitable[None]:
        """Write an access that may be several ranges of RAM, one `store` per range, in their order.

        Args:
            ranges: (physical address, width in bytes) of each part, in the order of guest addresses.
            value: The unsigned integer to write.
        """
        if len(ranges) == 1:
            return self.store(*ranges[0], value)
        return self._store_parts(ranges, value)

    async def _load_parts(self, ranges: Ranges) -> int:
        parts = [await self.load(address, width) for address, width in ranges]
        return join_parts(parts, [width for _, width in ranges], self.endian)

    async def _store_parts(self, ranges: Ranges, value: int) -> None:
        parts = split_parts(value, [width for _, width in ranges], self.endian)
        for (address, width), part in zip(ranges, parts, strict=True):
            await self.store(address, width, part)

    def _check_wide(self, address: int, width: int) -> None:
        if self.refuses_wide:
            message = f"{width}-byte access at {address:#x}: this {8 * self.word}-bit host has no such access"
            raise GuestFault("width", address, message)

    def compare_and_swap(
        self,
        address: int,
        width: int,
        expected: int,
        new: int,
        order: Order = Order.SEQ_CST,
        form: Form = Form.NONE,
    ) -> Awaitable[int]:
        """Perform the host's atomic compare-and-swap on RAM; return the old value.

        Args:
            address: Physical address.
            width: Width in bytes.
            expected: The value to compare with.
            new: The value to store if RAM holds `expected`.
            order: Memory order of the access; see `simaie.op.Op.order`.
            form: Properties of the host's instruction.
        """
        return Op(Kind.CAS, None, address, width, new, expected, order=order, form=form)

    def exchange(
        self, address: int, width: int, new: int, order: Order = Order.SEQ_CST, form: Form = Form.NONE
    ) -> Awaitable[int]:
        """Perform the host's atomic exchange on RAM; return the old value.

        Args:
            address: Physical address.
            width: Width in bytes.
            new: The unsigned integer to write.
            order: Memory order of the access; see `simaie.op.Op.order`.
            form: Properties of the host's instruction.
        """
        return Op(Kind.EXCHANGE, None, address, width, new, order=order, form=form)

    def fetch(
        self,
        address: int,
        width: int,
        function: Function,
        order: Order = Order.SEQ_CST,
        form: Form = Form.NONE,
    ) -> Awaitable[int]:
        """Perform the host's atomic read-modify-write on RAM; return the old value.

        Args:
            address: Physical address.
            width: Width in bytes.
            function: Computes the new value from the old one.
            order: Memory order of the access; see `simaie.op.Op.order`.
            form: Properties of the host's instruction.
        """
        return Op(Kind.FETCH, None, address, width, function=function, order=order, form=form)

    def fence(self, kind: str = "full", form: Form = Form.NONE) -> Awaitable[None]:
        """Issue a host memory barrier.

        Args:
            kind: The set of orders that it keeps, see `simaie.barrier`.
            form: Properties of the host's instruction.
        """
        return Op(Kind.FENCE, orders=parse_barrier(kind), order=Order.SEQ_CST, form=form)

    def context_barrier(self) -> Awaitable[None]:
        """Order what was branched on so far before later loads, as ISB of Armv8; for hosts that reorder loads only."""
        return Op(Kind.FENCE, form=Form.CONTEXT)

    def choose(self, arity: int, what: str) -> Awaitable[int]:
        """Make a local choice among `arity` alternatives, no scheduling point; return the index of the choice.

        Args:
            arity: Number of alternatives.
            what: The question that the choice answers, as a trace shows it.
        """
        return Op(Kind.CHOICE, value=arity, note=what)

    def begin_exclusive(self) -> Awaitable[None]:
        """Stop the world: wait until no other vCPU is inside a guest instruction, and keep the others outside."""
        return Op(Kind.BEGIN_EXCLUSIVE)

    def end_exclusive(self) -> Awaitable[None]:
        """Resume the world."""
        return Op(Kind.END_EXCLUSIVE)

    def begin_section(self) -> Awaitable[None]:
        """Begin an indivisible section: until `end_section` nothing else steps, no device and no store buffer either.

        It is a short hardware transaction, or an access together with the check of its page's permission. Unlike
        `begin_exclusive` it does not wait for other vCPUs to leave their instructions. A section must not wait for
        anything, as for a mutex: no other actor could end the wait.
        """
        return Op(Kind.BEGIN_SECTION)

    def end_section(self) -> Awaitable[None]:
        """End the indivisible section."""
        return Op(Kind.END_SECTION)


def split_words(value: int, width: int, word: int, endian: Endian) -> list[int]:
    """Split `value`, `width` bytes wide, into words of `word` bytes, in the order of their addresses.

    Args:
        value: The value of the access.
        width: Width of the access in bytes.
        word: Width of a word in bytes.
        endian: Byte order.
    """
    return split_parts(value, word_widths(width, word), endian)


def join_words(parts: list[int], word: int, endian: Endian) -> int:
    """Join words of `word` bytes into one value: the inverse of `split_words`.

    Args:
        parts: The words, in the order of their addresses.
        word: Width of a word in bytes.
        endian: Byte order.
    """
    return join_parts(parts, [word] * len(parts), endian)


def word_widths(width: int, word: int) -> list[int]:
    """Return the widths of the words of `word` bytes in an access of `width` bytes; the last may be narrower.

    Args:
        width: Width of the access in bytes.
        word: Width of a word in bytes.
    """
    return [min(word, width - done) for done in range(0, width, word)]


def split_parts(value: int, widths: Sequence[int], endian: Endian) -> list[int]:
    """Split `value` into parts of the given widths in bytes, in the order of their addresses.

    Args:
        value: The unsigned value of the access.
        widths: Widths of the parts in bytes.
        endian: Byte order.
    """
    if type(value) is LOADED:
        parts = split_parts(plain(value), widths, endian)
        return [like(part, value) for part in parts]
    data = (value & ((1 << 8 * sum(widths)) - 1)).to_bytes(sum(widths), endian)
    ends = accumulate(widths)
    return [int.from_bytes(data[end - width : end], endian) for end, width in zip(ends, widths, strict=True)]


def join_parts(parts: Sequence[int], widths: Sequence[int], endian: Endian) -> int:
    """Join parts of the given widths in bytes into one value: the inverse of `split_parts`.

    Args:
        parts: The values of the parts, in the order of their addresses.
        widths: Widths of the parts in bytes.
        endian: Byte order.
    """
    if any(type(part) is LOADED for part in parts):
        joined: int = lift(lambda *known: join_parts(known, widths, endian), *parts)
        return joined
    data = b"".join(part.to_bytes(width, endian) for part, width in zip(parts, widths, strict=True))
    return int.from_bytes(data, endian)
