"""What a checker can only judge if the program says it: by a checker that somebody asks for, silence would be a lie.

Among the usual checkers those that have nothing to judge just find nothing. One that is asked for by name or as a
function is asked a question, and "nothing found" would be an answer to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from simaie.check.guest import final_check
from simaie.check.registry import name_of
from simaie.check.serializability import atomic_blocks
from simaie.errors import UsageError
from simaie.protocols import Checker
from simaie.trace import Ending, Trace

__all__ = ["Prerequisites", "require_answers"]


class Prerequisites:
    """Those of `checkers` that no execution so far told enough to judge it."""

    def __init__(self, checkers: Iterable[Checker]) -> None:
        self._lacking = [(checker, *need) for checker in checkers if (need := _need(checker)) is not None]

    def __bool__(self) -> bool:
        return bool(self._lacking)

    def hear(self, trace: Trace) -> None:
        """Take note of what one more execution tells. One that was cut short may not have come to it."""
        self._lacking = [lack for lack in self._lacking if not (lack[1](trace) or trace.truncated)]

    def complain(self, program: str) -> None:
        """Raise UsageError if there is one."""
        for checker, _, words in self._lacking:
            raise UsageError(f"{name_of(checker)} has nothing to judge: program {program!r} {words}")


def require_answers(checkers: Iterable[Checker], trace: Trace) -> None:
    """Raise UsageError if one of `checkers` cannot judge `trace`, since its program does not say what that takes."""
    unanswered = Prerequisites(checkers)
    unanswered.hear(trace)
    unanswered.complain(trace.program)


def _need(checker: Checker) -> tuple[Callable[[Trace], bool], str] | None:
    """Whether a trace tells enough for `checker`, and what it takes."""
    if getattr(checker, "judges_calls", False):
        return _calls, "records no call; do so by `async with cpu.call(name, *args) as call:`"
    if checker is atomic_blocks:
        return _blocks, "marks no block as atomic; do so by `async with cpu.atomic(name):`"
    if checker is final_check:
        return _checked, "has no final check; give it one: Program(..., final=...)"
    return None


def _calls(trace: Trace) -> bool:
    return bool(trace.calls)


def _blocks(trace: Trace) -> bool:
    return len(trace.blocks) > len(trace.calls)


def _checked(trace: Trace) -> bool:
    return trace.accepted is not None or trace.ending is not Ending.FINISHED  # it is only asked about an end
