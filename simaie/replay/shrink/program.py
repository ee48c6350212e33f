"""Pass: leave out vCPUs, then guest instructions, where the program says what they are.

A whole vCPU can always be left out; single instructions only of a vCPU whose code is a list, and a loop only as a
whole: with parts missing it might have no way out, nor a step in which another vCPU could go on. Guarantee, if the
budget lasts: no single one of those that are left can go without the failure going too, under what is left of the
schedule. A program whose default execution already has a finding is no
candidate: it would say nothing of the schedule. The final check counts on the whole program, so it goes with the first
cut; and where it is what has to fail, or an assertion, nothing is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from simaie.errors import UsageError
from simaie.guest.code import Code
from simaie.guest.cut import FINAL_CHECK, Cut, without
from simaie.guest.program import Program
from simaie.op import Kind
from simaie.replay.shrink.turns import InTurns, Turn, choices_of
from simaie.replay.shrink.workbench import Workbench
from simaie.trace import Instruction, Trace

__all__ = ["cut_program"]

_BRANCHES = ("branch", "cbz", "cbnz")
_BY_THE_PROGRAM = ("final-check", "assertion")


def cut_program(bench: Workbench) -> None:
    """A smaller program that fails in the same way; the schedule is what is left of the best one's."""
    threads = len(bench.best.program.threads)
    if bench.kind in _BY_THE_PROGRAM or threads < 2 or _default(bench, bench.best.program) is None:
        return
    for thread in reversed(range(threads)):
        if not _try(bench, Cut(thread)):
            _cut_items(bench, thread)


def _cut_items(bench: Workbench, thread: int) -> None:
    whole = bench.best.program.whole or bench.best.program
    code = whole.threads[thread]
    if not isinstance(code, Code):
        return
    units = _units(code)
    size = max(1, len(units) // 2)
    while not bench.spun:
        for start in range(len(units) - size, -size, -size):
            chosen = units[max(0, start) : start + size]
            _try(bench, Cut(thread, tuple(item for unit in chosen for item in unit)))
        if size == 1:
            return
        size //= 2


def _units(code: Code) -> list[range]:
    """The items of `code` in order, those of a loop together: from a label to the last branch back to it."""
    ends = list(range(len(code)))
    for index, item in enumerate(code):
        if item.name in _BRANCHES and (begin := code.labels[str(item.args[-1])]) < index:
            ends[begin] = max(ends[begin], index)
    units: list[range] = []
    for index in range(len(code)):
        if units and index < units[-1].stop:  # inside; a loop in it, or one that overlaps it, is part of it
            units[-1] = range(units[-1].start, max(units[-1].stop, ends[index] + 1))
        else:
            units.append(range(index, ends[index] + 1))
    return units


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
    default = _default(bench, program)
    if default is None:
        return False
    return bench.try_turns(list(_left(best.trace, default, cut.thread)), choices_of(best.trace), program)


def _default(bench: Workbench, program: Program) -> Trace | None:
    """The default execution of `program`; None if it has a finding, and so makes no sense by itself."""
    attempt = bench.execute(program, InTurns([], ()))
    return None if attempt is None or attempt.findings else attempt.trace


def _left(trace: Trace, default: Trace, thread: int) -> Iterator[Turn]:
    """The turns of `trace`, less the steps of the instructions of `thread` that have gone.

    Which have gone is told by comparing what the thread did with what it does in the `default` execution without them.
    """
    old, new = _instructions(trace, thread), _instructions(default, thread)
    matcher = SequenceMatcher(None, [str(i) for i in old], [str(i) for i in new], autojunk=False)
    kept = {id(i) for block in matcher.get_matching_blocks() for i in old[block.a : block.a + block.size]}
    gone = {id(i) for i in old} - kept
    for event in trace.events:
        if event.op.kind is not Kind.CHOICE and id(event.instruction) not in gone:
            yield Turn(event.actor, 1)


def _instructions(trace: Trace, thread: int) -> list[Instruction]:
    return [instruction for instruction, _ in trace.instructions if instruction.vcpu == str(thread)]
