"""The table of explanations, by the kind of finding, and the functions that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from simaie.finding import LLSC_LEVELS, Finding
from simaie.replaying.failure import Failure
from simaie.show.explain.conflicts import data_race, linearizability, single_copy, unserializable
from simaie.show.explain.context import NOTHING, Context, around
from simaie.show.explain.interrupted import llsc_atomicity, rmw_atomicity
from simaie.show.explain.locks import (
    guest_fault,
    host_operations,
    lock_leak,
    locks_per_vcpu,
    one_entry,
    registered,
    stuck,
    unguarded_update,
)
from simaie.show.explain.phrases import said
from simaie.show.explain.protection import BY_HELPERS, helpers
from simaie.show.explain.rejected_outcomes import REFUSALS, about_compare, cause, refused
from simaie.show.format import clean
from simaie.show.reordered import reorderings
from simaie.show.turns import turns
from simaie.trace import Trace

__all__ = ["EXPLANATIONS", "Explanation", "explain", "explain_failure"]

#: Of more steps, only the first are listed.
_MOST_STEPS = 8


class Explanation(NamedTuple):
    """The explanation of a kind of finding.

    Attributes:
        write: Function that returns the paragraph.
        steps: Least number of steps that a finding must name for it.
    """

    write: Callable[[Trace, Finding], str]
    steps: int = 0


EXPLANATIONS: Mapping[str, Explanation] = MappingProxyType({
    "rmw-atomicity": Explanation(rmw_atomicity, steps=3),
    **dict.fromkeys(LLSC_LEVELS, Explanation(llsc_atomicity, steps=1)),
    "lock-leak": Explanation(lock_leak, steps=1),
    "locks-per-vcpu": Explanation(locks_per_vcpu, steps=2),
    "deadlock": Explanation(stuck),
    "livelock": Explanation(stuck),
    "one-entry-per-granule": Explanation(one_entry, steps=2),
    "registered-by-atomics": Explanation(registered, steps=1),
    "host-operations": Explanation(host_operations, steps=1),
    "unguarded-update": Explanation(unguarded_update, steps=1),
    "single-copy-atomicity": Explanation(single_copy, steps=2),
    "atomic-blocks": Explanation(unserializable, steps=2),
    "serializability": Explanation(unserializable, steps=2),
    "linearizability": Explanation(linearizability),
    "data-race": Explanation(data_race, steps=2),
    "guest-fault": Explanation(guest_fault),
    "assertion": Explanation(guest_fault),
    **dict.fromkeys(REFUSALS, Explanation(lambda trace, finding: refused(trace, finding, NOTHING))),
})


def explain(trace: Trace, finding: Finding, known: Context = NOTHING) -> str:
    """Return a paragraph that explains `finding` beyond its own message; empty if there is nothing to add.

    Args:
        trace: The execution.
        finding: A finding in it.
        known: Context of the execution.
    """
    if finding.kind in REFUSALS:
        return refused(trace, finding, known)
    explanation = EXPLANATIONS.get(finding.kind)
    steps = [step for step in finding.steps if 0 <= step < len(trace)]
    if explanation is None or len(steps) < max(len(finding.steps), explanation.steps):
        return _from_message(trace, finding, steps)
    text = explanation.write(trace, finding)
    where = helpers(trace, finding, known.scheme) if finding.kind in BY_HELPERS else ""
    if finding.kind == "linearizability" and all(other.kind == finding.kind for other in known.findings):
        where = cause(trace, known)  # no other finding says it
    return f"{text} {where}".strip()


def explain_failure(failure: Failure) -> str:
    """Return the program and the machine of `failure`, each finding with its explanation, and switches."""
    machine = failure.machine
    head = f"{clean(failure.program.name)} under {clean(machine.scheme)} on {clean(machine.host)}"
    if not failure.findings:
        return f"{head}: no checker reports a finding in this execution."
    known = around(failure)
    parts = [f"{clean(str(f))}\n{explain(failure.trace, f, known)}".rstrip() for f in failure.findings]
    moved = "\n".join(f"{words}." for words in (*turns(failure.trace), *reorderings(failure.trace)))
    scope = about_compare(failure.trace, failure.findings)
    return "\n\n".join([head, *parts, *filter(None, (moved, scope))])


def _from_message(trace: Trace, finding: Finding, steps: Sequence[int]) -> str:
    listed = "; ".join(said(trace, step) for step in steps[:_MOST_STEPS])
    return f"The steps: {listed}." if listed else ""
