"""Which kinds of barrier an emulator must emit so that programs stay within what their guest's architecture allows.

For each program: first with no barriers, then with all, then with all but one; more barriers never add an outcome, so
most sets need not be asked for. A set is given up at the first outcome that the architecture does not allow, which is
then the witness that a kind cannot be dropped. Kinds that the host keeps by itself are not needed for anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from simaie.arguments import require_bool, require_callable, require_iterable
from simaie.barrier import Barrier
from simaie.errors import Interrupted, SimaieError, UsageError
from simaie.exploration.architecture import guest_machine, like, model_note
from simaie.exploration.barriers_report import BarriersReport, Need, ProgramBarriers
from simaie.exploration.compare import Forbidden, forbidden_failure, machine_of
from simaie.exploration.minimal_sets import MonotoneOracle, kinds_of, minimal_sets
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits, SearchProgress
from simaie.exploration.subject import Subject, Target, subject_of
from simaie.guest.program import Program
from simaie.machine import Machine, SchemeChoice
from simaie.plugins import Spec

__all__ = ["BarriersReport", "Need", "ProgramBarriers", "minimal_barriers"]

#: Called before each program with its number from 0, how many there are, its name and 0; and now and then with how many
#: executions the search that it is at has run.
Progress: TypeAlias = Callable[[int, int, str, int], None]
#: Called with the name (of a file, its path) of what cannot be read or run, and why.
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
    progress: Progress | None = None,
    errors: Errors | None = None,
    found: Callable[[ProgramBarriers], object] | None = None,
) -> BarriersReport:
    """The minimal sets of barriers, as the scheme's option ``barriers``, that keep `programs` within what is allowed.

    The arguments are those of `simaie.compare`; the limits are of each search, and the first search that a limit ends
    is the last of its program, whose `ProgramBarriers.unexplored` names it. errors: is told of each program that
    cannot be read or run, which is then left out; by default the first is raised. found: called with what was found of
    each program, when it is done.

    Raises UsageError if the scheme or the host is a class: a name is needed to vary the option. Raises
    `simaie.Interrupted` at Ctrl-C; its ``report`` has the programs that are done.
    """
    require_iterable("programs", programs, "programs, litmus tests and paths of .litmus files")
    require_bool(spurious_failures=spurious_failures)
    for name, told in (("progress", progress), ("errors", errors)):
        if told is not None:
            require_callable(name, told)
    machine = machine_of(scheme, host, machine)
    if machine.scheme_spec is None or machine.custom_host:
        raise UsageError("barriers are varied by option: name the scheme and the host, do not give classes")
    _with(machine, Barrier.NONE).check_options()
    SearchLimits(executions, seconds).require()
    model = partial(guest_machine, host=allowed_host, spurious_failures=spurious_failures, single_copy=single_copy)
    targets, began = list(programs), time.perf_counter()
    done: list[ProgramBarriers] = []
    notes: dict[str, None] = {}
    interrupted = False
    for number, target in enumerate(targets):
        try:
            subject = subject_of(target)
            told = None if progress is None else partial(progress, number, len(targets), subject.name)
            if told is not None:
                told(0)
            ideal = model(subject.program.isa, machine)
            searched = machine.for_search(subject.program)
            done.append(_of(subject, searched, ideal, SearchLimits(executions, seconds), told))
        except SimaieError as error:
            if errors is None:
                raise
            errors(target.name if isinstance(target, Program) else str(target), error)
            continue
        except KeyboardInterrupt:  # between two searches
            interrupted = True
            break
        if found is not None:
            found(done[-1])
        notes[model_note(subject.program.isa, ideal)] = None
        interrupted = done[-1].interrupted
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


def _with(machine: Machine, barriers: Barrier) -> Machine:
    """The same machine, whose scheme emits exactly these."""
    spec = machine.scheme_spec
    assert spec is not None  # a class has been refused
    return like(machine, Spec(spec.name, {**spec.options, "barriers": barriers.text}), machine.host)


class _UndecidedError(Exception):
    """A search ended before its end; of the program nothing can be said."""

    def __init__(self, found: OutcomeSet, what: str) -> None:
        super().__init__(f"{what}: {found.reason}")
        self.found = found
        self.unexplored = what if found.limited else ""


def _of(
    subject: Subject, machine: Machine, ideal: Machine, limits: SearchLimits, progress: SearchProgress | None
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
    """One program under one set of barriers after another. forbidden: what the sets that do not suffice lead to."""

    def __init__(
        self, subject: Subject, machine: Machine, limits: SearchLimits, progress: SearchProgress | None
    ) -> None:
        self._subject, self._machine, self._limits, self._progress = subject, machine, limits, progress
        self.forbidden: dict[Barrier, Forbidden] = {}
        self.executions = 0

    def allow(self, ideal: Machine) -> None:
        """Explore what is allowed."""
        self._allowed = outcomes_of(self._subject, ideal, self._limits, progress=self._progress)
        self._may = frozenset(self._allowed.states)
        self.executions += self._allowed.executions
        if not self._allowed.complete:
            raise _UndecidedError(self._allowed, "what is allowed")

    def sufficient(self, barriers: Barrier) -> bool:
        """Whether nothing forbidden happens with these barriers."""
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
        """Why no kind of any minimal set can be dropped from it."""
        for chosen in minimal:
            for kind in kinds_of(chosen):
                always = all(kind & other for other in minimal)
                if always and chosen != minimal[0]:
                    continue
                without = questions.failing(chosen, kind)
                yield Need(self._subject.name, kind, chosen, without, always, self.forbidden[without])
