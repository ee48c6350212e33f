"""The trio driver, the reference semantics: every vCPU is a trio task, and guest code may use trio itself.

`simaie.engine.on_trio.parking` describes how vCPUs are parked and resumed, and `simaie.engine.on_trio.rejoin` how those
that awaited trio come back in order. This module runs one execution from its beginning to its end, and handles its
exceptions.

Time is virtual (`in_trio`). It stands still while any vCPU can take a step, and then jumps to the next timeout.
``trio.sleep`` and timeouts of guests are therefore as deterministic as everything else. Three things are not: tasks
that a guest starts in its own nursery, which trio runs in its own order and which cannot await operations; threads; and
the outside world.
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

#: The begin of virtual time. From here, all sums round to the same ticks of 2**-30 s for the next 48 days. The timeouts
#: of an execution then do not depend on the time that passed in earlier ones; from 0, 0.1 + 0.2 > 0.3 only sometimes.
_EPOCH = 2.0**22
_LET_GO = (trio.Cancelled, ExecutionOver)


def in_trio(function: Callable[..., Awaitable[T]], *args: object) -> T:
    """Run ``await function(*args)`` in a new trio run with virtual time, and return its result.

    Raises:
        UsageError: trio is running in this thread already, where `run_trio` can be awaited.
    """
    if in_trio_run():
        raise UsageError("trio is running already in this thread: await simaie's run_trio there instead of in_trio")
    clock = MockClock(autojump_threshold=0)
    clock.jump(_EPOCH)
    return trio.run(function, *args, clock=clock)


async def run_trio(execution: Execution) -> Trace:
    """Run `execution` to its end inside a running trio, preferably one that `in_trio` started.

    If it raises, it raises one exception and never a group. All guests are closed and no task is left in any case.

    Raises:
        GuestError: A guest raised.
        KeyboardInterrupt: Ctrl-C was pressed.
        trio.Cancelled: The run was cancelled from outside.
        SimaieError: The scheduler, the scheme or the host memory raised; the class says which.
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
        """Let the first vCPU run, and run the rejoin task until the execution is over."""
        try:
            self._baton.give(self._execution.begin())
            while await self._rejoin.turn():
                pass
            self._finish()
        except trio.Cancelled:  # always when the vCPUs reach the end by themselves
            self._close()
            raise
        except BaseException as error:
            self._fail(error)

    # -- the tasks of the vCPUs -------------------------------------------------------------------

    def _start(self, actor: Actor) -> None:
        """Begin the task of `actor`, which has the baton, in the context of the caller of this run."""
        begin = partial(self._nursery.start_soon, self._vcpu, actor, name=f"vCPU {actor.name}")
        self._context.run(begin)

    async def _vcpu(self, actor: Actor) -> None:
        baton = self._baton
        if baton.holder is not actor:
            return
        actor.driver_state = baton.tasks[actor] = current_task()
        # If the run is cancelled from outside, the rejoin task notices it and closes everything in order.
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
        elif not isinstance(_only(error), _LET_GO):  # the guest raised while it was let go
            self._fail(_of_guest(actor, error))

    def _guest_raised(self, actor: Actor, error: BaseException) -> Actor | None:
        error = _only(error)
        if isinstance(error, GuestFault | AssertionError):
            return self._execution.faulted(actor, error)
        raise _of_guest(actor, error)

    # -- the end ----------------------------------------------------------------------------------

    def _stuck_or_over(self) -> None:
        """Handle that no actor can step: if a timeout may change that, the rejoin task waits; else this is the end."""
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
        """Keep the first exception, which is the one that `run` raises, and close everything."""
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
    """Return the exception to raise for one that a guest did not handle."""
    error = _only(error)
    if isinstance(error, (*PASSING, *_LET_GO)):
        return error
    raised = guest_raised(actor, error)
    if raised is not error:
        raised.__cause__ = error
    return raised


def _only(error: BaseException) -> BaseException:
    """Return the one exception that matters from the groups of trio's nurseries; a group only if several matter."""
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
