"""What the guest program itself reports: a fault that nobody handled, a failed assertion, a final state it refuses."""

from __future__ import annotations

from collections.abc import Iterable

from simaie.finding import Finding
from simaie.trace import Fault, Trace

__all__ = ["final_check", "guest_fault"]

_KINDS = {"fault": "guest-fault", "assertion": "assertion"}


def guest_fault(trace: Trace) -> Iterable[Finding]:
    """One finding for each vCPU that a fault or an assertion ended; the step is the vCPU's last before it."""
    return [_ended(trace, fault) for fault in trace.faults] if trace.faults else ()


def final_check(trace: Trace) -> Iterable[Finding]:
    """The program's final check refused the final state."""
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
