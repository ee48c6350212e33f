"""A trace and a failure as JSON values, for programs to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from simaie.finding import Finding
from simaie.op import show
from simaie.replaying.failure import Failure
from simaie.replaying.recorded import Recorded
from simaie.show.explain import explain_failure
from simaie.show.reordered import early_accesses
from simaie.trace import Event, Trace

__all__ = ["failure_document", "trace_document"]


def failure_document(failure: Failure) -> dict[str, Any]:
    """Return a failure with its complete trace; a recorded one also says how to reproduce it."""
    return {
        "program": failure.program.name,
        "scheme": failure.machine.scheme,
        "host": failure.machine.host,
        "scheduler": None if failure.scheduler is None else str(failure.scheduler),
        "seed": failure.seed,
        "index": failure.index,
        "verdict": failure.verdict.value,
        "findings": msgspec.to_builtins(failure.findings),
        "explanation": explain_failure(failure),
        **({"diverged": failure.diverged} if failure.diverged else {}),
        "trace": trace_document(failure.trace, failure.findings),
        **({"how_to_reproduce": failure.how_to_reproduce} if isinstance(failure, Recorded) else {}),
    }


def trace_document(trace: Trace, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """Return a trace: each event with the numbers of the findings that name it, the ending, the outcome, the digest.

    On a host of execution graphs, each event also has the number of its operation on its vCPU, the steps whose stores
    it read (-1 for the initial value), and the steps that come first in the program but took effect later.
    """
    marks: dict[int, list[int]] = {}
    for number, finding in enumerate(findings, 1):
        for step in sorted(set(finding.steps)):
            marks.setdefault(step, []).append(number)
    more = _by_step(trace)
    return {
        "program": trace.program,
        "digest": trace.digest,
        "ending": trace.ending.value,
        "outcome": trace.outcome.as_dict() if trace.outcome is not None else None,
        "accepted": trace.accepted,
        "waiting": {actor: str(op) for actor, op in trace.waiting.items()},
        **({} if trace.cycle is None else {"cycle": trace.cycle}),
        **({"goals": dict(trace.goals)} if trace.goals else {}),
        "faults": msgspec.to_builtins(trace.faults),
        "switches": msgspec.to_builtins(trace.schedule.switches),
        "choices": msgspec.to_builtins(trace.schedule.choices),
        "events": [
            {**_event(step, event, marks.get(step, [])), **more.get(step, {})}
            for step, event in enumerate(trace.events)
        ],
    }


def _by_step(trace: Trace) -> dict[int, dict[str, Any]]:
    """Return what the graph of a trace says about each step; nothing without a graph."""
    graph = trace.graph
    if graph is None:
        return {}
    read: dict[int, list[int]] = {}
    for step, store in graph.sources:
        read.setdefault(step, []).append(store)
    early = early_accesses(trace)
    return {
        step: {"operation": number, "reads_from": read.get(step, []), "before": list(early.get(step, ()))}
        for step, number in enumerate(graph.numbers)
    }


def _event(step: int, event: Event, marks: Sequence[int]) -> dict[str, Any]:
    instruction = event.instruction
    return {
        "step": step,
        "actor": event.actor,
        "op": str(event.op),
        "kind": event.op.kind.name.lower().replace("_", "-"),
        "location": event.op.location,
        "value": event.value if isinstance(event.value, int | None) else show(event.value),
        "instruction": None if instruction is None else str(instruction),
        **({} if instruction is None or instruction.place is None else {"code": instruction.place.disassembly}),
        "number": None if instruction is None else instruction.number,
        "findings": marks,
    }
