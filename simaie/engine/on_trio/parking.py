"""Where a vCPU of the trio driver waits: the only functions of simaie that ever park one.

The problem. vCPUs shall be trio tasks, so that guest code may use trio itself, and yet only the scheduler of the
execution may say who takes the next step. Trio runs whatever is runnable, in an order that it shuffles on purpose.

The invariant. There is one *baton*, and at most one actor holds it: every other task of the execution is parked here,
or waits inside trio. The holder alone steps its guest's coroutine, announces its operations and, when the execution
names another actor, gives that one the baton and parks. With one task runnable, trio has nothing to shuffle. The
baton passes directly from task to task; a step that keeps it is a plain call and no task switch at all. Nobody holds
the baton of an execution that is over: that is how a task which wakes up learns of it.

Going elsewhere. What a guest yields and is no operation is a trap of trio's, and goes on to trio unchanged. Meanwhile
its vCPU is away: no candidate. Trio wakes it whenever it likes, perhaps beside the holder of the baton and in any
order among several; hence it does nothing then but get in line. The *rejoin task* (`simaie.engine.on_trio.rejoin`) lets
those in line go on in structural order, once every task is blocked. While anybody is away the rejoin task stands, for
the execution, like an actor that has still to announce: so every decision goes through it, and when nobody is away it
costs nothing.

Every wait has two outcomes.

- *For the baton*, an operation announced: the operation has been performed and the vCPU goes on with its value; or a
  cancel scope of the guest's own was cancelled: then the announcement is withdrawn at once, and the vCPU gets in line
  to have Cancelled raised at its await. An instruction that has begun is finished first, as no emulator tears one;
  but a guest's own wait (for a value, for a thread) ends, it stands for a loop of many instructions. An operation
  that is performed without parking is no cancel point.
- *In line*: its turn comes; or the execution is over. A cancel scope of the guest's does not end it: what the guest
  is owed (an answer, an exception) must reach it in turn, and its next wait will see the cancellation.
- *Elsewhere*: trio's answer, or trio's exception; the vCPU gets in line with either.
- All three: the execution is over, because it ended, failed or was cancelled from outside. Then trio's Cancelled is
  raised in the guest in its own task, so that cancel scopes and nurseries that it has open are left properly.

Rejected. *A central task* that wakes one vCPU a step: two task switches instead of one. *Locks, events or channels*:
several times the price of a bare reschedule, and their checkpoints let trio choose. *One task that sends to all
coroutines*: cancel scopes belong to tasks, so guests could not use trio. *Trio's deterministic order for tests*:
private, and it would make trio the scheduler.
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

#: How often a guest whose execution is over is told so before it is abandoned.
_PATIENCE = 100
_Resumption = tuple[Callable[[Any], Any], Any]  # how to step a guest's coroutine next, and with what


class ExecutionOver(BaseException):
    """Raised at an operation of a guest that shields itself. Not GeneratorExit: after that nothing can be awaited."""


def _never(_: object) -> Abort:
    return Abort.FAILED


@types.coroutine
def play(
    baton: Baton, actor: Actor, failed: Callable[[Actor, BaseException], Actor | None]
) -> Generator[Any, Any, None]:
    """Run the guest of `actor`, which holds the baton, until it ends or the execution is over.

    failed: what to do with an exception that the guest raised; returns whom to resume, or raises. Called in the
    task of the vCPU.
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
                else:  # as Baton.give, which is too dear here
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
        send = step = actor.coroutine.send  # of its epilogue
        value = None


@types.coroutine
def _go_elsewhere(baton: Baton, actor: Actor, request: Any) -> Generator[Any, Any, _Resumption]:
    """Hand `request` to trio; returns, when it is the vCPU's turn, how to go on with trio's answer."""
    if baton.holder is actor:
        baton.leave(actor)
        baton.give(baton.execution.proceed())
    else:
        baton.unparked.add(actor)  # the execution is being cancelled: its own wait ends on its own
    resumption = yield from _relay(actor, request)
    yield from _wait_in_line(baton, actor)
    return resumption


@types.coroutine
def _relay(actor: Actor, request: Any) -> Generator[Any, Any, _Resumption]:
    try:
        answer = yield request
    except Exception as error:  # trio did not know what to make of the request
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
    """The execution is over: unwind the guest, which is still owed ``step(value)`` if that is given.

    It may await trio while it unwinds. Operations only raise Cancelled again, or ExecutionOver in a guest that shields
    itself from cancellation.
    """
    del baton.tasks[actor]  # no longer parked here, nor ever again
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
    with suppress(RuntimeError):  # it does not give in
        actor.coroutine.close()
