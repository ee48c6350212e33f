"""PowerPC, 64 bits (Power ISA, books I and II): the base instructions, reservations, condition fields, barriers.

A base register r0 in an address, and r0 as the source of ADDI and ADDIS, is 0. A condition field is four hidden
registers, kept only in threads that read one. Not supported: calls, CTR, LR and XER, floating point and vectors.
"""

from __future__ import annotations

from simaie.litmus.instruction import Instruction, LabelRef, Memory, Operand, Register
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

__all__ = ["OPAQUE", "lower"]

#: Registers that are not simulated, or only in single bits.
OPAQUE = frozenset({"ctr", "lr", "xer", *(f"cr{n}" for n in range(8))})
#: Condition -> the bit of a field, and whether it must be 0.
_CONDITIONS = {
    "lt": ("lt", False), "ge": ("lt", True), "nl": ("lt", True), "gt": ("gt", False), "le": ("gt", True),
    "ng": ("gt", True), "eq": ("eq", False), "ne": ("eq", True),
}  # fmt: skip


def lower(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of PPC."""
    dispatch(builder, instruction, _HANDLERS)


# -- condition fields -------------------------------------------------------------------------------


def _compare_into(b: Builder, field: str, one: Value, other: Value, less: str = "slt") -> None:
    if b.looks_at_flags:
        b.alu(less, one, other, b.flag(f"{field} lt"))
        b.alu(less, other, one, b.flag(f"{field} gt"))
        b.alu("eq", one, other, b.flag(f"{field} eq"))


def _field(b: Builder, found: tuple[Operand, ...]) -> tuple[str, tuple[Operand, ...]]:
    """Return the condition field of an instruction, cr0 by default, and its other operands."""
    if found and isinstance(found[0], Register) and found[0].name.startswith("cr"):
        return found[0].name, found[1:]
    return "cr0", found


def _compare(bits: int, *, signed: bool, immediately: bool) -> Handler:
    """Lower CMPW, CMPLD and the other comparisons."""

    def lower(b: Builder, instruction: Instruction) -> None:
        field, compared = _field(b, operands(b, instruction, 2, 3))
        if len(compared) != 2:
            raise b.unsupported("its operands")
        one = b.read(register(b, compared[0]))
        extend = b.signed if signed else b.wrap
        allowed = signed_range(16) if signed else (0, mask(16))
        other: Value = immediate(b, compared[1], *allowed) if immediately else b.read(register(b, compared[1]))
        _compare_into(b, field, extend(one, bits), extend(other, bits), "slt" if signed else "lt")

    return lower


def _branch(b: Builder, instruction: Instruction) -> None:
    field, targets = _field(b, operands(b, instruction, 1, 2))
    if len(targets) != 1 or not isinstance(targets[0], LabelRef):
        raise b.misplaced(instruction.operands[-1], "a label")
    if instruction.condition is None:
        b.branch(label(b, targets[0]))
        return
    if instruction.condition not in _CONDITIONS:
        raise b.unsupported("the overflow bit")
    bit, negated = _CONDITIONS[instruction.condition]
    (b.branch_unless if negated else b.branch_if)(b.flag(f"{field} {bit}"), targets[0].name)


# -- registers --------------------------------------------------------------------------------------


def _recorded(b: Builder, instruction: Instruction, target: Operand, result: Value) -> None:
    """Write a result; the forms with a dot compare it with 0."""
    b.write(register(b, target), result)
    if instruction.mnemonic.endswith("."):
        _compare_into(b, "cr0", result, 0)


def _binary(operation: str, *, swapped: bool = False, inverted: bool = False) -> Handler:
    """Lower an operation on two registers."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, one, other = operands(b, instruction, 3)
        left, right = b.read(register(b, one)), b.read(register(b, other))
        result = b.alu(operation, right, left) if swapped else b.alu(operation, left, right)
        if inverted:
            result = b.alu("xor", result, mask(64))
        _recorded(b, instruction, target, result)

    return lower


def _with_constant(operation: str, low: int, high: int, shift: int = 0) -> Handler:
    """Lower an operation on a register and a constant, shifted in forms for the high half; ADDI, ADDIS read r0 as 0."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, one, other = operands(b, instruction, 3)
        left, right = b.read(register(b, one)), value(b, other, low, high)
        if instruction.mnemonic in ("addi", "addis") and one == Register("r0", 64):
            left = 0
        if instruction.mnemonic == "addis":
            right = b.signed(right, 16)
        shifted = b.alu("shl", right, shift) if shift else right
        _recorded(b, instruction, target, b.alu(operation, left, shifted))

    return lower


def _constant(shift: int, high: int) -> Handler:
    """Lower LI and LIS."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        number = b.signed(value(b, source, -(1 << 15), high), 16)
        b.write(register(b, target), b.alu("shl", number, shift) if shift else number)

    return lower


def _unary(operation: str, other: Value) -> Handler:
    """Lower MR, NEG, NOT and the sign extensions: ``operation(source, other)``."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        old = b.read(register(b, source))
        result = b.alu("sub", 0, old) if operation == "neg" else b.alu(operation, old, other)
        _recorded(b, instruction, target, result)

    return lower


def _rlwinm(b: Builder, instruction: Instruction) -> None:
    """Lower RLWINM: rotate the low word left, and keep the bits `first` to `last`, counted from the left."""
    target, source, *numbers = operands(b, instruction, 5)
    amount, first, last = (immediate(b, each, 0, 31) for each in numbers)
    word = b.wrap(b.read(register(b, source)), 32)
    rotated = b.alu("or", b.alu("shl", word, amount), b.alu("shr", word, 32 - amount))
    if first > last:
        raise b.unsupported("a mask that wraps around")
    kept = mask(last - first + 1) << 31 - last
    _recorded(b, instruction, target, b.alu("and", rotated, kept))


# -- memory -----------------------------------------------------------------------------------------


def _address(b: Builder, found: tuple[Operand, ...], *, doubleword: bool = False) -> Value:
    """Return the address of ``8(r2)`` or of the two registers of an indexed form; `doubleword` is for LD, LWA, STD."""
    if len(found) == 1:
        operand = memory(b, found[0])
        if doubleword and operand.displacement % 4:
            raise b.out_of_range(operand.displacement, "a multiple of 4")
        return operand.displacement & mask(64) if _is_zero(operand) else b.address(operand)
    base, index = found
    offset = b.read(register(b, index))
    return offset if base == Register("r0", 64) else b.alu("add", b.read(register(b, base)), offset)


def _is_zero(operand: Memory) -> bool:
    return operand.base == Register("r0", 64)


#: The instructions that drop the lowest two bits of the displacement.
_DS_FORMS = frozenset({"ld", "lwa", "std"})


def _load(method: str, *, indexed: bool) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, *place = operands(b, instruction, 3 if indexed else 2)
        b.write(register(b, target), b.call(method, _address(b, tuple(place), doubleword=method in _DS_FORMS)))

    return lower


def _store(method: str, *, indexed: bool) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        source, *place = operands(b, instruction, 3 if indexed else 2)
        address = _address(b, tuple(place), doubleword=method in _DS_FORMS)
        b.emit(method, address, b.read(register(b, source)))

    return lower


def _store_conditional(method: str) -> Handler:
    """Lower STWCX. and the other store-conditionals: CR0 becomes 0, 0, and whether it stored."""

    def lower(b: Builder, instruction: Instruction) -> None:
        source, *place = operands(b, instruction, 3)
        stored = b.call(method, _address(b, tuple(place)), b.read(register(b, source)))
        if b.looks_at_flags:
            b.move(0, b.flag("cr0 lt"))
            b.move(0, b.flag("cr0 gt"))
            b.move(stored, b.flag("cr0 eq"))

    return lower


def _accesses() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for name in ("lbz", "lhz", "lha", "lwz", "lwa", "ld"):
        found |= {name: _load(name, indexed=False), name + "x": _load(name, indexed=True)}
    for name in ("stb", "sth", "stw", "std"):
        found |= {name: _store(name, indexed=False), name + "x": _store(name, indexed=True)}
    for letter in "bhwd":
        found[f"l{letter}arx"] = _load(f"l{letter}arx", indexed=True)
        found[f"st{letter}cx."] = _store_conditional(f"st{letter}cx")
    return found


def _with_dots(handlers: dict[str, Handler]) -> dict[str, Handler]:
    return handlers | {name + ".": handler for name, handler in handlers.items()}


_HANDLERS: dict[str, Handler] = {
    **_accesses(),
    **_with_dots(
        {
            "add": _binary("add"),
            "sub": _binary("sub"),
            "subf": _binary("sub", swapped=True),
            "mullw": _binary("mul"),
            "and": _binary("and"),
            "or": _binary("or"),
            "xor": _binary("xor"),
            "nand": _binary("and", inverted=True),
            "nor": _binary("or", inverted=True),
            "mr": _unary("or", 0),
            "neg": _unary("neg", 0),
            "not": _unary("xor", mask(64)),
            "extsb": _unary("sext", 8),
            "extsh": _unary("sext", 16),
            "extsw": _unary("sext", 32),
            "rlwinm": _rlwinm,
        }
    ),
    "addi": _with_constant("add", *signed_range(16)),
    "addis": _with_constant("add", *either_range(16), 16),
    "subi": _with_constant("sub", 1 - (1 << 15), 1 << 15),
    "mulli": _with_constant("mul", *signed_range(16)),
    "andi.": _with_constant("and", 0, mask(16)),
    "ori": _with_constant("or", 0, mask(16)),
    "oris": _with_constant("or", 0, mask(16), 16),
    "xori": _with_constant("xor", 0, mask(16)),
    "li": _constant(0, (1 << 15) - 1),
    "lis": _constant(16, mask(16)),
    "cmpw": _compare(32, signed=True, immediately=False),
    "cmpd": _compare(64, signed=True, immediately=False),
    "cmpwi": _compare(32, signed=True, immediately=True),
    "cmpdi": _compare(64, signed=True, immediately=True),
    "cmplw": _compare(32, signed=False, immediately=False),
    "cmpld": _compare(64, signed=False, immediately=False),
    "cmplwi": _compare(32, signed=False, immediately=True),
    "cmpldi": _compare(64, signed=False, immediately=True),
    "b": _branch,
    **dict.fromkeys(("sync", "hwsync"), of_vcpu("sync")),
    **{name: of_vcpu(name) for name in ("lwsync", "eieio", "isync")},
    "nop": no_operation,
}
