"""What the modelled AIE module promises of its entries: one per granule, and only where atomics were used.

Both promises are judged under schemes with `Promise.REGISTERED_BY_ATOMICS`. A trace identifies an entry by its role,
`simaie.op.Role.ENTRY`, where a write publishes it in a slot, and by its mutex, which has the granule's address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from simaie.check.order import canonical_places
from simaie.finding import Finding
from simaie.op import Cell, Kind, Role
from simaie.protocols import Promise
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["one_entry_per_granule", "publishes_astray", "registered_by_atomics"]

ONE_ENTRY, REGISTERED = "one-entry-per-granule", "registered-by-atomics"
_REGISTERING = frozenset({AccessKind.ATOMIC, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL})
#: Without LOCK these guarantee nothing, but the module's x86 revision locks them nevertheless.
_LOCKED_ANYWAY = frozenset({"cmpxchg8b", "cmpxchg16b"})
_PUBLISHING = frozenset({Kind.CAS, Kind.STORE, Kind.EXCHANGE})
_LOCK, _FETCH, _LOAD = Kind.LOCK, Kind.FETCH, Kind.LOAD
#: Translation preserves the offset in the page: the only part of an address that is equal, virtual and physical.
_PAGE = 4096


def one_entry_per_granule(trace: Trace) -> Iterable[Finding]:
    """Find two different mutexes locked for one granule. Steps: the first lock of each."""
    return _twins(trace) if _LOCK in trace.kinds and Promise.REGISTERED_BY_ATOMICS in trace.promises else ()


def registered_by_atomics(trace: Trace) -> Iterable[Finding]:
    """Find entries published by an instruction that performs no atomic access to the granule.

    A plain store may publish one if it read a bit of the bitmap that an atomic instruction had set, since granules
    share bits.
    """
    return _strays(trace) if Promise.REGISTERED_BY_ATOMICS in trace.promises else ()


def _twins(trace: Trace) -> Iterator[Finding]:
    first: dict[Cell, int] = {}  # the first lock of each mutex of a granule: its locks conflict, so they are ordered
    for step in trace.mutex_steps:
        event = trace.events[step]
        if event.op.kind is _LOCK and event.op.cell is not None and event.op.cell.address is not None:
            first.setdefault(event.op.cell, step)
    if len({cell.address for cell in first}) == len(first):
        return
    places = canonical_places(trace)  # locks of different mutexes do not conflict
    known: dict[int, int] = {}
    for cell, step in sorted(first.items(), key=lambda item: places[item[1]]):
        assert cell.address is not None
        before = known.setdefault(cell.address, step)
        if before != step:
            yield _twin(trace, cell.address, before, step)


def _twin(trace: Trace, address: int, before: int, step: int) -> Finding:
    mine, other = trace.events[step].actor, trace.events[before].actor
    message = (
        f"vCPU {mine} locked another mutex for the granule at {address:#x} than vCPU {other} did: the two do not "
        "exclude each other"
    )
    return Finding(ONE_ENTRY, message, tuple(sorted((before, step))), (address,), (mine, other))


def _strays(trace: Trace) -> Iterator[Finding]:
    announced: set[int] = set()  # bits set by atomic instructions
    excused: set[Instruction] = set()  # instructions that read such a bit
    for step, event in enumerate(trace.events):
        op, instruction = event.op, event.instruction
        if op.cell is None:
            continue
        atomic = instruction is not None and _uses_atomically(instruction)
        if op.bit >= 0:
            if op.kind is _FETCH and atomic:
                announced.add(op.bit)
            elif op.kind is _LOAD and instruction is not None and op.bit in announced:
                excused.add(instruction)
        elif publishes_astray(event) and instruction not in excused:
            yield _stray(event, step, op.value.address)


def publishes_astray(event: Event) -> bool:
    """Whether `event` publishes an entry in an instruction that performs no atomic access to the entry's granule."""
    op, instruction = event.op, event.instruction
    if op.cell is None or op.bit >= 0 or op.kind not in _PUBLISHING or not event.wrote:
        return False
    address = _entry_address(op.value)
    if address is None:
        return False
    atomic = instruction is not None and _uses_atomically(instruction)
    return not (atomic and _touches(instruction, address, _granule(op.cell, address)))


def _uses_atomically(instruction: Instruction) -> bool:
    return instruction.access in _REGISTERING or instruction.mnemonic in _LOCKED_ANYWAY


def _entry_address(value: Any) -> int | None:
    """Return the granule address of an entry; None if `value` is not an entry."""
    return int(value.address) if getattr(value, "role", None) is Role.ENTRY else None


def _granule(slot: Cell, address: int) -> int:
    """Return the granule's size in bytes, by the index that the slot stands for; if that is 0, a page is assumed."""
    return address // slot.address if slot.role is Role.SLOT and slot.address else _PAGE


def _touches(instruction: Instruction | None, address: int, granule: int) -> bool:
    """Whether the instruction accesses the granule at `address`, as far as the offset in the page shows."""
    if instruction is None:
        return False
    around = max(_PAGE, granule)
    offset = (instruction.address - address) % around
    return offset < granule or offset + instruction.width > around


def _stray(event: Event, step: int, address: int) -> Finding:
    inside = "no instruction" if event.instruction is None else str(event.instruction)
    return Finding(
        REGISTERED,
        f"vCPU {event.actor} registered the granule at {address:#x} in {inside}, which does not use it atomically",
        steps=(step,),
        addresses=(address,),
        vcpus=(event.actor,),
    )
