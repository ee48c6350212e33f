"""Proofs of progress: whether every vCPU of a program ends in every fair execution, however often its loops run.

All global states of the program are visited (`simaie.engine.memo.states`). They show

- whether there is a state in which no vCPU can step, and some have not ended: a deadlock;
- whether there is a fair cycle (`simaie.exploration.fair_cycles`). It is a livelock if no vCPU changes RAM on it, and
  starvation if some vCPU never does. If each vCPU changes RAM on every fair cycle, the program may run for ever, on
  purpose or not, and the verdict is inconclusive;
- whether there is a fair cycle on which a block of `simaie.Cpu.eventually` stays open, or a thread that is to end by
  ``Program(eventually=...)`` has not ended. The other threads of a program that states this may run for ever on
  purpose: the cycles on which all threads that are to end have ended are not judged then.

If there is neither such a state nor such a cycle, every execution ends under a fair schedule. In such a schedule each
vCPU steps that can do so again and again (strong fairness), or each that can do so all the time (weak fairness), as
``Limits(fairness=...)`` says. A state or cycle that is found becomes an execution, which runs once more on the
reference engine before it is reported.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simaie.arguments import require_at_least_one, require_instance
from simaie.check.progress import progress
from simaie.engine.memo.states import StateGraph
from simaie.engine.verified import is_trusted
from simaie.engine.watchdog import Watchdog
from simaie.exploration.fair_cycles import Counts, cycle_through, fair_components
from simaie.exploration.guided import PrefixThen
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.failure import Failure
from simaie.replaying.repeating import Decided, without_end
from simaie.replaying.run import PROGRAM, run

__all__ = ["STATES", "ProgressProof", "prove_progress"]

#: The number of states that are visited at most, unless the caller says otherwise.
STATES = 50_000

#: The number of rounds in which the reference engine comes back to a state, also if a place is first written on it.
_ROUNDS = 3

#: The number of executions that the reference engine verifies: of those that end, or one if none does.
_VERIFIED = 4


@dataclass(frozen=True)
class ProgressProof:
    """The result of `prove_progress`.

    Attributes:
        program: The program.
        machine: The machine.
        verdict: ``"holds"`` if every execution under a fair schedule ends, or, if the program states which threads are
            to end (``Program(eventually=...)``), if these do; ``"violated"`` if `failure` may run for ever, or is
            stuck; otherwise ``"inconclusive"``.
        reason: The reason for the verdict, in words.
        states: The number of global states that were visited.
        failure: An execution that is stuck or ends in a lasso; None if none was found.
    """

    program: Program = field(repr=False)
    machine: Machine = field(repr=False)
    verdict: Verdict
    reason: str
    states: int
    failure: Failure | None = field(repr=False, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values, without the execution."""
        return {
            "program": self.program.name,
            "scheme": self.machine.scheme,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "states": self.states,
        }

    def __str__(self) -> str:
        return f"{self.program.name} under {self.machine.scheme}: progress {self.verdict} ({self.reason})"


def prove_progress(program: Program, machine: Machine | None = None, *, states: int = STATES) -> ProgressProof:
    """Prove that every vCPU of `program` ends in every fair execution, or find an execution that goes on for ever.

    All global states are visited.

    Args:
        program: The program, without devices and local choices. Its loops must not count their rounds.
        machine: The machine, with a sequentially consistent host; None for the defaults of `Machine`. Its limits say
            what is fair; that on tries is ignored.
        states: The number of states at most.

    Returns:
        The verdict, with an execution that breaks progress if there is one.

    Raises:
        UsageError: The host is not sequentially consistent, or an argument is wrong.
        SimaieError: The guest or the scheme raised, or ran for too long without an operation; the class says which.
    """
    require_instance("program", program, Program, PROGRAM)
    require_at_least_one("states", states)
    machine = _without_waits(Machine() if machine is None else machine).for_search(program)
    graph = StateGraph(program, machine, states)
    with Watchdog(machine.limits.spin_seconds) as watchdog:
        watchdog.watch(graph)
        graph.explore()
    _verify(graph, program, machine)
    visited = len(graph.successors)
    found = _worst(graph, program, machine)
    if found is not None and found.findings:
        verdict, reason = found.verdict, found.findings[0].message
    elif graph.why_incomplete:
        verdict, reason = Verdict.INCONCLUSIVE, f"{_visited(visited)}, but {graph.why_incomplete}"
    elif found is not None:
        verdict, reason = Verdict.INCONCLUSIVE, f"the reference engine does not confirm a cycle: {found.trace.ending}"
    else:
        verdict, reason = Verdict.HOLDS, f"{_visited(visited, 'all ')}, and {_proved(program, machine)}"
    return ProgressProof(program, machine, verdict, reason, visited, found)


def _without_waits(machine: Machine) -> Machine:
    """Return `machine` with every round of a loop; UsageError if its host is not sequentially consistent."""
    machine.require_lassos()
    made = copy.copy(machine)
    made.limits = msgspec.structs.replace(machine.limits, tries=None)
    return made


def _verify(graph: StateGraph, program: Program, machine: Machine) -> None:
    """Run some of the executions on the reference engine, which raises an error for each mistake in the user's code.

    The memo does not see all mistakes, such as an operation that is not awaited.
    """
    ends = [state for state, able in enumerate(graph.enabled) if not able] or [*range(len(graph.enabled))][-1:]
    chosen = [] if is_trusted(program, machine) else ends[:_VERIFIED]
    paths = [*map(graph.path_to, chosen), *([] if graph.failed is None else [graph.failed])]
    for path in paths:
        decided = PrefixThen([graph.names[actor] for actor in path])
        run(program, without_end(machine, len(path) + 1), decided, verify=True)


def _visited(count: int, every: str = "") -> str:
    return "one state was visited" if count == 1 else f"{every}{count:,} states were visited"


def _proved(program: Program, machine: Machine) -> str:
    """Return what holds in words if no suspect was found."""
    fair = "weakly fair" if machine.limits.fairness == "weak" else "fair"
    if not program.eventually:
        return f"no {fair} execution is endless"
    return f"vCPU {', '.join(sorted(program.eventually))} ends in every {fair} execution"


def _worst(graph: StateGraph, program: Program, machine: Machine) -> Failure | None:
    """Return the first execution that violates progress on the reference engine; else one that may, or any, or None."""
    worst = None
    for suspect in _suspects(graph, program, weak=machine.limits.fairness == "weak"):
        found = _failure(graph, program, machine, suspect)
        if found.findings and found.verdict is Verdict.VIOLATED:
            return found
        if worst is None or (found.findings and not worst.findings):
            worst = found
    return worst


def _suspects(graph: StateGraph, program: Program, *, weak: bool) -> Iterator[list[int]]:
    """Yield executions that break progress, each by the actors of its steps, the worst first."""
    yield from map(graph.path_to, graph.stuck[:1])
    for owed in sorted(frozenset().union(*graph.owed)):
        yield from _cycles(graph, _while_open(graph, owed), weak=weak)
    if program.eventually:
        return
    actors = sorted({actor for following in graph.successors for actor in following})
    starving = [_without_changes_by(graph, frozenset({actor})) for actor in actors]
    for counts in (_without_changes_by(graph, frozenset(actors)), *starving, _all_steps):
        yield from _cycles(graph, counts, weak=weak)


def _cycles(graph: StateGraph, counts: Counts, *, weak: bool) -> Iterator[list[int]]:
    """Yield, for each set of states that a fair cycle of steps that count visits, an execution that repeats it."""
    for component in fair_components(graph, counts, weak=weak):
        yield [*graph.path_to(component[0]), *cycle_through(graph, component, counts) * _ROUNDS]


def _while_open(graph: StateGraph, owed: tuple[int, str]) -> Counts:
    """Return whether a step counts if it must leave open what is to end."""
    return lambda state, actor, following: owed in graph.owed[state] and owed in graph.owed[following]


def _all_steps(state: int, actor: int, following: int) -> bool:
    return True


def _without_changes_by(graph: StateGraph, actors: frozenset[int]) -> Counts:
    """Return whether a step counts if those of `actors` that change RAM do not."""

    def counts(state: int, actor: int, following: int) -> bool:
        return actor not in actors or graph.ram[state] == graph.ram[following]

    return counts


def _failure(graph: StateGraph, program: Program, machine: Machine, path: list[int]) -> Failure:
    """Return the execution of these steps as the reference engine has it, with what is wrong with its end."""
    names = graph.names
    trace = run(program, machine, Decided([names[actor] for actor in path]))
    script = Spec("scripted", {"schedule": trace.schedule.text})
    return Failure(program, machine, script, 0, 0, trace, tuple(progress(trace)), checkers=("progress",))
