"""Lassos: executions whose last steps can be repeated for ever, and the vCPUs that make no progress meanwhile.

The engine ends such an execution where a fair cycle of the global state closes (`simaie.engine.lasso`). A vCPU makes
progress if it changes RAM on the cycle. All others make none, also those that wait all the time:

- ``livelock``: no vCPU changes RAM on the cycle;
- ``starvation``: some vCPUs do, and others make no progress.

If every vCPU changes RAM, a trace does not tell a server, which is to run for ever, from vCPUs that undo what they have
tried. The finding is then an inconclusive livelock.
"""

from __future__ import annotations

from simaie.check.constrained import without_promise
from simaie.check.evidence import written
from simaie.finding import Finding, Verdict
from simaie.op import is_device
from simaie.trace import Trace

__all__ = ["changing", "endless"]


def endless(trace: Trace) -> Finding:
    """Return what is wrong with a lasso."""
    start, end = trace.cycle or 0, len(trace)
    moving = sorted({event.actor for event in trace.events[start:]})
    changers = changing(trace)
    stuck = sorted(actor for actor in {*moving, *trace.waiting} - changers if not is_device(actor))
    steps = f"step {start}" if end - start == 1 else f"steps {start} to {end - 1}"
    can = f"{_listed(moving)} can repeat {steps} for ever under a fair schedule"
    if not stuck:
        each = "it" if len(moving) == 1 else "each of them"
        why = f"{each} changes memory, which may be work without an end, or a livelock"
        verdict, kind = Verdict.INCONCLUSIVE, "livelock"
    elif changers:
        change = f"while {_listed(sorted(changers))} {'changes' if len(changers) == 1 else 'change'} memory"
        why = f"{_make_no_progress(stuck, moving)}, {change}"
        verdict, kind = Verdict.VIOLATED, "starvation"
    else:
        why = f"{_make_no_progress(stuck, moving)}, and memory does not change"
        verdict, kind = Verdict.VIOLATED, "livelock"
    addresses = dict.fromkeys(event.op.address for event in trace.events[start:] if event.op.width)
    vcpus = (*stuck, *sorted(changers)) if stuck else tuple(moving)
    message = f"{can}: {why}{without_promise(trace)}"
    return Finding(kind, message, tuple(range(start, end)), tuple(addresses), vcpus, verdict)


def changing(trace: Trace) -> frozenset[str]:
    """Return the actors that change RAM on the cycle of a lasso.

    A byte has the same value at the beginning of the cycle as at its end. So its value before the first write on the
    cycle is that of the last one.
    """
    writes = [event for event in trace.events[trace.cycle or 0 :] if event.writes_ram]
    last = {byte: value for event in writes for byte, value in written(event, trace.endian)}
    found = set()
    for event in writes:
        new = dict(written(event, trace.endian))
        if any(last[byte] != value for byte, value in new.items()):
            found.add(event.actor)
        last.update(new)
    return frozenset(found)


def _make_no_progress(stuck: list[str], moving: list[str]) -> str:
    it, makes = ("it", "makes") if len(stuck) == 1 else ("they", "make")
    return f"{it if stuck == moving else _listed(stuck)} {makes} no progress"


def _listed(actors: list[str]) -> str:
    """Return ``vCPU 0``, ``vCPU 0 and vCPU 1``, or ``vCPU 0, vCPU 1 and dma0``."""
    *others, last = [name if is_device(name) else f"vCPU {name}" for name in actors]
    return f"{', '.join(others)} and {last}" if others else last
