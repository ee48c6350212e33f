"""Accesses to memory that the program has freed.

Compiled programs free blocks by instructions called ``free``: the first exchanges the header of the block, which holds
its size, for a mark; the others fill it (see `simaie.binary.heap`). From the first on, no other access to the block is
right: memory is never taken twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simaie.finding import Finding
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["HEADER", "use_after_free"]

#: The distance from the header of a block to its content, in bytes.
HEADER = 16
_FREE = "free"


def use_after_free(trace: Trace) -> Iterable[Finding]:
    """Find each guest instruction that accesses a block after it was freed; one finding for each block."""
    if not any(event.instruction is not None and event.instruction.mnemonic == _FREE for event in trace.events):
        return ()
    return list(_uses(trace))


def _uses(trace: Trace) -> Iterator[Finding]:
    freed: dict[tuple[int, int], int] = {}  # first and last address of a block -> the step that freed it
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None or not event.op.width:
            continue
        if instruction.mnemonic == _FREE:
            if instruction.access is AccessKind.ATOMIC and type(event.value) is int:
                start = event.op.address + HEADER
                freed.setdefault((start, start + event.value), step)
            continue
        for block in [block for block in freed if _overlaps(event, block)]:
            yield _finding(trace, step, instruction, freed.pop(block), block)


def _overlaps(event: Event, block: tuple[int, int]) -> bool:
    return event.op.address < block[1] and block[0] < event.op.address + event.op.width


def _finding(trace: Trace, step: int, instruction: Instruction, free: int, block: tuple[int, int]) -> Finding:
    by = trace.events[free].instruction
    assert by is not None
    return Finding(
        "use-after-free",
        f"vCPU {instruction.vcpu}'s {instruction} accesses the block of {block[1] - block[0]} bytes at {block[0]:#x}, "
        f"which vCPU {by.vcpu} had freed{by.at}",
        steps=(free, step),
        vcpus=tuple(dict.fromkeys((instruction.vcpu, by.vcpu))),
    )
