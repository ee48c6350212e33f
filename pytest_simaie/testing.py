"""The exploration of a test's program: kept failures first, then the search; a violation is shrunk, kept and reported.

The search goes on behind the first failing execution, for `MOST_FAILING` of them and never longer than that of a test
that passes. Of the failures the strongest is the test's: a failure that is caused by a store of the value that was
there already is easily dismissed. One failure of each other signature is reported below it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar, Unpack

import pytest

from pytest_simaie.drawn import drawn_failure, drawn_failures
from pytest_simaie.kept import keep, kept_file, let_go, run_again, save_other, test_of
from pytest_simaie.options import Options, Run, test_options
from pytest_simaie.results import Results
from pytest_simaie.stored import Recorder
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

T = TypeVar("T")
_KEY: pytest.StashKey[Explore] = pytest.StashKey()
#: What a line of a trace may take, in characters: pytest does not say how wide its reports are.
_WIDTH = 120
#: Failing executions after which one exploration ends, unless an option says otherwise.
MOST_FAILING = 20
#: Signatures that are reported below that of the test's failure; more are counted only.
_MOST_OTHERS = 5


class Explore:
    """Explores programs for one test.

    Attributes:
        used: Whether a program was explored, or a file replayed.
        drawn: Whether the programs come from Hypothesis' `given`. Then a failure is raised in short, so that Hypothesis
            can look for a smaller program of the same strength, and `report_drawn` reports all of it in the end.
        failed_with: The exception by which the test was failed; None if it was not.
        results: What the explorations without a violation showed.
        recorder: Records the explorations in the store of ``--simaie-store``; None without it.
    """

    def __init__(self, item: pytest.Item) -> None:
        self.used = False
        self.drawn = False
        self.failed_with: BaseException | None = None
        self.results = Results()
        self.recorder = Recorder.of(item)
        self._item = item
        self._replayed = False
        self._strength: Strength | None = None  # of the failure that is kept
        self._kept: Path | None = None
        self._why_not_kept = self._why_not_retried = ""

    @classmethod
    def of(cls, item: pytest.Item) -> Explore:
        """Return the explorer of this test, which its mark and its fixture share."""
        if (known := cls.used_by(item)) is None:
            known = item.stash[_KEY] = cls(item)
        return known

    @staticmethod
    def used_by(item: pytest.Item) -> Explore | None:
        """Return the explorer of this test; None if it has none yet."""
        return item.stash.get(_KEY, None)

    def __call__(self, program: Program, machine: Machine | None = None, **options: Unpack[Options]) -> Report:
        """Explore `program` and return the report; a violation fails the test.

        With ``--simaie-replay`` only the execution in that file can fail the test, and the report is of that execution.
        If the file holds another program, the report is of one execution, which is not judged.

        Args:
            program: The program.
            machine: As for `simaie.explore`; it takes the place of all options of the mark that describe a machine.
            options: As for `simaie.explore` and `simaie.Machine`; ``complete=True`` fails the test unless the search
                is a proof. They override those of the mark.
        """
        given: dict[str, Any] = {**options}
        if machine is not None:
            given["machine"] = machine
        self.used = True
        return self._or_fail(lambda: self._explore(program, self._run(given)))

    def fail(self, message: str) -> NoReturn:
        """Fail the test with `message` and nothing else; control characters of guests show as their escapes."""
        self.failed_with = pytest.fail.Exception(clean_lines(message), pytrace=False)
        raise self.failed_with from None

    # -- files ---------------------------------------------------------------------------------

    @property
    def file(self) -> Path | None:
        """The file to replay; None if pytest was not asked to replay one."""
        asked = self._item.config.getoption("simaie_replay")
        return self._item.config.invocation_params.dir / asked if asked else None

    def replay_alone(self) -> None:
        """Replay the file on the program that is in the file itself."""
        if self.file is not None:
            self.used = True
            self._or_fail(lambda: self._replay(None, self._run({})))

    def retry_alone(self) -> None:
        """Run the kept failure of a test whose programs are drawn, on the program that is in the file itself."""
        self._or_fail(lambda: self._retry(None, self._run({})))

    def require_replayed(self) -> None:
        """Fail a test that explored other programs than the one in the file to replay."""
        if self.used and self.file is not None and not self._replayed:
            self._refuse_file("of another program than those")

    def warn(self) -> None:
        """Warn, after a test that passed, of a kept failure that could not be run again, and of unmet goals."""
        if unmet := [repr(name) for name, happened in self.results.goals.items() if not happened]:
            message = f"never happened in any execution of this test: {', '.join(unmet)}"
            self._item.warn(pytest.PytestWarning(clean_lines(message)))
        if self._why_not_retried:
            message = f"the failure that is kept of this test was not run again: {self._why_not_retried}"
            self._item.warn(pytest.PytestWarning(message))

    def record(self) -> None:
        """Put what a passed test showed where pytest's reports find it."""
        if shown := str(self.results):
            self._item.user_properties.append(("simaie", shown))

    def _refuse_file(self, whose: str) -> NoReturn:
        self.fail(f"{self.file}: it holds a failure {whose} of {self._item.nodeid}; name the test that it is of")

    # -- exploring -----------------------------------------------------------------------------

    def _run(self, given: dict[str, Any]) -> Run:
        return test_options(self._item, given)

    def _explore(self, program: Program, run: Run) -> Report:
        if self.file is not None:
            return self._explore_replayed(program, run)
        if not self.drawn:
            self._retry(program, run)
        also_found = run.search.get("found")

        def found(failure: Failure) -> None:
            self._keep_if_stronger(failure)
            if also_found is not None:
                also_found(failure)

        search = {"failures": MOST_FAILING, **run.search, "found": found}
        try:
            explore_it = explore_program if self.recorder is None else self.recorder.explore
            report = explore_it(program, run.machine, **search)
        except Interrupted as stop:
            if self._kept is not None:
                stop.add_note(f"a failure is kept in {self._shown(self._kept)}")
            raise
        if report.failing:
            self._fail(report)
        if run.complete and report.verdict is not Verdict.HOLDS:
            self._fail_as_incomplete(report)
        self.results.add(report)
        if run.default_scheme:
            self.results.default_scheme = run.machine.scheme
        return report

    def _explore_replayed(self, program: Program, run: Run) -> Report:
        """Replay the file on `program`, and return the report of one execution along the schedule in the file."""
        again = self._replay(program, run)
        schedule = "" if again is None else again.trace.schedule.text
        script = ("scripted", {"schedule": schedule, "strict": False})
        return explore_program(program, run.machine, **run.search | {"scheduler": script, "executions": 1})

    def _replay(self, program: Program | None, run: Run) -> Failure | None:
        """Replay the file and fail the test if it fails; return None if it is of another program."""
        assert self.file is not None
        test = test_of(self.file)
        if test not in (None, self._item.nodeid):
            self._refuse_file(f"of {test}, not")
        again = run_again(self.file, program, run.machine, run.search)
        if again is not None:
            self._replayed = True
            self._judge(again, self.file)
        return again

    def _retry(self, program: Program | None, run: Run) -> None:
        """Run the failure of last time, if one is kept, and delete its file once it passes."""
        kept = kept_file(self._item)
        if self.file is not None or not kept.is_file():
            return
        try:
            content = kept.read_bytes()
            again = run_again(kept, program, run.machine, run.search)
        except (SimaieError, OSError) as error:  # what is wrong may be wrong for a moment only
            self._why_not_retried = f"{error}; delete {self._shown(kept)} if it is of no use"
            return
        if again is not None:
            self._judge(again, kept)
            if not again.findings and again.trace.ending is Ending.FINISHED:
                let_go(kept, content)

    # -- reporting -----------------------------------------------------------------------------

    def report_drawn(self, error: BaseException) -> None:
        """Shrink, keep and report the strongest of the failures in `error`, if it holds any.

        Hypothesis raises the least example of each class of exceptions again in the end.
        """
        drawn = list(drawn_failures(error))
        if drawn:
            self._keep_and_fail(max(drawn, key=lambda each: each.strength).report)

    def _judge(self, again: Failure, path: Path) -> None:
        if again.findings and again.verdict is Verdict.VIOLATED:
            self._fail_with(again, path)

    def _fail(self, report: Report) -> NoReturn:
        if self.drawn:
            raise drawn_failure(report)
        self._keep_and_fail(report)

    def _fail_as_incomplete(self, report: Report) -> NoReturn:
        """Fail a test that demands a proof and got none."""
        self.fail(
            f"complete=True demands a proof of program {report.program.name!r}, and there is none: {report.reason} "
            f"(scheduler {report.scheduler}). Explore everything, with scheduler='dpor' and enough executions, or make "
            "the program smaller."
        )

    def _keep_and_fail(self, report: Report) -> NoReturn:
        first, *others = counterexamples(report.signatures)
        path = self._keep(first.failure)
        shown = [self._other(each) for each in others[:_MOST_OTHERS]]
        if len(others) > len(shown):
            shown.append(f"... and failures of {len(others) - len(shown)} more signatures")
        self._fail_with(first.failure, path, shown)

    @property
    def _folder(self) -> Path | None:
        """The folder that collects failures; None if pytest was not asked for one."""
        folder = self._item.config.getoption("simaie_save")
        return self._item.config.invocation_params.dir / folder if folder else None

    def _keep_if_stronger(self, failure: Failure) -> None:
        """Keep the first failure of the test, and each that is stronger, as soon as it is found."""
        if failure.verdict is not Verdict.VIOLATED:
            return
        strength = failure.strength
        if self._strength is None or strength > self._strength:
            self._strength = strength
            self._keep(failure)

    def _keep(self, failure: Failure) -> Path | None:
        """Keep a failure and return its file; None, with the reason in `_why_not_kept`, if it cannot be written."""
        try:
            self._kept, self._why_not_kept = keep(failure, self._item, self._folder), ""
        except SimaieError as error:
            self._why_not_kept = str(error)
            return None
        return self._kept

    def _shown(self, path: Path) -> str:
        return os.path.relpath(path, self._item.config.invocation_params.dir)

    def _other(self, found: Counterexample) -> str:
        """Return a failure of another signature in short; it is written to the folder that collects failures."""
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

    def _fail_with(self, failure: Failure, path: Path | None, others: Sequence[str] = ()) -> NoReturn:
        if path is None:
            again = f"it is not kept: {self._why_not_kept}\nreproduce: {failure.how_to_reproduce}"
        else:
            again = f"replay: {shlex.join(['pytest', self._item.nodeid, '--simaie-replay', self._shown(path)])}"
        title = f"program {failure.program.name!r} under {failure.machine.scheme} on {failure.machine.host}"
        code = [program_text(failure.program)] if is_data(failure.program) else []
        trace = "\n".join(line.plain.rstrip() for line in failure_view(failure, width=_WIDTH))
        self.fail("\n\n".join([failure.summary, title, *code, trace, again, *others]))

    def _or_fail(self, action: Callable[[], T]) -> T:
        """Return what `action` returns; a mistake in its use fails the test in one line."""
        try:
            return action()
        except (UsageError, ReplayError) as error:
            self.fail(str(error))
        except SimaieError as error:
            if not _is_printable(error):  # pytest writes the messages of tracebacks as they are
                self.fail("\n".join([str(error), *getattr(error, "__notes__", ())]))
            raise


def _is_printable(error: BaseException | None) -> bool:
    """Return whether neither `error` nor an exception that caused it has a control character in its message."""
    while error is not None:
        if not all(line.isprintable() for line in str(error).split("\n")):
            return False
        error = error.__cause__ or error.__context__
    return True
