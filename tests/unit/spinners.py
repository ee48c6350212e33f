"""Guests that spin on a flag, and how to search all their interleavings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scheduler_programs import X
from simaie_schedulers.dfs import DepthFirst

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind
from simaie.protocols import ExecutionInfo
from simaie.trace import Trace

NATIVE = Machine("native")


async def spins(cpu: Any) -> None:
    """Look, and wait for an event, until the flag is up."""
    while not await cpu.ldr(X):
        await cpu.wfe()


def explored(program: Program, machine: Machine = NATIVE, scheduler: Any = None) -> list[Trace]:
    """Every interleaving, or every execution of another exhaustive `scheduler`."""
    scheduler, traces = scheduler or DepthFirst(), []
    while not scheduler.exhausted:
        assert len(traces) < 10_000
        traces.append(run_inline(Execution(program, machine, scheduler, ExecutionInfo(0, 0, len(program.threads)))))
    assert scheduler.complete
    return traces


def waited(trace: Trace) -> bool:
    """Whether any spin has become a wait."""
    announced: Iterable[Kind] = {op.kind for op in trace.waiting.values()} | trace.kinds
    return Kind.AWAIT in announced
