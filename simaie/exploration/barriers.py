"""The minimal sets of barriers that an emulator must emit so that no program shows a forbidden outcome.

Each program is explored without barriers, then with all kinds, then with all but one. More barriers never add an
outcome, so that most sets need no exploration. The exploration of a set ends at the first outcome that the architecture
forbids. This outcome is the witness that a kind of barrier must stay. Kinds that the host keeps by itself are never
needed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias

from simaie.arguments import require_bool, require_callable, require_iterable
from simaie.barrier import Barrier
from simaie.errors import Interrupted, SimaieError, UsageError
from simaie.exploration.architecture import architecture_machine, like, model_note
from simaie.exploration.barriers_report import BarriersReport, Need, ProgramBarriers
from simaie.exploration.compare import Forbidden, forbidden_failure, machine_of
from simaie.exploration.in_order import in_order
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.minimal_sets import MonotoneOracle, minimal_sets, single_orders
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits, SearchProgress
from simaie.exploration.subject import SearchSubject, Target, search_subject
from simaie.guest.program import Program
from simaie.machine import Machine, SchemeChoice
from simaie.plugins import Spec

__all__ = ["BarriersReport", "Need", "ProgramBarriers", "minimal_barriers"]

#: Called before each program, and from time to time during it, with its number from 0, the number of programs, its
#: name, and the number of executions that the current search has run.
BarriersProgress: TypeAlias = Callable[[int, int, str, int], None]
#: Called with the name of a program that cannot be read or run (for a file its path), and the error.
Errors: TypeAlias = Callable[[str, SimaieError], None]


def minimal_barriers(
    programs: Iterable[Target],
    scheme: SchemeChoice | None = None,
    host: str | None = None,
    *,
    machine: Machine | None = None,
    allowed_host: str | None = None,
    spurious_failures: bool = True,
    single_copy: str = "isa",
    executions: int = COMPARED_EXECUTIONS,
    seconds: float | None = COMPARED_SECONDS,
    jobs: Jobs = 1,
    progress: BarriersProgress | None = None,
    errors: Errors | None = None,
    found: Callable[[ProgramBarriers], object] | None = None,
) -> BarriersReport:
    """Find the minimal sets of barriers with which `programs` show only outcomes that their architecture allows.

    The sets are values of the scheme's option ``barriers``. The first search of a program that ends at a limit is its
    last one: the program is undecided, and `ProgramBarriers.unexplored` names the search.

    Args:
        programs: Programs, litmus tests, and paths of ``.litmus`` files.
        scheme: The scheme, by name.
        host: The host memory, by name.
        machine: A machine to use instead of scheme and host.
        allowed_host: As for `simaie.compare`.
        spurious_failures: Whether a store-conditional of the architecture may fail spuriously.
        single_copy: As for `simaie.compare`.
        executions: The number of executions of each search at most.
        seconds: The time of each search at most, in seconds.
        jobs: The number of processes, each with one program at a time, or ``"auto"`` for one on each core.
        progress: Called before each program and from time to time; see `BarriersProgress`.
        errors: Called with each program that cannot be read or run, which is then left out; None raises the error.
        found: Called with the result of each program as soon as it is known.

    Returns:
        The minimal sets, and for each kind of barrier in them a witness that it must stay.

    Raises:
        UsageError: The scheme or the host is a class, whose option cannot be varied; or an argument is wrong.
        Interrupted: Ctrl-C ended the search. The attribute ``report`` of the exception has the finished programs.
    """
    require_iterable("programs", programs, "programs, litmus tests and paths of .litmus files")
    require_bool(spurious_failures=spurious_failures)
    for name, callback in (("progress", progress), ("errors", errors)):
        if callback is not None:
            require_callable(name, callback)
    machine = machine_of(scheme, host, machine)
    if machine.scheme_spec is None or machine.custom_host:
        raise UsageError("barriers are varied by an option, so scheme and host must be names, not classes")
    _with(machine, Barrier.NONE).check_options()
    SearchLimits(executions, seconds).require()
    model = partial(
        architecture_machine, host=allowed_host, spurious_failures=spurious_failures, single_copy=single_copy
    )
    examine = _Examiner(machine, model, SearchLimits(executions, seconds))
    targets, processes, began = list(programs), number_of_jobs(jobs), time.perf_counter()
    results = in_order(examine, targets, processes) if processes > 1 else _in_turn(examine, targets, progress)
    done: list[ProgramBarriers] = []
    notes: dict[str, None] = {}
    interrupted = False
    for number, target in enumerate(targets):
        try:
            found_one = next(results)
        except KeyboardInterrupt:  # between two searches
            interrupted = True
            break
        if isinstance(found_one, SimaieError):
            if errors is None:
                raise found_one
            errors(target.name if isinstance(target, Program) else str(target), found_one)
            continue
        one, note = found_one
        done.append(one)
        if progress is not None and processes > 1:
            progress(number, len(targets), one.name, 0)
        if found is not None:
            found(one)
        notes[note] = None
        interrupted = one.interrupted
        if interrupted:
            break
    texts = tuple(note for note in notes if note)
    others = {name: value for name, value in machine.scheme_spec.options.items() if name != "barriers"}
    scheme = str(Spec(machine.scheme_spec.name, others))
    kept = machine.host_order
    report = BarriersReport(scheme, machine.host, kept, tuple(done), texts, interrupted, time.perf_counter() - began)
    if interrupted:
        raise Interrupted(f"the search for barriers, after {len(done)} of {len(targets)} programs,", report)
    return report


#: The result of one program and the note on the model of its architecture; or why it cannot be read or run.
_Result: TypeAlias = tuple[ProgramBarriers, str] | SimaieError


class _Examiner:
    """A function from a program to its result."""

    def __init__(self, machine: Machine, model: Callable[..., Machine], limits: SearchLimits) -> None:
        self._machine, self._model, self._limits = machine, model, limits

    def __call__(self, target: Target, progress: Callable[[str, int], None] | None = None) -> _Result:
        try:
            subject = search_subject(target)
            show = None if progress is None else partial(progress, subject.name)
            if show is not None:
                show(0)
            isa = subject.program.isa
            ideal = self._model(isa, self._machine)
            searched = self._machine.for_search(subject.program)
            return _of(subject, searched, ideal, self._limits, show), model_note(isa, ideal)
        except SimaieError as error:
            return error


def _in_turn(
    examine: _Examiner, targets: Sequence[Target], progress: BarriersProgress | None
) -> Iterator[_Result]:
    for number, target in enumerate(targets):
        yield examine(target, None if progress is None else partial(progress, number, len(targets)))


def _with(machine: Machine, barriers: Barrier) -> Machine:
    """Return a copy of `machine` whose scheme emits exactly these barriers."""
    spec = machine.scheme_spec
    assert spec is not None  # `minimal_barriers` has refused a class
    return like(machine, Spec(spec.name, {**spec.options, "barriers": barriers.text}), machine.host)


class _UndecidedError(Exception):
    """A search was incomplete, so that the program is undecided."""

    def __init__(self, found: OutcomeSet, what: str) -> None:
        super().__init__(f"{what}: {found.reason}")
        self.found = found
        self.unexplored = what if found.limited else ""


def _of(
    subject: SearchSubject, machine: Machine, ideal: Machine, limits: SearchLimits, progress: SearchProgress | None
) -> ProgramBarriers:
    began = time.perf_counter()
    trial = _Trial(subject, machine, limits, progress)
    minimal: tuple[Barrier, ...] = ()
    needs: tuple[Need, ...] = ()
    remaining, undecided, unexplored, interrupted = None, "", "", False
    try:
        trial.allow(ideal)
        questions = MonotoneOracle(trial.sufficient)
        missing = Barrier.FULL & ~machine.host_order
        minimal = minimal_sets(questions, missing)
        needs = tuple(trial.needs(minimal, questions))
        remaining = None if minimal else trial.forbidden[Barrier.FULL]
    except _UndecidedError as error:
        undecided, unexplored, interrupted = str(error), error.unexplored, error.found.interrupted
    elapsed = time.perf_counter() - began
    return ProgramBarriers(
        subject.name, minimal, needs, remaining, undecided, interrupted, trial.executions, elapsed, unexplored
    )


class _Trial:
    """The exploration of one program under one set of barriers after another.

    Attributes:
        forbidden: A forbidden outcome for each set that does not suffice.
        executions: The number of executions so far.
    """

    def __init__(
        self, subject: SearchSubject, machine: Machine, limits: SearchLimits, progress: SearchProgress | None
    ) -> None:
        self._subject, self._machine, self._limits, self._progress = subject, machine, limits, progress
        self.forbidden: dict[Barrier, Forbidden] = {}
        self.executions = 0

    def allow(self, ideal: Machine) -> None:
        """Explore the outcomes that the architecture allows."""
        self._allowed = outcomes_of(self._subject, ideal, self._limits, progress=self._progress)
        self._may = frozenset(self._allowed.states)
        self.executions += self._allowed.executions
        if not self._allowed.complete:
            raise _UndecidedError(self._allowed, "what is allowed")

    def sufficient(self, barriers: Barrier) -> bool:
        """Return whether the program shows no forbidden outcome with these barriers."""
        given = _with(self._machine, barriers)
        found = outcomes_of(
            self._subject,
            given,
            self._limits,
            wanted=lambda state: state not in self._may,
            first=True,
            progress=self._progress,
        )
        self.executions += found.executions
        for state, witness in found.witnesses.items():
            failure = forbidden_failure(self._subject, state, witness, self._allowed, given)
            self.forbidden[barriers] = Forbidden(state, failure)
            return False
        if not found.complete:
            raise _UndecidedError(found, f"what is possible with the barriers {barriers.text}")
        return True

    def needs(self, minimal: tuple[Barrier, ...], questions: MonotoneOracle) -> Iterable[Need]:
        """Yield why no kind can be dropped from a minimal set, for each kind of each set."""
        for chosen in minimal:
            for kind in single_orders(chosen):
                always = all(kind & other for other in minimal)
                if always and chosen != minimal[0]:
                    continue
                without = questions.failing(chosen, kind)
                yield Need(self._subject.name, kind, chosen, without, always, self.forbidden[without])
