"""Guest RAM during an execution: bytes, shown in the units in which they are accessed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simaie.check.evidence import read, written
from simaie.dependence import blocks, share_byte
from simaie.op import Kind, Op
from simaie.show.format import format_value
from simaie.show.picture.subject import Subject
from simaie.trace import Event

__all__ = ["Memory", "accesses_of"]


class Memory:
    """The bytes of guest RAM, from the first step on.

    Attributes:
        units: (address, width) of every access and of the program's initial values, sorted.
    """

    def __init__(self, subject: Subject) -> None:
        self._endian = subject.endian
        self._bytes: dict[int, int] = {}
        units: dict[tuple[int, int], None] = {}
        if subject.program is not None:
            for address, width, value in subject.program.image:
                self._put(address, width, value)
        for event in subject.trace.events:
            for op in accesses_of(event.op):
                units.setdefault((op.address, op.width))
            if event.reads_ram and event.op.kind is not Kind.AWAIT:
                for byte, value in read(event, self._endian):
                    self._bytes.setdefault(byte, value)
            if event.writes_ram:
                for byte, _ in written(event, self._endian):
                    self._bytes.setdefault(byte, 0)  # written before it was read; RAM is 0 at first
        for address, width in self._untouched(subject, units):
            units.setdefault((address, width))
        self.units = sorted(units)
        self._of_block: dict[int, list[tuple[int, int]]] = {}
        for address, width in self.units:
            for block in blocks(address, width):
                self._of_block.setdefault(block, []).append((address, width))

    def _untouched(self, subject: Subject, units: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return (address, width) of the initial numbers that no access touches."""
        touched = {byte for address, width in units for byte in range(address, address + width)}
        image = () if subject.program is None else subject.program.image
        return [(a, w) for a, w, value in image if isinstance(value, int) and touched.isdisjoint(range(a, a + w))]

    def _put(self, address: int, width: int, value: int | bytes) -> None:
        data = value if isinstance(value, bytes) else (value % (1 << 8 * width)).to_bytes(width, self._endian)
        self._bytes.update(enumerate(data, address))

    def write(self, event: Event) -> list[tuple[int, int]]:
        """Carry out a write and return the units that it touches."""
        low, size = event.op.address, event.op.width
        self._bytes.update(written(event, self._endian))
        touched: dict[tuple[int, int], None] = {}
        for block in blocks(low, size):
            for address, width in self._of_block.get(block, ()):
                if share_byte(address, width, low, size):
                    touched.setdefault((address, width))
        return list(touched)

    def show(self, address: int, width: int) -> str:
        """Return the value of a unit as text."""
        data = bytes(self._bytes.get(byte, 0) for byte in range(address, address + width))
        return format_value(int.from_bytes(data, self._endian))


def accesses_of(op: Op) -> Iterator[Op]:
    """Yield the single accesses to RAM that an operation makes, or that a buffered store will make."""
    for part in (op.value,) if op.kind is Kind.BUFFER else op.places:
        if part.width:
            yield part
