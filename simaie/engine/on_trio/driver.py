"""The trio driver: every vCPU is a trio task, and guest code may use trio itself. The reference semantics.

How vCPUs are parked and resumed stands in `simaie.engine.on_trio.parking`, how those that awaited trio come back in
order in `simaie.engine.on_trio.rejoin`. Here: the life of one execution, and what becomes of exceptions.

Time is virtual (`in_trio`): it stands still as long as any vCPU can take a step, then jumps to the next timeout. So
``trio.sleep`` and timeouts of guests are as deterministic as the rest. What is not: tasks that a guest starts in a
nursery of its own, which trio runs in its own order and which cannot await operations; threads; the world outside.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import TypeVar, cast

import trio
from trio.lowlevel import current_task, in_trio_run
from trio.testing import MockClock

from simaie.engine.actor import Actor
from simaie.engine.blame import blamed, guest_raised
from simaie.engine.execution import Execution
from simaie.engine.on_trio.baton import Baton
from simaie.engine.on_trio.parking import ExecutionOver, play
from simaie.engine.on_trio.rejoin import RejoinTask, timeout_ahead
from simaie.engine.passing import PASSING, Spinning
from simaie.engine.watchdog import hit_watchdog
from simaie.errors import GuestFault, UsageError
from simaie.trace import STUCK, Trace

__all__ = ["in_trio", "run_trio"]

T = TypeVar("T")

#: Virtual time begins here. All its sums round to the same ticks of 2**-30 s for the next 48 days, so that the timeouts
#: of an execution do not depend on how much time passed in those before it; from 0 on, 0.1 + 0.2 > 0.3 only sometimes.
_EPOCH = 2.0**22
_LET_GO = (trio.Cancelled, ExecutionOver)


def in_trio(function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run ``await function(*args)`` in a trio run of its own, in virtual time; returns what it returns.

    Raises UsageError inside a running trio, where `run_trio` can be awaited.
    """
    if in_trio_run():
        raise UsageError("trio is running already in this thread: await simaie's run_trio there instead of in_trio")
    clock = MockClock(autojump_threshold=0)
    clock.jump(_EPOCH)
    return trio.run(function, *args, clock=clock)


async def run_trio(execution: Execution) -> Trace:
    """Run `execution` to its end inside a running trio, best one started by `in_trio`.

    Raises one exception, never a group: GuestError if a guest raises, KeyboardInterrupt, Cancelled if cancelled from
    outside, or what the scheduler or the scheme raised. Then, too, all guests have been closed and no task is left.
    """
    try:
        return await _Run(execution).run()
    except _LET_GO:
        raise
    except BaseException as error:
        if (found := blamed(error, execution.scheduler, execution.memory)) is not None:
            raise found from error
        raise


class _Run:
    """One execution on trio."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._rejoin = RejoinTask()
        self._baton = Baton(
            execution,
            cast(Actor, self._rejoin),
            start=self._start,
            stop=self._stuck_or_over,
            let_all_go=self._close,
        )
        self._rejoin.baton = self._baton
        self._context = copy_context()
        self._nursery: trio.Nursery
        self._shields: list[trio.CancelScope] = []
        self._trace: Trace | None = None
        self._failure: BaseException | None = None
        self._over = False

    async def run(self) -> Trace:
        try:
            async with trio.open_nursery() as self._nursery:
                await self._conduct()
        except BaseExceptionGroup as group:
            self._fail(_only(group))
        except trio.Cancelled:
            if self._failure is None:
                raise
        finally:
            self._execution.close()
        if self._failure is not None:
            raise self._failure
        assert self._trace is not None
        return self._trace

    async def _conduct(self) -> None:
        """Let the first vCPU go, and conduct until the execution is over."""
        try:
            self._baton.give(self._execution.begin())
            while await self._rejoin.turn():
                pass
            self._finish()
        except trio.Cancelled:  # as always when the vCPUs come to the end by themselves
            self._close()
            raise
        except BaseException as error:
            self._fail(error)

    # -- the tasks of the vCPUs -------------------------------------------------------------------

    def _start(self, actor: Actor) -> None:
        """Begin the task of `actor`, which has the baton. Its context is the caller's, whoever spawned it."""
        begin = partial(self._nursery.start_soon, self._vcpu, actor, name=f"vCPU {actor.name}")
        self._context.run(begin)

    async def _vcpu(self, actor: Actor) -> None:
        baton = self._baton
        if baton.holder is not actor:
            return
        actor.driver_state = baton.tasks[actor] = current_task()
        # Cancelled from outside, the rejoin task hears of it, and closes everything in good order.
        with trio.CancelScope(shield=True) as shield:
            self._shields.append(shield)
            try:
                await play(baton, actor, self._guest_raised)
            except BaseException as error:
                self._vcpu_raised(actor, error)
            finally:
                baton.tasks.pop(actor, None)

    def _vcpu_raised(self, actor: Actor, error: BaseException) -> None:
        if self._baton.holder is not None:
            self._fail(error)
        elif not isinstance(_only(error), _LET_GO):  # the guest raised when it was let go
            self._fail(_of_guest(actor, error))

    def _guest_raised(self, actor: Actor, error: BaseException) -> Actor | None:
        error = _only(error)
        if isinstance(error, GuestFault | AssertionError):
            return self._execution.faulted(actor, error)
        raise _of_guest(actor, error)

    # -- the end ----------------------------------------------------------------------------------

    def _stuck_or_over(self) -> None:
        """Nobody can take a step. If a timeout may change that, the rejoin task waits for it; else it is the end."""
        if self._execution.ending in STUCK and timeout_ahead() < math.inf:
            self._execution.revive()
            self._baton.give(self._baton.rejoin)
        else:
            self._finish()

    def _finish(self) -> None:
        if not self._over:
            self._trace = self._execution.result()
            self._close()

    def _fail(self, error: BaseException) -> None:
        """The first exception is the one that comes out."""
        if self._failure is None:
            self._failure = hit_watchdog(error) if isinstance(error, Spinning) else error
        self._close()

    def _close(self) -> None:
        if not self._over:
            self._over = True
            self._baton.close()
            for shield in self._shields:
                shield.cancel()
            self._nursery.cancel_scope.cancel()


def _of_guest(actor: Actor, error: BaseException) -> BaseException:
    """What to raise for an exception that a guest did not handle."""
    error = _only(error)
    if isinstance(error, (*PASSING, *_LET_GO)):
        return error
    raised = guest_raised(actor, error)
    if raised is not error:
        raised.__cause__ = error
    return raised


def _only(error: BaseException) -> BaseException:
    """Out of the groups that trio's nurseries make, the one exception that matters; a group only if several do."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    for decisive in (KeyboardInterrupt, Spinning):
        if found := error.subgroup(decisive):
            return _first(found)
    rest = error.split(_LET_GO)[1]
    if rest is None:
        return _first(error)
    return _only(rest.exceptions[0]) if len(rest.exceptions) == 1 else rest


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
