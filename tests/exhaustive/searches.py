"""Running a search to its end."""

from __future__ import annotations

from simaie_schedulers.dpor.search import Dpor

from simaie.engine.execution import Execution
from simaie.engine.inline import run_inline
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import ExecutionInfo, Scheduler
from simaie.trace import Ending, Trace

NATIVE = Machine("native")


def run(program: Program, scheduler: Scheduler, machine: Machine = NATIVE, index: int = 0) -> Trace:
    """One execution."""
    return run_inline(Execution(program, machine, scheduler, ExecutionInfo(index, index, len(program.threads))))


def search(
    program: Program, scheduler: Scheduler, machine: Machine = NATIVE, limit: int = 20_000
) -> list[Trace] | None:
    """Every execution until the search is exhausted; None if it takes more than `limit`."""
    traces: list[Trace] = []
    while not scheduler.exhausted:
        if len(traces) == limit:
            return None
        traces.append(run(program, scheduler, machine, len(traces)))
    return traces


def explored(program: Program, machine: Machine = NATIVE) -> tuple[list[Trace], Dpor]:
    """All executions of an optimal search that were not given up, and its scheduler."""
    scheduler = Dpor()
    traces = search(program, scheduler, machine)
    assert traces is not None
    return [trace for trace in traces if trace.ending is not Ending.PRUNED], scheduler
