"""The command ``simaie explore``: run a program under many schedules, and report and save the failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.binary.scenario import Scenario
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, next_interrupt_ends_at_once, status_unless_interrupted
from simaie.cli.machines import MachineOptions, load_program, make_machine, mention_host
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, prose_width, width
from simaie.cli.progress import exploration_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, complain, status_of
from simaie.errors import SimaieError, UsageError
from simaie.exploration.across_processes import check_across_processes
from simaie.exploration.explorer import explore
from simaie.exploration.jobs import number_of_jobs
from simaie.exploration.report import Report
from simaie.exploration.single import explore_index
from simaie.guest.cut import Cut, without
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.saving import require_parent
from simaie.show.report_view import report_view
from simaie.show.trace_view import trace_view

__all__ = ["Search", "run_explore"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """The options of the search; None for an option that was not given, of which the default of the API holds.

    The attributes have the meaning of the arguments of `simaie.explore`, with these exceptions.

    Attributes:
        failures: Failing executions to look for, as text; ``"all"`` for no limit.
        index: Index of the only execution to run.
        jobs: The number of processes as text, or ``"auto"``.
        coverage: On by default, since people read the report; in `simaie.explore` it is off.
        cut: Parts to leave out of the program, each as `simaie.guest.cut.Cut.parse` reads it.
    """

    scheduler: str | None = None
    seed: int | None = None
    index: int | None = None
    executions: int | None = None
    seconds: float | None = None
    failures: str | None = None
    driver: str | None = None
    checkers: tuple[str, ...] | None = None
    check_determinism: bool = False
    jobs: str | None = None
    coverage: bool = True
    cut: tuple[str, ...] = ()


def run_explore(
    target: str,
    machine_options: MachineOptions,
    search: Search,
    folder: Path | None,
    output: Format,
    everything: bool,
    *,
    trust: bool = False,
    scenario: Scenario | None = None,
    example: Path | None = None,
) -> Status:
    """Explore, save, print; return the status of the verdict, or of an error on the way."""
    if example is not None:
        require_parent(example)
    with guest_output_aside():
        program = load_program(target, trust=trust, scenario=scenario)
        if search.cut:
            program = without(program, [Cut.parse(text) for text in search.cut])
        machine = make_machine(target, machine_options)
        mention_host(target, machine_options, machine)
        files = FailureFiles(folder)
        report, failed, interrupted = _explored(program, machine, search, files)
        for failure in report.kept:
            files(failure)
        if example is not None and not report.failing and report.example is not None:
            report.example.save(example)
    _print(report, files, output, everything)
    if failed is not None:
        raise failed
    status = Status.ERROR if files.incomplete else status_of(report.verdict)
    return status_unless_interrupted(status, interrupted)


def _explored(
    program: Program, machine: Machine, search: Search, files: FailureFiles
) -> tuple[Report, SimaieError | None, bool]:
    """Return the report, the error that ended the exploration, if one did, and whether Ctrl-C ended it."""
    options: dict[str, Any] = {
        name: value
        for name in ("scheduler", "seed", "seconds", "driver", "checkers", "check_determinism")
        if (value := getattr(search, name)) is not None
    }
    with exploration_progress(program.name) as progress:
        try:
            found = partial(_report, program, machine, search, options | {"progress": progress, "found": files})
            report, interrupted = found_until_interrupted(found)
            if search.check_determinism and search.index is None and not interrupted:
                interrupted = _check_elsewhere(report, options)
            return report, None, interrupted
        except SimaieError as error:
            if error.report is None or not error.report.failures:
                raise
            return error.report, error, False


def _report(program: Program, machine: Machine, search: Search, options: dict[str, Any]) -> Report:
    if search.index is not None:
        _refuse_limits(search)
        return explore_index(program, machine, index=search.index, **options)
    if search.executions is not None:
        options["executions"] = search.executions
    if search.failures is not None:
        options["failures"] = _failure_limit(search.failures)
    if search.jobs is not None:
        options["jobs"] = number_of_jobs(search.jobs)
    return explore(program, machine, coverage=search.coverage, **options)


def _check_elsewhere(report: Report, options: Mapping[str, Any]) -> bool:
    """Check determinism across processes; return whether Ctrl-C ended it. Its error carries the report."""
    named = {name: options[name] for name in ("scheduler", "seed", "driver") if name in options}
    try:
        check_across_processes(report.program, report.machine, **named)
        return False
    except KeyboardInterrupt:
        next_interrupt_ends_at_once()
        complain("the check in other processes was interrupted; what was found follows")
        return True
    except SimaieError as error:
        error.report = report
        raise


def _refuse_limits(search: Search) -> None:
    several = search.jobs is not None and number_of_jobs(search.jobs) > 1
    if several or search.executions is not None or search.failures is not None:
        raise UsageError("--index runs one execution; leave out --executions, --failures and several --jobs")


def _failure_limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--failures must be a positive number or 'all', not {text!r}")
    return int(text)


# -- printing ----------------------------------------------------------------------------------------


def _print(report: Report, files: FailureFiles, output: Format, everything: bool) -> None:
    if output is Format.JSON:
        print_json(Document.EXPLORE.named(report.as_dict() | {"saved": list(map(str, files.paths))}))
        return
    saved = {failure.index: path for failure in report.kept if (path := files.path(failure)) is not None}
    print_lines(report_view(report, saved, width=prose_width()))
    if report.failures:
        first = report.failures[0]
        lines = trace_view(first.trace, first.findings, everything=everything, width=width(), findings_below=False)
        print_lines([Text(), Text(f"execution {first.index}, step by step", "bold"), *lines])
