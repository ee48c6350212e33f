"""The exit status of a command line, also after errors and interrupts.

A mistake of the caller, the guest or a plug-in ends in one line on stderr and status 2, never in a traceback. Any other
exception is a bug of simaie and ends in one line and status 70 (EX_SOFTWARE), so that no script takes it for a verdict;
with SIMAIE_TRACEBACK=1 in the environment the traceback is shown too. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import ParamSpec

import typer

from simaie.cli.output import OutputError, writing
from simaie.errors import InternalError, SimaieError, UsageError
from simaie.finding import Verdict

__all__ = ["Status", "command", "complain", "run", "status_of"]

P = ParamSpec("P")

#: The environment variable with which a crash shows its traceback.
TRACEBACK = "SIMAIE_TRACEBACK"

#: The base class of the parser's errors. Older versions of typer take it from click, newer ones bring their own.
_BadCommandLine: type[Exception] = typer.BadParameter.__mro__[2]


class Status(IntEnum):
    """Exit statuses."""

    HOLDS = 0
    VIOLATED = 1
    ERROR = 2
    INCONCLUSIVE = 3
    CRASHED = 70  # a bug of simaie; EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
    BROKEN_PIPE = 141  # 128 + SIGPIPE, likewise
    TERMINATED = 143  # 128 + SIGTERM, likewise


def status_of(verdict: Verdict) -> Status:
    """Return the exit status of a verdict."""
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
    from simaie.cli.parsing import for_arguments

    if sys.stderr is None:  # as is stdout below
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - as long as the process
    if sys.stdout is None:  # closed before Python began
        complain("stdout is closed, so there is nowhere to write the result: redirect it to a file or to /dev/null")
        return Status.ERROR
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a guest's name must not break an ASCII terminal
    arguments = _as_options(list(sys.argv[1:] if argv is None else argv))
    if arguments[:1] in (["-v"], ["-V"]):
        complain(f"no such option: {arguments[0]}; use --version")
        return Status.ERROR
    try:
        with writing():  # the parser writes the help
            status = for_arguments(app, arguments)(args=arguments, prog_name="simaie", standalone_mode=False)
            sys.stdout.flush()
    except _BadCommandLine as error:
        message = getattr(error, "format_message", error.__str__)()
        if message:  # empty if the parser has shown the help instead
            context = getattr(error, "ctx", None)
            complain(message if context is None else f"{message.rstrip('.')} (see: {context.command_path} --help)")
        return Status.ERROR
    except (typer.Abort, KeyboardInterrupt):
        status = _interrupted()
    except OutputError as error:
        status = _not_written(error)
    except BrokenPipeError:
        status = _reader_left()
    except SystemExit as error:
        if not error.code:
            raise  # from the shell's completion
        status = _reader_left()  # from rich, while it wrote the help
    except Exception as error:
        status = _crashed(error)
    if status == Status.INTERRUPTED and not isinstance(status, Status):  # from typer, outside of a command
        status = _interrupted()
    return int(status or 0)


def _as_options(arguments: list[str]) -> list[str]:
    """Return the arguments, with the word ``help`` in front replaced by the option of the command that follows it."""
    return [*arguments[1:2], "--help"] if arguments[:1] == ["help"] else arguments


def command(body: Callable[P, Status]) -> Callable[P, int]:
    """Return a command that turns the exceptions of `body` into its exit status."""

    @functools.wraps(body)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            status = body(*args, **kwargs)
            with writing():
                sys.stdout.flush()
        except InternalError as error:
            return _crashed(error)
        except OutputError as error:
            return _not_written(error)
        except SimaieError as error:
            notes = (f"({note})" for note in getattr(error, "__notes__", ()))
            complain(" ".join([_of_the_option(error, kwargs), *notes]))
            return Status.ERROR
        except KeyboardInterrupt:
            return _interrupted()
        except BrokenPipeError:
            return _reader_left()
        except (typer.Exit, typer.Abort, _BadCommandLine):
            raise
        except BaseException as error:  # also `sys.exit`, whose status would pass for a verdict
            return _crashed(error)
        return status

    return guarded


def _of_the_option(error: SimaieError, options: Mapping[str, object]) -> str:
    """Return the message of `error`; an argument that it names first is written as the option of the command line."""
    message = str(error)
    name, _, rest = message.partition(" ")
    if isinstance(error, UsageError) and rest.startswith("must be") and name in options:
        return f"--{name.replace('_', '-')} {rest}"
    return message


def complain(message: str) -> None:
    """Print `message` on stderr as one line without control characters."""
    from simaie.show.format import clean

    print(f"simaie: {clean(' '.join(message.split()))}", file=sys.stderr)


def _interrupted() -> Status:
    from simaie.cli.interrupts import interrupted_status, next_interrupt_ends_at_once

    next_interrupt_ends_at_once()
    complain("interrupted")
    return interrupted_status()


def _crashed(error: BaseException) -> Status:
    """Report a bug of simaie on stderr, and how the user can report it."""
    if os.environ.get(TRACEBACK, "0") not in ("", "0"):
        traceback.print_exception(error)
        how = "please report it with the command line and the traceback above"
    else:
        how = f"please report it with the command line and the traceback that {TRACEBACK}=1 in the environment shows"
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    complain(f"crashed, so nothing is known: {type(error).__name__}: {error}{where}; this is a bug of simaie, {how}")
    return Status.CRASHED


def _not_written(error: OutputError) -> Status:
    """Report the error, and keep the interpreter from writing again at its exit."""
    complain(str(error))
    _reader_left()
    return Status.ERROR


def _reader_left() -> Status:
    """Return the exit status for a closed pipe, and discard the output that is still buffered."""
    with contextlib.suppress(OSError), open(os.devnull, "wb") as null:  # a replaced stdout may have no descriptor
        os.dup2(null.fileno(), sys.stdout.fileno())
    return Status.BROKEN_PIPE
