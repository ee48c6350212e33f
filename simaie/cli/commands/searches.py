"""The commands that search for violations in programs; a command imports its work when it is called."""

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
from simaie.cli.explore_options import (
    AddressBits,
    CheckDeterminism,
    CheckerNames,
    Coverage,
    CutOption,
    Driver,
    Endian,
    Everything,
    ExampleFile,
    Executions,
    Failures,
    FairnessOption,
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
    Steps,
    Target,
    Tries,
    TrustTarget,
    Word,
)
from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import FormatOption, LitmusFormat, bits, known, plug_in, processes
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.plugins import HOSTS, SCHEMES

__all__ = ["commands"]

commands = typer.Typer()


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("holds", "violated", "inconclusive"),
        "simaie explore first-registration-window",
        "simaie explore spinlock.py:program --scheme cas --scheduler dfs:preemptions=3",
        "simaie explore spinlock.py:program --scheme aie-rfc:granule=64 --failures all --save failures/",
        "simaie explore spinlock.py:program --scheme mine.py:Mine:retries=3",
        "simaie explore spinlock.py:program --lassos --scheduler random-walk --steps 500",
        "simaie explore stack.elf --thread push:1 --thread pop --final check --scheme cas",
        "simaie explore stack.c --cc aarch64 --thread push:1 --thread pop --final check --scheme cas",
    ),
)
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
    fairness: FairnessOption = None,
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
        host_word=bits(host_word),
        address_bits=address_bits,
        endian=endian,
        steps=steps,
        tries=tries,
        lassos=lassos,
        fairness=fairness,
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


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("every answer is sure", "a forall or ~exists does not hold", "an answer is not sure"),
        "simaie litmus tests/ARM --jobs auto",
        "simaie litmus tests/X86/SB.litmus --scheme cas:mapping=qemu --host armv8",
    ),
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
    return run_litmus(paths, settings, processes(jobs), output)


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses(one="a program fails", three="none fails, which proves nothing"),
        "simaie fuzz --isa arm --scheme cas --examples 500 --seed 1 --save failures/",
    ),
)
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

    machine = MachineOptions(scheme=scheme, host=host, host_word=bits(host_word))
    limits: dict[str, Any] = {"examples": examples, "seed": seed, "executions": executions, "vcpus": vcpus,
              "instructions": instructions, "kinds": kind or None, "failures": failures,
              "jobs": processes(jobs)}  # fmt: skip
    if checker:
        limits["checkers"] = tuple(checker)
    return run_fuzz(isa, machine, limits, save, output)


@commands.command(
    "prove-progress",
    cls=StrictCommand,
    epilog=epilog(
        statuses("every fair execution ends", "an execution is stuck or endless", "not sure"),
        "simaie prove-progress spinlock.py:program --scheme cas",
        "simaie prove-progress spinlock.py:program --scheme hst --states 200000 --save failures/",
        "simaie prove-progress spinlock.c --thread worker --thread worker --scheme cas",
    ),
)
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
    fairness: FairnessOption = None,
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

    If the program states which threads are to end, only these have to. If one of them does not always end, an execution
    is shown that is stuck, or that can repeat its last steps for ever. The host is sequentially consistent.
    """
    from simaie.cli.machines import MachineOptions
    from simaie.cli.prove_progress import run_prove_progress

    machine = MachineOptions(
        scheme=scheme,
        full_system=full_system,
        host_word=bits(host_word),
        address_bits=address_bits,
        endian=endian,
        fairness=fairness,
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc)
    return run_prove_progress(target, machine, states, save, output, everything, trust=trust, scenario=scenario)
