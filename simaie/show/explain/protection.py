"""The protection that was missing, and the methods of the scheme that are responsible.

There was no lock, or it was released too early or taken too late, or there were two, or a check had a stale value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from simaie.check.evidence import Intruder, intruder, owner
from simaie.dependence import RELEASES, STOPS, TAKES
from simaie.finding import LLSC_LEVELS, Finding
from simaie.op import Kind, Role
from simaie.schemes.scheme import Scheme
from simaie.show.explain.phrases import a_kind_of, actor_of, at, instruction_of, listed
from simaie.show.format import clean, format_event
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["BY_HELPERS", "held_at", "helpers", "holding", "missing_protection"]

#: Names of the emulator's state in a sentence.
_ROLES = {
    Role.SLOT: "the tree of locks",
    Role.BITMAP: "the bitmap of used granules",
    Role.SWITCH: "the switch that makes plain stores check",
    Role.RESERVATIONS: "the set of reservations",
}
_LOOKS = (Kind.LOAD, Kind.CAS, Kind.UPDATE)
#: Name of a stopped world among the locks that a vCPU holds.
_WORLD = "the stopped world"


def held_at(trace: Trace, vcpu: str, step: int) -> dict[str, int]:
    """Return the locks that `vcpu` holds when `step` is performed, each with the step at which it took it.

    A stopped world counts as a lock.
    """
    held: dict[str, int] = {}
    for index, event in enumerate(trace.events[:step]):
        if event.actor != vcpu:
            continue
        name = event.op.location or _WORLD
        if event.op.kind in TAKES:
            held[name] = index
        elif event.op.kind in RELEASES:
            held.pop(name, None)
    return held


def missing_protection(trace: Trace, victim: int, foreign: int) -> str:
    """Return why the write at step `foreign` was possible while the instruction of step `victim` was under way."""
    event, hurt = trace.events[foreign], trace.events[victim]
    at_first, theirs = held_at(trace, owner(hurt), victim + 1), held_at(trace, owner(event), foreign + 1)
    mine = _still_held(trace, owner(hurt), at_first, foreign)
    if intruder(event) is Intruder.DEVICE:
        return f"A device bypasses the emulator's helpers and takes no lock{_although(mine)}."
    if mine and theirs and not mine.keys() & theirs.keys():
        return _two_locks(hurt, event, mine, theirs)
    looks = list(_looks(trace, event, foreign))
    if not mine:
        stale = _stale_look(trace, event, foreign, looks)
        return f"{_unprotected(trace, victim, foreign, at_first)} {stale}".rstrip()
    if looks:
        return _looked_too_early(trace, hurt, event, foreign, looks, mine)
    return (
        f"{actor_of(hurt)} {holding(mine)}, but {instruction_of(event)} does not take it: "
        f"under this scheme, {a_kind_of(event)} goes straight to memory."
    )


def _still_held(trace: Trace, vcpu: str, held: dict[str, int], step: int) -> dict[str, int]:
    """Return those of the locks `held` that `vcpu` has kept without a break until `step`."""
    now = held_at(trace, vcpu, step + 1)
    return {name: since for name, since in held.items() if now.get(name) == since}


def _unprotected(trace: Trace, victim: int, foreign: int, at_first: dict[str, int]) -> str:
    """Return why no lock covered the instruction of step `victim`: released too early, taken too late, or never."""
    hurt = trace.events[victim]
    who, what = actor_of(hurt), instruction_of(hurt)
    if at_first:
        released = _first_of(trace, victim, RELEASES)
        return (
            f"{who} {holding(at_first)} when it read {at(victim)}, but released it {at(*released)} before {what} had "
            "ended. So no single hold of a lock covers its parts."
        )
    taken = _first_of(trace, victim, TAKES)
    if taken:
        locked = trace.events[taken[0]]
        act = "stopped the world" if locked.op.kind in STOPS else f"took {clean(locked.op.location)}"
        return f"{who} {act} {at(*taken)} only after {what} had read {at(victim)}: the read is not protected."
    return (
        f"Nothing kept other vCPUs out: {who} held no lock at that time, and the parts of {what} are separate "
        "operations of the host."
    )


def _first_of(trace: Trace, victim: int, kinds: Collection[Kind]) -> tuple[int, ...]:
    """Return the first step after `victim` at which its own instruction does an operation of `kinds`, or nothing."""
    instruction = trace.events[victim].instruction
    later = range(victim + 1, len(trace))
    steps = (s for s in later if trace.events[s].instruction is instruction and trace.events[s].op.kind in kinds)
    return tuple(islice(steps, 1))


def _although(mine: dict[str, int]) -> str:
    return f", although the other vCPU held {_locks(mine)}" if mine else ""


def holding(held: dict[str, int]) -> str:
    """Return ``held big lock (since step 0)``, ``had stopped the world (since step 3)``, or both."""
    locks = {name: since for name, since in held.items() if name != _WORLD}
    parts = [f"held {_locks(locks)}"] if locks else []
    if _WORLD in held:
        parts.append(f"had stopped the world (since step {held[_WORLD]})")
    return listed(parts)


def _locks(held: dict[str, int]) -> str:
    return listed([f"{clean(name)} (since step {step})" for name, step in held.items()])


def _two_locks(hurt: Event, event: Event, mine: dict[str, int], theirs: dict[str, int]) -> str:
    text = (
        f"Each was protected, but not by the same lock: {actor_of(hurt)} {holding(mine)}, {actor_of(event)} "
        f"{holding(theirs)}; so neither waited for the other."
    )
    a, b = hurt.instruction, event.instruction
    if a is None or b is None:
        return text
    if a.address - hurt.op.address != b.address - event.op.address:
        return (
            f"{text} They name the same bytes by two addresses, {a.address:#x} and {b.address:#x}, and the address "
            "selects the lock."
        )
    if a.address != b.address:
        return (
            f"{text} Only the granule of an access's first byte is locked, and {a.address:#x} and {b.address:#x} are "
            "in different granules."
        )
    return text


def _looks(trace: Trace, event: Event, before: int) -> Iterator[int]:
    """Yield the steps at which the instruction of `event` read state of the emulator before it wrote."""
    for step in range(before):
        other = trace.events[step]
        if other.instruction is event.instruction and other.op.cell is not None and other.op.kind in _LOOKS:
            yield step


def _looked_too_early(
    trace: Trace, hurt: Event, event: Event, foreign: int, looks: list[int], mine: dict[str, int]
) -> str:
    text = f"{actor_of(trace.events[_first(mine)])} {holding(mine)}. "
    stale = _stale_look(trace, event, foreign, looks)
    if stale:
        return text + stale
    seen = trace.events[looks[-1]]
    text += (
        f"{instruction_of(event)} read {_role(seen)}, {format_event(seen)} {at(looks[-1])}, and found no reason to "
        "take a lock: it looked up another granule than the locked one."
    )
    if event.op.address < hurt.op.address:
        text += f" It begins at {event.op.address:#x}, and only the granule of its first byte is looked up."
    return text


def _stale_look(trace: Trace, event: Event, foreign: int, looks: list[int]) -> str:
    """Return what the instruction of `event` had read and another vCPU changed before it wrote; empty if nothing."""
    for look in looks:
        seen = trace.events[look]
        change = _changed(trace, seen, look, foreign)
        if change is not None:
            return (
                f"{instruction_of(event)} had read {_role(seen)} earlier: {format_event(seen)} {at(look)}. By "
                f"step {foreign} that value was stale: {actor_of(trace.events[change])} had replaced it at step "
                f"{change} ({format_event(trace.events[change])}). Nothing makes the check and the store one step."
            )
    return ""


def _first(held: dict[str, int]) -> int:
    return min(held.values())


def _changed(trace: Trace, seen: Event, look: int, before: int) -> int | None:
    """Return the first write of another actor, after `look`, to the cell that was read; or None."""
    for step in range(look + 1, before):
        event = trace.events[step]
        if event.op.cell is seen.op.cell and event.wrote and event.actor != seen.actor:
            return step
    return None


def _role(event: Event) -> str:
    cell = event.op.cell
    return _ROLES.get(Role.OTHER if cell is None else cell.role, clean(event.op.location))


#: Kinds of findings about how the emulator carries out single instructions.
BY_HELPERS = frozenset({
    *LLSC_LEVELS, "rmw-atomicity", "single-copy-atomicity", "lock-leak", "locks-per-vcpu", "one-entry-per-granule",
    "registered-by-atomics", "host-operations", "unguarded-update",
})  # fmt: skip
_METHODS = {
    AccessKind.LOAD: ("load",),
    AccessKind.STORE: ("store",),
    AccessKind.PLAIN_RMW: ("load", "store"),
    AccessKind.ATOMIC: ("atomic_rmw",),
    AccessKind.LOAD_LINKED: ("load_linked",),
    AccessKind.STORE_CONDITIONAL: ("store_conditional",),
}


def helpers(trace: Trace, finding: Finding, scheme: type[Scheme] | None) -> str:
    """Return ``In the scheme's code: AieRfc.atomic_rmw (vCPU 0), AieScheme.store (vCPU 1).``, or nothing."""
    if scheme is None:
        return ""
    users: dict[str, dict[str, None]] = {}
    for step in finding.steps:
        event = trace.events[step]
        if event.instruction is not None and intruder(event) is not Intruder.DEVICE:
            for name in _names(event.instruction, scheme):
                users.setdefault(name, {})[actor_of(event)] = None
    named = [f"{name} ({listed(list(vcpus))})" for name, vcpus in users.items()]
    return f"In the scheme's code: {', '.join(named)}." if named else ""


def _names(instruction: Instruction, scheme: type[Scheme]) -> Iterator[str]:
    methods = _METHODS.get(instruction.access, ())
    if "cmpxchg" in instruction.mnemonic and methods == ("atomic_rmw",) and _definer(scheme, "cmpxchg") is not Scheme:
        methods = ("cmpxchg",)
    for method in methods:
        definer = _definer(scheme, method)
        if definer is not None:
            yield f"{definer.__name__}.{method}"


def _definer(scheme: type[Scheme], method: str) -> type | None:
    return next((base for base in scheme.__mro__ if method in vars(base)), None)
