"""A recorded failure as its file holds it: shown, and not run again, where its program is not at hand."""

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
from simaie.replaying.file import ReplayFile, load
from simaie.replaying.older import trace_of_steps, with_fields
from simaie.replaying.resolving import machine_in
from simaie.replaying.trace_record import trace_of
from simaie.trace import Trace

__all__ = ["Recorded", "making_sense", "recorded", "while_shown"]


@dataclass(frozen=True)
class Recorded(Failure):
    """A failure that was read and not run again: it can be shown, drawn and explained, but not shrunk or saved.

    needs: why it was not run again, and what to name so that it is.
    """

    needs: str = ""

    @property
    def how_to_reproduce(self) -> str:
        """What is missing to run into it again."""
        return f"recorded, not run again: {self.needs}" if self.needs else "recorded, not run again"

    @property
    def command(self) -> str:
        """As `again`, since no command is known to run the program."""
        return self.how_to_reproduce

    def render(self, name: str, **options: Any) -> str:
        """As for any failure; ReplayError if what the file says cannot be drawn."""
        with making_sense(self.program.name):
            return super().render(name, **options)

    def shrink(self, *args: Any, **options: Any) -> NoReturn:
        """Raise UsageError: shrinking runs the program."""
        raise UsageError(f"it cannot be shrunk: {self.how_to_reproduce}")

    def record(self, base: Path) -> NoReturn:
        """Raise UsageError: what is saved is run first."""
        raise UsageError(f"it cannot be saved anew, copy its file: {self.how_to_reproduce}")


def recorded(path: str | os.PathLike[str], needs: str = "") -> Recorded:
    """Return the failure in a replay file as it was recorded, without running anything.

    Of a file of an older version, which has no trace in it, the operations are known but not the values that they
    returned nor the guest's instructions.

    Args:
        path: of the replay file.
        needs: why it is not run again, for those who are shown it.

    Raises:
        ReplayError: the file cannot be read, or contradicts itself.
    """
    record = load(Path(path))
    with making_sense(os.fspath(path)):
        trace = _trace(record, os.fspath(path))
        program = _program(record)
    info = record.scheduler
    return Recorded(
        program, _machine(record), Spec(info.name, info.options), info.seed, info.index, trace, record.findings,
        info.profile, record.driver, needs=needs,
    )  # fmt: skip


@contextlib.contextmanager
def making_sense(what: str) -> Iterator[None]:
    """Within it, any error that is not simaie's own means that a recorded trace is nonsense: a ReplayError is raised.

    A stranger may have written any trace that has the right form, and what draws it counts on more than that.
    """
    try:
        yield
    except SimaieError:
        raise
    except Exception as error:
        raise ReplayError(f"{what}: what is recorded makes no sense: {type(error).__name__}: {error}") from error


def while_shown(failure: Failure) -> contextlib.AbstractContextManager[None]:
    """`making_sense` around a failure that was not run again; nothing around any other."""
    return making_sense(failure.program.name) if isinstance(failure, Recorded) else contextlib.nullcontext()


def _trace(record: ReplayFile, path: str) -> Trace:
    if record.trace is None:
        return trace_of_steps(record)
    held = record.trace if record.exact else with_fields(record.trace)
    trace = trace_of(held, record.program.name, record.schedule)
    if not record.is_of(trace):
        raise ReplayError(f"{path}: the trace in it is not that of its digest; it was changed after it was recorded")
    return trace


def _program(record: ReplayFile) -> Program:
    """A program that has the recorded name, instruction set and memory, and does nothing."""
    held = record.trace
    init = {} if held is None else {address: (value, width) for address, width, value in held.init}
    made = Program(record.program.name, isa="x86" if held is None else held.isa, threads=[[]], init=init)
    made.defined_in = None
    return made


def _machine(record: ReplayFile) -> Machine:
    """The recorded machine; one that only has its names if it cannot be built."""
    try:
        return machine_in(record, Path())
    except SimaieError:
        saved = record.machine
        # A memory that can be made, under the recorded name: nothing runs on it.
        memory = type(saved.host, (ScMemory,), {})
        return Machine(_named(saved.scheme), host=memory, endian=saved.endian)


def _named(name: str) -> Callable[..., Any]:
    def unknown(*_: Any, **__: Any) -> NoReturn:
        raise ReplayError(f"the recording used the class {name!r}, which no file can carry")

    unknown.__name__ = name
    unknown.name = name  # type: ignore[attr-defined]  # as a scheme has one
    return unknown
