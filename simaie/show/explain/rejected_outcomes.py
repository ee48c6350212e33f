"""An outcome that is refused, by the program or by its architecture: what in the execution led there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from simaie.check import LLSC_ARCHITECTURAL, judge
from simaie.check.evidence import owner
from simaie.check.rmw import rmw_atomicity
from simaie.check.serializability import serializability
from simaie.check.single_copy import single_copy_atomicity
from simaie.dependence import overlap
from simaie.finding import FORBIDDEN_OUTCOME, Finding
from simaie.show.explain.buffers import Overtaking, overtaken
from simaie.show.explain.conflicts import single_copy
from simaie.show.explain.consequence import consequence, last_writes
from simaie.show.explain.context import NOTHING, Context
from simaie.show.explain.helpers import helpers
from simaie.show.explain.interrupted import llsc_atomicity as told_llsc
from simaie.show.explain.interrupted import rmw_atomicity as told_rmw
from simaie.show.explain.phrases import at, instruction_of, listed, stored_value
from simaie.show.format import clean, is_drain
from simaie.trace import Event, Trace

__all__ = ["REFUSALS", "cause", "guilty", "refused"]

#: The kinds of finding that are about the outcome and name no step.
REFUSALS = ("final-check", FORBIDDEN_OUTCOME)
#: More evidence than this does not help.
_MOST = 3
#: What breaks an instruction, and how that is told, where no other finding says it.
_CAUSES = (rmw_atomicity, LLSC_ARCHITECTURAL, single_copy_atomicity)
_TOLD = {"rmw-atomicity": told_rmw, "llsc-atomicity": told_llsc, "single-copy-atomicity": single_copy}


def refused(trace: Trace, finding: Finding, around: Context) -> str:
    """Which other finding it comes of; else what was not atomic, or out of order; else that nothing was."""
    others = [(number, other) for number, other in enumerate(around.findings, 1) if other.kind not in REFUSALS]
    told = consequence(trace, others) or ("" if others else cause(trace, around))
    if told:
        return told
    odd = _out_of_order(trace, around) + list(islice(_interrupted(trace), _MOST))
    return " ".join(dict.fromkeys(odd)) or _nothing_odd(trace)


def cause(trace: Trace, around: Context) -> str:
    """The first instruction that was not atomic although its architecture promises it, as the checkers find it."""
    for first in judge(trace, _CAUSES)[:1]:
        told = f"{clean(first.message)}. {_TOLD[first.kind](trace, first)}"
        return f"It comes of this ({first.kind}): {told} {helpers(trace, first, around.scheme)}".strip()
    return ""


def _out_of_order(trace: Trace, around: Context) -> list[str]:
    """Stores that were overtaken: those alone by which somebody was misled, if there are such."""
    some = _overtakings(trace, around)
    return [f"{each.told}.{each.effect}" for each in some] + [each.why for each in some]


def _overtakings(trace: Trace, around: Context = NOTHING) -> list[Overtaking]:
    every = list(overtaken(trace, around))
    return ([each for each in every if each.effect] or every)[:_MOST]


def guilty(trace: Trace, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """`findings`, those about the outcome with the steps that it comes of, where they are all that was found."""
    if any(finding.kind not in REFUSALS for finding in findings):
        return tuple(findings)
    broken = [first.steps for first in judge(trace, _CAUSES)[:1]] or [each.steps for each in _overtakings(trace)]
    steps = tuple(sorted({step for some in broken for step in some}))
    return tuple(msgspec.structs.replace(finding, steps=finding.steps or steps) for finding in findings)


def _nothing_odd(trace: Trace) -> str:
    told = "; ".join(left.told for left in islice(last_writes(trace), _MOST))
    if any(serializability(trace)):
        return f"{told}." if told else ""
    whole = "Each instruction took effect as a whole, one after the other: the program itself allows this outcome."
    return f"{whole} {told}." if told else whole


def _interrupted(trace: Trace) -> Iterator[str]:
    """Instructions of several accesses to RAM with a conflicting foreign access between the first and the last."""
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
            made = f"{instruction_of(events[0])} was made in {len(accesses)} accesses {at(*accesses)}; in the middle"
            yield f"{made} {listed(_did(trace, (writes or others)[:_MOST]))}."


def _did(trace: Trace, steps: Sequence[int]) -> list[str]:
    """What each instruction did at those of `steps` that are its own."""
    together: dict[str, list[int]] = {}
    for step in steps:
        together.setdefault(instruction_of(trace.events[step]), []).append(step)
    return [f"{who} {_what([trace.events[step] for step in own])} {at(*own)}" for who, own in together.items()]


def _what(events: Sequence[Event]) -> str:
    values = [stored_value(event) for event in events if event.writes_ram]
    return f"wrote {listed(values)} to the same bytes" if values else "read the same bytes"


def _conflict(a: Event, b: Event) -> bool:
    return overlap(a.op, b.op) and (a.writes_ram or b.writes_ram)
