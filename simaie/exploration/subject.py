"""Subjects of a search for outcomes: programs, and litmus tests as programs whose outcomes are states of the test.

A state is the observable final values, sorted by name: the outcome of a program, or what herd7 prints for a litmus
test. An execution that waits for ever has only ``ending=deadlock`` (or livelock) as its state. A vCPU that a fault
ended adds ``NAME:fault``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias, Union

from simaie.errors import UsageError
from simaie.guest.program import Program
from simaie.trace import STUCK, Ending, Trace

if TYPE_CHECKING:
    from simaie.litmus import LitmusTest

__all__ = ["FinalValues", "SearchSubject", "Target", "search_subject", "state_text"]

FinalValues: TypeAlias = tuple[tuple[str, int | str | tuple[int, ...]], ...]
#: A program, a litmus test, or the path of a ``.litmus`` file.
Target: TypeAlias = Union[Program, "LitmusTest", str, os.PathLike[str]]


def state_text(state: FinalValues) -> str:
    """Return a state as text on one line."""
    return " ".join(f"{name}={value}" for name, value in state) or "(nothing observed)"


def search_subject(target: Target) -> SearchSubject:
    """Return the subject that `target` names.

    Raises:
        LitmusError: A litmus file cannot be read or run.
        UsageError: `target` is neither a program nor a litmus test nor the path of a litmus file.
    """
    if isinstance(target, Program):
        return SearchSubject(target)
    from simaie.exploration.litmus_subject import LitmusSubject  # its grammars are loaded only if they are used
    from simaie.litmus import LitmusTest, load

    if isinstance(target, str | os.PathLike) and os.fspath(target).endswith(".litmus"):
        target = load(os.fspath(target))
    if not isinstance(target, LitmusTest):
        raise UsageError(f"target must be a Program, a LitmusTest or the path of a .litmus file, not {target!r}")
    return LitmusSubject(target)


class SearchSubject:
    """A program as the subject of a search for outcomes."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def name(self) -> str:
        """The name of the program, for reports."""
        return self.program.name

    def is_cut(self, trace: Trace) -> bool:
        """Whether a limit cut the execution, so that it has no state."""
        return trace.truncated

    def state(self, trace: Trace) -> FinalValues | None:
        """Return the state of an execution that was not cut; None if the subject does not count it."""
        if trace.ending in STUCK or trace.ending is Ending.LASSO:
            return (("ending", trace.ending.value),)
        faults = ((f"{fault.vcpu}:fault", fault.kind) for fault in trace.faults)
        return tuple(sorted((*trace.outcome.items, *faults)))
