"""The value of every place after every step: memory, locks, reservations, store buffers and cells of the emulator.

The values are kept as changes, because a step changes few places. A change contains the old and the new value, so that
a reader can step back as well as forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from simaie.dependence import READS, STOPS, STOPS_WORLD
from simaie.op import Cell, Kind, Role, buffer_name
from simaie.show.format import clean, format_value, is_drain
from simaie.show.picture.memory import Memory, accesses_of
from simaie.show.picture.subject import Subject
from simaie.show.trace_table import title
from simaie.trace import Event

__all__ = ["Change", "Group", "Place", "StateHistory"]

UNKNOWN = "?"
_FREE = "free"
_EMPTY = "empty"


class Group(StrEnum):
    """A kind of place."""

    MEMORY = "memory"
    TREE = "radix tree"
    LOCK = "locks"
    SET = "reservations"
    BUFFER = "store buffers"
    CELL = "emulator"


class Place(NamedTuple):
    """A place that holds a value, with its name for readers and its value before the first step."""

    group: Group
    name: str
    before: str


class Change(NamedTuple):
    """A change: place number `place` held `old` and now holds `new`."""

    place: int
    old: str
    new: str


class StateHistory:
    """The places that an execution touches and how each step changes them.

    Attributes:
        places: The places, in the order of their first use.
        changes: The changes of each step.
        touched: The numbers of the places that each step accesses, whether or not it changes them.
    """

    def __init__(self, subject: Subject) -> None:
        self.places: list[Place] = []
        self.changes: list[tuple[Change, ...]] = []
        self.touched: list[tuple[int, ...]] = []
        self._subject = subject
        self._events = subject.trace.events
        self._values: list[str] = []  # by number, after the steps so far
        self._numbers: dict[Any, int] = {}
        self._cells: dict[Cell, Any] = {}
        self._buffers: dict[str, list[str]] = {}
        self._memory = Memory(subject)
        for address, width in self._memory.units:
            self._add((address, width), Group.MEMORY, f"[{address:#x}]/{width}", self._memory.show(address, width))
        for event in self._events:
            self.changes.append(tuple(self._changes(event)))
            self.touched.append(tuple(self._touched(event)))

    def _add(self, key: Any, group: Group, name: str, value: str) -> int:
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.places)
            self.places.append(Place(group, clean(name), value))
            self._values.append(value)
        return number

    def _set(self, number: int, value: str) -> Iterator[Change]:
        old = self._values[number]
        if value != old:
            self._values[number] = value
            yield Change(number, old, value)

    def _changes(self, event: Event) -> Iterator[Change]:
        op = event.op
        if op.kind is Kind.LOCK or op.kind is Kind.UNLOCK:
            number = self._add(op.cell, Group.LOCK, op.location, _FREE)
            yield from self._set(number, title(event.actor) if op.kind is Kind.LOCK else _FREE)
        elif op.kind in STOPS_WORLD:
            number = self._add("world", Group.LOCK, "the world", "runs")
            stopped = op.kind in STOPS
            yield from self._set(number, f"stopped by {title(event.actor)}" if stopped else "runs")
        elif op.kind is Kind.BUFFER:
            entering = f"{op.location} := {format_value(op.value.value)}"
            yield from self._buffer(buffer_name(event.actor, op.buffer), entering)
        elif op.cell is not None:
            yield from self._cell(op.cell, event)
        if is_drain(event):
            yield from self._buffer(event.actor, None)
        if event.writes_ram:
            for address, width in self._memory.write(event):
                yield from self._set(self._numbers[address, width], self._memory.show(address, width))

    def _touched(self, event: Event) -> Iterator[int]:
        """Yield the numbers of the places that a step accesses."""
        for op in accesses_of(event.op):
            yield self._numbers[op.address, op.width]
        if event.op.cell is not None:
            yield self._numbers[event.op.cell]
            if event.op.cell.guard in self._numbers:
                yield self._numbers[event.op.cell.guard]

    def _buffer(self, name: str, entering: str | None) -> Iterator[Change]:
        held = self._buffers.setdefault(name, [])
        number = self._add(("buffer", name), Group.BUFFER, f"buffer {name}", _EMPTY)
        if entering is not None:
            held.append(entering)
        elif held:
            held.pop(0)
        yield from self._set(number, ", ".join(held) or _EMPTY)

    def _cell(self, cell: Cell, event: Event) -> Iterator[Change]:
        if cell not in self._cells:
            self._cells[cell] = _before(event)
            self._add(cell, _group(cell), cell.name, _shown(cell, self._cells[cell]))
        self._cells[cell] = _after(event, self._cells[cell])
        yield from self._set(self._numbers[cell], _shown(cell, self._cells[cell]))


def _group(cell: Cell) -> Group:
    return {Role.RESERVATIONS: Group.SET, Role.SLOT: Group.TREE}.get(cell.role, Group.CELL)


class _Unknown:
    """A value that the trace does not contain."""


def _shown(cell: Cell, value: Any) -> str:
    if isinstance(value, _Unknown):
        return UNKNOWN
    if cell.role is Role.BITMAP and isinstance(value, int):
        return f"{value:#x}"
    return _EMPTY if value == () else format_value(value)


def _before(event: Event) -> Any:
    """Return what the cell of `event` held before it, the first access to the cell."""
    if event.op.kind in READS:
        return event.value
    # A set of reservations is empty at first; the value of any other cell before its first write is unknown.
    return () if event.op.cell is not None and event.op.cell.role is Role.RESERVATIONS else _Unknown()


def _after(event: Event, value: Any) -> Any:
    op = event.op
    if not event.wrote:
        return value if event.op.kind is Kind.CAS or event.value is None else event.value
    if op.function is None:
        return op.value
    try:
        made = op.function.apply(event.value if op.kind is Kind.FETCH else value)
        return made[0] if op.kind is Kind.UPDATE else made
    except Exception:  # a function of the scheme, called with less than it may need
        return _Unknown()
