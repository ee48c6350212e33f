"""The rows where blocks of guest code, calls and atomic blocks, begin and end in a trace."""

from __future__ import annotations

from collections import defaultdict

from simaie.block import Block, Call
from simaie.show.format import clean, is_drain
from simaie.trace import Trace

__all__ = ["block_rows", "steps_of"]

#: By step, the texts to show before it, or after it.
Texts = dict[int, list[str]]


def block_rows(trace: Trace) -> tuple[Texts, Texts]:
    """Return the texts of blocks that begin before a step and that end after one; a block without steps has none."""
    begins: Texts = {}
    ends: Texts = {}
    if not trace.blocks:
        return begins, ends
    for block, steps in steps_of(trace):
        if not steps:
            continue
        begins.setdefault(steps[0], []).append(_begins(block))
        if block.after is not None:
            ends.setdefault(steps[-1], []).insert(0, _ends(block))
    return begins, ends


def steps_of(trace: Trace) -> list[tuple[Block, list[int]]]:
    """Return the blocks of `trace`, each with the steps that its vCPU took in it, without drains of its stores."""
    by_vcpu: dict[str, list[tuple[int, int]]] = defaultdict(list)
    callers = {block.vcpu for block in trace.blocks}
    for step, event in enumerate(trace.events):
        if event.actor in callers and event.instruction is not None and not is_drain(event):
            by_vcpu[event.actor].append((step, event.instruction.number))
    return [(block, [step for step, number in by_vcpu[block.vcpu] if block.holds(number)]) for block in trace.blocks]


def _begins(block: Block) -> str:
    if isinstance(block, Call):
        return clean(f"call {block.name}({', '.join(map(repr, block.args))})")
    return clean(f"begin atomic {block.name}")


def _ends(block: Block) -> str:
    if isinstance(block, Call):
        return clean(f"return {block}" if block.completed else f"left {block.name} without a result")
    return clean(f"end atomic {block.name}")
