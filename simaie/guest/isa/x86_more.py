"""x86 instructions beyond plain and locked accesses of one word: CMPccXADD, MOVNTI, vector moves, string instructions.

Vector moves without a guarantee are accesses of 8 bytes in ascending order, each checked separately. The manual fixes
no size (SDM 3A, 9.1.1). A trace shows a vector of 32 bytes as two of 16. Only MOVAPS has a guarantee, on processors
with AVX. String instructions are one access for each element, in ascending order. A processor may perform their stores
in another order (SDM 3A, 9.2.4), and may delay that of MOVNTI beyond later stores (9.2.2); here their stores are
ordered as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from simaie.errors import UsageError
from simaie.guest.contract import require_none, require_number
from simaie.guest.cpu import Cpu, check_width
from simaie.guest.operands import accepts, has_widths
from simaie.host.host import join_words, split_words
from simaie.op import Function
from simaie.trace import AccessKind

__all__ = ["CONDITIONS", "X86More"]

_WIDTHS = (1, 2, 4, 8)
_LARGE = (4, 8)
_VECTOR, _PART = 16, 8  # bytes of a vector, and of one access of a move

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


def _sign(value: int, width: int) -> bool:
    return bool(value >> 8 * width - 1 & 1)


def _overflows(old: int, other: int, width: int) -> bool:
    difference = old - other
    return _sign(old ^ other, width) and _sign(old ^ difference, width)


def _less(old: int, other: int, width: int) -> bool:
    return _sign(old - other, width) != _overflows(old, other, width)


_Condition = Callable[[int, int, int], bool]
_PLAIN: dict[str, _Condition] = {
    "o": _overflows,
    "b": lambda old, other, width: old < other,
    "z": lambda old, other, width: old == other,
    "be": lambda old, other, width: old <= other,
    "s": lambda old, other, width: _sign(old - other, width),
    "p": lambda old, other, width: not (old - other & 0xFF).bit_count() % 2,
    "l": _less,
    "le": lambda old, other, width: old == other or _less(old, other, width),
}


def _negated(condition: _Condition) -> _Condition:
    return lambda old, other, width: not condition(old, other, width)


#: The condition of CMPccXADD: of the flags that a comparison of the location with the operand sets.
CONDITIONS: dict[str, _Condition] = {**_PLAIN, **{"n" + name: _negated(each) for name, each in _PLAIN.items()}}


def _condition(name: str) -> None:
    if name not in CONDITIONS:
        raise UsageError(f"the condition must be one of {', '.join(CONDITIONS)}, not {name!r}")


class X86More(Cpu):
    """A vCPU of an x86 guest with these instructions; the arguments are those of `X86Cpu`."""

    pairs: ClassVar[frozenset[str]] = frozenset({"movaps"})

    @accepts(_condition)
    @has_widths(*_LARGE)
    def cmpccxadd(
        self, address: int, compare: int, addend: int, *, condition: str = "z", width: int = 4
    ) -> Loaded:
        """Compare the location with `compare`, and add `addend` if the condition holds, atomically: CMPccXADD.

        It returns the old value. It locks without a prefix and always writes. A misaligned address faults.
        """
        check_width(width, _LARGE)
        _condition(condition)
        mask = (1 << 8 * width) - 1
        holds, other, more = CONDITIONS[condition], compare & mask, addend & mask
        name = f"cmp{condition}xadd"
        update = Function(
            f"{name} {other} {more}", lambda old: old + more & mask if holds(old, other, width) else old
        )
        body = self._scheme.atomic_rmw(self, address, width, update)
        return self._access(name, AccessKind.ATOMIC, address, width, body, width, update)

    @has_widths(*_LARGE)
    def movnti(self, address: int, value: int, *, width: int = 4) -> Nothing:
        """Store with a non-temporal hint, in the order of other stores, though a processor may delay it: MOVNTI."""
        check_width(width, _LARGE)
        wrapped = value & (1 << 8 * width) - 1
        body = self._scheme.store(self, address, width, wrapped)
        return self._access("movnti", AccessKind.STORE, address, width, body, 1, wrapped)

    # -- vectors ------------------------------------------------------------------------------

    def movups_load(self, address: int) -> Loaded:
        """Load a 16-byte vector, as two loads of 8 bytes: MOVUPS."""
        return self._load_vector("movups", address)

    def movups(self, address: int, value: int) -> Nothing:
        """Store a 16-byte vector, as two stores of 8 bytes: MOVUPS."""
        return self._store_vector("movups", address, value)

    async def vmovups_load(self, address: int) -> int:
        """Load a 32-byte vector, as two vectors of 16 bytes: VMOVUPS."""
        first, second = address, address + _VECTOR
        parts = [await self._load_vector("vmovups", first), await self._load_vector("vmovups", second)]
        return join_words(parts, _VECTOR, self._scheme.host.endian)

    async def vmovups(self, address: int, value: int) -> None:
        """Store a 32-byte vector, as two vectors of 16 bytes: VMOVUPS."""
        wrapped = value & (1 << 16 * _VECTOR) - 1
        for number, half in enumerate(split_words(wrapped, 2 * _VECTOR, _VECTOR, self._scheme.host.endian)):
            await self._store_vector("vmovups", address + _VECTOR * number, half)

    def movaps_load(self, address: int) -> Loaded:
        """Load an aligned 16-byte vector, indivisible on a processor with AVX: MOVAPS."""
        body = self._scheme.load_pair(self, address, 16)
        return self._access("movaps", AccessKind.LOAD, address, 16, body, 16)

    def movaps(self, address: int, value: int) -> Nothing:
        """Store an aligned 16-byte vector, indivisible on a processor with AVX: MOVAPS."""
        wrapped = value & (1 << 128) - 1
        body = self._scheme.store_pair(self, address, 16, wrapped)
        return self._access("movaps", AccessKind.STORE, address, 16, body, 16, wrapped)

    def _load_vector(self, name: str, address: int) -> Loaded:
        return self._access(name, AccessKind.LOAD, address, _VECTOR, self._load_halves(address))

    def _store_vector(self, name: str, address: int, value: int) -> Nothing:
        wrapped = value & (1 << 8 * _VECTOR) - 1
        body = self._store_halves(address, wrapped)
        return self._access(name, AccessKind.STORE, address, _VECTOR, body, 1, wrapped)

    async def _load_halves(self, address: int) -> int:
        scheme = self._scheme
        await scheme.check_pages(address, _VECTOR, write=False)
        halves = [
            require_number(scheme, "load", await scheme.load(self, address + at, _PART), _PART)
            for at in range(0, _VECTOR, _PART)
        ]
        return join_words(halves, _PART, scheme.host.endian)

    async def _store_halves(self, address: int, value: int) -> None:
        scheme = self._scheme
        await scheme.check_pages(address, _VECTOR, write=True)
        for number, half in enumerate(split_words(value, _VECTOR, _PART, scheme.host.endian)):
            require_none(scheme, "store", await scheme.store(self, address + _PART * number, _PART, half))

    # -- string instructions ------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    async def rep_movs(self, destination: int, source: int, count: int, *, width: int = 4) -> None:
        """Copy `count` elements of `width` bytes, each by a load and a store: REP MOVS."""
        check_width(width, _WIDTHS)
        for offset in range(0, count * width, width):
            body = self._scheme.load(self, source + offset, width)
            value = await self._access("rep movs", AccessKind.LOAD, source + offset, width, body)
            await self._store_element("rep movs", destination + offset, value, width)

    @has_widths(*_WIDTHS)
    async def rep_stos(self, address: int, value: int, count: int, *, width: int = 4) -> None:
        """Store `value` to each of `count` elements of `width` bytes: REP STOS."""
        check_width(width, _WIDTHS)
        for offset in range(0, count * width, width):
            await self._store_element("rep stos", address + offset, value & (1 << 8 * width) - 1, width)

    def _store_element(self, name: str, address: int, value: int, width: int) -> Nothing:
        body = self._scheme.store(self, address, width, value)
        return self._access(name, AccessKind.STORE, address, width, body, 1, value)
