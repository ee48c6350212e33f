"""Recorded failures, read from their replay files and shown without running anything."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from simaie.errors import ReplayError, SimaieError, UsageError
from simaie.guest.program import Program
from simaie.host.sc import ScMemory
from simaie.machine import Machine
from simaie.plugins import Spec
from simaie.replaying.failure import Failure
from simaie.replaying.file import ReplayFile, read_replay_file
from simaie.replaying.older import trace_of_steps, with_fields
from simaie.replaying.resolving import machine_as_recorded, machine_in
from simaie.replaying.trace_record import trace_of
from simaie.trace import Trace

__all__ = ["Recorded", "making_sense", "recorded", "while_shown"]


@dataclass(frozen=True)
class Recorded(Failure):
    """A failure that was read and not run again: it can be shown, drawn and explained, but not shrunk or saved.

    Attributes:
        needs: Why it was not run again, and what to name so that it is.
    """

    needs: str = ""

    @property
    def how_to_reproduce(self) -> str:
        """What is missing to run the execution again."""
        return f"recorded, not run again: {self.needs}" if self.needs else "recorded, not run again"

    @property
    def command(self) -> str:
        """The same as `how_to_reproduce`, because no command is known to run the program."""
        return self.how_to_reproduce

    def render(self, name: str, **options: Any) -> str:
        """Return the failure as the renderer `name` draws it; ReplayError if the recorded trace cannot be drawn."""
        with making_sense(self.program.name):
            return super().render(name, **options)

    def shrink(self, *args: Any, **options: Any) -> NoReturn:
        """Raise UsageError, because shrinking runs the program."""
        raise UsageError(f"this failure cannot be shrunk: {self.how_to_reproduce}")

    def record(self, base: Path) -> NoReturn:
        """Raise UsageError, because saving runs the program."""
        raise UsageError(f"this failure cannot be saved again, but its file can be copied: {self.how_to_reproduce}")


def recorded(path: str | os.PathLike[str], needs: str = "") -> Recorded:
    """Return the failure in a replay file as it was recorded, without running anything.

    A file of version 1 has no trace. Its failure has operations, but neither their values nor guest instructions.

    Args:
        path: The path of the replay file.
        needs: Why it is not run again, for readers of the failure.

    Raises:
        ReplayError: The file cannot be read, or contradicts itself.
    """
    record = read_replay_file(Path(path))
    with making_sense(os.fspath(path)):
        trace = _trace(record, os.fspath(path))
        program, machine = _program(record), _machine(record)
    info = record.scheduler
    return Recorded(
        program, machine, Spec(info.name, info.options), info.seed, info.index, trace, record.findings,
        info.profile, record.driver, needs=needs,
    )  # fmt: skip


@contextlib.contextmanager
def making_sense(what: str) -> Iterator[None]:
    """Turn any error in the block that is not simaie's own into a ReplayError.

    A replay file from a stranger may hold a trace of the right form that no execution has, and drawing it may fail.
    """
    try:
        yield
    except SimaieError:
        raise
    except Exception as error:
        raise ReplayError(f"{what}: the recorded trace makes no sense: {type(error).__name__}: {error}") from error


def while_shown(failure: Failure) -> contextlib.AbstractContextManager[None]:
    """Return `making_sense` for a failure that was not run again; for any other, a context that does nothing."""
    return making_sense(failure.program.name) if isinstance(failure, Recorded) else contextlib.nullcontext()


def _trace(record: ReplayFile, path: str) -> Trace:
    if record.trace is None:
        return trace_of_steps(record)
    held = record.trace if record.exact else with_fields(record.trace)
    trace = trace_of(held, record.program.name, record.schedule)
    if not record.is_of(trace):
        raise ReplayError(f"{path}: the trace does not have the recorded digest; the file was changed")
    return trace


def _program(record: ReplayFile) -> Program:
    """Return a program with the recorded name, instruction set and memory, which does nothing."""
    held = record.trace
    init = {} if held is None else {address: (value, width) for address, width, value in held.init}
    made = _RecordedProgram(record.program.name, isa="x86" if held is None else held.isa, threads=[[]], init=init)
    made.defined_in = None
    made.sources = {} if record.program.binary is None else record.program.binary.source_lines
    return made


class _RecordedProgram(Program):
    """A program that does nothing; of a compiled one, the lines of its source files are known."""

    sources: dict[str, tuple[str, ...]]


def _machine(record: ReplayFile) -> Machine:
    """Return the recorded machine; if its code is not available, one with stand-ins for scheme and host memory.

    Raises:
        ReplayError: There can be no machine with the recorded properties.
    """
    saved = record.machine
    with contextlib.suppress(SimaieError):
        return machine_in(record, Path())
    try:
        memory = type(saved.host, (ScMemory,), {})  # has the recorded name, and nothing runs on it
        return machine_as_recorded(saved, _named(saved.scheme), memory)
    except UsageError as error:
        raise ReplayError(f"the recorded machine cannot be built: {error}") from error


def _named(name: str) -> Callable[..., Any]:
    def unknown(*_: Any, **__: Any) -> NoReturn:
        raise ReplayError(f"the recording used the class {name!r}, which is code and not in the file")

    unknown.__name__ = name
    unknown.name = name  # type: ignore[attr-defined]  # as a scheme has one
    return unknown
