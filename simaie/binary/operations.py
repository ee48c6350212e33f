"""Instructions and their operations, P-code, as plain data."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["BY_NUMBER", "Lifted", "Operation", "Varnode"]

#: The opcode of a LOAD or a STORE of a register whose number was computed; nothing models it.
BY_NUMBER = "REGISTER_BY_NUMBER"


class Varnode(NamedTuple):
    """A place that an operation reads or writes.

    Attributes:
        space: ``const`` (`offset` is its value), ``register``, ``unique`` (temporary), ``ram`` (the target of a
            branch), or ``inside`` (`offset` is the index of an operation).
        offset: Where in the space.
        size: In bytes.
    """

    space: str
    offset: int
    size: int


class Operation(NamedTuple):
    """One operation; `name` is that of the user-defined operation if `opcode` is ``CALLOTHER``."""

    opcode: str
    output: Varnode | None
    inputs: tuple[Varnode, ...]
    name: str = ""


class Lifted(NamedTuple):
    """One instruction.

    Attributes:
        size: In bytes, with its delay slot.
        mnemonic: As a disassembler shows it, in lower case.
        text: The same with its operands.
        operations: What it does.
    """

    size: int
    mnemonic: str
    text: str
    operations: tuple[Operation, ...]
