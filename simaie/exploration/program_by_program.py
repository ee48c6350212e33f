"""The loop over programs of the searches that ask what a set of programs needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

from simaie.errors import SimaieError
from simaie.exploration.architecture import model_note, on_architecture
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.search import SearchLimits, SearchProgress
from simaie.exploration.subject import SearchSubject, Target, search_subject
from simaie.guest.program import Program
from simaie.machine import Machine

__all__ = ["BarriersProgress", "Errors", "Ideals", "each_program"]

#: Called before each program, and from time to time during it, with its number from 0, the number of programs, its
#: name, and the number of executions that the current search has run.
BarriersProgress: TypeAlias = Callable[[int, int, str, int], None]
#: Called with the name of a program that cannot be read or run (for a file its path), and the error.
Errors: TypeAlias = Callable[[str, SimaieError], None]


class _Result(Protocol):
    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search."""


R = TypeVar("R", bound=_Result)


class Ideals:
    """What the architectures of the guests of several programs allow.

    Args:
        machine: The machine of the emulator.
        limits: The limits of each search.
        host: As for `on_architecture`.
        spurious_failures: As for `on_architecture`.
        single_copy: As for `on_architecture`.
    """

    def __init__(
        self, machine: Machine, limits: SearchLimits, host: str | None, *, spurious_failures: bool, single_copy: str
    ) -> None:
        self.machine, self.limits = machine, limits
        self._model = partial(
            on_architecture, host=host, spurious_failures=spurious_failures, single_copy=single_copy
        )
        self._notes: dict[str, None] = {}

    def allowed(self, subject: SearchSubject, progress: SearchProgress | None) -> OutcomeSet:
        """Return the outcomes that the architecture of a program's guest allows, and note how its model differs."""
        isa = subject.program.isa
        found: OutcomeSet = self._model(
            isa, self.machine, partial(outcomes_of, subject, limits=self.limits, progress=progress)
        )
        self._notes[model_note(isa, found.machine)] = None
        return found

    @property
    def notes(self) -> tuple[str, ...]:
        """How the models differ from real architectures."""
        return tuple(filter(None, self._notes))


def each_program(
    programs: Iterable[Target],
    machine: Machine,
    result_of: Callable[[SearchSubject, Machine, SearchProgress | None], R],
    progress: BarriersProgress | None,
    errors: Errors | None,
    found: Callable[[R], object] | None,
) -> tuple[tuple[R, ...], bool]:
    """Return the result for each program, and whether Ctrl-C ended the loop.

    Args:
        programs: Programs, litmus tests, and paths of ``.litmus`` files.
        machine: The machine of the emulator.
        result_of: Called with a subject, the machine for it, and the progress of its searches; returns the result.
        progress: Called before each program and from time to time.
        errors: Called with each program that cannot be read or run, which is then left out; None raises the error.
        found: Called with each result.
    """
    targets, done = list(programs), list[R]()
    for number, target in enumerate(targets):
        try:
            subject = search_subject(target)
            show = None if progress is None else partial(progress, number, len(targets), subject.name)
            if show is not None:
                show(0)
            done.append(result_of(subject, machine.for_search(subject.program), show))
        except SimaieError as error:
            if errors is None:
                raise
            errors(target.name if isinstance(target, Program) else str(target), error)
            continue
        except KeyboardInterrupt:  # between two searches
            return tuple(done), True
        if found is not None:
            found(done[-1])
        if done[-1].interrupted:
            return tuple(done), True
    return tuple(done), False
