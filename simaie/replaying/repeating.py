"""Lassos that are repeated: the stem of an execution, and any number of rounds of its cycle."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from simaie.arguments import require_at_least_one
from simaie.errors import NondeterminismError, UsageError
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import Candidate, Offer, Scheduler
from simaie.replaying.run import run
from simaie.trace import Ending, Trace

if TYPE_CHECKING:
    from simaie.replaying.failure import Failure

__all__ = ["Decided", "repeat", "without_end"]


def repeat(failure: Failure, times: int) -> Trace:
    """Return the trace of the stem and `times` rounds of the cycle of `failure`, which is a lasso.

    The trace is a lasso too, and its cycle is the last round.

    Raises:
        UsageError: `times` is not positive, or the execution is no lasso.
        NondeterminismError: An actor of the cycle could not step, so that the guest depends on more than its schedule.
    """
    require_at_least_one("times", times)
    trace, cycle = failure.trace, failure.trace.cycle
    if cycle is None:
        raise UsageError(f"only a lasso can be repeated, not an execution with the ending {trace.ending}")
    decisions = [event.value if event.op.kind is Kind.CHOICE else event.actor for event in trace.events]
    decisions = [*decisions[:cycle], *decisions[cycle:] * times]
    machine = without_end(failure.machine, len(decisions) + 1)
    repeated = run(failure.program, machine, Decided(decisions), driver=failure.driver)
    repeated.ending, repeated.cycle = Ending.LASSO, len(repeated) - (len(trace) - cycle)
    return repeated


def without_end(machine: Machine, steps: int) -> Machine:
    """Return `machine` with executions of at most `steps` steps in which no vCPU waits, and no cycle is an end."""
    made = copy.copy(machine)
    made.limits = msgspec.structs.replace(machine.limits, steps=steps, tries=steps)
    return made


class Decided(Scheduler):
    """Follows one decision for each step, and ends the execution after the last one.

    Args:
        decisions: The name of the actor that takes the step, or the value of a local choice.
    """

    def __init__(self, decisions: Sequence[str | int]) -> None:
        self._decisions = decisions

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the next actor; None after the last one."""
        if offer.step >= len(self._decisions):
            return None
        name = self._decisions[offer.step]
        for candidate in offer.candidates:
            if candidate.name == name:
                return candidate
        raise NondeterminismError(
            f"at step {offer.step} of a repeated cycle, {name} cannot step: the guest depends on more than a schedule",
            step=offer.step,
        )

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value of the next decision."""
        value = self._decisions[offer.step]
        return value if isinstance(value, int) else 0
