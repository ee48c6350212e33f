"""The baton of one execution on trio: who may run, who is away, who is in line. What it is for stands in `parking`."""

from __future__ import annotations

from collections.abc import Callable

from trio.lowlevel import Abort, Task, reschedule

from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.op import Kind

__all__ = ["Baton"]

_WAITS_OF_GUESTS = frozenset({Kind.AWAIT, Kind.JOIN})


class Baton:
    """Who may run, who is away and who is in line, of one execution.

    holder: the actor that may run; None once the execution is over. away: how many vCPUs are elsewhere or in line.
    in_line: those that came back, in no particular order. unparked: whose tasks wake without the baton, by trio or
    `ask`.
    tasks: of the vCPUs that have begun and not ended, nor been let go. starving: the rejoin task waits for somebody to
    get in line. deadlines: what the vCPUs answered when last asked.
    """

    __slots__ = (
        "_held",
        "_last_holder",
        "away",
        "deadlines",
        "execution",
        "holder",
        "in_line",
        "let_all_go",
        "rejoin",
        "start",
        "starving",
        "stop",
        "tasks",
        "unparked",
    )

    def __init__(
        self,
        execution: Execution,
        rejoin: Actor,
        *,
        start: Callable[[Actor], None],
        stop: Callable[[], None],
        let_all_go: Callable[[], None],
    ) -> None:
        self.execution = execution
        self.rejoin = rejoin
        self.start = start
        self.stop = stop
        self.let_all_go = let_all_go
        self.holder: Actor | None = None
        self.away = 0
        self.in_line: list[Actor] = []
        self.unparked: set[Actor] = set()
        self.tasks: dict[Actor, Task] = {}
        self.starving = False
        self.deadlines: list[float] = []
        self._held = False
        self._last_holder: Actor | None = None

    def give(self, actor: Actor | None) -> None:
        """Let `actor` run; None: nobody can, so that the execution may be over."""
        if actor is None:
            self.stop()
            return
        self.holder = actor
        task = actor.driver_state
        if task is None:
            self.start(actor)
        else:
            reschedule(task)

    def taken_by_rejoin(self) -> None:
        """The rejoin task has the baton."""
        self._held = False

    def ask(self) -> None:
        """Have every vCPU say in `deadlines` when a cancel scope of its guest's will time out; all are parked."""
        self.deadlines = []
        self.unparked.update(self.tasks)
        for task in self.tasks.values():
            reschedule(task)

    def answer(self, actor: Actor, deadline: float) -> None:
        """What `actor` was asked; it parks again, or finds that the execution is over."""
        self.unparked.discard(actor)
        self.deadlines.append(deadline)

    def close(self) -> None:
        """The execution is over: wake whoever is parked here, to let its guest go."""
        self.clear()
        for actor, task in self.tasks.items():
            if actor is not self._last_holder and actor not in self.unparked:
                reschedule(task)

    def clear(self) -> None:
        """Take the baton from whoever has it: the execution is over, or about to be cancelled."""
        if self.holder is not None:
            self._last_holder, self.holder = self.holder, None

    def hold(self) -> None:
        """Have every decision go through the rejoin task, which does not hold the baton."""
        if not self._held:
            self._held = True
            self.execution.hold(self.rejoin)

    def leave(self, actor: Actor) -> None:
        """`actor` is away from now on, and trio will wake it."""
        self.execution.withdraw(actor)
        self.away += 1
        self.unparked.add(actor)
        if self.holder is not self.rejoin:
            self.hold()

    def cancel(self, actor: Actor) -> Abort:
        """A cancel scope around the parked `actor` was cancelled."""
        if actor.inside_instruction and actor.op.kind not in _WAITS_OF_GUESTS:
            return Abort.FAILED
        self.leave(actor)
        return Abort.SUCCEEDED

    def get_in_line(self, actor: Actor) -> None:
        """`actor` came back and waits for its turn."""
        self.in_line.append(actor)
        if self.starving:
            self.starving = False
            reschedule(self.rejoin.driver_state)
