"""Instructions that end a thread: traps, breakpoints, permanently undefined instructions, and system calls.

Compilers write a trap for `__builtin_trap()`, for code that must not be reached, and for checks such as that a divisor
is not 0. Sleigh makes a user-defined operation of each, whose name differs from one instruction set to the next.
"""

from __future__ import annotations

from typing import NamedTuple

from simaie.binary.cells import mask
from simaie.binary.operations import Operation
from simaie.host.loaded import lift

__all__ = ["SYSTEM_CALL", "UNDEFINED", "Trap", "compares", "trap_of"]

#: The operation of an instruction that Sleigh does not know, or not so, and that traps.
UNDEFINED = "undefined"
#: The cause of the fault of a system call.
SYSTEM_CALL = "system-call"
_TRAPS = frozenset({
    UNDEFINED,
    "SoftwareBreakpoint", "UndefinedInstructionException", "HaltBreakPoint",  # A64: BRK, UDF, HLT
    "software_udf", "software_bkpt",  # A32 and T32: UDF, BKPT
    "invalidInstructionException", "swi",  # x86: UD0, UD1, UD2; INT1, INT3, INTO, INT
    "ebreak", "unimp",  # RISC-V
    "trap", "signalDebugBreakpointException", "signalReservedInstruction",  # MIPS: BREAK, TEQ; SDBBP; SIGRIE
})  # fmt: skip
#: POWER: TW and TWI, TD and TDI -> the width of what they compare.
_COMPARING = {"trapWord": 4, "trapDoubleWord": 8, "trapDoubleWordImmediate": 8}
_ALWAYS = 31
_SYSTEM_CALLS = frozenset({"CallSupervisor", "software_interrupt", "syscall", "sysenter", "ecall"})
_GATE_OF_LINUX = 0x80  # the interrupt of x86
#: The codes of MIPS by which a system knows a division by zero (BRK_DIVZERO of Linux): those of TEQ and of BREAK.
_DIVISIONS = (7, 7 << 10)


class Trap(NamedTuple):
    """What an instruction does that ends its thread.

    Attributes:
        cause: The cause of the guest fault.
        message: What happened; empty for a system call, which is named when it is made.
        condition: POWER: the relations of the operands that trap, as the field TO has them.
        width: The width of the operands that are compared, in bytes; 0 if none are.
    """

    cause: str
    message: str
    condition: int = 0
    width: int = 0


def trap_of(op: Operation) -> Trap | None:
    """Return what a user-defined operation does if it ends the thread; None for any other.

    A condition that MIPS and x86 have for it is a branch of the instruction, before the operation.
    """
    code = op.inputs[1].offset if len(op.inputs) > 1 else 0
    if op.name in _SYSTEM_CALLS or (op.name == "swi" and code == _GATE_OF_LINUX):
        return Trap(SYSTEM_CALL, "")
    if op.name == "trap" and code in _DIVISIONS:
        return Trap("division", "division by zero")
    if op.name in _COMPARING and code != _ALWAYS:
        return Trap("trap", "a trap instruction", code, _COMPARING[op.name])
    return Trap("trap", "a trap instruction") if op.name in _TRAPS or op.name in _COMPARING else None


def compares(condition: int, one: int, other: int, width: int) -> int:
    """Whether operands of POWER are in a relation of the field TO (Power ISA, book I, 3.3.11)."""
    result: int = lift(lambda a, b: _related(condition, a & mask(width), b & mask(width), width), one, other)
    return result


def _related(condition: int, one: int, other: int, width: int) -> int:
    half = 1 << 8 * width - 1
    first, second = one ^ half, other ^ half  # in the order of the signed numbers
    relations = first < second, first > second, one == other, one < other, one > other
    return int(any(holds and condition >> 4 - number & 1 for number, holds in enumerate(relations)))
