"""The command ``simaie barriers``: find the kinds of barrier that a set of programs needs under a scheme."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from simaie.binary.scenario import Scenario
from simaie.cli.compare import Search
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.machines import MachineOptions, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import barriers_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.cli.targets import InputErrors, load_targets
from simaie.exploration.barriers import ProgramBarriers, minimal_barriers
from simaie.show.barriers_view import barriers_view

__all__ = ["run_barriers"]


def run_barriers(
    targets: Sequence[str],
    machine_options: MachineOptions,
    search: Search,
    folder: Path | None,
    output: Format,
    scenario: Scenario | None = None,
) -> Status:
    """Find the minimal sets, save the witnesses, print; report programs that cannot be run on stderr, and go on."""
    input_errors = InputErrors()
    with guest_output_aside(), barriers_progress() as progress:
        programs = [program for _, program in load_targets(targets, input_errors, scenario)]
        machine = make_machine(targets[0] if len(targets) == 1 else "", machine_options, next(iter(programs), None))
        files = FailureFiles(folder)
        report, interrupted = found_until_interrupted(partial(
            minimal_barriers, programs, machine=machine, progress=progress, errors=input_errors.take,
            found=partial(_save, files), **search.as_options(),
        ))  # fmt: skip
    if output is Format.JSON:
        print_json({**report.as_dict(), "errors": input_errors.errors, "saved": list(map(str, files.paths))})
    elif report.programs or not input_errors.errors:
        print_lines(barriers_view(report))
    status = Status.ERROR if files.incomplete or input_errors.errors else status_of(report.verdict)
    return status_unless_interrupted(status, interrupted)


def _save(files: FailureFiles, program: ProgramBarriers) -> None:
    """Save the witnesses of a program."""
    witnesses = [need.forbidden for need in program.needs]
    witnesses += [] if program.remaining is None else [program.remaining]
    for witness in witnesses:
        files(witness.failure)
