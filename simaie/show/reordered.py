"""Accesses that took effect before earlier ones of the same vCPU: which ones, and why the memory model allows it.

Only hosts of execution graphs have them. Store buffers delay stores too, but a drain is a step of its own there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from simaie.dependence import READS
from simaie.execution_graph import overtaken
from simaie.show.format import clean
from simaie.trace import Event, Trace

__all__ = ["early_accesses", "reorderings"]

#: Of more accesses that took effect early, the rest is only counted.
_MOST = 3


def early_accesses(trace: Trace) -> dict[int, tuple[int, ...]]:
    """Return the steps of accesses that took effect early, each with those that come first in the program."""
    if trace.graph is None:
        return {}
    by_vcpu: dict[str, list[tuple[int, int]]] = {}
    for step, (event, number) in enumerate(zip(trace.events, trace.graph.numbers, strict=True)):
        if event.op.accesses_memory:
            by_vcpu.setdefault(event.actor, []).append((step, number))
    found = [each for numbers in by_vcpu.values() for each in overtaken(numbers)]
    return dict(sorted(found))


def reorderings(trace: Trace) -> list[str]:
    """Return what took effect early in words, a clause for each access, and why the memory model allows it."""
    early = early_accesses(trace)
    found = [_clause(trace, step, late) for step, late in islice(early.items(), _MOST)]
    return [*found, f"{len(early) - _MOST} more accesses took effect early"] if len(early) > _MOST else found


def _clause(trace: Trace, step: int, late: Sequence[int]) -> str:
    graph = trace.graph
    assert graph is not None
    event, model = trace.events[step], clean(graph.model)
    own = [store for read, store in graph.sources if read == step and store in late]
    first = (own or late)[0]
    what = f"vCPU {clean(event.actor)}: step {step} took effect before step {first}, which comes first in the program: "
    if own:
        return f"{what}the {_access(event)} returns what the vCPU itself stores, and need not wait for that on {model}"
    return f"{what}nothing orders the {_part(event)} behind the {_part(trace.events[first])} on {model}"


def _access(event: Event) -> str:
    return f"{event.op.kind.name.lower().replace('_', '-')} of {clean(event.op.location)}"


def _part(event: Event) -> str:
    """Return the access as what takes effect last of it: of a read-modify-write, its store."""
    return f"store of the {_access(event)}" if event.op.kind in READS and event.wrote else _access(event)
