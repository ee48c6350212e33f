"""The rejoin task: brings the vCPUs that awaited trio back in structural order, and takes the steps meanwhile.

A task beside those of the vCPUs. It sleeps until somebody is away; from then on every decision of the execution comes
through it, because it stands there as an actor that has still to announce (`Execution.hold`). It only acts once every
task of the trio run is blocked: whoever trio was about to wake has then got in line, and the order of their waking is
forgotten.

A guest may also wait for the world outside: for a thread (``trio.to_thread``), a process, a socket. Then an execution
in which no vCPU can step is not over, and the rejoin task waits in real time until trio answers. When that is depends
on the machine, so such an execution need not repeat: what its vCPUs do while they wait may come before the answer or
after it, and virtual time does not wait for it (a timeout around the wait is over at once when no vCPU can step).
"""

from __future__ import annotations

import math

import trio
from trio.lowlevel import Abort, current_clock, current_statistics, current_task, wait_task_rescheduled
from trio.testing import MockClock, active_thread_count, wait_all_tasks_blocked

from simaie.engine.actor import Actor
from simaie.engine.on_trio.baton import Baton

__all__ = ["RejoinTask", "timeout_ahead"]

#: Real time between two looks at whether the world outside has answered.
_LOOK_SECONDS = 0.005


class RejoinTask:
    """Where actors are handed about it looks like one: driver_state is its task, that which makes it."""

    name = "rejoin"
    baton: Baton

    def __init__(self) -> None:
        self.driver_state = current_task()
        self._round: list[Actor] = []  # in line, in structural order, and to go on before the next step
        self._step_is_due = False
        self._idle = 0  # turns that brought no step: they are limited as steps are
        self._usual_waits = max(1, _waits_for_files())  # one is trio's own, others those of tasks around this run

    async def turn(self) -> bool:
        """Wait for the baton and give it to who is next; whether anybody was. Trio may cancel or interrupt the wait."""
        await wait_task_rescheduled(self._cancelled)
        self.baton.taken_by_rejoin()
        actor = await self._choose()
        if actor is None:
            return False
        if self.baton.away:
            self.baton.hold()
        self.baton.give(actor)
        return True

    def _cancelled(self, _: object) -> Abort:
        """Nobody may give the rejoin task the baton any more."""
        self.baton.clear()
        return Abort.SUCCEEDED

    async def _choose(self) -> Actor | None:
        """Those that came back go on, in structural order; then one step is taken, if anybody can; and so on.

        A step stands between two rounds so that a guest which polls by ``trio.sleep(0)`` does not starve the others.
        """
        execution, baton = self.baton.execution, self.baton
        while True:
            await wait_all_tasks_blocked()
            stuck = execution.stuck
            if not self._round and (stuck or not self._step_is_due):
                self._round, baton.in_line = sorted(baton.in_line, key=lambda a: a.rank), []
                self._step_is_due = bool(self._round)
            if self._round or stuck:
                self._idle += 1
                if self._idle > execution.machine.limits.steps:
                    execution.give_up()
                    return None
            if self._round:
                baton.away -= 1
                return self._round.pop(0)
            if not stuck:
                self._step_is_due = False
                return execution.proceed()
            if await self._can_wait():
                await self._wait_for_return()
            elif baton.away and self._outside_may_answer():
                self._idle -= 1
                await wait_all_tasks_blocked(_LOOK_SECONDS)
            else:
                return execution.proceed()  # and that is the end

    async def _can_wait(self) -> bool:
        """Whether a stuck execution may still go on by itself.

        If all vCPUs are at operations, their own timeouts say so exactly. Of those that wait for trio nothing is known:
        any timeout of this trio run may be for them, and without virtual time anything else too.
        """
        if self.baton.away:
            return timeout_ahead() < math.inf or not _time_is_virtual()
        self.baton.ask()
        await wait_all_tasks_blocked()
        return any(deadline < math.inf for deadline in self.baton.deadlines)

    def _outside_may_answer(self) -> bool:
        """Whether a thread is at work, or a task waits for a file, a socket or a process."""
        return active_thread_count() > 0 or _waits_for_files() > self._usual_waits

    async def _wait_for_return(self) -> None:
        """Until somebody gets in line, or time has come to a timeout, which may be about somebody here."""
        self.baton.starving = True
        with trio.CancelScope(deadline=timeout_ahead()):
            await wait_task_rescheduled(self._time_is_up)

    def _time_is_up(self, _: object) -> Abort:
        self.baton.starving = False
        return Abort.SUCCEEDED


def _waits_for_files() -> int:
    """How many tasks of this trio run wait for the operating system; one is trio's own, once it has begun."""
    statistics = current_statistics().io_statistics
    kinds = ("tasks_waiting", "tasks_waiting_read", "tasks_waiting_write", "tasks_waiting_overlapped")
    return sum(getattr(statistics, kind, 0) for kind in kinds)


def timeout_ahead() -> float:
    """When the next timeout of this trio run is due; infinity if there is none."""
    return trio.current_time() + current_statistics().seconds_to_next_deadline


def _time_is_virtual() -> bool:
    """Whether trio can only be woken by timeouts; they come once all tasks are blocked."""
    clock = current_clock()
    return isinstance(clock, MockClock) and clock.autojump_threshold < math.inf
