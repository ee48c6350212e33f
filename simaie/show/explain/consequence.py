"""How a refused outcome hangs together with the other findings: what they left is what the outcome is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simaie.dependence import block_of, share_byte
from simaie.finding import Finding
from simaie.show.explain.phrases import at, instruction_of, stored_value
from simaie.show.format import clean, value_words
from simaie.trace import Trace, watched_address

__all__ = ["Left", "consequence", "last_writes"]


class Left(NamedTuple):
    """A part of the outcome, and the step that left it so. told: in words."""

    told: str
    step: int
    address: int


def last_writes(trace: Trace) -> Iterator[Left]:
    """Of each watched place that was written to, the last write."""
    for name, _ in trace.outcome.items:
        address = watched_address(name)
        if address is None:
            continue
        for step in reversed(trace.ram_writes.get(block_of(address), ())):
            event = trace.events[step]
            if share_byte(event.op.address, event.op.width, address, 1):
                told = f"{name} ends as {instruction_of(event)} left it, which stored {stored_value(event)} {at(step)}"
                yield Left(told, step, address)
                break


def consequence(trace: Trace, findings: Iterable[tuple[int, Finding]]) -> str:
    """Which of `findings`, each with its number, the outcome comes of; empty if none has to do with it."""
    findings = list(findings)
    writes = list(last_writes(trace))
    for number, other in findings:
        torn = other.kind == "single-copy-atomicity"  # of which the load is the victim
        left = [*_observed(trace, other), *writes] if torn else [*writes, *_observed(trace, other)]
        guilty = next((part for part in left if part.step in other.steps), None)
        if guilty is not None:
            return f"A consequence of finding {number}: {guilty.told}."
    for number, other in findings:
        again = next((part for part in writes if part.address in other.addresses), None)
        if again is not None:
            return (
                f"Probably a consequence of finding {number}, which is about the same bytes; they were written again "
                f"since: {again.told}."
            )
    return ""


def _observed(trace: Trace, finding: Finding) -> Iterator[Left]:
    """What was observed of the loads that `finding` names."""
    for step in finding.steps:
        event = trace.events[step]
        instruction = event.instruction
        if instruction is None or not event.reads_ram:
            continue
        for name, value in trace.outcome.items:
            if name.startswith(f"{instruction.vcpu}:") and value == instruction.result:
                what = f"{clean(name)} is {value_words(value)}"
                yield Left(f"{what}, which is what came of {instruction_of(event)} {at(step)}", step, event.op.address)
