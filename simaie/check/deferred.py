"""Stores that a transaction of the host defers: the store-conditional that commits it performs them with its own.

In a transaction, a store stays in the cache. The trace has its write to RAM at the commit, in the instruction that
commits. A store-conditional that reports failure may commit the stores of the instructions before it, but it must not
store itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.check.location import Mapping
from simaie.dependence import share_byte
from simaie.trace import AccessKind, Instruction, Trace

__all__ = ["own_writes"]

_STORES = frozenset({AccessKind.STORE, AccessKind.PLAIN_RMW, AccessKind.ATOMIC})


def own_writes(trace: Trace, conditional: Instruction, steps: Sequence[int], since: int) -> list[int]:
    """Return the writes of a committing store-conditional that are its own.

    A write outside of its location is an earlier instruction's. A write inside is too if the store-conditional reports
    failure and the transaction had deferred a store there.

    Args:
        trace: The execution.
        conditional: The store-conditional, which ended a transaction.
        steps: The steps in which it wrote RAM.
        since: The number of the load-linked that began the transaction; -1 if there is none.
    """
    place = Mapping(trace)
    inside = [
        step
        for step in steps
        for op in (trace.events[step].op,)
        if any(
            place.may_be(virtual, op.address + offset)
            for virtual in range(conditional.address, conditional.address + conditional.width)
            for offset in range(op.width)
        )
    ]
    failed = conditional.completed and not conditional.result
    return [] if failed and inside and _is_deferred(trace, conditional, since) else inside


def _is_deferred(trace: Trace, conditional: Instruction, since: int) -> bool:
    """Whether the transaction has a store to the location of `conditional`: all its stores are deferred."""
    instructions = (event.instruction for event in trace.events)
    return any(
        each.access in _STORES and share_byte(each.address, each.width, conditional.address, conditional.width)
        for each in instructions
        if each is not None and each.vcpu == conditional.vcpu and since < each.number < conditional.number
    )
