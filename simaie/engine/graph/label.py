"""The events of an operation: worked out once for each node of the memo, since they depend on its history alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from simaie.dependence import STOPS
from simaie.engine.graph.attributes import ATOMICS, READS, THREADS, WRITES, is_instruction, set_order
from simaie.engine.graph.exclusive import link, may_store, pair_of
from simaie.engine.graph.layout import Layout, Piece
from simaie.engine.graph.reach import reaches
from simaie.engine.graph.rmw import dependencies_of_value, piece_of_value, stored_value
from simaie.engine.graph.world import check_section, opening
from simaie.engine.snapshot import Snapshot
from simaie.engine.tries import Try
from simaie.host.graph.event import Event, Past
from simaie.host.graph.model import Dependencies, Model
from simaie.host.graph.revisit import NOTHING
from simaie.host.loaded import Loaded, choices_of, data_of
from simaie.op import Kind, Op

__all__ = ["Label", "Write"]

class Write:
    """What a read-modify-write writes after it has read `old`: its events, if any, and what the operation returns."""

    __slots__ = ("events", "old", "result")

    def __init__(self, old: Any, events: tuple[Event, ...], result: Any) -> None:
        self.old, self.events, self.result = old, events, result


class Label:
    """What a graph needs to know of the next operation of a vCPU.

    Args:
        vcpu: The number of the vCPU, and `name` its name.
        number: The number of the operation.
        past: What the vCPU has done before; the label may complete it.
        op: The operation with plain numbers.
        raw: The operation with the numbers as the vCPU announced them.
        control: What the vCPU has branched on, by index.
        layout: The layout of events.
        model: The memory model.
        in_order: Whether every access of the vCPU is fully ordered, as those of a device.
        inside: Whether the vCPU has performed an operation of the guest instruction that it is in.

    Attributes:
        reads: The events that read, in the order of their pieces; empty if it does not read.
        stores: The events that write without reading first.
        fails: The event of a store-conditional that fails, of a choice, or of the beginning of a section; None for
            other operations.
        state: The state of the vCPU at a load-linked; None if it cannot be read, and for other operations.
        retries: Whether the vCPU tries a load-linked again although nothing has changed for it since the last try.
        wait: The wait for a change, which no read of the operation is, before which the vCPU makes no further round of
            a loop; None if it need not wait.
        tried: The last round if others may have noticed it; else None.
        written: The writes of a read-modify-write that were asked for, by what it reads.
        groups: By place of an operation that reads several, its pieces and the number of its first read.
    """

    def __init__(
        self,
        vcpu: int,
        name: str,
        number: int,
        past: Past,
        op: Op,
        raw: Op,
        control: int,
        layout: Layout,
        model: Model,
        *,
        in_order: bool,
        inside: bool,
    ) -> None:
        self.vcpu, self.name, self.number = vcpu, name, number
        self.past, self.op, self.raw = past, op, raw
        self.layout, self.model, self.in_order = layout, model, in_order
        self.control, self.status = control & ~past.status, control & past.status
        self.state: Snapshot | None = None
        self.retries = False
        self.wait: Op | None = None
        self.tried: Try | None = None
        self.written: dict[Any, Write] = {}
        self._where: Dependencies | None = None
        self.reads: tuple[Event, ...] = ()
        self.stores: tuple[Event, ...] = ()
        self.fails: Event | None = None
        self.groups: list[tuple[tuple[Piece, ...], int]] = []
        kind = op.kind
        self.inside = inside and kind is not Kind.BEGIN_EXCLUSIVE and not in_order
        self.group = -1 if in_order else past.group if self.inside else layout.index(number)
        check_section(self)
        if kind is Kind.LOAD_LINKED:
            layout.learn_links()
        if kind in READS:
            self.reads = self._reads()
        elif kind in WRITES:
            self.stores = self._stores()
        elif kind is Kind.CHOICE:
            self.fails = self._nowhere(layout.index(number))
        elif kind in STOPS:
            self.fails = opening(self)

    # -- the events -----------------------------------------------------------------------------------

    def _event(self, part: int, write: bool, place: Any, depends: Dependencies, pair: int = -1) -> Event:
        """Return an event with its order; `depends` still has the store-conditionals that order nothing."""
        past, op, kind = self.past, self.op, self.op.kind
        index = self.layout.index(self.number, part) + (write and kind in READS)
        event = Event(self.vcpu, index, self.layout.stride, writes=write, place=place)
        event.group, event.section = self.group, past.section
        set_order(event, op, self.model)
        event.pair = pair
        event.last_store = past.last_store.get(place)
        event.reads_before = past.reads.get(place, ())
        if self.model.depends_on_source:
            since = -1 if event.last_store is None else event.last_store.index
            event.reads_since = sum([1 << read.id for read in event.reads_before if read.index > since])
        status = (depends.address_choices | depends.value_choices) & past.status | self.status
        event.status = (status | past.stored.get(place, 0)) << event.base
        if status:
            depends = depends.without(past.status)
        full = self.in_order or kind in THREADS
        event.local = past.everything if full else self.model.order_of(past, event, depends)
        event.order = event.local << event.base | past.born
        if unsure := event.unsure | past.unsure_of(event.local & ~event.unsure):
            event.unsure = unsure << event.base
            event.order &= ~event.unsure
            self.layout.has_unsure = True
        event.data = depends.value
        event.choices = depends.value_choices | (1 << pair if pair >= 0 else 0)
        label = depends.address_choices | depends.value_choices | depends.control | past.decided
        event.label = (label | past.failed.get(place, 0)) << event.base | past.born
        return event

    def _reads(self) -> tuple[Event, ...]:
        found: list[Event] = []
        parts: tuple[Op, ...] = (self.op,) if self.op.kind is not Kind.AWAIT else self.op.places
        for part in parts:
            places = self._places(part)
            self.groups.append((places, len(found)))
            for place in places:
                found.append(self._event(len(found), False, place, self._address()))
        if self.op.kind in ATOMICS:
            for event in found:
                event.function = self._function(event, alone=len(found) == 1)
        self._join(found)
        return tuple(found)

    def _stores(self) -> tuple[Event, ...]:
        op = self.op
        conditional = op.kind is Kind.STORE_CONDITIONAL
        if conditional and not may_store(self.past, op):
            return ()
        found = []
        for number, place in enumerate(self._places(op)):
            pair = pair_of(self.past, place) if conditional else -1
            event = self._event(number, True, place, self._stored(), pair)
            event.value = self._part_of(op.value, place)
            found.append(event)
        if op.kind is Kind.UNLOCK and found[0].last_store is not None:
            found[0].taken = found[0].last_store.id
        self._join(found)
        if conditional:
            link(self.past, op, found, self.layout)
            self.fails = self._nowhere(found[0].index)
        return tuple(found)

    def _nowhere(self, index: int) -> Event:
        """Return an event that accesses no place: of a store-conditional that fails, or of a choice."""
        event = Event(self.vcpu, index, self.layout.stride, writes=False, place=None)
        event.choice, event.group, event.section = 0, self.group, self.past.section
        event.label = (self.control | self.past.decided) << event.base | self.past.born
        event.status = self.status << event.base
        return event

    def chosen(self, value: int) -> Event:
        """Return the event of a local choice that has this value."""
        event = self._nowhere(self.layout.index(self.number))
        event.choice = value
        return event

    def _join(self, events: list[Event]) -> None:
        if len(events) > 1 and len(self.groups) <= 1:
            siblings = tuple([event.id for event in events])
            together = failed = stored = 0
            for event in events:
                together |= self.past.to_place.get(event.place, 0)
                failed |= self.past.failed.get(event.place, 0)
                stored |= self.past.stored.get(event.place, 0)
            for event in events:
                event.siblings = siblings
                if event.writes:
                    event.local |= together
                    event.order |= together << event.base
                    event.label |= failed << event.base  # what is ordered if it stores is kept if it fails
                    event.status |= stored << event.base

    def _places(self, op: Op) -> tuple[Any, ...]:
        kind = op.kind
        if kind is Kind.SPAWN:
            return (("start", self.vcpu, self.number),)
        if kind is Kind.EXIT:
            return (("end", self.name),)
        if kind is Kind.JOIN:
            return (("end", op.value.name),)
        if op.cell is not None:
            return (op.cell,)
        return self.layout.pieces(op.address, op.width)

    def _part_of(self, value: Any, place: Any) -> Any:
        op = self.op
        if op.kind is Kind.UNLOCK:
            return None
        if op.kind is Kind.SPAWN or op.kind is Kind.EXIT:
            return True
        return self.layout.value_of(place, op.address, op.width, value) if op.cell is None else value

    # -- its dependencies ---------------------------------------------------------------------------

    def _address(self) -> Dependencies:
        if self._where is None:
            self._where = self._address_dependencies()
        return self._where

    def _address_dependencies(self) -> Dependencies:
        data, choices = data_of(self.raw.address), choices_of(self.raw.address)
        if self.op.cell is not None:
            for owner, loads in self.past.reached:
                if loads & ~data and self._reaches(owner, self.op.cell):
                    data |= loads
        found = Dependencies(data, choices | data, control=self.control)
        if self.model.one_operation and is_instruction(self.op, self.model):  # all of it waits for its operand
            value, value_choices = dependencies_of_value(self.raw, Loaded(0, 0))
            found.address_choices |= value_choices | value
        return found

    def _reaches(self, owner: Any, cell: Any) -> bool:
        key = id(owner), id(cell)  # both are kept alive, by the pasts and operations that hold them
        known = self.layout.reached.get(key)
        if known is None:
            known = self.layout.reached[key] = reaches(owner, cell)
        return known

    def _stored(self) -> Dependencies:
        address = self._address()
        value = self.raw.value if self.op.kind in (Kind.STORE, Kind.STORE_CONDITIONAL) else None
        return Dependencies(
            address.address, address.address_choices, data_of(value), choices_of(value), control=self.control
        )

    # -- read-modify-writes -------------------------------------------------------------------------

    def _function(self, read: Event, *, alone: bool) -> Callable[[Any], Any]:
        """Return a function of what `read` returns. Its result is `NOTHING` if the operation then does not write."""
        op = self.op
        if alone:
            return functools.partial(stored_value, op)
        expected = self._part_of(op.expected, read.place) if op.kind is Kind.CAS else 0
        return functools.partial(piece_of_value, op, expected)

    def write(self, old: Any) -> Write:
        """Return what a read-modify-write that has read `old` writes."""
        key = (type(old), old) if type(old) in (int, bool, type(None)) else id(old)
        known = self.written.get(key)
        if known is None:
            known = self.written[key] = self._write(old)
        return known

    def _write(self, old: Any) -> Write:
        op, kind = self.op, self.op.kind
        result = None if kind is Kind.LOCK else old
        if kind is Kind.UPDATE:
            assert op.function is not None
            new, result = op.function.apply(old)
        else:
            new = stored_value(self.op, old)
            if new is NOTHING:
                return Write(old, (), result)
        bits = sum(1 << read.index for read in self.reads)
        data, choices = dependencies_of_value(self.raw, Loaded(old, bits, bits))
        address = self._address()
        depends = Dependencies(address.address, address.address_choices, data, choices, control=self.control)
        events = self._after_reads(depends)
        for event in events:
            event.value = self._part_of(new, event.place)
        return Write(old, events, result)

    def _after_reads(self, depends: Dependencies) -> tuple[Event, ...]:
        """Return the write events, whose past includes the reads."""
        before, pairs = self.past, self.op.kind in ATOMICS
        self.past = before.copy()
        for read in self.reads:
            self.model.add(self.past, read, self.address_of(read))
        try:
            found = [
                self._event(number, True, read.place, depends, read.index if pairs else -1)
                for number, read in enumerate(self.reads)
            ]
            self._join(found)
        finally:
            self.past = before
        return tuple(found)

    def address_of(self, event: Event) -> Dependencies:
        """Return the dependencies of the address of an event, as later events see them."""
        found = self._address()
        return found.without(self.past.status) if self.past.status else found
