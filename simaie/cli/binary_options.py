"""The options that say what is run of an ELF file."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from simaie.binary.layout import STACK_BYTES
from simaie.binary.scenario import Scenario
from simaie.errors import UsageError

__all__ = [
    "CompilerCommand", "FinalCall", "InitCall", "MainArguments", "NothingResult", "RecordedFunctions",
    "SharedStacks", "StackSize", "ThreadCalls", "WatchedVariables", "scenario_of",
]  # fmt: skip

_PANEL = "Compiled program"

ThreadCalls = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CALLS",
        help="What one thread of an ELF file calls, one function after the other: \"push:1 pop\". An argument is a "
        "number or &VARIABLE. Repeat it for each thread.",
        rich_help_panel=_PANEL,
    ),
]
MainArguments = Annotated[
    str | None,
    typer.Option(
        "--main",
        metavar="ARGS",
        help="Run the ELF file as a whole program with these arguments, in place of --thread: \"2 1\", or \"\" for "
        "none.",
        rich_help_panel=_PANEL,
    ),
]
InitCall = Annotated[
    str | None,
    typer.Option(metavar="CALL", help="A call that prepares memory before each execution.", rich_help_panel=_PANEL),
]
FinalCall = Annotated[
    str | None,
    typer.Option(
        metavar="CALL",
        help="A call that judges the final state: it returns 0 if the state is wrong, or asserts.",
        rich_help_panel=_PANEL,
    ),
]
WatchedVariables = Annotated[
    list[str] | None,
    typer.Option("--watch", metavar="VARIABLE", help="Show it in outcomes. Repeatable.", rich_help_panel=_PANEL),
]
StackSize = Annotated[
    int | None,
    typer.Option(
        metavar="BYTES", help=f"The size of each stack. Default: {STACK_BYTES:,}.", rich_help_panel=_PANEL
    ),
]
SharedStacks = Annotated[
    bool,
    typer.Option(
        "--shared-stacks",
        help="Stacks are shared memory from the beginning. Without it a stack is private until an address into it is "
        "stored in shared memory.",
        rich_help_panel=_PANEL,
    ),
]

CompilerCommand = Annotated[
    str | None,
    typer.Option(
        "--cc",
        metavar="COMPILER",
        help="Compile a .c file with this: a compiler and flags (\"aarch64-linux-gnu-gcc -O1\"), or the name of a "
        "target (aarch64). Default: the first compiler that is found.",
        rich_help_panel=_PANEL,
    ),
]

RecordedFunctions = Annotated[
    list[str] | None,
    typer.Option(
        "--record",
        metavar="FUNCTION",
        help="Record the calls of this function by --thread, for a checker such as linearizable-stack. With "
        "FUNCTION=METHOD the record has the name METHOD. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]
NothingResult = Annotated[
    int | None,
    typer.Option(
        metavar="VALUE",
        help="The integer result of a recorded function that means that it found nothing; a null pointer means so too.",
        rich_help_panel=_PANEL,
    ),
]


def scenario_of(
    threads: list[str] | None,
    init: str | None,
    final: str | None,
    watch: list[str] | None,
    stack: int | None,
    shared_stacks: bool,
    main: str | None = None,
    cc: str | None = None,
    record: list[str] | None = None,
    nothing: int | None = None,
) -> Scenario | None:
    """Return what the options say; None if none was given."""
    if not threads and main is None:
        others = init, final, watch, shared_stacks, record
        if any(others) or any(each is not None for each in (stack, cc, nothing)):
            raise UsageError("name what each thread of the file calls: --thread push:1 --thread pop")
        return None
    try:
        arguments = None if main is None else shlex.split(main)
    except ValueError as error:
        raise UsageError(f"--main {main!r}: {error}") from None
    size = STACK_BYTES if stack is None else stack
    return Scenario.of(
        threads or (), init, final, watch or (), size, shared_stacks, arguments, cc, record or (), nothing
    )
