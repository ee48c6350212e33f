"""Shared parts of the checkers: which event wrote a byte, and how messages describe it in the guest's terms.

A write belongs to the vCPU whose instruction it performs, even if another actor (a store buffer, say) performs it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import StrEnum

from simaie.dependence import blocks, share_byte
from simaie.host.ram import Endian
from simaie.op import Op, is_device
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = [
    "Intruder",
    "describe",
    "first_foreign_write",
    "instruction_at",
    "intruder",
    "owner",
    "read",
    "writes_to",
    "written",
]


class Intruder(StrEnum):
    """The kind of guest access that caused a foreign write."""

    PLAIN_STORE = "plain store"
    PLAIN_RMW = "unlocked read-modify-write"
    STORE_CONDITIONAL = "store-conditional"
    ATOMIC = "atomic read-modify-write"
    DEVICE = "device write (DMA)"
    OTHER = "write"

    @property
    def with_article(self) -> str:
        """The kind with its article: ``a plain store``, ``an atomic read-modify-write``."""
        return f"{'an' if self.value[0] in 'aeiou' else 'a'} {self.value}"


_BY_ACCESS = {
    AccessKind.STORE: Intruder.PLAIN_STORE,
    AccessKind.PLAIN_RMW: Intruder.PLAIN_RMW,
    AccessKind.STORE_CONDITIONAL: Intruder.STORE_CONDITIONAL,
    AccessKind.ATOMIC: Intruder.ATOMIC,
}


def owner(event: Event) -> str:
    """Return the vCPU (or device) on whose behalf the event happened."""
    return event.actor if event.instruction is None else event.instruction.vcpu


def intruder(event: Event) -> Intruder:
    """Return the kind of guest access that caused the write `event`."""
    instruction = event.instruction
    if instruction is None:
        return Intruder.OTHER
    if is_device(instruction.vcpu):
        return Intruder.DEVICE
    return _BY_ACCESS.get(instruction.access, Intruder.OTHER)


def writes_to(trace: Trace, address: int, width: int, after: int) -> Iterator[int]:
    """Yield the steps after `after` that wrote to any of the `width` bytes at `address`, in order per 8-byte block.

    Args:
        trace: The execution.
        address: Physical address.
        width: Number of bytes.
        after: Step after which to begin.
    """
    for block in blocks(address, width):
        steps = trace.ram_writes.get(block, ())
        for index in range(bisect_right(steps, after), len(steps)):
            op = trace.events[steps[index]].op
            if share_byte(op.address, op.width, address, width):
                yield steps[index]


def first_foreign_write(trace: Trace, vcpu: str, address: int, width: int, after: int, before: int) -> int | None:
    """Return the first step in a window at which an actor other than `vcpu` wrote to the bytes, or None.

    Args:
        trace: The execution.
        vcpu: Name of the vCPU whose own writes do not count.
        address: Physical address.
        width: Number of bytes.
        after: The window begins after this step.
        before: The window ends before this step.
    """
    events, first = trace.events, before
    for block in blocks(address, width):
        steps = trace.ram_writes.get(block, ())
        for index in range(bisect_right(steps, after), len(steps)):
            step = steps[index]
            if step >= first:
                break
            op = events[step].op
            if share_byte(op.address, op.width, address, width) and owner(events[step]) != vcpu:
                first = step
    return first if first < before else None


def written(event: Event, endian: Endian) -> Iterable[tuple[int, int]]:
    """Return (byte address, new byte) for each byte that the RAM write `event` wrote.

    Args:
        event: The event.
        endian: Byte order of guest RAM.
    """
    op = event.op
    return _bytes(op, op.value if op.function is None else op.function.apply(event.value), endian)


def read(event: Event, endian: Endian) -> Iterable[tuple[int, int]]:
    """Return (byte address, byte) for each byte that the RAM read `event` read.

    Args:
        event: The event.
        endian: Byte order of guest RAM.
    """
    return _bytes(event.op, event.value, endian)


def _bytes(op: Op, value: int, endian: Endian) -> Iterable[tuple[int, int]]:
    return enumerate((value & ((1 << 8 * op.width) - 1)).to_bytes(op.width, endian), op.address)


def instruction_at(instruction: Instruction, address: int) -> str:
    """Describe an instruction as in ``vCPU 0's lock xadd [0x1000]``, with the physical address if it differs.

    Args:
        instruction: The instruction.
        address: Physical address of its access.
    """
    who = "device" if is_device(instruction.vcpu) else "vCPU"
    inside = instruction.address <= address < instruction.address + max(instruction.width, 1)
    physical = "" if inside else f" (physical {address:#x})"
    return f"{who} {instruction.vcpu}'s {instruction}{physical}"


def describe(event: Event) -> str:
    """Describe a foreign write in the guest's terms."""
    if event.instruction is None:
        return f"{event.actor}'s {event.op}"
    return instruction_at(event.instruction, event.op.address)
