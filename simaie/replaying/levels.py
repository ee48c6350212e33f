"""The level at which an atomic instruction failed, found by judging a trace once more, at all levels.

A foreign store of the old value breaks the architecture's rule just like a store of another value, and checkers report
both. But only the latter can mislead a guest program. Code that compares failures therefore compares their levels. For
store-conditionals the LL/SC checkers decide the level; for other atomic instructions this module does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from msgspec.structs import replace

from simaie.check import Level, llsc_atomicity
from simaie.check.evidence import read, written
from simaie.finding import LLSC_LEVELS, RMW_LEVELS, Finding, Verdict
from simaie.host.ram import Endian
from simaie.protocols import Checker
from simaie.trace import Trace

__all__ = ["at_strongest_level"]

#: The read, the foreign write and the write of an atomic instruction that is not one transaction.
_RMW_STEPS = 3


def at_strongest_level(trace: Trace, findings: Sequence[Finding], endian: Endian = "little") -> tuple[Finding, ...]:
    """Return `findings` with each on an atomic instruction replaced by the strongest on the same instruction.

    Two findings on one store-conditional, at different levels, become one. Findings of other kinds do not change.

    Args:
        trace: The execution with the findings.
        findings: The findings of any checkers.
        endian: The byte order of guest RAM.
    """
    findings = [_rmw_at_its_level(trace, each, endian) if each.kind == RMW_LEVELS[0] else each for each in findings]
    levels = [LLSC_LEVELS.index(finding.kind) for finding in findings if _is_llsc(finding)]
    if not levels or min(levels) == len(LLSC_LEVELS) - 1:
        return tuple(findings)
    checkers = _checkers(endian)[min(levels) + 1 :]
    strongest = {finding.steps[-1]: finding for checker in checkers for finding in checker(trace)}
    return tuple(dict.fromkeys(_stronger(finding, strongest) for finding in findings))


def _rmw_at_its_level(trace: Trace, finding: Finding, endian: Endian) -> Finding:
    """Return the finding on a read-modify-write; if a foreign write changed the value, with its kind and this write."""
    if len(finding.steps) != _RMW_STEPS or finding.verdict is not Verdict.VIOLATED:
        return finding
    first, _, last = finding.steps
    instruction, values = trace.events[first].instruction, dict[int, int]()
    for step in range(first, last):
        event = trace.events[step]
        foreign = event.instruction is not instruction
        if event.reads_ram and not foreign:
            values.update(read(event, endian))
        if event.writes_ram:
            new = [(byte, value) for byte, value in written(event, endian) if byte in values]
            if foreign and any(values[byte] != value for byte, value in new):
                return replace(finding, kind=RMW_LEVELS[1], steps=(first, step, last))
            values.update(new)
    return finding


def _is_llsc(finding: Finding) -> bool:
    return finding.kind in LLSC_LEVELS and finding.verdict is Verdict.VIOLATED and bool(finding.steps)


@cache
def _checkers(endian: Endian) -> tuple[Checker, ...]:
    """Return the checkers of `LLSC_LEVELS`, in that order; the last step of their findings is the store-conditional."""
    return tuple(llsc_atomicity(level, endian=endian) for level in (Level.STRICT, Level.ARCHITECTURAL, Level.VALUE))


def _stronger(finding: Finding, strongest: dict[int, Finding]) -> Finding:
    """Return the strongest finding on the store-conditional of `finding`; `finding` itself if it is no weaker."""
    other = strongest.get(finding.steps[-1]) if _is_llsc(finding) else None
    if other is None or LLSC_LEVELS.index(other.kind) < LLSC_LEVELS.index(finding.kind):
        return finding
    return other
