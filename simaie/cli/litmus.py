"""What ``simaie litmus`` does: run litmus files as herd7 would, under a scheme and a host memory."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simaie.cli.options import LitmusFormat
from simaie.cli.progress import litmus_progress
from simaie.cli.status import Status, complain
from simaie.explore.litmus import LitmusResult
from simaie.explore.litmus_files import LitmusSettings, explore_litmus_files
from simaie.guest.litmus import LitmusError, Quantifier
from simaie.guest.litmus.lowering import UnsupportedError
from simaie.show.litmus_view import herd_log

__all__ = ["find_files", "run_litmus"]

_LISTS_DEEP = 8


def run_litmus(paths: Sequence[str], settings: LitmusSettings, jobs: int, output: LitmusFormat) -> Status:
    """Run every file and print each result; what cannot be run is said on stderr, and the others go on.

    An error outweighs a broken promise (a `forall` or `~exists` that does not hold), that an answer that is not sure.
    """
    tally = _Tally()
    files = list(find_files(paths, tally))
    try:
        _run(files, settings, jobs, output, tally)
    except KeyboardInterrupt:
        tally.interrupted = True
    if output is LitmusFormat.JSON:
        json.dump(tally.as_dict(), sys.stdout, indent=1)
        print()
    sys.stdout.flush()
    print(tally, file=sys.stderr)
    return tally.status


def _run(files: Sequence[str], settings: LitmusSettings, jobs: int, output: LitmusFormat, tally: _Tally) -> None:
    with litmus_progress(len(files)) as progress:
        for each in explore_litmus_files(files, settings, jobs=jobs):
            tally.take(each)
            if isinstance(each, LitmusResult) and output is LitmusFormat.HERD:
                sys.stdout.write(herd_log(each))
            if progress is not None:
                progress(tally.done, each.file if isinstance(each, LitmusError) else each.test.file)


@dataclass
class _Tally:
    """What has come out so far."""

    results: list[LitmusResult] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    unsupported: int = 0
    interrupted: bool = False
    began: float = field(default_factory=time.perf_counter)

    def take(self, each: LitmusResult | LitmusError) -> None:
        """Count a result; say what is wrong with a file, or with an answer."""
        if isinstance(each, LitmusResult):
            self.results.append(each)
            if not each.conclusive:
                complain(f"{each.test.file}: the answer is not sure: {_why(each)}")
            return
        unsupported = isinstance(each, UnsupportedError)
        self.unsupported += unsupported
        self.errors.append(
            {
                "file": each.file,
                "line": each.line,
                "column": each.column,
                "problem": str(each),
                "unsupported": unsupported,
            }
        )
        complain(str(each))

    def lacks(self, path: str, problem: str) -> None:
        """Count and say that a path leads nowhere."""
        self.errors.append({"file": path, "line": 0, "column": 0, "problem": problem, "unsupported": False})
        complain(f"{path}: {problem}")

    @property
    def done(self) -> int:
        """How many files have been dealt with."""
        return len(self.results) + len(self.errors)

    @property
    def status(self) -> Status:
        """The exit status that says the worst."""
        if self.interrupted:
            return Status.INTERRUPTED
        if self.errors:
            return Status.ERROR
        if any(_broken(result) for result in self.results):
            return Status.VIOLATED
        return Status.HOLDS if all(result.conclusive for result in self.results) else Status.INCONCLUSIVE

    def __str__(self) -> str:
        answers = [result.verdict.answer for result in self.results]
        unsure = sum(not result.conclusive for result in self.results)
        parts = [f"{answers.count('Ok')} Ok", f"{answers.count('No')} No"]
        parts += [f"{unsure} of these not sure"] if unsure else []
        parts += [f"{self.unsupported} unsupported"] if self.unsupported else []
        unreadable = len(self.errors) - self.unsupported
        parts += [f"{unreadable} unreadable"] if unreadable else []
        executions = sum(result.executions for result in self.results)
        end = "; interrupted" if self.interrupted else ""
        elapsed = time.perf_counter() - self.began
        return f"{self.done} files: {', '.join(parts)}; {executions:,} executions, {elapsed:.1f} s{end}"

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "tests": [result.as_dict() for result in self.results],
            "errors": self.errors,
            "interrupted": self.interrupted,
        }


def _broken(result: LitmusResult) -> bool:
    """Whether what the test promises does not hold; a state that `exists` asks for is no promise."""
    return result.test.condition.quantifier is not Quantifier.EXISTS and result.verdict.answer == "No"


def _why(result: LitmusResult) -> str:
    if not result.complete:
        return f"a limit ended the search after {result.executions} executions"
    return "a loop was cut; --unroll N goes round it more often"


# -- files ------------------------------------------------------------------------------------------


def find_files(paths: Iterable[str], tally: _Tally, depth: int = 0) -> Iterator[str]:
    """The files that `paths` mean: a file itself, the `*.litmus` in a folder, and what an `@list` lists.

    A list has a path a line, relative to its own folder; what follows a `#` is a comment. A folder is walked in the
    order of names. What leads nowhere goes into the tally.
    """
    for path in paths:
        if path.startswith("@"):
            yield from _listed(path, tally, depth)
        elif os.path.isdir(path):
            found = sorted(str(each) for each in Path(path).rglob("*.litmus") if each.is_file())
            if not found:
                tally.lacks(path, "there is no .litmus file in this folder")
            yield from found
        else:
            yield path


def _listed(path: str, tally: _Tally, depth: int) -> Iterator[str]:
    name = Path(path[1:])
    if depth >= _LISTS_DEEP:
        tally.lacks(path, f"lists in lists, more than {_LISTS_DEEP} deep")
        return
    try:
        lines = name.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        tally.lacks(path, f"the list cannot be read: {getattr(error, 'strerror', None) or 'it is not text in UTF-8'}")
        return
    entries = [entry for line in lines if (entry := line.partition("#")[0].strip())]
    yield from find_files([_beside(name, entry) for entry in entries], tally, depth + 1)


def _beside(name: Path, entry: str) -> str:
    mark = "@" * entry.startswith("@")
    return mark + str(name.parent / entry.removeprefix("@"))
