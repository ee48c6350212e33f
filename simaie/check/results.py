"""Results of instructions: each returned what it read, and left in its location what it was asked to leave there.

Each completed instruction is judged by its own operations alone, with the values that these saw; other checkers judge
what came in between. For every byte of its location:

- a load or load-linked returns what one of its reads saw, and does not change the byte;
- a store, or a store-conditional that reports success, last wrote the byte of its value;
- a store-conditional that reports failure wrote at most what it had read there;
- a read-modify-write returns the value of the read under its last write, and left what its function makes of that
  value; if that is the old value, it need not write: a failed compare-and-exchange may write the old value back or not.

An operation may be wider than its instruction if it writes to the surrounding bytes only what it has read there. A
store that waits in a buffer counts as written, and a load that the buffer answers counts as read. An instruction for
which the scheme performed no operation at all is judged too. An instruction of two locations is not judged, nor is one
under a scheme with transactions of the host, where another instruction performs its store, or none after a roll-back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simaie.check.evidence import instruction_at
from simaie.check.location import Identity, Location, Mapping
from simaie.check.plain_results import made_of, plainly_right
from simaie.finding import Finding
from simaie.host.ram import Endian
from simaie.op import Role
from simaie.trace import AccessKind, Effect, Event, Instruction, Trace

__all__ = ["has_result", "instruction_results", "is_right"]

KIND = "instruction-results"
_OTHER, _STORE, _CONDITIONAL = AccessKind.OTHER, AccessKind.STORE, AccessKind.STORE_CONDITIONAL
_LOADS = frozenset({AccessKind.LOAD, AccessKind.LOAD_LINKED})


def instruction_results(trace: Trace) -> Iterable[Finding]:
    """Find completed instructions that returned or left a value other than they should have."""
    return _judge(trace) if trace.indirect or trace.silent else ()


def _judge(trace: Trace) -> Iterator[Finding]:
    suspects: dict[Instruction | None, list[Event]] = {event.instruction: [] for event in trace.indirect}
    suspects |= {instruction: [] for instruction in trace.silent}
    for event in trace.events:
        own = suspects.get(event.instruction)
        if own is not None:
            own.append(event)
    mapping = Mapping(trace)
    for instruction, events in suspects.items():
        assert instruction is not None
        if any(event.op.cell is not None and event.op.cell.role is Role.TRANSACTIONS for event in events):
            continue
        if has_result(instruction) and (trace.frames or not plainly_right(instruction, events, trace.endian)):
            yield from _judge_one(trace, mapping, instruction, events)


def has_result(instruction: Instruction) -> bool:
    """Whether the instruction has a result to judge: traces made by hand may lack it."""
    access, result = instruction.access, instruction.result
    if access is _OTHER or not instruction.completed or instruction.second is not None:
        return False
    if access is _STORE:
        return isinstance(instruction.effect, int)
    if access is _CONDITIONAL:
        return isinstance(instruction.effect, int) and isinstance(result, bool)
    return isinstance(result, int)


def is_right(instruction: Instruction, events: Sequence[Event], endian: Endian) -> bool:
    """Whether `instruction` is certainly right, whatever others do to the page table.

    Args:
        instruction: The instruction, which has a result.
        events: Its events.
        endian: Byte order of guest RAM.
    """
    if plainly_right(instruction, events, endian):
        return True
    location = Location(Identity(endian), instruction, events)
    return all(access.mapped for access in location.accesses) and not _problem(instruction, location)


def _judge_one(
    trace: Trace, mapping: Mapping, instruction: Instruction, events: Sequence[Event]
) -> Iterator[Finding]:
    location = Location(mapping, instruction, events)
    problem = _problem(instruction, location)
    if problem:
        guilty = [access.event for access in location.accesses] or events
        steps = [step for step, event in enumerate(trace.events) if event in guilty]  # an event equals itself only
        addresses = [access.address for access in location.accesses] or [instruction.address]
        yield Finding(
            KIND,
            f"{instruction_at(instruction, instruction.address)} {problem}",
            steps=tuple(steps),
            addresses=tuple(dict.fromkeys(addresses)),
            vcpus=(instruction.vcpu,),
        )


def _problem(instruction: Instruction, location: Location) -> str:
    """Return what is wrong with the instruction; empty if nothing is."""
    access, effect, result = instruction.access, instruction.effect, instruction.result
    if location.changed(outside=True):
        return "changed bytes outside its location"
    if access in _LOADS:
        return _misread(location, result) or ("changed its location" if location.changed() else "")
    if access is _STORE:
        return _not_stored(location, effect)
    if access is _CONDITIONAL:
        if result:
            said = _not_stored(location, effect)
            return f"said that it had stored, but {said}" if said else ""
        return f"said that it had not stored, but wrote {location.left}" if location.changed() else ""
    return _misread(location, result) or _not_made(location, result, effect)


def _misread(location: Location, result: int) -> str:
    for at, part in location.parts(result):
        if part not in location.readable(at):
            return f"returned {result:#x}, but " + (f"read {location.read}" if location.read else "read nothing there")
    return ""


def _not_stored(location: Location, effect: Effect) -> str:
    assert isinstance(effect, int)
    if all(location.left.get(at) == part for at, part in location.parts(effect)):
        return ""
    wanted = effect & location.mask
    return f"wrote {location.left or 'nothing'} to its location instead of {wanted:#x}"


def _not_made(location: Location, old: int, effect: Effect) -> str:
    """Return the error if the location was left with a value other than `effect` makes of `old`; else empty."""
    if effect is None:
        return ""
    new = made_of(old, effect)
    for (at, before), (_, after) in zip(location.parts(old), location.parts(new), strict=True):
        if location.left.get(at, before) != after:
            left = f"left {location.left}" if location.left else "wrote nothing"
            return f"returned {old:#x} and {left}, where it should have left {new & location.mask:#x}"
    return ""
