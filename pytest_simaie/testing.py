"""Exploring a test's program: kept failures first, then the search; a violation is shrunk, kept and told."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from pytest_simaie.kept import keep, kept_file, run_again, test_of
from simaie import Failure, Machine, Program, Report, SimaieError
from simaie import explore as explore_program
from simaie.errors import ReplayError, UsageError
from simaie.finding import Verdict
from simaie.guest.text import is_data, program_text
from simaie.show.failure_view import failure_view

__all__ = ["Explore"]

MACHINE = ("scheme", "host", "full_system", "host_word", "address_bits", "endian", "limits")
SEARCH = ("scheduler", "executions", "seed", "seconds", "checkers", "driver")
T = TypeVar("T")
_KEY: pytest.StashKey[Explore] = pytest.StashKey()
#: What a line of a trace may take, in characters: pytest does not say how wide its reports are.
_WIDTH = 120


class Explore:
    """Explores programs for one test.

    drawn: whether the programs come from Hypothesis' `given`: then a failure is told in short, so that Hypothesis can
    look for a smaller program, and `tell_drawn` says all of it in the end. told: how the test was failed, if it was.
    """

    def __init__(self, item: pytest.Item) -> None:
        self.used = False
        self.drawn = False
        self.told: BaseException | None = None
        self._item = item
        self._replayed = False
        self._latest: Failure | None = None

    @classmethod
    def of(cls, item: pytest.Item) -> Explore:
        """The one of this test: its mark and its fixture share it."""
        if (known := cls.used_by(item)) is None:
            known = item.stash[_KEY] = cls(item)
        return known

    @staticmethod
    def used_by(item: pytest.Item) -> Explore | None:
        """The one of this test, if there is one already."""
        return item.stash.get(_KEY, None)

    def __call__(self, program: Program, **options: Any) -> Report:
        """Explore `program`; fails the test at a violation.

        With ``--simaie-replay`` only the execution that the file holds can fail, and the report is of that one, or, if
        the file holds none of this program, of one execution that nobody judges.
        """
        self.used = True
        return self._or_fail(lambda: self._explore(program, self._options(options)))

    def begin(self) -> None:
        """The test's function is called, again if its programs are drawn."""
        self._latest = None

    def fail(self, message: str) -> NoReturn:
        """Fail the test with `message` and nothing else."""
        self.told = pytest.fail.Exception(message, pytrace=False)
        raise self.told from None

    # -- files ---------------------------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """The file that is to be replayed, and nothing else."""
        asked = self._item.config.getoption("simaie_replay")
        return self._item.config.invocation_params.dir / asked if asked else None

    def replay_alone(self) -> None:
        """Run the file that is to be replayed on the program that it holds itself."""
        if self.file is not None:
            self.used = True
            self._or_fail(lambda: self._replay(None, self._options({})))

    def retry_alone(self) -> None:
        """Run the failure that is kept of a test whose programs are drawn on the program that it holds itself."""
        self._or_fail(lambda: self._retry(None, self._options({})))

    def require_replayed(self) -> None:
        """After a test: the file to replay must have been one of its own."""
        if self.used and self.file is not None and not self._replayed:
            self._refuse_file("of another program than those")

    def _refuse_file(self, whose: str) -> NoReturn:
        self.fail(f"{self.file}: it holds a failure {whose} of {self._item.nodeid}; name the test that it is of")

    # -- exploring -----------------------------------------------------------------------------

    def _explore(self, program: Program, options: dict[str, Any]) -> Report:
        machine, search = _machine(options)
        if self.file is not None:
            again = self._replay(program, options)
            schedule = "" if again is None else again.trace.schedule.text
            script = ("scripted", {"schedule": schedule, "strict": False})
            return explore_program(program, machine, **search | {"scheduler": script, "executions": 1})
        if not self.drawn:
            self._retry(program, options)
        report = explore_program(program, machine, **search)
        if report.failures:
            self._fail(report.failures[0])
        return report

    def _replay(self, program: Program | None, options: dict[str, Any]) -> Failure | None:
        """What the file to replay gives now; None if it is of another program. It fails the test if that fails."""
        assert self.file is not None
        test = test_of(self.file)
        if test not in (None, self._item.nodeid):
            self._refuse_file(f"of {test}, not")
        again = run_again(self.file, program, _machine(options)[0], options)
        if again is not None:
            self._replayed = True
            self._judge(again, self.file)
        return again

    def _retry(self, program: Program | None, options: dict[str, Any]) -> None:
        """Run the failure of last time, if one is kept; it is let go once it passes."""
        kept = kept_file(self._item)
        if self.file is not None or not kept.is_file():
            return
        machine, _ = _machine(options)
        try:
            again = run_again(kept, program, machine, options)
        except SimaieError:
            kept.unlink()  # damaged, or the test is no longer what it was
            return
        if again is not None:
            self._judge(again, kept)
            kept.unlink()

    def _options(self, given: dict[str, Any]) -> dict[str, Any]:
        """The mark's, then the call's, then the command line's."""
        options: dict[str, Any] = {}
        for mark in reversed(list(self._item.iter_markers("simaie"))):
            if mark.args:
                raise UsageError(f"@pytest.mark.simaie takes its options by name, as in scheme={mark.args[0]!r}")
            options |= mark.kwargs
        options |= given
        _require_known(options)
        for name in ("seed", "executions", "scheduler"):
            value = self._item.config.getoption(f"simaie_{name}")
            if value is not None:
                options[name] = value
        return options

    # -- telling -------------------------------------------------------------------------------

    def tell_drawn(self) -> None:
        """Shrink, keep and tell the last failure of a test whose programs are drawn: Hypothesis ends with the least."""
        if self._latest is not None:
            self._keep_and_tell(self._latest)

    def _judge(self, again: Failure, path: Path) -> None:
        if again.findings and again.verdict is Verdict.VIOLATED:
            self._tell(again, path)

    def _fail(self, failure: Failure) -> NoReturn:
        if self.drawn:
            self._latest = failure
            raise AssertionError(str(failure))  # an Exception, which Hypothesis takes out of groups too
        self._keep_and_tell(failure)

    def _keep_and_tell(self, failure: Failure) -> NoReturn:
        small = failure.shrink().failure
        folder = self._item.config.getoption("simaie_save")
        where = self._item.config.invocation_params.dir / folder if folder else None
        self._tell(small, keep(small, self._item, where))

    def _tell(self, failure: Failure, path: Path) -> NoReturn:
        shown = os.path.relpath(path, self._item.config.invocation_params.dir)
        command = shlex.join(["pytest", self._item.nodeid, "--simaie-replay", shown])
        title = f"program {failure.program.name!r} under {failure.machine.scheme} on {failure.machine.host}"
        code = [program_text(failure.program)] if is_data(failure.program) else []
        trace = "\n".join(line.plain.rstrip() for line in failure_view(failure, width=_WIDTH))
        self.fail("\n\n".join([str(failure), title, *code, trace, f"replay: {command}"]))

    def _or_fail(self, action: Callable[[], T]) -> T:
        """What `action` returns; what is wrong with its use fails the test in one line."""
        try:
            return action()
        except (UsageError, ReplayError) as error:
            self.fail(str(error))


def _machine(options: dict[str, Any]) -> tuple[Machine, dict[str, Any]]:
    """The machine that the options describe, and those that are left for the search."""
    machine = Machine(**{name: options[name] for name in MACHINE if name in options})
    return machine, {name: value for name, value in options.items() if name not in MACHINE}


def _require_known(options: dict[str, Any]) -> None:
    known = MACHINE + SEARCH
    for name in sorted(set(options) - set(known)):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"simaie has no option {name!r} for a test{hint} (known: {', '.join(known)})")
