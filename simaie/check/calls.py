"""The calls of a trace as a history: the interval in which each call took effect.

A call lasts from the first to the last step of its vCPU inside it. Guest code before its first step could have run as
late as just before that step, since no other vCPU sees it. So these intervals are the narrowest that a run with the
same steps can have, and a history that is not linearizable within them is a real error. A buffered store has not yet
reached memory when the call returns; that does not make the call last longer.

A call without any step lies somewhere between the surrounding steps of its vCPU.
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
    """A call with its interval.

    Attributes:
        call: The call.
        begin: Twice the step at which it begins, plus one if it begins after that step.
        end: Likewise for its end; None while it is pending.
        steps: Its first and last step.
    """

    call: Call
    begin: int
    end: int | None
    steps: tuple[int, ...]


def history(trace: Trace) -> list[Timed]:
    """Return the calls of `trace` that may have taken effect, sorted by their beginning.

    Raises:
        UsageError: The execution ran to its end and left a call open.
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
