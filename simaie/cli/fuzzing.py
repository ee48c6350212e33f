"""The examples of ``simaie fuzz``: explored here or in other processes, and counted in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from simaie.errors import Interrupted
from simaie.exploration.explorer import explore
from simaie.exploration.in_order import InOrder
from simaie.exploration.report import Report
from simaie.exploration.signatures import Signatures
from simaie.finding import Verdict
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.failure import Failure

__all__ = ["Elsewhere", "Fuzzing", "Here", "Tried"]


@dataclass
class Fuzzing:
    """The figures and failures of one run.

    Attributes:
        examples: Examples run.
        executions: Executions run.
        traces: Distinct traces within each program, in all.
        failing: Examples that fail.
        seconds: Wall-clock time.
        examples_per_second: The rate after the first example, which leaves out the start-up; 0 with one example.
        interrupted: Whether Ctrl-C ended the run.
        signatures: The failing executions.
        programs: Digests of the distinct programs.
        digests: Digests of the examples, in their order.
    """

    examples: int = 0
    executions: int = 0
    traces: int = 0
    failing: int = 0
    seconds: float = 0.0
    examples_per_second: float = 0.0
    interrupted: bool = False
    signatures: Signatures = field(default_factory=Signatures, repr=False)
    programs: set[str] = field(default_factory=set, repr=False)
    digests: list[str] = field(default_factory=list, repr=False)

    @property
    def found(self) -> dict[str, Failure]:
        """The shortest failure of each signature, by digest; the strongest come first."""
        return {group.signature.digest: group.shortest for group in self.signatures.groups}


class Tried(Protocol):
    """What becomes of the generated examples."""

    def __call__(self, program: Program) -> Iterator[None]:
        """Take an example, and yield after each example that is explored and counted."""
        ...

    def rest(self) -> Iterator[None]:
        """Yield after each of the examples that were not counted yet."""
        ...

    def end(self) -> None:
        """End the work."""
        ...


class Here:
    """Explores each example at once."""

    def __init__(
        self, machine: Machine, search: dict[str, Any], result: Fuzzing, tell: Callable[[Failure], None] | None
    ) -> None:
        self._explore, self._result, self._tell = _Explorer(machine, search), result, tell

    def __call__(self, program: Program) -> Iterator[None]:
        """Explore and count the example."""
        result = self._result
        result.examples += 1
        result.digests.append(program.digest)
        if program.digest not in result.programs:
            try:
                _count(program, self._explore(program, self._tell), result)
            except Interrupted as stop:
                _count(program, stop.report, result)
                raise
        yield

    def rest(self) -> Iterator[None]:
        """Return nothing: all are counted."""
        return iter(())

    def end(self) -> None:
        """Do nothing."""


class Elsewhere:
    """Explores examples in other processes, some ahead, and counts them in their order."""

    def __init__(
        self,
        machine: Machine,
        search: dict[str, Any],
        result: Fuzzing,
        tell: Callable[[Failure], None] | None,
        jobs: int,
    ) -> None:
        self._calls: InOrder[Program, Report] = InOrder(_Explorer(machine, search), jobs)
        self._result, self._tell = result, tell
        self._waiting: deque[tuple[Program, bool]] = deque()  # each example, and whether it is a new program
        self._known: set[str] = set()

    def __call__(self, program: Program) -> Iterator[None]:
        """Hand out the example, and count earlier ones if enough are handed out."""
        is_new = program.digest not in self._known
        self._known.add(program.digest)
        self._waiting.append((program, is_new))
        if is_new:
            self._calls.put(program)
        while not self._calls.room:
            yield from self._settle()

    def rest(self) -> Iterator[None]:
        """Yield after each of the examples that were not counted yet."""
        while self._waiting:
            yield from self._settle()

    def end(self) -> None:
        """End the workers."""
        self._calls.end()

    def _settle(self) -> Iterator[None]:
        program, is_new = self._waiting[0]
        report = self._calls.take() if is_new else None
        del self._waiting[0]
        self._result.examples += 1
        self._result.digests.append(program.digest)
        if report is not None:
            _count(program, report, self._result)
            firsts = [group.first for group in report.signatures]
            for failure in sorted(firsts, key=lambda failure: failure.index):
                if self._tell is not None:
                    self._tell(failure)
        yield


class _Explorer:
    """A function that explores one example."""

    def __init__(self, machine: Machine, search: dict[str, Any]) -> None:
        self._machine, self._search = machine, search

    def __call__(self, program: Program, found: Callable[[Failure], None] | None = None) -> Report:
        options = {**self._search, "found": found}
        return explore(program, self._machine, scheduler="random-walk", coverage=True, failures=None, **options)


def _count(program: Program, report: Report, result: Fuzzing) -> None:
    result.programs.add(program.digest)
    result.executions += report.executions
    coverage = report.statistics.coverage
    result.traces += 0 if coverage is None else coverage.traces
    if report.verdict is Verdict.VIOLATED:
        result.failing += 1
        result.signatures.merge(report.signatures, report.unlisted)
