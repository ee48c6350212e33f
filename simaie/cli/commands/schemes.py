"""The commands on all schemes; a command imports its work when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simaie.cli.explore_options import JobsOption
from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import FormatOption, known, plug_in, processes
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.plugins import HOSTS, SCHEMES

__all__ = ["commands"]

commands = typer.Typer()


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("every row is as expected", "a row is not as expected"),
        "simaie audit --scheme cas --explain",
        "simaie audit --scheme mine.py:Mine --row 11 --row 12",
    ),
)
@command
def audit(
    scheme: Annotated[
        list[str] | None,
        plug_in(
            SCHEMES,
            "Only this scheme; repeatable. A scheme of your own must break no case that the ideal scheme keeps. If its "
            "class derives from a scheme listed here, it must break the same cases.",
        ),
    ] = None,
    row: Annotated[list[int] | None, typer.Option(metavar="N", help="Only this row; repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of the sampled part.")] = None,
    jobs: JobsOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show the shortest counterexample of every hole, explained.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each program and scheme, with the commands.")
    ] = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Check that each scheme breaks exactly the cases of the corpus that it is expected to break."""
    from simaie.cli.audit import run_audit

    return run_audit(scheme or None, row or None, seed, output, explain, verbose, processes(jobs))


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("every cell is as expected", "a cell is not as expected", "a cell is open"),
        "simaie matrix --jobs 2",
        "simaie matrix --scheme hst --host sc --host tso --verbose",
        "simaie matrix --scheme mine.py:Mine --class aba-two-storers --explain",
    ),
)
@command
def matrix(
    scheme: Annotated[
        list[str] | None,
        plug_in(
            SCHEMES,
            "Only this scheme; repeatable. Without options it is a row for each of its published variants. "
            "'--scheme family --scheme mine.py:Mine' adds a row to all known schemes.",
        ),
    ] = None,
    class_: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME", help="Only this class of violations; repeatable.")
    ] = None,
    host: Annotated[
        list[str] | None, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}; repeatable. Default: sc.")
    ] = None,
    executions: Annotated[
        int | None, typer.Option(metavar="N", help="Maximum number of executions of one program. Default: 50,000.")
    ] = None,
    jobs: JobsOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show the shortest counterexample of every violation, explained.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show each cell, with the commands.")] = False,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page that needs no network.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a drawing.")] = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Decide for every scheme, class of violations and host whether there is a violation, and compare with the data."""
    from simaie.cli.matrix import Shown, run_matrix

    shown = Shown(output=output, html=html, svg=svg, explain=explain, verbose=verbose)
    return run_matrix(scheme or None, class_ or None, host or None, executions, processes(jobs), shown)
