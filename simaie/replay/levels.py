"""The level at which a store-conditional failed, found by judging a trace by the LL/SC checkers of all levels.

An exploration judges by the architectural rule alone by default. It reports a store of the value that was there already
like a store of another value, but only the latter can mislead a guest program. So what compares two failing executions
asks for the level first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from simaie.check import Level, llsc_atomicity
from simaie.finding import LLSC_LEVELS, Finding, Verdict
from simaie.host.ram import Endian
from simaie.protocols import Checker
from simaie.trace import Trace

__all__ = ["at_strongest_level"]


def at_strongest_level(trace: Trace, findings: Sequence[Finding], endian: Endian = "little") -> tuple[Finding, ...]:
    """Return `findings` with those on a store-conditional replaced by the strongest on the same store-conditional.

    Two findings on one store-conditional, at different levels, become one. The others stay as they are.

    Args:
        trace: the execution in which they were found.
        findings: by any checkers.
        endian: of guest RAM.
    """
    levels = [LLSC_LEVELS.index(finding.kind) for finding in findings if _is_llsc(finding)]
    if not levels or min(levels) == len(LLSC_LEVELS) - 1:
        return tuple(findings)
    checkers = _checkers(endian)[min(levels) + 1 :]
    strongest = {finding.steps[-1]: finding for checker in checkers for finding in checker(trace)}
    return tuple(dict.fromkeys(_stronger(finding, strongest) for finding in findings))


def _is_llsc(finding: Finding) -> bool:
    return finding.kind in LLSC_LEVELS and finding.verdict is Verdict.VIOLATED and bool(finding.steps)


@cache
def _checkers(endian: Endian) -> tuple[Checker, ...]:
    """Those of `LLSC_LEVELS`, in that order. The last step of each finding is the store-conditional's."""
    return tuple(llsc_atomicity(level, endian=endian) for level in (Level.STRICT, Level.ARCHITECTURAL, Level.VALUE))


def _stronger(finding: Finding, strongest: dict[int, Finding]) -> Finding:
    """The strongest finding on the store-conditional that `finding` is about, `finding` itself if it is no weaker."""
    other = strongest.get(finding.steps[-1]) if _is_llsc(finding) else None
    if other is None or LLSC_LEVELS.index(other.kind) < LLSC_LEVELS.index(finding.kind):
        return finding
    return other
