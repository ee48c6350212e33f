"""The minimal sets of barriers that an emulator must emit so that no program shows a forbidden outcome.

Each program is explored without barriers, then with all kinds, then with all but one. More barriers never add an
outcome, so that most sets need no exploration. The exploration of a set ends at the first outcome that the architecture
forbids. This outcome is the witness that a kind of barrier must stay. Kinds that the host keeps by itself are never
needed.

A set is one of kinds, before each access (the option ``barriers`` of a scheme), or one of kinds at places, such as
behind loads or around atomics (the option ``mapping``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from simaie.arguments import require_bool, require_callable, require_iterable
from simaie.errors import Interrupted, UsageError
from simaie.exploration.barriers_report import BarriersReport, Need, ProgramBarriers
from simaie.exploration.compare import Forbidden, forbidden_failure, machine_of
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.minimal_sets import Kinds, MonotoneOracle, minimal_sets, single_orders
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.program_by_program import BarriersProgress, Errors, Examiner, Ideals, each_program
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits, SearchProgress
from simaie.exploration.subject import SearchSubject, Target
from simaie.exploration.varied import BeforeAccesses, Places
from simaie.machine import Machine, SchemeChoice

__all__ = ["BarriersReport", "Need", "ProgramBarriers", "minimal_barriers"]


def minimal_barriers(
    programs: Iterable[Target],
    scheme: SchemeChoice | None = None,
    host: str | None = None,
    *,
    machine: Machine | None = None,
    places: bool = False,
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

    The sets are values of the scheme's option ``barriers`` or, with `places`, of its option ``mapping``. The first
    search of a program that ends at a limit is its last one: the program is undecided, and `ProgramBarriers.unexplored`
    names the search.

    Args:
        programs: Programs, litmus tests, and paths of ``.litmus`` files.
        scheme: The scheme, by name.
        host: The host memory, by name.
        machine: A machine to use instead of scheme and host.
        places: Whether to find also where the barriers have to be. They are added to the scheme's mapping, by default
            ``none``, and the guest's own fences stay.
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
    require_bool(spurious_failures=spurious_failures, places=places)
    for name, callback in (("progress", progress), ("errors", errors)):
        if callback is not None:
            require_callable(name, callback)
    machine = machine_of(scheme, host, machine)
    if machine.scheme_spec is None or machine.custom_host:
        raise UsageError("barriers are varied by an option, so scheme and host must be names, not classes")
    varied = Places(machine) if places else BeforeAccesses(machine)
    varied.machine_with(varied.none).check_options()
    limits, processes = SearchLimits(executions, seconds), number_of_jobs(jobs)
    limits.require()
    ideals = Ideals(machine, limits, allowed_host, spurious_failures=spurious_failures, single_copy=single_copy)
    targets, began = list(programs), time.perf_counter()
    done, notes, interrupted = each_program(
        targets, _Examiner(machine, ideals, varied), processes, progress, errors, found
    )
    kept, elapsed = machine.host_order, time.perf_counter() - began
    report = BarriersReport(varied.scheme, machine.host, kept, done, notes, interrupted, elapsed, varied.none)
    if interrupted:
        raise Interrupted(f"the search for barriers, after {len(done)} of {len(targets)} programs,", report)
    return report


class _Examiner(Examiner[ProgramBarriers]):
    def __init__(self, machine: Machine, ideals: Ideals, varied: BeforeAccesses | Places) -> None:
        super().__init__(machine, ideals)
        self._varied = varied

    def result_of(
        self, subject: SearchSubject, machine: Machine, progress: SearchProgress | None
    ) -> ProgramBarriers:
        """Return the minimal sets of a program."""
        self._varied.machine = machine
        trial = _Trial(subject, self._varied, self.ideals.limits, progress)
        return _of(trial, self.ideals, self._varied.that_help(subject.program.isa))


class _UndecidedError(Exception):
    """A search was incomplete, so that the program is undecided."""

    def __init__(self, found: OutcomeSet, what: str) -> None:
        super().__init__(f"{what}: {found.reason}")
        self.found = found
        self.unexplored = what if found.limited else ""


def _of(trial: _Trial, ideals: Ideals, useful: Kinds) -> ProgramBarriers:
    """Return the result for one program.

    Args:
        trial: The exploration of the program.
        ideals: What architectures allow.
        useful: The kinds that can matter.
    """
    began = time.perf_counter()
    minimal: tuple[Kinds, ...] = ()
    needs: tuple[Need, ...] = ()
    remaining, undecided, unexplored, interrupted = None, "", "", False
    try:
        trial.allow(ideals)
        questions = MonotoneOracle(trial.sufficient)
        minimal = minimal_sets(questions, useful)
        needs = tuple(trial.needs(minimal, questions))
        remaining = None if minimal else trial.forbidden[type(useful).FULL]
    except _UndecidedError as error:
        undecided, unexplored, interrupted = str(error), error.unexplored, error.found.interrupted
    elapsed = time.perf_counter() - began
    return ProgramBarriers(
        trial.name, minimal, needs, remaining, undecided, interrupted, trial.executions, elapsed, unexplored
    )


class _Trial:
    """The exploration of one program under one set of barriers after another.

    Attributes:
        forbidden: A forbidden outcome for each set that does not suffice.
        executions: The number of executions so far.
    """

    def __init__(
        self,
        subject: SearchSubject,
        varied: BeforeAccesses | Places,
        limits: SearchLimits,
        progress: SearchProgress | None,
    ) -> None:
        self._subject, self._varied, self._limits, self._progress = subject, varied, limits, progress
        self.forbidden: dict[Kinds, Forbidden] = {}
        self.executions = 0

    @property
    def name(self) -> str:
        """The name of the program."""
        return self._subject.name

    def allow(self, ideals: Ideals) -> None:
        """Explore the outcomes that the architecture allows."""
        self._allowed = ideals.allowed(self._subject, self._progress)
        self._may = frozenset(self._allowed.states)
        self.executions += self._allowed.executions
        if not self._allowed.complete:
            raise _UndecidedError(self._allowed, "what is allowed")

    def sufficient(self, barriers: Kinds) -> bool:
        """Return whether the program shows no forbidden outcome with these barriers."""
        given = self._varied.machine_with(barriers)
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

    def needs(self, minimal: tuple[Kinds, ...], questions: MonotoneOracle) -> Iterable[Need]:
        """Yield why no kind can be dropped from a minimal set, for each kind of each set."""
        for chosen in minimal:
            for kind in single_orders(chosen):
                always = all(kind & other for other in minimal)
                if always and chosen != minimal[0]:
                    continue
                without = questions.failing(chosen, kind)
                yield Need(self._subject.name, kind, chosen, without, always, self.forbidden[without])
