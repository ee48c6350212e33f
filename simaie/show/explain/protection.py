"""Which protection was missing: locks held, checks made too early, two locks for the same bytes, no check at all."""

from __future__ import annotations

from collections.abc import Iterator

from simaie.check.evidence import Intruder, intruder, owner
from simaie.op import Kind
from simaie.show.explain.phrases import a_kind_of, actor_of, at, instruction_of, listed
from simaie.show.words import clean, event_words
from simaie.trace import Event, Trace

__all__ = ["held_at", "missing_protection"]

#: What a place of the emulator's own is called in a sentence, by how its name begins.
_ROLES = {
    "radix": "the tree of locks",
    "bitmap": "the bitmap of used granules",
    "swp-switch": "the switch that makes plain stores check",
    "set ": "the set of reservations",
}
_LOOKS = (Kind.LOAD, Kind.CAS, Kind.UPDATE)


def held_at(trace: Trace, vcpu: str, step: int) -> dict[str, int]:
    """The locks that `vcpu` holds when `step` is performed, each with the step at which it took it.

    A stopped world counts as a lock, named so.
    """
    held: dict[str, int] = {}
    for index, event in enumerate(trace.events[:step]):
        if event.actor != vcpu:
            continue
        name = event.op.location or "the stopped world"
        if event.op.kind in (Kind.LOCK, Kind.BEGIN_EXCLUSIVE):
            held[name] = index
        elif event.op.kind in (Kind.UNLOCK, Kind.END_EXCLUSIVE):
            held.pop(name, None)
    return held


def missing_protection(trace: Trace, victim: int, foreign: int) -> str:
    """Why the write at step `foreign` was not kept out while the instruction of step `victim` was under way."""
    event, hurt = trace.events[foreign], trace.events[victim]
    mine, theirs = held_at(trace, owner(hurt), victim + 1), held_at(trace, owner(event), foreign + 1)
    if intruder(event) is Intruder.DEVICE:
        return f"A device writes past the emulator's helpers: it asks for no lock{_although(mine)}."
    if mine and theirs and not mine.keys() & theirs.keys():
        return _two_locks(hurt, event, mine, theirs)
    if not mine:
        return (
            f"Nothing kept others out: {actor_of(hurt)} held no lock at that time, and the parts of "
            f"{instruction_of(hurt)} are separate operations of the host."
        )
    looks = list(_looks(trace, event, foreign))
    if looks:
        return _looked_too_early(trace, hurt, event, foreign, looks, mine)
    return (
        f"{actor_of(hurt)} held {_locks(mine)}, but {instruction_of(event)} does not ask for it: "
        f"the scheme lets {a_kind_of(event)} go straight to memory."
    )


def _although(mine: dict[str, int]) -> str:
    return f", not even for {_locks(mine)}, which was held" if mine else ""


def _locks(held: dict[str, int]) -> str:
    return listed([f"{clean(name)} (since step {step})" for name, step in held.items()])


def _two_locks(hurt: Event, event: Event, mine: dict[str, int], theirs: dict[str, int]) -> str:
    text = (
        f"Each held a lock, but not the same one: {actor_of(hurt)} {_locks(mine)}, {actor_of(event)} {_locks(theirs)}; "
        "so neither waited for the other."
    )
    a, b = hurt.instruction, event.instruction
    if a is None or b is None:
        return text
    if a.address - hurt.op.address != b.address - event.op.address:
        return (
            f"{text} They name the same bytes by two addresses, {a.address:#x} and {b.address:#x}, and the lock goes "
            "by the address."
        )
    if a.address != b.address:
        return (
            f"{text} Only the granule of an access's first byte is locked, and {a.address:#x} and {b.address:#x} lie "
            "in two."
        )
    return text


def _looks(trace: Trace, event: Event, before: int) -> Iterator[int]:
    """The steps at which the instruction of `event` read the emulator's own places before it wrote."""
    for step in range(before):
        other = trace.events[step]
        if other.instruction is event.instruction and other.op.cell is not None and other.op.kind in _LOOKS:
            yield step


def _looked_too_early(
    trace: Trace, hurt: Event, event: Event, foreign: int, looks: list[int], mine: dict[str, int]
) -> str:
    text = f"{actor_of(trace.events[_first(mine)])} held {_locks(mine)}. "
    for look in looks:
        seen = trace.events[look]
        change = _changed(trace, seen, look, foreign)
        if change is not None:
            return text + (
                f"Earlier {instruction_of(event)} had looked at {_role(seen)}: {event_words(seen)} {at(look)}. "
                f"That was out of date when it stored {at(foreign)}: in between {actor_of(trace.events[change])} "
                f"changed it, {event_words(trace.events[change])} {at(change)}. The look and the store are two steps "
                "with nothing that holds them together."
            )
    seen = trace.events[looks[-1]]
    text += (
        f"{instruction_of(event)} looked at {_role(seen)}, {event_words(seen)} {at(looks[-1])}, and found no reason to "
        "take a lock: what it looked up is not what is locked."
    )
    if event.op.address < hurt.op.address:
        text += f" It begins at {event.op.address:#x}, and only the granule of its first byte is looked up."
    return text


def _first(held: dict[str, int]) -> int:
    return min(held.values())


def _changed(trace: Trace, seen: Event, look: int, before: int) -> int | None:
    """The first write by somebody else, after `look`, to the place that was looked at."""
    for step in range(look + 1, before):
        event = trace.events[step]
        if event.op.cell is seen.op.cell and event.wrote and event.actor != seen.actor:
            return step
    return None


def _role(event: Event) -> str:
    name = event.op.location
    return next((role for start, role in _ROLES.items() if name.startswith(start)), clean(name))
