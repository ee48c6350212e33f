"""Guest threads that share a vCPU: which ones, and where it passed from one to another (`time-sliced`)."""

from __future__ import annotations

from itertools import pairwise

from simaie.op import Kind, Role
from simaie.show.format import clean
from simaie.trace import Trace

__all__ = ["turns"]

#: Of more switches, the rest is only counted.
_MOST = 12


def turns(trace: Trace) -> list[str]:
    """Return in words which guest threads had each shared vCPU, and the steps at which it passed to another one."""
    had: dict[str, list[tuple[int, str]]] = {}  # by vCPU, each time slice: its first step and its thread
    for step, event in enumerate(trace.events):
        cell = event.op.cell
        if event.op.kind is Kind.LOCK and cell is not None and cell.role is Role.VCPU:
            had.setdefault(cell.name, []).append((step, event.actor))
    return [_said(name, slices) for name, slices in had.items()]


def _said(name: str, slices: list[tuple[int, str]]) -> str:
    threads = ", ".join(sorted({thread for _, thread in slices}))
    passed = [f"to {now} at step {step}" for (_, before), (step, now) in pairwise(slices) if before != now]
    more = f", and {len(passed) - _MOST} more times" if len(passed) > _MOST else ""
    went = f"it passed {', '.join(passed[:_MOST])}{more}" if passed else "it did not pass to another"
    return f"{clean(name)} is one vCPU, which the guest threads {threads} share: {went}"
