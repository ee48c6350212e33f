"""Which instruction of a program's text an instruction in a trace is, and what of a schedule is left without some.

Of a function, and of a list without branches, that can be counted. Of a list with branches it cannot, and what the
thread did is compared with what it does without the items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import count, islice

from simaie.guest.code import BRANCHES, LOCAL, Code
from simaie.guest.cut import Cut
from simaie.guest.program import Program
from simaie.trace import Event, Instruction, Trace

__all__ = ["Numbers", "remaining_events", "units_of"]


class Numbers:
    """Of one thread in an execution of `program`: the number in the whole program of each instruction that it began.

    known: by the instruction's number in the trace; None where it cannot be told.
    """

    def __init__(self, program: Program, trace: Trace, thread: int) -> None:
        self.cut = next((cut for cut in program.cuts if cut.thread == thread), None)
        self.code = (program.cut_from or program).threads[thread]
        self.instructions = [i for i, _ in trace.instructions if i.vcpu == str(thread)]
        self.known = self._known()

    def of(self, instruction: Instruction) -> int | None:
        """The number of one of `instructions`; None if it is none of the thread's text: its exit."""
        return self.known.get(instruction.number) if self.known is not None else None

    def _known(self) -> dict[int, int] | None:
        if isinstance(self.code, Code):
            if any(item.name in BRANCHES for item in self.code):
                return None
            there: Iterator[int] = (index for index, item in enumerate(self.code) if item.name not in LOCAL)
        else:
            there = count()
        cut = self.cut
        if cut is not None and cut.removes_all:
            return {}
        begun = max((i.number + 1 for i in self.instructions), default=0)
        if cut is not None and cut.end is not None:
            there = islice(there, cut.end)  # else the search below would have no end
        left = (number for number in there if cut is None or not cut.has(number))
        return dict(enumerate(islice(left, begun)))


def units_of(numbers: Numbers) -> list[range]:
    """What can be left out of a thread as one, in order, counted in the whole program: a loop only goes as a whole."""
    if isinstance(numbers.code, Code):
        return _units(numbers.code)
    assert numbers.known is not None
    last = max(numbers.known.values(), default=-1)
    return [range(number, number + 1) for number in range(last + 1)]


def _units(code: Code) -> list[range]:
    """The items of `code` in order, those of a loop together: from a label to the last branch back to it."""
    ends = list(range(len(code)))
    for index, item in enumerate(code):
        if item.name in BRANCHES and (begin := code.labels[str(item.args[-1])]) < index:
            ends[begin] = max(ends[begin], index)
    units: list[range] = []
    for index in range(len(code)):
        if units and index < units[-1].stop:  # inside; a loop in it, or one that overlaps it, is part of it
            units[-1] = range(units[-1].start, max(units[-1].stop, ends[index] + 1))
        else:
            units.append(range(index, ends[index] + 1))
    return units


def remaining_events(
    program: Program, trace: Trace, cuts: Sequence[Cut], default: Callable[[], Trace | None]
) -> list[Event] | None:
    """The events of `trace`, an execution of `program`, less those of the instructions that `cuts` leave out.

    default: gives the default execution of the program without them, or None if it has none; then so does this.
    """
    gone: set[int] = set()
    for cut in cuts:
        if cut.thread < 0:
            continue
        numbers = Numbers(program, trace, cut.thread)
        if cut.removes_all:
            gone.update(map(id, numbers.instructions))
        elif numbers.known is not None:
            gone.update(id(i) for i in numbers.instructions if (n := numbers.of(i)) is not None and cut.has(n))
        else:
            without = default()
            if without is None:
                return None
            gone.update(_missing(numbers.instructions, without, cut.thread))
    return [event for event in trace.events if id(event.instruction) not in gone]


def _missing(old: Sequence[Instruction], default: Trace, thread: int) -> set[int]:
    """Those of `old` that the thread does not do in `default`, by comparing the two."""
    new = [i for i, _ in default.instructions if i.vcpu == str(thread)]
    matcher = SequenceMatcher(None, [str(i) for i in old], [str(i) for i in new], autojunk=False)
    kept = {id(i) for block in matcher.get_matching_blocks() for i in old[block.a : block.a + block.size]}
    return {id(i) for i in old} - kept
