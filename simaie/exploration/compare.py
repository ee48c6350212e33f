"""Comparisons of an emulator with the architecture that it emulates, by the outcomes of a program on each.

Optimal DPOR explores both sets of outcomes completely. An outcome that the emulator can produce and the architecture
forbids is a bug, with a witness that replays. An allowed outcome that the emulator never produces is no bug.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from simaie import plugins
from simaie.arguments import require_bool, require_callable, require_instance
from simaie.errors import Interrupted, UsageError
from simaie.exploration.architecture import architecture_machine, model_note, on_architecture
from simaie.exploration.jobs import Jobs, number_of_jobs
from simaie.exploration.outcomes import OutcomeSet, Witness, outcomes_of
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits, SearchProgress
from simaie.exploration.side_by_side import NOT_BEGUN, CompareProgress, Emulated, both_sets
from simaie.exploration.subject import FinalValues, SearchSubject, Target, search_subject, state_text
from simaie.finding import FORBIDDEN_OUTCOME, Finding, Verdict
from simaie.machine import Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.replaying.failure import Failure
from simaie.replaying.run import MACHINE

if TYPE_CHECKING:
    from simaie.show.plots.plot import Plot

__all__ = ["CompareProgress", "Comparison", "Forbidden", "compare", "forbidden_failure", "machine_of"]

#: The number of store-conditionals that fail spuriously in one execution from which on they must be those of a loop.
#: Each doubles the number of executions, so that a program without a loop could not be explored completely either.
_ENDLESS = 32



class Forbidden(NamedTuple):
    """An outcome that the emulator can produce and the architecture forbids, with an execution that shows it."""

    state: FinalValues
    failure: Failure


@dataclass(frozen=True)
class Comparison:
    """The result of `simaie.compare`.

    Attributes:
        name: The name of the program.
        isa: The guest's instruction set.
        allowed: The outcomes that the guest's architecture allows.
        possible: The outcomes that the emulator can produce.
        forbidden: The outcomes that are possible but not allowed; certain only if `allowed` is complete.
        unreached: The outcomes that are allowed but not possible; certain only if `possible` is complete, and empty
            if the search for `possible` never began.
        model_note: How the model of the architecture differs from the real one.
        seconds: The time of the comparison, in seconds.
    """

    name: str
    isa: str
    allowed: OutcomeSet
    possible: OutcomeSet
    forbidden: tuple[Forbidden, ...] = field(repr=False)
    unreached: tuple[FinalValues, ...] = field(repr=False)
    model_note: str
    seconds: float = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the comparison."""
        return self.allowed.interrupted or self.possible.interrupted

    @property
    def unexplored(self) -> tuple[str, ...]:
        """Which of ``"allowed"`` and ``"possible"`` a limit on executions or seconds left unexplored in part."""
        sets = {"allowed": self.allowed, "possible": self.possible}
        return tuple(name for name, found in sets.items() if found.limited)

    @property
    def verdict(self) -> Verdict:
        """Violated if a forbidden outcome is possible; holds only if both sets are complete."""
        if self.forbidden and self.allowed.complete:
            return Verdict.VIOLATED
        return Verdict.HOLDS if self.allowed.complete and self.possible.complete else Verdict.INCONCLUSIVE

    @property
    def reason(self) -> str:
        """The verdict in words."""
        if not self.allowed.complete:
            return f"the allowed outcomes are not all known: {self.allowed.reason}"
        if self.forbidden:
            verb = "is" if len(self.forbidden) == 1 else "are"
            return f"{len(self.forbidden):,} of {len(self.possible.states):,} possible outcomes {verb} not allowed"
        if not self.possible.complete:
            return f"no forbidden outcome was found, but the possible ones are not all known: {self.possible.reason}"
        count = len(self.possible.states)
        if count <= 2:
            return f"{'both possible outcomes are' if count == 2 else 'the only possible outcome is'} allowed"
        return f"all {count:,} possible outcomes are allowed"

    def __str__(self) -> str:
        return f"{self.name} under {self.possible.machine.scheme}: {self.verdict} ({self.reason})"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "comparison")(self)
        return drawn

    def plot(self) -> Plot:
        """Return a plot of the outcomes of each set; raise UsageError if there is no outcome."""
        made: Plot = plugins.resolve(plugins.RENDERERS, "comparison-plot")(self)
        return made

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        return {
            "program": self.name,
            "isa": self.isa,
            "scheme": self.possible.machine.scheme,
            "host": self.possible.machine.host,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "model_note": self.model_note,
            "interrupted": self.interrupted,
            "unexplored": list(self.unexplored),
            "allowed": self.allowed.as_dict(),
            "possible": self.possible.as_dict(),
            "forbidden": [forbidden_dict(each) for each in self.forbidden],
            "unreached": [dict(state) for state in self.unreached],
            "seconds": round(self.seconds, 6),
        }


def forbidden_dict(each: Forbidden) -> dict[str, Any]:
    """Return a forbidden outcome and its witness as JSON values."""
    failure = each.failure
    return {
        "outcome": dict(each.state),
        "command": failure.how_to_reproduce,
        "index": failure.index,
        "digest": failure.trace.digest,
        "schedule": failure.trace.schedule.text,
        "findings": msgspec.to_builtins(failure.findings),
    }


def compare(
    target: Target,
    scheme: SchemeChoice | None = None,
    *,
    host: str | None = None,
    machine: Machine | None = None,
    allowed_host: str | None = None,
    spurious_failures: bool | None = None,
    single_copy: str = "isa",
    executions: int = COMPARED_EXECUTIONS,
    seconds: float | None = COMPARED_SECONDS,
    jobs: Jobs = 1,
    progress: CompareProgress | None = None,
    found: Callable[[Failure], object] | None = None,
) -> Comparison:
    """Compare the outcomes of `target` under `scheme` on `host` with those that the guest's architecture allows.

    Args:
        target: A program, a litmus test, or the path of a ``.litmus`` file, whose outcomes are herd7's states.
        scheme: The scheme of the emulator, as for `simaie.Machine`; None for ``"native"``.
        host: The host memory of the emulator, as for `simaie.Machine`; None for ``"sc"``.
        machine: A machine to use instead of scheme and host.
        allowed_host: The host memory that models the guest's memory; None for that of the guest's architecture:
            ``tso`` of x86, ``armv8`` of AArch64, ``rvwmo`` of RISC-V, and ``pso`` for the others.
        spurious_failures: Whether a store-conditional of the architecture may fail spuriously. None for yes, unless
            the guest retries in a loop, which would then have no end.
        single_copy: The accesses that the architecture promises to be indivisible: ``"isa"`` for those of its base, or
            the name of an extension that promises more (``"lpae"`` for Arm, ``"lse2"`` for AArch64, ``"avx"`` for x86).
        executions: The number of executions of each of the two searches at most; `Comparison.unexplored` names the
            searches that a limit ended.
        seconds: The time of each of the two searches at most, in seconds; None for no limit.
        jobs: The number of processes, or ``"auto"`` for one on each core. With more than one, both searches run at the
            same time. It changes the time and never the result.
        progress: Called from time to time with the set that is explored and the number of executions.
        found: Called with the witness of each forbidden outcome as soon as it is found.

    Returns:
        Both sets of outcomes, and where they differ.

    Raises:
        UsageError: An argument is wrong.
        LitmusError: A litmus test cannot be read or run.
        Interrupted: Ctrl-C ended the comparison. The attribute ``report`` of the exception is the incomplete result.
    """
    subject = search_subject(target)
    machine = machine_of(scheme, host, machine).for_search(subject.program)
    if spurious_failures is not None:
        require_bool(spurious_failures=spurious_failures)
    if progress is not None:
        require_callable("progress", progress)
    isa, began = subject.program.isa, time.perf_counter()
    limits = SearchLimits(executions, seconds)
    model = partial(on_architecture, isa, machine, host=allowed_host, single_copy=single_copy)
    ideal = architecture_machine(
        isa, machine, host=allowed_host, spurious_failures=spurious_failures is not False, single_copy=single_copy
    )
    allow = _Allow(subject, model, limits, spurious_failures)

    def tell(state: FinalValues, witness: Witness, allowed: OutcomeSet) -> None:
        if found is not None:
            found(forbidden_failure(subject, state, witness, allowed, machine))

    emulated = Emulated(subject, machine, limits)
    allowed, possible = both_sets(allow, ideal, emulated, number_of_jobs(jobs), progress, tell)
    may = frozenset(allowed.states)
    can = frozenset(possible.states)
    comparison = Comparison(
        subject.name,
        isa,
        allowed,
        possible,
        tuple(
            Forbidden(state, forbidden_failure(subject, state, possible.witnesses[state], allowed, machine))
            for state in possible.states
            if state in possible.witnesses and state not in may
        ),
        tuple(state for state in allowed.states if state not in can and possible.reason != NOT_BEGUN),
        model_note(isa, allowed.machine),
        time.perf_counter() - began,
    )
    if comparison.interrupted:
        raise Interrupted(f"the comparison of {subject.name!r}", comparison)
    return comparison


class _Allow:
    """A function that finds the outcomes which the architecture allows."""

    def __init__(
        self, subject: SearchSubject, model: Callable[..., OutcomeSet], limits: SearchLimits, spurious: bool | None
    ) -> None:
        self._subject, self._model, self._limits, self._spurious = subject, model, limits, spurious

    def __call__(self, progress: SearchProgress | None) -> OutcomeSet:
        limits = replace(self._limits, choices=_ENDLESS) if self._spurious is None else self._limits
        search = partial(outcomes_of, self._subject, progress=progress)
        allowed = self._model(partial(search, limits=limits), spurious_failures=self._spurious is not False)
        if not allowed.endless:
            return allowed
        return self._model(partial(search, limits=self._limits), spurious_failures=False)


def machine_of(scheme: SchemeChoice | None, host: str | None, machine: Machine | None) -> Machine:
    """Return the machine of a scheme and a host, or `machine` itself; UsageError if the caller passed both."""
    if machine is None:
        return Machine("native" if scheme is None else scheme, host="sc" if host is None else host)
    require_instance("machine", machine, Machine, MACHINE)
    if scheme is not None or host is not None:
        raise UsageError("pass either a machine or a scheme and a host, not both")
    return machine


def forbidden_failure(
    subject: SearchSubject, state: FinalValues, witness: Witness, allowed: OutcomeSet, machine: Machine
) -> Failure:
    """Return the witness of a forbidden state as a failure."""
    trace = witness.trace
    ideal = f"{allowed.machine.scheme} on {allowed.machine.host}"
    known = "does not allow" if allowed.complete else "is not known to allow"
    finding = Finding(FORBIDDEN_OUTCOME, f"the guest's architecture ({ideal}) {known} {state_text(state)}")
    scheduler = Spec("dpor") if witness.by_index else None
    return Failure(subject.program, machine, scheduler, 0, witness.index, trace, (finding,))
