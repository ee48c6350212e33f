"""The commands with their options and help; what they do is imported when they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simaie.cli.explore_options import (
    AddressBits,
    AllowedHost,
    CheckDeterminism,
    CheckerNames,
    ComparedExecutions,
    ComparedSeconds,
    Coverage,
    CutOption,
    Driver,
    Endian,
    Everything,
    Executions,
    Failures,
    FullSystem,
    FuzzedScheme,
    HostName,
    Index,
    Save,
    SchedulerName,
    SchemeName,
    Seconds,
    Seed,
    SingleCopy,
    SpuriousFailures,
    Steps,
    Target,
    Targets,
    Word,
)
from simaie.cli.options import (
    DriverName,
    FormatOption,
    Judges,
    Listed,
    LitmusFormat,
    OtherHost,
    OtherScheme,
    Trust,
    complete_programs,
    known,
    plug_in,
)
from simaie.cli.output import Format
from simaie.cli.status import Status, command
from simaie.plugins import HOSTS, SCHEMES

__all__ = ["app"]

app = typer.Typer(
    name="simaie",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 holds, 1 violated, 2 bad usage or input, 3 inconclusive, 70 a bug of simaie "
    "(SIMAIE_TRACEBACK=1 shows where), 130 interrupted.",
)

_EXPLORE_EXAMPLES = """Examples:

simaie explore first-registration-window

simaie explore spinlock.py:program --scheme cas --scheduler dfs:preemptions=3

simaie explore spinlock.py:program --scheme aie-rfc:granule=64 --failures all --save failures/

simaie explore spinlock.py:program --scheme mine.py:Mine:retries=3"""
_COMPARE_EXAMPLES = """Exit status: 0 if all that is possible is allowed, 1 if something is not, 3 if that is not sure.

simaie compare tests/X86/SB.litmus --scheme aie-rfc --host tso

simaie compare spinlock.py:program --scheme cas --save failures/

simaie compare tests/ARM --scheme cas"""
_BARRIERS_EXAMPLES = """Exit status: 0 if the answer is sure, 1 if not even all barriers are enough, 3 if not sure.

simaie barriers tests/X86 --host pso

simaie barriers queue.py:program --scheme aie-rfc --host tso"""
_REPLAY_EXAMPLES = """Examples:

simaie replay failure.json

simaie replay failure.json --program spinlock.py:program

simaie replay failure.json --program spinlock.py:fixed --best-effort"""

_CHECK_EXAMPLES = """Examples:

simaie check failure.json

simaie check failure.json --checker serializability --checker data-races"""
_SHOW_EXAMPLES = """Examples:

simaie show failure.json

simaie show failure.json --html walk.html --svg drawing.svg"""
_SHRINK_EXAMPLES = """Examples:

simaie shrink failure.json --out short.json

simaie shrink failure.json --kind rmw-atomicity --whole"""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"simaie {version('simaie')}")
        raise typer.Exit


@app.callback()
def simaie(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Find atomicity violations in the way emulators run guest atomics, deterministically."""


@app.command(epilog=_EXPLORE_EXAMPLES)
@command
def explore(
    target: Target,
    scheme: SchemeName = None,
    host: HostName = None,
    full_system: FullSystem = None,
    host_word: Word = None,
    address_bits: AddressBits = None,
    endian: Endian = None,
    steps: Steps = None,
    scheduler: SchedulerName = None,
    seed: Seed = None,
    index: Index = None,
    executions: Executions = None,
    seconds: Seconds = None,
    failures: Failures = None,
    driver: Driver = None,
    checker: CheckerNames = None,
    check_determinism: CheckDeterminism = False,
    coverage: Coverage = True,
    cut: CutOption = None,
    save: Save = None,
    everything: Everything = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
) -> Status:
    """Run a program under many schedules and judge every execution."""
    from simaie.cli.explore import Search, run_explore
    from simaie.cli.machines import MachineOptions

    machine = MachineOptions(
        scheme=scheme,
        host=host,
        full_system=full_system,
        host_word=None if host_word is None else int(host_word),
        address_bits=address_bits,
        endian=endian,
        steps=steps,
    )
    search = Search(
        scheduler=scheduler,
        seed=seed,
        index=index,
        executions=executions,
        seconds=seconds,
        failures=failures,
        driver=driver,
        checkers=tuple(checker) if checker else None,
        check_determinism=check_determinism,
        coverage=coverage,
        cut=tuple(cut or ()),
    )
    return run_explore(target, machine, search, save, output, everything, trust=trust)


@app.command(epilog=_REPLAY_EXAMPLES)
@command
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
    program: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Use this program (file.py:name or a corpus name), not the one that the file refers to.",
            autocompletion=complete_programs,
        ),
    ] = None,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit; do not insist.")
    ] = False,
    checker: Judges = None,
    driver: Annotated[DriverName | None, typer.Option(help="Who runs the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Run a saved failure again and show it step by step, the violation marked."""
    from simaie.cli.replay import run_replay

    return run_replay(
        file, program, best_effort, driver, output, everything, checker or (), trust=trust, scheme=scheme, host=host
    )


@app.command(epilog=_CHECK_EXAMPLES)
@command
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
    checker: Judges = None,
    program: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Use this program (file.py:name or a corpus name), not the one that the file refers to.",
            autocompletion=complete_programs,
        ),
    ] = None,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit; do not insist.")
    ] = False,
    driver: Annotated[DriverName | None, typer.Option(help="Who runs the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Run a saved execution again and judge it: by the checkers that did then, or those of your choice."""
    from simaie.cli.check import run_check

    return run_check(
        file, checker or (), program, best_effort, driver, output, everything, trust=trust, scheme=scheme, host=host
    )


@app.command(epilog=_SHOW_EXAMPLES)
@command
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page to walk through it, in a browser without network.")
    ] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a drawing.")] = None,
    perfetto: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a timeline for ui.perfetto.dev or chrome://tracing.")
    ] = None,
    program: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Use this program, not the one that the file refers to.",
            autocompletion=complete_programs,
        ),
    ] = None,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit; do not insist.")
    ] = False,
    checker: Judges = None,
    driver: Annotated[DriverName | None, typer.Option(help="Who runs the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
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


@app.command(epilog=_SHRINK_EXAMPLES)
@command
def shrink(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the shorter failure to this file.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Of the finding to keep. Default: that of the first, and any wrong result."),
    ] = None,
    executions: Annotated[int, typer.Option(metavar="N", help="Most candidates to run.")] = 500,
    checker: Judges = None,
    whole: Annotated[bool, typer.Option("--whole", help="Leave nothing out of the program itself.")] = False,
    program: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Use this program, not the one that the file refers to.",
            autocompletion=complete_programs,
        ),
    ] = None,
    driver: Annotated[DriverName | None, typer.Option(help="Who runs the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Cut a saved failure down to the shortest that fails in the same way."""
    from simaie.cli.shrink import run_shrink

    options = {"kind": kind, "executions": executions, "cut": not whole, "checkers": checker or None}
    return run_shrink(
        file, program, driver, out, options, output, everything, trust=trust, scheme=scheme, host=host
    )


@app.command(epilog="Example: simaie fuzz --isa arm --scheme cas --examples 500 --seed 1 --save failures/")
@command
def fuzz(
    isa: Annotated[str, typer.Option(metavar="NAME", help="The guests' instruction set.")] = "arm",
    scheme: FuzzedScheme = None,
    host: HostName = None,
    host_word: Word = None,
    examples: Annotated[int, typer.Option(metavar="N", help="Number of programs to generate.")] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same examples.")] = 0,
    executions: Annotated[int, typer.Option(metavar="N", help="Of each program, at most.")] = 20,
    vcpus: Annotated[int, typer.Option(metavar="N", help="Most vCPUs of a program.")] = 3,
    instructions: Annotated[int, typer.Option(metavar="N", help="Of a vCPU, at most.")] = 4,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Draw only this kind of instruction (load, atomic, ...); repeatable."),
    ] = None,
    checker: CheckerNames = None,
    failures: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after N failing examples. Default: never.")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a failure of each signature, shortened, to replay.", file_okay=False),
    ] = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Generate guest programs and run them: what breaks? (Needs Hypothesis: pip install 'simaie\\[fuzz]'.)"""
    from simaie.cli.fuzz import run_fuzz
    from simaie.cli.machines import MachineOptions

    machine = MachineOptions(scheme=scheme, host=host, host_word=None if host_word is None else int(host_word))
    limits: dict[str, Any] = {"examples": examples, "seed": seed, "executions": executions, "vcpus": vcpus,
              "instructions": instructions, "kinds": kind or None, "failures": failures}  # fmt: skip
    if checker:
        limits["checkers"] = tuple(checker)
    return run_fuzz(isa, machine, limits, save, output)


@app.command("list")
@command
def list_(
    what: Annotated[Listed, typer.Argument(help="What to list.")],
    output: FormatOption = Format.TEXT,
) -> Status:
    """List what there is, with options and defaults."""
    from simaie.cli.listing import run_list

    return run_list(what, output)


@app.command(epilog="Exit status: 0 if every row is as expected, 1 if one is not, 130 if interrupted.")
@command
def audit(
    scheme: Annotated[
        list[str] | None,
        plug_in(
            SCHEMES,
            "Only this scheme; repeatable. One of your own must break no case that the ideal scheme keeps, or, if "
            "its class derives from one of those here, only the same.",
        ),
    ] = None,
    row: Annotated[list[int] | None, typer.Option(metavar="N", help="Only this row; repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Of the sampled part.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also show the shortest counterexample of every hole, explained.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show each program and scheme, with the commands.")
    ] = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Check the whole corpus: does each scheme break exactly where it is expected to?"""
    from simaie.cli.audit import run_audit

    return run_audit(scheme or None, row or None, seed, output, explain, verbose)


@app.command(
    epilog="Exit status: 0 if all is sure and nothing broken, 1 if a forall or ~exists does not hold, 2 if a file "
    "cannot be run, 3 if an answer is not sure, 130 if interrupted."
)
@command
def litmus(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="A .litmus file, a folder of them, or @FILE, a list of paths."),
    ],
    scheme: Annotated[
        str,
        plug_in(
            SCHEMES,
            f"The emulation scheme: {known(SCHEMES)}. The default is the ideal, in which a store-conditional may "
            "fail without cause, as in herd7.",
        ),
    ] = "native:reservation=exact,spurious_failures=true",
    host: Annotated[str, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}.")] = "sc",
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", help="Worker processes.")] = 1,
    unroll: Annotated[
        int, typer.Option(metavar="N", help="How often a thread may go back to a label before it is cut.")
    ] = 2,
    executions: Annotated[int, typer.Option(metavar="N", help="Most executions of one test.")] = 1_000_000,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="At most so long for one test.")] = None,
    output: Annotated[
        LitmusFormat, typer.Option("--format", help="herd7's log, for its tools too, or one JSON document.")
    ] = LitmusFormat.HERD,
) -> Status:
    """Run litmus tests: all states that each can reach, and the answer to its condition."""
    from simaie.cli.litmus import run_litmus
    from simaie.exploration.litmus_files import LitmusSettings

    settings = LitmusSettings(scheme, host, unroll, executions, seconds)
    return run_litmus(paths, settings, jobs, output)


@app.command(epilog=_COMPARE_EXAMPLES)
@command
def compare(
    targets: Targets,
    scheme: SchemeName = None,
    host: HostName = None,
    allowed_host: AllowedHost = None,
    spurious_failures: SpuriousFailures = None,
    single_copy: SingleCopy = None,
    full_system: FullSystem = None,
    host_word: Word = None,
    address_bits: AddressBits = None,
    endian: Endian = None,
    steps: Steps = None,
    executions: ComparedExecutions = None,
    seconds: ComparedSeconds = None,
    save: Save = None,
    everything: Everything = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Compare all that the emulator can do with all that the guest's architecture allows, a line for each program."""
    from simaie.cli.compare import Search, run_compare
    from simaie.cli.comparisons import run_comparisons
    from simaie.cli.machines import MachineOptions
    from simaie.cli.targets import is_one

    machine = MachineOptions(
        scheme=scheme,
        host=host,
        full_system=full_system,
        host_word=None if host_word is None else int(host_word),
        address_bits=address_bits,
        endian=endian,
        steps=steps,
    )
    search = Search(
        allowed_host=allowed_host, spurious_failures=spurious_failures, single_copy=single_copy,
        executions=executions, seconds=seconds,
    )
    if len(targets) == 1 and is_one(targets[0]):
        return run_compare(targets[0], machine, search, save, output, everything)
    return run_comparisons(targets, machine, search, save, output)


@app.command(epilog=_BARRIERS_EXAMPLES)
@command
def barriers(
    targets: Targets,
    host: Annotated[str, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}.")],
    scheme: SchemeName = None,
    allowed_host: AllowedHost = None,
    spurious_failures: SpuriousFailures = None,
    single_copy: SingleCopy = None,
    full_system: FullSystem = None,
    host_word: Word = None,
    address_bits: AddressBits = None,
    endian: Endian = None,
    steps: Steps = None,
    executions: ComparedExecutions = None,
    seconds: ComparedSeconds = None,
    save: Save = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Find the fewest kinds of barrier with which programs do only what the guest's architecture allows."""
    from simaie.cli.barriers import run_barriers
    from simaie.cli.compare import Search
    from simaie.cli.machines import MachineOptions

    machine = MachineOptions(
        scheme=scheme,
        host=host,
        full_system=full_system,
        host_word=None if host_word is None else int(host_word),
        address_bits=address_bits,
        endian=endian,
        steps=steps,
    )
    search = Search(
        allowed_host=allowed_host, spurious_failures=spurious_failures, single_copy=single_copy,
        executions=executions, seconds=seconds,
    )
    return run_barriers(targets, machine, search, save, output)
