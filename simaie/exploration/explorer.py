"""The function `simaie.explore`, which runs executions until a limit, a failure, or the end of the search."""

from __future__ import annotations

from collections.abc import Sequence

from simaie import plugins
from simaie.check import DEFAULT, CheckerChoice
from simaie.exploration.in_progress import Exploration, ExplorationProgress
from simaie.exploration.jobs import Jobs
from simaie.exploration.kept import FailureCallback
from simaie.exploration.report import Report
from simaie.exploration.scheduler_choice import SchedulerChoice
from simaie.guest.program import Program
from simaie.machine import Machine
from simaie.replaying.run import Driver

__all__ = ["explore"]


def explore(
    program: Program,
    machine: Machine | None = None,
    *,
    scheduler: SchedulerChoice = "portfolio",
    seed: int = 0,
    executions: int = 10_000,
    seconds: float | None = None,
    failures: int | None = 1,
    checkers: Sequence[CheckerChoice] = DEFAULT,
    driver: Driver = "inline",
    coverage: bool = False,
    check_determinism: bool = False,
    jobs: Jobs = 1,
    progress: ExplorationProgress | bool | None = None,
    found: FailureCallback | None = None,
) -> Report:
    """Run many executions of `program` on `machine`, each under another schedule, and judge every one.

    The report keeps the first hundred failures. For every signature (see `simaie.replaying.signature`) it keeps the
    count, the first failure and the shortest failure, however late they occur.

    Args:
        program: The guest program.
        machine: The emulator and its host; None for the defaults of `Machine`.
        scheduler: A name, ``"name:option=value"``, ``(name, options)``, a `Scheduler`, or a class of it. An exhaustive
            one adds `Scheme.search_options` to the scheme of the machine, and the report names them.
        seed: The seed of all randomness in the exploration.
        executions: The number of executions to run at most.
        seconds: The time to run at most, in seconds; None for no limit.
        failures: The number of failing executions after which to stop; None for no limit.
        checkers: Functions of a trace, names of registered checkers (``simaie list checkers``), or ``"FILE.py:NAME"``.
        driver: ``"inline"`` for speed, or ``"trio"`` for guests that await trio.
        coverage: Whether to count distinct Mazurkiewicz traces and preemptions, and to estimate what is unseen, as
            ``report.statistics.coverage`` (see `simaie.exploration.coverage`). It costs about half a microsecond for
            each step. For an exhaustive search that is long or unfinished, random probes estimate its size.
        check_determinism: Whether to run every execution twice and compare the two;
            `simaie.exploration.determinism` says what this does not prove.
        jobs: The number of processes that run executions, or ``"auto"`` for one on each core. It changes the time and
            never the report. What cannot be split runs in one process, and ``report.statistics.processes_note`` says
            why (see `simaie.exploration.team`).
        progress: Called from time to time, and at the end. True shows executions, rate and findings in the terminal or
            in the cell of a notebook.
        found: Called with each failure that the report keeps, between two executions, as soon as it is found. For
            example, ``found=lambda failure: failure.save_in("failures")`` saves it.

    Returns:
        The report, with verdict, failures and statistics.

    Raises:
        UsageError: An argument is wrong, or a checker has nothing to judge, for example because the program records no
            calls.
        NondeterminismError: An execution differs when it is repeated; the error has the step, what was expected, and
            what happened.
        GuestError: The guest program raised. The attribute ``report`` of the exception is the report up to there.
        SchedulerError: The scheduler raised; it has a ``report`` too.
        Interrupted: Ctrl-C ended the exploration; it has a ``report`` too. It is a KeyboardInterrupt, so that a loop
            over programs ends too.
    """
    exploration = Exploration(
        program,
        Machine() if machine is None else machine,
        scheduler,
        seed=seed,
        executions=executions,
        seconds=seconds,
        failures=failures,
        checkers=checkers,
        driver=driver,
        coverage=coverage,
        check_determinism=check_determinism,
        jobs=jobs,
        progress=shown_progress(progress),
        found=found,
    )
    return exploration.run()


def shown_progress(progress: ExplorationProgress | bool | None) -> ExplorationProgress | None:
    """Return what is called from time to time: for True, what shows figures in the terminal or the notebook."""
    return plugins.resolve(plugins.RENDERERS, "live")() if progress is True else progress or None
