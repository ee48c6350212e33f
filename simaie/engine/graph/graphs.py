"""The executions of a search of graphs, as code that watches and counts executions sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simaie.engine.actor import Actor
from simaie.engine.execution import Execution
from simaie.engine.graph.again import repeated
from simaie.engine.graph.layout import BeginAnew
from simaie.engine.graph.search import GraphSearch
from simaie.engine.memo.undone import Undone
from simaie.errors import InternalError
from simaie.guest.program import Program
from simaie.host.graph.graph import Graph
from simaie.machine import Machine
from simaie.trace import Ending, Trace

__all__ = ["Graphs"]


class Graphs(Undone):
    """The executions of one search of graphs, of which one is current, and the next one is found already.

    Args:
        program: The program.
        machine: The machine.
        seed: The seed of the search.
        out_of_time: Whether the time of the search is over; asked often, since many ways may lead to no execution.

    Attributes:
        search: The search.
        comes_again: Whether the search has begun anew, so that all executions so far come again.
    """

    #: What a vCPU does is compared by the search itself, whose events are not in the order of the program.
    went_elsewhere = True
    can_be_left = False

    def __init__(self, program: Program, machine: Machine, seed: int, out_of_time: Callable[[], bool]) -> None:
        self.program, self.machine = program, machine
        self._seed, self.index = seed, 0
        self.identities = {}
        self.why_not = ""
        self.is_known = self._next_is_known = False
        self.visited = self.rebuilt = 0
        self.rehearsing: Execution | None = None
        self.search = GraphSearch(program, machine, out_of_time)
        self.comes_again = False
        self._found = False
        self._kept: tuple[Graph, Ending] | None = None
        self._interrupt: KeyboardInterrupt | None = None

    @property
    def events(self) -> list[Any]:
        """As many items as steps were taken, which tell the watchdog whether the search moves."""
        return self.rehearsing.events if self.rehearsing is not None else [None] * self.search.steps

    @property
    def actors(self) -> Sequence[Actor]:
        """The vCPUs of all executions so far."""
        return self.rehearsing.actors if self.rehearsing is not None else self.search.actors

    def trace(self) -> Trace | None:
        """Return the trace of the execution that was found; None if there is none.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed while it was searched for.
        """
        if self._interrupt is not None:
            raise self._interrupt
        if not self._found:
            self.go_on()
        if self.comes_again or self.search.graph is None:
            return None
        self.visited += 1
        return self.search.trace()

    def go_on(self) -> None:
        """Find the next execution."""
        self._found = True
        while True:
            try:
                self.search.advance()
                return
            except BeginAnew:
                if self.visited:
                    self.visited, self.comes_again, self._found = 0, True, False
                    return

    def go_on_later(self) -> None:
        """Find the next execution, while the current one is still to be judged: Ctrl-C ends the search after that."""
        self._kept = self.search.graph
        try:
            self.go_on()
        except KeyboardInterrupt as interrupt:
            self._interrupt = interrupt

    def replayable(self, trace: Trace) -> Trace:
        """Return the current execution with a schedule.

        Raises:
            InternalError: No decisions lead to it.
        """
        assert self._kept is not None
        outline = self.search.outline(self._kept[0])
        found = repeated(self.program, self.machine, self.info, outline, trace.digest)
        if found is None:
            raise InternalError(
                f"no decisions were found that lead to an execution of {self.program.name!r} on {self.machine.host}"
            )
        return found

    def profile(self, trace: Trace) -> Mapping[str, Any]:
        """Return nothing: no scheduler begins with one of these executions."""
        return {}

    def close(self) -> None:
        """Close the coroutines."""
        self.search.close()
