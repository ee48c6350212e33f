"""A scheduler that follows a list of decisions, and then gives up the execution or lets another scheduler continue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from simaie.errors import NondeterminismError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Decision", "OpenChoice", "PrefixThen", "choices_with_alternatives", "decisions_of"]

#: One decision: the name of the actor that takes the step, or the value of a local choice.
Decision: TypeAlias = str | int


class OpenChoice(NamedTuple):
    """A local choice at `step` with `arity` alternatives, resolved as `value`; `Session.choose` can change it."""

    step: int
    value: int
    arity: int


class PrefixThen(Scheduler):
    """A scheduler for one execution, which follows decisions and then another scheduler.

    Without another scheduler, or at the limit, it gives up the execution after the decisions. A local choice after them
    is then 0.

    Args:
        decisions: One decision for each event.
        then: The scheduler that decides after them; None to give up the execution there.
        limit: The number of events at which to give up the execution; None for no limit.

    Attributes:
        enabled: The actors that were enabled when it gave up, each with its operation, in structural order.
        trace: The finished execution.
    """

    trace: Trace

    def __init__(self, decisions: Sequence[Decision], then: Scheduler | None = None, limit: int | None = None) -> None:
        self._decisions, self._then, self._limit = decisions, then, limit
        self.enabled: dict[str, Op] = {}

    def start(self, info: ExecutionInfo) -> None:
        """Start the other scheduler too."""
        if self._then is not None:
            self._then.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the recorded actor, then the choice of the other scheduler, then None.

        Raises:
            NondeterminismError: The recorded actor is no longer enabled.
        """
        if offer.step < len(self._decisions):
            return self._decided(offer)
        if self._goes_on(offer):
            return self._then.choose(offer)  # type: ignore[union-attr]  # `_goes_on` has checked it
        self.enabled = {candidate.name: candidate.op for candidate in offer.candidates}
        return None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the recorded value, then the choice of the other scheduler, then 0."""
        if offer.step < len(self._decisions):
            value = self._decisions[offer.step]
            if isinstance(value, str):
                raise _differs(offer.step, f"the guest makes a local choice where {value} took a step before,")
            return value
        return self._then.choose_value(offer, arity) if self._then is not None and self._goes_on(offer) else 0

    def finish(self, trace: Trace) -> None:
        """Keep the trace; pass it on only if the other scheduler chose the whole execution."""
        if len(trace) < len(self._decisions):
            raise _differs(len(trace), f"the execution ended ({trace.ending}), and did not before,")
        self.trace = trace
        if self._then is not None and not self._decisions and self._limit is None:
            self._then.finish(trace)

    def _goes_on(self, offer: Offer) -> bool:
        return self._then is not None and (self._limit is None or offer.step < self._limit)

    def _decided(self, offer: Offer) -> Candidate:
        name = self._decisions[offer.step]
        for candidate in offer.candidates:
            if candidate.name == name:
                return candidate
        raise _differs(offer.step, f"{name} cannot go on as it could before")


def _differs(step: int, what: str) -> NondeterminismError:
    return NondeterminismError(
        f"at step {step} {what} under the same decisions: the guest code must not depend on clocks, random numbers, "
        "set order or state kept between executions",
        step=step,
    )


def decisions_of(trace: Trace) -> list[Decision]:
    """Return the decision of each event; following them repeats the execution."""
    return [event.value if event.op.kind is Kind.CHOICE else event.actor for event in trace.events]


def choices_with_alternatives(trace: Trace) -> list[OpenChoice]:
    """Return the local choices with more than one alternative, in order."""
    return [
        OpenChoice(step, event.value, event.op.value)
        for step, event in enumerate(trace.events)
        if event.op.kind is Kind.CHOICE and event.op.value > 1
    ]
