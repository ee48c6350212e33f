"""Checkers: pure functions of a trace that report what is broken in it, each finding with its evidence.

A checker judges only what a trace shows, so it also runs on a replayed trace. Each checker first tests whether the
trace contains anything that it judges (`Trace.kinds`, `Trace.accesses`, the promises), since most executions of an
exploration contain nothing for most checkers. The rest is linear in the trace, except for the search for a
linearization, which has a limit.

Findings are the same for all executions that differ only in the order of operations that do not conflict, so an
exhaustive search may run one execution per class (`simaie.predecessors`). Two checkers look at more. Linearizability of
calls whose ends are no steps depends on that order and declares it (`order_sensitive`, see
`simaie.protocols.Checker`); a search that runs only one order then proves nothing. Starvation
looks at the last steps of an execution that a limit cut short, and such an execution proves nothing in any case.

`DEFAULT` holds the checkers of an exploration. `CHECKERS` holds all by name, including those that run only on request;
simaie registers them in the entry-point group ``simaie.checkers``. The kind of a finding is the name of its checker,
with these exceptions for checkers that distinguish causes: ``progress`` reports ``deadlock``, ``livelock``,
``starvation`` or ``eventually``, ``starvation`` also ``livelock``, ``guest-fault`` also ``assertion``,
``store-conditional-within`` reports ``starvation``; all objects report ``linearizability``, ``data-races``
reports a ``data-race``, and ``double-free`` also ``invalid-free``.
"""

from __future__ import annotations

from collections.abc import Iterable

from simaie.check.entries import one_entry_per_granule, registered_by_atomics
from simaie.check.evidence import Intruder, intruder
from simaie.check.guest import final_check, guest_fault
from simaie.check.heap import double_free, use_after_free
from simaie.check.invariants import host_operations, unguarded_update
from simaie.check.linearizability import COUNTER, MUTEX, QUEUE, REGISTER, SET, STACK, linearizable
from simaie.check.llsc import LLSC_ARCHITECTURAL, LLSC_STRICT, LLSC_VALUE, Level, llsc_atomicity
from simaie.check.locks import lock_leak, locks_per_vcpu
from simaie.check.progress import progress
from simaie.check.races import data_races
from simaie.check.registry import CheckerChoice, blame, checkers_of, name_of, require_findings
from simaie.check.results import instruction_results
from simaie.check.rmw import rmw_atomicity
from simaie.check.serializability import atomic_blocks, serializability
from simaie.check.single_copy import (
    single_copy,
    single_copy_atomicity,
    single_copy_avx,
    single_copy_lpae,
    single_copy_lse2,
)
from simaie.check.starvation import STORE_CONDITIONAL_WITHIN, starvation, store_conditional_within
from simaie.finding import Finding
from simaie.protocols import Checker
from simaie.trace import Trace

__all__ = [
    "CHECKERS",
    "DEFAULT",
    "LLSC_ARCHITECTURAL",
    "LLSC_STRICT",
    "LLSC_VALUE",
    "CheckerChoice",
    "Intruder",
    "Level",
    "checkers_of",
    "intruder",
    "judge",
    "linearizable",
    "llsc_atomicity",
    "name_of",
    "single_copy",
    "store_conditional_within",
]

DEFAULT: tuple[Checker, ...] = (
    instruction_results,
    rmw_atomicity,
    LLSC_ARCHITECTURAL,
    lock_leak,
    locks_per_vcpu,
    progress,
    starvation,
    one_entry_per_granule,
    registered_by_atomics,
    host_operations,
    unguarded_update,
    atomic_blocks,
    single_copy_atomicity,
    guest_fault,
    final_check,
)

CHECKERS: dict[str, Checker] = {
    "instruction-results": instruction_results,
    "rmw-atomicity": rmw_atomicity,
    "llsc-atomicity": LLSC_ARCHITECTURAL,
    "llsc-atomicity-strict": LLSC_STRICT,
    "llsc-atomicity-value": LLSC_VALUE,
    "lock-leak": lock_leak,
    "locks-per-vcpu": locks_per_vcpu,
    "progress": progress,
    "starvation": starvation,
    "store-conditional-within": STORE_CONDITIONAL_WITHIN,
    "one-entry-per-granule": one_entry_per_granule,
    "registered-by-atomics": registered_by_atomics,
    "host-operations": host_operations,
    "unguarded-update": unguarded_update,
    "atomic-blocks": atomic_blocks,
    "serializability": serializability,
    "data-races": data_races,
    "use-after-free": use_after_free,
    "double-free": double_free,
    "single-copy-atomicity": single_copy_atomicity,
    "single-copy-atomicity-lpae": single_copy_lpae,
    "single-copy-atomicity-lse2": single_copy_lse2,
    "single-copy-atomicity-avx": single_copy_avx,
    "linearizable-counter": COUNTER,
    "linearizable-mutex": MUTEX,
    "linearizable-queue": QUEUE,
    "linearizable-register": REGISTER,
    "linearizable-set": SET,
    "linearizable-stack": STACK,
    "guest-fault": guest_fault,
    "final-check": final_check,
}


def judge(trace: Trace, checkers: Iterable[Checker] = DEFAULT) -> tuple[Finding, ...]:
    """Return all findings of `checkers` in `trace`, by first guilty step, then kind; those without a step are last.

    Args:
        trace: The execution to judge.
        checkers: The checkers to run.

    Raises:
        UsageError: A user-defined checker raised, or returned something other than findings.
    """
    findings: list[Finding] = []
    for checker in checkers:
        known = len(findings)
        try:
            findings.extend(checker(trace))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `sys.exit` too
            blame(checker, error)
            raise
        if len(findings) > known:
            require_findings(checker, findings[known:])
    if len(findings) > 1:
        end = len(trace.events)
        findings.sort(key=lambda finding: (finding.steps[0] if finding.steps else end, finding.kind))
    return tuple(findings)
