"""The exceptions that simaie raises: a small tree, where each branch says whose mistake it is.

A *finding* about a guest program or an emulation scheme is a value in a report, never an exception. An exception means
that simaie cannot do what it was asked to do. The caller fixes a `UsageError` or an `InputError`, the author of the
guest program a `GuestError`, the author of a plug-in a `SchemeError`, `SchedulerError` or `HostError`, and simaie's
authors an `InternalError`.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simaie.printable import clean

__all__ = [
    "OWN_CODE",
    "TRANSLATED",
    "DivergenceError",
    "EscapedStateError",
    "ForeignAwaitError",
    "GuestError",
    "GuestFault",
    "GuestSpinError",
    "HostError",
    "InputError",
    "InternalError",
    "Interrupted",
    "NeverAwaitedError",
    "NeverAwaitedInstructionError",
    "NondeterminismError",
    "NotEmulatedError",
    "NotModelledError",
    "ProgramTextError",
    "ReplayError",
    "SchedulerError",
    "SchemeError",
    "SimaieError",
    "UnknownNameError",
    "UnmodelledCodeError",
    "UnnamedCodeError",
    "UsageError",
    "kind_of",
    "raised",
]

#: The folder of simaie's own code; all other frames on a stack belong to the user.
OWN_CODE = str(Path(__file__).resolve().parent)
#: The names of files of code that was translated from machine code begin with this; no line of it is a user's.
TRANSLATED = "<guest "


class SimaieError(Exception):
    """The base class of all exceptions that simaie raises on purpose.

    Attributes:
        report: The report of the exploration that the error ended, up to the error; None if it ended none.
    """

    report: Any = None


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a search.

    It is a KeyboardInterrupt and no SimaieError. A loop over searches therefore ends with the search that was
    interrupted, and ``except Exception`` does not hide it.

        try:
            reports = [simaie.explore(program) for program in programs]
        except simaie.Interrupted as stop:
            print(stop.report)

    In a notebook, and at Python's prompt, the report of an interrupted search is ``sys.last_value.report``.

    Attributes:
        report: What the search found before the interrupt, in the form in which the search returns it.
    """

    def __init__(self, what: str, report: Any) -> None:
        super().__init__(f"{what} was interrupted; what was found is the attribute `report` of this exception")
        self.what, self.report = what, report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.report)

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback, which would only show lines inside simaie."""
        return [f"simaie.Interrupted: {self.what} was interrupted; what was found is sys.last_value.report"]


class UsageError(SimaieError):
    """An argument, an option or a combination of them is wrong; the message says what would be right."""


class NotEmulatedError(UsageError):
    """The program uses a kind of guest instruction that the scheme does not emulate."""


class NotModelledError(UsageError):
    """The program, or the scheme, uses something that the host memory does not model."""


class UnmodelledCodeError(UsageError):
    """Compiled code does something that simaie does not model; the message says how to avoid it."""


class UnknownNameError(UsageError):
    """A scheme, scheduler, program, host memory or instruction of this name does not exist.

    The message suggests the most similar names and lists all or some of the others.

    Attributes:
        what: The kind of thing that was asked for.
        name: The unknown name.
        known: All names of that kind, sorted.
    """

    #: The number of names that a message lists at most.
    SHOWN = 12
    #: The number of names that a message suggests at most.
    NEAR = 5

    def __init__(self, what: str, name: str, known: Iterable[str], advice: str = "", sentence: str = "") -> None:
        """Make the message.

        Args:
            what: The kind of thing that was asked for.
            name: The unknown name.
            known: All names of that kind.
            advice: How to see all names, in place of a list of many.
            sentence: The beginning of the message, in place of "unknown WHAT NAME".
        """
        self.what, self.known = what, sorted(known)
        if not isinstance(name, str):
            name = repr(name)  # the caller passed something that can be no name at all
        self.name = name
        sentence = sentence or f"unknown {what} {name!r}"
        longer = sorted((one for one in self.known if name and name in one), key=len)[: self.NEAR]
        near = longer or difflib.get_close_matches(name, self.known, n=self.NEAR if advice else 1, cutoff=0.5)
        many = len(self.known) > self.SHOWN
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        if many and advice:
            super().__init__(f"{sentence}{hint} ({advice})")
            return
        rest = f" and {len(self.known) - self.SHOWN} more" if many else ""
        shown = ", ".join(self.known[: self.SHOWN]) or "none"
        super().__init__(f"{sentence}{hint} (known: {shown}{rest})")


class InputError(SimaieError):
    """A file cannot be read, written or understood; the message names the file and the place in it."""


class ProgramTextError(InputError):
    """The text of a program has a syntax error.

    Attributes:
        file: The name of the file.
        line: The line of the error, from 1.
        column: The column of the error, from 1.
        problem: The error in words.
        expected: What is allowed at this place.
    """

    def __init__(self, file: str, line: int, column: int, problem: str, expected: Iterable[str] = ()) -> None:
        self.file, self.line, self.column = file, line, column
        self.problem, self.expected = problem, tuple(expected)
        hint = f"; allowed here: {', '.join(self.expected)}" if self.expected else ""
        super().__init__(f"{file}:{line}:{column}: {problem}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.file, self.line, self.column, self.problem, self.expected)


class ReplayError(InputError):
    """A replay file is malformed or of another schema, or its program is not available."""


class UnnamedCodeError(ReplayError):
    """A replay file needs Python code that the caller has not named.

    A file never chooses the code that runs. The message says which code the file needs and how to name it. What the
    file recorded can still be shown; see `simaie.replaying.recorded.recorded`.
    """


class DivergenceError(SimaieError):
    """A strict replay took another path than the recorded one.

    Attributes:
        step: The first step that differs, from 0.
        expected: What the file recorded for this step.
        got: What happened instead.
    """

    def __init__(self, step: int, expected: str, got: str) -> None:
        self.step, self.expected, self.got = step, expected, got
        super().__init__(
            f"the replay diverges at step {step}: expected {expected}, got {got}; "
            "the program, the scheme or simaie has changed since the recording"
        )


class GuestError(SimaieError):
    """The Python code of a guest program is wrong: it raised, or awaited something that is not a guest instruction.

    Attributes:
        vcpu: The name of the vCPU.
        where: The line of the guest's source, if it is known.
    """

    def __init__(self, message: str, *, vcpu: str = "", where: str = "") -> None:
        self.vcpu, self.where = vcpu, where
        super().__init__(message)


class ForeignAwaitError(GuestError):
    """A guest on the inline driver awaited something that is not a simaie operation."""


class GuestSpinError(GuestError):
    """A guest ran for too long without awaiting an operation, so that no other vCPU could step."""


class SchemeError(SimaieError):
    """A scheme broke its contract: it raised, released a lock that it did not hold, or awaited a foreign object."""


class EscapedStateError(SchemeError):
    """A scheme changed state of its own without an operation, so that no scheduler chose when it changed.

    Attributes:
        attribute: The path to what changed, such as ``table[4096]``.
        owner: The class that has the attribute.
        vcpu: The name of the vCPU that changed it.
        where: The line of the scheme that changed it, if it is known.
    """

    def __init__(self, message: str, *, attribute: str = "", owner: str = "", vcpu: str = "", where: str = "") -> None:
        self.attribute, self.owner, self.vcpu, self.where = attribute, owner, vcpu, where
        super().__init__(message)


class NeverAwaitedError(SchemeError):
    """A scheme made an operation or called an ``async def``, and did not await it.

    Attributes:
        vcpu: The name of the vCPU.
        where: The line of the scheme, if it is known.
    """

    def __init__(self, message: str, *, vcpu: str = "", where: str = "") -> None:
        self.vcpu, self.where = vcpu, where
        super().__init__(message)


class NeverAwaitedInstructionError(GuestError):
    """A guest called an instruction or an ``async def`` of its own, and did not await it."""


class SchedulerError(SimaieError):
    """A scheduler broke its contract: it raised, or chose something that was not offered."""


class HostError(SimaieError):
    """A host memory broke its contract: it raised, or lacks a method that a `HostMemory` must have."""


class NondeterminismError(SimaieError):
    """Two runs of one schedule differed: the guest depends on clocks, random numbers, set order or kept state.

    Attributes:
        step: The first step that is known to differ, from 0; None if it is not known.
        expected: What the first run did at this step, if it is known.
        got: What the second run did at this step, if it is known.
        vcpu: The name of the vCPU, if it is known.
    """

    def __init__(
        self, message: str, *, step: int | None = None, expected: str = "", got: str = "", vcpu: str = ""
    ) -> None:
        self.step, self.expected, self.got, self.vcpu = step, expected, got, vcpu
        super().__init__(message)


class InternalError(SimaieError):
    """An invariant of simaie itself does not hold; please report it, with the replay file."""


class GuestFault(Exception):
    """A fault of the *guest* architecture, raised inside guest code by the instruction that faults.

    It is part of the model and no error of simaie. A guest may catch it, as an operating system does. If the guest does
    not, the vCPU ends, and the trace records the fault.

    Attributes:
        cause: ``"alignment"``, ``"address"``, ``"page"``, ``"permission"``; ``"width"`` if the emulator refuses the
            width; ``"kill"`` if the vCPU is killed. Of machine code also ``"trap"``, ``"division"``, ``"fetch"``,
            ``"endless"``, ``"undefined"`` and ``"system-call"``.
        address: The guest-virtual address.
    """

    def __init__(self, cause: str, address: int, message: str) -> None:
        self.cause, self.address = cause, address
        super().__init__(message)


def kind_of(fault: GuestFault | AssertionError) -> str:
    """Return the kind of what ended a vCPU: fault, assertion, or kill."""
    if isinstance(fault, AssertionError):
        return "assertion"
    return "kill" if fault.cause == "kill" else "fault"


def raised(error: BaseException) -> tuple[str, str]:
    """Return what the user's code raised, in words, and where: ``FILE:LINE``, or empty if the place is not known.

    For an exception group, the words name each exception in it, and the place is that of the first.
    """
    if isinstance(error, BaseExceptionGroup):
        members = sorted(raised(member) for member in error.exceptions)  # trio collects them in no fixed order
        return f"{type(error).__name__} of {len(members)}: {', '.join(words for words, _ in members)}", members[0][1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if not frame.filename.startswith((OWN_CODE, TRANSLATED))]  # fmt: skip
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    words = clean(f"{type(error).__name__}: {error}").removesuffix(": ")
    return words + (f" at {where}" if where else ""), where
