"""Runs memo executions, and checks with the reference engine where the memo alone cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simaie.engine.blame import blamed, raised_by
from simaie.engine.execution import Execution
from simaie.engine.guilty_line import Again
from simaie.engine.inline import run_inline
from simaie.engine.memo.execution import MemoExecution
from simaie.engine.memo.node import Node
from simaie.engine.memo.runner import Differs, Renewed
from simaie.engine.passing import PASSING
from simaie.engine.verified import execution_class
from simaie.errors import SchedulerError
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler
from simaie.trace import Event, Trace

if TYPE_CHECKING:
    from simaie.engine.memo.undone import Undone

__all__ = ["Deviation", "compare", "repeated", "run_memo"]


class Deviation(Exception):
    """The memo and the reference engine do not do the same.

    Attributes:
        vcpu: Which vCPU; empty for the ends of two executions.
        step: The step of the execution.
        expected: What the memo has.
        got: What the reference engine did.
    """

    def __init__(self, vcpu: str, step: int, expected: str, got: str) -> None:
        super().__init__(f"vCPU {vcpu} at step {step}: expected {expected}, got {got}")
        self.vcpu, self.step, self.expected, self.got = vcpu, step, expected, got


class _GoesOn(Again):
    """A scheduler that repeats the decisions of `events`, and then asks `scheduler`, which made them."""

    def __init__(self, events: Sequence[Event], scheduler: Scheduler) -> None:
        super().__init__(events)
        self._scheduler = scheduler

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the candidate that went on at this step, or goes on."""
        return super().choose(offer) if offer.step < len(self._events) else self._scheduler.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return the value that the choice had, or has."""
        if offer.step < len(self._events):
            return super().choose_value(offer, arity)
        return self._scheduler.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Tell the scheduler of the whole execution."""
        self._scheduler.finish(trace)


def run_memo(execution: MemoExecution) -> Trace:
    """Run `execution` to its end and return its trace; the reference engine goes on with it if the memo cannot.

    Raises:
        Deviation: A vCPU does not do what it did before after the same results.
        SimaieError: A guest, the scheduler, the scheme or the host memory raised: as `run_inline`.
    """
    memo = execution.memo
    try:
        actor = execution.begin()
        while actor is not None:
            actor = execution.resume(actor)  # type: ignore[arg-type]  # its actors are MemoActors
        trace: Trace = execution.trace()
        if not execution.is_known and (reason := memo.shared.changed()):
            memo.give_up(reason)
            trace = _confirmed(execution, trace)
        execution.scheduler.finish(trace)
        return trace
    except PASSING:
        raise
    except Deviation:
        raise
    except Renewed:
        memo.give_up("a vCPU holds an object by which its states cannot be compared")
        return run_inline(reference(execution, _GoesOn(execution.performed, execution.scheduler)))
    except BaseException as error:
        memo.give_up("an execution raised an error")
        if raised_by(execution.scheduler, error) is None and not isinstance(error, SchedulerError):
            _raise_true_error(execution, error)
        if (found := blamed(error, execution.scheduler, execution.memory)) is not None:
            raise found from error
        raise
    finally:
        execution.close()


def _raise_true_error(execution: MemoExecution, error: BaseException) -> None:
    """Raise what the reference engine raises where `execution` ended with `error`; Deviation if it raises nothing."""
    trace = repeated(execution, execution.performed)
    if isinstance(error, Differs):
        node = error.node
        raise _deviation(execution, node, str(error.got or "its end")) from error
    if execution.asking is not None:
        name = execution.asking.root.name
        raise Deviation(name, len(execution.events), str(error), str(trace.waiting.get(name, "its end"))) from error


def _deviation(execution: MemoExecution, node: Node, got: str) -> Deviation:
    """The error for a vCPU that announced `got` at `node`."""
    name = node.root.name
    steps = [step for step, event in enumerate(execution.performed) if event.actor == name]
    step = steps[node.depth - 1] if 0 < node.depth <= len(steps) else len(execution.events)
    return Deviation(name, step, str(node.op or "its end"), got)


def _confirmed(execution: MemoExecution, trace: Trace) -> Trace:
    """Return the same execution by the reference engine; Deviation if it differs."""
    confirmed = repeated(execution, trace.events)
    compare(trace, confirmed)
    return confirmed


def repeated(execution: MemoExecution, events: Sequence[Event]) -> Trace:
    """Run the decisions of `events` on the reference engine; it is given up after the last of them.

    Raises:
        SimaieError: As `run_inline`.
    """
    return run_inline(reference(execution, Again(events)))


def reference(execution: MemoExecution | Undone, scheduler: Scheduler) -> Execution:
    """Return the same execution on the reference engine, ready to run, in which `scheduler` chooses."""
    program, machine, info = execution.program, execution.machine, execution.info
    kind = execution_class(program, machine, info.index)
    return kind(program, machine, scheduler, ExecutionInfo(info.seed, info.index, info.threads))


def compare(known: Trace, got: Trace) -> None:
    """Raise Deviation if a trace of the memo and one of the reference engine differ."""
    if known.digest == got.digest and known.accepted == got.accepted:
        return
    for step, (one, other) in enumerate(zip(known.events, got.events, strict=False)):
        if one.form != other.form:
            raise Deviation(one.actor, step, str(one), str(other))
    step = min(len(known), len(got))
    longer = known if len(known) > step else got if len(got) > step else None
    vcpu = "" if longer is None else longer.events[step].actor
    raise Deviation(vcpu, step, *(str(t.events[step]) if len(t) > step else _end(t) for t in (known, got)))


def _end(trace: Trace) -> str:
    return f"the end ({trace.ending}, {trace.outcome})"
