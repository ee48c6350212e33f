"""The calls of a trace as a history: when each began to matter, and when it had to have taken effect.

A call lasts from the first to the last step of its vCPU inside it. What guest code does before its first step it could
have done as late as just before that, since nobody sees it; so these are the narrowest limits that a run with the same
steps can have, and what is not linearizable within them is a real error. A store that is buffered has not yet reached
memory when the call returns: that does not make the call last longer.

A call without any step lies somewhere between the steps of its vCPU around it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict

import msgspec

from simaie.block import Call
from simaie.errors import UsageError
from simaie.trace import Ending, Trace

__all__ = ["Timed", "history"]


class Timed(msgspec.Struct, frozen=True):
    """begin, end: twice the step, plus one if after it; end is None while pending. steps: the first and the last."""

    call: Call
    begin: int
    end: int | None
    steps: tuple[int, ...]


def history(trace: Trace) -> list[Timed]:
    """The calls of `trace` that may have taken effect, by their beginning.

    Raises UsageError if the execution ran to its end and left a call open.
    """
    calls = trace.calls
    callers = {call.vcpu for call in calls}
    numbers: dict[str, list[int]] = defaultdict(list)
    steps: dict[str, list[int]] = defaultdict(list)
    for step, event in enumerate(trace.events):
        if event.actor in callers and event.instruction is not None:
            numbers[event.actor].append(event.instruction.number)
            steps[event.actor].append(step)
    timed = [_timed(trace, call, numbers[call.vcpu], steps[call.vcpu]) for call in calls]
    return sorted((one for one in timed if one.steps or one.call.completed), key=lambda one: one.begin)


def _timed(trace: Trace, call: Call, numbers: list[int], steps: list[int]) -> Timed:
    if call.after is None and trace.ending is Ending.FINISHED and all(f.vcpu != call.vcpu for f in trace.faults):
        raise UsageError(f"the call {call} of vCPU {call.vcpu} never ended, though the execution did")
    first = bisect_left(numbers, call.first)
    after = len(numbers) if call.after is None else bisect_left(numbers, call.after)
    if first < after:
        begin, end = 2 * steps[first], 2 * steps[after - 1] + 1
    else:
        begin = 2 * steps[first - 1] + 1 if first else -1
        end = 2 * steps[first] if first < len(steps) else 2 * len(trace.events)
    ends = dict.fromkeys([*steps[first:after][:1], *steps[first:after][-1:]])
    return Timed(call, begin, end if call.completed else None, tuple(ends))
