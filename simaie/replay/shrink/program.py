"""Pass: leave out vCPUs, then guest instructions, where the program says what they are.

A whole vCPU can always be left out; single instructions only of a vCPU whose code is a list. Guarantee, if the budget
lasts: no single one of those that are left can go. A program whose default execution already has a finding is no
candidate: it would say nothing of the schedule. The final check counts on the whole program, so it goes with the first
cut; and where it is what has to fail, or an assertion, nothing is cut.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from simaie.errors import UsageError
from simaie.guest.code import LOCAL, Code, Ins
from simaie.guest.cut import FINAL_CHECK, Cut, without
from simaie.guest.program import Program
from simaie.op import Kind
from simaie.replay.shrink.turns import InTurns, Turn, choices_of
from simaie.replay.shrink.workbench import Workbench
from simaie.trace import Trace

__all__ = ["cut_program"]

_BY_THE_PROGRAM = ("final-check", "assertion")


def cut_program(bench: Workbench) -> None:
    """A smaller program that fails in the same way; the schedule is what is left of the best one's."""
    threads = len(bench.best.program.threads)
    if bench.kind in _BY_THE_PROGRAM or threads < 2 or not _passes(bench, bench.best.program):
        return
    for thread in reversed(range(threads)):
        if not _try(bench, Cut(thread)):
            _cut_items(bench, thread)


def _cut_items(bench: Workbench, thread: int) -> None:
    whole = bench.best.program.whole or bench.best.program
    code = whole.threads[thread]
    if not isinstance(code, Code):
        return
    size = max(1, len(code) // 2)
    while True:
        for start in range(len(code) - size, -size, -size):
            _try(bench, Cut(thread, tuple(range(max(0, start), start + size))))
        if size == 1:
            return
        size //= 2


def _try(bench: Workbench, cut: Cut) -> bool:
    best = bench.best
    cuts = {known.thread: known for known in best.program.cuts}
    known = cuts.get(cut.thread)
    if known is not None and (known.items is None or (cut.items and set(cut.items) <= set(known.items))):
        return known.items is None
    if known is not None and known.items is not None and cut.items is not None:
        cut = Cut(cut.thread, tuple(sorted({*known.items, *cut.items})))
    cuts[cut.thread] = cut
    cuts[FINAL_CHECK.thread] = FINAL_CHECK
    try:
        program = without(best.program, [cuts[thread] for thread in sorted(cuts)])
    except UsageError:  # a label that is still branched to
        return False
    turns = list(_left(best.trace, best.program, program))
    if not any(turn.steps for turn in turns):
        return False
    before = bench.best
    if not bench.try_turns(turns, choices_of(best.trace), program):
        return False
    if _passes(bench, program):
        return True
    bench.best = before
    return False


def _passes(bench: Workbench, program: Program) -> bool:
    """Whether the program itself makes sense: run by the default, nothing is found."""
    attempt = bench.execute(program, InTurns([], ()))
    return attempt is not None and not attempt.findings


def _left(trace: Trace, old: Program, new: Program) -> Iterator[Turn]:
    """The turns of `trace`, less the steps of what is gone.

    Of code with branches it cannot be said which steps those are; its turns are then too long and run on to another
    point, which the passes for turns look after.
    """
    gone = {str(number): _gone(old, new, number) for number in range(len(old.threads))}
    for event in trace.events:
        instruction = event.instruction
        without = gone.get(event.actor, frozenset())
        if event.op.kind is not Kind.CHOICE and not (instruction is not None and instruction.number in without):
            yield Turn(event.actor, 1)


def _gone(old: Program, new: Program, thread: int) -> Container[int]:
    """The numbers of the guest instructions of `old` that are not in `new`."""
    before, after = old.threads[thread], new.threads[thread]
    if isinstance(after, Code) and not len(after):
        return range(1 << 40)
    if before is after or not isinstance(before, Code) or not isinstance(after, Code) or before.labels:
        return frozenset()
    kept = {index for index, _ in _items(new, thread)}
    numbered = [index for index, item in _items(old, thread) if item.name not in LOCAL]
    return frozenset(number for number, index in enumerate(numbered) if index not in kept)


def _items(program: Program, thread: int) -> list[tuple[int, Ins]]:
    """The items of a thread that are left, each with its index in the whole program."""
    code = (program.whole or program).threads[thread]
    cut = next((known.items for known in program.cuts if known.thread == thread), ())
    assert isinstance(code, Code)
    return [(index, item) for index, item in enumerate(code) if index not in (cut or ())]
