"""RISC-V, RV64 (The RISC-V Instruction Set Manual, volume I): the base instructions, LR and SC, AMOs, fences.

Not supported: calls, jumps through registers, CSRs, floating point and vectors.
"""

from __future__ import annotations

from simaie.litmus.instruction import FenceOption, Instruction, Operand, Register
from simaie.litmus.lowering.builder import AnyRegister, Builder, Value
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

ZERO = frozenset({"x0"})


def lower(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of RISCV."""
    if instruction.mnemonic not in _ORDERED and (instruction.acquire or instruction.release):
        raise builder.unsupported("acquire or release")
    dispatch(builder, instruction, _HANDLERS)


# -- registers --------------------------------------------------------------------------------------


def _binary(operation: str, bits: int = 64) -> Handler:
    """Lower a register-register or register-immediate operation; a 32-bit result is sign-extended.

    A constant has 12 bits with a sign; the amount of a shift has just enough bits.
    """
    shift = operation in ("shl", "shr", "sar")

    def lower(b: Builder, instruction: Instruction) -> None:
        target, one, other = operands(b, instruction, 3)
        left = b.read(register(b, one))
        right = value(b, other, *((0, bits - 1) if shift else signed_range(12)))
        if shift:
            right = b.alu("and", right, bits - 1)
        if bits < 64 and operation in ("shr", "sar"):
            left = b.wrap(left, bits) if operation == "shr" else b.signed(left, bits)
        result = b.alu(operation, left, right)
        b.write(register(b, target), b.signed(result, bits) if bits < 64 else result)

    return lower


def _unary(operation: str, other: Value, *, swapped: bool = False) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        old = b.read(register(b, source))
        b.write(register(b, target), b.alu(operation, other, old) if swapped else b.alu(operation, old, other))

    return lower


def _li(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), value(b, source, *either_range(64)))


def _mv(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), b.read(register(b, source)))


def _lui(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), b.signed(immediate(b, source, 0, (1 << 20) - 1) << 12, 32))


# -- memory -----------------------------------------------------------------------------------------


def _bits(instruction: Instruction) -> dict[str, int]:
    """Return the options of the vCPU's instruction."""
    return {name: 1 for name, given in (("aq", instruction.acquire), ("rl", instruction.release)) if given}


def _load(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    b.write(register(b, target), b.call(instruction.mnemonic, b.address(memory(b, source)), **_bits(instruction)))


def _store(b: Builder, instruction: Instruction) -> None:
    source, target = operands(b, instruction, 2)
    address, new = b.address(memory(b, target)), b.read(register(b, source))
    b.emit(instruction.mnemonic, address, new, into=None, **_bits(instruction))


def _width(b: Builder, instruction: Instruction, *widths: int) -> dict[str, int]:
    if instruction.width not in (32, 64, *widths):
        raise b.unsupported("its width")
    return {"width": instruction.width // 8, **_bits(instruction)}


def _lr(b: Builder, instruction: Instruction) -> None:
    target, source = operands(b, instruction, 2)
    address = b.address(memory(b, source))
    b.write(register(b, target), b.call("lr", address, **_width(b, instruction)))


def _read_modify_write(b: Builder, instruction: Instruction) -> None:
    """Lower SC and the AMOs."""
    target, source, place = operands(b, instruction, 3)
    address, operand = b.address(memory(b, place)), b.read(register(b, source))
    narrow = () if instruction.mnemonic == "sc" else (8, 16)
    b.write(register(b, target), b.call(instruction.mnemonic, address, operand, **_width(b, instruction, *narrow)))


def _compare_and_swap(b: Builder, instruction: Instruction) -> None:
    """Lower AMOCAS; of 16 bytes, each value is in the named even register and the odd one after it."""
    target, source, place = operands(b, instruction, 3)
    address, options = b.address(memory(b, place)), _width(b, instruction, 8, 16, 128)
    if instruction.width != 128:
        expected, new = b.read(register(b, target)), b.read(register(b, source))
        b.write(register(b, target), b.call("amocas", address, expected, new, **options))
        return
    pairs = (_even_pair(b, each) for each in (target, source))
    expected, new = (b.join(b.read(low), b.read(high), 64) for low, high in pairs)
    old = b.halves(b.call("amocas", address, expected, new, **options), 64)
    for each, half in zip(_even_pair(b, target), old, strict=True):
        b.write(each, half)


def _even_pair(b: Builder, operand: Operand) -> tuple[AnyRegister, AnyRegister]:
    """Return an even register and the next one; x0 stands for two zeros."""
    low = register(b, operand)
    if not isinstance(low, Register) or int(low.name[1:]) % 2:
        raise b.unsupported("a pair of registers begins with an even one")
    return low, low if b.is_zero(low) else Register(f"x{int(low.name[1:]) + 1}", low.bits)


# -- control, fences --------------------------------------------------------------------------------


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


def _fence(b: Builder, instruction: Instruction) -> None:
    sets = [each.option for each in operands(b, instruction, 0, 2) if isinstance(each, FenceOption)]
    if len(sets) != len(instruction.operands) or not set("".join(sets)) <= set("iorw"):
        raise b.unsupported("its sets")
    b.emit("fence", **dict(zip(("predecessors", "successors"), sets, strict=False)))


_LOADS = ("lb", "lh", "lw", "ld", "lbu", "lhu", "lwu")
_STORES = ("sb", "sh", "sw", "sd")
_AMOS = tuple("amo" + name for name in ("swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu"))
_ORDERED = frozenset({"lb", "lh", "lw", "ld", *_STORES, "lr", "sc", "amocas", *_AMOS})
_HANDLERS: dict[str, Handler] = {
    **{name + suffix: _binary(name) for name in ("add", "and", "or", "xor") for suffix in ("", "i")},
    **{f"{name}{suffix}w": _binary(name, 32) for name in ("add",) for suffix in ("", "i")},
    **{f"sll{suffix}": _binary("shl") for suffix in ("", "i")},
    **{f"srl{suffix}": _binary("shr") for suffix in ("", "i")},
    **{f"sra{suffix}": _binary("sar") for suffix in ("", "i")},
    **{f"sll{suffix}w": _binary("shl", 32) for suffix in ("", "i")},
    **{f"srl{suffix}w": _binary("shr", 32) for suffix in ("", "i")},
    **{f"sra{suffix}w": _binary("sar", 32) for suffix in ("", "i")},
    **{name: _binary("slt") for name in ("slt", "slti")},
    **{name: _binary("lt") for name in ("sltu", "sltiu")},
    "sub": _binary("sub"),
    "subw": _binary("sub", 32),
    "mul": _binary("mul"),
    "mulw": _binary("mul", 32),
    "li": _li,
    "la": _li,
    "lui": _lui,
    "mv": _mv,
    "neg": _unary("sub", 0, swapped=True),
    "not": _unary("xor", (1 << 64) - 1),
    "seqz": _unary("eq", 0),
    "snez": _unary("ne", 0),
    "sltz": _unary("slt", 0),
    "sgtz": _unary("slt", 0, swapped=True),
    "sext.w": _unary("sext", 32),
    "sext.h": _unary("sext", 16),
    "sext.b": _unary("sext", 8),
    "zext.w": _unary("and", (1 << 32) - 1),
    "zext.h": _unary("and", (1 << 16) - 1),
    "zext.b": _unary("and", (1 << 8) - 1),
    **dict.fromkeys(_LOADS, _load),
    **dict.fromkeys(_STORES, _store),
    **dict.fromkeys(("sc", *_AMOS), _read_modify_write),
    "lr": _lr,
    "amocas": _compare_and_swap,
    **dict.fromkeys(("beq", "beqz"), _branch("eq")),
    **dict.fromkeys(("bne", "bnez"), _branch("ne")),
    **dict.fromkeys(("blt", "bltz"), _branch("slt")),
    **dict.fromkeys(("bge", "bgez"), _branch("slt", negated=True)),
    **dict.fromkeys(("bgt", "bgtz"), _branch("slt", swapped=True)),
    **dict.fromkeys(("ble", "blez"), _branch("slt", negated=True, swapped=True)),
    "bltu": _branch("lt"),
    "bgeu": _branch("lt", negated=True),
    "bgtu": _branch("lt", swapped=True),
    "bleu": _branch("lt", negated=True, swapped=True),
    "j": _jump,
    "fence": _fence,
    "fence.tso": of_vcpu("fence_tso"),
    "fence.i": of_vcpu("fence_i"),
    "pause": of_vcpu("pause"),
    "wrs.nto": of_vcpu("wrs_nto"),
    "wrs.sto": of_vcpu("wrs_sto"),
    "nop": no_operation,
}
