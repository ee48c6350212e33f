"""What is explored for its outcomes: a program, or a litmus test as a program whose outcomes are states of the test.

A state is the final values that may be seen, sorted by name: for a program its outcome, for a litmus test what herd7
prints. An execution that waits for ever has the state ``ending=deadlock`` (or livelock) and nothing else, and a vCPU
that a fault ended adds ``NAME:fault`` to the state.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias, Union

from simaie.errors import UsageError
from simaie.guest.program import Program
from simaie.trace import STUCK, Trace

if TYPE_CHECKING:
    from simaie.litmus import LitmusTest

__all__ = ["State", "Subject", "Target", "state_text", "subject_of"]

State: TypeAlias = tuple[tuple[str, int | str | tuple[int, ...]], ...]
#: A program, a litmus test, or the path of a ``.litmus`` file.
Target: TypeAlias = Union[Program, "LitmusTest", str, os.PathLike[str]]


def state_text(state: State) -> str:
    """A state on one line."""
    return " ".join(f"{name}={value}" for name, value in state) or "(nothing observed)"


def subject_of(target: Target) -> Subject:
    """What `target` is; LitmusError for a litmus file that cannot be read or run, UsageError for anything else."""
    if isinstance(target, Program):
        return Subject(target)
    from simaie.exploration.litmus_subject import LitmusSubject  # its grammars are only loaded where they are used
    from simaie.litmus import LitmusTest, load

    if isinstance(target, str | os.PathLike) and os.fspath(target).endswith(".litmus"):
        target = load(os.fspath(target))
    if not isinstance(target, LitmusTest):
        raise UsageError(f"expected a Program, a LitmusTest or the path of a .litmus file, not {target!r}")
    return LitmusSubject(target)


class Subject:
    """A program that stands for itself."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def name(self) -> str:
        """For reports."""
        return self.program.name

    def is_cut(self, trace: Trace) -> bool:
        """Whether the execution would have gone on, but for a limit."""
        return trace.truncated

    def state(self, trace: Trace) -> State | None:
        """The state of an execution that was not cut; None if it is none that anybody asks for."""
        if trace.ending in STUCK:
            return (("ending", trace.ending.value),)
        faults = ((f"{fault.vcpu}:fault", fault.kind) for fault in trace.faults)
        return tuple(sorted((*trace.outcome.items, *faults)))
