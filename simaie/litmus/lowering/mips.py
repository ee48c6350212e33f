"""MIPS, 64 bits (MIPS Architecture for Programmers, volume II-A): the base instructions, LL and SC, SYNC.

As in herd7, a branch has no delay slot, and an addition does not trap. Not supported: calls, jumps through registers,
floating point.
"""

from __future__ import annotations

from simaie.litmus.instruction import Instruction
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.operands import (
    Handler,
    dispatch,
    either_range,
    immediate,
    label,
    memory,
    no_operation,
    of_vcpu,
    operands,
    register,
    signed_range,
    value,
)

__all__ = ["ZERO", "lower"]

ZERO = frozenset({"$0"})


def lower(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of MIPS."""
    dispatch(builder, instruction, _HANDLERS)


# -- registers --------------------------------------------------------------------------------------


def _binary(operation: str, bits: int = 64, *, inverted: bool = False) -> Handler:
    """Lower an operation on a register and a register or constant; a 32-bit result is sign-extended.

    The constant has 16 bits with a sign. Without the `i` in the mnemonic the assembler may load a wider one. The amount
    of a shift has just enough bits.
    """
    shift = operation in ("shl", "shr", "sar")

    def lower(b: Builder, instruction: Instruction) -> None:
        target, *sources = operands(b, instruction, 2, 3)
        one, other = sources if len(sources) == 2 else (target, *sources)  # `addiu $2,1` is `addiu $2,$2,1`
        allowed = (0, bits - 1) if shift else _constants(instruction.mnemonic, bits)
        left, right = b.read(register(b, one)), value(b, other, *allowed)
        if shift:
            right = b.alu("and", right, bits - 1)
        if bits < 64 and operation in ("shr", "sar"):
            left = b.wrap(left, bits) if operation == "shr" else b.signed(left, bits)
        result = b.alu(operation, left, right)
        if inverted:
            result = b.alu("xor", result, mask(64))
        b.write(register(b, target), b.signed(result, bits) if bits < 64 else result)

    return lower


def _constants(mnemonic: str, bits: int) -> tuple[int, int]:
    return signed_range(16) if mnemonic.removesuffix("u").endswith("i") else either_range(bits)


def _logical(operation: str) -> Handler:
    """Lower ANDI, ORI and XORI, whose constant is zero-extended."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, constant = operands(b, instruction, 3)
        old = b.read(register(b, source))
        b.write(register(b, target), b.alu(operation, old, immediate(b, constant, 0, mask(16))))

    return lower


def _li(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), value(b, source, *either_range(64 if instruction.mnemonic.startswith("d") else 32)))


def _move(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), b.read(register(b, source)))


def _lui(b: Builder, instruction: Instruction) -> None:
    target, constant = operands(b, instruction, 2)
    b.write(register(b, target), b.signed(immediate(b, constant, 0, mask(16)) << 16, 32))


def _extract(bits: int) -> Handler:
    """Lower EXT and DEXT: `size` bits from bit number `position` on."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, position, size = operands(b, instruction, 4)
        low, count = immediate(b, position, 0, bits - 1), immediate(b, size, 1, bits)
        if low + count > bits:
            raise b.unsupported("its bit field")
        b.write(register(b, target), b.wrap(b.alu("shr", b.read(register(b, source)), low), count))

    return lower


# -- memory -----------------------------------------------------------------------------------------


def _load(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), b.call(instruction.mnemonic, b.address(memory(b, source))))


def _store(b: Builder, instruction: Instruction) -> None:
    source, target = operands(b, instruction, 2)
    b.emit(instruction.mnemonic, b.address(memory(b, target)), b.read(register(b, source)))


def _store_conditional(b: Builder, instruction: Instruction) -> None:
    source, target = operands(b, instruction, 2)
    chosen = register(b, source)
    b.write(chosen, b.call(instruction.mnemonic, b.address(memory(b, target)), b.read(chosen)))


# -- control, barriers ------------------------------------------------------------------------------


def _branch(comparison: str, *, negated: bool = False, swapped: bool = False) -> Handler:
    """Lower BEQ and the other conditional branches; those with one register compare it with 0."""

    def lower(b: Builder, instruction: Instruction) -> None:
        *compared, target = operands(b, instruction, 2 if instruction.mnemonic.endswith("z") else 3)
        values: list[Value] = [b.read(register(b, each)) for each in compared]
        one, other = (*values, 0)[:2]
        holds = b.alu(comparison, other, one) if swapped else b.alu(comparison, one, other)
        (b.branch_unless if negated else b.branch_if)(holds, label(b, target))

    return lower


def _jump(b: Builder, instruction: Instruction) -> None:
    b.branch(label(b, *operands(b, instruction, 1)))


def _sync(b: Builder, instruction: Instruction) -> None:
    b.emit("sync", *(immediate(b, stype, 0, 31) for stype in operands(b, instruction, 0, 1)))


def _binaries() -> dict[str, Handler]:
    found = {name: _binary("add", 32) for name in ("add", "addu", "addi", "addiu")}
    found |= {name: _binary("add") for name in ("dadd", "daddu", "daddi", "daddiu")}
    found |= {name: _binary("sub", 32) for name in ("sub", "subu")}
    found |= {name: _binary("sub") for name in ("dsub", "dsubu")}
    found |= {name: _binary(name) for name in ("and", "or", "xor")}
    found |= {name + "i": _logical(name) for name in ("and", "or", "xor")}
    for name, operation in (("sll", "shl"), ("srl", "shr"), ("sra", "sar")):
        found |= {name + v: _binary(operation, 32) for v in ("", "v")}
        found |= {f"d{name}{v}": _binary(operation) for v in ("", "v")}
    found |= {name: _binary("slt") for name in ("slt", "slti")}
    found |= {name: _binary("lt") for name in ("sltu", "sltiu")}
    found["nor"] = _binary("or", inverted=True)
    return found


_HANDLERS: dict[str, Handler] = {
    **_binaries(),
    "li": _li,
    "dli": _li,
    "la": _li,
    "dla": _li,
    "move": _move,
    "lui": _lui,
    "ext": _extract(32),
    "dext": _extract(64),
    **dict.fromkeys(("lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "ll", "lld"), _load),
    **dict.fromkeys(("sb", "sh", "sw", "sd"), _store),
    **dict.fromkeys(("sc", "scd"), _store_conditional),
    **dict.fromkeys(("beq", "beqz"), _branch("eq")),
    **dict.fromkeys(("bne", "bnez"), _branch("ne")),
    "bltz": _branch("slt"),
    "bgez": _branch("slt", negated=True),
    "bgtz": _branch("slt", swapped=True),
    "blez": _branch("slt", negated=True, swapped=True),
    "b": _jump,
    "j": _jump,
    "sync": _sync,
    "pause": of_vcpu("pause"),
    "nop": no_operation,
}
