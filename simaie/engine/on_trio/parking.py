"""The parking of vCPUs on trio: only the functions in this module ever park one.

The problem. vCPUs are trio tasks, so that guest code may use trio itself. Yet only the scheduler of the execution may
choose which vCPU takes the next step, while trio runs all runnable tasks in an order that it shuffles on purpose.

The invariant. There is one *baton*, and at most one actor holds it. Every other task of the execution is parked here or
waits inside trio. Only the holder steps its guest's coroutine and announces its operations. When the execution names
another actor, the holder passes the baton to that actor and parks. Because only one task is runnable, trio has nothing
to shuffle. The baton passes directly from task to task, and a step that keeps it is a plain call without a task switch.
After the execution no actor holds the baton, which is how a task that wakes up notices the end.

Awaiting trio. If a guest yields something other than an Op, it is a trio trap and is forwarded to trio unchanged. Its
vCPU is then *away*, and no candidate. Trio wakes it at any time, perhaps while the holder of the baton runs, and in any
order among several vCPUs. So all that it does then is get in line. The *rejoin task* (`simaie.engine.on_trio.rejoin`)
lets the vCPUs in line continue in structural order, once every task is blocked. While any vCPU is away, the rejoin task
looks to the execution like an actor that must still announce. Every decision therefore goes through it. While no vCPU
is away, it costs nothing.

Every wait has two outcomes.

- *A wait for the baton*, after an announcement. Either the operation is performed, and the vCPU continues with its
  value. Or a cancel scope of the guest is cancelled: then the announcement is withdrawn at once, and the vCPU gets in
  line to raise Cancelled at its await. An instruction that has begun completes first, because no emulator interrupts
  one. But a guest's own wait (for a value, for a thread) ends, because it represents a loop of many instructions. An
  operation that is performed without parking is no cancel point.
- *A wait in line*. Either the turn of the vCPU comes, or the execution is over. A cancel scope of the guest does not
  end this wait: the pending answer or exception must reach the guest first, and its next wait will see the
  cancellation.
- *A wait inside trio*. Trio returns an answer or raises an exception; the vCPU gets in line with either.
- All three waits end when the execution is over, because it ended, failed or was cancelled from outside. Trio's
  Cancelled is then raised in the guest, in its own task, so that its open cancel scopes and nurseries are left
  properly.

Rejected alternatives. *A central task* that wakes one vCPU for each step needs two task switches instead of one.
*Locks, events or channels* cost several times as much as a bare reschedule, and their checkpoints let trio choose. *One
task that sends to all coroutines* would keep guests from using trio, because cancel scopes belong to tasks. *Trio's
deterministic order for tests* is private, and would make trio the scheduler.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import trio
from trio import current_effective_deadline
from trio.lowlevel import Abort, checkpoint, reschedule, wait_task_rescheduled

from simaie.engine.actor import Actor
from simaie.engine.on_trio.baton import Baton
from simaie.engine.passing import PASSING
from simaie.errors import GuestFault
from simaie.op import Op

__all__ = ["ExecutionOver", "play"]

#: The number of times that Cancelled is raised in a guest whose execution is over, before the guest is abandoned.
_PATIENCE = 100
_Resumption = tuple[Callable[[Any], Any], Any]  # how to step a guest's coroutine next, and with what


class ExecutionOver(BaseException):
    """The exception at an operation of a guest that shields itself, after the execution is over.

    It is not GeneratorExit, because after that a coroutine cannot await anything.
    """


def _never(_: object) -> Abort:
    return Abort.FAILED


@types.coroutine
def play(
    baton: Baton, actor: Actor, failed: Callable[[Actor, BaseException], Actor | None]
) -> Generator[Any, Any, None]:
    """Run the guest of `actor`, which holds the baton, until it ends or the execution is over.

    Args:
        baton: The baton of the execution.
        actor: The vCPU, in whose task this runs.
        failed: Called with an exception that the guest raised; it returns the actor to resume, or raises.
    """
    announced, exited = baton.execution.announced, baton.execution.exited
    send = step = actor.coroutine.send
    value = None

    def abort(_: object) -> Abort:
        return baton.cancel(actor)

    while True:
        try:
            request = step(value)
        except StopIteration:
            following = exited(actor)
        except (*PASSING, trio.Cancelled, ExecutionOver):
            raise
        except BaseException as error:
            following = failed(actor, error)
        else:
            if type(request) is not Op:
                step, value = yield from _go_elsewhere(baton, actor, request)
                if baton.holder is not actor:
                    return (yield from _let_go(baton, actor, step, value))
                continue
            following = announced(actor, request)
            step = send
            if following is not actor:
                if baton.holder is not actor:
                    return (yield from _let_go(baton, actor))
                if following is None:
                    baton.stop()
                    if baton.holder is None:
                        return (yield from _let_go(baton, actor))
                else:  # the same as Baton.give, which would be too slow here
                    baton.holder = following
                    task = following.driver_state
                    if task is None:
                        baton.start(following)
                    else:
                        reschedule(task)
                try:
                    yield from wait_task_rescheduled(abort)
                    while baton.holder is not actor and baton.holder is not None:
                        baton.answer(actor, current_effective_deadline())
                        yield from wait_task_rescheduled(abort)
                except trio.Cancelled as cancelled:
                    yield from _wait_in_line(baton, actor)
                    step, value = actor.coroutine.throw, cancelled
                    if baton.holder is not actor:
                        return (yield from _let_go(baton, actor, step, value))
                    continue
                if baton.holder is None:
                    return (yield from _let_go(baton, actor))
            value = actor.inbox
            continue
        if following is not actor:
            if baton.holder is actor:
                baton.give(following)
            return None
        send = step = actor.coroutine.send  # the coroutine is now its epilogue
        value = None


@types.coroutine
def _go_elsewhere(baton: Baton, actor: Actor, request: Any) -> Generator[Any, Any, _Resumption]:
    """Pass `request` to trio; return how to continue with trio's answer when it is the vCPU's turn."""
    if baton.holder is actor:
        baton.leave(actor)
        baton.give(baton.execution.proceed())
    else:
        baton.unparked.add(actor)  # the execution is being cancelled, and trio ends this wait
    resumption = yield from _relay(actor, request)
    yield from _wait_in_line(baton, actor)
    return resumption


@types.coroutine
def _relay(actor: Actor, request: Any) -> Generator[Any, Any, _Resumption]:
    try:
        answer = yield request
    except Exception as error:  # trio rejected the request
        return actor.coroutine.throw, error
    return actor.coroutine.send, answer


@types.coroutine
def _wait_in_line(baton: Baton, actor: Actor) -> Generator[Any, Any, None]:
    """Wait for the baton, after trio has woken the vCPU."""
    baton.unparked.discard(actor)
    if baton.holder is not None:
        baton.get_in_line(actor)
        yield from wait_task_rescheduled(_never)


@types.coroutine
def _let_go(
    baton: Baton, actor: Actor, step: Callable[[Any], Any] | None = None, value: Any = None
) -> Generator[Any, Any, None]:
    """Unwind the guest after the execution is over, beginning with ``step(value)`` if a step is passed.

    The guest may await trio while it unwinds. Its operations raise Cancelled again, or ExecutionOver if the guest
    shields itself from cancellation.
    """
    del baton.tasks[actor]  # it is not parked here any more
    baton.let_all_go()
    for _ in range(_PATIENCE):
        if step is None:
            step, value = actor.coroutine.throw, ExecutionOver()
            try:
                yield from checkpoint()
            except trio.Cancelled as cancelled:
                value = cancelled
        try:
            request = step(value)
            while type(request) is not Op:
                step, value = yield from _relay(actor, request)
                request = step(value)
        except (StopIteration, GuestFault, AssertionError):
            return
        step = None
    with suppress(RuntimeError):  # the guest ignores GeneratorExit
        actor.coroutine.close()
