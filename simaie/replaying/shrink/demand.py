"""The kinds of finding that a candidate must have to be a counterexample as strong as the original.

The architectural kind of a finding is not enough. If a store-conditional succeeds although a foreign store changed the
value, this bug can mislead a program. If the foreign store wrote the old value, the kind is the same, but no program is
misled. So the level counts too, and so does the result of the program itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simaie.errors import UsageError
from simaie.finding import FORBIDDEN_OUTCOME, LADDERS, LLSC_LEVELS, Finding, Verdict, strong_kinds
from simaie.protocols import Checker
from simaie.trace import Trace

__all__ = ["demand_of", "finder_of_the_forbidden", "meets", "require_kind"]


def demand_of(kind: str, asked: bool, strongest: Sequence[Finding]) -> tuple[str, ...]:
    """Return the kinds of finding that every candidate must have, `kind` first.

    Args:
        kind: The kind to keep.
        asked: Whether the caller named it. Then only its own level stays of what makes the original strong.
        strongest: The findings of the original at their strongest level.
    """
    found = {finding.kind for finding in strongest if finding.verdict is Verdict.VIOLATED}
    levels = [[each for each in ladder if each in found][-1] for ladder in LADDERS if kind in ladder]
    return tuple(dict.fromkeys((kind, *levels, *(() if asked else strong_kinds(strongest)))))


def meets(demand: Iterable[str], *findings: Iterable[Finding]) -> bool:
    """Return whether `findings` have a violation of every demanded kind."""
    found = {each.kind for some in findings for each in some if each.verdict is Verdict.VIOLATED}
    return found.issuperset(demand)


def finder_of_the_forbidden(trace: Trace, findings: Iterable[Finding]) -> Checker | None:
    """Return a checker that finds the forbidden outcome of `trace` again; None if `findings` have no forbidden outcome.

    A comparison found that the outcome is forbidden, and it cannot be repeated for each candidate. But an execution of
    the same program that ends in the same way is forbidden for the same reason.
    """
    forbidden = tuple(finding for finding in findings if finding.kind == FORBIDDEN_OUTCOME)
    if not forbidden:
        return None
    wanted = _end_of(trace)

    def checker(candidate: Trace) -> Iterable[Finding]:
        return forbidden if _end_of(candidate) == wanted else ()

    return checker


def _end_of(trace: Trace) -> object:
    return trace.ending, trace.outcome, [(fault.vcpu, fault.kind) for fault in trace.faults]


def require_kind(findings: Iterable[Finding], kind: str | None, program: str) -> str:
    """Return `kind`, or by default that of the first violation; UsageError if there is no violation of this kind.

    The strict rule for store-conditionals is no rule of the architecture. It is the default only if nothing else is
    violated.
    """
    kinds = [finding.kind for finding in findings if finding.verdict is Verdict.VIOLATED]
    if not kinds:
        raise UsageError(f"there is nothing to shrink: no checker finds a violation in this execution of {program!r}")
    if kind is not None and kind not in kinds:
        raise UsageError(f"this execution has no violation of kind {kind!r}; it has: {', '.join(sorted(set(kinds)))}")
    return kind or next((each for each in kinds if each != LLSC_LEVELS[0]), kinds[0])
