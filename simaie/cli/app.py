"""The commands with their options and help; a command imports its work when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from simaie.cli.binary_options import (
    CompilerCommand,
    FinalCall,
    InitCall,
    MainArguments,
    NothingResult,
    RecordedFunctions,
    SharedStacks,
    StackSize,
    ThreadCalls,
    WatchedVariables,
    scenario_of,
)
from simaie.cli.campaign_app import campaign_app
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
    ExampleFile,
    Executions,
    Failures,
    FullSystem,
    FuzzedScheme,
    HostName,
    Index,
    JobsOption,
    Lassos,
    OutputFormat,
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
    Tries,
    TrustTarget,
    Word,
)
from simaie.cli.options import (
    WORDS,
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
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.plugins import HOSTS, SCHEDULERS, SCHEMES

__all__ = ["app"]

_SHARED_STATUSES = (
    "70 a bug of simaie (SIMAIE_TRACEBACK=1 shows where), 130 interrupted, 141 the reader of the output left, "
    "143 terminated"
)


def _statuses(zero: str = "", one: str = "", three: str = "") -> str:
    """Return the line of a help text on exit statuses, with the meaning of 0, 1 and 3 as far as they occur."""
    own = {0: zero, 1: one, 2: "bad usage or input", 3: three}
    return f"Exit status: {', '.join(f'{n} {what}' for n, what in own.items() if what)}, {_SHARED_STATUSES}."


app = typer.Typer(
    name="simaie",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_statuses("holds", "violated", "inconclusive"),
)

app.add_typer(campaign_app, name="campaign")

_EXPLORE_EXAMPLES = f"""{WORDS}

{_statuses("holds", "violated", "inconclusive")}

Examples:

simaie explore first-registration-window

simaie explore spinlock.py:program --scheme cas --scheduler dfs:preemptions=3

simaie explore spinlock.py:program --scheme aie-rfc:granule=64 --failures all --save failures/

simaie explore spinlock.py:program --scheme mine.py:Mine:retries=3

simaie explore spinlock.py:program --lassos --scheduler random-walk --steps 500

simaie explore stack.elf --thread push:1 --thread pop --final check --scheme cas

simaie explore stack.c --cc aarch64 --thread push:1 --thread pop --final check --scheme cas"""
_COMPARE_EXAMPLES = f"""{WORDS}

{_statuses("every possible outcome is allowed", "an outcome is forbidden", "not sure")}

Examples:

simaie compare tests/X86/SB.litmus --scheme aie-rfc --host tso

simaie compare spinlock.py:program --scheme cas --save failures/

simaie compare tests/ARM --scheme cas"""
_BARRIERS_EXAMPLES = f"""{WORDS}

{_statuses("the answer is sure", "not even all barriers are enough", "not sure")}

Examples:

simaie barriers tests/X86 --host pso

simaie barriers queue.py:program --scheme aie-rfc --host tso

simaie barriers tests/X86 --scheme cas --host armv8 --places

simaie barriers tests/X86 --scheme cas:mapping=qemu --host armv8"""
#: Of a single execution, which proves nothing to hold.
_ONE = f"{WORDS}\n\n" + _statuses(one="the checkers find something", three="they find nothing, which proves nothing")
_REPLAY_EXAMPLES = f"""{_ONE}

Examples:

simaie replay failure.json

simaie replay failure.json --program spinlock.py:program

simaie replay failure.json --program spinlock.py:fixed --best-effort"""

_CHECK_EXAMPLES = f"""{_ONE}

Examples:

simaie check failure.json

simaie check failure.json --checker serializability --checker data-races"""
_SHOW_EXAMPLES = f"""{WORDS}

{_statuses("it is shown, whatever the verdict")}

Examples:

simaie show failure.json

simaie show failure.json --html walk.html --svg drawing.svg"""
_SHRINK_EXAMPLES = f"""{WORDS}

{_statuses("the shortest failure is printed, and written")}

Examples:

simaie shrink failure.json --out short.json

simaie shrink failure.json --kind rmw-atomicity --whole"""
_FUZZ_EXAMPLES = f"""{WORDS}

{_statuses(one="a program fails", three="none fails, which proves nothing")}

Example:

simaie fuzz --isa arm --scheme cas --examples 500 --seed 1 --save failures/"""
_MATRIX_EXAMPLES = f"""{WORDS}

{_statuses("every cell is as expected", "a cell is not as expected", "a cell is open")}

Examples:

simaie matrix --jobs 2

simaie matrix --scheme hst --host sc --host tso --verbose

simaie matrix --scheme mine.py:Mine --class aba-two-storers --explain"""
_PROVE_PROGRESS_EXAMPLES = f"""{WORDS}

{_statuses("every fair execution ends", "an execution is stuck or endless", "not sure")}

Examples:

simaie prove-progress spinlock.py:program --scheme cas

simaie prove-progress spinlock.py:program --scheme hst --states 200000 --save failures/

simaie prove-progress spinlock.c --thread worker --thread worker --scheme cas"""
_LIST_EXAMPLES = f"""{_statuses("the list is printed")}

Examples:

simaie list schedulers

simaie list programs --isa arm --row 11

simaie list guests --name dekker"""


def _processes(jobs: str | None) -> int:
    """Return the number of processes that an option asks for."""
    from simaie.exploration.jobs import number_of_jobs

    return 1 if jobs is None else number_of_jobs(jobs)


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


@app.command(cls=StrictCommand, epilog=_EXPLORE_EXAMPLES)
@command
def explore(
    target: Target,
    thread: ThreadCalls = None,
    main: MainArguments = None,
    init: InitCall = None,
    final: FinalCall = None,
    watch: WatchedVariables = None,
    stack: StackSize = None,
    shared_stacks: SharedStacks = False,
    cc: CompilerCommand = None,
    record: RecordedFunctions = None,
    nothing: NothingResult = None,
    scheme: SchemeName = None,
    host: HostName = None,
    full_system: FullSystem = None,
    host_word: Word = None,
    address_bits: AddressBits = None,
    endian: Endian = None,
    steps: Steps = None,
    tries: Tries = None,
    lassos: Lassos = False,
    scheduler: SchedulerName = None,
    seed: Seed = None,
    index: Index = None,
    executions: Executions = None,
    seconds: Seconds = None,
    failures: Failures = None,
    driver: Driver = None,
    checker: CheckerNames = None,
    check_determinism: CheckDeterminism = False,
    jobs: JobsOption = None,
    coverage: Coverage = True,
    cut: CutOption = None,
    save: Save = None,
    example: ExampleFile = None,
    everything: Everything = False,
    output: OutputFormat = Format.TEXT,
    trust: TrustTarget = False,
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
        tries=tries,
        lassos=lassos,
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
        jobs=jobs,
        coverage=coverage,
        cut=tuple(cut or ()),
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    return run_explore(
        target, machine, search, save, output, everything, trust=trust, scenario=scenario, example=example
    )


@app.command(cls=StrictCommand, epilog=_REPLAY_EXAMPLES)
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
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit.")
    ] = False,
    continue_with: Annotated[
        str | None,
        plug_in(SCHEDULERS, "The strategy that goes on after the last decision that fits; implies --best-effort."),
    ] = None,
    checker: Judges = None,
    driver: Annotated[DriverName | None, typer.Option(help="The driver of the guest code.")] = None,
    repeat: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of a lasso, show the steps that repeat for ever N times."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
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


@app.command(cls=StrictCommand, epilog=_CHECK_EXAMPLES)
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
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit.")
    ] = False,
    driver: Annotated[DriverName | None, typer.Option(help="The driver of the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
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


@app.command(cls=StrictCommand, epilog=_SHOW_EXAMPLES)
@command
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that walks through it and needs no network.")
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
        bool, typer.Option("--best-effort", help="Follow the decisions as far as they fit.")
    ] = False,
    checker: Judges = None,
    driver: Annotated[DriverName | None, typer.Option(help="The driver of the guest code.")] = None,
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


@app.command(cls=StrictCommand, epilog=_SHRINK_EXAMPLES)
@command
def shrink(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A replay file, as written by explore --save.")],
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
    program: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Use this program, not the one that the file refers to.",
            autocompletion=complete_programs,
        ),
    ] = None,
    driver: Annotated[DriverName | None, typer.Option(help="The driver of the guest code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every step; fold nothing.")] = False,
    output: FormatOption = Format.TEXT,
    trust: Trust = False,
    scheme: OtherScheme = None,
    host: OtherHost = None,
) -> Status:
    """Cut a saved failure down to the shortest that fails in the same way."""
    from simaie.cli.shrink import run_shrink

    options = {"kind": kind, "executions": executions, "cut": not whole, "checkers": checker or None}
    return run_shrink(file, program, driver, out, options, output, everything, trust=trust, scheme=scheme, host=host)


@app.command(cls=StrictCommand, epilog=_FUZZ_EXAMPLES)
@command
def fuzz(
    isa: Annotated[str, typer.Option(metavar="NAME", help="The guests' instruction set.")] = "arm",
    scheme: FuzzedScheme = None,
    host: HostName = None,
    host_word: Word = None,
    examples: Annotated[int, typer.Option(metavar="N", help="Number of programs to generate.")] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed has the same examples.")] = 0,
    executions: Annotated[int, typer.Option(metavar="N", help="Maximum number of executions of a program.")] = 20,
    vcpus: Annotated[int, typer.Option(metavar="N", help="Maximum number of vCPUs of a program.")] = 3,
    instructions: Annotated[int, typer.Option(metavar="N", help="Maximum number of instructions of a vCPU.")] = 4,
    kind: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Draw only this kind of instruction (load, atomic, ...); repeatable."),
    ] = None,
    checker: CheckerNames = None,
    failures: Annotated[
        int | None, typer.Option(metavar="N", help="Stop after N failing examples. Default: never.")
    ] = None,
    jobs: JobsOption = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a failure of each signature, shortened, to replay.", file_okay=False),
    ] = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Generate guest programs, run them, and report what fails. (Needs Hypothesis: pip install 'simaie\\[fuzz]'.)"""
    from simaie.cli.fuzz import run_fuzz
    from simaie.cli.machines import MachineOptions

    machine = MachineOptions(scheme=scheme, host=host, host_word=None if host_word is None else int(host_word))
    limits: dict[str, Any] = {"examples": examples, "seed": seed, "executions": executions, "vcpus": vcpus,
              "instructions": instructions, "kinds": kind or None, "failures": failures,
              "jobs": _processes(jobs)}  # fmt: skip
    if checker:
        limits["checkers"] = tuple(checker)
    return run_fuzz(isa, machine, limits, save, output)


@app.command("list", cls=StrictCommand, epilog=_LIST_EXAMPLES)
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


@app.command(
    cls=StrictCommand, epilog=f"{WORDS}\n\n" + _statuses("every row is as expected", "a row is not as expected")
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

    return run_audit(scheme or None, row or None, seed, output, explain, verbose, _processes(jobs))


@app.command(cls=StrictCommand, epilog=_MATRIX_EXAMPLES)
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
    return run_matrix(scheme or None, class_ or None, host or None, executions, _processes(jobs), shown)


@app.command("prove-progress", cls=StrictCommand, epilog=_PROVE_PROGRESS_EXAMPLES)
@command
def prove_progress(
    target: Target,
    thread: ThreadCalls = None,
    main: MainArguments = None,
    init: InitCall = None,
    final: FinalCall = None,
    watch: WatchedVariables = None,
    stack: StackSize = None,
    shared_stacks: SharedStacks = False,
    cc: CompilerCommand = None,
    scheme: SchemeName = None,
    full_system: FullSystem = None,
    host_word: Word = None,
    address_bits: AddressBits = None,
    endian: Endian = None,
    states: Annotated[
        int | None, typer.Option(metavar="N", help="Maximum number of global states. Default: 50,000.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the execution to DIR, to replay.", file_okay=False)
    ] = None,
    everything: Everything = False,
    output: FormatOption = Format.TEXT,
    trust: TrustTarget = False,
) -> Status:
    """Visit all global states of a program, and prove that every vCPU ends in every fair execution.

    If the program states which threads are to end, it is proved of these. Otherwise show an execution that is stuck, or
    that can repeat its last steps for ever. The host is sequentially consistent.
    """
    from simaie.cli.machines import MachineOptions
    from simaie.cli.prove_progress import run_prove_progress

    machine = MachineOptions(
        scheme=scheme,
        full_system=full_system,
        host_word=None if host_word is None else int(host_word),
        address_bits=address_bits,
        endian=endian,
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc)
    return run_prove_progress(target, machine, states, save, output, everything, trust=trust, scenario=scenario)


@app.command(
    cls=StrictCommand,
    epilog=f"{WORDS}\n\n"
    + _statuses("every answer is sure", "a forall or ~exists does not hold", "an answer is not sure"),
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
            f"The emulation scheme: {known(SCHEMES)}. The default is the ideal scheme with store-conditionals "
            "that may fail spuriously, as in herd7.",
        ),
    ] = "native:reservation=exact,spurious_failures=true",
    host: Annotated[str, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}.")] = "sc",
    jobs: JobsOption = None,
    unroll: Annotated[
        int, typer.Option(metavar="N", help="How often a thread may jump back to a label before it is cut.")
    ] = 2,
    executions: Annotated[int, typer.Option(metavar="N", help="Maximum number of executions of one test.")] = 1_000_000,
    seconds: Annotated[float | None, typer.Option(metavar="S", help="Maximum time for one test, in seconds.")] = None,
    output: Annotated[
        LitmusFormat, typer.Option("--format", help="A log in herd7's format, or one JSON document.")
    ] = LitmusFormat.HERD,
) -> Status:
    """Run litmus tests: print all states that each can reach, and the answer to its condition."""
    from simaie.cli.litmus import run_litmus
    from simaie.exploration.litmus_files import LitmusSettings

    settings = LitmusSettings(scheme, host, unroll, executions, seconds)
    return run_litmus(paths, settings, _processes(jobs), output)


@app.command(cls=StrictCommand, epilog=_COMPARE_EXAMPLES)
@command
def compare(
    targets: Targets,
    thread: ThreadCalls = None,
    main: MainArguments = None,
    init: InitCall = None,
    final: FinalCall = None,
    watch: WatchedVariables = None,
    stack: StackSize = None,
    shared_stacks: SharedStacks = False,
    cc: CompilerCommand = None,
    record: RecordedFunctions = None,
    nothing: NothingResult = None,
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
    jobs: JobsOption = None,
    save: Save = None,
    everything: Everything = False,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Compare the outcomes that the emulator can show with those that the guest's architecture allows."""
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
        allowed_host=allowed_host,
        spurious_failures=spurious_failures,
        single_copy=single_copy,
        executions=executions,
        seconds=seconds,
        jobs=_processes(jobs),
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    if len(targets) == 1 and is_one(targets[0]):
        return run_compare(targets[0], machine, search, save, output, everything, scenario)
    return run_comparisons(targets, machine, search, save, output, scenario)


@app.command(cls=StrictCommand, epilog=_BARRIERS_EXAMPLES)
@command
def barriers(
    targets: Targets,
    host: Annotated[str, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}.")],
    thread: ThreadCalls = None,
    main: MainArguments = None,
    init: InitCall = None,
    final: FinalCall = None,
    watch: WatchedVariables = None,
    stack: StackSize = None,
    shared_stacks: SharedStacks = False,
    cc: CompilerCommand = None,
    record: RecordedFunctions = None,
    nothing: NothingResult = None,
    scheme: SchemeName = None,
    places: Annotated[bool, typer.Option("--places", help="Find also where the barriers have to be.")] = False,
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
    jobs: JobsOption = None,
    save: Save = None,
    output: FormatOption = Format.TEXT,
) -> Status:
    """Find the fewest kinds of barrier with which programs do only what the guest's architecture allows.

    If the scheme has a mapping, judge it: exact, too weak, or stronger than needed. With --places, find where barriers
    have to be in addition to the mapping.
    """
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
        allowed_host=allowed_host,
        spurious_failures=spurious_failures,
        single_copy=single_copy,
        executions=executions,
        seconds=seconds,
        jobs=_processes(jobs),
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    return run_barriers(targets, machine, search, save, output, scenario, places=places)


@app.command(cls=StrictCommand, epilog=_statuses("the client left"))
@command
def mcp() -> Status:
    """Serve explore, compare, barriers, matrix, replay and explain to an assistant, on stdin and stdout.

    It speaks the Model Context Protocol, and needs pip install 'simaie\\[mcp]'.
    """
    from simaie.cli.mcp_server import serve

    return serve()
