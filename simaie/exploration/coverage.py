"""How much of what there is an exploration has seen: distinct traces, what is probably unseen, preemptions.

Asked for by ``explore(..., coverage=True)``; without it nothing of this costs anything. The memory is bounded: digests
are kept up to a limit, and where it is reached counting stops and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simaie.exploration.canonical import trace_digest
from simaie.exploration.estimates import Interval, new_probability
from simaie.exploration.probes import InterleavingProbe, Probe, Size, TraceProbe
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Ending, Trace

__all__ = ["Coverage", "CoverageCollector", "PreemptionCounter", "is_sampling"]

#: Distinct traces kept apart, some 100 bytes each.
MAX_TRACES = 200_000
#: Random probes of the size of what an exhaustive search has before it, of each kind, and their total length in events.
PROBES = 1_000
PROBE_STEPS = 20_000
#: Steps of an exhaustive search before it is probed: a search that ends before knows its size. Steps, and not seconds,
#: so that a report is the same on every machine; they take about half a second.
STEPS_BEFORE_PROBES = 20_000
#: Points of the growth curve; when there are more, every other one is dropped.
MAX_POINTS = 128


class Coverage(msgspec.Struct, frozen=True):
    """What an exploration has covered.

    traces: distinct Mazurkiewicz traces (see `simaie.exploration.canonical`) among the first `traced` complete
    executions; executions that a limit cut or the scheduler gave up are parts of traces and left out. traces_complete:
    whether none was passed over because there were too many distinct ones to keep; if false, counting stopped at that
    point, and `traces`, `traced`, `once` and `new_trace` are of what came before. once: traces that were seen exactly
    once.

    new_trace: the probability that the next complete execution shows a new trace (Good-Turing). It takes executions as
    independent, each drawn as the others: true of a random walk, nearly true of schedulers that only learn
    lengths, and of those that rotate; None where that is not so: for schedulers that are exhaustive, guided by what
    they saw, or run one execution only.

    preemptions: switches away from an actor that was enabled and not yielding, in all executions together;
    most_preemptions: in one. sizes: for exhaustive schedulers, estimates of how much there is to explore: of
    interleavings (what ``dfs`` without a bound runs) and of traces (what ``dpor`` runs); empty for others.

    growth: pairs (`traced` so far, `traces` so far), evenly spaced, at most `MAX_POINTS` of them, and the final one:
    a curve that flattens as little is left unseen.
    """

    traces: int
    traced: int
    traces_complete: bool
    once: int
    new_trace: Interval | None
    preemptions: int
    most_preemptions: int
    sizes: tuple[Size, ...] = ()
    growth: tuple[tuple[int, int], ...] = ()


def is_sampling(scheduler: Scheduler) -> bool:
    """Whether the scheduler's executions are independent and drawn as one another, so that they speak for all."""
    return scheduler.independent and not scheduler.exhaustive


class CoverageCollector:
    """Adds up traces as they come; all running figures are kept, so that `summary` costs the same at any time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = PreemptionCounter(scheduler)
        self._sampling = is_sampling(scheduler)
        self._probes: list[Probe] = [InterleavingProbe(), TraceProbe()] if scheduler.exhaustive else []
        self._seen: dict[int, int] = {}  # digest -> how often, up to 3
        self._with = [0, 0, 0, 0]  # how many digests were seen so often
        self._traced = 0
        self._complete = True
        self._preemptions = self._most = 0
        self._growth: list[tuple[int, int]] = []
        self._stride = 1

    def probes(self, executions: int) -> Iterator[tuple[Probe, int]]:
        """The probing schedulers to run, with the index of each walk; at most `executions` walks of each."""
        for probe in self._probes:
            for index in range(min(PROBES, executions)):
                if probe.steps >= PROBE_STEPS:
                    break
                yield probe, index

    def add(self, trace: Trace) -> None:
        """Count one execution."""
        preemptions = self.scheduler.count
        self._preemptions += preemptions
        self._most = max(self._most, preemptions)
        if self._complete and not trace.truncated and trace.ending is not Ending.PRUNED:
            self._count(trace_digest(trace))

    def _count(self, digest: int) -> None:
        times = self._seen.get(digest, 0)
        if not times and len(self._seen) >= MAX_TRACES:
            self._complete = False
            return
        self._traced += 1
        if times < 3:
            self._seen[digest] = times + 1
            self._with[times] -= 1
            self._with[times + 1] += 1
        if self._traced % self._stride == 0:
            self._growth.append((self._traced, len(self._seen)))
            if len(self._growth) > MAX_POINTS:
                self._growth = self._growth[1::2]
                self._stride *= 2

    def summary(self) -> Coverage:
        """The figures so far."""
        _, once, twice, _ = self._with
        final = self._traced, len(self._seen)
        return Coverage(
            traces=len(self._seen),
            traced=self._traced,
            traces_complete=self._complete,
            once=once,
            new_trace=new_probability(once, twice, self._traced) if self._sampling else None,
            preemptions=self._preemptions,
            most_preemptions=self._most,
            sizes=tuple(probe.size() for probe in self._probes if probe.weights),
            growth=tuple(dict.fromkeys([*self._growth, final])) if self._traced else (),
        )


class PreemptionCounter(Scheduler):
    """Passes everything on to `inner`, and counts the preemptions of the current execution."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self._choose = inner.choose
        self.count = 0

    def start(self, info: ExecutionInfo) -> None:
        """None yet."""
        self.count = 0
        self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """What `inner` chooses."""
        chosen = self._choose(offer)
        running = offer.running
        if chosen is not running and running in offer.candidates and not running.yielding:
            self.count += chosen is not None and not chosen.internal
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """What `inner` chooses."""
        return self.inner.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Pass it on."""
        self.inner.finish(trace)
