"""Events of execution graphs, and what their vCPU has done before them.

Sets of events are masks, as integers. Within a vCPU, the *index* of an event is twice the number of its operation, plus
1 for the write of an operation that both reads and writes. It is no count of events, so that nothing moves when a
compare-and-swap comes to fail. In a graph, an event has an *id*: the index plus `stride` times the number of its vCPU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["INITIAL", "Event", "Past", "members"]

#: The store of the initial value of each place, in place of an id.
INITIAL = -1


class Event:
    """One read or write of one place, or a local choice. It does not change once it is in a graph.

    Attributes:
        vcpu: The number of its vCPU; `index`, `id` and `base` (the id of index 0) place it. `stride`: see the module.
        writes: Whether it is a write.
        place: What it accesses; None for a choice.
        value: What a write stores; `choice` is the result of a choice or store-conditional, -1 for other events.
        acquire: Whether later events wait for it; `acquire_pc` if it may overtake an earlier release, as LDAPR.
        release: Whether it waits for earlier events.
        total: Whether it is a load that may not overtake an earlier release, as LDAR.
        consistent: Whether it is ordered with other such events of its vCPU (RCsc of RISC-V).
        drops: Whether what it reads goes to no register.
        atomic: Whether it is part of a single atomic instruction.
        pair: The index of the read with which this write forms an atomic pair; -1 if it has none.
        function: What the write of its operation stores, by what this read returns; None if the operation is no
            read-modify-write, and the function returns `NOTHING` if it would not write.
        local: The events of its vCPU that are locally ordered before it, by index.
        order: The same by id, with the SPAWN that started its vCPU, but without the following.
        unsure: Those that are ordered before it only because a compare-and-swap wrote. Its read is not, so that another
            store may feed that, and let it fail.
        label: The events of its vCPU on which its place, its value or its being depends, by id.
        status: The store-conditionals, by id, of whose results it depends, though they do not order it.
        picks: The events on which it depends by choice, by index.
        carried: Of a write, the events on which its address or value depends by data, by index.
        data: Of a write, the events on which its value depends by data; `choices` by data or choice. By index.
        last_store: The last earlier store of its vCPU to its place, or None.
        reads_before: The earlier reads of its vCPU of its place.
        reads_since: Those since `last_store`, as a mask of ids, if the order depends on what they read; else 0.
        siblings: The ids of the events of the same access, if accesses of several sizes make it several; else None.
        watched: Of the write of a store-conditional to other bytes than those of its load-linked, the ids of the reads
            of the load-linked whose bytes it needs untouched.
        claims: Whether it is such a write, of bytes that it needs untouched although the load-linked did not read them.
        taken: Of the release of a mutex, the id of the write that took it; else -1.
        group: The index of the first operation of its guest instruction, or of the part of it since the world was
            stopped; -1 for devices, for which the world does not stop.
        section: The index of the event with which its section begins, in which the world is stopped; -1 if it is in
            none. The value of that event is whether the section is indivisible.
    """

    __slots__ = (
        "acquire", "acquire_pc", "atomic", "base", "carried", "choice", "choices", "claims", "consistent", "data",
        "drops", "function", "group", "id", "index", "label", "last_store", "local", "order", "pair", "picks", "place",
        "reads_before", "reads_since", "release", "section", "siblings", "status", "stride", "taken", "total", "unsure",
        "value", "vcpu", "watched", "writes",
    )  # fmt: skip

    def __init__(self, vcpu: int, index: int, stride: int, *, writes: bool, place: Hashable) -> None:
        self.vcpu, self.index, self.stride, self.base = vcpu, index, stride, vcpu * stride
        self.id = self.base + index
        self.writes, self.place = writes, place
        self.value: Any = None
        self.choice = self.pair = self.taken = self.group = self.section = -1
        self.acquire = self.acquire_pc = self.release = self.consistent = self.drops = self.atomic = False
        self.total = self.claims = False
        self.function: Callable[[Any], Any] | None = None
        self.local = self.order = self.label = self.status = self.picks = self.carried = self.data = self.choices = 0
        self.reads_since = self.unsure = 0
        self.last_store: Event | None = None
        self.reads_before: tuple[Event, ...] = ()
        self.siblings: tuple[int, ...] | None = None
        self.watched: tuple[int, ...] = ()

    def __repr__(self) -> str:
        what = "write" if self.writes else "read" if self.place is not None else "choice"
        return f"<{what} {self.index} of vCPU {self.vcpu} at {self.place}>"

    def without(self, ids: int) -> Event:
        """Return a copy that is not ordered behind the events `ids`."""
        copy = Event.__new__(Event)
        for name in Event.__slots__:
            setattr(copy, name, getattr(self, name))
        copy.order &= ~ids
        return copy


class Past:
    """What a vCPU has done before an event, as far as the local order of later events depends on it. Masks by index.

    Attributes:
        everything: All events; `loads` and `stores` of these.
        full: What every later event is ordered behind.
        before_loads: What later loads are ordered behind; `before_stores` likewise.
        consistent: The events that are ordered with each other (RCsc of RISC-V).
        releases: The store-releases.
        pairs: The reads of atomic instructions that wrote.
        compares: The reads of compare-and-swaps, which wrote or failed.
        addresses: The events on which an address of an earlier access depends.
        to_place: The events by place.
        last_store: The last store by place.
        reads: The reads by place.
        failed: The store-conditionals that failed, by place; `stored`: those that did not.
        events: The events by index.
        status: The store-conditionals, by index: their results order nothing on some hosts, but decide what follows.
        decided: The local choices, and what else decides all that follows.
        reached: The objects that were loaded as pointers, each with the loads that it came from.
        linked: The reads of the last load-linked that no store-conditional has used yet; empty if there is none.
        reserved: The address and width in bytes of what it reserved.
        children: The number of vCPUs that it has spawned.
        group: The index of the first operation of the guest instruction that it is in, or was in last.
        section: The index of the event with which the section began that it is in; -1 if it is in none.
        born: The events of other vCPUs, by id, behind which the whole vCPU is ordered: the SPAWN that started it.
    """

    __slots__ = (
        "addresses", "before_loads", "before_stores", "born", "children", "compares", "consistent", "decided", "events",
        "everything", "failed", "full", "group", "last_store", "linked", "loads", "pairs", "reached", "reads",
        "releases", "reserved", "section", "status", "stored", "stores", "to_place",
    )  # fmt: skip

    def __init__(self) -> None:
        self.everything = self.loads = self.stores = self.full = self.before_loads = self.before_stores = 0
        self.consistent = self.releases = self.pairs = self.addresses = self.status = self.decided = self.born = 0
        self.children = self.group = self.compares = 0
        self.section = -1
        self.to_place: dict[Hashable, int] = {}
        self.last_store: dict[Hashable, Event] = {}
        self.reads: dict[Hashable, tuple[Event, ...]] = {}
        self.failed: dict[Hashable, int] = {}
        self.stored: dict[Hashable, int] = {}
        self.events: dict[int, Event] = {}
        self.reached: tuple[tuple[Any, int], ...] = ()
        self.linked: tuple[Event, ...] = ()
        self.reserved = 0, 0

    def copy(self) -> Past:
        """Return a copy, which may be changed."""
        made = Past.__new__(Past)
        made.everything, made.loads, made.stores, made.full = self.everything, self.loads, self.stores, self.full
        made.before_loads, made.before_stores = self.before_loads, self.before_stores
        made.consistent, made.releases, made.pairs = self.consistent, self.releases, self.pairs
        made.compares = self.compares
        made.addresses, made.status, made.decided, made.born = self.addresses, self.status, self.decided, self.born
        made.children, made.reached, made.linked = self.children, self.reached, self.linked
        made.group, made.section, made.reserved = self.group, self.section, self.reserved
        made.to_place, made.last_store, made.reads = self.to_place.copy(), self.last_store.copy(), self.reads.copy()
        made.failed, made.stored, made.events = self.failed.copy(), self.stored.copy(), self.events.copy()
        return made

    def unsure_of(self, order: int) -> int:
        """Return the writes of compare-and-swaps that are in an order of which their reads are no part, by index."""
        return (order >> 1 & self.compares & ~order) << 1

    def add(self, event: Event) -> None:
        """Note an event, as far as every memory model does."""
        bit = 1 << event.index
        place = event.place
        self.events[event.index] = event
        self.everything |= bit
        self.to_place[place] = self.to_place.get(place, 0) | bit
        if event.writes:
            self.stores |= bit
            self.last_store[place] = event
        else:
            self.loads |= bit
            self.reads[place] = (*self.reads.get(place, ()), event)


def members(mask: int) -> list[int]:
    """Return the numbers of the bits that are set in `mask`, in order."""
    found = []
    while mask:
        low = mask & -mask
        mask ^= low
        found.append(low.bit_length() - 1)
    return found
