"""Arithmetic and logic on registers, shared by both Arm instruction sets; the width is that of the target."""

from __future__ import annotations

from simaie.litmus.instruction import Immediate, Instruction, ShiftedRegister
from simaie.litmus.lowering import arm_flags as flags
from simaie.litmus.lowering.arm_immediates import check_constant
from simaie.litmus.lowering.arm_operands import most_shifted, second
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.operands import Handler, bits_of, immediate, label, no_operation, operands, register
from simaie.litmus.model import Arch

__all__ = ["COMMON"]


def _result(b: Builder, instruction: Instruction, operation: str, one: Value, other: Value, bits: int) -> Value:
    """Compute ``one operation other``, and the flags if the mnemonic sets them; return the result."""
    result = b.wrap(b.alu(operation, one, other), bits)
    if instruction.mnemonic not in _FLAG_SETTING:
        return result
    if operation == "add":
        flags.after_add(b, one, other, result, bits)
    elif operation == "sub":
        flags.after_subtract(b, one, other, result, bits)
    else:
        if b.test.arch is Arch.ARM and b.looks_at_flags and isinstance(instruction.operands[-1], ShiftedRegister):
            raise b.unsupported("the carry that its shift leaves")
        flags.after_logic(b, result, bits, clear=b.test.arch is Arch.AARCH64)
    return result


def _binary(operation: str, *, inverted: bool = False, swapped: bool = False) -> Handler:
    """Lower an operation on two sources; the second is flexible, possibly `inverted`. A missing one is the target."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, *sources = operands(b, instruction, 2, 3)
        left, right = sources if len(sources) == 2 else (target, *sources)
        bits = bits_of(b, register(b, target))
        check_constant(b, right, operation, bits)
        one, other = second(b, left, bits), second(b, right, bits)
        if inverted:
            other = b.alu("xor", other, mask(bits))
        if swapped:
            one, other = other, one
        b.write(register(b, target), _result(b, instruction, operation, one, other, bits))

    return lower


def _compare(operation: str) -> Handler:
    """Lower CMP, CMN, TST and TEQ, which only set the flags."""

    def lower(b: Builder, instruction: Instruction) -> None:
        left, right = operands(b, instruction, 2)
        bits = bits_of(b, register(b, left))
        check_constant(b, right, operation, bits)
        one, other = second(b, left, bits), second(b, right, bits)
        if b.looks_at_flags:
            _result(b, instruction, operation, one, other, bits)

    return lower


def _unary(operation: str, zero: Value) -> Handler:
    """Lower MOV, MVN and NEG: ``zero operation source``; a `zero` of all ones is as wide as the target."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        bits = bits_of(b, register(b, target))
        check_constant(b, source, "mov", bits)
        value = second(b, source, bits)
        if operation == "mov" and instruction.mnemonic == "mov":
            b.write(register(b, target), value)
        else:
            name = "or" if operation == "mov" else operation
            b.write(register(b, target), _result(b, instruction, name, b.wrap(zero, bits), value, bits))

    return lower


def _shift(operation: str) -> Handler:
    """Lower LSL, LSR and ASR by a constant or a register, of which Arm uses 8 bits, AArch64 only those that matter."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, *sources = operands(b, instruction, 2, 3)
        left, right = sources if len(sources) == 2 else (target, *sources)
        bits = bits_of(b, register(b, target))
        if instruction.mnemonic.endswith("s") and b.looks_at_flags:
            raise b.unsupported("the carry that it leaves")
        if isinstance(right, Immediate):
            b.within(right.value, 0, most_shifted(b, operation, bits))
        amount = b.alu("and", second(b, right, bits), 255 if b.test.arch is Arch.ARM else bits - 1)
        value = second(b, left, bits)
        b.write(register(b, target), b.alu(operation, b.signed(value, bits) if operation == "sar" else value, amount))

    return lower


def _multiply_add(operation: str) -> Handler:
    """Lower MADD, MLA, MSUB and MLS: ``fourth operation second * third``."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, *sources = operands(b, instruction, 4)
        if b.looks_at_flags and instruction.mnemonic.endswith("las"):
            raise b.unsupported("its flags")
        bits = bits_of(b, register(b, target))
        one, two, three = (second(b, each, bits) for each in sources)
        b.write(register(b, target), b.alu(operation, three, b.alu("mul", one, two)))

    return lower


def _extension(bits: int, *, signed: bool) -> Handler:
    """Lower SXTB, UXTH and the other extensions."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        value = b.read(register(b, source))
        b.write(register(b, target), b.signed(value, bits) if signed else b.wrap(value, bits))

    return lower


def _field(*, signed: bool) -> Handler:
    """Lower UBFX and SBFX: a bit field by its lowest bit and its width."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, lowest, width = operands(b, instruction, 4)
        bits = bits_of(b, register(b, target))
        low, count = immediate(b, lowest, 0, bits - 1), immediate(b, width, 1, bits)
        if low + count > bits:
            raise b.unsupported("its bit field")
        value = b.alu("shr", b.read(register(b, source)), low)
        b.write(register(b, target), b.signed(value, count) if signed else b.wrap(value, count))

    return lower


def _bit_field_move(*, signed: bool) -> Handler:
    """Lower UBFM and SBFM: the bits from `immr` to `imms`, or, if that is less, the lowest ones moved up."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, rotation, last = operands(b, instruction, 4)
        bits = bits_of(b, register(b, target))
        first, top = (immediate(b, each, 0, bits - 1) for each in (rotation, last))
        value = b.read(register(b, source))
        if top >= first:
            value, count, up = b.alu("shr", value, first), top - first + 1, 0
        else:
            count, up = top + 1, bits - first
        part = b.signed(value, count) if signed else b.wrap(value, count)
        b.write(register(b, target), b.alu("shl", part, up) if up else part)

    return lower


def _reverse(group: int | None) -> Handler:
    """Lower REV, REV16 and REV32: reverse the bytes in each group of `group` bytes; None for the whole register."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        bits = bits_of(b, register(b, target))
        size, value = group or bits // 8, b.read(register(b, source))
        total: Value = 0
        for at in range(bits // 8):
            to = at // size * size + size - 1 - at % size
            byte = b.alu("and", b.alu("shr", value, 8 * at), 0xFF)
            total = b.alu("or", total, b.alu("shl", byte, 8 * to))
        b.write(register(b, target), total)

    return lower


def _adr(b: Builder, instruction: Instruction) -> None:
    """Lower ADR: the address of a label."""
    target, where = operands(b, instruction, 2)
    b.write(register(b, target), b.layout.label_address(b.thread.id, label(b, where)))


def _branch(b: Builder, instruction: Instruction) -> None:
    target = label(b, *operands(b, instruction, 1))
    if instruction.condition in (None, "al"):
        b.branch(target)
    else:
        b.branch_if(flags.condition(b, str(instruction.condition)), target)


def _branch_on_zero(*, negated: bool) -> Handler:
    """Lower CBZ and CBNZ."""

    def lower(b: Builder, instruction: Instruction) -> None:
        tested, target = operands(b, instruction, 2)
        value = b.read(register(b, tested))
        (b.branch_if if negated else b.branch_unless)(value, label(b, target))

    return lower


_SETTING = {
    "add": _binary("add"),
    "sub": _binary("sub"),
    "and": _binary("and"),
    "orr": _binary("or"),
    "eor": _binary("xor"),
    "bic": _binary("and", inverted=True),
    "orn": _binary("or", inverted=True),
    "rsb": _binary("sub", swapped=True),
    "mul": _binary("mul"),
    "mov": _unary("mov", 0),
    "mvn": _unary("xor", mask(64)),
    "neg": _unary("sub", 0),
    "lsl": _shift("shl"),
    "lsr": _shift("shr"),
    "asr": _shift("sar"),
    "mla": _multiply_add("add"),
}
_COMPARING = {"cmp": _compare("sub"), "cmn": _compare("add"), "tst": _compare("and"), "teq": _compare("xor")}
_FLAG_SETTING = frozenset({name + "s" for name in _SETTING} | set(_COMPARING))
#: Mnemonic -> its lowering. Some exist in only one of the two instruction sets; its assembler checks that.
COMMON: dict[str, Handler] = {
    **_SETTING,
    **{name + "s": handler for name, handler in _SETTING.items()},
    **_COMPARING,
    "madd": _multiply_add("add"),
    "msub": _multiply_add("sub"),
    "eon": _binary("xor", inverted=True),
    "mls": _multiply_add("sub"),
    **{f"sxt{letter}": _extension(bits, signed=True) for letter, bits in (("b", 8), ("h", 16), ("w", 32))},
    **{f"uxt{letter}": _extension(bits, signed=False) for letter, bits in (("b", 8), ("h", 16), ("w", 32))},
    "ubfm": _bit_field_move(signed=False),
    "sbfm": _bit_field_move(signed=True),
    "rev": _reverse(None),
    "rev16": _reverse(2),
    "rev32": _reverse(4),
    "adr": _adr,
    "ubfx": _field(signed=False),
    "sbfx": _field(signed=True),
    "b": _branch,
    "cbz": _branch_on_zero(negated=False),
    "cbnz": _branch_on_zero(negated=True),
    **dict.fromkeys(("nop", "sev", "sevl"), no_operation),
}
