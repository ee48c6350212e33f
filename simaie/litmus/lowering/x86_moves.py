"""Moves and exchanges of x86, including conditional ones."""

from __future__ import annotations

from simaie.litmus.instruction import Immediate, Instruction, Memory, Register
from simaie.litmus.lowering import x86_flags as flags
from simaie.litmus.lowering.builder import Builder, Value
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

__all__ = ["MOVES", "WIDENINGS"]


def _mov(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = two_operands(b, operands)
    if isinstance(source, Immediate) and isinstance(target, Register):
        b.write(target, constant(b, source.value, bits, whole=True))
    else:
        write(b, target, read(b, source, bits), bits)


def _widening(signed: bool, source_bits: int | None, target_bits: int | None) -> Handler:
    """Lower MOVZX and MOVSX; AT&T's spellings have both widths (`movzbl`), Intel's leave them to the registers."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, source = two_operands(b, operands)
        if not isinstance(target, Register) or (source_bits is None and not isinstance(source, Register)):
            raise b.unsupported("its operands")
        narrow = source.bits if isinstance(source, Register) else source_bits or bits
        if (source_bits or narrow) != narrow or (target_bits or target.bits) != target.bits or narrow >= target.bits:
            raise b.unsupported("the widths of its operands")
        value = read(b, source, narrow)
        b.write(target, b.signed(value, narrow) if signed else value)

    return lower


def _widenings() -> dict[str, Handler]:
    widths = {"b": 8, "w": 16, "l": 32, "q": 64}
    found = {"movsx": _widening(True, None, None), "movzx": _widening(False, None, None)}
    for one, other in ("bw", "bl", "bq", "wl", "wq", "lq"):
        found[f"movs{one}{other}"] = _widening(True, widths[one], widths[other])
        if one != "l":  # any 32-bit move does this
            found[f"movz{one}{other}"] = _widening(False, widths[one], widths[other])
    return found


def _lea(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = two_operands(b, operands)
    if not isinstance(source, Memory) or not isinstance(target, Register):
        raise b.unsupported("its operands")
    b.write(target, b.address(source))


def _xchg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    one, other = two_operands(b, operands)
    if isinstance(other, Memory):
        one, other = other, one
    if not isinstance(other, Register):
        raise b.misplaced(other, "a register")
    if isinstance(one, Memory):
        b.write(other, b.call("xchg", b.address(one), b.read(other), width=bits // 8))
    elif isinstance(one, Register):
        first = b.move(b.read(one), b.temporary())
        b.write(one, b.read(other))
        b.write(other, first)
    else:
        raise b.misplaced(one, "a register", "a place in memory")


def _xadd(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = two_operands(b, operands)
    if not isinstance(source, Register):
        raise b.misplaced(source, "a register")
    value = b.move(b.read(source), b.temporary())
    if isinstance(target, Memory):
        old: Value = b.call(method_name("xadd", instruction), b.address(target), value, width=bits // 8)
        b.write(source, old)
    elif isinstance(target, Register):
        old = b.move(b.read(target), b.temporary())
        b.write(source, old)
        b.write(target, b.alu("add", old, value))
    else:
        raise b.misplaced(target, "a register", "a place in memory")
    flags.arithmetic(b, "add", old, value, b.wrap(b.alu("add", old, value), bits), bits)


def _cmpxchg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    """Lower CMPXCHG; the accumulator is always written, since it already holds an expected old value.

    herd7's own tests also have the operands of `cmpxchgl (x),%ecx` in this order, with the same meaning.
    """
    target, source = two_operands(b, operands)
    if isinstance(source, Memory):
        target, source = source, target
    if not isinstance(source, Register):
        raise b.misplaced(source, "a register")
    accumulator = Register("EAX" if b.register_bits == 32 else "rax", bits)
    expected = b.move(b.read(accumulator), b.temporary())
    if isinstance(target, Memory):
        name = method_name("cmpxchg", instruction)
        old: Value = b.call(name, b.address(target), expected, b.read(source), width=bits // 8)
    elif isinstance(target, Register):
        old = b.move(b.read(target), b.temporary())
        b.write(target, b.select(b.alu("eq", old, expected), b.read(source), old))
    else:
        raise b.misplaced(target, "a register", "a place in memory")
    b.write(accumulator, old)
    flags.arithmetic(b, "sub", expected, old, b.wrap(b.alu("sub", expected, old), bits), bits)


def _compare_wide(half: int) -> Handler:
    """Lower CMPXCHG8B and CMPXCHG16B, with halves of `half` bits in D:A (expected) and C:B (new)."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target = one_operand(b, operands)
        if not isinstance(target, Memory):
            raise b.misplaced(target, "a place in memory")
        a, base, count, data = (_register(b, letter, half) for letter in "abcd")
        expected = b.join(b.read(a), b.read(data), half)
        new = b.join(b.read(base), b.read(count), half)
        method = method_name(f"cmpxchg{half // 4}b", instruction)
        old = b.halves(b.call(method, b.address(target), expected, new), half)
        if b.looks_at_flags:
            low, high = (b.alu("xor", one, b.read(each)) for one, each in zip(old, (a, data), strict=True))
            b.alu("eq", b.alu("or", low, high), 0, b.flag("zero"))
        b.write(a, old[0])
        b.write(data, old[1])

    return lower


def _register(b: Builder, letter: str, bits: int) -> Register:
    return Register(f"E{letter.upper()}X" if b.register_bits == 32 else f"r{letter}x", bits)


def _set(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    assert instruction.condition is not None
    target = one_operand(b, operands)
    if isinstance(target, Register) and target.bits != 8:
        raise b.unsupported("it sets a byte")
    write(b, target, flags.condition(b, instruction.condition), 8)


def _cmov(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    assert instruction.condition is not None
    target, source = two_operands(b, operands)
    value = read(b, source, bits)  # even if it is not moved
    write(b, target, b.select(flags.condition(b, instruction.condition), value, read(b, target, bits)), bits)


WIDENINGS = _widenings()
MOVES: dict[str, Handler] = {
    **WIDENINGS,
    "mov": _mov,
    "lea": _lea,
    "xchg": _xchg,
    "xadd": _xadd,
    "cmpxchg": _cmpxchg,
    "cmpxchg8b": _compare_wide(32),
    "cmpxchg16b": _compare_wide(64),
    "set": _set,
    "cmov": _cmov,
}
