"""How much of the state space an exploration covered: distinct traces, preemptions, and an estimate of the rest.

``explore(..., coverage=True)`` asks for it; otherwise it costs nothing. The memory is bounded: digests are kept up to a
limit. At the limit counting stops, and the report says so.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import msgspec

from simaie.engine.meetings import Meetings
from simaie.engine.memo.walked import Covered
from simaie.exploration.canonical import trace_digest
from simaie.exploration.estimates import Interval, new_probability
from simaie.exploration.probes import InterleavingProbe, Probe, SizeEstimate, TraceProbe
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, SearchOfGraphs
from simaie.small_steps import SearchByUndo, SmallSteps
from simaie.trace import Ending, Trace

__all__ = ["Coverage", "CoverageCollector", "CoverageRecorder", "PreemptionCounter", "is_sampling"]

#: The number of distinct traces at which counting stops; each takes about 100 bytes.
MAX_TRACES = 200_000
#: The number of random probes of each kind at most, which estimate the size of an exhaustive search.
PROBES = 1_000
#: The total length of the probes of each kind, in events, after which no more are run.
PROBE_STEPS = 20_000
#: Steps of an exhaustive search before it is probed: a search that ends before knows its size. Steps, and not seconds,
#: so that a report is the same on every machine; they take about half a second.
STEPS_BEFORE_PROBES = 20_000
#: The number of points of the growth curve at most; beyond it every other point is dropped.
MAX_POINTS = 128


class Coverage(msgspec.Struct, frozen=True):
    """The coverage of an exploration.

    Attributes:
        traces: The number of distinct Mazurkiewicz traces among the first `traced` executions; on a host of execution
            graphs, of distinct graphs (see `simaie.exploration.canonical`).
        traced: The number of executions whose traces were counted. Executions that a limit cut or the scheduler gave up
            are left out, because they are only parts of traces.
        traces_complete: Whether all executions were counted. If false, there were too many distinct traces to keep, and
            `traces`, `traced`, `once` and `new_trace` describe the executions up to that point.
        once: The number of traces that occurred exactly once.
        new_trace: The probability that the next complete execution shows a new trace (Good-Turing). The estimate takes
            the executions as independent and identically distributed. This is true of a random walk, and nearly true of
            schedulers that only learn lengths or that rotate. It is None for schedulers that are exhaustive, that are
            guided by what they saw, or that run only one execution.
        preemptions: The number of switches away from an actor that was enabled and not yielding, in all executions. On
            a host of execution graphs it means little: vCPUs add events there, which may take effect in another order.
        most_preemptions: The largest number of preemptions in one execution.
        sizes: For exhaustive schedulers, estimates of the number of interleavings (which ``dfs`` without a bound runs)
            and of traces (which ``dpor`` runs); empty for others. Traces that differ only in the order of
            read-modify-writes that commute are counted one by one, although ``dpor`` may run just one of them.
        growth: Pairs (`traced` so far, `traces` so far), evenly spaced, at most `MAX_POINTS` of them, and the final
            pair. The curve flattens when little is left unseen.
        counts: What `traces` counts: ``"traces"`` or ``"graphs"``.
        since_new: The number of counted executions after the last one that showed a new trace.
        steps: The steps of the scheme's helpers that ran, by guest instruction, with their outcomes, as far as traces
            were counted (see `simaie.engine.meetings`).
        never_ran: Those that ran with another outcome only.
        met: The pairs of guest instructions of different vCPUs that met in RAM, the earlier one first.
        never_met: The pairs that access the same bytes, and did not meet in this order; None if there were too many
            different accesses to tell.
    """

    traces: int
    traced: int
    traces_complete: bool
    once: int
    new_trace: Interval | None
    preemptions: int
    most_preemptions: int
    sizes: tuple[SizeEstimate, ...] = ()
    growth: tuple[tuple[int, int], ...] = ()
    counts: str = "traces"
    since_new: int = 0
    steps: tuple[str, ...] = ()
    never_ran: tuple[str, ...] = ()
    met: tuple[tuple[str, str], ...] = ()
    never_met: tuple[tuple[str, str], ...] | None = ()


def is_sampling(scheduler: Scheduler) -> bool:
    """Whether the executions of a scheduler are independent samples, so that they support estimates."""
    return scheduler.independent and not scheduler.exhaustive


class CoverageCollector:
    """The counters of coverage, updated with each execution, so that a `summary` is cheap at any time.

    Args:
        scheduler: The scheduler.
        graphs: Whether the executions are graphs. Then no probes estimate the size of an exhaustive search, since they
            estimate numbers of interleavings and traces.
    """

    def __init__(self, scheduler: Scheduler, *, graphs: bool = False) -> None:
        self.scheduler = PreemptionCounter(scheduler)
        self._sampling = is_sampling(scheduler)
        self._counts = "graphs" if graphs else "traces"
        probes = scheduler.exhaustive and not graphs
        self._probes: list[Probe] = [InterleavingProbe(), TraceProbe()] if probes else []
        self.forget()

    def forget(self) -> None:
        """Forget the executions so far, but not the probes, which do not depend on them."""
        self._seen: dict[int, int] = {}  # digest -> number of executions, up to 3
        self._with = [0, 0, 0, 0]  # number of executions -> number of digests that have it
        self._traced = self._newest = 0
        self._complete = True
        self._preemptions = self._most = 0
        self._growth: list[tuple[int, int]] = []
        self._stride = 1
        self._meetings = Meetings()

    @property
    def has_probes(self) -> bool:
        """Whether a long search is probed."""
        return bool(self._probes)

    def probes(self, executions: int) -> Iterator[tuple[Probe, int]]:
        """Yield the probing schedulers to run, with the index of each walk; at most `executions` walks of each."""
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
            digest = trace_digest(trace)
            if digest not in self._seen:
                self._meetings.look_at(trace.events)
            self._count(digest)

    def merge(self, later: Covered) -> None:
        """Count executions that come after those so far."""
        self._preemptions += later.preemptions
        self._most = max(self._most, later.most_preemptions)
        self._meetings.merge(later.met)
        for digest in later.digests:
            if not self._complete:
                break
            self._count(digest)

    def _count(self, digest: int) -> None:
        times = self._seen.get(digest, 0)
        if not times and len(self._seen) >= MAX_TRACES:
            self._complete = False
            return
        self._traced += 1
        if not times:
            self._newest = self._traced
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
        """Return the coverage so far."""
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
            counts=self._counts,
            since_new=self._traced - self._newest,
            steps=tuple(map(str, self._meetings.steps)),
            never_ran=tuple(map(str, self._meetings.never_ran)),
            met=self._meetings.met,
            never_met=self._meetings.never_met,
        )


class CoverageRecorder(CoverageCollector):
    """A collector that keeps digests in order and counts nothing, for another one to `merge`."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(scheduler)
        self._probes = []  # those of the other one are enough

    def forget(self) -> None:
        """Forget the executions so far."""
        super().forget()
        self._digests = array("Q")

    def _count(self, digest: int) -> None:
        self._digests.append(digest)

    def take(self) -> Covered:
        """Return what was recorded, and begin anew."""
        taken = Covered(self._digests, self._preemptions, self._most, self._meetings.take())
        self._digests, self._preemptions, self._most = array("Q"), 0, 0
        return taken


class PreemptionCounter(Scheduler):
    """A scheduler that asks `inner`, and counts the preemptions of the current execution."""

    def __init__(self, inner: Scheduler) -> None:
        self.inner = inner
        self._choose = inner.choose
        self.count = 0

    def start(self, info: ExecutionInfo) -> None:
        """Begin to count."""
        self.count = 0
        self.inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the choice of `inner`, and count it if it is a preemption."""
        chosen = self._choose(offer)
        running = offer.running
        if chosen is not running and running in offer.candidates and not running.yielding:
            self.count += chosen is not None and not chosen.internal
        return chosen

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that `inner` chooses."""
        return self.inner.choose_value(offer, arity)

    def by_graphs(self, search: SearchOfGraphs) -> bool:
        """Return the answer of `inner`; a graph has no preemptions."""
        return self.inner.by_graphs(search)

    def finish(self, trace: Trace) -> None:
        """Pass the trace on to `inner`."""
        self.inner.finish(trace)

    def by_undo(self, state: SmallSteps) -> SearchByUndo | None:
        """Return the search of `inner`; those who follow it set `count`."""
        return self.inner.by_undo(state)
