"""Shared parts of the corpus: places in memory, recurring expectations, and predicates on traces.

X is aligned to 64 bytes, so X to X + 15 lie in one granule of either size (16 or 64 bytes); Y and Z are in other
granules. All lie below 2**12, where the radix tree has a single level.
"""

from __future__ import annotations

from collections.abc import Mapping

from simaie.corpus.audit_case import Expect
from simaie.op import Kind
from simaie.trace import AccessKind, Ending, Trace

__all__ = [
    "ARM",
    "LOST_RMW",
    "TORN_LLSC",
    "X86",
    "X",
    "Y",
    "Z",
    "finished_with",
    "insertion_lost",
    "load_inside_rmw",
    "store_conditional_failed",
    "store_took_a_lock",
]

X, Y, Z = 0x100, 0x200, 0x300

#: The kinds of finding that show a lost update of a locked read-modify-write, and a wrongly successful SC.
LOST_RMW = frozenset({"rmw-atomicity", "final-check"})
TORN_LLSC = frozenset({"llsc-atomicity", "final-check"})


def X86(expect: Expect, **others: Expect) -> Mapping[str, Expect]:
    """Return `expect` for both AIE schemes, which run x86 guests; `others` by scheme name, with ``_`` for ``-``."""
    return {"aie-rfc": expect, "aie-v2": expect} | _named(others)


def ARM(expect: Expect, **others: Expect) -> Mapping[str, Expect]:
    """Return `expect` for aie-rfc, the only AIE scheme with LL/SC; `others` as in `X86`."""
    return {"aie-rfc": expect} | _named(others)


def _named(others: Mapping[str, Expect]) -> dict[str, Expect]:
    return {name.replace("_", "-"): expect for name, expect in others.items()}


def insertion_lost(trace: Trace) -> bool:
    """Whether a vCPU lost the race of the insertion, and all took the same lock nevertheless."""
    lost = any(e.op.kind is Kind.CAS and e.op.cell is not None and not e.wrote for e in trace.events)
    locks = {e.op.location for e in trace.events if e.op.kind is Kind.LOCK}
    return lost and len(locks) == 1


def load_inside_rmw(trace: Trace) -> bool:
    """Whether a plain load took effect between the load and the store of a foreign read-modify-write."""
    inside: set[str] = set()  # vCPUs whose atomic instruction has loaded and not yet stored
    for event in trace.events:
        instruction = event.instruction
        if instruction is None or not event.op.width:
            continue
        if instruction.access is AccessKind.ATOMIC:
            (inside.discard if event.writes_ram else inside.add)(event.actor)
        elif instruction.access is AccessKind.LOAD and inside:
            return True
    return False


def store_conditional_failed(trace: Trace) -> bool:
    """Whether a store-conditional ran to its end and did not store."""
    return any(
        instruction.access is AccessKind.STORE_CONDITIONAL and instruction.completed and not instruction.result
        for instruction, _ in trace.instructions
    )


def store_took_a_lock(trace: Trace) -> bool:
    """Whether a plain store took a lock, as if its granule had been used atomically."""
    return any(
        e.op.kind is Kind.LOCK and e.instruction is not None and e.instruction.access is AccessKind.STORE
        for e in trace.events
    )


def finished_with(trace: Trace, name: str) -> int | None:
    """Return the final value of an observation or watched location; None if the execution did not finish."""
    return trace.outcome.as_dict().get(name) if trace.ending is Ending.FINISHED else None
