"""A scheduler that follows a list of decisions and then stops to be told more, or lets another scheduler go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from simaie.errors import NondeterminismError
from simaie.op import Kind, Op
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Trace

__all__ = ["Decision", "OpenChoice", "PrefixThen", "choices_of", "decisions_of"]

#: Who takes the step, or as what a local choice is resolved.
Decision: TypeAlias = str | int


class OpenChoice(NamedTuple):
    """A local choice that came up at `step`, resolved as `value` out of `arity`; `Session.choose` revises it."""

    step: int
    value: int
    arity: int


class PrefixThen(Scheduler):
    """One execution. decisions: one for each event; then: who decides after them, up to `limit` events.

    Where nobody is left to decide the execution is given up, and `enabled` says who could have gone on: each actor
    with its operation, in structural order. A local choice that nobody decides is 0.
    """

    trace: Trace

    def __init__(self, decisions: Sequence[Decision], then: Scheduler | None = None, limit: int | None = None) -> None:
        self._decisions, self._then, self._limit = decisions, then, limit
        self.enabled: dict[str, Op] = {}

    def start(self, info: ExecutionInfo) -> None:
        """Who decides afterwards begins with this execution too."""
        if self._then is not None:
            self._then.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Whom the list says, then whom the other scheduler says, then None.

        Raises NondeterminismError if an actor of the list cannot go on, as it could before.
        """
        if offer.step < len(self._decisions):
            return self._decided(offer)
        if self._goes_on(offer):
            return self._then.choose(offer)  # type: ignore[union-attr]  # `_goes_on` has looked
        self.enabled = {candidate.name: candidate.op for candidate in offer.candidates}
        return None

    def choose_value(self, offer: Offer, arity: int) -> int:
        """What the list says, else what the other scheduler says, else 0."""
        if offer.step < len(self._decisions):
            value = self._decisions[offer.step]
            if isinstance(value, str):
                raise _differs(offer.step, f"a local choice comes up where {value} took a step before,")
            return value
        return self._then.choose_value(offer, arity) if self._then is not None and self._goes_on(offer) else 0

    def finish(self, trace: Trace) -> None:
        """Keep the trace. The other scheduler hears of it only if the whole execution was its own."""
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
    """What was decided, event by event: following it gives the same execution."""
    return [event.value if event.op.kind is Kind.CHOICE else event.actor for event in trace.events]


def choices_of(trace: Trace) -> list[OpenChoice]:
    """The local choices that had an alternative, in order."""
    return [
        OpenChoice(step, event.value, event.op.value)
        for step, event in enumerate(trace.events)
        if event.op.kind is Kind.CHOICE and event.op.value > 1
    ]
