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
        "trace": trace_document(failure.trace, failure.findings),
        **({"how_to_reproduce": failure.how_to_reproduce} if isinstance(failure, Recorded) else {}),
    }


def trace_document(trace: Trace, findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """Return a trace: each event with the numbers of the findings that name it, the ending, the outcome, the digest."""
    marks: dict[int, list[int]] = {}
    for number, finding in enumerate(findings, 1):
        for step in sorted(set(finding.steps)):
            marks.setdefault(step, []).append(number)
    return {
        "program": trace.program,
        "digest": trace.digest,
        "ending": trace.ending.value,
        "outcome": trace.outcome.as_dict() if trace.outcome is not None else None,
        "accepted": trace.accepted,
        "waiting": {actor: str(op) for actor, op in trace.waiting.items()},
        "faults": msgspec.to_builtins(trace.faults),
        "switches": msgspec.to_builtins(trace.schedule.switches),
        "choices": msgspec.to_builtins(trace.schedule.choices),
        "events": [_event(step, event, marks.get(step, [])) for step, event in enumerate(trace.events)],
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
