"""The command ``simaie litmus``: run litmus files as herd7 would, under a scheme and a host memory."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simaie.cli.documents import Document
from simaie.cli.interrupts import interrupted_status, next_interrupt_ends_at_once
from simaie.cli.options import LitmusFormat
from simaie.cli.output import ListedFirst
from simaie.cli.progress import litmus_progress
from simaie.cli.status import Status, complain
from simaie.exploration.litmus import LitmusResult
from simaie.exploration.litmus_files import LitmusSettings, explore_litmus_files
from simaie.litmus import LitmusError, Quantifier
from simaie.litmus.lowering import UnsupportedError
from simaie.litmus.paths import find_files
from simaie.show.herd_log import herd_log

__all__ = ["run_litmus"]


def run_litmus(paths: Sequence[str], settings: LitmusSettings, jobs: int, output: LitmusFormat) -> Status:
    """Run every file and print each result; report files that cannot be run on stderr, and go on.

    The status is the first that applies of: error, violated (a `forall` or `~exists` does not hold), inconclusive (an
    answer is not sure), holds.
    """
    tally = _Tally()
    files = list(find_files(paths, tally))
    document = ListedFirst("tests") if output is LitmusFormat.JSON else None
    try:
        _run(files, settings, jobs, document, tally)
    except KeyboardInterrupt:
        next_interrupt_ends_at_once()
        tally.interrupted = True
    if document is not None:
        document.end({"schema": Document.LITMUS.value, "errors": tally.errors, "interrupted": tally.interrupted})
    sys.stdout.flush()
    print(tally, file=sys.stderr)
    return tally.status


def _run(
    files: Sequence[str], settings: LitmusSettings, jobs: int, document: ListedFirst | None, tally: _Tally
) -> None:
    """Print each result as soon as it is known, so that an end of the process loses no earlier result."""
    with litmus_progress(files) as progress:
        results = explore_litmus_files(files, settings, jobs=jobs, progress=progress if jobs == 1 else None)
        for number, each in enumerate(results):
            tally.take(each)
            if isinstance(each, LitmusResult):
                if document is None:
                    sys.stdout.write(herd_log(each))
                else:
                    document.add(each.as_dict())
                sys.stdout.flush()
            if progress is not None and jobs > 1:
                progress(number, 0)


@dataclass
class _Tally:
    """The counts so far, and the errors."""

    errors: list[dict[str, Any]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    unsure: int = 0
    partial: int = 0
    broken: int = 0
    unsupported: int = 0
    interrupted: bool = False
    began: float = field(default_factory=time.perf_counter)

    def take(self, each: LitmusResult | LitmusError) -> None:
        """Count a result; report an error of a file, or an answer that is not sure, on stderr."""
        if isinstance(each, LitmusError):
            unsupported = isinstance(each, UnsupportedError)
            self.unsupported += unsupported
            self._add_error(each.file, each.line, each.column, str(each), unsupported)
            complain(str(each))
            return
        self.answers[each.verdict.answer] += 1
        self.executions += each.executions
        self.broken += _broken(each)
        if not each.conclusive:
            self.unsure += 1
            complain(f"{each.test.file}: the answer is not sure: {_why(each)}")
        elif not each.complete_states:
            self.partial += 1
            complain(f"{each.test.file}: the answer is sure, but states may be missing: {_why(each)}")

    def missing(self, path: str, problem: str) -> None:
        """Count and report a path that leads nowhere."""
        self._add_error(path, 0, 0, problem, False)
        complain(f"{path}: {problem}")

    def _add_error(self, file: str, line: int, column: int, problem: str, unsupported: bool) -> None:
        found = {"file": file, "line": line, "column": column, "problem": problem, "unsupported": unsupported}
        self.errors.append(found)

    @property
    def done(self) -> int:
        """The number of files that were run or refused."""
        return self.answers.total() + len(self.errors)

    @property
    def status(self) -> Status:
        """The status of the worst result."""
        if self.interrupted:
            return interrupted_status()
        if self.errors:
            return Status.ERROR
        if self.broken:
            return Status.VIOLATED
        return Status.INCONCLUSIVE if self.unsure else Status.HOLDS

    def __str__(self) -> str:
        parts = [f"{self.answers['Ok']} Ok", f"{self.answers['No']} No"]
        unreadable = len(self.errors) - self.unsupported
        rest = {
            "of these not sure": self.unsure,
            "of these sure, but with states missing": self.partial,
            "unsupported": self.unsupported,
            "unreadable": unreadable,
        }
        parts += [f"{count} {what}" for what, count in rest.items() if count]
        end = "; interrupted" if self.interrupted else ""
        elapsed = time.perf_counter() - self.began
        files = f"{self.done} file{'' if self.done == 1 else 's'}"
        return f"{files}: {', '.join(parts)}; {self.executions:,} executions, {elapsed:.1f} s{end}"


def _broken(result: LitmusResult) -> bool:
    """Return whether a `forall` or `~exists` does not hold; an `exists` promises nothing."""
    return result.test.condition.quantifier is not Quantifier.EXISTS and result.verdict.answer == "No"


def _why(result: LitmusResult) -> str:
    if result.interrupted:
        return f"the search was interrupted after {result.executions} executions"
    if not result.complete:
        return f"a limit ended the search after {result.executions} executions"
    return "a loop was cut; --unroll N goes round the loop more often"
