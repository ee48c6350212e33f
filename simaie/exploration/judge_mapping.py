"""Judges a mapping by programs: does it keep what the guest's architecture promises, and does it keep too much?

First, each program's outcomes are compared with those that the architecture allows. If none is forbidden, each order of
the mapping is left out alone, to see whether any program misses it. Then orders that no program misses are left out one
after another, as long as that is so: what remains is a weaker mapping of which nothing can be left out.

A weaker mapping has every outcome of a stronger one. So only programs that show a forbidden outcome without any of the
mapping's orders are asked, and an order that is missed stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from simaie.arguments import require_bool, require_callable, require_iterable
from simaie.errors import Interrupted, UsageError
from simaie.exploration.compare import Forbidden, forbidden_failure, machine_of
from simaie.exploration.in_order import in_order
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.mapping_report import JudgedPart, Judgement, MappedProgram, MappingReport
from simaie.exploration.outcomes import OutcomeSet, outcomes_of
from simaie.exploration.program_by_program import BarriersProgress, Errors, Examiner, Ideals, each_program
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits, SearchProgress
from simaie.exploration.subject import FinalValues, SearchSubject, Target
from simaie.exploration.varied import with_options
from simaie.machine import Machine, SchemeChoice
from simaie.schemes.mapping import mapping_of
from simaie.schemes.weaker_mapping import Weakening, weakenings

__all__ = ["judge_mapping", "mapping_text"]


def mapping_text(machine: Machine) -> str | None:
    """Return the mapping that a machine's scheme was given, as text; None if it was given none.

    Args:
        machine: The machine.
    """
    options = {} if machine.scheme_spec is None else machine.scheme_spec.options
    text = options.get("mapping", "usual")
    return None if text == "usual" else "none" if text is None else str(text)


def judge_mapping(
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
    found: Callable[[MappedProgram], object] | None = None,
) -> MappingReport:
    """Judge the mapping of a scheme by the outcomes of `programs` on a host.

    Args:
        programs: Programs, litmus tests, and paths of ``.litmus`` files.
        scheme: The scheme, by name, with the option ``mapping``.
        host: The host memory, by name.
        machine: A machine to use instead of scheme and host.
        allowed_host: As for `simaie.compare`.
        spurious_failures: Whether a store-conditional of the architecture may fail spuriously.
        single_copy: As for `simaie.compare`.
        executions: The number of executions of each search at most.
        seconds: The time of each search at most, in seconds.
        jobs: The number of processes that leave orders out, each one order at a time, or ``"auto"`` for one on each
            core. The programs are compared with their architecture in one process.
        progress: Called before each program and from time to time; see `BarriersProgress`.
        errors: Called with each program that cannot be read or run, which is then left out; None raises the error.
        found: Called with the result of each program as soon as it is known.

    Raises:
        UsageError: The scheme has no mapping, the scheme or the host is a class, or an argument is wrong.
        Interrupted: Ctrl-C ended the search. The attribute ``report`` of the exception has the finished programs.
    """
    require_iterable("programs", programs, "programs, litmus tests and paths of .litmus files")
    require_bool(spurious_failures=spurious_failures)
    for name, callback in (("progress", progress), ("errors", errors), ("found", found)):
        if callback is not None:
            require_callable(name, callback)
    machine = machine_of(scheme, host, machine)
    text = mapping_text(machine)
    if text is None or machine.custom_host:
        raise UsageError("a mapping is judged by its name: pass a scheme such as 'cas:mapping=qemu', and a host's name")
    machine.check_options()
    limits, processes = SearchLimits(executions, seconds), number_of_jobs(jobs)
    limits.require()
    ideals = Ideals(machine, limits, allowed_host, spurious_failures=spurious_failures, single_copy=single_copy)
    targets, began = list(programs), time.perf_counter()
    examiner = _Examiner(machine, ideals)
    done, notes, interrupted = each_program(targets, examiner, 1, progress, errors, found)
    parts: tuple[JudgedPart, ...] = ()
    weaker = ""
    sure = done and all(each.judgement in (Judgement.EXACT, Judgement.STRONGER) for each in done)
    if sure and not interrupted:
        leaving = _LeavingOut(text, examiner.trials)
        try:
            parts = leaving.parts(processes)
            weaker = leaving.weaker(parts)
        except KeyboardInterrupt:
            interrupted = True
    elapsed = time.perf_counter() - began
    report = MappingReport(
        machine.scheme, text, machine.host, done, parts, weaker, notes, interrupted, elapsed
    )
    if interrupted:
        raise Interrupted(f"the judgement of a mapping, after {len(done)} of {len(targets)} programs,", report)
    return report


class _Examiner(Examiner[MappedProgram]):
    """Compares programs with their architectures, and keeps the `trials` whose outcomes are known."""

    def __init__(self, machine: Machine, ideals: Ideals) -> None:
        super().__init__(machine, ideals)
        self.trials: list[_Trial] = []

    def result_of(self, subject: SearchSubject, machine: Machine, progress: SearchProgress | None) -> MappedProgram:
        """Return the judgement of the mapping by a program."""
        trial = _Trial(subject, machine, self.ideals.limits, progress)
        result = trial.judged(self.ideals)
        if result.judgement is not Judgement.UNDECIDED:
            self.trials.append(trial)
        return result


class _Shown(NamedTuple):
    """What a program shows under a weaker mapping: a forbidden outcome, or why it is not known."""

    forbidden: Forbidden | None
    undecided: str


class _Trial:
    """One program under one mapping after another."""

    def __init__(
        self, subject: SearchSubject, machine: Machine, limits: SearchLimits, progress: SearchProgress | None
    ) -> None:
        self._subject, self._machine, self._limits, self._progress = subject, machine, limits, progress

    @property
    def name(self) -> str:
        """The name of the program."""
        return self._subject.name

    def judged(self, ideals: Ideals) -> MappedProgram:
        """Compare all outcomes under the given mapping with those that the architecture allows."""
        allowed = self._allowed = ideals.allowed(self._subject, self._progress)
        self._may = frozenset(allowed.states)
        if not allowed.complete:
            return self._result(allowed, allowed, f"what is allowed: {allowed.reason}")
        possible = outcomes_of(
            self._subject, self._machine, self._limits, wanted=self._is_forbidden, progress=self._progress
        )
        return self._result(allowed, possible, "" if possible.complete else f"what is possible: {possible.reason}")

    def _result(self, allowed: OutcomeSet, possible: OutcomeSet, undecided: str) -> MappedProgram:
        can = frozenset(possible.states)
        forbidden = tuple(self._forbidden(possible, self._machine)) if allowed.complete else ()
        unreached = tuple(state for state in allowed.states if state not in can) if not undecided else ()
        both = allowed.executions + (possible.executions if possible is not allowed else 0)
        return MappedProgram(self.name, forbidden, unreached, undecided, possible.interrupted, both)

    def shown_under(self, mapping: str) -> _Shown:
        """Return the first forbidden outcome under another mapping.

        Raises:
            KeyboardInterrupt: Ctrl-C ended the search.
        """
        given = with_options(self._machine, mapping=mapping)
        found = outcomes_of(
            self._subject, given, self._limits, wanted=self._is_forbidden, first=True, progress=self._progress
        )
        for forbidden in self._forbidden(found, given):
            return _Shown(forbidden, "")
        if found.interrupted:
            raise KeyboardInterrupt
        return _Shown(None, "" if found.complete else f"{self.name}: {found.reason}")

    def _is_forbidden(self, state: FinalValues) -> bool:
        return state not in self._may

    def _forbidden(self, found: OutcomeSet, machine: Machine) -> Iterable[Forbidden]:
        for state, witness in found.witnesses.items():
            yield Forbidden(state, forbidden_failure(self._subject, state, witness, self._allowed, machine))


class _LeavingOut:
    """Leaves orders of a mapping out, and asks the programs whether they miss them.

    Args:
        text: The mapping.
        trials: The programs, none of which shows a forbidden outcome under it.
    """

    def __init__(self, text: str, trials: list[_Trial]) -> None:
        self._text = text
        nothing = _without_everything(text)
        self._trials = [trial for trial in trials if trial.shown_under(nothing) != _Shown(None, "")]

    def parts(self, jobs: int) -> tuple[JudgedPart, ...]:
        """Return each order of the mapping, left out alone.

        Args:
            jobs: The number of processes.
        """
        return tuple(in_order(partial(self._judged, self._text), weakenings(mapping_of(self._text)), jobs))

    def _judged(self, base: str, weakening: Weakening) -> JudgedPart:
        undecided = ""
        for trial in self._trials:
            forbidden, unknown = trial.shown_under(f"{base}/{weakening.change}")
            if forbidden is not None:
                return JudgedPart(weakening.what, weakening.change, trial.name, forbidden)
            undecided = undecided or unknown
        return JudgedPart(weakening.what, weakening.change, "", None, undecided)

    def weaker(self, parts: tuple[JudgedPart, ...]) -> str:
        """Return a mapping without orders that no program misses, of which nothing can be left out.

        Args:
            parts: The orders of the given mapping; one that is missed there is missed in any weaker mapping.

        Returns:
            The text of the mapping; empty if it is the given one.
        """
        kept = {part.what for part in parts if part.missed_by or part.undecided}
        changes: dict[str, str] = {}

        def text() -> str:
            return "/".join([self._text, *(f"{place}={value}" for place, value in changes.items())])

        while candidates := [each for each in weakenings(mapping_of(text())) if each.what not in kept]:
            tried = self._judged(text(), candidates[0])
            if tried.missed_by or tried.undecided:
                kept.add(tried.what)
            else:
                place, _, value = tried.change.partition("=")
                changes[place] = value
        return text() if changes else ""


def _without_everything(text: str) -> str:
    """Return a mapping without any order of another one."""
    while (weakening := next(weakenings(mapping_of(text)), None)) is not None:
        text = f"{text}/{weakening.change}"
    return text
