"""The layout of a test's locations in memory: their addresses, their initial values, and the inverse of addresses.

Every location has separate 64-byte lines; the cells of an array are contiguous. Addresses are low, so that a narrow
address space holds them, but they lie in a range that has no number of the test: a state shows a value in that range
as the name of a location. All addresses are below 2^31, so that they are the same number in a 32-bit register, signed
or not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from simaie.litmus.errors import quoted
from simaie.litmus.instruction import Memory, Symbol
from simaie.litmus.location import (
    Address,
    CodeLabel,
    Global,
    InstructionWord,
    Location,
    Scalar,
    Value,
)
from simaie.litmus.lowering.errors import UnsupportedError
from simaie.litmus.model import InitItem, LitmusTest
from simaie.litmus.proposition import Atom, atoms
from simaie.litmus.source import Position
from simaie.litmus.widths import widths

__all__ = ["FORMER_BASE", "Layout"]

#: Where the locations may begin, best first; few computations end at such a number. The first leaves room for 23 lines
#: in 12 bits.
_BASES = (0xA40, 0x5A40, 0x5A_5A40, 0x5A5A_0000)
#: Where they began in the programs of older replay files.
FORMER_BASE = 0x5A5A_0000
_LINE = 64
#: Where the code of the first thread is, for labels as values; the bytes of a thread, of which an instruction has four.
_CODE, _THREAD_CODE = 0x7F00_0000, 0x1_0000
#: Maximum number of bytes of all locations together, and of those that are laid out low.
_LARGEST, _LARGEST_LOW = 1 << 20, 1 << 12


class Layout:
    """The addresses and initial values of a test's locations.

    Args:
        test: The litmus test.
        base: The address of the first location; None for the lowest at which no number of the test is an address.

    Attributes:
        addresses: By name, the address in bytes.
        image: Address -> (value, width in bytes), as `Program` takes it.
        declared: The locations that are named other than by a bare word among operands, which may be a typo.
    """

    def __init__(self, test: LitmusTest, base: int | None = None) -> None:
        self._test = test
        self._width_of = widths(test)
        self._counts = {
            item.location.key: item.type.count for item in test.init if item.type is not None and item.type.count
        }
        offsets: dict[str, int] = {}
        size = 0
        for name, position in _names(test):
            if name not in offsets:
                offsets[name] = size
                size += self._lines(name) * _LINE
                self._require_room(size, name, position)
        self._base = _base(test, size) if base is None else base
        self._next = self._base + size
        self.addresses: dict[str, int] = {name: self._base + offset for name, offset in offsets.items()}
        self._names, self._bases = list(self.addresses), list(self.addresses.values())
        #: The locations that are named other than by a bare word among operands, which may be a typo.
        self.declared = frozenset(name for name, _ in _names(test, bare=False))
        self._labels = _label_addresses(test)
        self._label_names = {address: str(label) for label, address in reversed(self._labels.items())}
        self.image: dict[int, int | tuple[int, int] | bytes] = {}
        for item in test.init:
            if isinstance(item.location, Global) and item.value is not None:
                self._initialise(item, item.location, item.value)

    def _lines(self, name: str) -> int:
        """Return how many lines a location has."""
        return max(-(-self.cell_bytes(name) * self._counts.get(name, 1) // _LINE), 1)

    def _require_room(self, size: int, name: str, position: Position) -> None:
        if size > _LARGEST:
            problem = f"unsupported: the locations up to {quoted(name)} take too much memory"
            raise UnsupportedError(self._test.file, position, problem, [f"at most {_LARGEST} bytes"])

    @property
    def span(self) -> tuple[int, int]:
        """The address of the first location, and the address after the last."""
        return self._base, self._next

    def cell_bytes(self, name: str) -> int:
        """Return the width of a location, or of a cell of an array, in bytes."""
        return self._width_of(name) // 8

    def cells(self, location: Global) -> list[int]:
        """Return the addresses of a location's cells: one, or all cells of an array."""
        if location.index is not None:
            return [self.address(Address(location.name, location.index))]
        base, step = self.addresses[location.name], self.cell_bytes(location.name)
        return [base + i * step for i in range(self._counts.get(location.name, 1))]

    def is_array(self, location: Global) -> bool:
        """Whether a location is a whole array."""
        return location.index is None and location.name in self._counts

    def address(self, of: Address) -> int:
        """Return an address as a number."""
        return self.addresses[of.name] + of.index * self.cell_bytes(of.name)

    def name_of(self, value: int) -> str | None:
        """Return the location or the label whose address is `value`, spelt as herd7 prints it, or None."""
        if value in self._label_names:
            return self._label_names[value]
        if not self._base <= value < self._next:
            return None
        at = bisect_right(self._bases, value) - 1
        name, (index, rest) = self._names[at], divmod(value - self._bases[at], self.cell_bytes(self._names[at]))
        if rest or index >= self._counts.get(name, 1):
            return None
        return f"{name}[{index}]" if index else name

    def resolve(self, value: Address | CodeLabel | InstructionWord) -> int:
        """Return a value of the condition as a number."""
        if isinstance(value, CodeLabel):
            return self._labels[value]
        assert isinstance(value, Address)  # conditions with other values are refused
        return self.address(value)

    def label_address(self, thread: int, label: str) -> int:
        """Return the address of a label; where two labels are at one place, a state shows the first."""
        return self._labels[CodeLabel(thread, label)]

    def number(self, value: Scalar, position: Position) -> int:
        """Return a value of the initial state as a number; raise UnsupportedError for an instruction."""
        if isinstance(value, int):
            return value
        if isinstance(value, Address | CodeLabel):
            return self.resolve(value)
        problem = f"unsupported value {quoted(str(value))}"
        raise UnsupportedError(self._test.file, position, problem, ["a number", "an address"])

    def _initialise(self, item: InitItem, location: Global, value: Value) -> None:
        values = value if isinstance(value, tuple) else (value,)
        width = self.cell_bytes(location.name)
        for address, each in zip(self.cells(location), values, strict=False):
            number = self.number(each, item.position)
            self.image[address] = number & (1 << 8 * width) - 1, width


def _label_addresses(test: LitmusTest) -> dict[CodeLabel, int]:
    """Return the address of each label of the test."""
    return {
        CodeLabel(thread.id, label): _CODE + _THREAD_CODE * number + 4 * index
        for number, thread in enumerate(test.threads)
        for index, statement in enumerate(thread.statements)
        for label in statement.labels
    }


def _base(test: LitmusTest, size: int) -> int:
    """Return the first of `_BASES` from which on no number of the test lies within `size` bytes, or else the last.

    Many locations are laid out high, since computed values would meet them.
    """
    if size > _LARGEST_LOW:
        return _BASES[-1]
    numbers = set(_numbers(test))
    free = (base for base in _BASES if not any(base <= number < base + size for number in numbers))
    return next(free, _BASES[-1])


def _numbers(test: LitmusTest) -> Iterator[int]:
    """Yield every number in the test: initial values, operands, the condition."""
    for item in test.init:
        yield from _numbers_of(item.value)
    for thread in test.threads:
        for statement in thread.statements:
            if statement.instruction is not None:
                yield from _numbers_of(statement.instruction.operands)
    for prop in (test.filter, test.condition.prop):
        for atom in atoms(prop) if prop is not None else ():
            if isinstance(atom, Atom):
                yield from _numbers_of(atom.value)


@lru_cache(maxsize=8192)
def _numbers_of(part: Any) -> tuple[int, ...]:
    """Return the numbers in the operands of an instruction, or in a value."""
    found: list[int] = []
    stack = [part]
    while stack:
        value = stack.pop()
        if isinstance(value, int):
            found.append(value)
        elif isinstance(value, tuple):
            stack.extend(value)
        elif isinstance(value, msgspec.Struct):
            stack.extend([getattr(value, name) for name in value.__struct_fields__])
    return tuple(found)


def _names(test: LitmusTest, *, bare: bool = True) -> Iterator[tuple[str, Position]]:
    """Yield every memory location that the test mentions, with its position, in the order of the text.

    Args:
        test: The litmus test.
        bare: Whether to include operands by themselves, `x` as opposed to `[x]`.
    """
    for item in test.init:
        yield from ((name, item.position) for name in (*_named(item.location), *_pointed(item.value)))
    for thread in test.threads:
        for statement in thread.statements:
            for operand in statement.instruction.operands if statement.instruction else ():
                symbol = operand.base if isinstance(operand, Memory) else operand
                if isinstance(symbol, Symbol) and (bare or symbol is not operand):
                    yield symbol.name, statement.position
    for observed in test.locations:
        yield from ((name, observed.position) for name in _named(observed.location))
    for prop in (test.filter, test.condition.prop):
        for atom in atoms(prop) if prop is not None else ():
            if isinstance(atom, Atom):
                found = (*_named(atom.location), *_pointed(atom.value))
            else:
                found = (*_named(atom.left), *_named(atom.right))
            yield from ((name, atom.position) for name in found)


def _named(location: Location) -> tuple[str, ...]:
    return (location.name,) if isinstance(location, Global) else ()


def _pointed(value: Value | None) -> tuple[str, ...]:
    parts = value if isinstance(value, tuple) else (value,)
    return tuple(part.name for part in parts if isinstance(part, Address))
