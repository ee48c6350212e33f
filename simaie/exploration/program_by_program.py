"""The loop over programs of the searches that ask what a set of programs needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from simaie.errors import SimaieError
from simaie.exploration.architecture import model_note, on_architecture
from simaie.exploration.in_order import in_order
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.search import SearchLimits, SearchProgress
from simaie.exploration.subject import SearchSubject, Target, search_subject
from simaie.guest.program import Program
from simaie.machine import Machine

__all__ = ["BarriersProgress", "Done", "Errors", "Examiner", "Ideals", "each_program"]

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

    Attributes:
        note: How the model of the last program's architecture differs from the real one; see `model_note`.
    """

    def __init__(
        self, machine: Machine, limits: SearchLimits, host: str | None, *, spurious_failures: bool, single_copy: str
    ) -> None:
        self.machine, self.limits = machine, limits
        self._options: dict[str, Any] = {
            "host": host, "spurious_failures": spurious_failures, "single_copy": single_copy
        }  # fmt: skip
        self.note = ""

    def allowed(self, subject: SearchSubject, progress: SearchProgress | None) -> OutcomeSet:
        """Return the outcomes that the architecture of a program's guest allows, and note how its model differs."""
        isa, search = subject.program.isa, partial(outcomes_of, subject, limits=self.limits, progress=progress)
        found = on_architecture(isa, self.machine, search, **self._options)
        self.note = model_note(isa, found.machine)
        return found


class Examiner(Generic[R]):
    """A function from a program to its result, which several processes may call.

    Args:
        machine: The machine of the emulator.
        ideals: What architectures allow.
    """

    def __init__(self, machine: Machine, ideals: Ideals) -> None:
        self.machine, self.ideals = machine, ideals

    def result_of(self, subject: SearchSubject, machine: Machine, progress: SearchProgress | None) -> R:
        """Return the result of a program; each derived class says which one.

        Args:
            subject: The program.
            machine: The machine of the emulator for it.
            progress: Called from time to time with the number of executions of the current search.
        """
        raise NotImplementedError

    def __call__(self, target: Target, progress: Callable[[str, int], None] | None = None) -> Examined[R]:
        """Return the result for a target."""
        try:
            subject = search_subject(target)
            show = None if progress is None else partial(progress, subject.name)
            if show is not None:
                show(0)
            return self.result_of(subject, self.machine.for_search(subject.program), show), self.ideals.note
        except SimaieError as error:
            return error


#: The result of a program and the note on the model of its architecture; or why it cannot be read or run.
Examined: TypeAlias = tuple[R, str] | SimaieError


class Done(NamedTuple, Generic[R]):
    """The results of the programs so far, the notes on models, and whether Ctrl-C ended the loop."""

    results: tuple[R, ...]
    notes: tuple[str, ...]
    interrupted: bool


def each_program(
    targets: Sequence[Target],
    examine: Examiner[R],
    jobs: int,
    progress: BarriersProgress | None,
    errors: Errors | None,
    found: Callable[[R], object] | None,
) -> Done[R]:
    """Examine programs, in several processes if `jobs` is more than 1.

    Args:
        targets: Programs, litmus tests, and paths of ``.litmus`` files.
        examine: The function of a program.
        jobs: The number of processes, each with one program at a time.
        progress: Called before each program and from time to time; after each, if there are several processes.
        errors: Called with each program that cannot be read or run, which is then left out; None raises the error.
        found: Called with each result.
    """
    results = in_order(examine, targets, jobs) if jobs > 1 else _in_turn(examine, targets, progress)
    done, notes = list[R](), dict[str, None]()
    for number, target in enumerate(targets):
        try:
            examined = next(results)
        except KeyboardInterrupt:  # between two searches
            return Done(tuple(done), tuple(filter(None, notes)), True)
        if isinstance(examined, SimaieError):
            if errors is None:
                raise examined
            errors(target.name if isinstance(target, Program) else str(target), examined)
            continue
        one, note = examined
        done.append(one)
        if progress is not None and jobs > 1:
            progress(number, len(targets), getattr(target, "name", str(target)), 0)
        if found is not None:
            found(one)
        notes[note] = None
        if one.interrupted:
            return Done(tuple(done), tuple(filter(None, notes)), True)
    return Done(tuple(done), tuple(filter(None, notes)), False)


def _in_turn(
    examine: Examiner[R], targets: Sequence[Target], progress: BarriersProgress | None
) -> Iterator[Examined[R]]:
    for number, target in enumerate(targets):
        yield examine(target, None if progress is None else partial(progress, number, len(targets)))
