"""The host port: what schemes and the AIE module are handed to make operations from.

Its methods return awaitables; awaiting one is one step (an access wider than the host word: one step per word).
Nothing here touches shared state: a method only describes an operation, and the engine performs it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from simaie.errors import GuestFault
from simaie.host.ram import Endian
from simaie.op import Cell, Function, Kind, Op, Order

__all__ = ["Host", "Mutex", "SharedCell"]

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
    """A host mutex; `value` is its owner. To lock it is one step, disabled while somebody holds it."""

    __slots__ = ()

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

    refuses_wide = False
    _calls: SharedCell | None = None

    def __init__(self, *, word: int = 8, endian: Endian = "little") -> None:
        self.word = word
        self.endian = endian

    def cell(self, name: str, value: Any = None, guard: Cell | None = None) -> SharedCell:
        """A fresh cell; `name` must be structural, since it is the cell's identity in traces."""
        return SharedCell(name, value, guard)

    @property
    def calls(self) -> SharedCell:
        """How many calls have ended, of those that the guest wants ordered; made when first asked for."""
        if self._calls is None:
            self._calls = self.cell("calls", 0)
        return self._calls

    def mutex(self, name: str) -> Mutex:
        """A fresh mutex, free."""
        return Mutex(name)

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
        word = self.word
        parts = [await Op(_LOAD, None, address + i, word) for i in range(0, width, word)]
        return join_words(parts, word, self.endian)

    async def _store_words(self, address: int, width: int, value: int) -> None:
        self._check_wide(address, width)
        word = self.word
        for i, part in enumerate(split_words(value, width, word, self.endian)):
            await Op(_STORE, None, address + i * word, word, part)

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
        return Op(Kind.FENCE, note=kind, order=Order.SEQ_CST)

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
    data = (value & ((1 << 8 * width) - 1)).to_bytes(width, endian)
    return [int.from_bytes(data[i : i + word], endian) for i in range(0, width, word)]


def join_words(parts: list[int], word: int, endian: Endian) -> int:
    """The inverse of `split_words`."""
    return int.from_bytes(b"".join(part.to_bytes(word, endian) for part in parts), endian)
