"""Corrections of errors in Sleigh's specifications, each found by comparison with an oracle or with a program's result.

* POWER, RLDIC, RLDIMI and RLDCR (ppc_instructions.sinc of Ghidra 10 and 11): the specification loads from the rotation
  mask as if it were the number of a register.
* Arm, VMOV to a lane: the specification keeps half of the lane's bits, and does not shift the new ones to their place.
* x86, HLT, which only a system may execute: the specification has a jump to itself.
* RISC-V, the instruction of 16 zero bits, which is illegal by definition (C.UNIMP): the specification does not know it.
* Arm, BLX with an immediate: the specification changes the mode not only of its target but of all code that follows the
  target. So this instruction, like C.UNIMP, never reaches Sleigh.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from simaie.binary.neon import vector_of_arm
from simaie.binary.operations import BY_NUMBER, Lifted, Operation, Varnode
from simaie.binary.traps import UNDEFINED

__all__ = ["branch_with_exchange", "corrected", "unknown_to_sleigh"]

_ZERO = Varnode("const", 0, 4)
#: The masks of VMOV to a lane of 1, 2 and 4 bytes -> what they should be.
_HALVES = {0xF: 0xFF, 0xFF: 0xFFFF, 0xFFFF: 0xFFFF_FFFF}
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
            op._replace(opcode="COPY", inputs=op.inputs[1:]) if op.opcode == BY_NUMBER else op for op in operations
        )
    if language.startswith("ARM:") and mnemonic.startswith("vmov"):
        return tuple(_moved_to_lane(operations))
    if language.startswith("x86") and mnemonic == "hlt":
        return (Operation("CALLOTHER", None, (_ZERO,), UNDEFINED),)
    return tuple(operations)


def _moved_to_lane(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield the operations of a VMOV to a lane as they should be, and of any other VMOV as they are."""
    mask, amount = None, _ZERO
    for op in operations:
        wrong = op.inputs[0].offset if op.opcode == "INT_LEFT" and op.inputs[0].space == "const" else None
        if wrong in _HALVES:
            mask, amount = op.output, op.inputs[1]
            full = op.inputs[0]._replace(offset=_HALVES[wrong])
            yield op._replace(inputs=(full, amount))
        elif mask is not None and op.opcode == "INT_AND" and op.inputs[1] == mask:
            yield op._replace(opcode="INT_LEFT", inputs=(op.inputs[0], amount))  # the new lane
        else:
            yield op


def unknown_to_sleigh(
    language: str, code: bytes, address: int, registers: Mapping[str, Varnode], *, thumb: bool
) -> Lifted | None:
    """Return an instruction that must not reach Sleigh; None for any other.

    Args:
        language: The name of the language in Sleigh.
        code: The instruction.
        address: Its address.
        registers: The registers, by name.
        thumb: Whether it is Thumb.
    """
    if language.startswith("ARM:"):
        branch = branch_with_exchange(code, address, registers, thumb=thumb)
        return branch if branch is not None else vector_of_arm(code, registers, thumb=thumb)
    if language.startswith("RISCV") and code[:2] == b"\0\0":
        return Lifted(2, "c.unimp", "c.unimp", (Operation("CALLOTHER", None, (_ZERO,), UNDEFINED),))
    return None


def branch_with_exchange(code: bytes, address: int, registers: Mapping[str, Varnode], *, thumb: bool) -> Lifted | None:
    """Return a BLX with an immediate (Arm ARM DDI 0406C, A8.8.25); None for any other instruction.

    Args:
        code: The instruction, of Arm.
        address: Its address.
        registers: The registers, by name.
        thumb: Whether it is Thumb.
    """
    if thumb:
        high, low = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:4], "little")
        if high >> 11 != 0b11110 or low & 0xD001 != 0xC000:
            return None
        sign = high >> 10 & 1
        bits = 1 ^ sign ^ low >> 13 & 1, 1 ^ sign ^ low >> 11 & 1
        offset = sign << 24 | bits[0] << 23 | bits[1] << 22 | (high & 0x3FF) << 12 | (low >> 1 & 0x3FF) << 2
        target = (address + 4 & ~3) + (offset ^ 1 << 24) - (1 << 24)
        link = address + 4 | 1
    else:
        word = int.from_bytes(code[:4], "little")
        if word >> 25 != 0b1111101:
            return None
        offset = (word & 0xFF_FFFF) << 2 | word >> 23 & 2
        target = address + 8 + (offset ^ 1 << 25) - (1 << 25)
        link = address + 4
    operations = (
        Operation("COPY", registers["lr"], (Varnode("const", link, 4),)),
        Operation("COPY", registers["TB"], (Varnode("const", int(not thumb), 1),)),
        Operation("CALL", None, (Varnode("ram", target & 0xFFFF_FFFF, 4),)),
    )
    return Lifted(4, "blx", f"blx {target & 0xFFFF_FFFF:#x}", operations)
