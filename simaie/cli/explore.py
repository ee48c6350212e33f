"""What ``simaie explore`` does: run a program under many schedules, report, show and save what failed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from simaie.cli.machines import MachineOptions, load_program, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines, width
from simaie.cli.progress import exploration_progress
from simaie.cli.status import Status, complain, status_of
from simaie.errors import InputError, SimaieError, UsageError
from simaie.exploration.across_processes import check_across_processes
from simaie.exploration.explorer import explore
from simaie.exploration.report import Report
from simaie.exploration.single import explore_index
from simaie.guest.cut import Cut, without
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.failure import Failure
from simaie.show.report_view import report_view
from simaie.show.trace_view import trace_view

__all__ = ["Search", "file_name", "make_folder", "run_explore", "save_failures"]


@dataclass(frozen=True, kw_only=True)
class Search:
    """The options of the search as given; None where they were not, and the defaults of `simaie.explore` hold.

    failures: how many to look for, ``"all"`` to go on to the end. index: of the one execution to run alone.
    coverage: on here, where people read the report; in `simaie.explore` it is off. cut: what to leave out of the
    program, each as `simaie.guest.cut.Cut.parse` reads it.
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
) -> Status:
    """Explore, save, print; the status says the verdict, or that something went wrong on the way."""
    with guest_output_aside():
        program = load_program(target, trust=trust)
        if search.cut:
            program = without(program, [Cut.parse(text) for text in search.cut])
        machine = make_machine(target, machine_options)
        if folder is not None:
            make_folder(folder)
        report, failed = _explored(program, machine, search)
        saved, unsaved = _save_all(report, folder) if report is not None and folder is not None else ({}, False)
    if report is not None:
        _print(report, saved, output, everything)
    if failed is not None:
        raise failed
    assert report is not None  # it is only ever absent beside an error
    return Status.ERROR if unsaved else status_of(report.verdict)


def _explored(program: Program, machine: Machine, search: Search) -> tuple[Report | None, SimaieError | None]:
    """The report, and the error that ended the exploration early, if one did and there is something to report."""
    options: dict[str, Any] = {
        name: value
        for name in ("scheduler", "seed", "seconds", "driver", "checkers", "check_determinism")
        if (value := getattr(search, name)) is not None
    }
    with exploration_progress(program.name) as progress:
        try:
            if search.index is not None:
                _refuse_limits(search)
                return explore_index(program, machine, index=search.index, progress=progress, **options), None
            if search.executions is not None:
                options["executions"] = search.executions
            if search.failures is not None:
                options["failures"] = _failure_limit(search.failures)
            report = explore(program, machine, progress=progress, coverage=search.coverage, **options)
            if search.check_determinism and not report.interrupted:
                _check_elsewhere(report, options)
            return report, None
        except SimaieError as error:
            if error.report is None or not error.report.failures:
                raise
            return error.report, error


def _check_elsewhere(report: Report, options: Mapping[str, Any]) -> None:
    """The determinism check's other half; its error brings the report along."""
    named = {name: options[name] for name in ("scheduler", "seed", "driver") if name in options}
    try:
        check_across_processes(report.program, report.machine, **named)
    except SimaieError as error:
        error.report = report
        raise


def _refuse_limits(search: Search) -> None:
    if search.executions is not None or search.failures is not None:
        raise UsageError("--index runs one execution: it goes with neither --executions nor --failures")


def _failure_limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--failures must be a positive number or 'all', not {text!r}")
    return int(text)


# -- saving ------------------------------------------------------------------------------------------


def file_name(failure: Failure) -> str:
    """``<program>-<scheme>-<index>.json``, with nothing in it that a file system or a shell would mind."""
    parts = (re.sub(r"[^A-Za-z0-9._=-]+", "_", text)[:80] for text in (failure.program.name, failure.machine.scheme))
    return f"{'-'.join(parts).lstrip('.-')}-{failure.index}.json"


def make_folder(folder: Path) -> None:
    """Make it, or say what is in the way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made a folder for replay files: {error.strerror}") from error


def _save_all(report: Report, folder: Path) -> tuple[Mapping[int, Path], bool]:
    """The files written, by index; and whether some could not be, which has been said then."""
    saved, unsaved = save_failures(report.kept, folder)
    return {failure.index: path for failure, path in zip(report.kept, saved, strict=False)}, unsaved


def save_failures(failures: Iterable[Failure], folder: Path) -> tuple[list[Path], bool]:
    """The files written, in order up to the first that could not be; and whether there was one, which is said then."""
    saved: list[Path] = []
    for failure in failures:
        path = folder / file_name(failure)
        try:
            saved.append(failure.save(path))
        except OSError as error:
            complain(f"{path}: cannot be written: {error.strerror}")
            return saved, True
        except SimaieError as error:
            complain(f"{path}: not written: {error}")
            return saved, True
    return saved, False


# -- printing ----------------------------------------------------------------------------------------


def _print(report: Report, saved: Mapping[int, Path], output: Format, everything: bool) -> None:
    if output is Format.JSON:
        print_json({**report.as_dict(), "saved": [str(path) for path in saved.values()]})
        return
    print_lines(report_view(report, saved))
    if report.failures:
        first = report.failures[0]
        lines = trace_view(first.trace, first.findings, everything=everything, width=width(), findings_below=False)
        print_lines([Text(), Text(f"execution {first.index}, step by step", "bold"), *lines])
