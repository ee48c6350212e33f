"""Where the locations of a test lie in memory, what they hold at first, and which value is whose address.

Every location has 64-byte lines of its own, the cells of an array are contiguous. All addresses are below 2^31, so that
they are the same number in a register of 32 bits, signed or not, and where no test's data will meet them.
"""

from __future__ import annotations

from collections.abc import Iterator

from simaie.guest.litmus.errors import quoted
from simaie.guest.litmus.instruction import Memory, Symbol
from simaie.guest.litmus.location import Address, Global, Location, RegisterOf, Scalar, SymbolicName, Value
from simaie.guest.litmus.model import InitItem, LitmusTest
from simaie.guest.litmus.proposition import Atom, atoms
from simaie.guest.litmus.source import Position
from simaie.guest.litmus.widths import widths

from .errors import UnsupportedError

__all__ = ["Layout"]

_BASE = 0x5A5A_0000
_LINE = 64
_WIDTHS = (8, 16, 32, 64)


class Layout:
    """addresses: of each location, in bytes. image: address -> (value, width in bytes), as `Program` takes it."""

    def __init__(self, test: LitmusTest) -> None:
        self._test = test
        self._width_of = widths(test)
        self._counts = {
            item.location.key: item.type.count for item in test.init if item.type is not None and item.type.count
        }
        self.addresses: dict[str, int] = {}
        self._next = _BASE
        for name in _names(test):
            if name not in self.addresses:
                self.addresses[name] = self._next
                size = self.cell_bytes(name) * self._counts.get(name, 1)
                self._next += max(-(-size // _LINE) * _LINE, _LINE)
        self._named = {address: name for name, address in self.addresses.items()}
        for name, count in self._counts.items():
            cells = {self.address(Address(name, i)): f"{name}[{i}]" for i in range(1, count)}
            self._named.update(cells)
        self.image: dict[int, int | tuple[int, int] | bytes] = {}
        for item in test.init:
            if isinstance(item.location, Global) and item.value is not None:
                self._initialise(item, item.location, item.value)

    @property
    def span(self) -> tuple[int, int]:
        """The address of the first location, and the one behind the last."""
        return _BASE, self._next

    def cell_bytes(self, name: str) -> int:
        """The width of a location, or of a cell of an array, in bytes."""
        return self._width_of(name) // 8

    def cells(self, location: Global) -> list[int]:
        """The addresses of a location's cells: one, or all those of an array."""
        if location.index is not None:
            return [self.address(Address(location.name, location.index))]
        base, step = self.addresses[location.name], self.cell_bytes(location.name)
        return [base + i * step for i in range(self._counts.get(location.name, 1))]

    def is_array(self, location: Global) -> bool:
        """Whether a location is a whole array."""
        return location.index is None and location.name in self._counts

    def address(self, of: Address) -> int:
        """The number that an address is."""
        return self.addresses[of.name] + of.index * self.cell_bytes(of.name)

    def name_of(self, value: int) -> str | None:
        """The location whose address a value is, spelt as herd7 prints it, if it is one."""
        return self._named.get(value)

    def number(self, value: Scalar, position: Position) -> int:
        """A value of the initial state as a number; the address of code is none that could be run."""
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


def _names(test: LitmusTest) -> Iterator[str]:
    """Every location of memory that the test mentions, in the order of the text."""
    for item in test.init:
        yield from _of(item.location)
        for value in item.value if isinstance(item.value, tuple) else (item.value,):
            if isinstance(value, Address):
                yield value.name
    for thread in test.threads:
        for statement in thread.statements:
            for operand in statement.instruction.operands if statement.instruction else ():
                named = operand.base if isinstance(operand, Memory) else operand
                if isinstance(named, Symbol):
                    yield named.name
    for observed in test.locations:
        yield from _of(observed.location)
    for prop in (test.filter, test.condition.prop):
        for atom in atoms(prop) if prop is not None else ():
            if not isinstance(atom, Atom):
                yield from (*_of(atom.left), *_of(atom.right))
                continue
            yield from _of(atom.location)
            for value in atom.value if isinstance(atom.value, tuple) else (atom.value,):
                if isinstance(value, Address):
                    yield value.name


def _of(location: Location) -> tuple[str, ...]:
    match location:
        case Global(name):
            return (name,)
        case RegisterOf() | SymbolicName():
            return ()
