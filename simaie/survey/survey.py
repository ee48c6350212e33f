"""The function that makes the matrix: plan, decide cell after cell, stop on Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from simaie import plugins
from simaie.arguments import require_at_least_one, require_callable
from simaie.errors import Interrupted, UnknownNameError, UsageError
from simaie.exploration.in_order import in_order
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.machine import Machine, SchemeChoice
from simaie.schemes.holes import Hole
from simaie.survey.cell import EXECUTIONS, Cell, Item, examine, machine_of
from simaie.survey.report import Matrix
from simaie.survey.rows import rows_of

__all__ = ["DEFAULT_HOSTS", "MatrixProgress", "matrix"]

DEFAULT_HOSTS: Final = ("sc",)

#: Called after each cell with the number of cells done, the number of all cells, and the cell.
MatrixProgress: TypeAlias = Callable[[int, int, Cell], None]


def matrix(
    schemes: Sequence[SchemeChoice] | None = None,
    classes: Iterable[str] | None = None,
    hosts: Sequence[str] = DEFAULT_HOSTS,
    *,
    executions: int = EXECUTIONS,
    jobs: Jobs = 1,
    progress: MatrixProgress | None = None,
) -> Matrix:
    """Decide for each scheme, each class of violations and each host whether the scheme has such a violation.

    The result depends only on the arguments, except for the seconds.

    Args:
        schemes: The rows, each a scheme as for `simaie.Machine`. A scheme without options is a row for each of its
            published variants, if it lists any. The word ``"family"`` is all registered schemes that do, so that
            ``["family", "mine.py:Mine"]`` adds a row to them. None for the family.
        classes: The names of classes of violations, see `simaie.schemes.holes.Hole`; None for all.
        hosts: The names of host memories.
        executions: The number of executions of one program at most; a cell that needs more is open.
        jobs: The number of processes, or ``"auto"`` for one on each core; it changes the time and no cell.
        progress: Called after each cell.

    Raises:
        UsageError: An argument is wrong.
        UnknownNameError: There is no such scheme, class or host.
        Interrupted: Ctrl-C ended it; the exception's ``report`` has the cells so far.
    """
    require_at_least_one("executions", executions)
    if progress is not None:
        require_callable("progress", progress)
    processes = number_of_jobs(jobs)
    items = _plan(schemes, classes, hosts, executions)
    began, done, interrupted = time.perf_counter(), list[Cell](), False
    try:
        for cell in in_order(_Examiner(items), range(len(items)), processes):
            done.append(cell)
            if progress is not None:
                progress(len(done), len(items), cell)
    except KeyboardInterrupt:
        interrupted = True
    report = Matrix(tuple(done), tuple(items), time.perf_counter() - began, interrupted)
    if interrupted:
        raise Interrupted(f"the matrix, after {len(done)} of {len(items)} cells,", report)
    return report


class _Examiner:
    """A function from the number of an item to its cell."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __call__(self, number: int) -> Cell:
        return examine(self._items[number])


def _plan(
    schemes: Sequence[SchemeChoice] | None, classes: Iterable[str] | None, hosts: Sequence[str], executions: int
) -> list[Item]:
    """Return all cells to decide, by host and then by scheme."""
    holes = _holes(classes)
    if isinstance(hosts, str) or not hosts:
        raise UsageError(f"hosts must be a list of hosts, not {hosts!r}")
    for host in hosts:
        plugins.resolve(plugins.HOSTS, plugins.Spec.of(host, "host").name)  # raises if there is none
    rows = rows_of(schemes)
    items = [Item(row, hole, host, executions) for host in dict.fromkeys(hosts) for row in rows for hole in holes]
    for item in items[:: len(holes)]:
        _machine(item).check_options()  # so that a wrong option is an error of the call and not of a cell
    return items


def _machine(item: Item) -> Machine:
    from simaie.corpus.violations import violations

    return machine_of(item, violations(item.hole)[0])


def _holes(classes: Iterable[str] | None) -> list[Hole]:
    if classes is None:
        return list(Hole)
    chosen = [classes] if isinstance(classes, str) else list(classes)
    for name in chosen:
        if name in list(Hole):
            continue
        if "," in str(name):
            each = " ".join(f"--class {part.strip()}" for part in str(name).split(","))
            raise UsageError(f"each class has an argument of its own, not {name!r}: {each}, or in Python a list")
        raise UnknownNameError("class of violations", str(name), list(map(str, Hole)))
    if not chosen:
        raise UsageError("classes must be a list of classes of violations, not an empty one")
    return [hole for hole in Hole if hole in chosen]
