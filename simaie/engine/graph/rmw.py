"""What a read-modify-write stores, and on what that depends."""

from __future__ import annotations

from typing import Any

from simaie.host.graph.revisit import NOTHING
from simaie.host.loaded import Control, Loaded, choices_of, data_of, plain, stepping
from simaie.op import Kind, Op

__all__ = ["dependencies_of_value", "piece_of_value", "stored_value"]


def stored_value(op: Op, old: Any) -> Any:
    """Return what an operation stores if it reads `old`, or `NOTHING`."""
    kind = op.kind
    if kind is Kind.LOCK:
        return NOTHING if old is not None else True
    if kind is Kind.CAS:
        return op.value if old == op.expected else NOTHING
    if kind is Kind.EXCHANGE:
        return op.value
    assert op.function is not None
    with stepping(Control()):
        return plain(op.function.apply(old))


def piece_of_value(op: Op, expected: int, old: Any) -> Any:
    """Return `NOTHING` if an operation that reads `old` in one of several pieces does not write; else any other value.

    Args:
        op: The operation.
        expected: That piece of the value with which a CAS compares.
        old: What it reads there.
    """
    return NOTHING if op.kind is Kind.CAS and old != expected else old


def dependencies_of_value(raw: Op, old: Loaded) -> tuple[int, int]:
    """Return on what the stored value depends: by data, and by data or choice.

    Args:
        raw: The operation, with the numbers as the vCPU announced them.
        old: What it reads.
    """
    kind = raw.kind
    if kind is Kind.LOCK:
        return 0, 0
    if kind is Kind.UPDATE:
        return old.data, old.choices
    if kind is not Kind.FETCH:
        picked = choices_of(raw.expected) if kind is Kind.CAS else 0
        return data_of(raw.value), choices_of(raw.value) | picked
    assert raw.function is not None
    control = Control()
    with stepping(control):
        new = raw.function.apply(old if type(old.value) is int else old.value)
    return data_of(new), choices_of(new) | control.mask
