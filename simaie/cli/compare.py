"""The command ``simaie compare``: compare possible outcomes with those that the guest's architecture allows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.binary.scenario import Scenario
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, status_unless_interrupted
from simaie.cli.machines import MachineOptions, load_program, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, prose_width, width
from simaie.cli.progress import comparison_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.exploration.compare import Comparison, compare
from simaie.show.comparison_view import comparison_view
from simaie.show.failure_view import failure_view

__all__ = ["Search", "litmus_or_program", "run_compare"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """The options of the searches; None for an option that was not given, of which the API's default holds."""

    allowed_host: str | None = None
    spurious_failures: bool | None = None
    single_copy: str | None = None
    executions: int | None = None
    seconds: float | None = None
    jobs: int = 1

    def as_options(self) -> dict[str, Any]:
        """Return the given options as keyword arguments."""
        given = {
            "spurious_failures": self.spurious_failures, "single_copy": self.single_copy,
            "executions": self.executions, "seconds": self.seconds,
        }  # fmt: skip
        return {"allowed_host": self.allowed_host} | {name: it for name, it in given.items() if it is not None}


def litmus_or_program(target: str, scenario: Scenario | None = None) -> Any:
    """Return the path of a litmus file as it is, or the program that `target` names."""
    return target if target.endswith(".litmus") else load_program(target, scenario=scenario)


def run_compare(
    target: str,
    machine_options: MachineOptions,
    search: Search,
    folder: Path | None,
    output: Format,
    everything: bool,
    scenario: Scenario | None = None,
) -> Status:
    """Compare, save the witnesses, print, and return the status of the verdict."""
    with guest_output_aside(), comparison_progress(target) as progress:
        subject = litmus_or_program(target, scenario)
        machine = make_machine(target, machine_options)
        files = FailureFiles(folder)
        comparison, interrupted = found_until_interrupted(
            partial(
                compare, subject, machine=machine, progress=progress, found=files, jobs=search.jobs,
                **search.as_options(),
            )
        )
        for each in comparison.forbidden:
            files(each.failure)
    if output is Format.JSON:
        print_json(Document.COMPARE.named(comparison.as_dict() | {"saved": list(map(str, files.paths))}))
    else:
        _print(comparison, files, everything)
    status = Status.ERROR if files.incomplete else status_of(comparison.verdict)
    return status_unless_interrupted(status, interrupted)


def _print(comparison: Comparison, files: FailureFiles, everything: bool) -> None:
    paths = [files.path(each.failure) for each in comparison.forbidden]
    print_lines(comparison_view(comparison, paths, width=prose_width()))
    if comparison.forbidden:
        first = comparison.forbidden[0].failure
        lines = failure_view(first, everything=everything, width=width())
        print_lines([Text(), Text("the first forbidden outcome, step by step", "bold"), *lines])
