"""What ``simaie compare`` does with several programs: a line for each as soon as it is known, and how many of which."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from simaie.cli.compare import Search
from simaie.cli.interrupts import found_until_interrupted, interrupted_status
from simaie.cli.machines import MachineOptions, make_machine
from simaie.cli.output import Format, guest_output_aside, print_json, print_lines
from simaie.cli.progress import comparisons_progress
from simaie.cli.saved import FailureFiles
from simaie.cli.status import Status, status_of
from simaie.cli.targets import Wrong, load_targets
from simaie.errors import SimaieError
from simaie.exploration.compare import Comparison, compare
from simaie.finding import Verdict
from simaie.show.comparison_view import comparison_lines, note_lines

__all__ = ["run_comparisons"]


def run_comparisons(
    targets: Sequence[str], machine_options: MachineOptions, search: Search, folder: Path | None, output: Format
) -> Status:
    """Compare each program, save the witnesses, print. What cannot be run is said on stderr, and the others go on.

    An error outweighs what is forbidden, that an answer that is not sure.
    """
    wrong = Wrong()
    with guest_output_aside():
        programs = list(load_targets(targets, wrong))
        machine_of_program = {name: make_machine(name, machine_options) for name, _ in programs}
        for machine in machine_of_program.values():
            machine.check_options()
        tally = _Tally(FailureFiles(folder), wrong)
    for found in _compared(programs, machine_of_program, search, tally):
        tally.take(found)
        if output is Format.TEXT:
            print_lines(comparison_lines(found))
    if output is Format.JSON:
        print_json(tally.as_dict())
    else:
        print_lines(note_lines(tally.notes))
    sys.stdout.flush()
    print(tally, file=sys.stderr)
    return tally.status


def _compared(
    programs: Sequence[tuple[str, Any]], machines: dict[str, Any], search: Search, tally: _Tally
) -> Iterator[Comparison]:
    """One comparison after the other, the last of them the one that was interrupted."""
    with comparisons_progress([name for name, _ in programs]) as progress:
        for number, (name, program) in enumerate(programs):
            told = None if progress is None else progress(number)
            try:
                with guest_output_aside():
                    found, interrupted = found_until_interrupted(
                        partial(
                            compare, program, machine=machines[name], progress=told, found=tally.files,
                            **search.as_options(),
                        )
                    )
            except SimaieError as error:
                tally.wrong.take(name, error)
                continue
            yield found
            if interrupted:
                return


@dataclass
class _Tally:
    """What has come out so far. files: of the witnesses. wrong: what cannot be run."""

    files: FailureFiles
    wrong: Wrong
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
        """As JSON values."""
        saved = list(map(str, self.files.paths))
        found = {"comparisons": self.documents, "errors": self.wrong.errors, "saved": saved}
        return {**found, "interrupted": self.interrupted}

    @property
    def status(self) -> Status:
        """The exit status that says the worst."""
        if self.interrupted:
            return interrupted_status()
        if self.files.incomplete or self.wrong.errors:
            return Status.ERROR
        for verdict in (Verdict.VIOLATED, Verdict.INCONCLUSIVE):
            if self.verdicts[verdict]:
                return status_of(verdict)
        return Status.HOLDS

    def __str__(self) -> str:
        parts = [f"{self.verdicts[verdict]} {verdict.value}" for verdict in Verdict if self.verdicts[verdict]]
        parts += [f"{len(self.wrong.errors)} that cannot be run"] if self.wrong.errors else []
        count, elapsed = self.verdicts.total(), time.perf_counter() - self.began
        end = "; interrupted" if self.interrupted else ""
        return f"{count} program{'' if count == 1 else 's'}: {', '.join(parts) or 'none'}; {elapsed:.1f} s{end}"
