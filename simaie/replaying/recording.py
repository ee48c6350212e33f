"""Wrappers around a scheduler: one writes down every step with what was offered, one compares with such a record."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from simaie.errors import DivergenceError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.replaying.file import Step
from simaie.trace import Trace

__all__ = ["Comparing", "Recording"]


class Recording(Scheduler):
    """Passes everything on to `inner`; `steps` is the record of the execution."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self.steps: list[Step] = []

    def start(self, info: ExecutionInfo) -> None:
        """A fresh record."""
        self.steps = []
        self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Let `inner` choose, and write it down."""
        offered = _digest(offer)
        chosen = self.inner.choose(offer)
        if chosen is not None and chosen in offer.candidates:  # whatever else it is, the engine has the word
            self._add(Step(chosen.name, str(chosen.op), offered))
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Let `inner` choose, and write it down."""
        value = self.inner.choose_value(offer, arity)
        self._add(Step("", f"choose {value} of {arity}", ""))
        return value

    def finish(self, trace: Trace) -> None:
        """Pass it on."""
        self.inner.finish(trace)

    def _add(self, step: Step) -> None:
        self.steps.append(step)


class Comparing(Recording):
    """Follows `inner` and raises DivergenceError at the first step that is not the `expected` one."""

    def __init__(self, inner: Scheduler, expected: Sequence[Step]) -> None:
        super().__init__(inner)
        self.expected = expected

    def choose(self, offer: Offer) -> Candidate | None:
        """Compare before the step is performed; what `inner` cannot follow is a divergence too."""
        step = len(self.steps)
        if step < len(self.expected) and all(c.name != self.expected[step].actor for c in offer.candidates):
            raise DivergenceError(step, str(self.expected[step]), _describe(offer))
        return super().choose(offer)

    def _add(self, step: Step) -> None:
        number = len(self.steps)
        if number >= len(self.expected):
            raise DivergenceError(number, "the end of the execution", str(step))
        expected = self.expected[number]
        if step != expected:
            same_step = (step.actor, step.op) == (expected.actor, expected.op)
            extra = " with other candidates beside it" if same_step else ""
            raise DivergenceError(number, str(expected), f"{step}{extra}")
        super()._add(step)

    def finish(self, trace: Trace) -> None:
        """The end must come where it came."""
        super().finish(trace)
        if len(self.steps) < len(self.expected):
            missing = self.expected[len(self.steps)]
            raise DivergenceError(len(self.steps), str(missing), f"the end of the execution ({trace.ending})")


def _digest(offer: Offer) -> str:
    text = "|".join(f"{c.name} {c.op}" for c in offer.candidates)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _describe(offer: Offer) -> str:
    return "only " + " or ".join(f"vCPU {c.name}: {c.op}" for c in offer.candidates)
