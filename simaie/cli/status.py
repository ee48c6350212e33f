"""From the command line to an exit status, whatever happens on the way.

A mistake of the caller, the guest or a plug-in ends in one line on stderr and status 2, never in a traceback; an
exception that is none of simaie's own is a bug, and shows its traceback. Results go to stdout, all else to stderr.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import ParamSpec

import typer

from simaie.errors import SimaieError
from simaie.finding import Verdict

__all__ = ["Status", "command", "complain", "run", "status_of"]

P = ParamSpec("P")

#: The root of the parser's own complaints. Older versions of typer take it from click, newer ones bring their own.
_BadCommandLine: type[Exception] = typer.BadParameter.__mro__[2]


class Status(IntEnum):
    """Exit statuses."""

    HOLDS = 0
    VIOLATED = 1
    ERROR = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 130  # 128 + SIGINT, as a shell says it
    BROKEN_PIPE = 141  # 128 + SIGPIPE, likewise
    TERMINATED = 143  # 128 + SIGTERM, likewise


def status_of(verdict: Verdict) -> Status:
    """The exit status that says `verdict`."""
    return {
        Verdict.HOLDS: Status.HOLDS,
        Verdict.VIOLATED: Status.VIOLATED,
        Verdict.INCONCLUSIVE: Status.INCONCLUSIVE,
    }[verdict]


def run(argv: Sequence[str] | None) -> int:
    """Parse `argv`, run the command, return the exit status."""
    from simaie.cli.interrupts import guarded_by_handlers

    with guarded_by_handlers():
        try:
            return _run(argv)
        except KeyboardInterrupt:  # outside of any command
            return _interrupted()


def _run(argv: Sequence[str] | None) -> int:
    from simaie.cli.app import app

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a guest's name must not break an ASCII terminal
    arguments = None if argv is None else list(argv)
    try:
        status = app(args=arguments, prog_name="simaie", standalone_mode=False)
    except _BadCommandLine as error:
        message = getattr(error, "format_message", error.__str__)()
        if message:  # empty where the help has been shown instead
            complain(message)
        return Status.ERROR
    except typer.Abort:
        status = _interrupted()
    if status == Status.INTERRUPTED and not isinstance(status, Status):  # typer's own, outside of a command
        status = _interrupted()
    return int(status or 0)


def command(body: Callable[P, Status]) -> Callable[P, int]:
    """Turn what a command's body may raise into its exit status."""

    @functools.wraps(body)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            status = body(*args, **kwargs)
            sys.stdout.flush()
        except SimaieError as error:
            complain(" ".join([str(error), *(f"({note})" for note in getattr(error, "__notes__", ()))]))
            return Status.ERROR
        except KeyboardInterrupt:
            return _interrupted()
        except BrokenPipeError:
            return _reader_left()
        return status

    return guarded


def complain(message: str) -> None:
    """One line on stderr, whatever `message` holds."""
    from simaie.show.format import clean

    print(f"simaie: {clean(' '.join(message.split()))}", file=sys.stderr)


def _interrupted() -> Status:
    from simaie.cli.interrupts import interrupted_status, next_interrupt_ends_at_once

    next_interrupt_ends_at_once()
    complain("interrupted")
    return interrupted_status()


def _reader_left() -> Status:
    """Nobody reads on: say nothing, and keep the interpreter from complaining at its exit of what is still buffered."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as null:  # a replaced stdout may have no descriptor
        os.dup2(null.fileno(), sys.stdout.fileno())
    return Status.BROKEN_PIPE
