"""The baton of one execution on trio, whose holder is the only actor that may run; see `parking` for the protocol."""

from __future__ import annotations

from collections.abc import Callable

from trio.lowlevel import Abort, Task, reschedule

from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.op import Kind

__all__ = ["Baton"]

_WAITS_OF_GUESTS = frozenset({Kind.AWAIT, Kind.JOIN})


class Baton:
    """The baton of one execution, and the vCPUs that run, are away, or are in line.

    Attributes:
        holder: The actor that may run; None once the execution is over.
        away: The number of vCPUs that await trio or are in line.
        in_line: The vCPUs that came back from trio, in no particular order.
        unparked: The vCPUs whose tasks wake without the baton, because trio or `ask` wakes them.
        tasks: The tasks of the vCPUs that have begun, have not ended, and have not been let go.
        starving: Whether the rejoin task waits for a vCPU to get in line.
        deadlines: The answers of the vCPUs to the last `ask`.
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
        """Pass the baton to `actor` and let it run; None means that no actor can run and the execution may be over."""
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
        """Record that the rejoin task has the baton."""
        self._held = False

    def ask(self) -> None:
        """Wake every vCPU, all of which are parked, to add the next timeout of its guest to `deadlines`."""
        self.deadlines = []
        self.unparked.update(self.tasks)
        for task in self.tasks.values():
            reschedule(task)

    def answer(self, actor: Actor, deadline: float) -> None:
        """Record the timeout of `actor`, which then parks again or finds that the execution is over."""
        self.unparked.discard(actor)
        self.deadlines.append(deadline)

    def close(self) -> None:
        """Wake all parked vCPUs at the end of the execution, so that they let their guests go."""
        self.clear()
        for actor, task in self.tasks.items():
            if actor is not self._last_holder and actor not in self.unparked:
                reschedule(task)

    def clear(self) -> None:
        """Take the baton from its holder, because the execution is over or about to be cancelled."""
        if self.holder is not None:
            self._last_holder, self.holder = self.holder, None

    def hold(self) -> None:
        """Make every decision go through the rejoin task, which does not hold the baton."""
        if not self._held:
            self._held = True
            self.execution.hold(self.rejoin)

    def leave(self, actor: Actor) -> None:
        """Record that `actor` is away, and that trio will wake it."""
        self.execution.withdraw(actor)
        self.away += 1
        self.unparked.add(actor)
        if self.holder is not self.rejoin:
            self.hold()

    def cancel(self, actor: Actor) -> Abort:
        """Let trio cancel the wait of the parked `actor`, whose cancel scope was cancelled, or refuse it."""
        if actor.inside_instruction and actor.op.kind not in _WAITS_OF_GUESTS:
            return Abort.FAILED
        self.leave(actor)
        return Abort.SUCCEEDED

    def get_in_line(self, actor: Actor) -> None:
        """Add `actor`, which came back from trio and waits for its turn."""
        self.in_line.append(actor)
        if self.starving:
            self.starving = False
            reschedule(self.rejoin.driver_state)
