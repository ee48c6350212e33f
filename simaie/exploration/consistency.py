"""Consistency checks: whether the executions of one exploration agree, so that they can support a verdict.

There are three checks, for programs and schemes with the user's own code:

- The operations of each vCPU are compared between executions (`simaie.exploration.histories`).
- Before an exploration without failures ends, its first and its last execution are run again. This reveals state that a
  guest keeps from one execution to the next.
- Both are also run in equivalent orders (`simaie.exploration.commuted`). This reveals state that vCPUs share without
  operations; a search up to commutation runs only one order of each class.

What passing does not prove: only two executions are reordered. The checks miss a shared list that only rare executions
use, and one that looks the same in all orders that are tried. Executions in which a guest awaited trio are left out,
because timeouts, channels and threads are no operations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from simaie.engine.execution import Execution
from simaie.engine.memo.undone import Undone
from simaie.engine.verified import is_trusted
from simaie.exploration.commuted import orders
from simaie.exploration.histories import Histories, same_operation, went_differently
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind, show
from simaie.protocols import Candidate, Offer, Scheduler
from simaie.replaying.run import make_execution
from simaie.trace import Ending, Event, Trace

__all__ = ["Consistency"]

_Work = tuple[Execution, Callable[[Trace], None]]
_Step = tuple[int, Event]


class Consistency:
    """The consistency checks of one exploration; they do nothing if program and scheme are simaie's own."""

    def __init__(self, program: Program, machine: Machine, *, seed: int = 0) -> None:
        self._program, self._machine, self._seed = program, machine, seed
        self._histories = None if is_trusted(program, machine) else Histories()
        self._first: tuple[int, Trace] | None = None
        self._last: tuple[int, Trace] | None = None

    def observe(self, execution: Execution | Undone, trace: Trace, index: int) -> None:
        """Check an execution that has ended; NondeterminismError if it contradicts an earlier one."""
        if self._histories is None or execution.went_elsewhere:
            return
        if not execution.is_known:
            if isinstance(execution, Undone):
                identities = execution.identities
            else:
                identities = {actor.name: actor.cpu.identity for actor in execution.actors}
            self._histories.observe(trace, identities)
        if trace.ending is not Ending.PRUNED:
            self._last = index, trace
            self._first = self._first or self._last

    @property
    def last(self) -> tuple[int, Trace] | None:
        """The index and the trace of the last execution that was not given up; None if nothing is checked."""
        return self._last

    def ran_last(self, index: int, trace: Trace) -> None:
        """Note the last execution, which another process has observed."""
        if self._histories is not None:
            self._last = index, trace
            self._first = self._first or self._last

    def rehearsed(self, execution: Execution, trace: Trace) -> None:
        """Note what vCPUs did in an execution that ran before the search."""
        if self._histories is not None and not execution.went_elsewhere:
            self._histories.observe(trace, {actor.name: actor.cpu.identity for actor in execution.actors})

    def second_runs(self) -> Iterator[_Work]:
        """Yield the executions to run again, each with the function that compares its trace.

        The function raises NondeterminismError if the execution differs.
        """
        for which in dict.fromkeys(one for one in (self._first, self._last) if one is not None):
            index, trace = which
            steps = [event.actor for event in trace.events if event.op.kind is not Kind.CHOICE]
            for order in (steps, *orders(trace)):
                follower = _Follower(trace, order)
                execution = make_execution(
                    self._program, self._machine, follower, seed=self._seed, index=index, verify=False
                )
                yield execution, follower.compare


class _Follower(Scheduler):
    """A scheduler that runs the operations of `trace` in `order`, and compares the new trace with it."""

    def __init__(self, trace: Trace, order: Sequence[str]) -> None:
        self._trace = trace
        self._order = deque(order)
        self._values: dict[str, deque[int]] = {}
        for event in trace.events:
            if event.op.kind is Kind.CHOICE and event.op.value != 1:  # a scheduler is not asked for the only value
                self._values.setdefault(event.actor, deque()).append(event.value)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the next actor in the order; None if it is not enabled, which `compare` then reports."""
        name = self._order.popleft() if self._order else ""
        return next((candidate for candidate in offer.candidates if candidate.name == name), None)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that the asking vCPU had chosen in `trace`."""
        values = self._values.get(offer.chooser)
        value = values.popleft() if values else 0
        return value if value < arity else 0

    def compare(self, trace: Trace) -> None:
        """Raise NondeterminismError for the first operation of a vCPU that differs, or if the ends differ."""
        was, now = _by_actor(self._trace), _by_actor(trace)
        names = dict.fromkeys((*was, *now, *self._trace.waiting, *trace.waiting))
        found = [self._difference(trace, name, was.get(name, []), now.get(name, [])) for name in names]
        earliest = min((one for one in found if one is not None), key=lambda one: one[0], default=None)
        if earliest is not None:
            step, vcpu, *operations = earliest
            raise went_differently(trace.program, vcpu, step, *operations)
        ends = _ends(self._trace), _ends(trace)
        differing = next((what for what in {**ends[0], **ends[1]} if ends[0].get(what) != ends[1].get(what)), None)
        if differing is not None:
            vcpu, register, _ = differing.partition(":")
            before, after = (f"{differing} = {end.get(differing, 'nothing')}" for end in ends)
            raise went_differently(trace.program, vcpu if register else "", len(trace.events), before, after)

    def _difference(
        self, trace: Trace, name: str, was: Sequence[_Step], now: Sequence[_Step]
    ) -> tuple[int, str, str, str] | None:
        """Return the step, the vCPU, and its old and new operation at the first difference; None if there is none."""
        for (_, before), (step, after) in zip(was, now, strict=False):
            if not same_operation(before.op, after.op) or show(before.value) != show(after.value):
                return step, name, str(before), str(after)
        if len(now) > len(was):
            return now[len(was)][0], name, "its end", str(now[len(was)][1])
        missing = was[len(now)][1].op if len(now) < len(was) else self._trace.waiting.get(name)
        pending = trace.waiting.get(name)
        if pending is not missing and (pending is None or missing is None or not same_operation(pending, missing)):
            return len(trace.events), name, str(missing or "its end"), str(pending or "its end")
        return None


def _by_actor(trace: Trace) -> dict[str, list[_Step]]:
    found: dict[str, list[_Step]] = {}
    for step, event in enumerate(trace.events):
        found.setdefault(event.actor, []).append((step, event))
    return found


def _ends(trace: Trace) -> dict[str, object]:
    """Return the observable end of an execution; the names of what belongs to a vCPU begin with it and a colon."""
    faults = {f"{fault.vcpu}:fault": fault.message for fault in trace.faults}
    return {**trace.outcome.as_dict(), **faults, "ending": str(trace.ending), "accepted": trace.accepted}
