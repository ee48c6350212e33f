"""An instruction returned what it read, and left in its location what it was asked to leave there.

Judged is each completed instruction by its own operations alone, with the values that these saw; whether others came in
between is for the other checkers. Of every byte of its location:

- a load returns what one of its reads saw, and a load-linked too; neither changes the byte;
- a store, and a store-conditional that says that it stored, wrote the byte of its value last;
- a store-conditional that says that it did not store wrote at most what it had read there;
- a read-modify-write returns what the read saw on which its last write rests, and left what its function makes of that;
  where that is what was there, it need not write: a failed compare-and-exchange may write the old value back or not.

An operation may be wider than its instruction if it writes to the bytes around only what it has read there. A store
that waits in a buffer is written, and a load that the buffer answers has read. An instruction for which the scheme
performed no operation at all is judged too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from simaie.check.evidence import instruction_at
from simaie.check.location import Location, Mapping
from simaie.finding import Finding
from simaie.op import Function, Kind
from simaie.trace import AccessKind, Effect, Event, Instruction, Trace

__all__ = ["instruction_results"]

KIND = "instruction-results"
_OTHER, _STORE, _CONDITIONAL = AccessKind.OTHER, AccessKind.STORE, AccessKind.STORE_CONDITIONAL
_LOADS = frozenset({AccessKind.LOAD, AccessKind.LOAD_LINKED})


def instruction_results(trace: Trace) -> Iterable[Finding]:
    """One finding for each completed instruction that returned or left another value than it should have."""
    return _judge(trace) if trace.indirect or trace.silent else ()


def _judge(trace: Trace) -> Iterator[Finding]:
    mapping = Mapping(trace)
    suspects = {event.instruction for event in trace.indirect}
    for instruction, steps in trace.instructions:
        if instruction in suspects and _has_result(instruction):
            events = [trace.events[step] for step in steps]
            if trace.frames or len(events) > 1 or not _is_exact(events[0], instruction):
                yield from _judge_one(mapping, instruction, steps, events)
    for instruction in trace.silent:
        if _has_result(instruction):
            yield from _judge_one(mapping, instruction, (), ())


def _has_result(instruction: Instruction) -> bool:
    """Whether it has one that can be judged: traces made by hand may lack it."""
    access, result = instruction.access, instruction.result
    if access is _OTHER or not instruction.completed:
        return False
    if access is _STORE:
        return isinstance(instruction.effect, int)
    if access is _CONDITIONAL:
        return isinstance(instruction.effect, int) and isinstance(result, bool)
    return isinstance(result, int)


def _is_exact(event: Event, instruction: Instruction) -> bool:
    """Whether the one operation of an instruction is the host's operation of the same meaning: most often it is."""
    op, effect = event.op, instruction.effect
    kind = op.kind
    if kind is Kind.BUFFER:
        op = op.value
        return op.value is effect and (op.address, op.width) == (instruction.address, instruction.width)
    if (op.address, op.width) != (instruction.address, instruction.width) or event.value != instruction.result:
        return False
    if kind is Kind.FETCH:
        return op.function is effect
    if kind is Kind.CAS:
        return instruction.access is not _CONDITIONAL and effect == (op.expected, op.value)
    return kind is Kind.STORE_CONDITIONAL and op.value == effect


def _judge_one(
    mapping: Mapping, instruction: Instruction, steps: Sequence[int], events: Sequence[Event]
) -> Iterator[Finding]:
    location = Location(mapping, instruction, steps, events)
    problem = _problem(instruction, location)
    if problem:
        accesses = location.accesses
        yield Finding(
            KIND,
            f"{instruction_at(instruction, instruction.address)} {problem}",
            steps=tuple(dict.fromkeys(access.step for access in accesses)) or tuple(steps),
            addresses=tuple(dict.fromkeys(access.address for access in accesses)) or (instruction.address,),
            vcpus=(instruction.vcpu,),
        )


def _problem(instruction: Instruction, location: Location) -> str:
    """What is wrong with it, empty if nothing."""
    access, effect, result = instruction.access, instruction.effect, instruction.result
    if location.changed(beside=True):
        return "changed bytes beside its location"
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
    return f"wrote {location.left or 'nothing'} to its location, not {wanted:#x}"


def _not_made(location: Location, old: int, effect: Effect) -> str:
    """Whether what the location was left with is not what `effect` makes of `old`."""
    if effect is None:
        return ""
    new = _made(old, effect)
    for (at, before), (_, after) in zip(location.parts(old), location.parts(new), strict=True):
        if location.left.get(at, before) != after:
            left = f"left {location.left}" if location.left else "wrote nothing"
            return f"returned {old:#x} and {left}, where it should have left {new & location.mask:#x}"
    return ""


def _made(old: int, effect: Effect) -> int:
    if isinstance(effect, Function):
        made: int = effect.apply(old)
        return made
    if isinstance(effect, tuple):
        expected, new = effect
        return new if old == expected else old
    assert effect is not None
    return effect
