"""A cell of the matrix: one scheme, one class of violations and one host, decided by a search of every execution."""

from __future__ import annotations

import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from simaie import plugins
from simaie.corpus.violations import Violation, violations
from simaie.errors import InternalError, NotEmulatedError, NotModelledError, SchemeError
from simaie.exploration.explorer import explore
from simaie.exploration.report import Report
from simaie.finding import LLSC_LEVELS, RMW_LEVELS
from simaie.machine import Machine
from simaie.replaying.failure import Failure
from simaie.schemes.holes import STUCK_HOLES, Hole
from simaie.survey.rows import Row

__all__ = ["EXECUTIONS", "SEARCH", "Cell", "CellResult", "Item", "examine", "machine_of"]

#: The scheduler: all interleavings, up to the order of operations that do not conflict.
SEARCH: Final = "dpor"
#: The number of executions of one program at most, by default: far more than any cell of the family needs.
EXECUTIONS: Final = 50_000

#: The levels of a wrong store-conditional and of a lost update, by the kind of the strongest finding.
_LEVELS = dict(zip(LLSC_LEVELS, ("strict", "architectural", "value"), strict=True)) | dict(
    zip(RMW_LEVELS, ("architectural", "value"), strict=True)
)
#: The kinds of finding of an execution that got stuck.
_STUCK = frozenset({"deadlock", "livelock", "lock-leak"})
_RANK = {"": 0, "strict": 1, "architectural": 2, "value": 3}


class CellResult(StrEnum):
    """What became of a cell."""

    PROVED = "proved"  # no execution has a violation of the class, and all were run
    FOUND = "found"  # an execution has one
    OPEN = "open"  # no execution that was run has one, but not all were run
    ABSENT = "not emulated"  # the scheme does not have the instructions


class Item(NamedTuple):
    """One cell to decide.

    Attributes:
        row: The scheme.
        hole: The class.
        host: The host memory.
        executions: The number of executions of one program at most.
    """

    row: Row
    hole: Hole
    host: str
    executions: int


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one scheme for one class on one host.

    Attributes:
        scheme: The scheme with its options.
        hole: The class.
        host: The host memory.
        result: The outcome.
        expected: Whether a violation is expected; None if its author does not say.
        executions: The number of executions that were run, of all programs of the class that the scheme emulates.
        seconds: The processor time of the search, in seconds.
        level: Of a violation: ``"value"`` if a foreign store changed the value under the instruction,
            ``"architectural"`` if only the rules of the instruction set were broken; empty for classes without levels.
        program: The program with the violation; empty if none was found.
        steps: The number of steps of its shortest execution with a violation of this level.
        index: The index of that execution in the search.
        command: The command that shows it again; empty if the scheme has no name on a command line.
        reason: Why the cell is open.
        stuck: The kinds of finding, such as "deadlock", with which executions got stuck, if the class does not count
            them.
    """

    scheme: str
    hole: Hole
    host: str
    result: CellResult
    expected: bool | None
    executions: int
    seconds: float
    level: str = ""
    program: str = ""
    steps: int = 0
    index: int | None = None
    command: str = ""
    reason: str = ""
    stuck: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether the result is not the expected one; an open cell does not differ."""
        decided = self.expected is not None and self.result is not CellResult.OPEN
        return decided and (self.result is CellResult.FOUND) is not self.expected

    @property
    def text(self) -> str:
        """The result in words, with how executions got stuck, and with the expectation if they differ."""
        found = f"{self.result}, but {', '.join(self.stuck)}" if self.stuck else str(self.result)
        return f"{found}, expected {'a violation' if self.expected else 'none'}" if self.differs else found


def machine_of(item: Item, program: Violation) -> Machine:
    """Return the machine on which a program of the class runs."""
    needs = program.needs
    scheme = plugins.with_options(plugins.SCHEMES, item.row.scheme, needs.options)
    return Machine(scheme, host=item.host, full_system=needs.full_system, address_bits=needs.address_bits)


def examine(item: Item) -> Cell:
    """Search all programs of the class that the scheme emulates, and return the cell.

    A scheme that breaks its contract (a wrong unlock), something that the host does not model, or a bug of simaie
    leaves the cell open, with the reason.
    """
    began = time.process_time()
    reports: list[tuple[Violation, Report]] = []
    reason = ""
    for program in violations(item.hole):
        try:
            reports.append((program, _searched(item, program)))
        except NotEmulatedError:
            continue
        except (SchemeError, NotModelledError) as error:
            reason = str(error)
        except InternalError as error:
            reason = f"a bug of simaie ended the search: {error}"
    found = [(program, failure) for program, report in reports for failure in counting(program, report)]
    reason = reason or next((report.reason for _, report in reports if not report.complete), "")
    fields: dict[str, Any] = {"reason": reason, "result": CellResult.OPEN if reason else CellResult.PROVED}
    if not reports and not reason:
        fields["result"] = CellResult.ABSENT
    if found:
        fields = _shown(*min(found, key=lambda pair: (-_RANK[level_of(pair[1])], len(pair[1].trace), pair[1].index)))
    expected = item.row.expected(item.host)
    others = {finding.kind for _, report in reports for failure in report.kept for finding in failure.findings}
    return Cell(
        scheme=item.row.shown,
        hole=item.hole,
        host=item.host,
        expected=None if expected is None else item.hole in expected,
        executions=sum(report.executions for _, report in reports),
        seconds=time.process_time() - began,
        stuck=() if item.hole in STUCK_HOLES else tuple(sorted(others & _STUCK)),
        **fields,
    )


def _searched(item: Item, program: Violation) -> Report:
    machine = machine_of(item, program)
    return explore(program.program, machine, scheduler=SEARCH, failures=None, executions=item.executions)


def counting(program: Violation, report: Report) -> Iterator[Failure]:
    """Yield the failures of a report that show a violation of the class of `program`."""
    return (each for each in report.kept if any(finding.kind in program.kinds for finding in each.findings))


def level_of(failure: Failure) -> str:
    """Return the strongest level at which a failure broke an atomic instruction; empty if it has none."""
    return max((_LEVELS.get(finding.kind, "") for finding in failure.strongest), key=_RANK.__getitem__, default="")


def _shown(program: Violation, failure: Failure) -> dict[str, Any]:
    return {
        "result": CellResult.FOUND,
        "level": level_of(failure),
        "program": program.program.name,
        "steps": len(failure.trace),
        "index": failure.index,
        "command": failure.command if failure.machine.is_named else "",
    }
