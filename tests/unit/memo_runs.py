"""Executions on the reference engine and on a memo, side by side, in a form that can be compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from simaie import Machine, Program
from simaie.check.needs import NEEDS, can_find
from simaie.engine.inline import run_inline
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.memo import Memo
from simaie.engine.memo.quick import make_memo_execution
from simaie.engine.memo.run import run_memo
from simaie.engine.memo.shared import SharedState
from simaie.exploration.scheduler_choice import make_scheduler
from simaie.prng import derive
from simaie.protocols import ExecutionInfo
from simaie.replaying.run import make_execution
from simaie.trace import Trace

__all__ = ["agree", "info", "shown", "side_by_side"]


def info(program: Program, index: int, seed: int = 0) -> ExecutionInfo:
    """What a scheduler is told of an execution."""
    return ExecutionInfo(derive(seed, index), index, len(program.threads) + len(program.devices))


def shown(trace: Trace) -> dict[str, Any]:
    """All that a trace says, the instructions and their results too, which are no part of its digest."""
    instructions = [
        (each.vcpu, each.number, each.mnemonic, each.access, each.address, each.width, _named(each.result), steps)
        for each, steps in trace.instructions
    ]
    return {
        "digest": trace.digest, "schedule": trace.schedule, "ending": trace.ending, "outcome": trace.outcome,
        "accepted": trace.accepted, "refusal": trace.refusal, "faults": trace.faults,
        "reservation ends": trace.reservation_ends, "silent": [(i.vcpu, i.number, i.result) for i in trace.silent],
        "waiting": {name: str(op) for name, op in trace.waiting.items()},
        "blocks": [(str(block), block.first, block.after) for block in trace.blocks],
        "instructions": instructions, "events": [str(event) for event in trace.events],
    }  # fmt: skip


def _named(value: Any) -> Any:
    return getattr(value, "name", value)


def side_by_side(
    program: Program, machine: Machine, scheduler: Any, executions: int, memo: Memo | None = None
) -> Iterator[tuple[Trace, Trace]]:
    """Each execution of a search by the reference engine and by one memo, until the memo gives up."""
    memo = memo or Memo(program, machine, SharedState(program))
    for_reference, for_memo = make_scheduler(scheduler)[0], make_scheduler(scheduler)[0]
    execution: MemoExecution | None = None
    try:
        for index in range(executions):
            if for_reference.exhausted or memo.given_up:
                break
            made = make_execution(program, machine, for_reference, index=index, verify=False)
            execution = make_memo_execution(memo, for_memo, info(program, index), execution)
            yield run_inline(made), run_memo(execution)
    finally:
        memo.close()


def assert_no_checker_is_skipped_that_finds_something(trace: Trace, occurred: int) -> None:
    """Whatever is found in a trace is found by a checker that is asked if this occurred."""
    for checker in NEEDS:
        if not can_find(checker, occurred):
            assert not tuple(checker(trace)), checker


def agree(program: Program, machine: Machine, scheduler: Any, executions: int) -> int:
    """Assert that both engines run the same executions of a search; return how many."""
    count = 0
    for one, other in side_by_side(program, machine, scheduler, executions):
        assert shown(other) == shown(one)
        assert_no_checker_is_skipped_that_finds_something(one, other.occurred)
        count += 1
    return count
