"""Everything that simaie raises: a small tree, each branch saying whose mistake it is.

A *finding* about a guest program or an emulation scheme is a value in a report, never an exception.
An exception means that simaie was asked for something that it cannot do: `UsageError` and its kin are
the caller's to mend, `GuestError` the guest program's, `SchedulerError` the scheduler's, and
`InternalError` ours.
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
    "ProgramTextError",
    "ReplayError",
    "SchedulerError",
    "SchemeError",
    "SimaieError",
    "UnknownNameError",
    "UnnamedCodeError",
    "UsageError",
    "raised",
]

#: Where simaie's own code is: whatever else is on a stack belongs to the user.
OWN_CODE = str(Path(__file__).resolve().parent)


class SimaieError(Exception):
    """The root: catch it to catch everything that simaie raises on purpose.

    `report` holds what an exploration had found before the error ended it, if one did.
    """

    report: Any = None


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a search. `report` holds what the search found: what it would have returned, as far as it came.

    It is a KeyboardInterrupt and no SimaieError: a loop over searches ends with the search that was interrupted, and
    ``except Exception`` does not hide it.

        try:
            reports = [simaie.explore(program) for program in programs]
        except simaie.Interrupted as stop:
            print(stop.report)

    In a notebook, and at Python's prompt, the report of an interrupted search is ``sys.last_value.report``.
    """

    def __init__(self, what: str, report: Any) -> None:
        super().__init__(f"{what} was interrupted; what was found is the attribute `report` of this exception")
        self.what, self.report = what, report

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.report)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback, which would only say where in simaie the interrupt came."""
        return [f"simaie.Interrupted: {self.what} was interrupted; what was found is sys.last_value.report"]


class UsageError(SimaieError):
    """An argument, option or combination of them that makes no sense; the message says what would."""


class NotEmulatedError(UsageError):
    """A guest instruction of a kind that the scheme does not emulate."""


class UnknownNameError(UsageError):
    """A scheme, scheduler, program, host or instruction that does not exist.

    The message names the nearest that do exist, and all or some of the others; `known` has all. advice: what to do, in
    place of the others where there are many.
    """

    #: More names than these would bury the message.
    SHOWN = 12
    #: So many may be meant.
    NEAR = 5

    def __init__(self, what: str, name: str, known: Iterable[str], advice: str = "") -> None:
        self.what, self.known = what, sorted(known)
        if not isinstance(name, str):
            name = repr(name)  # it is called by what can be no name at all
        self.name = name
        longer = sorted((one for one in self.known if name and name in one), key=len)[: self.NEAR]
        near = longer or difflib.get_close_matches(name, self.known, n=self.NEAR if advice else 1, cutoff=0.5)
        many = len(self.known) > self.SHOWN
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        if many and advice:
            super().__init__(f"unknown {what} {name!r}{hint} ({advice})")
            return
        rest = f" and {len(self.known) - self.SHOWN} more" if many else ""
        shown = ", ".join(self.known[: self.SHOWN]) or "none"
        super().__init__(f"unknown {what} {name!r}{hint} (known: {shown}{rest})")


class InputError(SimaieError):
    """A file that cannot be read as what it should be; the message names the file and the place."""


class ProgramTextError(InputError):
    """A program's text that cannot be read: `file`, `line` and `column` (from 1), `expected`: what may stand there."""

    def __init__(self, file: str, line: int, column: int, problem: str, expected: Iterable[str] = ()) -> None:
        self.file, self.line, self.column = file, line, column
        self.problem, self.expected = problem, tuple(expected)
        hint = f"; allowed here: {', '.join(self.expected)}" if self.expected else ""
        super().__init__(f"{file}:{line}:{column}: {problem}{hint}")

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.file, self.line, self.column, self.problem, self.expected)


class ReplayError(InputError):
    """A replay file that is malformed, of another schema, or whose program cannot be had."""


class UnnamedCodeError(ReplayError):
    """A replay file needs Python code that the caller has not named: no file runs code of its own choice.

    The message says which code it is and how to name it. What the file holds can still be shown, see
    `simaie.replaying.recorded.recorded`.
    """


class DivergenceError(SimaieError):
    """A strict replay took another path than the recorded one.

    `step` is the first step that differs (counted from 0), `expected` what the record says of it and
    `got` what happened instead.
    """

    def __init__(self, step: int, expected: str, got: str) -> None:
        self.step, self.expected, self.got = step, expected, got
        super().__init__(
            f"the replay diverges at step {step}: expected {expected}, got {got}; "
            "the program, the scheme or simaie has changed since the recording"
        )


class GuestError(SimaieError):
    """A guest program that misbehaves as a Python program: it raised, or awaited what it must not.

    `vcpu` names the vCPU, `where` the line of the guest's source, if known.
    """

    def __init__(self, message: str, *, vcpu: str = "", where: str = "") -> None:
        self.vcpu, self.where = vcpu, where
        super().__init__(message)


class ForeignAwaitError(GuestError):
    """A guest on the inline driver awaited something that is not a simaie operation."""


class GuestSpinError(GuestError):
    """A guest ran on and on without awaiting any operation, so no other vCPU could ever step."""


class SchemeError(SimaieError):
    """A scheme broke its contract: it raised, released a lock that it did not hold, awaited a foreign object."""


class EscapedStateError(SchemeError):
    """A scheme keeps state that changes by itself and not by operations, so that no scheduler chooses when.

    `attribute` is the path to what changed, such as ``table[4096]``, `owner` the class that has it, `vcpu` who changed
    it, and `where` the line of the scheme that did, if it could be found.
    """

    def __init__(self, message: str, *, attribute: str = "", owner: str = "", vcpu: str = "", where: str = "") -> None:
        self.attribute, self.owner, self.vcpu, self.where = attribute, owner, vcpu, where
        super().__init__(message)


class NeverAwaitedError(SchemeError):
    """A scheme made an operation, or called an `async def`, and did not await it. `where` is the line that did."""

    def __init__(self, message: str, *, vcpu: str = "", where: str = "") -> None:
        self.vcpu, self.where = vcpu, where
        super().__init__(message)


class NeverAwaitedInstructionError(GuestError):
    """A guest called an instruction, or an `async def` of its own, and did not await it."""


class SchedulerError(SimaieError):
    """A scheduler broke its contract: it chose what was not offered, or returned something else."""


class HostError(SimaieError):
    """A host memory broke its contract: it raised, or it is none."""


class NondeterminismError(SimaieError):
    """Two runs of one schedule differed: the guest looks at clocks, random numbers, set order or kept state.

    `step` is the first step known to differ (counted from 0), None if unknown; `expected` is what the first run did
    there and `got` what the second did, if that was looked at; `vcpu` names the vCPU, if it is known.
    """

    def __init__(
        self, message: str, *, step: int | None = None, expected: str = "", got: str = "", vcpu: str = ""
    ) -> None:
        self.step, self.expected, self.got, self.vcpu = step, expected, got, vcpu
        super().__init__(message)


class InternalError(SimaieError):
    """An invariant of simaie itself does not hold; please report it with the replay file."""


class GuestFault(Exception):
    """A fault of the *guest* architecture, raised inside guest code by the instruction that faults.

    It is part of the model and not an error of simaie: a guest may catch it, as an operating system would; one
    that does not loses its vCPU, which the trace records. `cause` is ``"alignment"``, ``"address"``, ``"page"``,
    ``"permission"`` or ``"width"`` (the emulator refuses it); `address` is guest-virtual.
    """

    def __init__(self, cause: str, address: int, message: str) -> None:
        self.cause, self.address = cause, address
        super().__init__(message)


def raised(error: BaseException) -> tuple[str, str]:
    """What the user's code raised, in words, and where: ``FILE:LINE``, empty if that is unknown.

    Of a group the words name each exception in it, and the place is that of the first.
    """
    if isinstance(error, BaseExceptionGroup):
        members = sorted(raised(member) for member in error.exceptions)  # trio gathers them in no fixed order
        return f"{type(error).__name__} of {len(members)}: {', '.join(words for words, _ in members)}", members[0][1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(OWN_CODE)]
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return clean(f"{type(error).__name__}: {error}") + (f" at {where}" if where else ""), where
