"""The options that several commands share, and the completion of names on the shell's command line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from simaie import plugins
from simaie.cli.output import Format
from simaie.errors import UsageError

__all__ = [
    "DriverName",
    "Endianness",
    "Fairness",
    "FormatOption",
    "HostWord",
    "Listed",
    "LitmusFormat",
    "bits",
    "complete_programs",
    "completing",
    "known",
    "plug_in",
    "processes",
]


class DriverName(StrEnum):
    """The drivers, which step the guest's coroutines."""

    INLINE = "inline"
    TRIO = "trio"


class LitmusFormat(StrEnum):
    """The formats of the results of litmus tests."""

    HERD = "herd"
    JSON = "json"


class HostWord(StrEnum):
    """The widths of the widest single host access, in bits."""

    W64 = "64"
    W32 = "32"


class Endianness(StrEnum):
    """The byte orders of guest RAM."""

    LITTLE = "little"
    BIG = "big"


class Fairness(StrEnum):
    """What a schedule owes each vCPU; see `simaie.machine.Limits`."""

    STRONG = "strong"
    WEAK = "weak"


class Listed(StrEnum):
    """The lists of ``simaie list``."""

    SCHEMES = "schemes"
    SCHEDULERS = "schedulers"
    HOSTS = "hosts"
    CHECKERS = "checkers"
    ISAS = "isas"
    PROGRAMS = "programs"
    GUESTS = "guests"


def bits(word: HostWord | None) -> int | None:
    """Return the width that ``--host-word`` asks for; None if the option was not given."""
    return None if word is None else int(word)


def processes(jobs: str | None) -> int:
    """Return the number of processes that ``--jobs`` asks for."""
    from simaie.exploration.jobs import number_of_jobs

    return 1 if jobs is None else number_of_jobs(jobs)


#: The word for a plug-in in a help text; `simaie.cli.help_text` explains the words below the options.
_METAVARS = {plugins.SCHEMES: "SCHEME", plugins.SCHEDULERS: "SCHEDULER", plugins.HOSTS: "HOST"}


def completing(group: str) -> Callable[[str], list[str]]:
    """Return a function that completes the names of an entry-point group."""

    def complete(incomplete: str) -> list[str]:
        with suppress(UsageError):
            return [name for name in plugins.names(group) if name.startswith(incomplete)]
        return []

    return complete


def plug_in(group: str, help_: str, *names: str, panel: str | None = None) -> Any:
    """Return an option that names a plug-in of an entry-point group, or a class of a Python file.

    Args:
        group: The entry-point group.
        help_: The help text.
        names: The names of the option, if they are not those of its parameter.
        panel: The part of the help that lists the option.
    """
    return typer.Option(
        *names,
        metavar=_METAVARS[group],
        help=help_,
        autocompletion=completing(group),
        rich_help_panel=panel,
    )


def known(group: str) -> str:
    """Return the names of an entry-point group for a help text, or else the error in the group."""
    try:
        return ", ".join(plugins.names(group))
    except UsageError as error:  # a command that needs the group says so too
        return str(error)


def complete_programs(incomplete: str) -> list[str]:
    """Return the corpus names that begin with `incomplete`, or else such Python files."""
    from simaie import corpus

    names = [name for name in corpus.names() if name.startswith(incomplete)]
    return names or sorted(str(path) for path in Path().glob(f"{incomplete}*.py"))


FormatOption = Annotated[Format, typer.Option("--format", help="Text, or one JSON document with the same facts.")]
