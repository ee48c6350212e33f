"""Fairness: an actor that yields waits for the actors that it has overtaken.

M. Musuvathi, S. Qadeer: "Fair stateless model checking" (PLDI 2008). The algorithm keeps an acyclic relation "t may not
run while u is enabled". For each t since its last yield, S(t) are the scheduled actors, E(t) those enabled all the
time, D(t) those that t disabled. When u runs, the pairs that wait for u are dropped; when t yields, (t, u) is added for
every u in (E(t) + D(t)) - S(t). Guarantee: an actor that stays enabled runs eventually, provided that the actors that
run instead yield; and no execution of guests that never yield is lost. `Candidate.yielding` defines a yield.

S and E are kept not as sets but as two step numbers per actor: when it last ran, and since when it has been enabled.
Before the first yield nothing is recorded, so programs without spin loops pay only for one look at the chosen actor.

A random walk needs no fairness: it picks every candidate with probability 1 / n at every step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_one_of
from simaie.trace import Trace

__all__ = ["Fair", "FairScheduler", "Fairness"]


class Fairness:
    """The waiting relation of one execution; actors are identified by name.

    Invariants: `_waits_for` is acyclic, so it never excludes every candidate. An actor is in `_yielded` from its first
    yield on, and only then in `_disabled`.
    """

    def __init__(self) -> None:
        self._waits_for: dict[str, set[str]] = {}
        self._now = 0  # steps since the first yield
        self._yielded: dict[str, int] = {}  # by actor, step of its last yield
        self._disabled: dict[str, set[str]] = {}  # by actor, the actors that it has disabled since
        self._ran: dict[str, int] = {}  # by actor, its last step
        self._enabled: dict[str, int] = {}  # by enabled actor, the step since which it has been enabled
        self._last: Candidate | None = None
        self._last_yields = False
        self._before: tuple[Any, ...] = ()  # the candidates of the last step

    @property
    def idle(self) -> bool:
        """Whether no actor has yielded yet, so that no actor waits."""
        return self._last is None

    def admit(self, offer: Offer) -> Offer:
        """Return `offer` itself, or a smaller one without the actors that must wait."""
        if self._last is None:
            return offer
        if offer.candidates is not self._before:
            self._enabled_changed(offer)
        if self._last_yields:
            self._yield(self._last.name)
        if not self._waits_for:
            return offer
        admitted = tuple([c for c in offer.candidates if not self._must_wait(c.name)])
        assert admitted, "the waiting relation is acyclic"
        return offer.narrowed(admitted)

    def _must_wait(self, name: str) -> bool:
        waits_for = self._waits_for.get(name)
        return waits_for is not None and any(other in self._enabled for other in waits_for)

    def ran(self, chosen: Candidate, offer: Offer) -> None:
        """Record a step.

        Args:
            chosen: The candidate that takes the step.
            offer: The complete offer of the step.
        """
        yields = chosen.yielding
        if self._last is None and not yields:
            return
        if self._last is None:
            self._before = offer.candidates
            self._enabled = {c.name: 0 for c in offer.candidates}
        self._now += 1
        name = chosen.name
        self._last, self._last_yields = chosen, yields
        self._ran[name] = self._now
        for waiting, others in list(self._waits_for.items()):
            others.discard(name)
            if not others:
                del self._waits_for[waiting]

    def _enabled_changed(self, offer: Offer) -> None:
        assert self._last is not None
        names = [c.name for c in offer.candidates]
        gone = set(self._enabled).difference(names)
        if self._last.name in self._yielded:
            self._disabled[self._last.name] |= gone
        self._enabled = {name: self._enabled.get(name, self._now) for name in names}
        self._before = offer.candidates

    def _yield(self, name: str) -> None:
        """Apply the yield that `name` has just performed. Until its first yield, S(name) is all actors."""
        since = self._yielded.get(name)
        if since is not None:
            overtaken = {other for other, start in self._enabled.items() if start <= since} | self._disabled[name]
            waits_for = {other for other in overtaken if self._ran.get(other, -1) <= since}
            if waits_for:
                self._waits_for.setdefault(name, set()).update(waits_for)
        self._yielded[name] = self._now
        self._disabled[name] = set()


class FairScheduler(Scheduler):
    """Base of random schedulers that are fair by default; a subclass defines `pick` instead of `choose`.

    Args:
        fair: Whether an actor that yields waits for those it has overtaken.
    """

    def __init__(self, fair: bool = True) -> None:
        require_one_of("fair", fair, (True, False))
        self._fair = fair
        self._fairness: Fairness | None = None

    def start(self, info: ExecutionInfo) -> None:
        """Start an execution in which no actor waits."""
        self._fairness = Fairness() if self._fair else None

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the pick among the candidates that need not wait."""
        fairness = self._fairness
        if fairness is None:
            return self.pick(offer)
        if fairness.idle:
            chosen = self.pick(offer)
            if chosen is not None and chosen.yielding:
                fairness.ran(chosen, offer)
            return chosen
        chosen = self.pick(fairness.admit(offer))
        if chosen is not None:
            fairness.ran(chosen, offer)
        return chosen

    @abstractmethod
    def pick(self, offer: Offer) -> Candidate | None:
        """Return one of `offer.candidates`, from which waiting actors were removed; None ends the execution."""


class Fair(FairScheduler):
    """Wrapper that makes any scheduler fair: `inner` is offered only the candidates that need not wait."""

    def __init__(self, inner: Scheduler) -> None:
        super().__init__()
        self.inner = inner

    @property
    def exhausted(self) -> bool:
        """Whether the inner scheduler is exhausted."""
        return self.inner.exhausted

    @property
    def bound_note(self) -> str:
        """The bound note of the inner scheduler."""
        return self.inner.bound_note

    def start(self, info: ExecutionInfo) -> None:
        """Start an execution."""
        super().start(info)
        self.inner.start(info)

    def pick(self, offer: Offer) -> Candidate | None:
        """Return the choice of the inner scheduler."""
        return self.inner.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that the inner scheduler chooses."""
        return self.inner.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Pass the finished execution to the inner scheduler."""
        self.inner.finish(trace)

    def profile(self) -> Mapping[str, Any]:
        """Return the profile of the inner scheduler."""
        return self.inner.profile()

    def restore(self, profile: Mapping[str, Any]) -> None:
        """Restore the profile of the inner scheduler."""
        self.inner.restore(profile)
