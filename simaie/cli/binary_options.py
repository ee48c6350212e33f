"""The options that say what is run of an ELF file."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from simaie.binary.layout import STACK_BYTES
from simaie.binary.scenario import Scenario
from simaie.errors import UsageError

__all__ = [
    "FinalCall", "InitCall", "MainArguments", "SharedStacks", "StackSize", "ThreadCalls", "WatchedVariables",
    "scenario_of",
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


def scenario_of(
    threads: list[str] | None,
    init: str | None,
    final: str | None,
    watch: list[str] | None,
    stack: int | None,
    shared_stacks: bool,
    main: str | None = None,
) -> Scenario | None:
    """Return what the options say; None if none was given."""
    if not threads and main is None:
        if init or final or watch or stack is not None or shared_stacks:
            raise UsageError("name what each thread of the ELF file calls: --thread push:1 --thread pop")
        return None
    try:
        arguments = None if main is None else shlex.split(main)
    except ValueError as error:
        raise UsageError(f"--main {main!r}: {error}") from None
    size = STACK_BYTES if stack is None else stack
    return Scenario.of(threads or (), init, final, watch or (), size, shared_stacks, arguments)
