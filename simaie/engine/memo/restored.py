"""Operations on a sequentially consistent memory that can be taken back."""

from __future__ import annotations

from typing import Any

from simaie.engine.memo.memo import READS
from simaie.errors import SimaieError
from simaie.host.sc import ScMemory
from simaie.op import Kind, Op

__all__ = ["CannotUndo", "MixedSizes", "Old", "perform", "performed", "put_back"]

#: The kinds of operations that change reservations even if there is none, or that read them.
_EXCLUSIVE = frozenset({Kind.LOAD_LINKED, Kind.STORE_CONDITIONAL, Kind.CLEAR_RESERVATION})
_UNCHANGED = READS | {Kind.JOIN, Kind.CLEAR_RESERVATION, Kind.AWAIT}


class CannotUndo(Exception):
    """A search by undo is not possible, or an error ends it; the reference engine has to run it."""


class MixedSizes(CannotUndo):
    """The search has to begin anew with a state that says that accesses may overlap in part."""


class Old:
    """What an operation has changed, as it was before.

    Attributes:
        value: The old value of the cell or of the bytes in RAM.
        reservations: The old reservations; None if they are the same.
    """

    __slots__ = ("reservations", "value")

    def __init__(self, value: Any = None, reservations: Any = None) -> None:
        self.value, self.reservations = value, reservations


def performed(memory: ScMemory, actor: Any, op: Op) -> tuple[Old | None, Any]:
    """Perform `op` of `actor`, and return what it has changed, and its result.

    Raises:
        CannotUndo: It raised, or it is a store-conditional that depends on more bytes than it says.
    """
    kind = op.kind
    reservations = memory.saved_reservations() if memory.reservations or kind in _EXCLUSIVE else None
    if kind is Kind.STORE_CONDITIONAL and memory.holds_other_bytes(actor, op):
        raise CannotUndo("a store-conditional depends on more bytes than its operation says")
    before: Any = None
    if kind not in _UNCHANGED:
        before = op.cell.value if op.cell is not None else memory.ram.read(op.address, op.width) if op.width else None
    return Old(before, reservations), perform(memory, actor, op)


def perform(memory: ScMemory, actor: Any, op: Op) -> Any:
    """Perform `op` of `actor` and return its result.

    Raises:
        CannotUndo: It raised.
    """
    try:
        return memory.perform(actor, op)
    except SimaieError as error:
        raise CannotUndo(str(error)) from error
    except Exception as error:
        raise CannotUndo(f"a function of the guest or the scheme raised {error!r}") from error


def put_back(memory: ScMemory, op: Op, old: Old) -> None:
    """Take back `op`, the last operation that was performed."""
    if op.kind not in _UNCHANGED:
        if op.cell is not None:
            op.cell.value = old.value
        elif op.width:
            memory.ram.write(op.address, op.width, old.value)
    if old.reservations is not None:
        memory.restore_reservations(old.reservations)
