"""How the operation of a node is performed, which is worked out once."""

from __future__ import annotations

from simaie.engine.memo.node import (
    MODIFY,
    MODIFY_CELL,
    MUTEX,
    OTHER,
    PERFORM,
    READ,
    READ_CELL,
    SWAP,
    WRITE,
    WRITE_CELL,
    Node,
)
from simaie.host.ram import Ram
from simaie.op import Kind

__all__ = ["prepare"]

_PAUSE, _MUTEX = Kind.PAUSE, (Kind.LOCK, Kind.UNLOCK)
_OF_RAM = {Kind.LOAD: READ, Kind.STORE: WRITE, Kind.CAS: SWAP, Kind.EXCHANGE: MODIFY, Kind.FETCH: MODIFY}
_OF_CELLS = {
    Kind.LOAD: READ_CELL, Kind.STORE: WRITE_CELL, Kind.CAS: MODIFY_CELL, Kind.EXCHANGE: MODIFY_CELL,
    Kind.FETCH: MODIFY_CELL, Kind.UPDATE: MODIFY_CELL,
}  # fmt: skip


def prepare(node: Node, ram: Ram) -> None:
    """Note at `node` how its operation is performed on a sequentially consistent memory with this RAM."""
    op = node.op
    if op is None or op.kind >= _PAUSE or node.wait is not None or node.faults:
        is_mutex = op is not None and op.kind in _MUTEX and not node.faults
        node.code = MUTEX if is_mutex else OTHER
        return
    node.code = PERFORM
    if op.cell is not None:
        node.place, node.stored = op.cell, op.value
        node.code = _OF_CELLS.get(op.kind, PERFORM)
    elif op.kind in _OF_RAM and (view := ram.view(op.address, op.width)) is not None:
        node.place, node.offset = view
        node.code = _OF_RAM[op.kind]
        if type(op.value) is int:
            node.stored = op.value & (1 << 8 * op.width) - 1
        elif node.code == WRITE or node.code == SWAP:
            node.code = MODIFY
