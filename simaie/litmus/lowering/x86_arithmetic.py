"""Arithmetic, logic, shifts and bits of x86, in registers and in memory."""

from __future__ import annotations

from simaie.litmus.instruction import Immediate, Instruction, Memory, Register
from simaie.litmus.lowering import x86_flags as flags
from simaie.litmus.lowering.builder import Builder, Value, mask
from simaie.litmus.lowering.x86_operands import (
    Handler,
    Operands,
    constant,
    method_name,
    one_operand,
    read,
    two_operands,
    write,
)

__all__ = ["ARITHMETIC"]


def _binary(operation: str) -> Handler:
    """Lower ADD, SUB, AND, OR and XOR."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, source = two_operands(b, operands)
        value = read(b, source, bits)
        if isinstance(target, Memory):
            new: Value = b.call(method_name(operation, instruction), b.address(target), value, width=bits // 8)
            old = None
        else:
            before = read(b, target, bits)
            old = b.move(before, b.temporary()) if b.looks_at_flags else before
            new = b.wrap(b.alu(operation, old, value), bits)
            if target == source and b.looks_at_flags:
                value = old
            write(b, target, new, bits)
        if not b.looks_at_flags:
            return
        if old is None:
            undo = {"add": "sub", "sub": "add"}.get(operation)
            old = b.wrap(b.alu(undo, new, value), bits) if undo else 0
        flags.arithmetic(b, operation, old, value, new, bits)

    return lower


def _with_carry(operation: str) -> Handler:
    """Lower ADC and SBB: an addition or a subtraction with the carry."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, source = two_operands(b, operands)
        value = b.move(read(b, source, bits), b.temporary())
        carry = b.move(b.flag("carry"), b.temporary())
        changed = b.wrap(b.alu("add", value, carry), bits)
        back = "sub" if operation == "add" else "add"
        if isinstance(target, Memory):
            new: Value = b.call(method_name(operation, instruction), b.address(target), changed, width=bits // 8)
            old = b.wrap(b.alu(back, new, changed), bits)
        else:
            old = b.move(read(b, target, bits), b.temporary())
            new = b.move(b.wrap(b.alu(operation, old, changed), bits), b.temporary())
            write(b, target, new, bits)
        flags.arithmetic(b, operation, old, value, new, bits)
        # With a carry in, there is a carry out also if the two that were compared are equal.
        one, other = (new, value) if operation == "add" else (old, value)
        b.alu("or", b.flag("carry"), b.alu("and", carry, b.alu("eq", one, other)), b.flag("carry"))

    return lower


def _step(operation: str, method: str) -> Handler:
    """Lower INC and DEC, which keep the carry."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target = one_operand(b, operands)
        if isinstance(target, Memory):
            new: Value = b.call(method_name(method, instruction), b.address(target), width=bits // 8)
        else:
            new = b.wrap(b.alu(operation, read(b, target, bits), 1), bits)
            new = b.move(new, b.temporary())
            write(b, target, new, bits)
        undo = "sub" if operation == "add" else "add"
        old = b.wrap(b.alu(undo, new, 1), bits) if b.looks_at_flags else 0
        flags.arithmetic(b, operation, old, 1, new, bits, carry=False)

    return lower


def _neg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = one_operand(b, operands)
    if isinstance(target, Memory):
        new: Value = b.call(method_name("neg", instruction), b.address(target), width=bits // 8)
    else:
        new = b.move(b.wrap(b.alu("sub", 0, read(b, target, bits)), bits), b.temporary())
        write(b, target, new, bits)
    old = b.wrap(b.alu("sub", 0, new), bits) if b.looks_at_flags else 0
    flags.arithmetic(b, "sub", 0, old, new, bits)


def _not(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = one_operand(b, operands)
    if isinstance(target, Memory):
        b.emit(method_name("not", instruction), b.address(target), width=bits // 8)
    else:
        write(b, target, b.alu("xor", read(b, target, bits), mask(bits)), bits)


def _compare(operation: str) -> Handler:
    """Lower CMP and TEST: SUB and AND without their result."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        one, other = two_operands(b, operands)
        left, right = read(b, one, bits), read(b, other, bits)
        if b.looks_at_flags:
            flags.arithmetic(b, operation, left, right, b.wrap(b.alu(operation, left, right), bits), bits)

    return lower


def _shift(operation: str) -> Handler:
    """Lower SHL, SHR and SAR by a constant."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, amount = two_operands(b, operands)
        if not isinstance(amount, Immediate) or not isinstance(target, Register):
            raise b.unsupported("it shifts a register by a constant only")
        if b.looks_at_flags:
            raise b.unsupported("a flag is looked at after it")
        value = b.signed(b.read(target), bits) if operation == "sar" else b.read(target)
        b.write(target, b.alu(operation, value, constant(b, amount.value, 8) & (63 if bits == 64 else 31)))

    return lower


_BIT_CHANGES = {"bts": "or", "btr": "and", "btc": "xor"}


def _bit(name: str) -> Handler:
    """Lower BT, BTS, BTR and BTC: the old bit becomes the carry.

    A bit offset in a register may reach other words than the memory operand; otherwise it counts modulo the width.
    """

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, number = two_operands(b, operands)
        if bits == 8:
            raise b.unsupported("it has no form of 8 bits")
        if not isinstance(number, Immediate | Register):
            raise b.misplaced(number, "a register", "a constant")
        offset: Value = constant(b, number.value, 8) % bits if isinstance(number, Immediate) else b.read(number)
        if isinstance(target, Memory):
            old: Value = b.call(method_name(name, instruction), b.address(target), offset, width=bits // 8)
        else:
            value = read(b, target, bits)
            bit = b.alu("shl", 1, b.alu("and", offset, bits - 1))
            old = b.move(b.alu("ne", b.alu("and", value, bit), 0), b.temporary())
            if name in _BIT_CHANGES:
                operand = b.alu("xor", bit, mask(64)) if name == "btr" else bit
                write(b, target, b.alu(_BIT_CHANGES[name], value, operand), bits)
        if b.looks_at_flags:
            b.move(old, b.flag("carry"))

    return lower


ARITHMETIC: dict[str, Handler] = {
    **{name: _binary(name) for name in ("add", "sub", "and", "or", "xor")},
    **{name: _bit(name) for name in ("bt", "bts", "btr", "btc")},
    **{name: _shift({"sal": "shl"}.get(name, name)) for name in ("shl", "sal", "shr", "sar")},
    "adc": _with_carry("add"),
    "sbb": _with_carry("sub"),
    "inc": _step("add", "inc"),
    "dec": _step("sub", "dec"),
    "neg": _neg,
    "not": _not,
    "cmp": _compare("sub"),
    "test": _compare("and"),
}
