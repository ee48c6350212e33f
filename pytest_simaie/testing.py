"""Exploring a test's program: kept failures first, then the search; a violation is shrunk, kept and told.

The search goes on behind the first failing execution, for `MOST_FAILING` of them and never longer than that of a test
that passes. Of the failures the strongest is the test's: one that is caused by a store of the value that was there is
easily dismissed. One failure of each other signature is reported below it.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from pytest_simaie.drawn import drawn_failure, drawn_failures
from pytest_simaie.kept import keep, kept_file, let_go, run_again, save_other, test_of
from simaie import Failure, Interrupted, Machine, Program, Report, SimaieError
from simaie import explore as explore_program
from simaie.errors import ReplayError, UsageError
from simaie.exploration.counterexamples import Counterexample, counterexamples
from simaie.finding import Strength, Verdict
from simaie.guest.text import is_data, program_text
from simaie.printable import clean_lines
from simaie.show.failure_view import failure_view
from simaie.trace import Ending

__all__ = ["Explore"]

MACHINE = ("scheme", "host", "full_system", "host_word", "address_bits", "endian", "limits")
SEARCH = ("scheduler", "executions", "seed", "seconds", "checkers", "driver")
T = TypeVar("T")
_KEY: pytest.StashKey[Explore] = pytest.StashKey()
#: What a line of a trace may take, in characters: pytest does not say how wide its reports are.
_WIDTH = 120
#: Failing executions of one exploration, behind which it ends.
MOST_FAILING = 20
#: Signatures that are reported below that of the test's failure; more are counted only.
_MOST_OTHERS = 5


class Explore:
    """Explores programs for one test.

    drawn: whether the programs come from Hypothesis' `given`: then a failure is told in short, so that Hypothesis can
    look for a smaller program of the same strength, and `tell_drawn` says all of it in the end. told: how the test was
    failed, if it was.
    """

    def __init__(self, item: pytest.Item) -> None:
        self.used = False
        self.drawn = False
        self.told: BaseException | None = None
        self._item = item
        self._replayed = False
        self._strength: Strength | None = None  # of the failure that is kept
        self._kept: Path | None = None
        self._unkept = self._unread = ""

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

    def fail(self, message: str) -> NoReturn:
        """Fail the test with `message` and nothing else; control characters of guests show as their escapes."""
        self.told = pytest.fail.Exception(clean_lines(message), pytrace=False)
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

    def warn(self) -> None:
        """After a test that passed: warn of a failure that is kept of it and could not be run again."""
        if self._unread:
            message = f"the failure that is kept of this test was not run again: {self._unread}"
            self._item.warn(pytest.PytestWarning(message))

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
        try:
            report = explore_program(program, machine, failures=MOST_FAILING, found=self._found, **search)
            if report.failing:
                self._fail(report)
        except Interrupted as stop:
            if self._kept is not None:
                stop.add_note(f"a failure is kept in {self._shown(self._kept)}")
            raise
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
            content = kept.read_bytes()
            again = run_again(kept, program, machine, options)
        except (SimaieError, OSError) as error:  # what is wrong may be wrong for a moment only
            self._unread = f"{error}; delete {self._shown(kept)} if it is of no use"
            return
        if again is not None:
            self._judge(again, kept)
            if not again.findings and again.trace.ending is Ending.FINISHED:
                let_go(kept, content)

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

    def tell_drawn(self, error: BaseException) -> None:
        """Shrink, keep and tell the strongest of the failures that `error` is made of, if it is made of any.

        Hypothesis raises the least example of each class of exceptions again in the end.
        """
        drawn = list(drawn_failures(error))
        if drawn:
            self._keep_and_tell(max(drawn, key=lambda each: each.strength).report)

    def _judge(self, again: Failure, path: Path) -> None:
        if again.findings and again.verdict is Verdict.VIOLATED:
            self._tell(again, path)

    def _fail(self, report: Report) -> NoReturn:
        if self.drawn:
            raise drawn_failure(report)
        self._keep_and_tell(report)

    def _keep_and_tell(self, report: Report) -> NoReturn:
        first, *others = counterexamples(report.signatures)
        path = self._keep(first.failure)
        told = [self._other(each) for each in others[:_MOST_OTHERS]]
        if len(others) > len(told):
            told.append(f"... and failures of {len(others) - len(told)} more signatures")
        self._tell(first.failure, path, told)

    @property
    def _folder(self) -> Path | None:
        """Where failures are written too, if that is asked for."""
        folder = self._item.config.getoption("simaie_save")
        return self._item.config.invocation_params.dir / folder if folder else None

    def _found(self, failure: Failure) -> None:
        """Keep the first failure of the test, and each that is stronger, as soon as it is found."""
        if failure.verdict is not Verdict.VIOLATED:
            return
        strength = failure.strength
        if self._strength is None or strength > self._strength:
            self._strength = strength
            self._keep(failure)

    def _keep(self, failure: Failure) -> Path | None:
        """Keep a failure; None, with the reason in `_unkept`, if it cannot be."""
        try:
            self._kept, self._unkept = keep(failure, self._item, self._folder), ""
        except SimaieError as error:
            self._unkept = str(error)
            return None
        return self._kept

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._item.config.invocation_params.dir)

    def _other(self, found: Counterexample) -> str:
        """A failure of another signature than the test's, in short; it is written to the folder that is asked for."""
        failure, folder = found.failure, self._folder
        lines = [f"fails in another way too, in {found.count} executions: {failure.summary}"]
        if folder is None:
            lines.append(f"schedule: {failure.trace.schedule.text or '(the default)'}")
        else:
            try:
                lines.append(failure.replay_command(self._shown(save_other(failure, self._item, folder))))
            except SimaieError as error:
                lines.append(f"it is not saved: {error}")
        return "\n".join(lines)

    def _tell(self, failure: Failure, path: Path | None, others: Sequence[str] = ()) -> NoReturn:
        if path is None:
            again = f"it is not kept: {self._unkept}\nreproduce: {failure.how_to_reproduce}"
        else:
            again = f"replay: {shlex.join(['pytest', self._item.nodeid, '--simaie-replay', self._shown(path)])}"
        title = f"program {failure.program.name!r} under {failure.machine.scheme} on {failure.machine.host}"
        code = [program_text(failure.program)] if is_data(failure.program) else []
        trace = "\n".join(line.plain.rstrip() for line in failure_view(failure, width=_WIDTH))
        self.fail("\n\n".join([failure.summary, title, *code, trace, again, *others]))

    def _or_fail(self, action: Callable[[], T]) -> T:
        """What `action` returns; what is wrong with its use fails the test in one line."""
        try:
            return action()
        except (UsageError, ReplayError) as error:
            self.fail(str(error))
        except SimaieError as error:
            if not _is_printable(error):  # pytest writes the messages of tracebacks as they are
                self.fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
            raise


def _is_printable(error: BaseException | None) -> bool:
    """Whether neither `error` nor an exception that it comes from has a control character in its message."""
    while error is not None:
        if not all(line.isprintable() for line in str(error).split("\n")):
            return False
        error = error.__cause__ or error.__context__
    return True


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
