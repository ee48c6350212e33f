"""The passes that cut vCPUs and guest instructions from the program.

A vCPU can always be cut as a whole, and so can the end of its code. Single instructions are cut only if the finding is
about the emulator, whose promises hold for every program. For a list of instructions, a loop is cut only as a whole:
with parts missing it might never end, or have no step in which another vCPU can run. For a function, the instructions
are counted as in `simaie.guest.part`. If the finding is about the guest's own algorithm, a program with parts missing
from the middle would be another algorithm.

The first attempt cuts everything except the guilty instructions, or everything on which they do not depend. This
usually suffices, and makes all further executions short. Then chunks are cut, from half of a vCPU down to single
instructions. Guarantee, if the budget suffices: if any single one of the remaining instructions is cut, the failure
disappears under the rest of the schedule.

If the default execution of a candidate already has a finding, the candidate is rejected, because the schedule would not
matter. If the default execution of the original program has a finding, the schedule never mattered, and only vCPUs and
ends are cut. The final check is about the complete program, so it is cut together with the first instructions. If the
final check or an assertion is what must fail, or the outcome is one that the architecture forbids for the complete
program, nothing is cut.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache

from simaie.errors import UsageError
from simaie.finding import FORBIDDEN_OUTCOME
from simaie.guest.code import Code
from simaie.guest.cut import FINAL_CHECK, Cut, without
from simaie.guest.program import Program
from simaie.predecessors import causal_past, predecessors
from simaie.replaying.shrink.code import Numbers, remaining_events, units_of
from simaie.replaying.shrink.relative_schedule import segments_of
from simaie.replaying.shrink.state import Attempt, ShrinkState
from simaie.replaying.shrink.turns import InTurns, choice_values

__all__ = ["cut_program", "cut_to_the_guilty"]

_BY_THE_PROGRAM = frozenset({FORBIDDEN_OUTCOME, "final-check", "assertion"})
_BY_THE_ALGORITHM = frozenset({"linearizability", "atomic-blocks", "data-race", "livelock", "starvation", "eventually"})


def cut_to_the_guilty(state: ShrinkState) -> None:
    """Cut everything at once except the guilty instructions, or those on which the guilty ones depend."""
    if not _can_cut(state):
        return
    trace = state.best.trace
    guilty = {step for steps in state.guilty for step in steps}
    for needed in (guilty, causal_past(list(predecessors(trace.events)), guilty)):
        if needed and _cut_but(state, needed):
            break
    for thread in reversed(range(len(state.best.program.threads))):
        _try(state, Cut(thread))


def cut_program(state: ShrinkState) -> None:
    """Cut vCPUs and instructions one after the other, and keep the rest of the best schedule."""
    if not _can_cut(state):
        return
    for thread in reversed(range(len(state.best.program.threads))):
        if not _try(state, Cut(thread)):
            _cut_chunks(state, thread)


def _can_cut(state: ShrinkState) -> bool:
    if not _BY_THE_PROGRAM.isdisjoint(state.demand) or len(state.best.program.threads) < 2:
        return False
    if state.fails_by_default is None:
        default = _default(state, state.best.program)
        state.fails_by_default = default is None or bool(default.findings)
    return True


def _only_the_end(state: ShrinkState) -> bool:
    return not _BY_THE_ALGORITHM.isdisjoint(state.demand) or bool(state.fails_by_default)


def _cut_but(state: ShrinkState, steps: Collection[int]) -> bool:
    """Cut all instructions except those of `steps`; if only ends can be cut, all after the last of these."""
    best = state.best
    wanted = {id(best.trace.events[step].instruction) for step in steps}
    cuts: list[Cut] = []
    for thread in range(len(best.program.threads)):
        numbers = Numbers(best.program, best.trace, thread)
        kept = [i for i in numbers.instructions if id(i) in wanted]
        if not kept:
            cuts.append(Cut(thread))
        elif numbers.known is not None:
            known = {n for i in kept if (n := numbers.of(i)) is not None}
            cuts.append(_only(state, numbers, thread, known))
    return _try(state, *cuts)


def _only(state: ShrinkState, numbers: Numbers, thread: int, kept: set[int]) -> Cut:
    """Return the cut that keeps the instructions `kept` of a thread; if only ends can be cut, also those before."""
    last = max(kept, default=-1)
    if _only_the_end(state):
        kept = set(range(last + 1))
    gone = [number for unit in units_of(numbers) for number in unit if number not in kept]
    if isinstance(numbers.code, Code) or not gone:
        return Cut.of(thread, gone)
    return Cut.of(thread, gone, last + 1)


def _cut_chunks(state: ShrinkState, thread: int) -> None:
    units = units_of(Numbers(state.best.program, state.best.trace, thread))
    if not units:
        return
    only_the_end = _only_the_end(state)
    size = max(1, len(units) // 2)
    while not state.hit_watchdog:
        for start in range(len(units) - size, -size, -size):
            first = max(0, start)
            went = _try(state, _chunk(state, thread, units[first : start + size]))
            if went and only_the_end:
                del units[first:]
            elif only_the_end:
                break
        if size == 1:
            return
        size //= 2


def _chunk(state: ShrinkState, thread: int, units: Sequence[range]) -> Cut:
    """Return the cut of `units` and of everything that was cut from `thread` already."""
    program = state.best.program
    known = next((cut for cut in program.cuts if cut.thread == thread), Cut(thread, ()))
    gone = {*(known.items or ()), *(number for unit in units for number in unit)}
    code = (program.cut_from or program).threads[thread]
    if known.removes_all or isinstance(code, Code):
        return known if known.removes_all else Cut(thread, tuple(sorted(gone)))
    done = units_of(Numbers(program, state.best.trace, thread))
    end = max((n for unit in done for n in unit if n not in gone and not known.has(n)), default=-1) + 1
    return Cut.of(thread, gone, end)


def _try(state: ShrinkState, *cuts: Cut) -> bool:
    """Try to make `cuts`, and return whether they are made, now or already."""
    best = state.best
    known = {cut.thread: cut for cut in best.program.cuts}
    removed = {cut.thread for cut in best.program.cuts if cut.removes_all}
    cuts = tuple(cut for cut in cuts if not cut.is_empty and cut.thread not in removed)
    made = known | {cut.thread: cut for cut in cuts}
    if made == known:
        return True
    made[FINAL_CHECK.thread] = FINAL_CHECK
    try:
        program = without(best.program, [made[thread] for thread in sorted(made)])
    except UsageError:  # a label that is still branched to
        return False

    @cache
    def default() -> Attempt | None:
        return _default(state, program)

    def sensible() -> bool:
        return bool(state.fails_by_default) or ((attempt := default()) is not None and not attempt.findings)

    left = remaining_events(best.program, best.trace, cuts, lambda: attempt.trace if (attempt := default()) else None)
    if left is None:
        return False
    segments, points = segments_of(left)
    return state.try_segments(segments, points, choice_values(best.trace), program, only_if=sensible)


def _default(state: ShrinkState, program: Program) -> Attempt | None:
    """Return the default execution of `program`; None if it cannot be run."""
    return state.execute(program, InTurns([], ()))
