"""The rejoin task, which lets vCPUs that awaited trio continue in structural order, and makes decisions meanwhile.

It is an additional task, which sleeps until a vCPU is away. From then on every decision of the execution goes through
it, because it looks to the execution like an actor that must still announce (`Execution.hold`). It acts only when every
task of the trio run is blocked. All vCPUs that trio was about to wake are then in line, and the order in which they
woke does not matter.

A guest may also wait for the outside world: for a thread (``trio.to_thread``), a process, or a socket. An execution in
which no vCPU can step is then not over, and the rejoin task waits in real time until trio answers. That time depends on
the machine, so such an execution need not repeat. What its vCPUs do meanwhile may come before or after the answer, and
virtual time does not wait for the answer (a timeout around the wait expires at once when no vCPU can step).
"""

from __future__ import annotations

import math

import trio
from trio.lowlevel import Abort, current_clock, current_statistics, current_task, wait_task_rescheduled
from trio.testing import MockClock, active_thread_count, wait_all_tasks_blocked

from simaie.engine.actor import Actor
from simaie.engine.on_trio.baton import Baton

__all__ = ["RejoinTask", "timeout_ahead"]

#: The real time between two checks for an answer from the outside world, in seconds.
_LOOK_SECONDS = 0.005


class RejoinTask:
    """The rejoin task, which quacks like an Actor; `driver_state` is the task that created it."""

    name = "rejoin"
    baton: Baton

    def __init__(self) -> None:
        self.driver_state = current_task()
        self._round: list[Actor] = []  # the vCPUs in line that continue before the next step, in structural order
        self._step_is_due = False
        self._idle = 0  # the number of turns without a step, which is limited as steps are
        self._usual_waits = max(1, _waits_for_files())  # one is trio's own, others belong to tasks outside this run

    async def turn(self) -> bool:
        """Wait for the baton and pass it on; return False if no actor is left. Trio may cancel the wait."""
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
        """End the execution, because the rejoin task was cancelled and cannot receive the baton any more."""
        self.baton.clear()
        return Abort.SUCCEEDED

    async def _choose(self) -> Actor | None:
        """Return the next actor: first each vCPU in line in structural order, then one that takes a step, and so on.

        There is a step between two rounds so that a guest that polls by ``trio.sleep(0)`` does not starve the others.
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
                return execution.proceed()  # which ends the execution

    async def _can_wait(self) -> bool:
        """Return whether a timeout may still continue a stuck execution.

        If all vCPUs have announced operations, their own timeouts decide. About vCPUs that await trio nothing is known:
        any timeout of this trio run may be theirs, and without virtual time any other event too.
        """
        if self.baton.away:
            return timeout_ahead() < math.inf or not _time_is_virtual()
        self.baton.ask()
        await wait_all_tasks_blocked()
        return any(deadline < math.inf for deadline in self.baton.deadlines)

    def _outside_may_answer(self) -> bool:
        """Whether a thread is running, or a task waits for a file, a socket or a process."""
        return active_thread_count() > 0 or _waits_for_files() > self._usual_waits

    async def _wait_for_return(self) -> None:
        """Wait until a vCPU gets in line, or until the next timeout, which may concern one of the vCPUs."""
        self.baton.starving = True
        with trio.CancelScope(deadline=timeout_ahead()):
            await wait_task_rescheduled(self._time_is_up)

    def _time_is_up(self, _: object) -> Abort:
        self.baton.starving = False
        return Abort.SUCCEEDED


def _waits_for_files() -> int:
    """Return the number of tasks of this trio run that wait for the operating system; one of them is trio's own."""
    statistics = current_statistics().io_statistics
    kinds = ("tasks_waiting", "tasks_waiting_read", "tasks_waiting_write", "tasks_waiting_overlapped")
    return sum(getattr(statistics, kind, 0) for kind in kinds)


def timeout_ahead() -> float:
    """Return the time of the next timeout of this trio run; infinity if there is none."""
    return trio.current_time() + current_statistics().seconds_to_next_deadline


def _time_is_virtual() -> bool:
    """Whether time jumps to the next timeout once all tasks are blocked."""
    clock = current_clock()
    return isinstance(clock, MockClock) and clock.autojump_threshold < math.inf
