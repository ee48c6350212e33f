"""The determinism check: every execution a second time under the same decisions, compared step by step.

What it compares: who was offered with which operation, who was chosen, what each operation returned, and how it ended.
A guest that looks at a clock, at random numbers, at the order of a set or at something that it kept from the execution
before shows by a difference, if the two runs happen to differ in it.

What passing does not prove: both runs are in one process, one after the other. A guest whose order of a set is the same
throughout a process (strings, under one PYTHONHASHSEED: see `simaie.exploration.across_processes`), that reads the
date, an environment variable or a file, or whose random numbers happen to agree, passes. And it says nothing of
schedules that were not run.
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

#: Each candidate's name and operation.
Offered = tuple[tuple[str, str], ...]


def repetition(
    program: Program, machine: Machine, first: Trace, record: FirstRun, *, seed: int, index: int
) -> Execution:
    """The execution `first`, which `record` was taken of, to be run again.

    Running it raises NondeterminismError, with step, expected and got, where it differs.
    """
    scheduler = _Repeating(first, record)
    execution = make_execution(program, machine, scheduler, seed=seed, index=index, verify=False)
    scheduler.events = execution.events
    return execution


class FirstRun(Recording):
    """Passes everything on to `inner`; offered: what the steps had to choose from, by their number in `steps`."""

    def __init__(self, inner: Scheduler) -> None:
        super().__init__(inner)
        self.offered: dict[int, Offered] = {}

    def start(self, info: ExecutionInfo) -> None:
        """A fresh record."""
        self.offered = {}
        super().start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Let `inner` choose, and write it down."""
        self.offered[len(self.steps)] = _offered(offer)
        return super().choose(offer)


class _Repeating(Comparing):
    """Follows the schedule of `first`; the first difference is a NondeterminismError."""

    def __init__(self, first: Trace, record: FirstRun) -> None:
        scripted = plugins.resolve(plugins.SCHEDULERS, "scripted")
        super().__init__(scripted(first.schedule, strict=False), record.steps)
        self._first = first
        self._offered = record.offered
        self.events: Sequence[Event] = ()

    def choose(self, offer: Offer) -> Candidate | None:
        """The recorded choice, if everything is as it was."""
        try:
            return super().choose(offer)
        except DivergenceError as error:
            before, now = self._offered.get(len(self.steps), ()), _offered(offer)
            if not before or before == now:
                raise self._difference(error.expected, error.got) from None
            raise self._difference(_only_in(before, now), _only_in(now, before)) from None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """The recorded value, if everything is as it was."""
        try:
            return super().choose_value(offer, arity)
        except DivergenceError as error:
            raise self._difference(error.expected, error.got) from None

    def finish(self, trace: Trace) -> None:
        """The same end?"""
        try:
            super().finish(trace)
        except DivergenceError as error:
            raise self._difference(error.expected, error.got) from None
        if trace.digest != self._first.digest or trace.accepted != self._first.accepted:
            raise self._difference(_end(self._first), _end(trace))

    def _difference(self, expected: str, got: str) -> NondeterminismError:
        """The first step that differs: one whose value did, or else the one that is due now."""
        for step, (one, two) in enumerate(zip(self._first.events, self.events, strict=False)):
            if str(one) != str(two):
                return _error(self._first, step, str(one), str(two))
        return _error(self._first, len(self.events), expected, got)


def _offered(offer: Offer) -> Offered:
    return tuple((c.name, str(c.op)) for c in offer.candidates)


def _only_in(these: Offered, those: Offered) -> str:
    others = set(those)  # only asked, never listed
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
