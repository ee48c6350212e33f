"""Outcomes that the program or its architecture rejects: which steps of the execution led to them.

An outcome is often the consequence of another finding. `explore` judges each execution, including how each instruction
was carried out; `compare` judges the set of outcomes. So a finding need not lead to a forbidden outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from simaie.check import LLSC_ARCHITECTURAL, judge
from simaie.check.evidence import owner
from simaie.check.rmw import rmw_atomicity
from simaie.check.serializability import serializability
from simaie.check.single_copy import single_copy_atomicity
from simaie.dependence import block_of, overlap, share_byte
from simaie.finding import FORBIDDEN_OUTCOME, Finding
from simaie.show.explain.buffers import Overtaking, overtaken
from simaie.show.explain.conflicts import single_copy
from simaie.show.explain.context import NOTHING, Context
from simaie.show.explain.interrupted import llsc_atomicity as explain_llsc
from simaie.show.explain.interrupted import rmw_atomicity as explain_rmw
from simaie.show.explain.phrases import at, instruction_of, listed, stored_value
from simaie.show.explain.protection import helpers
from simaie.show.format import clean, format_value, is_drain
from simaie.show.reordered import early_accesses
from simaie.trace import Event, Trace, watched_address

__all__ = [
    "OUTCOMES_ONLY",
    "REFUSALS",
    "Left",
    "about_compare",
    "cause",
    "consequence",
    "guilty",
    "last_writes",
    "refused",
]


class Left(NamedTuple):
    """A part of the outcome and the step that made it.

    Attributes:
        text: Both in words.
        step: Index of the step.
        address: First byte of the part.
    """

    text: str
    step: int
    address: int


def last_writes(trace: Trace) -> Iterator[Left]:
    """Yield the last write to each watched location that was written."""
    for name, _ in trace.outcome.items:
        address = watched_address(name)
        if address is None:
            continue
        for step in reversed(trace.ram_writes.get(block_of(address), ())):
            event = trace.events[step]
            if share_byte(event.op.address, event.op.width, address, 1):
                text = f"{name} ends with the {stored_value(event)} that {instruction_of(event)} stored {at(step)}"
                yield Left(text, step, address)
                break


def consequence(trace: Trace, findings: Iterable[tuple[int, Finding]]) -> str:
    """Return which of the numbered `findings` led to the outcome; empty if no finding is related to it."""
    findings = list(findings)
    writes = list(last_writes(trace))
    for number, other in findings:
        torn = other.kind == "single-copy-atomicity"  # its victim is the load
        left = [*_observed(trace, other), *writes] if torn else [*writes, *_observed(trace, other)]
        guilty = next((part for part in left if part.step in other.steps), None)
        if guilty is not None:
            return f"A consequence of finding {number}: {guilty.text}."
    for number, other in findings:
        again = next((part for part in writes if part.address in other.addresses), None)
        if again is not None:
            return (
                f"Probably a consequence of finding {number}, which is about the same bytes; they have been written "
                f"again: {again.text}."
            )
    return ""


def _observed(trace: Trace, finding: Finding) -> Iterator[Left]:
    """Yield the observations of the loads that `finding` names."""
    for step in finding.steps:
        event = trace.events[step]
        instruction = event.instruction
        if instruction is None or not event.reads_ram:
            continue
        for name, value in trace.outcome.items:
            if name.startswith(f"{instruction.vcpu}:") and value == instruction.result:
                what = f"{clean(name)} is {format_value(value)}"
                yield Left(f"{what}, the result of {instruction_of(event)} {at(step)}", step, event.op.address)


#: Kinds of findings about the outcome, which name no step.
REFUSALS = ("final-check", FORBIDDEN_OUTCOME)
#: Of more evidence, only the first is shown.
_MOST = 3
#: Checkers that find a broken instruction, and their explanations, for use where no other finding names it.
_CAUSES = (rmw_atomicity, LLSC_ARCHITECTURAL, single_copy_atomicity)
_EXPLAINED = {"rmw-atomicity": explain_rmw, "llsc-atomicity": explain_llsc, "single-copy-atomicity": single_copy}


def refused(trace: Trace, finding: Finding, around: Context) -> str:
    """Explain a rejected outcome by another finding, else by what was not atomic or out of order, if anything."""
    others = [(number, other) for number, other in enumerate(around.findings, 1) if other.kind not in REFUSALS]
    text = consequence(trace, others) or ("" if others else cause(trace, around))
    if text:
        return text
    odd = _out_of_order(trace, around) + list(islice(_interrupted(trace), _MOST))
    return " ".join(dict.fromkeys(odd)) or _nothing_odd(trace)


def cause(trace: Trace, around: Context) -> str:
    """Return the first instruction that was not atomic although its architecture promises it; empty if all were."""
    for first in judge(trace, _CAUSES)[:1]:
        text = f"{clean(first.message)}. {_EXPLAINED[first.kind](trace, first)}"
        return f"The cause ({first.kind}): {text} {helpers(trace, first, around.scheme)}".strip()
    return ""


def _out_of_order(trace: Trace, around: Context) -> list[str]:
    """Return sentences on the stores that were overtaken; on those that misled another vCPU only, if any did."""
    some = _overtakings(trace, around)
    return [f"{each.event}.{each.effect}" for each in some] + [each.why for each in some]


def _overtakings(trace: Trace, around: Context = NOTHING) -> list[Overtaking]:
    every = list(overtaken(trace, around))
    return ([each for each in every if each.effect] or every)[:_MOST]


def guilty(trace: Trace, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return `findings`; if all are about the outcome, with the steps that led to it."""
    if any(finding.kind not in REFUSALS for finding in findings):
        return tuple(findings)
    broken = [first.steps for first in judge(trace, _CAUSES)[:1]] or [each.steps for each in _overtakings(trace)]
    broken = broken or [(step, *late) for step, late in islice(early_accesses(trace).items(), _MOST)]
    steps = tuple(sorted({step for some in broken for step in some}))
    return tuple(msgspec.structs.replace(finding, steps=finding.steps or steps) for finding in findings)


def _nothing_odd(trace: Trace) -> str:
    writes = "; ".join(left.text for left in islice(last_writes(trace), _MOST))
    if early := early_accesses(trace):
        moved = f"Not everything took effect in the order of the program {at(*sorted(early)[:_MOST])}."
        return f"{moved} {writes}." if writes else moved
    if any(serializability(trace)):
        return f"{writes}." if writes else ""
    ordered = "The instructions took effect one after the other: the program itself allows this outcome."
    return f"{ordered} {writes}." if writes else ordered


def _interrupted(trace: Trace) -> Iterator[str]:
    """Yield sentences on instructions of several accesses to RAM with a conflicting foreign access in between."""
    for instruction, steps in trace.instructions:
        accesses = [s for s in steps if trace.events[s].op.width and not is_drain(trace.events[s])]
        if len(accesses) < 2:
            continue
        events = [trace.events[s] for s in accesses]
        others = [
            step
            for step in range(accesses[0] + 1, accesses[-1])
            if owner(trace.events[step]) != instruction.vcpu and any(_conflict(trace.events[step], e) for e in events)
        ]
        writes = [step for step in others if trace.events[step].writes_ram]
        if others:
            made = f"{instruction_of(events[0])} took {len(accesses)} accesses {at(*accesses)}; in the middle,"
            yield f"{made} {listed(_did(trace, (writes or others)[:_MOST]))}."


def _did(trace: Trace, steps: Sequence[int]) -> list[str]:
    """Return what each instruction did at those of `steps` that are its own."""
    together: dict[str, list[int]] = {}
    for step in steps:
        together.setdefault(instruction_of(trace.events[step]), []).append(step)
    return [f"{name} {_what([trace.events[step] for step in own])} {at(*own)}" for name, own in together.items()]


def _what(events: Sequence[Event]) -> str:
    values = [stored_value(event) for event in events if event.writes_ram]
    return f"wrote {listed(values)} to the same bytes" if values else "read the same bytes"


def _conflict(a: Event, b: Event) -> bool:
    return overlap(a.op, b.op) and (a.writes_ram or b.writes_ram)


#: The limit of a comparison that holds.
OUTCOMES_ONLY = (
    "compare judges outcomes alone; explore also judges how each instruction was carried out, "
    "and may find a violation that leaves no forbidden outcome"
)


def about_compare(trace: Trace, findings: Iterable[Finding]) -> str:
    """Return a sentence on what ``simaie compare`` would miss; empty if the outcome of `trace` is rejected.

    A comparison judges outcomes only. So it misses findings of an execution whose outcome is allowed.
    """
    kinds = [finding.kind for finding in findings]
    if not kinds or trace.accepted is False or any(kind in REFUSALS for kind in kinds):
        return ""
    which = "The finding does not concern" if len(kinds) == 1 else "None of these findings concerns"
    return (
        f"{which} the final outcome. simaie compare judges only outcomes, "
        "so it may still report that the program holds."
    )
