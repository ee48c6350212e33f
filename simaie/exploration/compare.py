"""An emulator against the architecture that it emulates: what it can do, what it may do, and where these differ.

Both sets of outcomes are explored to the end by optimal DPOR. An outcome that the emulator has and the architecture
does not is a bug, with a witness that replays; the opposite, an outcome that the emulator never shows, is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import msgspec

from simaie import plugins
from simaie.arguments import require_bool, require_callable, require_instance
from simaie.errors import Interrupted, UsageError
from simaie.exploration.architecture import guest_machine, model_note
from simaie.exploration.outcomes import OutcomeSet, Witness, outcomes_of
from simaie.exploration.search import COMPARED_EXECUTIONS, COMPARED_SECONDS, SearchLimits
from simaie.exploration.subject import State, Subject, Target, state_text, subject_of
from simaie.finding import FORBIDDEN_OUTCOME, Finding, Verdict
from simaie.machine import Machine, SchemeChoice
from simaie.plugins import Spec
from simaie.replaying.failure import Failure
from simaie.replaying.run import MACHINE

__all__ = ["CompareProgress", "Comparison", "Forbidden", "compare", "forbidden_failure", "machine_of"]

#: Why nothing is known of what is possible, nor of what is not.
NOT_BEGUN = "the search was not begun"
#: So many store-conditionals that fail without cause in one execution are those of a loop: each of them doubles how
#: many executions there are, so that a program without such a loop could not be explored to the end either.
_ENDLESS = 32

#: Called now and then with which set is being explored (``"allowed"`` or ``"possible"``) and how many executions.
CompareProgress: TypeAlias = Callable[[str, int], None]


class Forbidden(NamedTuple):
    """An outcome that the emulator has and the architecture does not, with the execution that shows it."""

    state: State
    failure: Failure


@dataclass(frozen=True)
class Comparison:
    """The result of `simaie.compare`.

    allowed: what the guest's architecture allows. possible: what the emulator can produce. forbidden: possible and not
    allowed; sure only if `allowed` is complete. unreached: allowed and not possible; sure only if `possible` is, and
    empty if what is possible was not looked for.
    model_note: how what is called the architecture here differs from the real one. seconds: of everything.
    """

    name: str
    isa: str
    allowed: OutcomeSet
    possible: OutcomeSet
    forbidden: tuple[Forbidden, ...] = field(repr=False)
    unreached: tuple[State, ...] = field(repr=False)
    model_note: str
    seconds: float = field(repr=False)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.allowed.interrupted or self.possible.interrupted

    @property
    def unexplored(self) -> tuple[str, ...]:
        """Which of ``"allowed"`` and ``"possible"`` a limit on executions or seconds left unexplored in part."""
        sets = {"allowed": self.allowed, "possible": self.possible}
        return tuple(name for name, found in sets.items() if found.limited)

    @property
    def verdict(self) -> Verdict:
        """Violated if something forbidden is possible; holds only if both sets are complete."""
        if self.forbidden and self.allowed.complete:
            return Verdict.VIOLATED
        return Verdict.HOLDS if self.allowed.complete and self.possible.complete else Verdict.INCONCLUSIVE

    @property
    def reason(self) -> str:
        """The verdict in words."""
        if not self.allowed.complete:
            return f"what is allowed is not fully known: {self.allowed.reason}"
        if self.forbidden:
            return f"{len(self.forbidden)} of {len(self.possible.states)} possible outcomes are not allowed"
        if not self.possible.complete:
            return f"nothing forbidden was found, but not all that is possible is known: {self.possible.reason}"
        return f"all {len(self.possible.states)} possible outcomes are allowed"

    def __str__(self) -> str:
        return f"{self.name} under {self.possible.machine.scheme}: {self.verdict} ({self.reason})"

    def _repr_html_(self) -> str:
        drawn: str = plugins.resolve(plugins.RENDERERS, "comparison")(self)
        return drawn

    def plot(self) -> Any:
        """Outcomes by set, as a `simaie.show.plots.Plot`; UsageError if there are none."""
        return plugins.resolve(plugins.RENDERERS, "comparison-plot")(self)

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON values."""
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
    """A forbidden outcome and its witness as JSON values."""
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
    progress: CompareProgress | None = None,
    found: Callable[[Failure], object] | None = None,
) -> Comparison:
    """Compare what `target` can do under `scheme` on `host` with what the guest's architecture allows.

    target: a program, a litmus test, or the path of a ``.litmus`` file, whose outcomes are herd7's states.
    machine: in place of scheme and host, for more than these. allowed_host: the memory that models the guest;
    None takes ``tso`` for x86 and ``pso`` for the weak guests. spurious_failures: whether a store-conditional of the
    architecture may fail without cause; None for yes, unless the guest tries again in a loop, which has no end then.
    single_copy: which accesses the architecture promises to be indivisible, ``"isa"`` for those of its base, or the
    name of an extension that promises more: ``"lpae"`` of Arm, ``"lse2"`` of AArch64.
    executions, seconds: limits of each of the two searches, None for no limit on seconds; the result says what they
    left unexplored. found: called with the witness of each forbidden outcome as
    soon as there is one.

    Raises `simaie.Interrupted` at Ctrl-C; its ``report`` is the comparison as far as it came.
    """
    subject = subject_of(target)
    machine = machine_of(scheme, host, machine).for_search(subject.program)
    if spurious_failures is not None:
        require_bool(spurious_failures=spurious_failures)
    if progress is not None:
        require_callable("progress", progress)
    isa, began = subject.program.isa, time.perf_counter()
    limits = SearchLimits(executions, seconds)
    heard = None if progress is None else partial(progress, "allowed")
    model = partial(guest_machine, isa, machine, host=allowed_host, single_copy=single_copy)
    ideal = model(spurious_failures=spurious_failures is not False)
    bounded = replace(limits, choices=_ENDLESS) if spurious_failures is None else limits
    allowed = outcomes_of(subject, ideal, bounded, progress=heard)
    if allowed.endless:
        ideal = model(spurious_failures=False)
        allowed = outcomes_of(subject, ideal, limits, progress=heard)
    may = frozenset(allowed.states)

    def tell(state: State, witness: Witness) -> None:
        if found is not None:
            found(forbidden_failure(subject, state, witness, allowed, machine))

    if allowed.interrupted:
        possible = OutcomeSet(machine, reason=NOT_BEGUN)
    else:
        possible = outcomes_of(
            subject,
            machine,
            limits,
            wanted=lambda state: state not in may,
            progress=None if progress is None else partial(progress, "possible"),
            found=tell,
        )
    can = frozenset(possible.states)
    comparison = Comparison(
        subject.name,
        isa,
        allowed,
        possible,
        tuple(
            Forbidden(state, forbidden_failure(subject, state, possible.witnesses[state], allowed, machine))
            for state in possible.states
            if state not in may
        ),
        tuple(state for state in allowed.states if state not in can and possible.reason != NOT_BEGUN),
        model_note(isa, ideal),
        time.perf_counter() - began,
    )
    if comparison.interrupted:
        raise Interrupted(f"the comparison of {subject.name!r}", comparison)
    return comparison


def machine_of(scheme: SchemeChoice | None, host: str | None, machine: Machine | None) -> Machine:
    """The machine that the caller means; UsageError if it is said twice."""
    if machine is None:
        return Machine("native" if scheme is None else scheme, host="sc" if host is None else host)
    require_instance("machine", machine, Machine, MACHINE)
    if scheme is not None or host is not None:
        raise UsageError("give either a machine or a scheme and a host, not both")
    return machine


def forbidden_failure(
    subject: Subject, state: State, witness: Witness, allowed: OutcomeSet, machine: Machine
) -> Failure:
    """The witness of a forbidden state as a failure."""
    trace = witness.trace
    ideal = f"{allowed.machine.scheme} on {allowed.machine.host}"
    known = "does not allow" if allowed.complete else "is not known to allow"
    finding = Finding(FORBIDDEN_OUTCOME, f"the guest's architecture ({ideal}) {known} {state_text(state)}")
    return Failure(subject.program, machine, Spec("dpor"), 0, witness.index, trace, (finding,))
