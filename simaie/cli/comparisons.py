"""The command ``simaie compare`` with several programs: a line for each as soon as it is known, and the counts."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from simaie.binary.scenario import Scenario
from simaie.cli.compare import Search
from simaie.cli.documents import Document
from simaie.cli.interrupts import found_until_interrupted, interrupted_status, next_interrupt_ends_at_once
from simaie.cli.machines import MachineOptions, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import comparisons_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.cli.targets import InputErrors, load_targets
from simaie.errors import SimaieError
from simaie.exploration.compare import Comparison, compare
from simaie.exploration.in_order import in_order
from simaie.finding import Verdict
from simaie.show.comparison_view import comparison_lines, note_lines

__all__ = ["run_comparisons"]


def run_comparisons(
    targets: Sequence[str],
    machine_options: MachineOptions,
    search: Search,
    folder: Path | None,
    output: Format,
    scenario: Scenario | None = None,
) -> Status:
    """Compare each program, save the witnesses, print; report programs that cannot be run on stderr, and go on.

    The status is the first that applies of: error, forbidden, inconclusive, holds.
    """
    input_errors = InputErrors()
    with guest_output_aside():
        programs = list(load_targets(targets, input_errors, scenario))
        machine_of_program = {name: make_machine(name, machine_options) for name, _ in programs}
        for machine in machine_of_program.values():
            machine.check_options()
        tally = _Tally(FailureFiles(folder), input_errors)
    for found in _compared(programs, machine_of_program, search, tally):
        tally.take(found)
        if output is Format.TEXT:
            print_lines(comparison_lines(found))
    if output is Format.JSON:
        print_json(Document.COMPARE_ALL.named(tally.as_dict()))
    else:
        print_lines(note_lines(tally.notes))
    sys.stdout.flush()
    print(tally, file=sys.stderr)
    return tally.status


def _compared(
    programs: Sequence[tuple[str, Any]], machines: dict[str, Any], search: Search, tally: _Tally
) -> Iterator[Comparison]:
    """Yield one comparison after the other; after an interrupt, the interrupted one is the last."""
    if search.jobs > 1:
        yield from _compared_elsewhere(programs, machines, search, tally)
        return
    with comparisons_progress([name for name, _ in programs]) as progress:
        for number, (name, program) in enumerate(programs):
            show = None if progress is None else progress(number)
            try:
                with guest_output_aside():
                    found, interrupted = found_until_interrupted(
                        partial(
                            compare, program, machine=machines[name], progress=show, found=tally.files,
                            **search.as_options(),
                        )
                    )
            except SimaieError as error:
                tally.input_errors.take(name, error)
                continue
            yield found
            if interrupted:
                return


def _compared_elsewhere(
    programs: Sequence[tuple[str, Any]], machines: dict[str, Any], search: Search, tally: _Tally
) -> Iterator[Comparison]:
    """Yield the comparisons that other processes make; Ctrl-C ends them between two programs."""
    names = [name for name, _ in programs]
    results = in_order(_Comparer(programs, machines, search), range(len(programs)), search.jobs)
    with comparisons_progress(names) as progress:
        for name in names:
            try:
                with guest_output_aside():
                    found = next(results)
            except KeyboardInterrupt:
                next_interrupt_ends_at_once()
                tally.interrupted = True
                return
            if progress is not None:
                progress(names.index(name))
            if isinstance(found, Comparison):
                yield found
            else:
                tally.input_errors.take(name, found)


class _Comparer:
    """A function from the number of a program to its comparison, or to the error that prevents it."""

    def __init__(self, programs: Sequence[tuple[str, Any]], machines: dict[str, Any], search: Search) -> None:
        self._programs, self._machines, self._search = programs, machines, search

    def __call__(self, number: int) -> Comparison | SimaieError:
        name, program = self._programs[number]
        try:
            found = compare(program, machine=self._machines[name], **self._search.as_options())
        except SimaieError as error:
            return error
        return replace(found, possible=replace(found.possible, witnesses={}))  # traces, which `forbidden` has, too


@dataclass
class _Tally:
    """The results so far.

    Attributes:
        files: The replay files of the witnesses.
        input_errors: The errors of programs that cannot be run.
    """

    files: FailureFiles
    input_errors: InputErrors
    documents: list[dict[str, Any]] = field(default_factory=list)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    notes: dict[str, None] = field(default_factory=dict)
    interrupted: bool = False
    began: float = field(default_factory=time.perf_counter)

    def take(self, found: Comparison) -> None:
        """Count a comparison and save its witnesses."""
        self.documents.append(found.as_dict())
        self.verdicts[found.verdict] += 1
        self.interrupted |= found.interrupted
        self.notes |= {found.model_note: None} if found.model_note else {}
        for each in found.forbidden:
            self.files(each.failure)

    def as_dict(self) -> dict[str, Any]:
        """Return the results as JSON values."""
        saved = list(map(str, self.files.paths))
        found = {"comparisons": self.documents, "errors": self.input_errors.errors, "saved": saved}
        return {**found, "interrupted": self.interrupted}

    @property
    def status(self) -> Status:
        """The status of the worst result."""
        if self.interrupted:
            return interrupted_status()
        if self.files.incomplete or self.input_errors.errors:
            return Status.ERROR
        for verdict in (Verdict.VIOLATED, Verdict.INCONCLUSIVE):
            if self.verdicts[verdict]:
                return status_of(verdict)
        return Status.HOLDS

    def __str__(self) -> str:
        parts = [f"{self.verdicts[verdict]} {verdict.value}" for verdict in Verdict if self.verdicts[verdict]]
        parts += [f"{len(self.input_errors.errors)} that cannot be run"] if self.input_errors.errors else []
        count, elapsed = self.verdicts.total(), time.perf_counter() - self.began
        end = "; interrupted" if self.interrupted else ""
        return f"{count} program{'' if count == 1 else 's'}: {', '.join(parts) or 'none'}; {elapsed:.1f} s{end}"
