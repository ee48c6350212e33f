"""The options of ``simaie explore``, each as a type with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simaie.cli.options import DriverName, Endianness, Fairness, HostWord, complete_programs, completing, known, plug_in
from simaie.cli.output import Format
from simaie.plugins import CHECKERS, HOSTS, SCHEDULERS, SCHEMES

__all__ = [
    "AddressBits",
    "AllowedHost",
    "CheckDeterminism",
    "CheckerNames",
    "ComparedExecutions",
    "ComparedSeconds",
    "Coverage",
    "CutOption",
    "Driver",
    "Endian",
    "Everything",
    "Executions",
    "Failures",
    "FairnessOption",
    "FullSystem",
    "FuzzedScheme",
    "HostName",
    "Index",
    "JobsOption",
    "Lassos",
    "OutputFormat",
    "Save",
    "SchedulerName",
    "SchemeName",
    "Seconds",
    "Seed",
    "SingleCopy",
    "SpuriousFailures",
    "Steps",
    "Target",
    "Targets",
    "Tries",
    "TrustTarget",
    "Word",
]

_MACHINE, _ARCHITECTURE, _SEARCH, _OUTPUT = "Machine", "Architecture", "Search", "Output"
#: The last panel of the help.
_RARE = "Rarely needed"

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A program: file.py:name, a name of the corpus (simaie list programs --all), a .litmus file, or an "
        "ELF file or a .c file (with --thread).",
        autocompletion=complete_programs,
    ),
]
Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...",
        help="Programs (file.py:name, or a name of the corpus), .litmus files, folders of them, or @FILE, a list.",
        autocompletion=complete_programs,
    ),
]
CutOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CUT",
        help="Leave out a vCPU (1), some of its instructions (1:5, 1:5-7+9, from 9 on: 1:9-), or the final check "
        "(final). Repeatable; shrunk failures use it.",
        rich_help_panel=_RARE,
    ),
]
TrustTarget = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Import the Python files that a .guest file names. Without it only those on the command line are "
        "imported.",
        rich_help_panel=_RARE,
    ),
]
OutputFormat = Annotated[
    Format,
    typer.Option("--format", help="Text, or one JSON document with the same facts.", rich_help_panel=_OUTPUT),
]
SchemeName = Annotated[
    str | None,
    plug_in(
        SCHEMES,
        f"The emulation scheme: {known(SCHEMES)}. Default: the first that the corpus names for the program, else "
        "native, the ideal. Options: simaie list schemes.",
        panel=_MACHINE,
    ),
]
FuzzedScheme = Annotated[
    str | None,
    plug_in(
        SCHEMES,
        f"The emulation scheme to fuzz, which must be given: {known(SCHEMES)}. Options: simaie list schemes.",
        panel=_MACHINE,
    ),
]
HostName = Annotated[
    str | None, plug_in(HOSTS, f"The host's memory model: {known(HOSTS)}. Default: sc.", panel=_MACHINE)
]
FullSystem = Annotated[
    bool | None,
    typer.Option(
        "--full-system/--user-mode",
        help="Translate addresses step by step, or not at all. Default: user-mode.",
        rich_help_panel=_MACHINE,
    ),
]
Word = Annotated[
    HostWord | None, typer.Option(help="Widest single host access, in bits. Default: 64.", rich_help_panel=_MACHINE)
]
AddressBits = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Width of a guest address, in bits. Default: the narrowest that holds every address of the program if "
        "these are known, else that of the instruction set.",
        rich_help_panel=_MACHINE,
    ),
]
Endian = Annotated[
    Endianness | None,
    typer.Option(help="Byte order of guest RAM. Default: that of the instruction set.", rich_help_panel=_MACHINE),
]
Steps = Annotated[
    int | None,
    typer.Option(metavar="N", help="Maximum operations per execution. Default: 20,000.", rich_help_panel=_MACHINE),
]
Tries = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Times in a row that a vCPU runs a round of a loop that changes nothing, before it waits for a change. "
        "Default: 1.",
        rich_help_panel=_MACHINE,
    ),
]
Lassos = Annotated[
    bool,
    typer.Option(
        "--lassos",
        help="Run every round of a loop, and end an execution where its last steps can be repeated for ever: a "
        "livelock, or starvation.",
        rich_help_panel=_MACHINE,
    ),
]
FairnessOption = Annotated[
    Fairness | None,
    typer.Option(
        "--fairness",
        help="What a schedule owes each vCPU on a cycle: a step if it can take one again and again (strong, the "
        "default), or only if it can take one all the time (weak).",
        rich_help_panel=_MACHINE,
    ),
]
SchedulerName = Annotated[
    str | None,
    plug_in(
        SCHEDULERS,
        f"The strategy that chooses the interleavings: {known(SCHEDULERS)}. When to use which: simaie list schedulers. "
        "Default: portfolio.",
        panel=_SEARCH,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="The same seed has the same executions. Default: 0.", rich_help_panel=_SEARCH),
]
Index = Annotated[
    int | None,
    typer.Option(
        metavar="I",
        help="Run only execution I of the seed. A learning scheduler first re-runs the executions before I.",
        rich_help_panel=_SEARCH,
    ),
]
Executions = Annotated[
    int | None,
    typer.Option(metavar="N", help="Stop after N executions. Default: 10,000.", rich_help_panel=_SEARCH),
]
JobsOption = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N|auto",
        help="Number of processes; auto: one for each core. It affects only how long the run takes, not its results. "
        "Default: 1.",
        rich_help_panel=_SEARCH,
    ),
]
Seconds = Annotated[float | None, typer.Option(metavar="T", help="Stop after T seconds.", rich_help_panel=_SEARCH)]
ComparedExecutions = Annotated[
    int | None,
    typer.Option(metavar="N", help="Stop each search after N executions. Default: 100,000.", rich_help_panel=_SEARCH),
]
ComparedSeconds = Annotated[
    float | None,
    typer.Option(
        metavar="T", help="Stop each search after T seconds; inf: no limit. Default: 60.", rich_help_panel=_SEARCH
    ),
]
Failures = Annotated[
    str | None,
    typer.Option(
        metavar="N|all", help="Stop after N failing executions; all: never. Default: 1.", rich_help_panel=_SEARCH
    ),
]
Driver = Annotated[
    DriverName | None,
    typer.Option(
        help="The driver of the guest code; trio is for guests that await trio. Default: inline.",
        rich_help_panel=_SEARCH,
    ),
]
CheckerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--checker",
        metavar="CHECKER",
        help="Judge by this one (see: simaie list checkers), or by the checker or specification that a file defines; "
        "repeatable. Default: the default checkers.",
        autocompletion=completing(CHECKERS),
        rich_help_panel=_SEARCH,
    ),
]
CheckDeterminism = Annotated[
    bool,
    typer.Option(
        "--check-determinism",
        help="Run every execution twice and compare, to see whether the guest code depends on clocks, random numbers "
        "or the order of sets.",
        rich_help_panel=_SEARCH,
    ),
]
Coverage = Annotated[
    bool,
    typer.Option(
        "--coverage/--no-coverage",
        help="Count distinct traces and estimate how many are unseen, which costs 10 to 20% of the speed. Not with "
        "--index.",
        rich_help_panel=_OUTPUT,
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write failures to DIR as soon as they are found, to replay: the first hundred, then the first of each "
        "signature. A name says program, scheme, host, instruction set, scheduler, seed and index.",
        file_okay=False,
        rich_help_panel=_OUTPUT,
    ),
]
ExampleFile = Annotated[
    Path | None,
    typer.Option(
        "--example",
        metavar="FILE",
        help="If nothing fails, write an execution to FILE, to replay and show as a failure.",
        dir_okay=False,
        rich_help_panel=_OUTPUT,
    ),
]
SingleCopy = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which accesses the guest's architecture guarantees indivisible: those of its base (isa, the default), or "
        "of an extension (lpae of Arm, lse2 of AArch64, avx of x86).",
        rich_help_panel=_ARCHITECTURE,
    ),
]
AllowedHost = Annotated[
    str | None,
    plug_in(
        HOSTS,
        "The memory that models the guest's architecture. Default: tso for x86, pso for the weak guests.",
        panel=_ARCHITECTURE,
    ),
]
SpuriousFailures = Annotated[
    bool | None,
    typer.Option(
        "--spurious-failures/--no-spurious-failures",
        help="Whether the architecture's store-conditional may fail spuriously. Default: yes; compare uses no for "
        "programs that retry forever.",
        rich_help_panel=_ARCHITECTURE,
    ),
]
Everything = Annotated[
    bool, typer.Option("--all", help="Show every step of the failing execution.", rich_help_panel=_OUTPUT)
]
