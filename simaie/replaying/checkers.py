"""Checkers as callers, command lines and replay files name them.

A checker has a registered name, or it is ``FILE.py:NAME``: a function of a trace, or the specification of an object,
that the file defines. A caller may also pass the function itself. A replay file holds no code. It records the name of a
checker, or its file, its name there, and a digest of the file's text. Of a function that is no module global, it can
record only the name.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from simaie import plugins
from simaie.arguments import require_iterable
from simaie.check import CHECKERS, DEFAULT, CheckerChoice, checkers_of, linearizable, name_of
from simaie.definitions import Definition, definition, home_of, source_digest
from simaie.errors import InputError, ReplayError, UnnamedCodeError, UsageError
from simaie.guest.program import Program
from simaie.plugins import Spec
from simaie.protocols import Checker
from simaie.replaying.file import CheckerRecord
from simaie.replaying.target import recorded_path, require_unchanged

__all__ = ["defined_at", "judges", "recorded_checkers", "records_of", "with_its_own", "word_for"]


def with_its_own(checkers: Sequence[CheckerChoice], program: Program) -> tuple[CheckerChoice, ...]:
    """Return `checkers`, and if they are the default ones also those that `program` brings.

    Raises:
        InputError: The program is a text that names code (``check "FILE.py:NAME"``) and is not trusted.
    """
    require_iterable("checkers", checkers, "names or functions")
    if checkers is not DEFAULT:
        return tuple(checkers)
    for choice in () if program.may_import else program.checkers:
        if defined_at(choice) is not None:
            raise InputError(
                f"the text of program {program.name!r} asks for a checker that is code, {choice!r}, and a text never "
                f"chooses the code that runs: name it yourself with --checker {shlex.quote(choice)} (in Python: "
                f"checkers=[...]), or trust the text with --trust (in Python: trust=True where it is read)"
            )
    return (*checkers, *program.checkers)


def judges(choices: Sequence[CheckerChoice]) -> tuple[Checker, ...]:
    """Return the checkers that `choices` name.

    Raises:
        UsageError: A choice is neither a name nor a function, or the name is unknown.
        InputError: A file cannot be read, or it defines no such checker.
    """
    require_iterable("checkers", choices, "names or functions")
    return checkers_of(map(_defined, choices))


def _defined(choice: CheckerChoice) -> CheckerChoice:
    where = defined_at(choice)
    if where is None:
        return choice
    value: Any = plugins.resolve(plugins.CHECKERS, str(where))
    options = Spec.of(choice).options if isinstance(choice, str) else {}
    if options:
        value = plugins.construct(f"checker {choice}", getattr(value, "with_options", value), **options)
    if hasattr(value, "initial") and callable(getattr(value, "apply", None)):
        return linearizable(value)
    if not callable(value) or isinstance(value, type):
        raise UsageError(
            f"{where.path}: {where.name!r} is neither a checker (a function of a trace) nor the specification of an "
            "object (with `initial` and `apply`)"
        )
    checker: Checker = value
    return checker


def defined_at(choice: CheckerChoice) -> Definition | None:
    """Return the file and the name of a choice ``FILE.py:NAME``, with or without options; None for any other choice."""
    if not isinstance(choice, str):
        return None
    try:
        return definition(Spec.of(choice).name)
    except UsageError:  # options that cannot be read
        return definition(choice)


def word_for(choice: CheckerChoice) -> str | None:
    """Return the name of `choice` on a command line; None if it has no name there."""
    if isinstance(choice, str):
        return choice
    known = next((name for name, checker in CHECKERS.items() if checker is choice), None)
    where = None if known else home_of(choice)
    return str(where) if where else known


def records_of(choices: Iterable[CheckerChoice], base: Path) -> tuple[CheckerRecord, ...]:
    """Return what a replay file in the folder `base` records of `choices`: nothing for the default ones."""
    choices = tuple(choices)
    return () if choices == DEFAULT else tuple(_record(choice, base) for choice in choices)


def _record(choice: CheckerChoice, base: Path) -> CheckerRecord:
    word = word_for(choice)
    where = defined_at(word) if word is not None else None
    if where is None:
        return CheckerRecord(word or name_of(judges([choice])[0]), custom=word is None)
    relative = os.path.relpath(where.path.resolve(), base.resolve())
    # The word has the options after the name, so they stay.
    name = str(word).removeprefix(f"{where.path}:")
    return CheckerRecord(name, custom=True, source=relative, source_digest=source_digest(where.path))


def recorded_checkers(
    records: Iterable[CheckerRecord], base: Path, named: Path | None = None, *, trust: bool = False
) -> tuple[CheckerChoice, ...]:
    """Return the checkers that a replay file names, or the default ones if it names none.

    Args:
        records: The checkers as the file records them.
        base: The folder of the file.
        named: A Python file that the caller has named; its checkers are used even if they have changed.
        trust: Whether the file may name other Python files that are unchanged since the recording.

    Raises:
        UnnamedCodeError: A checker is code that the caller has neither named nor trusted, that is gone or has changed.
        ReplayError: The file records something that is not the name of a checker.
    """
    return tuple(_choice(record, base, named, trust) for record in records) or DEFAULT


def _choice(record: CheckerRecord, base: Path, named: Path | None, trust: bool) -> str:
    if not record.custom:
        if defined_at(record.name) is not None:  # it would be imported without a check of its digest
            raise ReplayError(f"{record.name!r} is not the name of a checker")
        return record.name
    if record.source is None:
        raise UnnamedCodeError(
            f"the checker {record.name!r} judged it, a function that was not the global of any file, so that it "
            "cannot be found again: pass checkers=[...] (on the command line: --checker NAME or FILE.py:NAME)"
        )
    path = recorded_path(base, record.source)
    option = f"--checker {shlex.quote(f'{path}:{record.name}')}"
    if named is not None and _same_file(named, path):
        return f"{path}:{record.name}"
    if trust:
        require_unchanged(path, record.source, record.source_digest, f"the checker {record.name!r}", option)
        return f"{path}:{record.name}"
    raise UnnamedCodeError(
        f"the checker {record.name!r} judged it, which is code, {path}, and a file never chooses the code that runs: "
        f"name it with {option} (in Python: checkers=[...]), or trust the file with --trust (in Python: trust=True)"
    )


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, ValueError, RuntimeError):  # the recorded text need not be a valid path
        return False
