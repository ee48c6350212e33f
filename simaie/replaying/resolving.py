"""The program and the machine of a replay file, found without running code that the file chose."""

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
from simaie.replaying.binary_record import binary_in
from simaie.replaying.file import MachineRecord, ReplayFile
from simaie.replaying.helper_record import HelperRecord, with_helpers
from simaie.replaying.target import former_litmus, is_litmus, program_of, recorded_path, require_unchanged, target_text

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
        record: The content of the file.
        base: The folder of the file.
        scheme: A scheme to use instead of the recorded one. If it is the recorded class, without options, it has the
            recorded options.
        host: A host memory to use instead of the recorded one, likewise.
        trust: Whether to import the Python files that the file names, if they are unchanged.

    Raises:
        UnnamedCodeError: The recorded scheme or host memory is a class that the caller has not named, or that has
            changed.
        ReplayError: The recorded machine cannot be built.
        SimaieError: The machine cannot be built with the `scheme` and `host` of the caller.
    """
    recorded_scheme, recorded_host = recorded_parts(record)
    chosen = recorded_scheme.given(scheme) if scheme is not None else recorded_scheme.found(base, trust)
    memory = recorded_host.given(host) if host is not None else recorded_host.found(base, trust)
    try:
        return machine_as_recorded(record.machine, chosen, str(memory) if isinstance(memory, Spec) else memory)
    except SimaieError as error:
        if scheme is not None or host is not None:
            raise
        raise ReplayError(f"the recorded machine cannot be built: {error}") from error


def machine_as_recorded(saved: MachineRecord, scheme: Any, host: Any) -> Machine:
    """Return a machine with the recorded properties, and with this scheme and this host memory."""
    return Machine(
        scheme,
        host=host,
        full_system=saved.full_system,
        host_word=saved.host_word,
        address_bits=saved.address_bits,
        endian=saved.endian,
        limits=Limits(saved.steps, saved.threads, tries=saved.tries, fairness=saved.fairness),
    )


def recorded_parts(record: ReplayFile) -> tuple[RecordedPart, RecordedPart]:
    """Return the recorded scheme and the recorded host memory."""
    saved = record.machine
    return (
        RecordedPart(
            "scheme", plugins.SCHEMES, Spec(saved.scheme, saved.options), saved.custom_scheme, saved.scheme_source,
            saved.scheme_digest, saved.helpers,
        ),
        RecordedPart(
            "host", plugins.HOSTS, Spec(saved.host, saved.host_options), saved.custom_host, saved.host_source,
            saved.host_digest,
        ),
    )  # fmt: skip


class RecordedPart(NamedTuple):
    """The scheme or the host memory in a replay file.

    Attributes:
        what: The option of the command line that names it, without dashes.
        group: The entry-point group of its plug-ins.
        spec: Its name and options.
        custom: Whether it is a class that is no plug-in.
        source: The Python file that defines it, relative to the replay file.
        digest: The digest of the text of this file.
        helpers: The ELF file with the helpers of a scheme; None if it has none.
    """

    what: str
    group: str
    spec: Spec
    custom: bool
    source: str | None
    digest: str | None
    helpers: HelperRecord | None = None

    @property
    def words(self) -> str:
        """The part with its name, for a message."""
        return f"the {'host memory' if self.group == plugins.HOSTS else self.what} {self.spec.name!r}"

    def found(self, base: Path, trust: bool) -> Spec:
        """Return the recorded plug-in, or the recorded class of a trusted file; raise errors as `machine_in` does."""
        name = self.spec.name
        if not self.custom:
            # A plug-in is installed, so that it is no code that the file chose.
            if name not in plugins.names(self.group):
                raise ReplayError(
                    f"the recorded machine cannot be built: this simaie has no {self.words[4:]}: "
                    f"pass {self.what}=... (on the command line: --{self.what} NAME)"
                )
            return with_helpers(self.spec, self.helpers, base)
        if self.source is None or not name.isidentifier():
            raise UnnamedCodeError(
                f"the recording used {self.words}, a class that was not the global of any file: "
                f"pass --{self.what} FILE.py:CLASS (in Python: {self.what}=..., or machine=Machine(...))"
            )
        path = recorded_path(base, self.source)
        option = f"--{self.what} {shlex.quote(f'{path}:{name}')}"
        if not trust:
            raise UnnamedCodeError(
                f"{self.words} is code, {path}:{name}, and a file never chooses the code that runs: name it with "
                f"{option} (in Python: {self.what}=...), or trust the file with --trust (in Python: trust=True)"
            )
        require_unchanged(path, self.source, self.digest, self.words, option)
        value_of(path, name, self.digest)
        return Spec(f"{path}:{name}", self.spec.options)

    def given(self, choice: Any) -> Any:
        """Return the choice of the caller; if it is the recorded class without options, with the recorded options."""
        if callable(choice):
            return choice
        spec = Spec.of(choice)
        where = definition(spec.name)
        same = self.custom and where is not None and where.name == self.spec.name and not spec.options
        return Spec(spec.name, self.spec.options) if same else spec

    def change(self, choice: object) -> str | None:
        """Return a warning if the caller names the recorded class and its file has changed; else None."""
        where = definition(Spec.of(choice).name) if isinstance(choice, str) else None
        if where is None or self.digest is None or where.name != self.spec.name:
            return None
        if source_digest(where.path) == self.digest:
            return None
        return f"{where.path} has changed since the recording: {self.words} may behave differently now"


def program_in(record: ReplayFile, base: Path, *, trust: bool = False) -> Program:
    """Return the recorded program, which must be unchanged, with the recorded cuts.

    Args:
        record: The content of the file.
        base: The folder of the file.
        trust: Whether to import the Python file that it names.

    Raises:
        UnnamedCodeError: The program is code that the caller has not named, that is gone or has changed.
        ReplayError: There is no such program, or it has changed.
    """
    return cut_as_recorded(_original(record, base, trust), record)


def cut_as_recorded(original: Program, record: ReplayFile) -> Program:
    """Return `original` with the cuts that the file records; ReplayError if they do not fit it."""
    if not record.program.cuts:
        return original
    try:
        return without(original, record.program.cuts)
    except UsageError as error:
        raise ReplayError(str(error)) from None


def _original(record: ReplayFile, base: Path, trust: bool) -> Program:
    wanted = record.program
    known = find_program(wanted.name, wanted.digest)
    if known is not None:
        return known  # type: ignore[no-any-return]  # only programs are remembered
    if wanted.corpus is not None:
        try:
            return _unchanged(corpus.program(wanted.corpus), record, "the corpus")
        except UnknownNameError as error:
            raise ReplayError(
                f"the corpus of this simaie has no program {wanted.corpus!r}, which the file records: "
                "pass program=... (on the command line: --program FILE.py:NAME)"
            ) from error
    if wanted.text is not None:
        taken = _unchanged(_parsed(wanted.text, trust), record, "the replay file")
        taken.defined_in = _guest_file(record, base)
        return taken
    if wanted.binary is not None:
        return _unchanged(binary_in(wanted.binary, wanted.name, base), record, "the ELF file")
    if wanted.source is None or wanted.variable is None:
        raise UnnamedCodeError(
            f"the program {wanted.name!r} was not the global of any file, so that it cannot be found again: "
            "pass program=... (on the command line: --program FILE.py:NAME)"
        )
    path = recorded_path(base, wanted.source)
    return _unchanged(_of_file(record, path, trust), record, str(path))


def _of_file(record: ReplayFile, path: Path, trust: bool) -> Program:
    wanted = record.program
    assert wanted.source is not None
    assert wanted.variable is not None
    option = f"--program {shlex.quote(target_text(path, wanted.variable))}"
    what = f"the program {wanted.name!r}"
    if not (trust or is_litmus(path)):  # a litmus test is data
        raise UnnamedCodeError(
            f"{what} is code, {target_text(path, wanted.variable)}, and a file never chooses the code that runs: "
            f"name it with {option} (in Python: program=...), or trust the file with --trust (in Python: trust=True)"
        )
    require_unchanged(path, wanted.source, wanted.source_digest, what, option)
    if not is_litmus(path):
        return program_of(path, wanted.variable, wanted.source_digest)
    program = program_of(path, wanted.variable)
    former = None if program.digest == wanted.digest else former_litmus(path)
    return former if former is not None and former.digest == wanted.digest else program


def _guest_file(record: ReplayFile, base: Path) -> Path | None:
    """Return the ``.guest`` file from which the program came, so that a command can name it; None if it has changed."""
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
