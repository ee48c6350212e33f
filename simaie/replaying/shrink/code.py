"""The instructions of a trace as instructions of the program, and the events that are left after some are cut.

For a function, and for a list of instructions without branches, the number of an instruction is a matter of counting.
For a list with branches it is not; the instructions of the thread are then compared with those that it runs without the
cut ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import count, islice

from simaie.guest.code import Code
from simaie.guest.cut import Cut
from simaie.guest.program import Program
from simaie.guest.register_instructions import BRANCHES, LOCAL
from simaie.trace import Event, Instruction, Trace

__all__ = ["Numbers", "remaining_events", "units_of"]


class Numbers:
    """The numbers of the instructions of one thread, in the program before any cut.

    Attributes:
        cut: What was cut from the thread, if anything was.
        code: The code of the thread before the cut.
        instructions: The instructions that the thread began, in order.
        known: The number of each instruction, by its number in the trace; None if the numbers are not known.
    """

    def __init__(self, program: Program, trace: Trace, thread: int) -> None:
        self.cut = next((cut for cut in program.cuts if cut.thread == thread), None)
        self.code = (program.cut_from or program).threads[thread]
        self.instructions = [i for i, _ in trace.instructions if i.vcpu == str(thread)]
        self.known = self._known()

    def of(self, instruction: Instruction) -> int | None:
        """Return the number of one of `instructions`; None if it is not in the thread's code, as its exit."""
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
    """Return the units of a thread that can be cut, in order, by numbers before any cut; a loop is one unit."""
    if isinstance(numbers.code, Code):
        return _units(numbers.code)
    assert numbers.known is not None
    last = max(numbers.known.values(), default=-1)
    return [range(number, number + 1) for number in range(last + 1)]


def _units(code: Code) -> list[range]:
    """Return the items of `code` in order, with those of a loop in one unit, from a label to the last branch to it."""
    ends = list(range(len(code)))
    for index, item in enumerate(code):
        if item.name in BRANCHES and (begin := code.labels[str(item.args[-1])]) < index:
            ends[begin] = max(ends[begin], index)
    units: list[range] = []
    for index in range(len(code)):
        if units and index < units[-1].stop:  # inside the last unit, which takes in loops that it contains or overlaps
            units[-1] = range(units[-1].start, max(units[-1].stop, ends[index] + 1))
        else:
            units.append(range(index, ends[index] + 1))
    return units


def remaining_events(
    program: Program, trace: Trace, cuts: Sequence[Cut], default: Callable[[], Trace | None]
) -> list[Event] | None:
    """Return the events of an execution of `program` without those of the instructions that `cuts` leave out.

    Args:
        program: The program.
        trace: The execution.
        cuts: What is left out.
        default: Returns the default execution of the program with the cuts; None if it cannot be run.

    Returns:
        The events; None if the default execution is needed and cannot be run.
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
    """Return the identities of the instructions in `old` that the thread does not run in `default`."""
    new = [i for i, _ in default.instructions if i.vcpu == str(thread)]
    matcher = SequenceMatcher(None, [str(i) for i in old], [str(i) for i in new], autojunk=False)
    kept = {id(i) for block in matcher.get_matching_blocks() for i in old[block.a : block.a + block.size]}
    return {id(i) for i in old} - kept
