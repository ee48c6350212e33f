"""A fast test of instructions whose operations are all on their location, or on equal parts of it, as most are.

It covers only the simplest cases of the rules of `simaie.check.results`, which examines the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from simaie.host.ram import Endian
from simaie.op import Function, Kind
from simaie.trace import AccessKind, Effect, Event, Instruction

__all__ = ["made_of", "plainly_right"]

# Looked up once, not per operation.
_LOAD, _STORE, _CAS, _FETCH, _BUFFER = Kind.LOAD, Kind.STORE, Kind.CAS, Kind.FETCH, Kind.BUFFER
_LOAD_LINKED, _STORE_CONDITIONAL = Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL
_STORES, _CONDITIONAL, _ATOMIC = AccessKind.STORE, AccessKind.STORE_CONDITIONAL, AccessKind.ATOMIC
_Parts = dict[int, Any]  # by offset from the location's address


def plainly_right(instruction: Instruction, events: Sequence[Event], endian: Endian) -> bool:
    """Whether `instruction`, performed by `events`, is certainly correct; False if it needs a full examination.

    Args:
        instruction: The instruction.
        events: Its events.
        endian: Byte order of guest RAM.
    """
    if len(events) == 1 and _is_the_same(events[0], instruction):
        return True
    seen: _Parts = {}
    before: _Parts = {}  # the value read under the last write
    left: _Parts = {}
    width, address = 0, instruction.address
    for event in events:
        op, value = event.op, event.value
        if not op.width:
            if op.kind is not _BUFFER:
                continue
            op = op.value
        elif event.actor != instruction.vcpu:  # the drain of what was buffered
            continue
        if op.width != width:
            if width:
                return False
            width = op.width
        kind, at = op.kind, op.address - address
        if kind is _LOAD or kind is _LOAD_LINKED:
            seen[at] = value
        elif kind is _STORE:
            before[at], left[at] = seen.get(at), op.value
        elif kind is _CAS:
            seen[at] = value
            if value == op.expected:
                before[at], left[at] = value, op.value
        elif kind is _STORE_CONDITIONAL:
            if value == 1:
                before[at], left[at] = seen.get(at), op.value
        else:
            return False
    if width == instruction.width:
        return _agrees_as_a_whole(instruction, seen, before, left)
    return width > 0 and _agrees_in_parts(instruction, width, endian, seen, before, left)


def _is_the_same(event: Event, instruction: Instruction) -> bool:
    """Whether the single operation of an instruction is the host's operation of the same meaning."""
    op, effect = event.op, instruction.effect
    if op.address != instruction.address or op.width != instruction.width or event.value != instruction.result:
        return False
    if op.kind is _FETCH:
        return op.function is effect
    return op.kind is _CAS and instruction.access is _ATOMIC and effect == (op.expected, op.value)


def _agrees_as_a_whole(instruction: Instruction, seen: _Parts, before: _Parts, left: _Parts) -> bool:
    if any(seen) or any(left):
        return False  # at another address
    effect, result = instruction.effect, instruction.result
    if _must_store(instruction):
        return bool(left.get(0) == effect)
    if instruction.access is _CONDITIONAL:
        return bool(left.get(0) == before.get(0))
    if left:
        return bool(result == before[0] and made_of(result, effect) == left[0])
    return bool(result == seen.get(0) == made_of(result, effect))


def _agrees_in_parts(
    instruction: Instruction, width: int, endian: Endian, seen: _Parts, before: _Parts, left: _Parts
) -> bool:
    """Whether each part of `width` bytes was read and written as asked."""
    whole, result, effect = instruction.width, instruction.result, instruction.effect
    places = _layout(whole, width, endian)
    if not places or not (seen.keys() <= places.keys() and left.keys() <= places.keys()):
        return False
    mask = (1 << 8 * width) - 1
    if _must_store(instruction):
        assert isinstance(effect, int)
        return left == {at: effect >> shift & mask for at, shift in places.items()}
    if instruction.access is _CONDITIONAL:
        return left == before
    made = made_of(result, effect)
    for at, shift in places.items():
        old = result >> shift & mask
        if at in left:
            if old != before[at] or left[at] != made >> shift & mask:
                return False
        elif old != seen.get(at) or old != made >> shift & mask:
            return False
    return True


@cache
def _layout(whole: int, width: int, endian: Endian) -> dict[int, int]:
    """Return offset of each part of `width` bytes -> its shift in bits in the number; empty if the parts do not fit."""
    if whole % width:
        return {}
    last = whole - width
    return {at: 8 * (at if endian == "little" else last - at) for at in range(0, whole, width)}


def _must_store(instruction: Instruction) -> bool:
    access = instruction.access
    return access is _STORES or (access is _CONDITIONAL and instruction.result is True)


def made_of(old: Any, effect: Effect) -> Any:
    """Return the value that `effect` makes of the value `old` of a location; an effect of None keeps it.

    Args:
        old: The unsigned old value.
        effect: A function, (expected, new) of a compare-and-swap, or the value to store.
    """
    if isinstance(effect, Function):
        return effect.apply(old)
    if isinstance(effect, tuple):
        expected, new = effect
        return new if old == expected else old
    return old if effect is None else effect
