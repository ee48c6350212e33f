"""Wrappers of schedulers: one records every step with its offer, the other compares the steps with such a record."""

from __future__ import annotations

from collections.abc import Sequence

from simaie.encoding import digest_of, plain_op
from simaie.errors import DivergenceError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.file import Step
from simaie.trace import Trace

__all__ = ["Comparing", "Recording"]

#: The size of the digest of an offer.
_DIGEST_BYTES = 4


class Recording(Scheduler):
    """A scheduler that asks `inner` and records the execution in `steps`."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self.steps: list[Step] = []

    def start(self, info: ExecutionInfo) -> None:
        """Begin a new record."""
        self.steps = []
        self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of `inner`, and record it."""
        offered = _digest(offer)
        chosen = self.inner.choose(offer)
        if chosen is not None and chosen in offer.candidates:  # the engine rejects anything else
            self._add(Step(chosen.name, str(chosen.op), offered))
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that `inner` chooses, and record it."""
        value = self.inner.choose_value(offer, arity)
        self._add(Step("", f"choose {value} of {arity}", digest_of(("choice", value, arity), _DIGEST_BYTES)))
        return value

    def finish(self, trace: Trace) -> None:
        """Pass the trace on to `inner`."""
        self.inner.finish(trace)

    def _add(self, step: Step) -> None:
        self.steps.append(step)


class Comparing(Recording):
    """A scheduler that follows `inner` and raises DivergenceError at the first step that is not the `expected` one.

    Args:
        inner: The scheduler that chooses.
        expected: The recorded steps.
        exact: Whether to compare the digests of the offers too, and not only the actors.
    """

    def __init__(self, inner: Scheduler, expected: Sequence[Step], exact: bool = True) -> None:
        super().__init__(inner)
        self.expected = expected
        self._exact = exact

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of `inner`; DivergenceError if the expected actor is no candidate or it chooses another."""
        step = len(self.steps)
        if step < len(self.expected) and all(c.name != self.expected[step].actor for c in offer.candidates):
            raise DivergenceError(step, str(self.expected[step]), _describe(offer))
        return super().choose(offer)

    def _add(self, step: Step) -> None:
        number = len(self.steps)
        if number >= len(self.expected):
            raise DivergenceError(number, "the end of the execution", str(step))
        expected = self.expected[number]
        if step.actor != expected.actor or (self._exact and step.offered != expected.offered):
            same_words = (step.actor, step.op) == (expected.actor, expected.op)
            extra = ", but it or another candidate differs" if same_words else ""
            raise DivergenceError(number, str(expected), f"{step}{extra}")
        super()._add(step)

    def finish(self, trace: Trace) -> None:
        """Raise DivergenceError if the execution ended before the last expected step."""
        super().finish(trace)
        if len(self.steps) < len(self.expected):
            missing = self.expected[len(self.steps)]
            raise DivergenceError(len(self.steps), str(missing), f"the end of the execution ({trace.ending})")


def _digest(offer: Offer) -> str:
    return digest_of([(c.name, plain_op(c.op)) for c in offer.candidates], _DIGEST_BYTES)


def _describe(offer: Offer) -> str:
    return "only " + " or ".join(f"vCPU {c.name}: {c.op}" for c in offer.candidates)
