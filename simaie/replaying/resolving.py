"""From what a replay file says of its program and its machine to these, without running code of the file's choice."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from simaie import corpus, plugins
from simaie.definitions import definition, source_digest, value_of
from simaie.errors import InputError, ReplayError, SimaieError, UnknownNameError, UnnamedCodeError, UsageError
from simaie.guest.cut import without
from simaie.guest.identity import find_program
from simaie.guest.program import Program
from simaie.guest.text import SUFFIX, parse_program, read_program
from simaie.machine import Limits, Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.protocols import HostMemory
from simaie.replaying.file import ReplayFile
from simaie.replaying.target import former_litmus, is_litmus, program_of, require_unchanged, target_text

__all__ = ["RecordedPart", "cut_as_recorded", "machine_in", "program_in", "recorded_parts"]


def machine_in(
    record: ReplayFile,
    base: Path,
    *,
    scheme: SchemeChoice | None = None,
    host: str | Callable[..., HostMemory] | None = None,
    trust: bool = False,
) -> Machine:
    """Return the machine that the file describes.

    Args:
        record: the file.
        base: its folder.
        scheme: to use in place of the file's. If it is the class that the file names, without options, it has the
            options of the file.
        host: likewise, the host memory.
        trust: whether to import the Python files that the file names, if they are unchanged.

    Raises:
        UnnamedCodeError: its scheme or its host memory was a class that the caller has not named, or that has changed.
        ReplayError: there can be no such machine.
        SimaieError: there can be no such machine with the `scheme` and `host` that the caller named.
    """
    saved = record.machine
    recorded_scheme, recorded_host = recorded_parts(record)
    chosen = recorded_scheme.given(scheme) if scheme is not None else recorded_scheme.found(base, trust)
    memory = recorded_host.given(host) if host is not None else recorded_host.found(base, trust)
    try:
        return Machine(
            chosen,
            host=str(memory) if isinstance(memory, Spec) else memory,
            full_system=saved.full_system,
            host_word=saved.host_word,
            address_bits=saved.address_bits,
            endian=saved.endian,
            limits=Limits(saved.steps, saved.threads),
        )
    except SimaieError as error:
        if scheme is not None or host is not None:
            raise
        raise ReplayError(f"the recorded machine cannot be built: {error}") from error


def recorded_parts(record: ReplayFile) -> tuple[RecordedPart, RecordedPart]:
    """Return what the file says of the scheme and of the host memory."""
    saved = record.machine
    return (
        RecordedPart(
            "scheme", plugins.SCHEMES, Spec(saved.scheme, saved.options), saved.custom_scheme, saved.scheme_source,
            saved.scheme_digest,
        ),
        RecordedPart(
            "host", plugins.HOSTS, Spec(saved.host, saved.host_options), saved.custom_host, saved.host_source,
            saved.host_digest,
        ),
    )  # fmt: skip


class RecordedPart(NamedTuple):
    """A part of the machine in a replay file. what: the option of the command line that names it."""

    what: str
    group: str
    spec: Spec
    custom: bool
    source: str | None
    digest: str | None

    @property
    def words(self) -> str:
        """What it is."""
        return f"the {'host memory' if self.group == plugins.HOSTS else self.what} {self.spec.name!r}"

    def found(self, base: Path, trust: bool) -> Spec:
        """The plug-in that is recorded, or the class in the file beside; an error as `machine_in` says."""
        name = self.spec.name
        if not self.custom:
            # A plug-in is installed, and hence no code of the file's choice.
            if name not in plugins.names(self.group):
                raise ReplayError(f"the recorded machine cannot be built: there is no {self.words[4:]}")
            return self.spec
        if self.source is None or not name.isidentifier():
            raise UnnamedCodeError(
                f"the recording used {self.words}, a class that was not the global of any file: "
                f"give --{self.what} FILE.py:CLASS (in Python: {self.what}=..., or machine=Machine(...))"
            )
        path = base / self.source
        option = f"--{self.what} {shlex.quote(f'{path}:{name}')}"
        if not trust:
            raise UnnamedCodeError(
                f"{self.words} is code, {path}:{name}, and a file runs no code of its own choice: name it by {option} "
                f"(in Python: {self.what}=...), or trust the file by --trust (in Python: trust=True)"
            )
        require_unchanged(path, self.source, self.digest, self.words, option)
        value_of(path, name, self.digest)
        return Spec(f"{path}:{name}", self.spec.options)

    def given(self, choice: Any) -> Any:
        """What the caller names, with the recorded options if it is the class that is recorded and has none itself."""
        if callable(choice):
            return choice
        spec = Spec.of(choice)
        where = definition(spec.name)
        same = self.custom and where is not None and where.name == self.spec.name and not spec.options
        return Spec(spec.name, self.spec.options) if same else spec

    def change(self, choice: object) -> str | None:
        """What to say if the class that the caller names is the recorded one, and its file has changed since."""
        where = definition(Spec.of(choice).name) if isinstance(choice, str) else None
        if where is None or self.digest is None or where.name != self.spec.name:
            return None
        if source_digest(where.path) == self.digest:
            return None
        return f"{where.path} has changed since the recording: {self.words} need not be what it was"


def program_in(record: ReplayFile, base: Path, *, trust: bool = False) -> Program:
    """Return the program that the file refers to, unchanged, with what the file says left out.

    Args:
        record: the file.
        base: its folder.
        trust: whether to import the Python file that it names.

    Raises:
        UnnamedCodeError: the program is code that the caller has not named, that is gone or has changed.
        ReplayError: there is no such program, or it is another one now.
    """
    return cut_as_recorded(_whole(record, base, trust), record)


def cut_as_recorded(whole: Program, record: ReplayFile) -> Program:
    """Return `whole` without what the file leaves out of it; ReplayError if it has nothing of the kind."""
    if not record.program.cuts:
        return whole
    try:
        return without(whole, record.program.cuts)
    except UsageError as error:
        raise ReplayError(str(error)) from None


def _whole(record: ReplayFile, base: Path, trust: bool) -> Program:
    wanted = record.program
    known = find_program(wanted.name, wanted.digest)
    if known is not None:
        return known  # type: ignore[no-any-return]  # only programs are remembered
    if wanted.corpus is not None:
        try:
            return _unchanged(corpus.program(wanted.corpus), record, "the corpus")
        except UnknownNameError as error:
            raise ReplayError(str(error)) from None
    if wanted.text is not None:
        taken = _unchanged(_parsed(wanted.text, trust), record, "the replay file")
        taken.defined_in = _guest_file(record, base)
        return taken
    if wanted.source is None or wanted.variable is None:
        raise UnnamedCodeError(
            f"the program {wanted.name!r} was not the global of any file, so it cannot be found again: "
            "give program=... (on the command line: --program FILE.py:NAME)"
        )
    return _unchanged(_of_file(record, base / wanted.source, trust), record, str(base / wanted.source))


def _of_file(record: ReplayFile, path: Path, trust: bool) -> Program:
    wanted = record.program
    assert wanted.source is not None
    assert wanted.variable is not None
    option = f"--program {shlex.quote(target_text(path, wanted.variable))}"
    what = f"the program {wanted.name!r}"
    if not (trust or is_litmus(path)):  # a litmus test is data
        raise UnnamedCodeError(
            f"{what} is code, {target_text(path, wanted.variable)}, and a file runs no code of its own choice: "
            f"name it by {option} (in Python: program=...), or trust the file by --trust (in Python: trust=True)"
        )
    require_unchanged(path, wanted.source, wanted.source_digest, what, option)
    if not is_litmus(path):
        return program_of(path, wanted.variable, wanted.source_digest)
    program = program_of(path, wanted.variable)
    former = None if program.digest == wanted.digest else former_litmus(path)
    return former if former is not None and former.digest == wanted.digest else program


def _guest_file(record: ReplayFile, base: Path) -> Path | None:
    """The ``.guest`` file that holds the program still, which is data, so that a command can name it."""
    source = record.program.source
    if source is None or Path(source).suffix != SUFFIX or Path(source).is_absolute():
        return None
    path = Path(os.path.normpath(base / source))
    try:
        return path if read_program(path).digest == record.program.digest else None
    except InputError:
        return None


def _parsed(text: str, trust: bool) -> Program:
    try:
        return parse_program(text, "the replay file's program", trust=trust)
    except InputError as error:
        raise ReplayError(str(error)) from None


def _unchanged(program: Program, record: ReplayFile, where: str) -> Program:
    if program.digest != record.program.digest:
        raise ReplayError(f"program {program.name!r} of {where} has changed since the recording")
    return program
