"""The commands on saved failures; a command imports its work when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import DriverName, FormatOption, complete_programs, completing, plug_in
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.plugins import CHECKERS, HOSTS, SCHEDULERS, SCHEMES

__all__ = ["commands"]

commands = typer.Typer()

SavedFile = Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")]
OtherProgram = Annotated[
    str | None,
    typer.Option(
        "--program",
        metavar="TARGET",
        help="Use this program (file.py:name or a corpus name), not the one that the file refers to.",
        autocompletion=complete_programs,
    ),
]
BestEffort = Annotated[bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit.")]
DriverOption = Annotated[DriverName | None, typer.Option("--driver", help="The driver of the guest code.")]
EveryStep = Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")]
Judges = Annotated[
    list[str] | None,
    typer.Option(
        "--checker",
        metavar="CHECKER",
        help="Judge by this one (see: simaie list checkers), or by the checker or specification that a file defines; "
        "repeatable. Default: the recorded checkers.",
        autocompletion=completing(CHECKERS),
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import the Python files that FILE itself names. Without it only those on the command line are imported.",
    ),
]
OtherScheme = Annotated[
    str | None,
    plug_in(
        SCHEMES,
        "Use this scheme, not the one that the file names. A class without options takes those of the file.",
        "--scheme",
    ),
]
OtherHost = Annotated[
    str | None, plug_in(HOSTS, "Use this host memory, not the one that the file names.", "--host")
]

#: Of a single execution, which proves nothing to hold.
_ONE = statuses(one="the checkers find something", three="they find nothing, which proves nothing")


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        _ONE,
        "simaie replay failure.json",
        "simaie replay failure.json --program spinlock.py:program",
        "simaie replay failure.json --program spinlock.py:fixed --best-effort",
    ),
)
@command
def replay(
    file: SavedFile,
    program: OtherProgram = None,
    best_effort: BestEffort = False,
    continue_with: Annotated[
        str | None,
        plug_in(SCHEDULERS, "The strategy that goes on after the last decision that fits; implies --best-effort."),
    ] = None,
    checker: Judges = None,
    driver: DriverOption = None,
    repeat: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of a lasso, show the steps that repeat for ever N times."),
    ] = None,
    everything: EveryStep = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Run a saved failure again and show it step by step, the violation marked."""
    from simaie.cli.replay import run_replay

    return run_replay(
        file, program, best_effort, driver, output, everything, checker or (), trust=trust, scheme=scheme, host=host,
        repeat=repeat, continue_with=continue_with,
    )


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        _ONE,
        "simaie check failure.json",
        "simaie check failure.json --checker serializability --checker data-races",
    ),
)
@command
def check(
    file: SavedFile,
    checker: Judges = None,
    program: OtherProgram = None,
    best_effort: BestEffort = False,
    driver: DriverOption = None,
    everything: EveryStep = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Run a saved execution again and judge it by the recorded checkers or by others."""
    from simaie.cli.check import run_check

    return run_check(
        file, checker or (), program, best_effort, driver, output, everything, trust=trust, scheme=scheme, host=host
    )


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("it is shown, whatever the verdict"),
        "simaie show failure.json",
        "simaie show failure.json --html walk.html --svg drawing.svg",
    ),
)
@command
def show(
    file: SavedFile,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that walks through it and needs no network.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a drawing.")] = None,
    perfetto: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a timeline for ui.perfetto.dev or chrome://tracing.")
    ] = None,
    program: OtherProgram = None,
    best_effort: BestEffort = False,
    checker: Judges = None,
    driver: DriverOption = None,
    everything: EveryStep = False,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Draw a saved failure and explain it: as text, or as a page, a drawing or a timeline."""
    from simaie.cli.show import run_show

    pictures = {"html": html, "svg": svg, "perfetto": perfetto}
    return run_show(
        file, program, best_effort, driver, pictures, everything, checker or (), trust=trust, scheme=scheme, host=host
    )


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("the shortest failure is printed, and written"),
        "simaie shrink failure.json --out short.json",
        "simaie shrink failure.json --kind rmw-atomicity --whole",
    ),
)
@command
def shrink(
    file: SavedFile,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the shorter failure to this file.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="The kind of finding to keep. Default: the kind of the first, and every wrong result."
        ),
    ] = None,
    executions: Annotated[int, typer.Option(metavar="N", help="Maximum number of candidates to run.")] = 500,
    checker: Judges = None,
    whole: Annotated[bool, typer.Option("--whole", help="Keep the whole program; shorten its execution only.")] = False,
    program: OtherProgram = None,
    driver: DriverOption = None,
    everything: EveryStep = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Cut a saved failure down to the shortest that fails in the same way."""
    from simaie.cli.shrink import run_shrink

    options = {"kind": kind, "executions": executions, "cut": not whole, "checkers": checker or None}
    return run_shrink(file, program, driver, out, options, output, everything, trust=trust, scheme=scheme, host=host)
