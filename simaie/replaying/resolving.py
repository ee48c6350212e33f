"""From what a replay file says of its program and its machine to these, without running code of the file's choice."""

from __future__ import annotations

import shlex
from pathlib import Path

from simaie import corpus, plugins
from simaie.errors import InputError, ReplayError, SimaieError, UnknownNameError, UnnamedCodeError, UsageError
from simaie.guest.cut import without
from simaie.guest.identity import find_program
from simaie.guest.program import Program
from simaie.guest.text import parse_program
from simaie.machine import Limits, Machine
from simaie.replaying.file import ReplayFile
from simaie.replaying.target import is_litmus, program_of, require_unchanged, target_text

__all__ = ["cut_as_recorded", "machine_in", "program_in"]


def machine_in(record: ReplayFile) -> Machine:
    """Return the machine that the file describes.

    Raises:
        UnnamedCodeError: its scheme or its host memory was a class.
        ReplayError: there can be no such machine.
    """
    saved = record.machine
    _require_named("scheme", plugins.SCHEMES, saved.scheme, saved.custom_scheme)
    _require_named("host memory", plugins.HOSTS, saved.host, saved.custom_host)
    try:
        return Machine(
            (saved.scheme, saved.options),
            host=saved.host,
            full_system=saved.full_system,
            host_word=saved.host_word,
            address_bits=saved.address_bits,
            endian=saved.endian,
            limits=Limits(saved.steps, saved.threads),
        )
    except SimaieError as error:
        raise ReplayError(f"the recorded machine cannot be built: {error}") from error


def _require_named(what: str, group: str, name: str, custom: bool) -> None:
    """Raise an error unless `name` is that of a plug-in, which is installed and hence no code of the file's choice."""
    if custom:
        raise UnnamedCodeError(
            f"the recording used the {what} class {name!r}, which no file can carry: give machine=Machine(...)"
        )
    if name not in plugins.names(group):
        raise ReplayError(f"the recorded machine cannot be built: there is no {what} {name!r}")


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
        return _unchanged(_parsed(wanted.text, trust), record, "the replay file")
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
    return program_of(path, wanted.variable, None if is_litmus(path) else wanted.source_digest)


def _parsed(text: str, trust: bool) -> Program:
    try:
        return parse_program(text, "the replay file's program", trust=trust)
    except InputError as error:
        raise ReplayError(str(error)) from None


def _unchanged(program: Program, record: ReplayFile, where: str) -> Program:
    if program.digest != record.program.digest:
        raise ReplayError(f"program {program.name!r} of {where} has changed since the recording")
    return program
