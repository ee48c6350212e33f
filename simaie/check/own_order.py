"""The order of a vCPU's own transactions: one precedes another if all its accesses precede all of the other's.

Without store buffers that is so if the one has ended before the other begins. With buffers a store takes effect late,
and only an order that all equivalent executions share counts (`simaie.predecessors`). Before an access that takes
effect at once come the stores that were buffered before the last operation that waits for the buffers. Before a
buffered store come the earlier ones of the same buffer, and those on the other side of a store-store fence.

For each transaction only its latest predecessors are returned, since the others precede these.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from simaie.check.accesses import Access
from simaie.dependence import keeps_stores_apart, waits_for_drain
from simaie.op import Kind, owner_of
from simaie.trace import Trace

__all__ = ["own_order"]


class _Span(msgspec.Struct):
    """A transaction in the steps of its vCPU.

    Attributes:
        number: Number of the transaction.
        first: The step at which its first access was issued.
        last: The step at which its last access was issued.
        settled: The step from which on accesses that take effect at once come after it.
        fenced: The step from which on buffered stores come after it.
        stores: Whether all its accesses are buffered stores.
    """

    number: int
    first: int
    last: int
    settled: int = -1
    fenced: int = -1
    stores: bool = True

    def precedes(self, other: _Span) -> bool:
        """Whether every access precedes every access of `other`, a later transaction of the same vCPU."""
        return self.last < other.first and (self.fenced if other.stores else self.settled) <= other.first


def own_order(trace: Trace, accesses: Sequence[Access], of: Sequence[int], vcpus: Sequence[str]) -> list[list[int]]:
    """Return for each transaction the numbers of its direct predecessors on the same vCPU.

    Args:
        trace: The execution.
        accesses: The accesses to RAM.
        of: By access, the number of its transaction.
        vcpus: By transaction, its vCPU.
    """
    spans = _spans(accesses, of)
    by_vcpu: dict[str, list[_Span]] = {}
    for number, vcpu in enumerate(vcpus):
        by_vcpu.setdefault(vcpu, []).append(spans[number])
    if Kind.BUFFER in trace.kinds:
        buffers = _Buffers(trace)
        for access, number in zip(accesses, of, strict=True):
            buffers.settle(spans[number], access)
    found: list[list[int]] = [[] for _ in vcpus]
    for mine in by_vcpu.values():
        _link(sorted(mine, key=lambda span: span.first), found)
    return found


def _spans(accesses: Sequence[Access], of: Sequence[int]) -> dict[int, _Span]:
    spans: dict[int, _Span] = {}
    for access, number in zip(accesses, of, strict=True):
        issued = access.issued
        span = spans.get(number)
        if span is None:
            span = spans[number] = _Span(number, issued, issued)
        span.first, span.last = min(span.first, issued), max(span.last, issued)
        if access.entered < 0:
            span.stores = False
    for span in spans.values():
        span.settled = span.fenced = span.last
    return spans


class _Buffers:
    """By vCPU: the steps that wait for the buffers, those that separate its stores, and its buffers."""

    def __init__(self, trace: Trace) -> None:
        self._never = len(trace.events)
        self._waits: dict[str, list[int]] = {}
        self._fences: dict[str, list[int]] = {}
        self._buffers: dict[str, set[str]] = {}
        for step, event in enumerate(trace.events):
            if event.op.kind is Kind.BUFFER:
                self._buffers.setdefault(event.actor, set()).add(event.op.buffer)
            if waits_for_drain(event.op):
                self._waits.setdefault(event.actor, []).append(step)
            if waits_for_drain(event.op) or keeps_stores_apart(event.op):
                self._fences.setdefault(event.actor, []).append(step)

    def settle(self, span: _Span, access: Access) -> None:
        """Record how long the effect of `access`, an access of the transaction, may take."""
        if access.entered < 0:
            return
        vcpu = owner_of(access.event.actor)
        span.settled = max(span.settled, _next(self._waits.get(vcpu, ()), access.entered, self._never))
        if len(self._buffers[vcpu]) > 1:
            span.fenced = max(span.fenced, _next(self._fences.get(vcpu, ()), access.entered, self._never))


def _next(steps: Sequence[int], after: int, never: int) -> int:
    place = bisect_right(steps, after)
    return steps[place] if place < len(steps) else never


def _link(spans: Sequence[_Span], found: list[list[int]]) -> None:
    """Record the predecessors of each of a vCPU's transactions, which are sorted by their beginning."""
    settling = _Frontier(sorted(spans, key=lambda span: (span.settled, span.first)), by_fences=False)
    fencing = _Frontier(sorted(spans, key=lambda span: (span.fenced, span.first)), by_fences=True)
    for span in spans:
        frontier = fencing if span.stores else settling
        found[span.number] = [before.number for before in frontier.at(span.first) if before.precedes(span)]


class _Frontier:
    """Goes through a vCPU's transactions as they end; keeps the ended ones that have no ended successor."""

    def __init__(self, spans: Sequence[_Span], *, by_fences: bool) -> None:
        self._spans = spans
        self._over = [span.fenced if by_fences else span.settled for span in spans]
        self._at = 0
        self._latest: list[_Span] = []

    def at(self, step: int) -> list[_Span]:
        """Return the transactions ended at `step` that precede no other ended one."""
        while self._at < len(self._spans) and self._over[self._at] <= step:
            span = self._spans[self._at]
            if span.last >= step:
                break  # the transaction that begins there
            self._at += 1
            self._latest = [before for before in self._latest if not before.precedes(span)]
            self._latest.append(span)
        return self._latest
