"""x86 of 32 bits in Intel order, and of 64 bits in AT&T order (Intel SDM, volume 2).

Operands are put in Intel order first, destination before source, so that both dialects are one. An instruction with
LOCK, and XCHG always, is one of the vCPU's atomic ones; without it a read-modify-write of memory is a load and then a
store. Flags are kept only in a thread that looks at one. Not here: strings, the stack, floating point and vectors,
non-temporal stores.
"""

from __future__ import annotations

from collections.abc import Callable

from simaie.guest.litmus.instruction import Immediate, Instruction, LabelRef, Memory, Operand, Register, Symbol

from . import x86_flags as flags
from .builder import Builder, Value, mask

__all__ = ["OPAQUE", "lower_att", "lower_intel"]

#: Registers that instructions change by the way, and nothing here keeps.
OPAQUE = frozenset({"EIP", "EFLAGS", "rip", "eflags"})

Operands = tuple[Operand, ...]
Handler = Callable[[Builder, Instruction, Operands, int], None]


def lower_intel(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of X86."""
    _lower(builder, instruction, instruction.operands)


def lower_att(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of X86_64."""
    _lower(builder, instruction, instruction.operands[::-1])


def _lower(b: Builder, instruction: Instruction, operands: Operands) -> None:
    handler = _HANDLERS.get(instruction.mnemonic)
    if handler is None:
        raise b.unsupported()
    locked = _locked(instruction)
    if instruction.prefixes not in ((), ("lock",)):
        raise b.unsupported("its prefix")
    if locked and not (instruction.mnemonic in _LOCKABLE and any(isinstance(o, Memory) for o in operands)):
        raise b.unsupported("LOCK is for read-modify-writes of memory")
    handler(b, instruction, operands, _bits(b, instruction, operands))


def _locked(instruction: Instruction) -> bool:
    return "lock" in instruction.prefixes


def _bits(b: Builder, instruction: Instruction, operands: Operands) -> int:
    """The width of the operation: of the suffix, else of a register among the operands, else 32."""
    widths = {operand.bits for operand in operands if isinstance(operand, Register)}
    if instruction.width is not None:
        widths.add(instruction.width)
    if instruction.mnemonic in _MIXED_WIDTHS:
        return instruction.width or (operands[0].bits if operands and isinstance(operands[0], Register) else 32)
    if len(widths) > 1:
        raise b.unsupported("operands of different widths")
    return min(widths, default=32)


# -- operands ---------------------------------------------------------------------------------------


def _read(b: Builder, operand: Operand, bits: int) -> Value:
    match operand:
        case Register():
            return b.read(operand)
        case Immediate(value):
            return value & mask(bits)
        case Symbol():
            return b.symbol(operand)
        case Memory():
            return b.call("load", b.address(operand), width=bits // 8)
        case _:
            raise b.unsupported("its operand")


def _write(b: Builder, operand: Operand, value: Value, bits: int) -> None:
    match operand:
        case Register():
            b.write(operand, value)
        case Memory():
            b.emit("store", b.address(operand), b.wrap(value, bits), width=bits // 8)
        case _:
            raise b.unsupported("its destination")


def _two(b: Builder, operands: Operands) -> tuple[Operand, Operand]:
    if len(operands) != 2:
        raise b.unsupported("it has two operands")
    if isinstance(operands[0], Memory) and isinstance(operands[1], Memory):
        raise b.unsupported("two operands in memory")
    return operands[0], operands[1]


def _one(b: Builder, operands: Operands) -> Operand:
    if len(operands) != 1:
        raise b.unsupported("it has one operand")
    return operands[0]


# -- moves and exchanges ----------------------------------------------------------------------------


def _mov(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = _two(b, operands)
    _write(b, target, _read(b, source, bits), bits)


def _widening(signed: bool, source_bits: int | None, target_bits: int | None) -> Handler:
    """MOVZX and MOVSX; AT&T's spellings say both widths (`movzbl`), Intel's leave them to the registers."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, source = _two(b, operands)
        if not isinstance(target, Register) or (source_bits is None and not isinstance(source, Register)):
            raise b.unsupported("its operands")
        narrow = source.bits if isinstance(source, Register) else source_bits or bits
        if (source_bits or narrow) != narrow or (target_bits or target.bits) != target.bits or narrow >= target.bits:
            raise b.unsupported("the widths of its operands")
        value = _read(b, source, narrow)
        b.write(target, b.signed(value, narrow) if signed else value)

    return lower


def _widenings() -> dict[str, Handler]:
    widths = {"b": 8, "w": 16, "l": 32, "q": 64}
    found = {"movsx": _widening(True, None, None), "movzx": _widening(False, None, None)}
    for one, other in ("bw", "bl", "bq", "wl", "wq", "lq"):
        found[f"movs{one}{other}"] = _widening(True, widths[one], widths[other])
        if one != "l":  # which any 32-bit move does
            found[f"movz{one}{other}"] = _widening(False, widths[one], widths[other])
    return found


def _lea(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = _two(b, operands)
    if not isinstance(source, Memory) or not isinstance(target, Register):
        raise b.unsupported("its operands")
    b.write(target, b.address(source))


def _xchg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    one, other = _two(b, operands)
    if isinstance(other, Memory):
        one, other = other, one
    if not isinstance(other, Register):
        raise b.unsupported("its operands")
    if isinstance(one, Memory):
        b.write(other, b.call("xchg", b.address(one), b.read(other), width=bits // 8))
    elif isinstance(one, Register):
        first = b.move(b.read(one), b.temporary())
        b.write(one, b.read(other))
        b.write(other, first)
    else:
        raise b.unsupported("its operands")


def _xadd(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target, source = _two(b, operands)
    if not isinstance(source, Register):
        raise b.unsupported("its operands")
    value = b.move(b.read(source), b.temporary())
    if isinstance(target, Memory):
        old: Value = b.call(_name("xadd", instruction), b.address(target), value, width=bits // 8)
        b.write(source, old)
    elif isinstance(target, Register):
        old = b.move(b.read(target), b.temporary())
        b.write(source, old)
        b.write(target, b.alu("add", old, value))
    else:
        raise b.unsupported("its operands")
    flags.arithmetic(b, "add", old, value, b.wrap(b.alu("add", old, value), bits), bits)


def _cmpxchg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    """The accumulator is written in either case: it holds the old value already if that was the expected one.

    herd7's own tests have the operands of `cmpxchgl (x),%ecx` in this order too, and mean the same.
    """
    target, source = _two(b, operands)
    if isinstance(source, Memory):
        target, source = source, target
    if not isinstance(source, Register):
        raise b.unsupported("its operands")
    accumulator = Register("EAX" if b.register_bits == 32 else "rax", bits)
    expected = b.move(b.read(accumulator), b.temporary())
    if isinstance(target, Memory):
        name = _name("cmpxchg", instruction)
        old: Value = b.call(name, b.address(target), expected, b.read(source), width=bits // 8)
    elif isinstance(target, Register):
        old = b.move(b.read(target), b.temporary())
        b.write(target, b.select(b.alu("eq", old, expected), b.read(source), old))
    else:
        raise b.unsupported("its operands")
    b.write(accumulator, old)
    flags.arithmetic(b, "sub", expected, old, b.wrap(b.alu("sub", expected, old), bits), bits)


def _name(plain: str, instruction: Instruction) -> str:
    """The vCPU's instruction: `plain`, or its form with LOCK."""
    method = _METHODS.get(plain, plain)
    return "lock_" + method if _locked(instruction) else method


_METHODS = {"and": "and_", "or": "or_", "not": "not_"}


# -- arithmetic and logic ---------------------------------------------------------------------------


def _binary(operation: str) -> Handler:
    """ADD, SUB, AND, OR, XOR."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, source = _two(b, operands)
        value = _read(b, source, bits)
        if isinstance(target, Memory):
            new: Value = b.call(_name(operation, instruction), b.address(target), value, width=bits // 8)
            old = None
        else:
            before = _read(b, target, bits)
            old = b.move(before, b.temporary()) if b.looks_at_flags else before
            new = b.wrap(b.alu(operation, old, value), bits)
            if target == source and b.looks_at_flags:
                value = old
            _write(b, target, new, bits)
        if not b.looks_at_flags:
            return
        if old is None:
            undo = {"add": "sub", "sub": "add"}.get(operation)
            old = b.wrap(b.alu(undo, new, value), bits) if undo else 0
        flags.arithmetic(b, operation, old, value, new, bits)

    return lower


def _step(operation: str, method: str) -> Handler:
    """INC and DEC, which leave the carry alone."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target = _one(b, operands)
        if isinstance(target, Memory):
            new: Value = b.call(_name(method, instruction), b.address(target), width=bits // 8)
        else:
            new = b.wrap(b.alu(operation, _read(b, target, bits), 1), bits)
            new = b.move(new, b.temporary())
            _write(b, target, new, bits)
        undo = "sub" if operation == "add" else "add"
        old = b.wrap(b.alu(undo, new, 1), bits) if b.looks_at_flags else 0
        flags.arithmetic(b, operation, old, 1, new, bits, carry=False)

    return lower


def _neg(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = _one(b, operands)
    if isinstance(target, Memory):
        new: Value = b.call(_name("neg", instruction), b.address(target), width=bits // 8)
    else:
        new = b.move(b.wrap(b.alu("sub", 0, _read(b, target, bits)), bits), b.temporary())
        _write(b, target, new, bits)
    old = b.wrap(b.alu("sub", 0, new), bits) if b.looks_at_flags else 0
    flags.arithmetic(b, "sub", 0, old, new, bits)


def _not(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = _one(b, operands)
    if isinstance(target, Memory):
        b.emit(_name("not", instruction), b.address(target), width=bits // 8)
    else:
        _write(b, target, b.alu("xor", _read(b, target, bits), mask(bits)), bits)


def _compare(operation: str) -> Handler:
    """CMP and TEST: SUB and AND without their result."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        one, other = _two(b, operands)
        left, right = _read(b, one, bits), _read(b, other, bits)
        if b.looks_at_flags:
            flags.arithmetic(b, operation, left, right, b.wrap(b.alu(operation, left, right), bits), bits)

    return lower


def _shift(operation: str) -> Handler:
    """SHL, SHR and SAR, by a constant."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, amount = _two(b, operands)
        if not isinstance(amount, Immediate) or not isinstance(target, Register):
            raise b.unsupported("it shifts a register by a constant only")
        if b.looks_at_flags:
            raise b.unsupported("a flag is looked at after it")
        value = b.signed(b.read(target), bits) if operation == "sar" else b.read(target)
        b.write(target, b.alu(operation, value, amount.value & (63 if bits == 64 else 31)))

    return lower


def _bit(name: str) -> Handler:
    """BT, BTS, BTR, BTC: the old bit becomes the carry."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        target, number = _two(b, operands)
        if not isinstance(number, Immediate):
            raise b.unsupported("the number of the bit is a constant only")
        bit = number.value % bits
        if isinstance(target, Memory) and name != "bt":
            old: Value = b.call(_name(name, instruction), b.address(target), bit, width=bits // 8)
        else:
            value = _read(b, target, bits)
            old = b.move(b.alu("and", b.alu("shr", value, bit), 1), b.temporary())
            change = {"bts": ("or", 1 << bit), "btr": ("and", mask(64) ^ 1 << bit), "btc": ("xor", 1 << bit)}
            if name in change:
                operation, operand = change[name]
                _write(b, target, b.alu(operation, value, operand), bits)
        if b.looks_at_flags:
            b.move(old, b.flag("carry"))

    return lower


# -- control, fences --------------------------------------------------------------------------------


def _jump(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    target = _one(b, operands)
    if not isinstance(target, LabelRef):
        raise b.unsupported("its target")
    if instruction.condition is None:
        b.branch(target.name)
    else:
        b.branch_if(flags.condition(b, instruction.condition), target.name)


def _set(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    assert instruction.condition is not None
    target = _one(b, operands)
    if isinstance(target, Register) and target.bits != 8:
        raise b.unsupported("it sets a byte")
    _write(b, target, flags.condition(b, instruction.condition), 8)


def _cmov(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    assert instruction.condition is not None
    target, source = _two(b, operands)
    value = _read(b, source, bits)  # also if it is not moved
    _write(b, target, b.select(flags.condition(b, instruction.condition), value, _read(b, target, bits)), bits)


def _plain(method: str) -> Handler:
    """An instruction without operands that the vCPU has."""

    def lower(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
        if operands:
            raise b.unsupported("it has no operands")
        b.emit(method)

    return lower


def _nop(b: Builder, instruction: Instruction, operands: Operands, bits: int) -> None:
    if operands:
        raise b.unsupported("with operands")


_WIDENINGS = _widenings()
_HANDLERS: dict[str, Handler] = {
    **_WIDENINGS,
    **{name: _binary(name) for name in ("add", "sub", "and", "or", "xor")},
    **{name: _bit(name) for name in ("bt", "bts", "btr", "btc")},
    **{name: _shift({"sal": "shl"}.get(name, name)) for name in ("shl", "sal", "shr", "sar")},
    **{name: _plain(name) for name in ("mfence", "lfence", "sfence", "pause")},
    "mov": _mov,
    "lea": _lea,
    "xchg": _xchg,
    "xadd": _xadd,
    "cmpxchg": _cmpxchg,
    "inc": _step("add", "inc"),
    "dec": _step("sub", "dec"),
    "neg": _neg,
    "not": _not,
    "cmp": _compare("sub"),
    "test": _compare("and"),
    "j": _jump,
    "jmp": _jump,
    "set": _set,
    "cmov": _cmov,
    "nop": _nop,
}
_LOCKABLE = frozenset(
    {"xchg", "xadd", "cmpxchg", "add", "sub", "and", "or", "xor", "inc", "dec", "neg", "not", "bts", "btr", "btc"}
)
_MIXED_WIDTHS = frozenset({"lea", "set", "shl", "sal", "shr", "sar", *_WIDENINGS})
