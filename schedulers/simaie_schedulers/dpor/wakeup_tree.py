"""Wake-up trees: the executions still to be explored from a node, as non-redundant initial sequences.

A source set names the actor that must go first from a node, but may still lead into executions that sleep sets cut at
their end. A wake-up tree holds whole sequences, each known to lead to something new (Abdulla, Aronis, Jonsson, Sagonas,
POPL 2014; JACM 64(4), 2017, section 6). Children are ordered; the leftmost is explored first, with its subtree.

A sequence is a mask of events of the current execution, in their order, plus at most one more operation at the end (the
later operation of a race). An actor is a *weak initial* of a sequence if its next operation commutes with all that
precedes its first event in the sequence, or with the whole sequence if it has no event there.

Deviation from the paper: a local choice (CHOICE) is an edge labelled by its value, right below the operation that led
to it. A sequence that does not contain the choice is compatible with any value.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from simaie.op import Kind, Op, owner_of
from simaie_schedulers.dpor.happens_before import HappensBefore

__all__ = ["Branch", "Last", "Sleeper", "chain", "count", "insert", "is_weak_initial"]

#: A sleeping actor (name, place, whether it writes): its next operation is known to be explored from here.
Sleeper = tuple[str, int, bool]


class Last(NamedTuple):
    """The operation at the end of a sequence: the later one of a race, in a state that was never observed.

    Attributes:
        actor: Name of its actor.
        op: The operation.
        place: Number of its place.
        wrote: Whether it will write, as far as known.
        presumed: See `Branch`.
        doubtful: See `Branch`.
    """

    actor: str
    op: Op
    place: int
    wrote: bool
    presumed: bool
    doubtful: bool


class Branch(msgspec.Struct, eq=False):
    """An edge of the tree and all below it.

    Attributes:
        actor: Name of the actor.
        value: The value of a local choice; None for an operation.
        op: The operation; None if it is unknown (after a restored profile), and then place and wrote mean nothing.
        place: Number of its place.
        wrote: Whether it writes.
        doubtful: Whether it may turn out to be disabled, so that no other sequence may rely on it.
        presumed: Whether its effect is unknown; it then counts as a write even if it turns out to be a read.
        foreseen: For the later operation of a race, whether it will write; None if its effect was observed.
        children: The edges below, in order.
    """

    actor: str
    value: int | None
    op: Op | None
    place: int
    wrote: bool
    doubtful: bool = False
    presumed: bool = False
    foreseen: bool | None = None
    children: list[Branch] = []


def is_weak_initial(order: HappensBefore, sleeper: Sleeper, sequence: int, last: Last | None) -> bool:
    """Whether `sleeper` is a weak initial of the sequence: moving it to the front changes nothing.

    Args:
        order: Happens-before relation of the execution.
        sleeper: The actor and its next operation.
        sequence: Mask of the events of the sequence.
        last: The operation at the end of the sequence, or None.
    """
    actor, place, wrote = sleeper
    own = sequence & order.actors.get(actor, 0)
    if own:
        sequence &= (own & -own) - 1
    elif last is not None and _disturbs(order, sleeper, last):  # checked first, as it usually decides
        return False
    if not sequence:
        return True
    against = order.conflicts(place, wrote) & sequence
    if against and order.buffers.entered:
        against &= ~order.buffers.siblings(actor)
    return not against


def _disturbs(order: HappensBefore, sleeper: Sleeper, last: Last) -> bool:
    """Whether the two conflict; a vCPU and its store buffer never do."""
    dependent = order.locations.dependent(sleeper[1], sleeper[2], last.place, last.wrote)
    return dependent and owner_of(last.actor) != owner_of(sleeper[0])


def insert(order: HappensBefore, children: list[Branch], sequence: int, last: Last | None) -> int:
    """Make the tree cover the sequence, and return the number of branches inserted.

    Args:
        order: Happens-before relation of the execution.
        children: The branches at the root of the tree.
        sequence: Mask of the events of the sequence.
        last: The operation at the end of the sequence, or None.
    """
    root = True
    while sequence or last is not None:
        if not children and not root:
            return 0  # a leaf: everything below it will be explored
        root = False
        for child in children:
            if child.value is not None:
                taken = _matching_choice(order, child, sequence)
            elif child.doubtful and not _ends_with(order, child, sequence, last):
                taken = False
            else:
                taken = is_weak_initial(order, (child.actor, child.place, child.wrote), sequence, last)
            if taken:
                own = sequence & order.actors.get(child.actor, 0)
                if child.value is not None:
                    own &= -own if _first_is_choice(order, own) else 0
                elif not own and last is not None and last.actor == child.actor:
                    last = None
                sequence ^= own & -own
                children = child.children
                break
        else:
            return _append(order, children, sequence, last)
    return 0


def _ends_with(order: HappensBefore, child: Branch, sequence: int, last: Last | None) -> bool:
    """Whether `last` is the actor's only operation in the sequence: if it is infeasible here, it is infeasible."""
    return last is not None and last.actor == child.actor and not sequence & order.actors.get(child.actor, 0)


def _first_is_choice(order: HappensBefore, own: int) -> bool:
    """Whether an actor's first event in the sequence resolves a local choice."""
    return own != 0 and order.events[(own & -own).bit_length() - 1].op.kind is Kind.CHOICE


def _matching_choice(order: HappensBefore, child: Branch, sequence: int) -> bool:
    own = sequence & order.actors.get(child.actor, 0)
    if not _first_is_choice(order, own):
        return True
    value: int = order.events[(own & -own).bit_length() - 1].value
    return value == child.value


def _append(order: HappensBefore, children: list[Branch], sequence: int, last: Last | None) -> int:
    branches = chain(order, sequence, last)
    children.append(branches[0])
    return len(branches)


def chain(order: HappensBefore, sequence: int, last: Last | None) -> list[Branch]:
    """Return the sequence as branches, each the only child of the one before it.

    Args:
        order: Happens-before relation of the execution.
        sequence: Mask of the events of the sequence.
        last: The operation at the end of the sequence, or None.
    """
    branches: list[Branch] = []
    while sequence:
        lowest = sequence & -sequence
        sequence ^= lowest
        index = lowest.bit_length() - 1
        event = order.events[index]
        value = event.value if event.op.kind is Kind.CHOICE else None
        branches.append(Branch(event.actor, value, event.op, order.place[index], order.wrote[index]))
    if last is not None:
        actor, op, place, wrote, presumed, doubtful = last
        branches.append(Branch(actor, None, op, place, wrote, doubtful, presumed, wrote))
    for parent, child in itertools.pairwise(branches):
        parent.children.append(child)
    return branches


def count(branches: Iterable[Branch]) -> int:
    """Return the number of branches, including those below."""
    total, left = 0, list(branches)
    while left:
        branch = left.pop()
        total += 1
        left += branch.children
    return total
