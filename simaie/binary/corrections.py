"""Corrections of errors in Sleigh's specifications, each found by comparison with an oracle or with a program's result.

* POWER, RLDIC, RLDIMI and RLDCR (ppc_instructions.sinc of Ghidra 10 and 11): the specification loads from the rotation
  mask as if it were an address.
"""

from __future__ import annotations

from collections.abc import Sequence

from simaie.binary.operations import Operation

__all__ = ["corrected"]

_MASKED = frozenset({"rldic", "rldic.", "rldimi", "rldimi.", "rldcr", "rldcr."})


def corrected(language: str, mnemonic: str, operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations of an instruction without the known errors of its specification.

    Args:
        language: The name of the language in Sleigh.
        mnemonic: The instruction, in lower case.
        operations: What Sleigh says that it does.
    """
    if language.startswith("PowerPC") and mnemonic in _MASKED:
        return tuple(
            op._replace(opcode="COPY", inputs=op.inputs[1:]) if op.opcode == "LOAD" else op for op in operations
        )
    return tuple(operations)
