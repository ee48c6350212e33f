"""A scheduler under observation: everything goes on to it, and what comes back is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.testing.patience import Patience
from simaie.trace import Trace

__all__ = ["Watched"]


class Watched(Scheduler):
    """Hands everything on to `inner`; a breach of the contract is an AssertionError that names it.

    Whatever `inner` raises is one, too, and so is a call that `patience` ends.
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

    # -- what is asked between executions ---------------------------------------------------------------

    @property
    def exhausted(self) -> bool:
        """A bool."""
        return self._flag("exhausted")

    @property
    def complete(self) -> bool:
        """A bool."""
        return self._flag("complete")

    @property
    def bound_note(self) -> str:
        """Whatever it is."""
        with self._call("bound_note"):
            return self.inner.bound_note

    def _flag(self, name: str) -> bool:
        with self._call(name):
            value: Any = getattr(self.inner, name)
        assert type(value) is bool, f"{self._name}.{name} is {value!r}, not a bool"
        return value

    def profile(self) -> Mapping[str, Any]:
        """Whatever it is."""
        with self._call("profile"):
            return self.inner.profile()

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Pass it on."""
        with self._call("restore"):
            self.inner.restore(profile)

    # -- one execution ----------------------------------------------------------------------------------

    def start(self, info: ExecutionInfo) -> None:
        """Pass it on."""
        with self._call("start"):
            self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """One of the candidates, or None; and the offer is left alone."""
        candidates, running, step = offer.candidates, offer.running, offer.step
        pending = [c.op for c in candidates]
        with self._call("choose"):
            chosen = self.inner.choose(offer)
        untouched = offer.candidates is candidates and offer.running is running and offer.step == step
        candidates_as_they_were = all(
            getattr(c, "enabled", True) and c.op is op for c, op in zip(candidates, pending, strict=True)
        )
        untouched = untouched and candidates_as_they_were
        assert untouched, f"{self._name}.choose changed the offer at step {step}; an offer is for looking only"
        names = ", ".join(c.name for c in candidates)
        offered = chosen is None or any(chosen is c for c in candidates)
        assert offered, f"{self._name}.choose picked {chosen!r} at step {step}, but was offered {names}"
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """An integer within the range."""
        with self._call("choose_value"):
            value = self.inner.choose_value(offer, arity)
        fits = type(value) is int and 0 <= value < arity
        assert fits, f"{self._name}.choose_value gave {value!r}; it was asked for an integer from 0 to {arity - 1}"
        return value

    def finish(self, trace: Trace) -> None:
        """The trace is left alone."""
        events, described = list(trace.events), (trace.ending, trace.outcome, trace.schedule)
        with self._call("finish"):
            self.inner.finish(trace)
        same = len(events) == len(trace.events) and all(a is b for a, b in zip(events, trace.events, strict=True))
        untouched = same and (trace.ending, trace.outcome, trace.schedule) == described
        assert untouched, f"{self._name}.finish changed the trace; others are going to judge it"
