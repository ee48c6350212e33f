"""Explorations of many litmus files, in this process or in several, with results in the order of the files.

The result of a file that cannot be read or run is a `LitmusError`, and the search continues with the next file. The
number of processes changes only the time, never the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from simaie.errors import Interrupted, UsageError
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.litmus import EXECUTIONS, HERD_SCHEME, LitmusResult, explore_litmus
from simaie.exploration.search import SearchProgress
from simaie.exploration.workers import in_workers
from simaie.litmus import LitmusError, Position, load
from simaie.litmus.lowering import ROUNDS, UnsupportedError
from simaie.machine import Machine
from simaie.protocols import require_positive

__all__ = ["LitmusSettings", "explore_litmus_files"]

#: Called with the number of a file and the number of its executions so far.
LitmusProgress: TypeAlias = Callable[[int, int], None]


class LitmusSettings(msgspec.Struct, frozen=True):
    """The settings of the exploration of every file; see `explore_litmus`.

    Attributes:
        scheme: The name of the scheme, as for `Machine`.
        host: The name of the host memory, as for `Machine`.
        rounds: How often a thread may go back to one label.
        executions: The number of executions of each file at most.
        seconds: The time of each file at most, in seconds; None for no limit.
    """

    scheme: str = HERD_SCHEME
    host: str = "sc"
    rounds: int = ROUNDS
    executions: int = EXECUTIONS
    seconds: float | None = None


def explore_litmus_files(
    paths: Sequence[str],
    settings: LitmusSettings | None = None,
    *,
    jobs: Jobs = 1,
    progress: LitmusProgress | None = None,
) -> Iterator[LitmusResult | LitmusError]:
    """Explore each file, and yield its result or its error as soon as it is known, in the order of the files.

    Ctrl-C is raised again after the result that it cut short; with other processes, after the finished results. If a
    worker process dies, another one explores its file again; a file at which two processes die has a LitmusError.

    Args:
        paths: The paths of the files.
        settings: The settings of every exploration; None for the defaults.
        jobs: The number of processes, or ``"auto"`` for one on each core.
        progress: Called with the number of a file, from 0, and the number of its executions: before it is read, and
            from time to time. It is not called if other processes explore.

    Raises:
        UsageError: A setting is wrong; it is raised before the first file is read.
    """
    settings = settings or LitmusSettings()
    processes = min(number_of_jobs(jobs), len(paths))
    require_positive(executions=settings.executions, seconds=settings.seconds)
    one = _Explorer(settings)
    if settings.rounds < 0:
        raise UsageError(f"rounds must be 0 or more, not {settings.rounds}")
    if processes < 2:
        return _in_turn(one, paths, progress)
    return in_workers(one, paths, processes, _lost)


class _Explorer:
    """A function that explores one file, and that can be sent to another process."""

    def __init__(self, settings: LitmusSettings) -> None:
        self._settings = settings
        self._machine = Machine(settings.scheme, host=settings.host)
        self._machine.check_options()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._settings,)

    def __call__(self, path: str, progress: SearchProgress | None = None) -> LitmusResult | LitmusError:
        settings = self._settings
        try:
            return explore_litmus(
                load(path),
                self._machine,
                rounds=settings.rounds,
                executions=settings.executions,
                seconds=settings.seconds,
                progress=progress,
            )
        except LitmusError as error:
            return error.with_traceback(None)
        except UsageError as error:  # the scheme lacks something that this test needs, but other tests may not
            return UnsupportedError(path, Position(1, 1), f"cannot be run: {error}")


def _in_turn(
    one: _Explorer, paths: Sequence[str], progress: LitmusProgress | None
) -> Iterator[LitmusResult | LitmusError]:
    for number, path in enumerate(paths):
        if progress is not None:
            progress(number, 0)
        try:
            yield one(path, None if progress is None else partial(progress, number))
        except Interrupted as stop:
            yield stop.report
            raise


def _lost(path: str) -> LitmusError:
    problem = "every worker process that explored this file died, perhaps because memory ran out; try fewer jobs"
    return LitmusError(path, Position(1, 1), problem)
