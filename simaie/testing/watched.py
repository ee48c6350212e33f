"""A scheduler under observation: all calls are passed to it, and its results are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.testing.patience import Patience
from simaie.trace import Trace

__all__ = ["Watched"]


class Watched(Scheduler):
    """A scheduler that asks `inner` and raises AssertionError at a breach of the contract.

    An exception of `inner`, and a call that `patience` ends, are breaches too.
    """

    def __init__(self, inner: Scheduler, patience: Patience) -> None:
        self.inner = inner
        self.exhaustive = inner.exhaustive
        self._name = type(inner).__name__
        self._patience = patience

    @contextmanager
    def _call(self, method: str) -> Iterator[None]:
        what = f"{self._name}.{method}"
        try:
            with self._patience.for_call(what):
                yield
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"{what} raised {type(error).__name__}: {error}") from error

    # -- between executions -----------------------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """The value of `inner`, which must be a bool."""
        return self._flag("exhausted")

    @property
    def complete(self) -> bool:
        """The value of `inner`, which must be a bool."""
        return self._flag("complete")

    @property
    def bound_note(self) -> str:
        """The value of `inner`."""
        with self._call("bound_note"):
            return self.inner.bound_note

    def _flag(self, name: str) -> bool:
        with self._call(name):
            value: Any = getattr(self.inner, name)
        assert type(value) is bool, f"{self._name}.{name} is {value!r}, not a bool"
        return value

    def profile(self) -> Mapping[str, Any]:
        """Return the profile of `inner`."""
        with self._call("profile"):
            return self.inner.profile()

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Restore a profile in `inner`."""
        with self._call("restore"):
            self.inner.restore(profile)

    # -- one execution ----------------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Start `inner`."""
        with self._call("start"):
            self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of `inner`, which must be a candidate or None, and must not change the offer."""
        candidates, running, step = offer.candidates, offer.running, offer.step
        pending = [c.op for c in candidates]
        with self._call("choose"):
            chosen = self.inner.choose(offer)
        untouched = offer.candidates is candidates and offer.running is running and offer.step == step
        candidates_as_they_were = all(
            getattr(c, "enabled", True) and c.op is op for c, op in zip(candidates, pending, strict=True)
        )
        untouched = untouched and candidates_as_they_were
        assert untouched, f"{self._name}.choose changed the offer at step {step}; it must only read the offer"
        names = ", ".join(c.name for c in candidates)
        offered = chosen is None or any(chosen is c for c in candidates)
        assert offered, f"{self._name}.choose picked {chosen!r} at step {step}, but was offered {names}"
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that `inner` chooses, which must be an integer in [0, arity)."""
        with self._call("choose_value"):
            value = self.inner.choose_value(offer, arity)
        fits = type(value) is int and 0 <= value < arity
        assert fits, f"{self._name}.choose_value returned {value!r}; it must be an integer from 0 to {arity - 1}"
        return value

    def finish(self, trace: Trace) -> None:
        """Pass the trace to `inner`, which must not change it."""
        events, described = list(trace.events), (trace.ending, trace.outcome, trace.schedule)
        with self._call("finish"):
            self.inner.finish(trace)
        same = len(events) == len(trace.events) and all(a is b for a, b in zip(events, trace.events, strict=True))
        untouched = same and (trace.ending, trace.outcome, trace.schedule) == described
        assert untouched, f"{self._name}.finish changed the trace; checkers still have to judge it"
