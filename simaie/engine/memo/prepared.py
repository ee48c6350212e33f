"""What is worked out once for each node: how its operation is performed, and the steps of its instruction."""

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
from simaie.trace import Event

__all__ = ["prepare", "steps_of_instruction"]

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


def steps_of_instruction(node: Node) -> list[Event]:
    """Return the step that led to `node` and those of the same guest instruction before it, as events.

    An AWAIT that came before a look is among them, since it may belong to the instruction.
    """
    found: list[Event] = []
    before = node.parent
    assert before is not None
    instruction = before.instruction
    while before is not None and before.op is not None and before.instruction is instruction:
        found.append(Event(node.root.name, before.op, node.came, instruction))
        if before.wait is not None:
            found.append(Event(node.root.name, before.wait, None, instruction))
        if instruction is None:
            break
        node, before = before, before.parent
    found.reverse()
    return found
