"""Row 31: contention for locks, counted: neighbours in a granule share a lock, and a global lock is shared by all."""

from __future__ import annotations

from simaie.check.contention import total_contention
from simaie.corpus.audit_case import Case, Expect
from simaie.corpus.common import X86, X, Y
from simaie.guest.code import ins
from simaie.guest.program import Program
from simaie.trace import Trace

__all__ = ["CASES"]


def _waits_for_a_neighbour(trace: Trace) -> bool:
    return total_contention(trace).false > 0


def _waits_for_the_same_bytes(trace: Trace) -> bool:
    figures = total_contention(trace)
    return figures.waits > figures.false


def _counters(name: str, *places: int) -> Program:
    """Each vCPU increments the counter at its place, twice."""
    threads = [[ins("lock_inc", place, width=8)] * 2 for place in places]
    init = dict.fromkeys(places, (0, 8))
    return Program(
        name,
        isa="x86",
        threads=threads,
        init=init,
        final=lambda s: all(s.read(place, width=8) == 2 * places.count(place) for place in places),
    )


CASES = (
    Case(
        row=31,
        title="false sharing: counters of one granule wait for each other",
        why="The two counters have no byte in common, but one lock.",
        program=_counters("counters-of-one-granule", X, X + 8),
        observed=_waits_for_a_neighbour,
        expected=X86(Expect.MODEL, global_lock=Expect.MODEL),
    ),
    Case(
        row=31,
        title="true sharing: a common counter is waited for under any lock",
        why="Both vCPUs increment the same bytes, so that no size of a granule removes the wait.",
        program=_counters("common-counter", X, X),
        observed=_waits_for_the_same_bytes,
        expected=X86(Expect.MODEL, global_lock=Expect.MODEL),
    ),
    Case(
        row=31,
        title="one global lock: counters of two granules wait for each other",
        why="All locked instructions share the lock. With a lock per granule these two never wait.",
        program=_counters("counters-of-two-granules", X, Y),
        observed=_waits_for_a_neighbour,
        expected={"global-lock": Expect.MODEL},
    ),
)
