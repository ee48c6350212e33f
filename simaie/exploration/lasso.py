"""Lassos: executions that come back to a global state, so that their last steps can be repeated for ever.

A *lasso* is a stem, which leads to a state, and a cycle, which leads from this state back to it. It is an infinite
execution that two numbers describe. `find_lasso` looks for one in sampled executions, in which no vCPU is held back
(`simaie.engine.global_state`).

**What is claimed.** A finding says that a vCPU, which must end some time, may never do so under a fair schedule. These
cycles are therefore ignored:

* an unfair one: a vCPU that could step somewhere on the cycle never does (strong fairness). A fair schedule may end it;
* one in which every vCPU changes RAM: each gets on, as in a server that runs for ever;
* one with a local choice, such as a spurious failure: a fair choice may end it.

It is a *livelock* if no vCPU changes RAM on the cycle. Otherwise the vCPUs that take steps and change nothing suffer
*starvation*. A cycle is repeated twice before it is returned, and must come back to its state each time.

**What is not.** That none was found proves nothing. States are compared within one execution, and only as far as they
can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from simaie.engine.global_state import FreeExecution, GlobalState, StateReader
from simaie.engine.inline import run_inline
from simaie.exploration.scheduler_choice import SchedulerChoice, make_scheduler
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.op import Kind
from simaie.prng import derive
from simaie.protocols import Candidate, ExecutionInfo, Offer, Scheduler, require_count
from simaie.trace import Trace

__all__ = ["Lasso", "find_lasso", "repeat"]

#: The number of repetitions of a cycle before it is believed.
_REPETITIONS = 2
#: The number of visits of one state from which a cycle may begin.
_MOST_VISITS = 16


class Lasso(NamedTuple):
    """An infinite execution: the steps of a trace up to `start`, and then for ever those from `start` on.

    Attributes:
        trace: The stem and one round of the cycle.
        start: The number of steps of the stem.
        finding: What is wrong: of kind ``livelock`` or ``starvation``, with the vCPUs that never get on.
        execution: The index of the sampled execution that it comes from.
    """

    trace: Trace
    start: int
    finding: Finding
    execution: int

    @property
    def stem(self) -> tuple[str, ...]:
        """The vCPUs of the steps before the cycle, in order."""
        return tuple([event.actor for event in self.trace.events[: self.start]])

    @property
    def cycle(self) -> tuple[str, ...]:
        """The vCPUs of the steps of the cycle, in order."""
        return tuple([event.actor for event in self.trace.events[self.start :]])

    @property
    def text(self) -> str:
        """The steps, one a line, with the cycle drawn as a loop."""
        stem, cycle = self.trace.events[: self.start], self.trace.events[self.start :]
        marks = ["┌─> ", *["│   "] * (len(cycle) - 2), "└── "] if len(cycle) > 1 else ["<-> "]
        return "\n".join([*[f"    {event}" for event in stem], *map("{}{}".format, marks, cycle)])


def find_lasso(
    program: Program,
    machine: Machine | None = None,
    *,
    scheduler: SchedulerChoice = "random-walk",
    executions: int = 1_000,
    steps: int = 300,
    seed: int = 0,
) -> Lasso | None:
    """Look for a livelock or starvation in which every vCPU is scheduled fairly.

    Args:
        program: The program, whose vCPUs must all end some time.
        machine: The machine, with a sequentially consistent host.
        scheduler: The strategy that samples executions.
        executions: The number of executions at most.
        steps: The number of steps of an execution at most.
        seed: The seed of the first execution.

    Returns:
        The shortest lasso of the first execution that has one; None if none was found, which proves nothing.

    Raises:
        UsageError: The host has store buffers, or a number is not positive.
        SimaieError: A guest, the scheduler or the scheme raised.
    """
    require_count(executions=executions, steps=steps)
    machine = machine or Machine("native")
    inner, _ = make_scheduler(scheduler)
    for index in range(executions):
        if inner.exhausted:
            break
        watched = _Watch(inner, steps)
        _run(program, machine, watched, ExecutionInfo(derive(seed, index), index, len(program.threads)))
        if watched.found is not None:
            stem, cycle = watched.found
            return _lasso(program, machine, *_shortened(program, machine, stem, cycle), index)
    return None


def repeat(lasso: Lasso, program: Program, machine: Machine, times: int) -> Trace:
    """Return the trace of the stem and `times` rounds of the cycle of `lasso`.

    Raises:
        UsageError: `times` is not positive.
    """
    require_count(times=times)
    return _follow(program, machine, [*lasso.stem, *lasso.cycle * times]).trace


# -- finding a cycle -------------------------------------------------------------------------------------


class _Watch(Scheduler):
    """Lets another scheduler choose, and ends an execution when it has come back to a state by a fair cycle.

    Attributes:
        execution: The execution, once it exists.
        states: The states before each step; None where one could not be read.
        found: The vCPUs of the steps of stem and cycle, once a cycle was found.
    """

    def __init__(self, inner: Scheduler, steps: int) -> None:
        self._inner, self._steps = inner, steps
        self.execution: FreeExecution
        self._reader: StateReader | None = None
        self.states: list[GlobalState | None] = []
        self._enabled: list[frozenset[str]] = []
        self._before: dict[Any, list[tuple[GlobalState, list[int]]]] = {}  # the states by key, with their steps
        self.found: tuple[list[str], list[str]] | None = None

    def start(self, info: ExecutionInfo) -> None:
        """Start the scheduler that chooses."""
        self._inner.start(info)

    def choose(self, offer: Offer) -> Candidate | None:
        """Return its choice; None if a cycle was found, or after the last step."""
        self.note(offer)
        if self.found is not None or offer.step >= self._steps:
            return None
        return self._inner.choose(offer)

    def choose_value(self, offer: Offer, arity: int) -> int:
        """Return its choice."""
        return self._inner.choose_value(offer, arity)

    def finish(self, trace: Trace) -> None:
        """Tell the scheduler that the execution is over."""
        self._inner.finish(trace)

    def note(self, offer: Offer) -> None:
        """Read the state before a step, and find the shortest fair cycle that leads to it."""
        if self._reader is None:
            self._reader = StateReader(self.execution)
        step = offer.step
        while len(self.states) < step:  # a local choice is a step without an offer
            self.states.append(None)
            self._enabled.append(frozenset())
        state = self._reader.read()
        self.states.append(state)
        self._enabled.append(frozenset(candidate.name for candidate in offer.candidates))
        if state is None:
            return
        earlier = self._earlier(state)
        for start in reversed(earlier):
            if self.starving(start, step):
                actors = [event.actor for event in self.execution.events]
                self.found = actors[:start], actors[start:]
                return
        if len(earlier) == _MOST_VISITS:
            del earlier[1]  # a cycle from the first visit is the fairest
        earlier.append(step)

    def _earlier(self, state: GlobalState) -> list[int]:
        """Return the steps before which the execution was in this state, which may be extended."""
        alike = self._before.setdefault(state.key, [])
        for known, steps in alike:
            if known.same_as(state):
                return steps
        alike.append((state, []))
        return alike[-1][1]

    def starving(self, start: int, end: int) -> frozenset[str]:
        """Return the vCPUs that never get on if these steps are repeated; none if that is unfair or all get on."""
        events = self.execution.events[start:end]
        moving = frozenset(event.actor for event in events)
        if not frozenset().union(*self._enabled[start:end]) <= moving or any(e.op.kind is Kind.CHOICE for e in events):
            return frozenset()
        return moving - self.changing(start, end)

    def changing(self, start: int, end: int) -> frozenset[str]:
        """Return the vCPUs whose steps from `start` to `end` have changed RAM."""
        found = set()
        for number in range(start, end):
            before, after = self.states[number], self.states[number + 1]
            if before is None or after is None or before.ram != after.ram[: len(before.ram)]:
                found.add(self.execution.events[number].actor)
        return frozenset(found)


# -- following and shortening it ---------------------------------------------------------------------------


class _Names(Scheduler):
    """Chooses vCPUs by their names, and ends the execution after the last one or where one is not enabled."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def choose(self, offer: Offer) -> Candidate | None:
        """Return the next vCPU."""
        step = offer.step
        name = self._names[step] if step < len(self._names) else None
        return next((candidate for candidate in offer.candidates if candidate.name == name), None)


class _Followed(NamedTuple):
    """What a schedule leads to: the trace, and the watch with the states before each step and after the last."""

    trace: Trace
    watch: _Watch


def _run(program: Program, machine: Machine, watch: _Watch, info: ExecutionInfo) -> Trace:
    execution = FreeExecution(program, machine, watch, info)
    watch.execution = execution
    return run_inline(execution)


def _follow(program: Program, machine: Machine, names: Sequence[str]) -> _Followed:
    watch = _Repeat(_Names(names), len(names) + 1)
    return _Followed(_run(program, machine, watch, ExecutionInfo(0, 0, len(program.threads))), watch)


class _Repeat(_Watch):
    """Reads the states, and does not end the execution at a cycle."""

    def note(self, offer: Offer) -> None:
        """Read the state before a step."""
        super().note(offer)
        self.found = None


def _comes_back(program: Program, machine: Machine, stem: Sequence[str], cycle: Sequence[str]) -> bool:
    """Whether the cycle leads back to its first state each time that it is repeated, and a vCPU starves by it."""
    names = [*stem, *list(cycle) * _REPETITIONS]
    states = (followed := _follow(program, machine, names)).watch.states
    if len(followed.trace) != len(names) or len(states) != len(names) + 1:
        return False
    at = [states[len(stem) + round_ * len(cycle)] for round_ in range(_REPETITIONS + 1)]
    first = at[0]
    if first is None or not all(state is not None and first.same_as(state) for state in at[1:]):
        return False
    return bool(followed.watch.starving(len(stem), len(stem) + len(cycle)))


def _shortened(
    program: Program, machine: Machine, stem: list[str], cycle: list[str]
) -> tuple[list[str], list[str]]:
    """Return a shorter stem and cycle: parts of them are left out as long as the rest is a lasso."""
    size = max(len(stem), len(cycle))
    while size:
        for part in (0, 1):
            at = 0
            while at < len((stem, cycle)[part]):
                trial = [list(stem), list(cycle)]
                del trial[part][at : at + size]
                if trial[1] and _comes_back(program, machine, *trial):
                    stem, cycle = trial
                else:
                    at += size
        size //= 2
    return stem, cycle


def _lasso(program: Program, machine: Machine, stem: list[str], cycle: list[str], index: int) -> Lasso | None:
    if not _comes_back(program, machine, stem, cycle):
        return None
    start, end = len(stem), len(stem) + len(cycle)
    trace, watch = _follow(program, machine, [*stem, *cycle])
    victims = sorted(watch.starving(start, end))
    others = sorted(watch.changing(start, end))
    kind = "starvation" if others else "livelock"
    but = f", while vCPU {', '.join(others)} changes memory" if others else ", and memory does not change"
    message = (
        f"vCPU {', '.join(victims)} may repeat the steps {start} to {end - 1} for ever{but}; each vCPU that can step "
        "does so on the cycle"
    )
    addresses = dict.fromkeys(event.op.address for event in trace.events[start:] if event.op.width)
    finding = Finding(kind, message, tuple(range(start, end)), tuple(addresses), (*victims, *others))
    return Lasso(trace, start, finding, index)
