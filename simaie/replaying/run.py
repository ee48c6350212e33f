"""Running one execution, on either driver."""

from __future__ import annotations

from typing import Literal

from simaie.engine.blame import blamed
from simaie.engine.execution import Execution
from simaie.engine.graph.execution import GraphExecution
from simaie.engine.inline import run_inline
from simaie.engine.verified import execution_class
from simaie.engine.watchdog import Watchdog
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.prng import derive
from simaie.protocols import ExecutionInfo, Scheduler, require_one_of
from simaie.trace import Trace

__all__ = ["Driver", "make_execution", "run"]

Driver = Literal["inline", "trio"]
DRIVERS = ("inline", "trio")
#: What the arguments `program` and `machine` must be, for messages.
PROGRAM = "a simaie.Program"
MACHINE = "a simaie.Machine, such as Machine('cas')"


def make_execution(
    program: Program,
    machine: Machine,
    scheduler: Scheduler,
    *,
    seed: int = 0,
    index: int = 0,
    verify: bool = True,
    kind: type[Execution] | None = None,
) -> Execution:
    """Return execution number `index` of `seed`, ready to run.

    Args:
        program: The program.
        machine: The machine.
        scheduler: The scheduler.
        seed: The seed of the exploration.
        index: The number of the execution in the exploration, from 0.
        verify: Whether it may be one of the executions that `simaie.engine.verified` verifies.
        kind: The class of the execution; None for the one that is due.
    """
    info = ExecutionInfo(derive(seed, index), index, len(program.threads) + len(program.devices))
    if kind is None:
        if machine.has_graphs:
            kind = GraphExecution
        else:
            kind = execution_class(program, machine, index) if verify else Execution
    try:
        return kind(program, machine, scheduler, info)
    except BaseException as error:
        if (found := blamed(error, scheduler)) is not None:
            raise found from error
        raise


def run(
    program: Program,
    machine: Machine,
    scheduler: Scheduler,
    *,
    seed: int = 0,
    index: int = 0,
    driver: Driver = "inline",
    verify: bool = False,
) -> Trace:
    """Run one execution to its end, under the watchdog; `verify` as in `make_execution`."""
    require_one_of("driver", driver, DRIVERS)
    with Watchdog(machine.limits.spin_seconds) as watchdog:
        execution = make_execution(program, machine, scheduler, seed=seed, index=index, verify=verify)
        watchdog.watch(execution)
        if driver == "inline":
            return run_inline(execution)
        from simaie.engine.on_trio.driver import in_trio, run_trio  # trio is loaded only if it is used

        return in_trio(run_trio, execution)
