"""Torn loads, data races, and instructions or calls that did not take effect one after the other."""

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
    """Explain a load of which one part is from before a store and another from after it."""
    reads = [step for step in finding.steps if trace.events[step].reads_ram]
    writes = [step for step in finding.steps if trace.events[step].writes_ram]
    if not reads or not writes:
        return ""
    load, store = trace.events[reads[0]], trace.events[writes[0]]
    got = getattr(load.instruction, "result", None)
    result = f" Its result {got:#x}" if isinstance(got, int) else " Its result"
    return (
        f"The architecture guarantees that {instruction_of(load)} sees all of {instruction_of(store)} or nothing. "
        f"The emulator used several host accesses: {'; '.join(said(trace, step) for step in finding.steps)}."
        f"{result} is partly old and partly new: neither a lock nor a host access as wide as the guest's keeps the "
        "parts together."
    )


def data_race(trace: Trace, finding: Finding) -> str:
    """Explain two accesses that nothing puts in order."""
    first, second = finding.steps[:2]
    return (
        f"{said(trace, first)}; {said(trace, second)}. They touch the same bytes, and no lock, fence or atomic of the "
        f"guest orders {actor_of(trace.events[first])} before {actor_of(trace.events[second])}: they could as well "
        "have happened the other way round."
    )


def linearizability(trace: Trace, finding: Finding) -> str:
    """Explain calls that did not take effect one after the other, by the conflicts of their operations."""
    copied = copy.copy(trace)
    copied.blocks = tuple(Block(call.vcpu, call.name, call.first, call.after) for call in trace.calls)
    last = max(finding.steps, default=len(trace))
    for cause in atomic_blocks(copied):
        steps = cause.steps[:3]
        if len(cause.steps) == 3 and min(steps) <= last:
            order = "; ".join(f"{said(trace, step)}{_in_call(trace, step)}" for step in steps)
            return f"Calls did not take effect one after the other. {order}. {_pattern(trace, steps)}"
    return "Two calls overlap if one has a step between the first and the last step of the other."


def _in_call(trace: Trace, step: int) -> str:
    event = trace.events[step]
    number = None if event.instruction is None else event.instruction.number
    for call in trace.calls:
        if number is not None and call.vcpu == owner(event) and call.holds(number):
            return clean(f" in {call}")
    return ""


def _pattern(trace: Trace, steps: Sequence[int]) -> str:
    """Return what it means that the second access, of another vCPU, came between the first and the third."""
    before, between, after = (trace.events[step] for step in steps)
    mine, other = actor_of(before), actor_of(between)
    if after.op.kind is Kind.CAS and after.wrote and after.op.expected == before.value:
        value = format_value(after.op.expected)
        return (
            f"{mine}'s compare-and-swap found {value} again where it had read {value}, and succeeded as if nothing had "
            "changed: A-B-A."
        )
    if between.writes_ram and after.writes_ram:
        return f"{mine} overwrote what {other} had written, without having read it: a lost update."
    if between.writes_ram and before.writes_ram:
        return f"{mine} did not read back what it had written, but what {other} wrote."
    if between.writes_ram:
        return f"{mine} saw the state from before {other}'s write and the state from after it."
    return f"{other} saw the state in the middle of {mine}'s change."


def unserializable(trace: Trace, finding: Finding) -> str:
    """Explain a cycle: its operations in order, what they mean, and which locks were held meanwhile."""
    order = "; ".join(said(trace, step) for step in finding.steps[:8])
    meaning = f" {_pattern(trace, finding.steps)}" if len(finding.steps) == 3 else ""
    return f"In order: {order}.{meaning} {_locks_held(trace, finding.steps[:8])}"


def _locks_held(trace: Trace, steps: Sequence[int]) -> str:
    """Return which locks each vCPU held at its own of `steps`; steps under the same locks are listed together."""
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
