"""Where in the scheme's code to look: the helpers that carried out the instructions of a finding."""

from __future__ import annotations

from collections.abc import Iterator

from simaie.check.evidence import Intruder, intruder
from simaie.finding import LLSC_LEVELS, Finding
from simaie.schemes.scheme import Scheme
from simaie.show.explain.phrases import actor_of, listed
from simaie.trace import AccessKind, Instruction, Trace

__all__ = ["BY_HELPERS", "helpers"]

#: The findings that are about how single instructions are carried out.
BY_HELPERS = frozenset({
    *LLSC_LEVELS, "rmw-atomicity", "single-copy-atomicity", "lock-leak", "locks-per-vcpu", "one-entry-per-granule",
    "registered-by-atomics", "host-operations", "unguarded-update",
})  # fmt: skip
_METHODS = {
    AccessKind.LOAD: ("load",),
    AccessKind.STORE: ("store",),
    AccessKind.PLAIN_RMW: ("load", "store"),
    AccessKind.ATOMIC: ("atomic_rmw",),
    AccessKind.LOAD_LINKED: ("load_linked",),
    AccessKind.STORE_CONDITIONAL: ("store_conditional",),
}


def helpers(trace: Trace, finding: Finding, scheme: type[Scheme] | None) -> str:
    """``In the scheme's code: AieRfc.atomic_rmw (vCPU 0), AieScheme.store (vCPU 1).``; empty where there is none."""
    if scheme is None:
        return ""
    users: dict[str, dict[str, None]] = {}
    for step in finding.steps:
        event = trace.events[step]
        if event.instruction is not None and intruder(event) is not Intruder.DEVICE:
            for name in _names(event.instruction, scheme):
                users.setdefault(name, {})[actor_of(event)] = None
    told = [f"{name} ({listed(list(whom))})" for name, whom in users.items()]
    return f"In the scheme's code: {', '.join(told)}." if told else ""


def _names(instruction: Instruction, scheme: type[Scheme]) -> Iterator[str]:
    methods = _METHODS.get(instruction.access, ())
    if "cmpxchg" in instruction.mnemonic and methods == ("atomic_rmw",) and _definer(scheme, "cmpxchg") is not Scheme:
        methods = ("cmpxchg",)
    for method in methods:
        definer = _definer(scheme, method)
        if definer is not None:
            yield f"{definer.__name__}.{method}"


def _definer(scheme: type[Scheme], method: str) -> type | None:
    return next((base for base in scheme.__mro__ if method in vars(base)), None)
