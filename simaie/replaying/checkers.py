"""Which checkers judge: as a caller names them, as a command line does, and as a replay file keeps them.

Beside names and functions, ``FILE.py:NAME`` is a checker too: a function of a trace, or the specification of an object,
that the file defines. A file of ours holds no code, so of a checker it keeps its name, or where it is defined with
a digest of that file's text, as it does for the program; a function that stands nowhere it can only mention.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from simaie.arguments import require_iterable
from simaie.check import CHECKERS, DEFAULT, CheckerChoice, checkers_of, linearizable, name_of
from simaie.errors import ReplayError, UsageError
from simaie.guest.program import Program
from simaie.protocols import Checker
from simaie.replaying.file import CheckerRecord
from simaie.replaying.target import source_digest, value_of

__all__ = ["choices_of", "judges", "records_of", "with_its_own", "word_for"]


def with_its_own(checkers: Sequence[CheckerChoice], program: Program) -> tuple[CheckerChoice, ...]:
    """`checkers`, and those that `program` brings: they go with the usual ones, not with those that are asked for."""
    require_iterable("checkers", checkers, "names or functions")
    return (*checkers, *program.checkers) if checkers is DEFAULT else tuple(checkers)


def judges(choices: Sequence[CheckerChoice]) -> tuple[Checker, ...]:
    """The checkers that `choices` mean.

    Raises UsageError for what is neither a name nor a function, and for an unknown name; InputError for a file that
    cannot be had or has no such checker.
    """
    require_iterable("checkers", choices, "names or functions")
    return checkers_of(map(_defined, choices))


def _defined(choice: CheckerChoice) -> CheckerChoice:
    where = _place(choice)
    if where is None:
        return choice
    path, variable = where
    value: Any = value_of(path, variable)
    if hasattr(value, "initial") and callable(getattr(value, "apply", None)):
        return linearizable(value)
    if not callable(value) or isinstance(value, type):
        raise UsageError(
            f"{path}: {variable!r} is neither a checker (a function of a trace) nor the specification of an object "
            "(with `initial` and `apply`)"
        )
    checker: Checker = value
    return checker


def _place(choice: CheckerChoice) -> tuple[Path, str] | None:
    """The file and the name in it, of a choice that is ``FILE.py:NAME``."""
    path, _, variable = choice.rpartition(":") if isinstance(choice, str) else ("", "", "")
    return (Path(path), variable) if path.endswith(".py") else None


def word_for(choice: CheckerChoice) -> str | None:
    """How a command line names `choice`; None if it cannot."""
    if isinstance(choice, str):
        return choice
    known = next((name for name, checker in CHECKERS.items() if checker is choice), None)
    where = None if known else _global(choice)
    return f"{where[0]}:{where[1]}" if where else known


def _global(checker: Checker) -> tuple[Path, str] | None:
    """The file and the global name under which some module keeps `checker`."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is None or not str(file).endswith(".py"):
            continue
        for name, value in vars(module).items():
            if value is checker:
                return Path(file), name
    return None


def records_of(choices: Iterable[CheckerChoice], base: Path) -> tuple[CheckerRecord, ...]:
    """What a replay file in the folder `base` keeps of `choices`: nothing where they are the usual."""
    choices = tuple(choices)
    return () if choices == DEFAULT else tuple(_record(choice, base) for choice in choices)


def _record(choice: CheckerChoice, base: Path) -> CheckerRecord:
    word = word_for(choice)
    where = _place(word) if word is not None else None
    if where is None:
        return CheckerRecord(word or name_of(judges([choice])[0]), custom=word is None)
    path, variable = where
    relative = os.path.relpath(path.resolve(), base.resolve())
    return CheckerRecord(variable, custom=True, source=relative, source_digest=source_digest(path))


def choices_of(records: Iterable[CheckerRecord], base: Path, trusted: Path | None = None) -> tuple[CheckerChoice, ...]:
    """The checkers that a file in the folder `base` names, or the usual.

    Raises ReplayError for one that cannot be had, or whose file has changed.
    trusted: a file that the caller has named himself, which may have changed.
    """
    return tuple(_choice(record, base, trusted) for record in records) or DEFAULT


def _choice(record: CheckerRecord, base: Path, trusted: Path | None) -> str:
    if not record.custom:
        if _place(record.name) is not None:  # it would be imported without a look at its digest
            raise ReplayError(f"{record.name!r} is not the name of a checker")
        return record.name
    if record.source is None:
        raise ReplayError(
            f"it was judged by the checker {record.name!r}, a function that was not the global of any file, so it "
            "cannot be found again: give checkers=[...] (on the command line: --checker NAME or FILE.py:NAME)"
        )
    path = base / record.source
    option = f"--checker {path}:{record.name}"
    if not path.is_file():
        raise ReplayError(f"{path}: the file that defined the checker {record.name!r} is gone; give {option}")
    if source_digest(path) != record.source_digest and (trusted is None or trusted.resolve() != path.resolve()):
        raise ReplayError(f"{path} has changed since the recording; to judge by it as it is now, give {option}")
    return f"{path}:{record.name}"
