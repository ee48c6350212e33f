"""AArch64 (Arm ARM, DDI 0487): moves, conditional selection, branches and barriers; memory is in `aarch64_memory`.

The parts shared with 32-bit Arm are in `arm_alu`, `arm_flags` and `arm_operands`. Not supported: calls, jumps through
registers, exceptions, pages and caches, floating point and vectors.
"""

from __future__ import annotations

from simaie.guest.isa.arm_barriers import OPTIONS
from simaie.litmus.instruction import (
    ConditionCode,
    FenceOption,
    Immediate,
    Instruction,
    Operand,
    Shift,
    ShiftedImmediate,
    Symbol,
)
from simaie.litmus.lowering import arm_flags as flags
from simaie.litmus.lowering.aarch64_memory import MEMORY
from simaie.litmus.lowering.arm_alu import COMMON
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.operands import Handler, bits_of, dispatch, immediate, label, of_vcpu, operands, register

__all__ = ["ZERO", "lower"]

ZERO = frozenset({"XZR"})


def lower(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of AArch64."""
    dispatch(builder, instruction, _HANDLERS)


def _wide(b: Builder, operand: Operand) -> tuple[int, int]:
    """Return the constant of MOVZ, MOVN or MOVK, and its shift in bits."""
    match operand:
        case Immediate(number):
            shift = 0
        case ShiftedImmediate(number, Shift("lsl", int(shift))):
            pass
        case _:
            raise b.unsupported("its constant")
    if shift % 16 or not 0 <= shift < 64:
        raise b.out_of_range(shift, "a shift by 0, 16, 32 or 48")
    return b.within(number, 0, mask(16)), shift


def _move_wide(*, inverted: bool) -> Handler:
    """Lower MOVZ and MOVN."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, constant = operands(b, instruction, 2)
        number, shift = _wide(b, constant)
        value = number << shift
        b.write(register(b, target), value ^ mask(64) if inverted else value)

    return lower


def _move_keep(b: Builder, instruction: Instruction) -> None:
    """Lower MOVK, which changes 16 bits."""
    target, constant = operands(b, instruction, 2)
    number, shift = _wide(b, constant)
    kept = b.alu("and", b.read(register(b, target)), mask(64) ^ 0xFFFF << shift)
    b.write(register(b, target), b.alu("or", kept, number << shift))


# -- conditional selection --------------------------------------------------------------------------


def _otherwise(b: Builder, change: str, value: Value, bits: int) -> Value:
    """Return the second source as CSINC, CSINV or CSNEG changes it; CSEL leaves it unchanged."""
    match change:
        case "inc":
            return b.alu("add", value, 1)
        case "inv":
            return b.alu("xor", value, mask(bits))
        case "neg":
            return b.alu("sub", 0, value)
        case _:
            return value


def _condition(b: Builder, operand: Operand, *, inverse: bool = False) -> Value:
    if not isinstance(operand, ConditionCode):
        raise b.misplaced(operand, "a condition")
    return flags.condition(b, flags.inverse(b, operand.code) if inverse else operand.code)


def _select(change: str) -> Handler:
    """Lower CSEL, CSINC, CSINV and CSNEG."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, one, other, code = operands(b, instruction, 4)
        chosen = register(b, target)
        second = _otherwise(b, change, b.read(register(b, other)), bits_of(b, chosen))
        b.write(chosen, b.select(_condition(b, code), b.read(register(b, one)), second))

    return lower


def _change(change: str) -> Handler:
    """Lower CINC, CINV and CNEG: the source, changed if the condition holds."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, code = operands(b, instruction, 3)
        chosen, value = register(b, target), b.read(register(b, source))
        changed = _otherwise(b, change, value, bits_of(b, chosen))
        b.write(chosen, b.select(_condition(b, code), changed, value))

    return lower


def _set(value: int) -> Handler:
    """Lower CSET and CSETM."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, code = operands(b, instruction, 2)
        b.write(register(b, target), b.select(_condition(b, code), value, 0))

    return lower


# -- control, barriers ------------------------------------------------------------------------------


def _branch_on_bit(*, negated: bool) -> Handler:
    """Lower TBZ and TBNZ."""

    def lower(b: Builder, instruction: Instruction) -> None:
        tested, number, target = operands(b, instruction, 3)
        bit = immediate(b, number, 0, bits_of(b, register(b, tested)) - 1)
        value = b.alu("and", b.alu("shr", b.read(register(b, tested)), bit), 1)
        (b.branch_if if negated else b.branch_unless)(value, label(b, target))

    return lower


def _barrier(method: str) -> Handler:
    """Lower DMB and DSB."""

    def lower(b: Builder, instruction: Instruction) -> None:
        (option,) = operands(b, instruction, 1)
        if not isinstance(option, FenceOption) or option.option not in OPTIONS:
            raise b.unsupported("its option")
        b.emit(method, option=option.option)

    return lower


def _read_flags(b: Builder, instruction: Instruction) -> None:
    """Lower MRS of NZCV, whose flags are the bits 31 to 28."""
    target, source = operands(b, instruction, 2)
    if not isinstance(source, Symbol) or source.name.upper() != "NZCV":
        raise b.unsupported("its system register")
    total: Value = 0
    for bit, name in enumerate("VCZN", 28):
        total = b.alu("or", total, b.alu("shl", b.flag(name), bit))
    b.write(register(b, target), total)


def _isb(b: Builder, instruction: Instruction) -> None:
    operands(b, instruction, 0, 1)
    b.emit("isb")


_HANDLERS: dict[str, Handler] = {
    **COMMON,
    **MEMORY,
    "movz": _move_wide(inverted=False),
    "movn": _move_wide(inverted=True),
    "movk": _move_keep,
    "csel": _select(""),
    **{"cs" + change: _select(change) for change in ("inc", "inv", "neg")},
    **{"c" + change: _change(change) for change in ("inc", "inv", "neg")},
    "cset": _set(1),
    "csetm": _set(mask(64)),
    "tbz": _branch_on_bit(negated=False),
    "tbnz": _branch_on_bit(negated=True),
    "dmb": _barrier("dmb"),
    "dsb": _barrier("dsb"),
    "isb": _isb,
    "mrs": _read_flags,
    "clrex": of_vcpu("clrex"),
    "wfe": of_vcpu("wfe"),
    "yield": of_vcpu("yield_"),
}
