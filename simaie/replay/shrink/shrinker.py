"""The order of the passes: cheap ones that take away much first, the exhaustive one last, again while it helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simaie.check import DEFAULT, judge
from simaie.engine.machine import Machine
from simaie.errors import UsageError
from simaie.finding import Finding, Verdict
from simaie.guest.program import Program
from simaie.protocols import Checker, require_positive
from simaie.replay.run import Driver
from simaie.replay.shrink.commute import commute
from simaie.replay.shrink.drop import drop_choices, drop_turns
from simaie.replay.shrink.fewest import search_fewest
from simaie.replay.shrink.merge import merge_turns, shift_borders
from simaie.replay.shrink.program import cut_program, cut_to_the_guilty
from simaie.replay.shrink.size import Size
from simaie.replay.shrink.workbench import Attempt, BudgetSpent, ShrinkProgress, ShrinkReport, Workbench
from simaie.trace import Trace

__all__ = ["Shrinkable", "shrink"]

_PASSES = (cut_to_the_guilty, commute, drop_turns, drop_choices, commute, merge_turns, cut_program, shift_borders)
_CUTS = (cut_to_the_guilty, cut_program)


@dataclass(frozen=True)
class Shrinkable:
    """A failing execution and what it ran on."""

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
    """The smallest execution found that has a finding of `kind` (by default, of the first finding's kind).

    cut: whether to leave out parts of the program too.
    Deterministic: the same arguments give the same result. Ctrl-C ends it and keeps the best so far.

    Raises UsageError if there is nothing to shrink, or no finding of that kind.
    """
    require_positive(executions=executions)
    wanted = _wanted(given, kind)
    if not any(finding.kind == wanted for finding in judge(given.trace, checkers)):
        raise UsageError(f"the checkers do not find {wanted!r} in this execution: give those that did (checkers=...)")
    first = Attempt(given.program, given.trace, given.findings, Size.of(given.trace))
    bench = Workbench(
        first, given.machine, wanted, checkers=checkers, driver=given.driver, executions=executions, progress=progress
    )
    exhausted = interrupted = False
    try:
        _improve(bench, _PASSES if cut else tuple(p for p in _PASSES if p not in _CUTS))
    except BudgetSpent:
        exhausted = True
    except KeyboardInterrupt:
        interrupted = True
    return bench.best, ShrinkReport(wanted, first.size, bench.best.size, bench.spent, exhausted, interrupted)


def _improve(bench: Workbench, passes: Sequence[Callable[[Workbench], None]]) -> None:
    while True:
        before = bench.best
        for step in passes:
            step(bench)
        if bench.best is before:
            search_fewest(bench)
        if bench.best is before:
            return


def _wanted(given: Shrinkable, kind: str | None) -> str:
    kinds = [finding.kind for finding in given.findings if finding.verdict is Verdict.VIOLATED]
    if not kinds:
        raise UsageError(
            f"there is nothing to shrink: no checker finds a violation in this execution of {given.program.name!r}"
        )
    if kind is not None and kind not in kinds:
        raise UsageError(f"this execution has no violation of kind {kind!r}; it has: {', '.join(sorted(set(kinds)))}")
    return kind or kinds[0]
