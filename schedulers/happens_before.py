"""Happens-before of one execution, as bit masks, kept up to date while a search changes the end of the execution.

Event i is bit i. The past of an event is one integer: itself and all that happens before it. Python's integers are
vectors that are joined, cut and searched by single operations, so for executions of up to some thousands of events
this beats vector clocks: to find the races of an event take the earlier events that conflict with it, drop the past
of the actor's previous event, and peel off the latest one, and its past, until nothing is left. Each that is peeled
off is an immediate predecessor, and (if the two can be swapped) a race in the sense of Abdulla, Aronis, Jonsson and
Sagonas ("Source sets: a foundation for optimal dynamic partial order reduction", JACM 64(4), 2017).

Only the events that are new since the last execution are looked at: a depth-first search changes little.

Which pairs may be swapped, where an operation can be disabled (JACM section 7 treats locks; the rest is ours):

* an UNLOCK never swaps with the LOCK that waits for it; the two LOCKs do;
* an AWAIT may go before any earlier write, provided that it is enabled there, which is asked later;
* a JOIN never goes before the exit that it waits for;
* nobody but a device moves into a stopped world, only before the world was stopped; and the world is stopped only
  before the first operation of an instruction of somebody else.
"""

from __future__ import annotations

from schedulers.locations import LOCAL, WORLD, Locations
from simaie.op import Kind, Op, writes
from simaie.trace import Event, Instruction

__all__ = ["HappensBefore"]

_UNSURE = (Kind.CAS, Kind.STORE_CONDITIONAL)  # whether these write shows in their value
_WRITES = [kind not in _UNSURE and writes(Op(kind), None) for kind in Kind]
_SPECIAL = [kind in _UNSURE or kind >= Kind.LOCK or kind is Kind.CHOICE for kind in Kind]


class HappensBefore:
    """The partial order of the current execution; all lists are indexed by event, all masks have a bit an event.

    past: itself and what happens before it. edges: immediate predecessors. previous: the actor's own one, or -1.
    races: (earlier, later), by `later`; whether a blocking `later` would be enabled before `earlier` remains to be
    asked. actors: who took part, with the mask of its events. reads, writes: by place. world: the stop-the-world
    events.
    """

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.events: list[Event] = []
        self.past: list[int] = []
        self.edges: list[list[int]] = []
        self.previous: list[int] = []
        self.place: list[int] = []
        self.wrote: list[bool] = []
        self.races: list[tuple[int, int]] = []
        self.actors: dict[str, int] = {}
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.world = 0
        self.unstoppable: set[str] = set()  # devices: they go on in a stopped world
        self.spawned: dict[str, int] = {}

    def rewind(self, length: int) -> None:
        """Forget the events from index `length` on."""
        kept = (1 << length) - 1
        for column in (self.past, self.edges, self.previous, self.place, self.wrote):
            del column[length:]
        races = self.races
        while races and races[-1][1] >= length:
            races.pop()
        self.actors = {actor: mask & kept for actor, mask in self.actors.items() if mask & kept}
        self.reads = [mask & kept for mask in self.reads]
        self.writes = [mask & kept for mask in self.writes]
        self.world &= kept
        self.spawned = {child: at for child, at in self.spawned.items() if at < length}

    def extend(self, events: list[Event]) -> None:
        """Take in an execution that agrees with the current one as far as that goes."""
        self.events = events
        place_of, overlaps = self.locations.of, self.locations.overlaps
        actors, pasts, reads, stores = self.actors, self.past, self.reads, self.writes
        for index in range(len(pasts), len(events)):
            event = events[index]
            op, actor = event.op, event.actor
            kind = op.kind
            own = actors.get(actor, 0)
            previous = own.bit_length() - 1 if own else self.spawned.get(actor, -1)
            past = pasts[previous] if previous >= 0 else 0
            place = place_of(op)
            while place >= len(reads):
                reads.append(0)
                stores.append(0)
            if _SPECIAL[kind] or self.world:
                place, wrote, edges, past = self._special(index, event, place, previous, past)
            else:
                wrote = _WRITES[kind]
                near = stores[place] | reads[place] if wrote else stores[place]
                if len(overlaps[place]) > 1:
                    near = self.conflicts(place, wrote)
                near &= ~past
                edges = [] if previous < 0 else [previous]
                while near:
                    latest = near.bit_length() - 1
                    edges.append(latest)
                    self.races.append((latest, index))
                    past |= pasts[latest]
                    near &= ~past
            bit = 1 << index
            pasts.append(past | bit)
            self.edges.append(edges)
            self.previous.append(previous if own else -1)
            self.place.append(place)
            self.wrote.append(wrote)
            actors[actor] = own | bit
            if place == WORLD:
                self.world |= bit
            elif place != LOCAL:
                (stores if wrote else reads)[place] |= bit

    def conflicts(self, place: int, wrote: bool) -> int:
        """The events that an access conflicts with (its own actor's among them)."""
        if place == WORLD:
            return (1 << len(self.past)) - 1
        mask = self.world
        for other in self.locations.overlaps[place]:
            if other < len(self.reads):
                mask |= self.writes[other] | self.reads[other] if wrote else self.writes[other]
        return mask

    def futures(self) -> list[int]:
        """Of each event, what happens after it, itself excluded."""
        edges = self.edges
        after = [0] * len(edges)
        for index in range(len(edges) - 1, -1, -1):
            mask = after[index] | 1 << index
            for earlier in edges[index]:
                after[earlier] |= mask
        return after

    def past_of(self, actor: str) -> int:
        """What happens before whatever `actor` does next."""
        own = self.actors.get(actor, 0)
        latest = own.bit_length() - 1 if own else self.spawned.get(actor, -1)
        return self.past[latest] if latest >= 0 else 0

    # -- operations that block, or may or may not write ----------------------------------------

    def _special(
        self, index: int, event: Event, place: int, previous: int, past: int
    ) -> tuple[int, bool, list[int], int]:
        """Place, effect, immediate predecessors and past of an event that is no plain access; its races are noted."""
        op, kind = event.op, event.op.kind
        edges = [] if previous < 0 else [previous]
        if kind is Kind.CHOICE:
            return LOCAL, False, edges, past
        if kind is Kind.STORE_CONDITIONAL:
            place = self._reservation(event.actor, place)
        elif kind is Kind.SPAWN:
            self.spawned[event.value.name] = index
        wrote = writes(op, event.value) if kind in _UNSURE else _WRITES[kind]
        near = self.conflicts(place, wrote) & ~past
        found = self.waited_for(event.actor, op, place, past)
        if found is None:
            found = self._swappable(event, place, wrote, past)
        self.races += [(earlier, index) for earlier in found]
        while near:
            latest = near.bit_length() - 1
            edges.append(latest)
            past |= self.past[latest]
            near &= ~past
        return place, wrote, edges, past

    def _swappable(self, event: Event, place: int, wrote: bool, past: int) -> list[int]:
        """The events that one of a kind that always goes on, with that past of its actor's own, races with."""
        near = self.conflicts(place, wrote) & ~past
        found = []
        while near:
            latest = near.bit_length() - 1
            near &= ~self.past[latest]
            other = self.events[latest]
            if other.op.kind is Kind.END_EXCLUSIVE and event.actor not in self.unstoppable:
                stop = self._stop_of(latest)
                if not past >> stop & 1:
                    found.append(stop)
            elif not _waits_for_exit(event.op, other):
                found.append(latest)
        return found

    def waited_for(self, actor: str, op: Op, place: int, past: int) -> list[int] | None:
        """Before which events an operation that waits might have gone, latest first; None of one that never waits.

        Those that it waited for may be only the last of several, so that all are named; where it would be enabled
        remains to be asked.
        """
        kind = op.kind
        if kind is Kind.LOCK:
            found = [i for i in bits(self.conflicts(place, False) & ~past) if self.events[i].op.kind is Kind.LOCK]
            if not self.world:
                return found[:1]
        elif kind is Kind.AWAIT:
            found = bits(self.conflicts(place, False) & ~past & ~self.world)
        elif kind is Kind.BEGIN_EXCLUSIVE:
            found = self._instruction_starts(actor, past)
        else:
            return None
        return found + self.stops(actor, past)

    def stops(self, actor: str, past: int) -> list[int]:
        """Where somebody else stopped the world, latest first."""
        foreign = self.world & ~past & ~self.actors.get(actor, 0)
        return [index for index in bits(foreign) if self.events[index].op.kind is Kind.BEGIN_EXCLUSIVE]

    def _instruction_starts(self, actor: str, past: int) -> list[int]:
        """The first steps of everybody else's instructions: before one of them the world may be stopped."""
        found = []
        for index in bits(((1 << len(self.past)) - 1) & ~past & ~self.actors.get(actor, 0)):
            before = self.previous[index]
            while before >= 0 and self.events[before].op.kind is Kind.CHOICE:
                before = self.previous[before]
            instruction = self.events[index].instruction
            within = instruction is not None and before >= 0 and self.events[before].instruction is instruction
            if not within and self.events[index].op.kind not in (Kind.CHOICE, Kind.BEGIN_EXCLUSIVE):
                found.append(index)
        return found

    def instruction(self, index: int) -> Instruction | None:
        """The guest instruction of an event; None of none."""
        return self.events[index].instruction if index >= 0 else None

    def last_step(self, mask: int) -> int:
        """The latest event of `mask` that is no local choice, or -1."""
        while mask:
            latest = mask.bit_length() - 1
            if self.events[latest].op.kind is not Kind.CHOICE:
                return latest
            mask ^= 1 << latest
        return -1

    def _stop_of(self, end: int) -> int:
        """The event that stopped the world, of the one that lets it go on."""
        index = end
        while self.events[index].op.kind is not Kind.BEGIN_EXCLUSIVE:
            index = self.previous[index]
        return index

    def _reservation(self, actor: str, place: int) -> int:
        """The bytes whose writes decide over a store-conditional: those reserved, perhaps more than it stores."""
        mask = self.actors.get(actor, 0)
        while mask:
            latest = mask.bit_length() - 1
            kind = self.events[latest].op.kind
            if kind is Kind.LOAD_LINKED:
                reserved = self.place[latest]
                return reserved if self.locations.contains(reserved, place) else place
            if kind in (Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION):
                break
            mask ^= 1 << latest
        return place


def bits(mask: int) -> list[int]:
    """The events of a mask, the latest first."""
    found = []
    while mask:
        latest = mask.bit_length() - 1
        found.append(latest)
        mask ^= 1 << latest
    return found


def _waits_for_exit(op: Op, other: Event) -> bool:
    """Whether `op` joins the thread whose exit `other` is."""
    return op.kind is Kind.JOIN and other.op.kind is Kind.EXIT and other.actor == op.value.name
