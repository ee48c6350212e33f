"""What a candidate must show to be a counterexample to the same thing, and no weaker one than the original.

Kinds alone are not enough to tell. A store-conditional that succeeded across a store of another value is a bug that can
mislead a program; one across a store of the value that was there already is of the same architectural kind and misleads
no program. So the level counts, and so does what the program itself came to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simaie.errors import UsageError
from simaie.finding import FORBIDDEN_OUTCOME, LADDERS, LLSC_LEVELS, Finding, Verdict, strong_kinds
from simaie.protocols import Checker
from simaie.trace import Trace

__all__ = ["demand_of", "finder_of_the_forbidden", "meets", "require_kind"]


def demand_of(kind: str, asked: bool, strongest: Sequence[Finding]) -> tuple[str, ...]:
    """Return the kinds that every candidate must have, `kind` first.

    Args:
        kind: the kind to keep.
        asked: whether the caller named it: then of what makes the original strong only its own level stays.
        strongest: the original's findings at their strongest level.
    """
    found = {finding.kind for finding in strongest if finding.verdict is Verdict.VIOLATED}
    levels = [[each for each in ladder if each in found][-1] for ladder in LADDERS if kind in ladder]
    return tuple(dict.fromkeys((kind, *levels, *(() if asked else strong_kinds(strongest)))))


def meets(demand: Iterable[str], *findings: Iterable[Finding]) -> bool:
    """Return whether there is a violation of every demanded kind among `findings`."""
    found = {each.kind for some in findings for each in some if each.verdict is Verdict.VIOLATED}
    return found.issuperset(demand)


def finder_of_the_forbidden(trace: Trace, findings: Iterable[Finding]) -> Checker | None:
    """Return the checker that finds the forbidden outcome of `trace` again; None if `findings` name none.

    That an outcome is forbidden was found by a comparison, which no candidate can be put to. But every execution of the
    same program that ends in the same way is forbidden for the same reason.
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
    """Return `kind`, by default that of the first violation; UsageError if there is no violation of it.

    The strict rule for store-conditionals is none of the architecture's, so it is the default only if nothing else is
    violated.
    """
    kinds = [finding.kind for finding in findings if finding.verdict is Verdict.VIOLATED]
    if not kinds:
        raise UsageError(f"there is nothing to shrink: no checker finds a violation in this execution of {program!r}")
    if kind is not None and kind not in kinds:
        raise UsageError(f"this execution has no violation of kind {kind!r}; it has: {', '.join(sorted(set(kinds)))}")
    return kind or next((each for each in kinds if each != LLSC_LEVELS[0]), kinds[0])
