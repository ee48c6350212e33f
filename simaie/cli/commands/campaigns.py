"""The commands ``simaie campaign ...`` with their options and help; a command imports its work when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simaie.cli.explore_options import JobsOption, Seconds
from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import FormatOption, complete_programs, known, plug_in
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.errors import UsageError
from simaie.plugins import HOSTS, SCHEDULERS, SCHEMES

__all__ = ["commands"]

#: Of a command that judges a campaign.
_JUDGEMENT = statuses("every unit holds", "a finding that is not accepted", "something is open")
_JUDGED = epilog(_JUDGEMENT, words=False)
commands = typer.Typer(
    no_args_is_help=True,
    help="Explore for hours or days: survive kills, use many cores and machines, keep each finding once.",
    epilog=_JUDGED,
)

StoreFile = Annotated[
    Path,
    typer.Argument(metavar="[STORE]", help="The store, as campaign run has made it. Default: campaign.simaie."),
]
_USUAL = Path("campaign.simaie")  # where `run` puts it
Dask = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Run shards on a dask cluster: the address of its scheduler, or local:N for N processes here. (Needs pip "
        "install 'simaie\\[distributed]'.)",
    ),
]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the units as JUnit XML.")]
Sarif = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings as SARIF.")]
MostExecutions = Annotated[
    int | None, typer.Option(metavar="N", help="Begin no more shards after N executions of this run.")
]


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        _JUDGEMENT,
        "simaie campaign run nightly.toml --jobs auto",
        "simaie campaign run corpus --scheme cas --scheduler portfolio --scheduler dpor --seconds 600 "
        "--store cas.simaie",
        "simaie campaign run tests/X86 --scheme aie-rfc --junit out.xml --sarif out.sarif",
    ),
)
@command
def run(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET...",
            help="A campaign file (.toml), or what to explore: programs, .litmus files, folders of them, @FILE, a "
            "list, files of pytest tests (or FILE.py::NAME), Hypothesis strategies (FILE.py:NAME), or the word corpus.",
            autocompletion=complete_programs,
        ),
    ],
    scheme: Annotated[list[str] | None, plug_in(SCHEMES, f"A scheme: {known(SCHEMES)}; repeatable.")] = None,
    host: Annotated[list[str] | None, plug_in(HOSTS, f"A host: {known(HOSTS)}; repeatable. Default: sc.")] = None,
    scheduler: Annotated[
        list[str] | None,
        plug_in(SCHEDULERS, f"A scheduler: {known(SCHEDULERS)}; repeatable. Default: portfolio."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="The number of seeds of a random scheduler. Default: 16.")
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The store. Default: the campaign file with the suffix .simaie, or campaign.simaie."
        ),
    ] = None,
    jobs: JobsOption = None,
    dask: Dask = None,
    seconds: Seconds = None,
    executions: MostExecutions = None,
    junit: Junit = None,
    sarif: Sarif = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Run a campaign, or go on with it; what is done already is not done again."""
    from simaie.cli.campaign import Given, Spent, run_new

    given = Given(tuple(targets), tuple(scheme or ()), tuple(host or ()), tuple(scheduler or ()), seeds)
    return run_new(given, store, Spent(jobs, dask, seconds, executions), junit, sarif, output)


@commands.command(cls=StrictCommand, epilog=_JUDGED)
@command
def resume(
    store: StoreFile = _USUAL,
    again: Annotated[
        bool, typer.Option("--again", help="Run the shards at which workers died once more, as after a lack of memory.")
    ] = False,
    jobs: JobsOption = None,
    dask: Dask = None,
    seconds: Seconds = None,
    executions: MostExecutions = None,
    junit: Junit = None,
    sarif: Sarif = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Go on with a campaign as it was planned."""
    from simaie.cli.campaign import Spent, run_again

    return run_again(store, Spent(jobs, dask, seconds, executions), junit, sarif, output, again=again)


@commands.command(cls=StrictCommand, epilog=_JUDGED)
@command
def status(store: StoreFile = _USUAL, output: FormatOption = Format.TEXT) -> Status:
    """Say how far a campaign is, also while it is running."""
    from simaie.cli.campaign import show_status

    return show_status(store, output)


@commands.command(cls=StrictCommand, epilog=_JUDGED)
@command
def report(
    store: StoreFile = _USUAL,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that needs no network.")
    ] = None,
    junit: Junit = None,
    sarif: Sarif = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Say what was found, what was proved, and what is open and why."""
    from simaie.cli.campaign import show_report

    return show_report(store, html, junit, sarif, output)


@commands.command(
    cls=StrictCommand,
    epilog=epilog(statuses(one="a finding that is not accepted", three="it is gone"), words=False),
)
@command
def replay(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[STORE] FINDING",
            help="The store (default: campaign.simaie), and the id of a finding, or its beginning.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the replay file there. Default: next to the store."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Write the shortest execution of a finding as a replay file, run it again, and show it."""
    from simaie.cli.campaign import replay_finding

    *stores, finding = names
    if len(stores) > 1:
        raise UsageError(f"expected one store and one finding, not {' '.join(names)}")
    return replay_finding(Path(stores[0]) if stores else _USUAL, finding, out, everything, output)


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses(
            "all findings are gone", "a finding is still there", "a witness fails in another way or cannot be run"
        ),
        words=False,
    ),
)
@command
def fixed(store: StoreFile = _USUAL, output: FormatOption = Format.TEXT) -> Status:
    """Run the shortest execution of every finding with the code as it is now: still there, changed, or gone."""
    from simaie.cli.campaign import show_fixed

    return show_fixed(store, output)


@commands.command(cls=StrictCommand, epilog=epilog(statuses(), words=False))
@command
def serve(
    store: StoreFile = _USUAL,
    port: Annotated[int, typer.Option(metavar="N", help="The port; 0 for one that is free.", min=0, max=65535)] = 8787,
) -> Status:
    """Show a campaign in the browser, live. Only this machine can see it, and it only reads; Ctrl-C ends it."""
    from simaie.cli.campaign import serve_dashboard

    return serve_dashboard(store, port)


@commands.command(cls=StrictCommand, epilog=_JUDGED)
@command
def merge(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The store that gets what the others have.")],
    others: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Stores, which stay as they are.")],
    output: FormatOption = Format.TEXT,
) -> Status:
    """Add what other stores have to a store; nothing counts twice."""
    from simaie.cli.campaign import merge_into

    return merge_into(store, others, output)
