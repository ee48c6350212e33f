"""The command ``simaie barriers``: find the barriers that programs need under a scheme, or judge its mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from simaie.binary.scenario import Scenario
from simaie.cli.compare import Search
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.machines import MachineOptions, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import barriers_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.cli.targets import InputErrors, load_targets
from simaie.exploration.barriers import BarriersReport, ProgramBarriers, minimal_barriers
from simaie.exploration.judge_mapping import judge_mapping, mapping_text
from simaie.exploration.mapping_report import MappedProgram, MappingReport
from simaie.show.barriers_view import barriers_view
from simaie.show.mapping_view import mapping_view

__all__ = ["run_barriers"]


def run_barriers(
    targets: Sequence[str],
    machine_options: MachineOptions,
    search: Search,
    folder: Path | None,
    output: Format,
    scenario: Scenario | None = None,
    *,
    places: bool,
) -> Status:
    """Find the minimal sets, or judge the mapping of the scheme; save the witnesses and print the result.

    Programs that cannot be run are reported on stderr, and the others go on.
    """
    input_errors = InputErrors()
    with guest_output_aside(), barriers_progress() as progress:
        programs = [program for _, program in load_targets(targets, input_errors, scenario)]
        machine = make_machine(targets[0] if len(targets) == 1 else "", machine_options)
        files = FailureFiles(folder)
        common = {"machine": machine, "progress": progress, "errors": input_errors.take, "jobs": search.jobs}
        options = {**common, **search.as_options()}
        find: Callable[[], BarriersReport | MappingReport]
        if places or mapping_text(machine) is None:
            find = partial(minimal_barriers, programs, places=places, found=partial(_save, files), **options)
        else:
            find = partial(judge_mapping, programs, found=partial(_save_forbidden, files), **options)
        report: BarriersReport | MappingReport
        report, interrupted = found_until_interrupted(find)
    if output is Format.JSON:
        form = Document.MAPPING if isinstance(report, MappingReport) else Document.BARRIERS
        rest = {"errors": input_errors.errors, "saved": list(map(str, files.paths))}
        print_json(form.named(report.as_dict() | rest))
    elif report.programs or not input_errors.errors:
        print_lines(mapping_view(report) if isinstance(report, MappingReport) else barriers_view(report))
    status = Status.ERROR if files.incomplete or input_errors.errors else status_of(report.verdict)
    return status_unless_interrupted(status, interrupted)


def _save_forbidden(files: FailureFiles, program: MappedProgram) -> None:
    """Save the witnesses of the outcomes that a mapping does not exclude."""
    for each in program.forbidden:
        files(each.failure)


def _save(files: FailureFiles, program: ProgramBarriers) -> None:
    """Save the witnesses of a program."""
    witnesses = [need.forbidden for need in program.needs]
    witnesses += [] if program.remaining is None else [program.remaining]
    for witness in witnesses:
        files(witness.failure)
