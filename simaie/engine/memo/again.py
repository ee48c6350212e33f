"""Feeding a coroutine its history again: how operations are compared, and which nodes the spin detection needs."""

from __future__ import annotations

from typing import Any

from simaie.check.needs import kind_bit
from simaie.engine.memo.node import Node
from simaie.engine.spin import ends_looking
from simaie.op import Kind, Op
from simaie.trace import Event

__all__ = ["remembered", "same"]

_PAUSE = Kind.PAUSE
#: The bit of what has occurred that shows a PAUSE.
_PAUSED = kind_bit(Kind.PAUSE)


def remembered(path: list[Node], tries: int | None) -> tuple[int, int]:
    """Return the numbers of the nodes of `path` that the spin detection needs at its end.

    Returns:
        The last PAUSE, or -1 if there is none; and the last node at which the vCPU ceases to try. If several tries make
        a wait, all nodes are needed; if no vCPU waits in a loop, none is.
    """
    if tries is None:
        return -1, len(path)
    if tries > 1:
        return -1, 0
    first = len(path)
    while first and not _ceases(path, first - 1):
        first -= 1
    first = max(0, first - 1)
    if not path[-1].occurred & _PAUSED and (path[-1].op is None or path[-1].op.kind is not _PAUSE):
        return -1, first
    pauses = (place for place in range(first - 1, -1, -1) if (op := path[place].op) is not None and op.kind is _PAUSE)
    return next(pauses, -1), first


def _ceases(path: list[Node], place: int) -> bool:
    """Whether the vCPU certainly makes no try at the node of this number."""
    node = path[place]
    before = node.parent
    if node.op is None or before is None or before.op is None:
        return True
    return ends_looking(node.op, Event(node.root.name, before.op, node.came))


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
