"""Interactive sessions, in which the user chooses the schedule step by step, with undo.

An execution cannot run backwards, but it can run again. A session is therefore the list of decisions so far. After
every change the program runs again along this list, up to the point of the next decision. This makes undo exact, and
the session independent of any front end; `simaie.show.widgets` adds the buttons.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from simaie import plugins
from simaie.arguments import (
    is_integer,
    require_at_least_one,
    require_count,
    require_instance,
    require_integer,
    require_path,
)
from simaie.check import DEFAULT, CheckerChoice, judge
from simaie.errors import UsageError
from simaie.exploration.guided import Decision, OpenChoice, PrefixThen, choices_with_alternatives, decisions_of
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.exploration.session_text import format_count, format_refusal, format_status
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind, Op
from simaie.plugins import Spec
from simaie.protocols import Scheduler
from simaie.replaying.checkers import judges, with_its_own
from simaie.replaying.failure import Failure
from simaie.replaying.reproduce import is_named
from simaie.replaying.run import MACHINE, PROGRAM, Driver, run
from simaie.saving import save_file
from simaie.trace import Ending, Trace

__all__ = ["Session", "interactive"]

def interactive(
    program: Program,
    machine: Machine | None = None,
    *,
    checkers: Sequence[CheckerChoice] = DEFAULT,
    driver: Driver = "inline",
) -> Session:
    """Return a session in which you choose the schedule of one execution; a notebook shows it with buttons.

    Args:
        program: The guest program.
        machine: The emulator and its host; None for the defaults of `Machine`.
        checkers: As for `simaie.explore`.
        driver: As for `simaie.explore`.

    Raises:
        UsageError: An argument is wrong.
    """
    return Session(program, Machine() if machine is None else machine, checkers=checkers, driver=driver)


class Session:
    """One execution, up to the point to which it has been decided.

    Every method that changes the session returns it. A method that raises leaves it unchanged.

    Attributes:
        trace: The execution so far; its ending is ``Ending.PRUNED`` until it is over.
        enabled: The actors that can take the next step, each with its operation; empty when the execution is over.
        findings: What the checkers found in the execution; empty until it is over.
    """

    trace: Trace
    enabled: dict[str, Op]
    findings: tuple[Finding, ...]

    def __init__(
        self, program: Program, machine: Machine, *, checkers: Sequence[CheckerChoice], driver: Driver
    ) -> None:
        require_instance("program", program, Program, PROGRAM)
        require_instance("machine", machine, Machine, MACHINE)
        if machine.has_graphs:
            raise UsageError(
                f"an execution on {machine.host} is a graph, which a session cannot build step by step; explore the "
                "program there, or open the session on sc, tso or pso"
            )
        self.program, self.machine = program, machine
        self._choices = with_its_own(checkers, program)
        self._checkers, self._driver = judges(self._choices), driver
        self._watchers: list[Callable[[], None]] = []
        self._view: Any = None
        self._follow([])

    # -- going on ----------------------------------------------------------------------------

    def step(self, *actors: str | int) -> Session:
        """Let each of `actors` take a step, one after the other.

        Args:
            actors: Names (``"1"``, ``"0~"``), or numbers of vCPUs.

        Raises:
            UsageError: An actor cannot step; the message says why.
        """
        decisions = self._decisions
        for actor in map(str, actors):
            state = self._after(decisions)
            if actor not in state.enabled:
                raise UsageError(format_refusal(actor, state))
            decisions = [*decisions_of(state.trace), actor]
        return self._follow(decisions)

    def choose(self, value: int, *, step: int | None = None) -> Session:
        """Resolve a local choice as `value`, and drop all later decisions.

        Args:
            value: The value of the choice.
            step: The step of the choice; None for the latest choice.

        Raises:
            UsageError: There is no such choice, or it has no such value.
        """
        found = [choice for choice in choices_with_alternatives(self.trace) if step is None or choice.step == step]
        if not found:
            where = "so far" if step is None else f"at step {step}"
            raise UsageError(f"there was no local choice {where}: let an actor step instead")
        choice = found[-1]
        if not is_integer(value) or value not in range(choice.arity):
            raise UsageError(f"the choice at step {choice.step} must be 0 to {choice.arity - 1}, not {value!r}")
        return self._follow([*self._decisions[: choice.step], value])

    def run(self, scheduler: SchedulerChoice = "random-walk", *, seed: int = 0, steps: int | None = None) -> Session:
        """Let a scheduler continue the execution.

        Args:
            scheduler: The scheduler, as for `simaie.explore`.
            seed: The seed of the scheduler.
            steps: The number of events to run at most; None to run to the end.
        """
        self._require_going_on()
        if steps is not None:
            require_count(steps=steps)
        require_integer("seed", seed)
        made, _ = make_scheduler(scheduler)
        limit = None if steps is None else len(self.trace) + steps
        guided = self._execute(self._decisions, made, seed=seed, limit=limit)
        return self._follow(decisions_of(guided.trace))

    # -- and back ----------------------------------------------------------------------------

    def undo(self, steps: int = 1) -> Session:
        """Undo the last `steps` steps; UsageError if the execution has fewer."""
        require_at_least_one("steps", steps)
        decisions = list(self._decisions)
        for taken in range(steps):
            while decisions and isinstance(decisions[-1], int):
                decisions.pop()
            if not decisions:
                beyond = f"beyond {format_count(taken, 'step')}" if taken else "yet"
                raise UsageError(f"nothing to undo {beyond}")
            decisions.pop()
        return self._follow(decisions)

    def restart(self) -> Session:
        """Go back to the state before the first step."""
        return self._follow([])

    # -- looking at it ----------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether the execution is over."""
        return self.trace.ending is not Ending.PRUNED

    @property
    def open_choices(self) -> list[OpenChoice]:
        """The local choices since the last step, which are 0 unless `choose` has changed them."""
        found: list[OpenChoice] = []
        for choice in reversed(choices_with_alternatives(self.trace)):
            if any(event.op.kind is not Kind.CHOICE for event in self.trace.events[choice.step :]):
                break
            found.insert(0, choice)
        return found

    @property
    def failure(self) -> Failure:
        """The execution so far as a `simaie.Failure`, perhaps without findings, to shrink, explain or show it."""
        script = Spec("scripted", {"schedule": self.trace.schedule.text})
        return Failure(
            self.program, self.machine, script, 0, 0, self.trace, self.findings, driver=self._driver,
            checkers=self._choices,
        )

    @property
    def status(self) -> str:
        """The state of the execution in a sentence, with what can be done next."""
        return format_status(self.trace, self.enabled, self.findings)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a replay file if there are findings; otherwise write the schedule as text.

        ``simaie replay PATH`` reads the replay file; ``session.run(("scripted", {"schedule": text}))`` takes the text.

        Returns:
            The path.

        Raises:
            InputError: The file cannot be written.
        """
        target = Path(require_path("path", path))
        if self.findings:
            return self.failure.save(target)
        return save_file(target, self.trace.schedule.text + "\n")

    def how_to_reproduce(self, path: str | os.PathLike[str]) -> str:
        """Return how to run what `save` wrote to `path`: a shell command, or Python if no command names the program."""
        failure = self.failure
        if is_named(failure):
            return failure.replay_command(path) if self.findings else failure.command
        if self.findings:
            return f"simaie.replay({os.fspath(path)!r}, program=..., machine=...)"
        return f"session.restart().run(('scripted', {{'schedule': {self.trace.schedule.text!r}}}))"

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every change from now on."""
        self._watchers.append(watcher)

    def __repr__(self) -> str:
        return f"{self.program.name} under {self.machine.scheme}: {self.status}"

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        if self._view is None:  # all displays share one view
            self._view = plugins.resolve(plugins.RENDERERS, "session")(self)
        return self._view._repr_mimebundle_(**asked)

    # -- inside ------------------------------------------------------------------------------------

    def _require_going_on(self) -> None:
        if self.ended:
            raise UsageError(f"the execution cannot go on. {self.status}")

    def _after(self, decisions: Sequence[Decision]) -> PrefixThen:
        return self._state if decisions is self._decisions else self._execute(decisions)

    def _execute(
        self, decisions: Sequence[Decision], then: Scheduler | None = None, *, seed: int = 0, limit: int | None = None
    ) -> PrefixThen:
        guided = PrefixThen(decisions, then, limit)
        run(self.program, self.machine, guided, seed=seed, driver=self._driver)
        return guided

    def _follow(self, decisions: Sequence[Decision]) -> Session:
        state = self._execute(decisions)
        self._state, self.trace, self.enabled = state, state.trace, state.enabled
        self._decisions = decisions_of(state.trace)
        self.findings = judge(self.trace, self._checkers) if self.ended else ()
        for watcher in self._watchers:
            watcher()
        return self

