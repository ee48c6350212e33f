"""Prerequisites of checkers that need the program to record something; a silent pass would mislead.

Among the default checkers, one with nothing to judge finds nothing. A checker that is requested by name or as a
function is asked a question, and "nothing found" would be an answer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from simaie.check.guest import final_check
from simaie.check.registry import name_of
from simaie.check.serializability import atomic_blocks
from simaie.errors import UsageError
from simaie.protocols import Checker
from simaie.trace import Ending, Trace

__all__ = ["Answers", "Prerequisites", "require_answers"]

#: The positions of the checkers that have seen no execution that they can judge.
Answers: TypeAlias = frozenset[int]


class Prerequisites:
    """The checkers that have not yet seen an execution that they can judge."""

    def __init__(self, checkers: Iterable[Checker]) -> None:
        self._all = [(checker, *need) for checker in checkers if (need := _need(checker)) is not None]
        self._lacking = list(self._all)

    def __bool__(self) -> bool:
        return bool(self._lacking)

    def observe(self, trace: Trace) -> None:
        """Record one more execution; one that was cut short may not have reached what a checker needs."""
        self._lacking = [lack for lack in self._lacking if not (lack[1](trace) or trace.truncated)]

    @property
    def lacking(self) -> Answers:
        """The checkers that have seen no execution that they can judge, for `restore`."""
        return frozenset([number for number, lack in enumerate(self._all) if lack in self._lacking])

    def restore_all(self) -> None:
        """Take all checkers as not answered."""
        self._lacking = list(self._all)

    def restore(self, lacking: Answers) -> None:
        """Take only these checkers as not answered."""
        self._lacking = [self._all[number] for number in sorted(lacking)]

    def require(self, program: str) -> None:
        """Raise UsageError if a checker has seen no execution that it can judge."""
        for checker, _, words in self._lacking:
            raise UsageError(f"{name_of(checker)} has nothing to judge: program {program!r} {words}")


def require_answers(checkers: Iterable[Checker], trace: Trace) -> None:
    """Raise UsageError if a checker cannot judge `trace`, because its program does not record what that needs."""
    prerequisites = Prerequisites(checkers)
    prerequisites.observe(trace)
    prerequisites.require(trace.program)


def _need(checker: Checker) -> tuple[Callable[[Trace], bool], str] | None:
    """Return a test whether a trace is enough for `checker`, and what is missing if not; None if any trace is."""
    if getattr(checker, "judges_calls", False):
        do = "`async with cpu.call(name, *args) as call:`, or --record of compiled code"
        return _calls, f"records no call; do so by {do}"
    if checker is atomic_blocks:
        return _blocks, "marks no block as atomic; do so by `async with cpu.atomic(name):`"
    if checker is final_check:
        return _checked, "has no final check; pass one: Program(..., final=...)"
    return None


def _calls(trace: Trace) -> bool:
    return bool(trace.calls)


def _blocks(trace: Trace) -> bool:
    return len(trace.blocks) > len(trace.calls)


def _checked(trace: Trace) -> bool:
    return trace.accepted is not None or trace.ending is not Ending.FINISHED  # it runs only at a regular end
