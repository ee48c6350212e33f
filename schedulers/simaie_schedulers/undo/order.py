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

    Args:
        overlaps: By place, the places that share a byte with it. It may grow.

    Attributes:
        actors: By event, its actor.
        steps: By event, what it did.
        past: By event, the mask of itself and of what happens before it.
        before: By event, the mask of what happens before it by its vCPU alone.
        own: By actor, the mask of its events.
        reads: By place, the mask of the events that read it.
        writes: By place, the mask of the events that wrote it.
        world: The mask of the events that stopped the world or let it go on.
        choices: The mask of the local choices.
    """

    def __init__(self, overlaps: Sequence[tuple[int, ...]]) -> None:
        self._overlaps = overlaps
        self._spawned: dict[int, int] = {}
        self.actors: list[int] = []
        self.steps: list[Step] = []
        self.past: list[int] = []
        self.before: list[int] = []
        self.own: dict[int, int] = {}
        self.reads: list[int] = []
        self.writes: list[int] = []
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
        pasts, place = self.past, step.place
        index = len(pasts)
        bit = 1 << index
        own = self.own.get(actor, 0)
        past = pasts[own.bit_length() - 1] if own and not preceding else self.past_of_next(actor, preceding)
        self.before.append(past)
        reads, writes = self.reads, self.writes
        while place >= len(reads):
            reads.append(0)
            writes.append(0)
        immediate = 0
        if place > THREADS and self._overlaps[place] == (place,):  # an access to bytes that nothing else shares
            near = self.world | writes[place]
            if step.wrote:
                near |= reads[place]
                writes[place] |= bit
            else:
                reads[place] |= bit
        else:
            near = self.conflicts(place, step.wrote) if step.kind is not _CHOICE else 0
            self._note(index, step, bit)
        near &= ~(past | siblings)
        while near:
            latest = near.bit_length() - 1
            immediate |= 1 << latest
            past |= pasts[latest]
            near &= ~past
        self.actors.append(actor)
        self.steps.append(step)
        pasts.append(past | bit)
        self.own[actor] = own | bit
        return immediate

    def pop(self) -> None:
        """Remove the last event."""
        actor, step = self.actors.pop(), self.steps.pop()
        self.past.pop()
        self.before.pop()
        bit = 1 << len(self.actors)
        self.own[actor] ^= bit
        place = step.place
        if place > THREADS:
            (self.writes if step.wrote else self.reads)[place] ^= bit
        else:
            self._note(-1, step, bit)

    def conflicts(self, place: int, wrote: bool) -> int:
        """Return the mask of the events that conflict with an access, including those of its own actor.

        Args:
            place: Number of the place.
            wrote: Whether the access writes.
        """
        if place == WORLD:
            return (1 << len(self.past)) - 1 & ~self.choices
        mask = self.world
        for other in self._overlaps[place]:
            if other < len(self.reads):
                mask |= self.writes[other] | self.reads[other] if wrote else self.writes[other]
        return mask

    def _note(self, index: int, step: Step, bit: int) -> None:
        """Flip the bit of an event in the masks of its place; `index` is -1 if the event is removed."""
        place = step.place
        if step.child >= 0:
            if index < 0:
                del self._spawned[step.child]
            else:
                self._spawned[step.child] = index
        if step.kind is _CHOICE:
            self.choices ^= bit
        elif place == WORLD:
            self.world ^= bit
        elif place != LOCAL:
            (self.writes if step.wrote else self.reads)[place] ^= bit


def bits(mask: int) -> list[int]:
    """Return the indices of the events in a mask, earliest first."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found
