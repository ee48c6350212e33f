"""The common base of URW and SURW: the first execution counts events, and its counts belong to the replay record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from simaie.op import Op
from simaie.prng import Random
from simaie.protocols import Candidate, ExecutionInfo, Offer
from simaie.trace import Trace
from simaie_schedulers._places import Counts
from simaie_schedulers.fair import FairScheduler

__all__ = ["Profiled"]


class Profiled(FairScheduler):
    """A random walk whose first execution counts events, by group and actor.

    Args:
        fair: Whether an actor that yields waits for those it has overtaken (see `simaie_schedulers.fair`).
    """

    def __init__(self, fair: bool = True) -> None:
        super().__init__(fair)
        self._counts: Counts | None = None  # of the first execution; never changed afterwards
        self._length = 0  # of the first execution, in events
        self._counting = Counts()

    def start(self, info: ExecutionInfo) -> None:
        """Start a fresh random stream, and fresh weights if the counts are known."""
        super().start(info)
        self._random = Random(info.seed)
        self._word = self._random.word
        self._counting = Counts()

    @abstractmethod
    def _group(self, op: Op) -> str | None:
        """Return the group in which `op` is counted; None if it is not counted."""

    def _walk(self, offer: Offer) -> Candidate:
        """Return a candidate, uniformly; in the first execution, count its operation."""
        candidates = offer.candidates
        chosen: Candidate = candidates[self._word() * len(candidates) >> 32]
        if self._counts is None:
            group = self._group(chosen.op)
            if group is not None:
                self._counting.add(group, chosen.name)
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return one of the `arity` alternatives, uniformly."""
        return self._random.below(arity)

    def finish(self, trace: Trace) -> None:
        """Keep the counts of the first execution."""
        if self._counts is None:
            self._counts, self._length = self._counting, len(trace)

    def profile(self) -> Mapping[str, Any]:
        """Return the counts, by group and actor, and the length in events; empty before the first execution."""
        return {"counts": self._counts.as_dict(), "length": self._length} if self._counts is not None else {}

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Set the counts and the length from a profile."""
        known = "counts" in profile
        self._counts = Counts(profile["counts"]) if known else None
        self._length = profile["length"] if known else 0
