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
    "FormatOption",
    "HostWord",
    "Judges",
    "Listed",
    "LitmusFormat",
    "OtherHost",
    "OtherScheme",
    "Trust",
    "complete_programs",
    "completing",
    "known",
    "plug_in",
]


class DriverName(StrEnum):
    """Who steps the guest's coroutines."""

    INLINE = "inline"
    TRIO = "trio"


class LitmusFormat(StrEnum):
    """How the results of litmus tests are written."""

    HERD = "herd"
    JSON = "json"


class HostWord(StrEnum):
    """The widest single access of the host, in bits."""

    W64 = "64"
    W32 = "32"


class Endianness(StrEnum):
    """Of guest RAM."""

    LITTLE = "little"
    BIG = "big"


class Listed(StrEnum):
    """What can be listed."""

    SCHEMES = "schemes"
    SCHEDULERS = "schedulers"
    HOSTS = "hosts"
    CHECKERS = "checkers"
    PROGRAMS = "programs"
    GUESTS = "guests"


def completing(group: str) -> Callable[[str], list[str]]:
    """Completes the names of an entry-point group."""

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
        names: Of the option, if they are not those of its parameter.
        panel: Where the help lists the option.
    """
    return typer.Option(
        *names,
        metavar="NAME|FILE.py:CLASS[:KEY=VALUE,...]",
        help=help_,
        autocompletion=completing(group),
        rich_help_panel=panel,
    )


def known(group: str) -> str:
    """The names of an entry-point group, for a help text; what is wrong with the group, if something is."""
    try:
        return ", ".join(plugins.names(group))
    except UsageError as error:  # a command that needs the group says so too
        return str(error)


def complete_programs(incomplete: str) -> list[str]:
    """Completes corpus names, then Python files."""
    from simaie import corpus

    names = [name for name in corpus.names() if name.startswith(incomplete)]
    return names or sorted(str(path) for path in Path().glob(f"{incomplete}*.py"))


#: For commands on saved executions.
Judges = Annotated[
    list[str] | None,
    typer.Option(
        "--checker",
        metavar="NAME|FILE.py:NAME[:KEY=VALUE,...]",
        help="Judge by this one (see: simaie list checkers), or by the checker or specification that a file defines; "
        "repeatable. Default: those that judged when it was saved.",
        autocompletion=completing(plugins.CHECKERS),
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import the Python files that FILE itself names. Without it only what the command line names is imported.",
    ),
]
#: For commands on saved executions, whose machine the file describes.
OtherScheme = Annotated[
    str | None,
    plug_in(
        plugins.SCHEMES,
        "Use this scheme, not the one that the file names. A class keeps the options of the file if it has none.",
        "--scheme",
    ),
]
OtherHost = Annotated[
    str | None, plug_in(plugins.HOSTS, "Use this host memory, not the one that the file names.", "--host")
]
FormatOption = Annotated[Format, typer.Option("--format", help="Text to read, or one JSON document.")]
