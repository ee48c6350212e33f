"""Feeding a coroutine its history again: how operations are compared, and which nodes the spin detection needs."""

from __future__ import annotations

from typing import Any

from simaie.check.needs import kind_bit
from simaie.engine.memo.node import Node
from simaie.op import Kind, Op

__all__ = ["remembered", "same"]

_PAUSE = Kind.PAUSE
_LOOKS = frozenset({Kind.LOAD, Kind.FENCE, Kind.LOAD_LINKED})
#: The bit of what has occurred that shows a PAUSE.
_PAUSED = kind_bit(Kind.PAUSE)


def remembered(path: list[Node]) -> tuple[int, int]:
    """Return the numbers of the nodes of `path` that the spin detection needs at its end.

    Returns:
        The last PAUSE, or -1 if there is none; and the first of the looks after the last operation that is no look.
    """
    first = len(path)
    while first and (op := path[first - 1].op) is not None and op.kind in _LOOKS:
        first -= 1
    if not path[-1].occurred & _PAUSED and (path[-1].op is None or path[-1].op.kind is not _PAUSE):
        return -1, first
    pauses = (place for place in range(first - 1, -1, -1) if (op := path[place].op) is not None and op.kind is _PAUSE)
    return next(pauses, -1), first


def same(known: Op, op: Op) -> bool:
    """Whether an operation equals the one in the memo. Cells and published objects are compared by identity."""
    if known is op:
        return True
    if (
        known.kind is not op.kind
        or known.cell is not op.cell
        or known.address != op.address
        or known.width != op.width
        or known.order is not op.order
        or known.note != op.note
        or known.orders != op.orders
        or known.bit != op.bit
        or known.form != op.form
    ):
        return False
    if known.function is not op.function and (
        known.function is None or op.function is None or known.function.name != op.function.name
    ):
        return False
    if known.kind is Kind.SPAWN:
        return True
    return (known.value is op.value or _same_value(known.value, op.value)) and (
        known.expected is op.expected or _same_value(known.expected, op.expected)
    )


def _same_value(known: Any, value: Any) -> bool:
    if known is value:
        return True
    if type(known) is not type(value):
        return False
    if type(known) is Op:
        return same(known, value)
    if type(known) is tuple:
        return len(known) == len(value) and all(map(_same_value, known, value))
    return bool(known == value)
