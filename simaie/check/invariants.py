"""The limits on what a scheme may ask of its host: only promised operations, and structures only under their lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simaie.dependence import STOPS_WORLD
from simaie.finding import Finding
from simaie.op import Cell, Kind, is_device
from simaie.protocols import Promise
from simaie.trace import Event, Trace

__all__ = ["host_operations", "unguarded_update"]

HOST, UNGUARDED = "host-operations", "unguarded-update"
_LOCK, _UNLOCK, _UPDATE = Kind.LOCK, Kind.UNLOCK, Kind.UPDATE
_RAM_ATOMICS = frozenset(
    {Kind.CAS, Kind.EXCHANGE, Kind.FETCH, Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION}
)
_SUSPICIOUS = STOPS_WORLD | _RAM_ATOMICS


def host_operations(trace: Trace) -> Iterable[Finding]:
    """Find host atomics on guest RAM and stopped worlds, under a scheme that promises to need only mutexes.

    Atomics on the emulator's own cells, one pointer wide, are part of the promise; so is what a device does past the
    scheme. An instruction with two locations may stop the world: one mutex cannot protect both. One finding per
    operation.
    """
    if Promise.MUTEXES_ONLY not in trace.promises or _SUSPICIOUS.isdisjoint(trace.kinds):
        return ()
    return _forbidden(trace)


def unguarded_update(trace: Trace) -> Iterable[Finding]:
    """Find compound accesses to a structure without the mutex that guards it; judged for every scheme.

    A structure without a guard is not judged. Vcpus: the actor of the access, and the vCPU that held the guard at that
    moment, if any. The holder depends on the moment, since taking the guard does not conflict with the access.
    """
    return _unguarded(trace) if _UPDATE in trace.kinds else ()


def _forbidden(trace: Trace) -> Iterator[Finding]:
    for step, event in enumerate(trace.events):
        op = event.op
        if _is_direct(event):
            continue
        stops = op.kind in STOPS_WORLD and not _has_two_locations(event)
        if stops or (op.kind in _RAM_ATOMICS and op.cell is None):
            yield Finding(
                HOST,
                f"vCPU {event.actor} needed the host operation {op.kind.name.lower().replace('_', '-')} "
                f"in {event.instruction}; the scheme promises to use mutexes only",
                steps=(step,),
                addresses=(op.address,) if op.width else (),
                vcpus=(event.actor,),
            )


def _has_two_locations(event: Event) -> bool:
    """Whether an operation belongs to an instruction that accesses two locations indivisibly."""
    return event.instruction is not None and event.instruction.second is not None


def _is_direct(event: Event) -> bool:
    """Whether an operation is a device's direct access to memory, which is not the scheme's."""
    return is_device(event.actor) and event.instruction is not None and event.instruction.mnemonic.startswith("dma-")


def _unguarded(trace: Trace) -> Iterator[Finding]:
    holders: dict[Cell, str] = {}
    for step in trace.mutex_steps:
        event = trace.events[step]
        kind, cell = event.op.kind, event.op.cell
        if cell is None:
            continue
        if kind is _LOCK:
            holders[cell] = event.actor
        elif kind is _UNLOCK:
            holders.pop(cell, None)
        elif kind is _UPDATE and cell.guard is not None and holders.get(cell.guard) != event.actor:
            holder = holders.get(cell.guard)
            state = "is free" if holder is None else f"is held by vCPU {holder}"
            yield Finding(
                UNGUARDED,
                f"vCPU {event.actor} accessed {cell.name} without its guard: {cell.guard.name} {state}",
                steps=(step,),
                addresses=(event.instruction.address,) if event.instruction is not None else (),
                vcpus=(event.actor,) if holder is None else (event.actor, holder),
            )
