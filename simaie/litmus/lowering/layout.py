"""The layout of a test's locations in memory: their addresses, their initial values, and the inverse of addresses.

Every location has separate 64-byte lines; the cells of an array are contiguous. All addresses are below 2^31, so that
they are the same number in a 32-bit register, signed or not, and in a range that no test's data meets.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

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

__all__ = ["Layout"]

_BASE = 0x5A5A_0000
_LINE = 64
#: Maximum number of bytes of all locations together.
_LARGEST = 1 << 20


class Layout:
    """The addresses and initial values of a test's locations.

    Args:
        test: The litmus test.

    Attributes:
        addresses: By name, the address in bytes.
        image: Address -> (value, width in bytes), as `Program` takes it.
        declared: The locations that are named other than by a bare word among operands, which may be a typo.
    """

    def __init__(self, test: LitmusTest) -> None:
        self._test = test
        self._width_of = widths(test)
        self._counts = {
            item.location.key: item.type.count for item in test.init if item.type is not None and item.type.count
        }
        self.addresses: dict[str, int] = {}
        self._next = _BASE
        for name, position in _names(test):
            if name not in self.addresses:
                self._place(name, position)
        self._names, self._bases = list(self.addresses), list(self.addresses.values())
        #: The locations that are named other than by a bare word among operands, which may be a typo.
        self.declared = frozenset(name for name, _ in _names(test, bare=False))
        self.image: dict[int, int | tuple[int, int] | bytes] = {}
        for item in test.init:
            if isinstance(item.location, Global) and item.value is not None:
                self._initialise(item, item.location, item.value)

    def _place(self, name: str, position: Position) -> None:
        self.addresses[name] = self._next
        size = self.cell_bytes(name) * self._counts.get(name, 1)
        self._next += max(-(-size // _LINE) * _LINE, _LINE)
        if self._next - _BASE > _LARGEST:
            problem = f"unsupported: the locations up to {quoted(name)} take too much memory"
            raise UnsupportedError(self._test.file, position, problem, [f"at most {_LARGEST} bytes"])

    @property
    def span(self) -> tuple[int, int]:
        """The address of the first location, and the address after the last."""
        return _BASE, self._next

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
        """Return the location whose address is `value`, spelt as herd7 prints it, or None."""
        if not _BASE <= value < self._next:
            return None
        at = bisect_right(self._bases, value) - 1
        name, (index, rest) = self._names[at], divmod(value - self._bases[at], self.cell_bytes(self._names[at]))
        if rest or index >= self._counts.get(name, 1):
            return None
        return f"{name}[{index}]" if index else name

    def resolve(self, value: Address | CodeLabel | InstructionWord) -> int:
        """Return a value of the condition as a number."""
        assert isinstance(value, Address)  # conditions with other values are refused
        return self.address(value)

    def number(self, value: Scalar, position: Position) -> int:
        """Return a value of the initial state as a number; raise UnsupportedError for the address of code."""
        if isinstance(value, int):
            return value
        if isinstance(value, Address):
            return self.address(value)
        problem = f"unsupported value {quoted(str(value))}"
        raise UnsupportedError(self._test.file, position, problem, ["a number", "an address"])

    def _initialise(self, item: InitItem, location: Global, value: Value) -> None:
        values = value if isinstance(value, tuple) else (value,)
        width = self.cell_bytes(location.name)
        for address, each in zip(self.cells(location), values, strict=False):
            number = self.number(each, item.position)
            self.image[address] = number & (1 << 8 * width) - 1, width


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
