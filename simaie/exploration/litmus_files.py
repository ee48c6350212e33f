"""Many litmus files, read and explored, in this process or in several; the results come in the order of the files.

What is wrong with a file is a value among the results, a `LitmusError`, and the others go on. Every worker does the
same as this process would, so the number of workers changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import msgspec

from simaie.errors import Interrupted, UsageError
from simaie.exploration.litmus import EXECUTIONS, HERD_SCHEME, LitmusResult, explore_litmus
from simaie.exploration.search import SearchProgress
from simaie.exploration.workers import in_workers
from simaie.litmus import LitmusError, Position, load
from simaie.litmus.lowering import ROUNDS, UnsupportedError
from simaie.machine import Machine
from simaie.protocols import require_positive

__all__ = ["LitmusSettings", "explore_litmus_files"]

#: Called with the number of a file and how many executions of it were run.
Progress: TypeAlias = Callable[[int, int], None]


class LitmusSettings(msgspec.Struct, frozen=True):
    """How every file is explored: see `explore_litmus`. scheme and host are names, as `Machine` takes them."""

    scheme: str = HERD_SCHEME
    host: str = "sc"
    rounds: int = ROUNDS
    executions: int = EXECUTIONS
    seconds: float | None = None


def explore_litmus_files(
    paths: Sequence[str], settings: LitmusSettings | None = None, *, jobs: int = 1, progress: Progress | None = None
) -> Iterator[LitmusResult | LitmusError]:
    """Explore each file; a result or an error for each, in order, as soon as it is there.

    progress: called with the number of a file, from 0, before it is read, and now and then while it is explored with
    how many executions were run; not if other processes do it. Ctrl-C is raised again after the result that it cut
    short; with other processes, after the results that are there. Of a worker process that dies what it was at is run
    again; a file that this happens to twice has a LitmusError.

    Raises UsageError or UnknownNameError at once if the settings cannot be.
    """
    settings = settings or LitmusSettings()
    require_positive(jobs=jobs, executions=settings.executions, seconds=settings.seconds)
    one = _Explorer(settings)
    if settings.rounds < 0:
        raise UsageError(f"loops must be allowed 0 rounds or more, not {settings.rounds}")
    if jobs == 1 or len(paths) < 2:
        return _in_turn(one, paths, progress)
    return in_workers(one, paths, min(jobs, len(paths)), _lost)


class _Explorer:
    """Explores one file; can be handed to another process."""

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
        except UsageError as error:  # a scheme that lacks what the test needs: others may do without it
            return UnsupportedError(path, Position(1, 1), f"cannot be run: {error}")


def _in_turn(
    one: _Explorer, paths: Sequence[str], progress: Progress | None
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
    problem = "every worker process that explored this file died, perhaps for want of memory; try fewer jobs"
    return LitmusError(path, Position(1, 1), problem)
