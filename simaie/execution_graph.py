"""What the trace of an execution graph does not show by the order of its events: program order, reads-from, coherence.

On a host of execution graphs, events may take effect out of the order of the program. Steps are those of the trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

__all__ = ["ExecutionGraph", "overtaken"]


class ExecutionGraph(msgspec.Struct, frozen=True):
    """The graph of an execution, by the steps of its trace.

    Attributes:
        model: The name of the memory model.
        numbers: For each step, the number of its operation on its vCPU, from 0.
        sources: Each read with the store that it read, -1 for the initial value. A read of several pieces, each with a
            source of its own, has a pair for each piece, lowest address first.
        coherence: For each place with several stores, these in the order in which they take effect.
    """

    model: str
    numbers: tuple[int, ...]
    sources: tuple[tuple[int, int], ...]
    coherence: tuple[tuple[int, ...], ...]

    def require_sound(self, length: int) -> None:
        """Raise ValueError unless this can be the graph of a trace of `length` steps."""
        steps = [step for read, store in self.sources for step in (read, max(store, 0))]
        steps += [step for stores in self.coherence for step in stores]
        if len(self.numbers) != length or not all(0 <= step < length for step in steps):
            raise ValueError(f"the recorded graph is not one of {length} steps")


def overtaken(numbers: Sequence[tuple[int, int]]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield each step of a vCPU that took effect before earlier operations of the vCPU, with the steps of these.

    Args:
        numbers: The steps of one vCPU, in order, each with the number of its operation.
    """
    late: list[tuple[int, int]] = []
    highest = -1
    for step, number in numbers:
        if number < highest:
            late.append((step, number))
        highest = max(highest, number)
    if late:
        for step, number in numbers:
            found = tuple([other for other, before in late if other > step and before < number])
            if found:
                yield step, found
