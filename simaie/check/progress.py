"""Executions that are stuck: which vCPU waits for what, which holds it, and the cycle of waits if there is one.

A *deadlock* is a set of vCPUs none of which can ever step again. It is a *livelock* if one of them spins on a location,
since a real machine would burn time there forever. The engine distinguishes the two (`Ending`); the holders are read
off the events. Executions that are not stuck, but can go on for ever, are judged by `simaie.check.lassos`.

In both, a block of `Cpu.eventually` that stays open has a finding of its own, of the kind ``eventually``. It is also
violated on a cycle on which every vCPU gets on otherwise, as that of a server that never serves one client.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

import msgspec

from simaie.check.constrained import broken_promises
from simaie.check.evidence import writes_to
from simaie.check.lassos import endless
from simaie.check.order import canonical_places
from simaie.dependence import RELEASES, TAKES
from simaie.finding import Finding
from simaie.op import UNTIL, Cell, Kind, Op
from simaie.trace import STUCK, Ending, Event, Obligation, Trace

__all__ = ["Wait", "progress", "waits"]



class Wait(msgspec.Struct, frozen=True):
    """The wait of one stuck vCPU.

    Attributes:
        vcpu: The vCPU that waits.
        what: What it waits for, as text.
        holders: The vCPUs that would have to act, as far as known.
        step: The event by which the holders got it, or None.
    """

    vcpu: str
    what: str
    holders: tuple[str, ...] = ()
    step: int | None = None


def progress(trace: Trace) -> Iterable[Finding]:
    """Find a deadlock, a livelock, starvation, and blocks of `Cpu.eventually` that never end.

    The vCPUs of a cycle of waits are listed first.
    """
    if trace.ending is Ending.LASSO:
        return (endless(trace), *broken_promises(trace), *_never_ending(trace, trace.cycle or 0))
    if trace.ending in STUCK:
        return (_stuck(trace, trace.ending.value), *_never_ending(trace, len(trace)))
    return ()


def _never_ending(trace: Trace, cycle: int) -> Iterator[Finding]:
    """Yield a finding for each block that is to end, and began before step `cycle`: on the cycle it stays open."""
    for block in trace.obligations:
        own = [step for step, event in enumerate(trace.events) if _is_before(event, block)]
        if own and own[-1] >= cycle:
            continue  # it began on the cycle, on which another block of this place has ended
        message = f"vCPU {block.vcpu} never ends the block {block.name!r}"
        yield Finding("eventually", message, tuple(own[-1:]), (), (block.vcpu,))


def _is_before(event: Event, block: Obligation) -> bool:
    """Whether an event belongs to an instruction of the vCPU that it began before a block."""
    instruction = event.instruction
    return instruction is not None and instruction.vcpu == block.vcpu and instruction.number < block.first


def waits(trace: Trace) -> tuple[Wait, ...]:
    """Return the waits of the vCPUs at the end of a stuck execution, in structural order."""
    held = _held(trace)
    return tuple(_wait(trace, vcpu, op, held) for vcpu, op in trace.waiting.items())


def _stuck(trace: Trace, kind: str) -> Finding:
    found = waits(trace)
    cycle = _cycle(found)
    message = "; ".join(_sentence(trace, wait) for wait in found)
    if cycle:
        wanted = {wait.vcpu: wait.what for wait in found}
        links = [f"{vcpu} waits for {wanted[vcpu]} of" for vcpu in cycle]
        message += f"; the cycle: vCPU {' vCPU '.join((*links, cycle[0]))}"
    steps = tuple(sorted({wait.step for wait in found if wait.step is not None}))
    looked_at = [part for op in trace.waiting.values() if op.kind is Kind.AWAIT for part in op.places]
    spinning = tuple(part.address for part in looked_at if part.cell is None)
    everyone = tuple(wait.vcpu for wait in found)
    return Finding(kind, message, steps, spinning, (*cycle, *(v for v in everyone if v not in cycle)))


def _sentence(trace: Trace, wait: Wait) -> str:
    text = f"vCPU {wait.vcpu} waits for {wait.what}"
    if wait.holders and wait.what != f"the end of vCPU {wait.holders[0]}":  # nothing holds the end of a thread
        ended = [] if len(wait.holders) > 1 or wait.holders[0] in trace.waiting else [", which has ended"]
        text += f", held by vCPU {' and '.join(wait.holders)}" + "".join(ended)
    return text


def _held(trace: Trace) -> dict[Cell | None, tuple[str, int]]:
    """Return what was held at the end, with the holder and the step since; the key None is the stopped world."""
    held: dict[Cell | None, tuple[str, int]] = {}
    for step, event in enumerate(trace.events):
        kind = event.op.kind
        if kind in TAKES:
            held[event.op.cell] = (event.actor, step)
        elif kind in RELEASES:
            held.pop(event.op.cell, None)
    return held


def _wait(trace: Trace, vcpu: str, op: Op, held: dict[Cell | None, tuple[str, int]]) -> Wait:
    stopped = held.get(None)
    if stopped is not None and stopped[0] != vcpu:
        return Wait(vcpu, "the world to go on", (stopped[0],), stopped[1])
    if op.kind is Kind.LOCK:
        holder = held.get(op.cell)
        return Wait(vcpu, op.location, (holder[0],), holder[1]) if holder else Wait(vcpu, op.location)
    if op.sleeps:
        return Wait(vcpu, _wake_up(op))
    if op.kind is Kind.AWAIT:
        until = op.function.name if op.function is not None and op.function.name != UNTIL else "another value"
        where = f", in a {op.note}" if op.note else ""
        return Wait(vcpu, f"{op.location} ({until}{where})", (), _last_write(trace, op))
    if op.kind is Kind.JOIN:
        name = getattr(op.value, "name", "?")
        return Wait(vcpu, f"the end of vCPU {name}", (name,))
    if op.kind is Kind.BEGIN_EXCLUSIVE:
        return Wait(vcpu, "the others to leave their instructions", _inside(trace, vcpu))
    return Wait(vcpu, str(op))


def _wake_up(op: Op) -> str:
    """Return what ends a sleep: a wake-up, a store to bytes that the vCPU reserved or watches, or either."""
    if op.cell is not None and op.cell.address is not None:
        return f"a wake-up, asleep on the futex at {op.cell.address:#x}"
    stores = [f"a store to {part.location}" for part in op.places if part.kind is Kind.STORE_CONDITIONAL]
    wakes = ["a wake-up"] if len(stores) < len(op.places) else []
    return f"{' or '.join([*wakes, *stores])}, asleep in {op.note}"


def _last_write(trace: Trace, op: Op) -> int | None:
    """Return the last write to RAM where `op` looks; of several, one on which all equivalent executions agree."""
    latest = {
        byte: step
        for part in op.places
        if part.cell is None
        for byte in range(part.address, part.address + part.width)
        for step in [max(writes_to(trace, byte, 1, -1), default=None)]
        if step is not None
    }
    if len(set(latest.values())) < 2:
        return next(iter(latest.values()), None)
    return max(latest.values(), key=canonical_places(trace).__getitem__)


def _inside(trace: Trace, vcpu: str) -> tuple[str, ...]:
    """Return the waiting vCPUs, other than `vcpu`, that were left in the middle of a guest instruction."""
    last = {event.actor: event.instruction for event in trace.events}
    return tuple(
        other
        for other, op in trace.waiting.items()
        if other != vcpu
        and op.kind is not Kind.BEGIN_EXCLUSIVE
        and (instruction := last.get(other)) is not None
        and not instruction.completed
    )


def _cycle(found: tuple[Wait, ...]) -> tuple[str, ...]:
    """Return vCPUs each of which waits for the next and the last for the first; empty if there is no cycle."""
    graph: TopologicalSorter[str] = TopologicalSorter({wait.vcpu: wait.holders for wait in found})
    try:
        graph.prepare()
    except CycleError as error:
        ring: list[str] = error.args[1]  # the next waits for each; first and last are the same
        forward = ring[:0:-1]
        start = min(range(len(forward)), key=lambda i: forward[i])
        return (*forward[start:], *forward[:start])
    return ()
