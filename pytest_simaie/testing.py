"""Exploring a test's program: kept failures first, then the search; a violation is shrunk, kept and told."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from pathlib import Path
from typing import Any, NoReturn

import pytest

from simaie import Failure, Machine, Program, Report, SimaieError
from simaie import explore as explore_program
from simaie import replay as replay_file
from simaie.errors import ReplayError, UsageError
from simaie.finding import Verdict
from simaie.guest.cut import without
from simaie.replay.file import load

__all__ = ["FOLDER", "Explore"]

#: Under pytest's root folder: a file for each test that failed, until it passes.
FOLDER = ".simaie"
MACHINE = ("scheme", "host", "full_system", "host_word", "address_bits", "endian", "limits")
SEARCH = ("scheduler", "executions", "seed", "seconds", "checkers", "driver")


class Explore:
    """Explores programs for one test."""

    def __init__(self, item: pytest.Item) -> None:
        self.used = False
        self._item = item
        self._replayed = False

    def __call__(self, program: Program, **options: Any) -> Report | None:
        """Explore `program`; fails the test at a violation. None if only a file was replayed."""
        self.used = True
        try:
            return self._explore(program, options)
        except (UsageError, ReplayError) as error:
            pytest.fail(str(error), pytrace=False)

    def require_replayed(self) -> None:
        """After a test: the file to replay must have been one of its own."""
        file = self._item.config.getoption("simaie_replay")
        if self.used and file and not self._replayed:
            pytest.fail(f"{file}: it holds a failure of another test or program than {self._item.nodeid}",
                        pytrace=False)

    def _explore(self, program: Program, given: dict[str, Any]) -> Report | None:
        options = self._options(given)
        machine = Machine(**{name: options.pop(name) for name in MACHINE if name in options})
        asked = self._item.config.getoption("simaie_replay")
        if asked:
            path = self._item.config.invocation_params.dir / asked
            again = self._again(path, program, machine, options)
            if again is not None:
                self._replayed = True
                self._judge(again, path)
            return None
        kept = self._kept
        if kept.is_file():
            self._retry(kept, program, machine, options)
        report = explore_program(program, machine, **options)
        if report.failures:
            self._fail(report.failures[0])
        return report

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        """The mark's, then the call's, then the command line's."""
        options: dict[str, Any] = {}
        for mark in reversed(list(self._item.iter_markers("simaie"))):
            if mark.args:
                raise UsageError(f"@pytest.mark.simaie takes its options by name, as in scheme={mark.args[0]!r}")
            options |= mark.kwargs
        options |= given
        known = MACHINE + SEARCH
        if unknown := sorted(set(options) - set(known)):
            raise UsageError(f"simaie has no option {', '.join(unknown)} for a test (known: {', '.join(known)})")
        for name in ("seed", "executions", "scheduler"):
            value = self._item.config.getoption(f"simaie_{name}")
            if value is not None:
                options[name] = value
        return options

    @property
    def _kept(self) -> Path:
        node = self._item.nodeid
        digest = hashlib.blake2b(node.encode(), digest_size=4).hexdigest()
        name = re.sub(r"\W+", "-", self._item.name).strip("-")[:60]
        return self._item.config.rootpath / FOLDER / f"{name}-{digest}.json"

    def _retry(self, kept: Path, program: Program, machine: Machine, options: dict[str, Any]) -> None:
        """Run the failure of last time; it is let go once it passes."""
        try:
            again = self._again(kept, program, machine, options)
        except SimaieError:
            kept.unlink()  # damaged, or the test is no longer what it was
            return
        if again is not None:
            self._judge(again, kept)
            kept.unlink()

    def _again(self, path: Path, program: Program, machine: Machine, options: dict[str, Any]) -> Failure | None:
        """The recorded schedule on the test's program and machine; None if it is of another program."""
        record = load(path).program
        if (record.name, record.digest) != (program.name, program.digest):
            return None
        small = without(program, record.cuts) if record.cuts else program
        choice = {name: options[name] for name in ("driver", "checkers") if name in options}
        return replay_file(path, program=small, machine=machine, mode="best-effort", **choice)

    def _judge(self, again: Failure, path: Path) -> None:
        if again.findings and again.verdict is Verdict.VIOLATED:
            self._tell(again, path)

    def _fail(self, failure: Failure) -> NoReturn:
        small = failure.shrink().failure
        path = small.save(self._kept)
        folder = self._item.config.getoption("simaie_save")
        if folder:
            path = small.save(self._item.config.invocation_params.dir / folder / path.name)
        self._tell(small, path)

    def _tell(self, failure: Failure, path: Path) -> NoReturn:
        shown = os.path.relpath(path, self._item.config.invocation_params.dir)
        command = shlex.join(["pytest", self._item.nodeid, "--simaie-replay", shown])
        pytest.fail(f"{failure}\n\n{failure.explain()}\n\nreplay: {command}", pytrace=False)
