"""When two executions are one Mazurkiewicz trace: a canonical form, straight from `simaie.dependence.conflict`."""

from __future__ import annotations

from simaie.dependence import conflict
from simaie.op import Kind, owner_of, show
from simaie.trace import Event, Trace

Canonical = tuple[object, ...]


def are_dependent(a: Event, b: Event) -> bool:
    """Whether two events must keep their order, and could have another. A local choice concerns nobody else."""
    if owner_of(a.actor) == owner_of(b.actor):
        return a.actor == b.actor  # what a vCPU's store buffer orders is the same in every execution
    if Kind.CHOICE in (a.op.kind, b.op.kind):
        return False
    return conflict(a.op, a.wrote, b.op, b.wrote)


def canonical(trace: Trace) -> Canonical:
    """Every event by actor and number, with what it returned and which foreign events before it it depends on."""
    numbers: dict[str, int] = {}
    identities: list[tuple[str, int]] = []
    described: list[tuple[object, ...]] = []
    for event in trace.events:
        number = numbers[event.actor] = numbers.get(event.actor, -1) + 1
        before = [
            identity
            for identity, other in zip(identities, trace.events, strict=False)
            if other.actor != event.actor and are_dependent(other, event)
        ]
        identities.append((event.actor, number))
        described.append((event.actor, number, event.op.kind, event.op.location, show(event.value), tuple(before)))
    waiting = tuple(sorted((name, str(op.kind), op.location) for name, op in trace.waiting.items()))
    ordered = [(*item[:-1], tuple(sorted(item[-1]))) for item in sorted(described, key=lambda item: item[:2])]
    return (trace.ending, trace.outcome, waiting, tuple(ordered))
