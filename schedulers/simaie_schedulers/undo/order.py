"""The happens-before relation of the current path, kept as bit masks while the path grows and shrinks.

Event i is bit i. The past of an event is one integer: the event itself and all that happens before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.locations import LOCAL, THREADS, WORLD
from simaie.op import Kind
from simaie.small_steps import Step

__all__ = ["Order", "bits"]

_CHOICE = Kind.CHOICE


class Order:
    """The events of the path and what happens before them; lists are indexed by event.

    The lists `actors`, `steps`, `past` and `before` never become shorter: entries from `length` on are stale.

    Args:
        overlaps: By place, the places that share a byte with it. It may grow.

    Attributes:
        length: The number of events.
        actors: By event, its actor.
        steps: By event, what it did.
        past: By event, the mask of itself and of what happens before it.
        before: By event, the mask of what happens before it by its vCPU alone.
        own: By actor, the mask of its events.
        reads: By place, the mask of the events that read it.
        writes: By place, the mask of the events that wrote it.
        families: By place and family, the mask of the events of this family; see `simaie.dependence.family_of`.
        world: The mask of the events that stopped the world or let it go on.
        choices: The mask of the local choices.
    """

    def __init__(self, overlaps: Sequence[tuple[int, ...]]) -> None:
        self._overlaps = overlaps
        self._spawned: dict[int, int] = {}
        self.length = 0
        self.actors: list[int] = []
        self.steps: list[Step] = []
        self.past: list[int] = []
        self.before: list[int] = []
        self.own: dict[int, int] = {}
        self.reads: list[int] = []
        self.writes: list[int] = []
        self.families: dict[int, dict[str, int]] = {}
        self.world = 0
        self.choices = 0

    def past_of_next(self, actor: int, preceding: int = 0) -> int:
        """Return the mask of what happens before the next operation of `actor` by its vCPU alone.

        Args:
            actor: The actor.
            preceding: Mask of the steps of the vCPU's other actors that precede it in every execution.
        """
        own = self.own.get(actor, 0)
        latest = own.bit_length() - 1 if own else self._spawned.get(actor, -1)
        past = self.past[latest] if latest >= 0 else 0
        while preceding:
            low = preceding & -preceding
            preceding ^= low
            past |= self.past[low.bit_length() - 1]
        return past

    def append(self, actor: int, step: Step, preceding: int = 0, siblings: int = 0) -> int:
        """Add an event.

        Args:
            actor: Its actor.
            step: What it did.
            preceding: Mask of the steps of its vCPU's other actors that precede it in every execution.
            siblings: Mask of all steps of its vCPU's other actors.

        Returns:
            The mask of its immediate predecessors among the events of other actors that it conflicts with.
        """
        pasts, owns, place = self.past, self.own, step.place
        index = self.length
        bit = 1 << index
        own = owns.get(actor, 0)
        past = pasts[own.bit_length() - 1] if own and not preceding else self.past_of_next(actor, preceding)
        if index == len(pasts):
            self._grow(actor, step)
        self.before[index] = past
        reads, writes = self.reads, self.writes
        while place >= len(reads):
            reads.append(0)
            writes.append(0)
        immediate = 0
        if place > THREADS and len(self._overlaps[place]) == 1:  # an access to bytes that nothing else shares
            near = self.world | writes[place]
            if step.wrote:
                near |= reads[place]
                writes[place] |= bit
            else:
                reads[place] |= bit
        else:
            near = self.conflicts(place, step.wrote) if step.kind is not _CHOICE else 0
            self._note(index, step, bit)
        if step.family:
            near &= ~self._join_family(place, step.family, bit)
        near &= ~(past | siblings)
        while near:
            latest = near.bit_length() - 1
            immediate |= 1 << latest
            past |= pasts[latest]
            near &= ~past
        self.actors[index] = actor
        self.steps[index] = step
        pasts[index] = past | bit
        owns[actor] = own | bit
        self.length = index + 1
        return immediate

    def _join_family(self, place: int, family: str, bit: int) -> int:
        """Add an event to those of its family at a place; return the mask of those before it, which commute with it."""
        before = self.families.setdefault(place, {}).get(family, 0)
        self.families[place][family] = before | bit
        return before

    def _grow(self, actor: int, step: Step) -> None:
        self.actors.append(actor)
        self.steps.append(step)
        self.past.append(0)
        self.before.append(0)

    def cut(self, length: int) -> None:
        """Remove all events but the first ones.

        Args:
            length: How many events stay.
        """
        actors, steps, owns, reads, writes = self.actors, self.steps, self.own, self.reads, self.writes
        stay = (1 << length) - 1
        for index in range(length, self.length):
            step = steps[index]
            owns[actors[index]] &= stay
            place = step.place
            if place > THREADS:
                if step.family:
                    self.families[place][step.family] &= stay
                if step.wrote:
                    writes[place] &= stay
                else:
                    reads[place] &= stay
            else:
                self._forget(step, stay)
        self.length = length

    def _forget(self, step: Step, stay: int) -> None:
        """Remove an event from the masks of its place, which is not in memory; `stay` is the mask of what stays."""
        place = step.place
        if step.child >= 0:
            del self._spawned[step.child]
        self.choices &= stay
        self.world &= stay
        self.reads[place] &= stay
        self.writes[place] &= stay

    def conflicts(self, place: int, wrote: bool) -> int:
        """Return the mask of the events that conflict with an access, including those of its own actor.

        Args:
            place: Number of the place.
            wrote: Whether the access writes.
        """
        if place == WORLD:
            return (1 << self.length) - 1 & ~self.choices
        mask = self.world
        for other in self._overlaps[place]:
            if other < len(self.reads):
                mask |= self.writes[other] | self.reads[other] if wrote else self.writes[other]
        return mask

    def _note(self, index: int, step: Step, bit: int) -> None:
        """Add an event to the masks of its place."""
        place = step.place
        if step.child >= 0:
            self._spawned[step.child] = index
        if step.kind is _CHOICE:
            self.choices |= bit
        elif place == WORLD:
            self.world |= bit
        elif place != LOCAL:
            masks = self.writes if step.wrote else self.reads
            masks[place] |= bit


def bits(mask: int) -> list[int]:
    """Return the indices of the events in a mask, earliest first."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
