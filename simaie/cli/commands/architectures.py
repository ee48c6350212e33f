"""The commands that hold an emulator against the guest's architecture; a command imports its work when it is called."""

from __future__ import annotations

from typing import Annotated

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
    AllowedHost,
    ComparedExecutions,
    ComparedSeconds,
    Endian,
    Everything,
    FullSystem,
    HostName,
    JobsOption,
    Save,
    SchemeName,
    SingleCopy,
    SpuriousFailures,
    Steps,
    Targets,
    Word,
)
from simaie.cli.help_text import epilog, statuses
from simaie.cli.options import FormatOption, bits, known, plug_in, processes
from simaie.cli.output import Format
from simaie.cli.parsing import StrictCommand
from simaie.cli.status import Status, command
from simaie.plugins import HOSTS

__all__ = ["commands"]

commands = typer.Typer()


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("every possible outcome is allowed", "an outcome is forbidden", "not sure"),
        "simaie compare tests/X86/SB.litmus --scheme aie-rfc --host tso",
        "simaie compare spinlock.py:program --scheme cas --save failures/",
        "simaie compare tests/ARM --scheme cas",
    ),
)
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
        host_word=bits(host_word),
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
        jobs=processes(jobs),
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    if len(targets) == 1 and is_one(targets[0]):
        return run_compare(targets[0], machine, search, save, output, everything, scenario)
    return run_comparisons(targets, machine, search, save, output, scenario)


@commands.command(
    cls=StrictCommand,
    epilog=epilog(
        statuses("the answer is sure", "not even all barriers are enough", "not sure"),
        "simaie barriers tests/X86 --host pso",
        "simaie barriers queue.py:program --scheme aie-rfc --host tso",
        "simaie barriers tests/X86 --scheme cas --host armv8 --places",
        "simaie barriers tests/X86 --scheme cas:mapping=qemu --host armv8",
    ),
)
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
        host_word=bits(host_word),
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
        jobs=processes(jobs),
    )
    scenario = scenario_of(thread, init, final, watch, stack, shared_stacks, main, cc, record, nothing)
    return run_barriers(targets, machine, search, save, output, scenario, places=places)
