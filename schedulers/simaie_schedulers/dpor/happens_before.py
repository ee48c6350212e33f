"""The happens-before relation of one execution, as bit masks, updated as a search changes the end of the execution.

Event i is bit i. The past of an event is one integer: the event itself and all that happens before it. Python integers
are vectors that one operation joins, cuts or searches, so this beats vector clocks for executions of up to some
thousand events. The races of an event are found as follows: take the earlier events that conflict with it, remove the
past of the actor's previous event, then repeatedly remove the latest remaining event and its past. Each event so
removed is an immediate predecessor and, if the two can be swapped, a race in the sense of Abdulla, Aronis, Jonsson and
Sagonas ("Source sets: a foundation for optimal dynamic partial order reduction", JACM 64(4), 2017).

Only events that are new since the last execution are processed: a depth-first search changes little.

`simaie_schedulers.dpor.blocking` determines which pairs may be swapped if an operation can be disabled.
"""

from __future__ import annotations

from simaie.dependence import ALWAYS_WRITES, WRITES_IF_IT_SUCCEEDS, writes
from simaie.locations import LOCAL, WORLD, Locations
from simaie.op import Kind, Op, Order
from simaie.trace import Event, Instruction
from simaie_schedulers.dpor.blocking import swappable, waited_for
from simaie_schedulers.dpor.store_buffers import StoreBuffers

__all__ = ["WRITES", "HappensBefore"]

_LOAD, _SEQ_CST = Kind.LOAD, Order.SEQ_CST
#: By kind: whether an operation of that kind always writes.
WRITES = [kind in ALWAYS_WRITES for kind in Kind]
_SPECIAL = [kind in WRITES_IF_IT_SUCCEEDS or kind >= Kind.LOCK or kind is Kind.CHOICE for kind in Kind]


class HappensBefore:
    """The partial order of the current execution; lists are indexed by event, masks have one bit per event.

    Args:
        locations: The places of the exploration.

    Attributes:
        events: The events.
        past: By event, the mask of itself and of what happens before it.
        edges: By event, its immediate predecessors.
        place: By event, the number of its place.
        wrote: By event, whether it wrote.
        races: Pairs (earlier, later), ordered by `later`. Whether a blocking `later` would be enabled before `earlier`
            is checked separately.
        actors: By actor, the mask of its events.
        reads: By place, the mask of the events that read it.
        writes: By place, the mask of the events that wrote it.
        world: The mask of the stop-the-world events.
        choices: The mask of the local choices.
        unstoppable: Names of the devices, which run in a stopped world.
        spawned: By actor, the event that spawned it.
        buffers: The store buffers.
    """

    def __init__(self, locations: Locations) -> None:
        self.locations = locations
        self.events: list[Event] = []
        self.past: list[int] = []
        self.edges: list[list[int]] = []
        self.place: list[int] = []
        self.wrote: list[bool] = []
        self.races: list[tuple[int, int]] = []
        self.actors: dict[str, int] = {}
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.world = 0
        self.choices = 0
        self.unstoppable: set[str] = set()  # devices: they run in a stopped world
        self.spawned: dict[str, int] = {}
        self.buffers = StoreBuffers(self)

    def rewind(self, length: int) -> None:
        """Forget the events from index `length` on."""
        kept = (1 << length) - 1
        del self.past[length:], self.edges[length:], self.place[length:], self.wrote[length:]
        races = self.races
        while races and races[-1][1] >= length:
            races.pop()
        self.actors = {actor: mask & kept for actor, mask in self.actors.items() if mask & kept}
        self.reads = [mask & kept for mask in self.reads]
        self.writes = [mask & kept for mask in self.writes]
        self.world &= kept
        self.choices &= kept
        if self.spawned:
            self.spawned = {child: at for child, at in self.spawned.items() if at < length}
        if self.buffers.entered:
            self.buffers.rewind(length)

    def extend(self, events: list[Event]) -> None:
        """Process the events of an execution that begins with the current events."""
        self.events = events
        place_of, ranges, overlaps = self.locations.of, self.locations.ranges, self.locations.overlaps
        actors, pasts, reads, stores = self.actors, self.past, self.reads, self.writes
        all_edges, places, effects, races = self.edges, self.place, self.wrote, self.races
        buffered, drains = self.buffers.entered, self.buffers.drains  # both empty on a host without store buffers
        for index in range(len(pasts), len(events)):
            event = events[index]
            op, actor = event.op, event.actor
            kind = op.kind
            own = actors.get(actor, 0)
            previous = own.bit_length() - 1 if own else self.spawned.get(actor, -1)
            past = pasts[previous] if previous >= 0 else 0
            place = ranges.get((op.address, op.width)) if op.cell is None and op.expected is None else None
            if place is None:
                place = place_of(op)
            while place >= len(reads):
                reads.append(0)
                stores.append(0)
            if _SPECIAL[kind] or self.world or (buffered and (kind is not _LOAD or op.order is _SEQ_CST)):
                place, wrote, edges, past = self._special(index, event, place, previous, past)
            else:
                wrote = WRITES[kind]
                near = stores[place] | reads[place] if wrote else stores[place]
                if len(overlaps[place]) > 1:
                    near = self.conflicts(place, wrote)
                near &= ~past
                if buffered:
                    near &= ~drains.get(actor, 0)  # the vCPU reads the same value before and after its own drain
                edges = [] if previous < 0 else [previous]
                while near:
                    latest = near.bit_length() - 1
                    edges.append(latest)
                    races.append((latest, index))
                    past |= pasts[latest]
                    near &= ~past
            bit = 1 << index
            pasts.append(past | bit)
            all_edges.append(edges)
            places.append(place)
            effects.append(wrote)
            actors[actor] = own | bit
            if place == WORLD:
                self.world |= bit
            elif place != LOCAL:
                (stores if wrote else reads)[place] |= bit

    def conflicts(self, place: int, wrote: bool) -> int:
        """Return the mask of the events that conflict with an access, including those of its own actor.

        Args:
            place: Number of the place.
            wrote: Whether the access writes.
        """
        if place == WORLD:
            return (1 << len(self.past)) - 1
        mask = self.world
        for other in self.locations.overlaps[place]:
            if other < len(self.reads):
                mask |= self.writes[other] | self.reads[other] if wrote else self.writes[other]
        return mask

    def previous(self, index: int) -> int:
        """Return the index of the same actor's event before event `index`, or -1."""
        return (self.actors[self.events[index].actor] & (1 << index) - 1).bit_length() - 1

    def futures(self) -> list[int]:
        """Return by event the mask of what happens after it, excluding the event itself."""
        edges = self.edges
        after = [0] * len(edges)
        for index in range(len(edges) - 1, -1, -1):
            mask = after[index] | 1 << index
            for earlier in edges[index]:
                after[earlier] |= mask
        return after

    def past_of(self, actor: str) -> int:
        """Return the mask of what happens before the next operation of `actor`."""
        own = self.actors.get(actor, 0)
        latest = own.bit_length() - 1 if own else self.spawned.get(actor, -1)
        past = self.past[latest] if latest >= 0 else 0
        return past | self.buffers.siblings(actor)

    # -- operations that block, or may or may not write ----------------------------------------

    def _special(
        self, index: int, event: Event, place: int, previous: int, past: int
    ) -> tuple[int, bool, list[int], int]:
        """Process an event that is no plain access, and record its races; return its place, effect, edges and past."""
        op, kind = event.op, event.op.kind
        edges = [] if previous < 0 else [previous]
        if kind is Kind.CHOICE:
            self.choices |= 1 << index
            return LOCAL, False, edges, past
        if kind is Kind.BUFFER and not self.world:
            self.buffers.note(index, event)
            return LOCAL, False, edges, past
        siblings = 0
        if self.buffers.entered or kind is Kind.BUFFER:
            past = self._settle_buffers(index, event, place, edges, past)
            siblings = self.buffers.siblings(event.actor)
        if kind is Kind.STORE_CONDITIONAL:
            place = self._reservation(event.actor, op, place)
        elif kind is Kind.SPAWN:
            self.spawned[event.value.name] = index
        wrote = writes(op, event.value) if kind in WRITES_IF_IT_SUCCEEDS else WRITES[kind]
        near = self.conflicts(place, wrote) & ~past & ~siblings
        found = waited_for(self, event.actor, op, place, past | siblings) if kind >= Kind.LOCK else None
        if found is None:  # a local choice is no step of its own: what races is the step that led to it
            found = swappable(self, event, near & ~self.choices, past | siblings)
        self.races += [(earlier, index) for earlier in found]
        while near:
            latest = near.bit_length() - 1
            edges.append(latest)
            past |= self.past[latest]
            near &= ~past
        return place, wrote, edges, past

    def _settle_buffers(self, index: int, event: Event, place: int, edges: list[int], past: int) -> int:
        """Return the past of an event including what its vCPU's store buffers order before it; extend `edges` too."""
        before = self.buffers.before(event, place) & ~past
        while before:
            latest = before.bit_length() - 1
            edges.append(latest)
            past |= self.past[latest]
            before &= ~past
        self.buffers.note(index, event)
        return past

    def instruction(self, index: int) -> Instruction | None:
        """Return the guest instruction of event `index`; None if it has none."""
        return self.events[index].instruction if index >= 0 else None

    def last_step(self, mask: int) -> int:
        """Return the latest event of `mask` that is no local choice, or -1."""
        while mask:
            latest = mask.bit_length() - 1
            if self.events[latest].op.kind is not Kind.CHOICE:
                return latest
            mask ^= 1 << latest
        return -1

    # -- the ideal monitor --------------------------------------------------------------------

    def place_of(self, actor: str, op: Op) -> int:
        """Return the place of an operation that `actor` has not performed yet.

        Args:
            actor: Name of the actor.
            op: The operation.
        """
        place = self.locations.of(op)
        return self._reservation(actor, op, place) if op.kind is Kind.STORE_CONDITIONAL else place

    def linked(self, actor: str, mask: int) -> int | None:
        """Return the load-linked whose reservation `actor` has after the events of `mask`, ignoring foreign writes.

        Args:
            actor: Name of the actor.
            mask: Mask of events.
        """
        mask &= self.actors.get(actor, 0)
        while mask:
            latest = mask.bit_length() - 1
            kind = self.events[latest].op.kind
            if kind is Kind.LOAD_LINKED:
                return latest
            if kind in (Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION):
                break
            mask ^= 1 << latest
        return None

    def _reservation(self, actor: str, op: Op, place: int) -> int:
        """Return the place whose writes decide a store-conditional: the reserved bytes, possibly more than it stores.

        A store-conditional to bytes outside the reservation fails whatever is written there, unless its operation names
        the deciding bytes itself.
        """
        if op.expected is not None:
            return place
        linked = self.linked(actor, -1)
        reserved = place if linked is None else self.place[linked]
        return reserved if self.locations.contains(reserved, place) else place
