"""The host port: what schemes and the AIE module are handed to make operations from.

Its methods return awaitables; awaiting one is one step (an access wider than the host word: one step per word).
Nothing here touches shared state: a method only describes an operation, and the engine performs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate
from typing import Any, TypeAlias

from simaie.barrier import parse_barrier
from simaie.errors import GuestFault
from simaie.host.ram import Endian
from simaie.op import Cell, Function, Kind, Op, Order, Role, cell_name
from simaie.protocols import VCpu

__all__ = ["Host", "Mutex", "Ranges", "SharedCell"]

#: Where an access is in RAM: (physical address, width) of each part, in the order of the guest's addresses.
Ranges: TypeAlias = tuple[tuple[int, int], ...]

_LOAD, _STORE, _RELAXED = Kind.LOAD, Kind.STORE, Order.RELAXED  # looked up once, not per access


class SharedCell(Cell):
    """A cell of the emulator's own memory, at most one pointer wide: plain accesses and host atomics."""

    __slots__ = ()

    def load(self, order: Order = _RELAXED) -> Awaitable[Any]:
        """Read it."""
        return Op(_LOAD, self, order=order)

    def store(self, value: Any, order: Order = _RELAXED) -> Awaitable[None]:
        """Write it."""
        return Op(_STORE, self, value=value, order=order)

    def compare_and_swap(self, expected: Any, new: Any) -> Awaitable[Any]:
        """Put `new` there if it holds `expected`; returns what was there before."""
        return Op(Kind.CAS, self, value=new, expected=expected, order=Order.SEQ_CST)

    def exchange(self, new: Any) -> Awaitable[Any]:
        """Put `new` there; returns what was there before."""
        return Op(Kind.EXCHANGE, self, value=new, order=Order.SEQ_CST)

    def fetch(self, function: Function) -> Awaitable[Any]:
        """Apply `function` atomically; returns what was there before."""
        return Op(Kind.FETCH, self, function=function, order=Order.SEQ_CST)

    def update(self, name: str, apply: Callable[[Any], tuple[Any, Any]]) -> Awaitable[Any]:
        """A compound access under the cell's guard: ``apply(value)`` gives the new value and the result."""
        return Op(Kind.UPDATE, self, function=Function(name, apply))


class Mutex(Cell):
    """A host mutex; `value` is its owner. To lock it is one step, disabled while another vCPU holds it."""

    __slots__ = ()

    def __init__(self, name: str, address: int | None = None) -> None:
        super().__init__(name, role=Role.LOCK, address=address)

    def lock(self) -> Awaitable[None]:
        """Acquire it."""
        return Op(Kind.LOCK, self, order=Order.ACQUIRE)

    def unlock(self) -> Awaitable[None]:
        """Release it; the caller must be its owner."""
        return Op(Kind.UNLOCK, self, order=Order.RELEASE)


class Host:
    """Makes operations on guest RAM and cells for the emulator. One per execution.

    word: the widest single access to RAM, in bytes; a wider one is split, lowest address first, or `refuses_wide`.
    """

    constant_attributes = frozenset({"_calls"})  # to name a cell is no access
    refuses_wide = False
    _calls: SharedCell | None = None

    def __init__(self, *, word: int = 8, endian: Endian = "little") -> None:
        self.word = word
        self.endian = endian

    def let_go(self, cpu: VCpu) -> None:
        """An instruction of `cpu` has faulted: what operations it has made and not awaited will never be performed."""

    def cell(
        self,
        name: str,
        value: Any = None,
        guard: Cell | None = None,
        role: Role = Role.OTHER,
        address: int | None = None,
    ) -> SharedCell:
        """A fresh cell; `name` must be structural, since it is the cell's identity in traces.

        role, address: what checkers and pictures know it by, see `simaie.op.Cell`.
        """
        return SharedCell(name, value, guard, role, address)

    def cell_of(self, role: Role, address: int, value: Any = None, guard: Cell | None = None) -> SharedCell:
        """A fresh cell that is named after its role and address."""
        return self.cell(cell_name(role, address), value, guard, role, address)

    @property
    def calls(self) -> SharedCell:
        """How many calls have ended, of those that the guest wants ordered; made when first asked for."""
        if self._calls is None:
            self._calls = self.cell("calls", 0)
        return self._calls

    def mutex(self, name: str, address: int | None = None) -> Mutex:
        """A fresh mutex, free. address: the first byte of the granule that it protects, if it protects one."""
        return Mutex(name, address)

    def load(self, address: int, width: int, order: Order = _RELAXED) -> Awaitable[int]:
        """Read `width` bytes of RAM at the physical `address`."""
        if width <= self.word:
            return Op(_LOAD, None, address, width, None, None, None, order)
        return self._load_words(address, width)

    def store(self, address: int, width: int, value: int, order: Order = _RELAXED) -> Awaitable[None]:
        """Write `width` bytes of RAM at the physical `address`."""
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
        """Read an access that may lie in several places of RAM, each part by `load`, in their order."""
        if len(ranges) == 1:
            return self.load(*ranges[0])
        return self._load_parts(ranges)

    def store_ranges(self, ranges: Ranges, value: int) -> Awaitable[None]:
        """Write an access that may lie in several places of RAM, each part by `store`, in their order."""
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

    def compare_and_swap(self, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """The host's atomic compare-and-swap on RAM; returns what was there before."""
        return Op(Kind.CAS, None, address, width, new, expected, order=Order.SEQ_CST)

    def exchange(self, address: int, width: int, new: int) -> Awaitable[int]:
        """The host's atomic exchange on RAM; returns what was there before."""
        return Op(Kind.EXCHANGE, None, address, width, new, order=Order.SEQ_CST)

    def fetch(self, address: int, width: int, function: Function) -> Awaitable[int]:
        """The host's atomic read-modify-write on RAM; returns what was there before."""
        return Op(Kind.FETCH, None, address, width, function=function, order=Order.SEQ_CST)

    def fence(self, kind: str = "full") -> Awaitable[None]:
        """A host memory barrier."""
        return Op(Kind.FENCE, orders=parse_barrier(kind), order=Order.SEQ_CST)

    def choose(self, arity: int, what: str) -> Awaitable[int]:
        """A local choice among `arity` alternatives; `what` says between which. No scheduling point."""
        return Op(Kind.CHOICE, value=arity, note=what)

    def begin_exclusive(self) -> Awaitable[None]:
        """Stop the world: wait until no other vCPU is inside a guest instruction, and keep them there."""
        return Op(Kind.BEGIN_EXCLUSIVE)

    def end_exclusive(self) -> Awaitable[None]:
        """Let the world go on."""
        return Op(Kind.END_EXCLUSIVE)


def split_words(value: int, width: int, word: int, endian: Endian) -> list[int]:
    """`value`, `width` bytes wide, as its words of `word` bytes in the order of their addresses."""
    return split_parts(value, word_widths(width, word), endian)


def join_words(parts: list[int], word: int, endian: Endian) -> int:
    """The inverse of `split_words`."""
    return join_parts(parts, [word] * len(parts), endian)


def word_widths(width: int, word: int) -> list[int]:
    """The widths of the words of `word` bytes that make up an access; the last may be narrower."""
    return [min(word, width - done) for done in range(0, width, word)]


def split_parts(value: int, widths: Sequence[int], endian: Endian) -> list[int]:
    """`value` as parts of these widths, in the order of their addresses."""
    data = (value & ((1 << 8 * sum(widths)) - 1)).to_bytes(sum(widths), endian)
    ends = accumulate(widths)
    return [int.from_bytes(data[end - width : end], endian) for end, width in zip(ends, widths, strict=True)]


def join_parts(parts: Sequence[int], widths: Sequence[int], endian: Endian) -> int:
    """The inverse of `split_parts`."""
    data = b"".join(part.to_bytes(width, endian) for part, width in zip(parts, widths, strict=True))
    return int.from_bytes(data, endian)
