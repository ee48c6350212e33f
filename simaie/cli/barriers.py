"""What ``simaie barriers`` does: find the kinds of barrier that a set of programs needs under a scheme."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simaie.cli.compare import Search
from simaie.cli.explore import make_folder, save_failures
from simaie.cli.litmus import find_files
from simaie.cli.machines import MachineOptions, load_program, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import barriers_progress
from simaie.cli.status import Status, complain, status_of
from simaie.errors import SimaieError
from simaie.explore.barriers import BarriersReport, minimal_barriers
from simaie.guest.litmus import LitmusError
from simaie.replay.failure import Failure
from simaie.show.barriers_view import barriers_view

__all__ = ["run_barriers"]


def run_barriers(
    targets: Sequence[str], machine_options: MachineOptions, search: Search, folder: Path | None, output: Format
) -> Status:
    """Find the minimal sets, save the witnesses, print. What cannot be run is said on stderr, and the others go on."""
    wrong = _Wrong()
    with guest_output_aside(), barriers_progress() as progress:
        programs = list(_programs(targets, wrong))
        machine = make_machine(targets[0] if len(targets) == 1 else "", machine_options)
        if folder is not None:
            make_folder(folder)
        report = minimal_barriers(
            programs, machine=machine, progress=progress, errors=wrong.take, **search.as_options()
        )
        saved, unsaved = save_failures(_failures(report), folder) if folder is not None else ([], False)
    if output is Format.JSON:
        print_json({**report.as_dict(), "errors": wrong.errors, "saved": [str(path) for path in saved]})
    else:
        print_lines(barriers_view(report))
    return Status.ERROR if unsaved or wrong.errors else status_of(report.verdict)


class _Wrong:
    """What cannot be run."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def take(self, name: str, error: SimaieError) -> None:
        """Note and say what is wrong with a program."""
        if isinstance(error, LitmusError):
            self._add(error.file, str(error), error.line, error.column)
        else:
            self._add(name, f"{name}: {error}")

    def lacks(self, path: str, problem: str) -> None:
        """Note and say that a path leads nowhere."""
        self._add(path, f"{path}: {problem}")

    def _add(self, file: str, problem: str, line: int = 0, column: int = 0) -> None:
        self.errors.append({"file": file, "line": line, "column": column, "problem": problem})
        complain(problem)


def _programs(targets: Sequence[str], wrong: _Wrong) -> Iterator[Any]:
    """The programs and litmus files that the targets name; folders and lists as ``simaie litmus`` takes them."""
    for target in targets:
        if target.endswith(".litmus") or target.startswith("@") or os.path.isdir(target):
            yield from find_files([target], wrong)
        else:
            yield load_program(target)


def _failures(report: BarriersReport) -> Iterator[Failure]:
    """The witnesses, each once."""
    witnesses = [need.forbidden for need in report.needs]
    witnesses += [program.remaining for program in report.remaining if program.remaining is not None]
    seen: set[tuple[str, str]] = set()
    for witness in witnesses:
        key = (witness.failure.target, witness.failure.machine.scheme)
        if key not in seen:
            seen.add(key)
            yield witness.failure
