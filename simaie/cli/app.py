"""The command ``simaie``: what it does itself, and the commands of each kind."""

from __future__ import annotations

from typing import Annotated

import typer

from simaie.cli.commands import architectures, campaigns, failures, schemes, searches
from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import FormatOption, Listed
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command

__all__ = ["app"]

app = typer.Typer(
    name="simaie",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(statuses("holds", "violated", "inconclusive"), words=False),
)

_SEARCHES, _OTHERS = "Find violations", "Other commands"
#: The commands, in the order of the help, by the panel that lists them.
_PANELS = {
    _SEARCHES: searches,
    "Look at a saved failure": failures,
    "Compare with the guest's architecture": architectures,
    "Judge all schemes": schemes,
}
for _panel, _part in _PANELS.items():
    for _info in _part.commands.registered_commands:
        _info.rich_help_panel = _panel
        app.registered_commands.append(_info)
app.add_typer(campaigns.commands, name="campaign", rich_help_panel=_SEARCHES)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from simaie.compiled import uses_compiled

        typer.echo(f"simaie {version('simaie')}{' (compiled)' if uses_compiled() else ''}")
        raise typer.Exit


@app.callback()
def simaie(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find atomicity violations in the way emulators run guest atomics, deterministically."""


@app.command(
    "list",
    cls=StrictCommand,
    rich_help_panel=_OTHERS,
    epilog=epilog(
        statuses("the list is printed"),
        "simaie list schedulers",
        "simaie list programs --isa arm --row 11",
        "simaie list guests --name dekker",
        words=False,
    ),
)
@command
def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")],
    isa: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Programs and guests of this instruction set; repeatable.")
    ] = None,
    row: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Programs of this row of the audit; repeatable.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="TEXT", help="Entries whose name contains TEXT.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="Each program or guest, not an overview.")] = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """List schemes, schedulers, hosts, checkers, isas, programs or guests, with options and defaults."""
    from simaie.cli.listing import Selection, run_list

    return run_list(what, output, Selection(isas=isa or (), rows=row or (), name=name, everything=everything))


@app.command(cls=StrictCommand, rich_help_panel=_OTHERS, epilog=epilog(statuses("the client left"), words=False))
@command
def mcp() -> Status:
    """Serve explore, compare, barriers, matrix, replay and explain to an assistant, on stdin and stdout.

    It speaks the Model Context Protocol, and needs pip install 'simaie\\[mcp]'.
    """
    from simaie.cli.mcp_server import serve

    return serve()
