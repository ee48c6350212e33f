"""Fairness: an actor that yields waits for those it has overtaken.

M. Musuvathi, S. Qadeer: "Fair stateless model checking" (PLDI 2008). An acyclic relation "t may not run while u is
enabled" is kept. For each t since its last yield, S(t) are the actors scheduled, E(t) those enabled all the time, D(t)
those that t disabled. When u runs, the pairs that wait for u are dropped; when t yields, (t, u) is added for every u in
(E(t) + D(t)) - S(t). Guarantee: an actor that is enabled for ever runs in the end, provided that those who run in its
stead yield, and no execution of guests that never yield is lost. A yield is what `Candidate.yielding` says.

S and E are not kept as sets but as two steps an actor: when it last ran, and since when it has been enabled. Before
anybody yields nothing is kept at all, so that programs without spinners pay for one look at the chosen actor.

A random walk needs none of this: it picks every candidate with probability 1 / n at every step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_one_of
from simaie.trace import Trace

__all__ = ["Fair", "FairScheduler", "Fairness"]


class Fairness:
    """The relation, for one execution. Actors go by name.

    Invariants: `_waits_for` is acyclic, hence never bars every candidate; an actor is in `_yielded` from its first
    yield on, and only then in `_disabled`.
    """

    def __init__(self) -> None:
        self._waits_for: dict[str, set[str]] = {}
        self._now = 0  # steps since the first yield
        self._yielded: dict[str, int] = {}  # when it last yielded
        self._disabled: dict[str, set[str]] = {}  # whom it has disabled since
        self._ran: dict[str, int] = {}  # when it last ran
        self._enabled: dict[str, int] = {}  # since when it has been enabled
        self._last: Candidate | None = None
        self._last_yields = False
        self._before: tuple[Any, ...] = ()  # the candidates of the last step

    @property
    def idle(self) -> bool:
        """Whether nobody has yielded yet, so that nobody waits."""
        return self._last is None

    def admit(self, offer: Offer) -> Offer:
        """`offer` itself, or a smaller one without those who must wait."""
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
        """`chosen` takes the step for which `offer`, the whole one, was made."""
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
        """Settle the yield that `name` has just performed. Until its first one, S(name) is everybody."""
        since = self._yielded.get(name)
        if since is not None:
            overtaken = {other for other, start in self._enabled.items() if start <= since} | self._disabled[name]
            waits_for = {other for other in overtaken if self._ran.get(other, -1) <= since}
            if waits_for:
                self._waits_for.setdefault(name, set()).update(waits_for)
        self._yielded[name] = self._now
        self._disabled[name] = set()


class FairScheduler(Scheduler):
    """What a random scheduler derives from to be fair by default: it defines `pick` instead of `choose`."""

    def __init__(self, fair: bool = True) -> None:
        require_one_of("fair", fair, (True, False))
        self._fair = fair
        self._fairness: Fairness | None = None

    def start(self, info: ExecutionInfo) -> None:
        """An execution begins; nobody waits for anybody."""
        self._fairness = Fairness() if self._fair else None

    def choose(self, offer: Offer) -> Candidate | None:
        """Pick among those who need not wait."""
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
        """Pick one of `offer.candidates`, or None: `choose`, but for those who wait."""


class Fair(FairScheduler):
    """Any scheduler made fair: `inner` is offered only those who need not wait."""

    def __init__(self, inner: Scheduler) -> None:
        super().__init__()
        self.inner = inner

    @property
    def exhausted(self) -> bool:
        """As the inner one says."""
        return self.inner.exhausted

    @property
    def bound_note(self) -> str:
        """As the inner one says."""
        return self.inner.bound_note

    def start(self, info: ExecutionInfo) -> None:
        """An execution begins."""
        super().start(info)
        self.inner.start(info)

    def pick(self, offer: Offer) -> Candidate | None:
        """As the inner one does."""
        return self.inner.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """As the inner one does."""
        return self.inner.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """The execution ended."""
        self.inner.finish(trace)

    def profile(self) -> Mapping[str, Any]:
        """That of the inner one."""
        return self.inner.profile()

    def restore(self, profile: Mapping[str, Any]) -> None:
        """To the inner one."""
        self.inner.restore(profile)
