"""Mistakes with the blocks of a guest's heap: accesses after `free`, and wrong calls of `free`.

Compiled programs allocate by an instruction called ``malloc``, which stores the header of the block, and free by
instructions called ``free``: the first changes the header, the others fill the block (see `simaie.guest.heap`). From
the first on, no other access to the block is right: memory is never taken twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simaie.finding import Finding
from simaie.guest.heap import FREE, HEADER, MALLOC, HeapBlock, is_freed, size_in
from simaie.trace import AccessKind, Event, Instruction, Trace

__all__ = ["double_free", "use_after_free"]


def use_after_free(trace: Trace) -> Iterable[Finding]:
    """Find each guest instruction that accesses a block after it was freed; one finding for each block."""
    return list(_uses(trace)) if _frees(trace) else ()


def double_free(trace: Trace) -> Iterable[Finding]:
    """Find second frees of a block, and frees of addresses that `malloc` did not return."""
    return list(_wrong(trace)) if _frees(trace) else ()


class _Block(NamedTuple):
    """A block: its first address, its size, and the words and the step (if it is one) of its allocation."""

    start: int
    size: int
    origin: str
    step: int | None = None

    def contains(self, address: int) -> bool:
        return self.start <= address < self.start + max(self.size, 1)

    def overlaps(self, event: Event) -> bool:
        return event.op.address < self.start + self.size and self.start < event.op.address + event.op.width

    def __str__(self) -> str:
        return f"the block of {self.size} bytes at {self.start:#x}, {self.origin}"


def _frees(trace: Trace) -> bool:
    return any(event.instruction is not None and event.instruction.mnemonic == FREE for event in trace.events)


def _uses(trace: Trace) -> Iterator[Finding]:
    known = _Heap(trace)
    freed: dict[int, tuple[_Block, int]] = {}  # its first address -> a block, and the step that freed it
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None or not event.op.width:
            continue
        if instruction.mnemonic == FREE:
            block = known.freed_by(instruction)
            if block is not None:
                freed.setdefault(block.start, (block, step))
            continue
        for start in [start for start, (block, _) in freed.items() if block.overlaps(event)]:
            block, before = freed.pop(start)
            by = _instruction(trace, before)
            yield Finding(
                "use-after-free",
                f"vCPU {instruction.vcpu}'s {instruction} accesses {block}, which vCPU {by.vcpu} had freed{by.at}",
                steps=(before, step),
                vcpus=tuple(dict.fromkeys((instruction.vcpu, by.vcpu))),
            )


def _wrong(trace: Trace) -> Iterator[Finding]:
    known = _Heap(trace)
    freed: dict[int, int] = {}  # the first address of a block -> the step that freed it
    for step, event in enumerate(trace.events):
        instruction = event.instruction
        if instruction is None or instruction.mnemonic != FREE or instruction.access is AccessKind.STORE:
            continue
        if instruction.access is AccessKind.OTHER:
            yield _invalid(known, instruction, int(instruction.effect or 0), step)  # type: ignore[arg-type]  # as `free` notes it
            continue
        start = instruction.address + HEADER
        if known.freed_by(instruction) is not None:
            freed[start] = step
        elif instruction.completed and is_freed(instruction.result, start, instruction.width):
            yield _second(trace, known, step, freed.get(start))
        elif instruction.completed:
            yield _invalid(known, instruction, start, step)


class _Heap:
    """The blocks of an execution, which were allocated in it or before."""

    def __init__(self, trace: Trace) -> None:
        self._blocks: dict[int, _Block] = {}
        for step, event in enumerate(trace.events):
            instruction = event.instruction
            if instruction is None:
                continue
            if instruction.mnemonic == MALLOC and type(instruction.effect) is int:
                self._allocate(instruction, step)
            elif instruction.mnemonic == FREE and instruction.place is not None:
                self._note(getattr(instruction.place, "block", None))

    def _allocate(self, instruction: Instruction, step: int) -> None:
        start = instruction.address + HEADER
        size = size_in(instruction.effect, start, instruction.width)  # type: ignore[arg-type]  # a number, see above
        if size is not None:
            origin = f"which vCPU {instruction.vcpu} had allocated{instruction.at}"
            self._blocks[start] = _Block(start, size, origin, step)

    def _note(self, block: HeapBlock | None) -> None:
        if block is not None:
            origin = f"which was allocated at {block.place} before the threads began"
            self._blocks[block.start] = _Block(block.start, block.size, origin)

    def freed_by(self, instruction: Instruction) -> _Block | None:
        """Return the block that an instruction freed, if it freed one."""
        if instruction.access is not AccessKind.ATOMIC or type(instruction.result) is not int:
            return None
        start = instruction.address + HEADER
        size = size_in(instruction.result, start, instruction.width)
        return None if size is None else self.block(start, size)

    def block(self, start: int, size: int) -> _Block:
        """Return the block at an address."""
        return self._blocks.get(start) or _Block(start, size, "which was allocated before the threads began")

    def around(self, address: int) -> _Block | None:
        """Return the block that contains an address."""
        return next((block for block in self._blocks.values() if block.contains(address)), None)


def _second(trace: Trace, known: _Heap, step: int, first: int | None) -> Finding:
    instruction = _instruction(trace, step)
    block = known.block(instruction.address + HEADER, instruction.result & 0xFFFF)
    by = None if first is None else _instruction(trace, first)
    before = "was freed before the threads began" if by is None else f"vCPU {by.vcpu} had freed{by.at}"
    return Finding(
        "double-free",
        f"vCPU {instruction.vcpu}'s free{instruction.at} frees a second time {block}, and which {before}",
        steps=_steps(block.step, first, step),
        vcpus=tuple(dict.fromkeys((instruction.vcpu, *(() if by is None else (by.vcpu,))))),
    )


def _invalid(known: _Heap, instruction: Instruction, address: int, step: int) -> Finding:
    block = known.around(address)
    name = instruction.place.location(address) if instruction.place is not None else ""
    what = f"{address:#x} ({name})" if name else f"{address:#x}"
    if block is None:
        why = "which malloc did not return"
    elif address == block.start:
        why = f"the beginning of {block}, whose header was overwritten"
    else:
        why = f"{address - block.start} bytes into {block}"
    return Finding(
        "invalid-free",
        f"vCPU {instruction.vcpu}'s free{instruction.at} frees {what}, {why}",
        steps=_steps(None if block is None else block.step, step),
        vcpus=(instruction.vcpu,),
    )


def _steps(*steps: int | None) -> tuple[int, ...]:
    return tuple(step for step in steps if step is not None)


def _instruction(trace: Trace, step: int) -> Instruction:
    found = trace.events[step].instruction
    assert found is not None
    return found
