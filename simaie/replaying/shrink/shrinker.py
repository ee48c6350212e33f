"""The order of the passes: cheap ones with a large effect first, the exhaustive one last, repeated while it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simaie.check import DEFAULT, judge
from simaie.errors import UsageError
from simaie.finding import Finding
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.protocols import Checker, require_positive
from simaie.replaying.levels import at_strongest_level
from simaie.replaying.run import Driver
from simaie.replaying.shrink.commute import commute
from simaie.replaying.shrink.demand import demand_of, finder_of_the_forbidden, meets, require_kind
from simaie.replaying.shrink.drop import drop_choices, drop_turns
from simaie.replaying.shrink.fewest import search_fewest
from simaie.replaying.shrink.merge import merge_turns, shift_borders
from simaie.replaying.shrink.program import cut_program, cut_to_the_guilty
from simaie.replaying.shrink.size import Size
from simaie.replaying.shrink.state import Attempt, BudgetSpent, ShrinkProgress, ShrinkReport, ShrinkState
from simaie.trace import Trace

__all__ = ["Shrinkable", "shrink"]

_PASSES = (cut_to_the_guilty, commute, drop_turns, drop_choices, commute, merge_turns, cut_program, shift_borders)
_CUTS = (cut_to_the_guilty, cut_program)


@dataclass(frozen=True)
class Shrinkable:
    """A failing execution, with its program, machine and driver."""

    program: Program
    machine: Machine
    trace: Trace
    findings: tuple[Finding, ...]
    driver: Driver


def shrink(
    given: Shrinkable,
    *,
    kind: str | None,
    executions: int,
    cut: bool = True,
    checkers: Sequence[Checker] = DEFAULT,
    progress: ShrinkProgress | None = None,
) -> tuple[Attempt, ShrinkReport]:
    """Return the smallest execution found with a finding of `kind` and the strength of `given`, and a report.

    The same arguments always have the same result. Ctrl-C ends the search and keeps the best execution so far.

    Args:
        given: The failing execution.
        kind: The kind of finding to keep. None keeps the kind of the first finding and everything that makes `given`
            strong (see `simaie.replaying.shrink.demand`).
        executions: The number of candidates to run at most.
        cut: Whether to cut the program too.
        checkers: The checkers that judge the candidates, in addition to the LL/SC checkers of all levels.
        progress: Called after each candidate.

    Raises:
        UsageError: There is no violation, or none of this kind.
    """
    require_positive(executions=executions)
    wanted = require_kind(given.findings, kind, given.program.name)
    forbidden = finder_of_the_forbidden(given.trace, given.findings)
    judges = tuple(checkers) if forbidden is None else (*checkers, forbidden)
    found = judge(given.trace, judges)
    if not meets([wanted], found):
        raise UsageError(f"the checkers do not find {wanted!r} in this execution: pass those that did (checkers=...)")
    strongest = at_strongest_level(given.trace, found, given.machine.endian)
    first = Attempt(given.program, given.trace, given.findings, strongest, Size.of(given.trace))
    demand = demand_of(wanted, kind is not None, strongest)
    state = ShrinkState(
        first, given.machine, demand, checkers=judges, driver=given.driver, executions=executions, progress=progress
    )
    exhausted = interrupted = False
    try:
        _improve(state, _PASSES if cut else tuple(p for p in _PASSES if p not in _CUTS))
    except BudgetSpent:
        exhausted = True
    except KeyboardInterrupt:
        interrupted = True
    return state.best, ShrinkReport(wanted, first.size, state.best.size, state.spent, exhausted, interrupted, demand)


def _improve(state: ShrinkState, passes: Sequence[Callable[[ShrinkState], None]]) -> None:
    while True:
        before = state.best
        for step in passes:
            step(state)
        if state.best is before:
            search_fewest(state)
        if state.best is before:
            return
