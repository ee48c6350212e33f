"""Failures that the guest program reports itself: an unhandled fault, a failed assertion, a rejected final state."""

from __future__ import annotations

from collections.abc import Iterable

from simaie.finding import Finding
from simaie.trace import Fault, Trace

__all__ = ["final_check", "guest_fault"]

_KINDS = {"fault": "guest-fault", "assertion": "assertion"}


def guest_fault(trace: Trace) -> Iterable[Finding]:
    """Find each vCPU that a fault or an assertion ended; the step is its last one before. A kill is neither."""
    return [_ended(trace, fault) for fault in trace.faults if fault.kind != "kill"] if trace.faults else ()


def final_check(trace: Trace) -> Iterable[Finding]:
    """Find a final state that the program refuses."""
    if trace.accepted is not False:
        return ()
    why = f": {trace.refusal}" if trace.refusal else ""
    return (Finding("final-check", f"the final check of {trace.program!r} refuses the outcome {trace.outcome}{why}"),)


def _ended(trace: Trace, fault: Fault) -> Finding:
    before = range(min(fault.step, len(trace.events)) - 1, -1, -1)
    last = next((step for step in before if trace.events[step].actor == fault.vcpu), None)
    return Finding(
        _KINDS.get(fault.kind, fault.kind),
        f"vCPU {fault.vcpu}: {fault.message}",
        steps=() if last is None else (last,),
        vcpus=(fault.vcpu,),
    )
