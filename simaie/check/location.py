"""The location of one instruction, as the instruction's own operations saw it and left it.

Operations have physical addresses, an instruction has a virtual one. A page is mapped as a whole, so the offset of a
byte in its page identifies the byte of the instruction; its frame is checked against all frames that the page table
ever had for the page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from simaie.dependence import writes
from simaie.host.pages import PAGE_SIZE, entry_set_by
from simaie.host.ram import Endian
from simaie.op import Kind, Op, is_device
from simaie.trace import Event, Instruction, Trace

__all__ = ["Identity", "Location", "LocationAccess", "Mapping"]

_HALF = PAGE_SIZE // 2
_READING = frozenset({Kind.LOAD, Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.AWAIT})


class Mapping:
    """The frames that a page may have been in, at some time of an execution."""

    def __init__(self, trace: Trace) -> None:
        self.endian = trace.endian
        self._trace = trace

    @cached_property
    def _set(self) -> dict[int, set[int]]:
        """The frames that the guest put into the page table, by page number."""
        found: dict[int, set[int]] = {}
        for event in self._trace.events:
            entry = entry_set_by(event.op)
            if entry is not None:
                found.setdefault(entry[0], set()).add(entry[1])
        return found

    def may_be(self, virtual: int, physical: int) -> bool:
        """Whether the byte at `virtual` may be the one at `physical`.

        Args:
            virtual: Guest-virtual address of a byte.
            physical: Physical address of a byte.
        """
        number, frame = virtual // PAGE_SIZE, physical - virtual % PAGE_SIZE
        return frame == self._trace.frames.get(number, number * PAGE_SIZE) or frame in self._set.get(number, ())


class Identity:
    """The mapping of every page to itself."""

    def __init__(self, endian: Endian) -> None:
        self.endian = endian

    def may_be(self, virtual: int, physical: int) -> bool:
        """Whether the byte at `virtual` is the one at `physical`."""
        return virtual == physical


class LocationAccess(msgspec.Struct, frozen=True, gc=False):
    """An operation that touches the location.

    Attributes:
        event: The event of the operation.
        address: Physical address of the operation.
        offset: Distance of its first byte from that of the location, in bytes.
        width: Width of the operation in bytes.
        read: The value read; None if it does not read.
        written: The value written; None if it does not write.
        mapped: Whether all its bytes are where the page table maps them.
    """

    event: Event
    address: int
    offset: int
    width: int
    read: int | None
    written: int | None
    mapped: bool


class PartValues(dict[int, int]):
    """Offset -> value of the location's part there; as text, the number that the parts form together."""

    def __init__(self, width: int, part: int, endian: Endian) -> None:
        super().__init__()
        self._width, self._part, self._endian = width, part, endian

    def __str__(self) -> str:
        inside = sorted(at for at in self if 0 <= at < self._width)
        if len(inside) * self._part < self._width:
            return f"{len(inside) * self._part or 'none'} of its {self._width} bytes"
        data = b"".join(self[at].to_bytes(self._part, self._endian) for at in inside)
        return f"{int.from_bytes(data, self._endian):#x}"


class Location:
    """The values that the operations of one instruction read and wrote, part by part.

    All parts have one size, the largest that divides every operation.

    Attributes:
        width: Width of the location in bytes.
        accesses: The operations, in order.
        read: By part, the value last read.
        left: By part, the value last written.
    """

    def __init__(self, mapping: Mapping | Identity, instruction: Instruction, events: Sequence[Event]) -> None:
        self._mapping, self._instruction = mapping, instruction
        self.width = width = instruction.width
        self.mask = (1 << 8 * width) - 1
        self.accesses: list[LocationAccess] = []
        for event in events:
            if event.actor == instruction.vcpu:  # not the drain of a store, which counts since it was buffered
                self.accesses += self._accesses(event)
        part = min((access.width for access in self.accesses), default=width)
        even = all(a.mapped and a.offset % part == 0 == a.width % part for a in self.accesses) and width % part == 0
        self._part = part if even else 1
        self.read, self.left, self._before = (PartValues(width, self._part, mapping.endian) for _ in range(3))
        self._seen: dict[int, set[int]] = {}
        for access in self.accesses:
            self._note(access)

    def parts(self, value: int) -> Iterator[tuple[int, int]]:
        """Return the parts of `value`, each with its offset."""
        return self._split(value & self.mask, 0, self.width)

    def readable(self, at: int) -> Collection[int]:
        """Return the values that the result may have at `at`: the value under the last write, or any value read."""
        if at in self.left:
            return (self._before[at],) if at in self._before else ()
        return self._seen.get(at, ())

    def changed(self, *, outside: bool = False) -> bool:
        """Whether a part was changed from the value read there; with `outside`, a part outside the location."""
        return any(
            self._before.get(at) != value for at, value in self.left.items() if (0 <= at < self.width) is not outside
        )

    def _accesses(self, event: Event) -> Iterator[LocationAccess]:
        op, value = event.op, event.value
        if op.kind is Kind.BUFFER:
            op = op.value
        elif op.kind is Kind.AWAIT and op.value is not None:
            for place, seen in zip(op.places, value, strict=True):
                yield from self._access(event, place, seen)
            return
        yield from self._access(event, op, value)

    def _access(self, event: Event, op: Op, value: Any) -> Iterator[LocationAccess]:
        if not op.width:
            return
        first = self._instruction.address
        offset = (op.address - first + _HALF) % PAGE_SIZE - _HALF
        if not -op.width < offset < self.width:
            return
        read = value if op.kind in _READING else None
        written = None
        if writes(op, value):
            written = op.value if op.function is None else op.function.apply(value)
        ends = (0, op.width - 1)
        mapped = all(self._is_mapped(offset + byte, op.address + byte) for byte in ends)
        yield LocationAccess(event, op.address, offset, op.width, read, written, mapped)

    def _is_mapped(self, offset: int, physical: int) -> bool:
        virtual = self._instruction.address + offset
        if is_device(self._instruction.vcpu):
            return virtual == physical
        return self._mapping.may_be(virtual, physical)

    def _note(self, access: LocationAccess) -> None:
        if access.read is not None:
            for at, part in self._parts_of(access, access.read):
                if self.left.get(at) != part:  # otherwise it sees what the instruction itself wrote, e.g. a mark
                    self.read[at] = part
                self._seen.setdefault(at, set()).add(part)
        if access.written is not None:
            for at, part in self._parts_of(access, access.written):
                self.left[at] = part
                if at in self.read:
                    self._before[at] = self.read[at]

    def _parts_of(self, access: LocationAccess, value: int) -> Iterator[tuple[int, int]]:
        parts = self._split(value & (1 << 8 * access.width) - 1, access.offset, access.width)
        if access.mapped:
            return parts
        shift = access.address - access.offset
        return ((at, part) for at, part in parts if self._is_mapped(at, at + shift))

    def _split(self, value: int, offset: int, width: int) -> Iterator[tuple[int, int]]:
        part, endian = self._part, self._mapping.endian
        if part == width:
            return iter(((offset, value),))
        data = value.to_bytes(width, endian)
        return ((offset + i, int.from_bytes(data[i : i + part], endian)) for i in range(0, width, part))
