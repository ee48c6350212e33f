"""Torn loads, races, and instructions that no order of whole ones explains."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from simaie.block import Block
from simaie.check.evidence import owner
from simaie.check.serializability import atomic_blocks
from simaie.finding import Finding
from simaie.op import Kind
from simaie.show.explain.phrases import actor_of, at, instruction_of, said
from simaie.show.explain.protection import held_at, holding
from simaie.show.format import clean, format_value
from simaie.trace import Trace

__all__ = ["data_race", "linearizability", "single_copy", "unserializable"]


def single_copy(trace: Trace, finding: Finding) -> str:
    """Parts of one load from before and from after a store."""
    reads = [step for step in finding.steps if trace.events[step].reads_ram]
    writes = [step for step in finding.steps if trace.events[step].writes_ram]
    if not reads or not writes:
        return ""
    load, store = trace.events[reads[0]], trace.events[writes[0]]
    got = getattr(load.instruction, "result", None)
    whole = f" It came out as {got:#x}, which" if isinstance(got, int) else " That"
    return (
        f"The architecture guarantees that {instruction_of(load)} sees all of {instruction_of(store)} or nothing. "
        f"The emulator made several host accesses of it: {'; '.join(said(trace, step) for step in finding.steps)}."
        f"{whole} is partly old and partly new: nothing keeps the parts of one access together, neither a lock nor a "
        "host access as wide as the guest's."
    )


def data_race(trace: Trace, finding: Finding) -> str:
    """Two accesses that could as well have come in the other order."""
    first, second = finding.steps[:2]
    return (
        f"{said(trace, first)}; {said(trace, second)}. They touch the same bytes, and no lock, fence or atomic of the "
        f"guest's leads from {actor_of(trace.events[first])} to {actor_of(trace.events[second])}: they could as well "
        "have come the other way round."
    )


def linearizability(trace: Trace, finding: Finding) -> str:
    """The calls that did not take effect one after the other, by the conflicts of their operations."""
    whole = copy.copy(trace)
    whole.blocks = tuple(Block(call.vcpu, call.name, call.first, call.after) for call in trace.calls)
    last = max(finding.steps, default=len(trace))
    for cause in atomic_blocks(whole):
        steps = cause.steps[:3]
        if len(cause.steps) == 3 and min(steps) <= last:
            told = "; ".join(f"{said(trace, step)}{_in_call(trace, step)}" for step in steps)
            return f"Calls did not take effect one after the other. {told}. {_pattern(trace, steps)}"
    return "The calls that overlap are those between whose first and last steps another's stand."


def _in_call(trace: Trace, step: int) -> str:
    event = trace.events[step]
    number = None if event.instruction is None else event.instruction.number
    for call in trace.calls:
        if number is not None and call.vcpu == owner(event) and call.holds(number):
            return clean(f" in {call}")
    return ""


def _pattern(trace: Trace, steps: Sequence[int]) -> str:
    """What it means that the second access, another's, came between the first and the third."""
    before, between, after = (trace.events[step] for step in steps)
    mine, other = actor_of(before), actor_of(between)
    if after.op.kind is Kind.CAS and after.wrote and after.op.expected == before.value:
        value = format_value(after.op.expected)
        return (
            f"{mine}'s compare-and-swap found {value} again where it had read {value}, and took that for untouched: "
            "A-B-A."
        )
    if between.writes_ram and after.writes_ram:
        return f"{mine} stored over what {other} had written, without having seen it: a lost update."
    if between.writes_ram and before.writes_ram:
        return f"{mine} did not read back what it had written, but what {other} had."
    if between.writes_ram:
        return f"{mine} saw the state from before {other}'s write, and that from after it."
    return f"{other} saw the state in the middle of {mine}'s change."


def unserializable(trace: Trace, finding: Finding) -> str:
    """The operations of the cycle in order, what that means, and which locks were held meanwhile."""
    told = "; ".join(said(trace, step) for step in finding.steps[:8])
    meaning = f" {_pattern(trace, finding.steps)}" if len(finding.steps) == 3 else ""
    return f"In order: {told}.{meaning} {_locks_held(trace, finding.steps[:8])}"


def _locks_held(trace: Trace, steps: Sequence[int]) -> str:
    """Which locks each vCPU held at its own of `steps`; steps under one lock are told together if it kept it."""
    during: dict[str, dict[tuple[tuple[str, int], ...], list[int]]] = {}  # vCPU -> locks and since when -> steps
    for step in steps:
        event = trace.events[step]
        held = tuple(held_at(trace, owner(event), step + 1).items())
        during.setdefault(actor_of(event), {}).setdefault(held, []).append(step)
    if not any(any(locks) for locks in during.values()):
        return "No lock was held at any of these steps."
    parts = [
        f"{vcpu} {holding(dict(locks)) if locks else 'held no lock'} {at(*own)}"
        for vcpu, held in during.items()
        for locks, own in held.items()
    ]
    return f"Locks meanwhile: {'; '.join(parts)}."
