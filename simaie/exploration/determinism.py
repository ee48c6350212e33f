"""The determinism check: every execution is run twice under the same decisions, and compared step by step.

The check compares the offers with their operations, the choices, the results of the operations, and the end. It finds a
guest that depends on a clock, on random numbers, on the order of a set or on state kept from the previous execution, if
the two runs happen to differ in it.

What passing does not prove: both runs are in one process, one after the other. Some guests pass although they are not
deterministic: those that depend on the order of a set that is the same throughout a process (strings under one
PYTHONHASHSEED; see `simaie.exploration.across_processes`), those that read the date, an environment variable or a file,
and those whose random numbers happen to agree. The check says nothing about schedules that were not run.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie import plugins
from simaie.engine.execution import Execution
from simaie.errors import DivergenceError, NondeterminismError
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.recording import Comparing, Recording
from simaie.replaying.run import make_execution
from simaie.trace import Event, Trace

__all__ = ["FirstRun", "repetition"]

#: The name and the operation of each candidate.
Offered = tuple[tuple[str, str], ...]


def repetition(
    program: Program, machine: Machine, first: Trace, record: FirstRun, *, seed: int, index: int
) -> Execution:
    """Return an execution that repeats `first`, of which `record` is the record.

    Running it raises NondeterminismError at the first difference, with the step, what was expected and what happened.
    """
    scheduler = _Repeating(first, record)
    execution = make_execution(program, machine, scheduler, seed=seed, index=index, verify=False)
    scheduler.events = execution.events
    return execution


class FirstRun(Recording):
    """A scheduler that asks `inner`, and records steps and offers.

    Attributes:
        offered: The offer of each step, by the number of the step in `steps`.
    """

    def __init__(self, inner: Scheduler) -> None:
        super().__init__(inner)
        self.offered: dict[int, Offered] = {}

    def start(self, info: ExecutionInfo) -> None:
        """Begin a new record."""
        self.offered = {}
        super().start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of `inner`, and record it with the offer."""
        self.offered[len(self.steps)] = _offered(offer)
        return super().choose(offer)


class _Repeating(Comparing):
    """A scheduler that follows the schedule of `first`, and raises NondeterminismError at the first difference."""

    def __init__(self, first: Trace, record: FirstRun) -> None:
        scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")
        super().__init__(scripted(first.schedule, strict=False), record.steps)
        self._first = first
        self._offered = record.offered
        self.events: Sequence[Event] = ()

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the recorded choice; NondeterminismError if anything differs."""
        try:
            return super().choose(offer)
        except DivergenceError as error:
            before, now = self._offered.get(len(self.steps), ()), _offered(offer)
            if not before or before == now:
                raise self._difference(error.expected, error.got) from None
            raise self._difference(_only_in(before, now), _only_in(now, before)) from None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the recorded value; NondeterminismError if anything differs."""
        try:
            return super().choose_value(offer, arity)
        except DivergenceError as error:
            raise self._difference(error.expected, error.got) from None

    def finish(self, trace: Trace) -> None:
        """Compare the ends; NondeterminismError if they differ."""
        try:
            super().finish(trace)
        except DivergenceError as error:
            raise self._difference(error.expected, error.got) from None
        if trace.digest != self._first.digest or trace.accepted != self._first.accepted:
            raise self._difference(_end(self._first), _end(trace))

    def _difference(self, expected: str, got: str) -> NondeterminismError:
        """Return the error for the first step that differs: an earlier step by its value, or else the current one."""
        for step, (one, two) in enumerate(zip(self._first.events, self.events, strict=False)):
            if str(one) != str(two):
                return _error(self._first, step, str(one), str(two))
        return _error(self._first, len(self.events), expected, got)


def _offered(offer: Offer) -> Offered:
    return tuple((c.name, str(c.op)) for c in offer.candidates)


def _only_in(these: Offered, those: Offered) -> str:
    others = set(those)  # its order is never used
    return ", ".join(f"vCPU {name}: {op}" for name, op in these if (name, op) not in others) or "no such candidate"


def _error(first: Trace, step: int, expected: str, got: str) -> NondeterminismError:
    return NondeterminismError(
        f"program {first.program!r} ran differently under the same decisions, first at step {step}: expected "
        f"{expected}, got {got}; its guest code must not depend on clocks, random numbers, set order or state kept "
        "between executions",
        step=step,
        expected=expected,
        got=got,
    )


def _end(trace: Trace) -> str:
    accepted = "" if trace.accepted is None else f", {'accepted' if trace.accepted else 'refused'}"
    faults = "".join(f", vCPU {fault.vcpu}: {fault.message}" for fault in trace.faults)
    return f"the end of the execution ({trace.ending}, {trace.outcome}{accepted}{faults})"
