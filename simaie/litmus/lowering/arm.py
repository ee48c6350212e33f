"""32-bit Arm (Arm ARM, DDI 0406C): every instruction may be conditional, which lowers to a branch around it.

Not supported: PC as an operand, calls, the stack, floating point.
"""

from __future__ import annotations

from simaie.guest.isa.arm_barriers import OPTIONS
from simaie.litmus.instruction import FenceOption, Instruction, Memory, Operand, RegisterList
from simaie.litmus.lowering import arm_flags as flags
from simaie.litmus.lowering.arm_alu import COMMON
from simaie.litmus.lowering.arm_operands import Offsets, offsets, place
from simaie.litmus.lowering.builder import AnyRegister, Builder, Value
from simaie.litmus.lowering.operands import Handler, dispatch, immediate, of_vcpu, operands, register
from simaie.litmus.model import Arch
from simaie.litmus.registers import registers_of

__all__ = ["OPAQUE", "lower"]

OPAQUE = frozenset({"PC"})


def lower(builder: Builder, instruction: Instruction) -> None:
    """Lower an instruction of ARM."""
    if instruction.condition in (None, "al") or instruction.mnemonic == "b":
        dispatch(builder, instruction, _HANDLERS)
        return
    skip = builder.fresh_label()
    builder.branch_unless(flags.condition(builder, instruction.condition or ""), skip)
    dispatch(builder, instruction, _HANDLERS)
    builder.label(skip)


def _half(shift: int) -> Handler:
    """Lower MOVW, which clears the other half, and MOVT, which keeps it."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        number = immediate(b, source, 0, (1 << 16) - 1)
        chosen = register(b, target)
        kept: Value = b.alu("and", b.read(chosen), 0xFFFF) if shift else 0
        b.write(chosen, b.alu("or", kept, number << shift))

    return lower


# -- memory -----------------------------------------------------------------------------------------


_FAR, _NEAR = offsets([range(-4095, 4096)]), offsets([range(-255, 256)])


def _offsets(width: int, *, signed: bool = False) -> Offsets:
    """Return the valid offsets: LDR, LDRB and their stores have 12 bits of offset, all others 8."""
    return _FAR if width in (1, 4) and not signed else _NEAR


def _load(width: int, *, signed: bool = False) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        at = place(b, source, _offsets(width, signed=signed))
        loaded: Value = b.call("ldr", at.address, width=width)
        at.done()
        b.write(register(b, target), b.signed(loaded, 8 * width) if signed else loaded)

    return lower


def _store(width: int) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        source, target = operands(b, instruction, 2)
        at = place(b, target, _offsets(width))
        b.emit("str_", at.address, b.read(register(b, source)), width=width)
        at.done()

    return lower


def _load_two(b: Builder, instruction: Instruction) -> None:
    """Lower LDRD: two words, each loaded separately."""
    first, last, source = operands(b, instruction, 3)
    at = place(b, source, _NEAR)
    low = b.call("ldr", at.address, width=4)
    high = b.call("ldr", b.alu("add", at.address, 4), width=4)
    at.done()
    b.write(register(b, first), low)
    b.write(register(b, last), high)


def _store_two(b: Builder, instruction: Instruction) -> None:
    """Lower STRD: two words, each stored separately."""
    first, last, target = operands(b, instruction, 3)
    at = place(b, target, _NEAR)
    b.emit("str_", at.address, b.read(register(b, first)), width=4)
    b.emit("str_", b.alu("add", at.address, 4), b.read(register(b, last)), width=4)
    at.done()


def _multiple(start: int, step: int, *, stores: bool) -> Handler:
    """Lower LDM and STM: the lowest register is at the lowest address.

    Args:
        start: Words from the base to the first transfer.
        step: Direction of the further transfers: 1 for up, -1 for down.
        stores: Whether it stores.
    """

    def lower(b: Builder, instruction: Instruction) -> None:
        base, listed = operands(b, instruction, 2)
        if not isinstance(listed, RegisterList):
            raise b.misplaced(listed, "a list of registers")
        chosen, writes_back = _base(b, base)
        origin = b.move(b.read(chosen), b.temporary())
        names = sorted(listed.registers, key=_number)
        first = start if step > 0 else start - len(names) + 1
        for offset, each in enumerate(names, first):
            address = b.wrap(b.alu("add", origin, 4 * offset), 32)
            if stores:
                b.emit("str_", address, b.read(each), width=4)
            else:
                b.write(each, b.call("ldr", address, width=4))
        if writes_back:
            b.write(chosen, b.alu("add", origin, 4 * step * len(names)))

    return lower


def _base(b: Builder, operand: Operand) -> tuple[AnyRegister, bool]:
    """Return the base of a multiple transfer, and whether it is updated: `R0` or `R0!`."""
    if isinstance(operand, Memory) and operand.base is not None:
        return register(b, operand.base), operand.writeback == "post"
    return register(b, operand), False


def _number(each: AnyRegister) -> int:
    """Return the number of a register; symbolic ones come last, in the order of the list."""
    return _ORDER.get(each.name, len(_ORDER))


_ORDER = {registers_of(Arch.ARM)[f"r{n}"].name: n for n in range(16)}


def _load_at(method: str, width: int) -> Handler:
    """Lower a load whose address is a register: LDREX, LDAEX, LDA."""

    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        b.write(register(b, target), b.call(method, place(b, source).address, width=width))

    return lower


def _store_release(width: int) -> Handler:
    """Lower STL."""

    def lower(b: Builder, instruction: Instruction) -> None:
        source, target = operands(b, instruction, 2)
        b.emit("stl", place(b, target).address, b.read(register(b, source)), width=width)

    return lower


def _store_exclusive(method: str, width: int) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        status, source, target = operands(b, instruction, 3)
        address, value = place(b, target).address, b.read(register(b, source))
        b.write(register(b, status), b.call(method, address, value, width=width))

    return lower


def _load_exclusive_two(method: str) -> Handler:
    """Lower LDREXD and LDAEXD: 8 bytes, the first register the low half."""

    def lower(b: Builder, instruction: Instruction) -> None:
        first, last, source = operands(b, instruction, 3)
        both = b.call(method, place(b, source).address, width=8)
        b.write(register(b, first), both)
        b.write(register(b, last), b.alu("shr", both, 32))

    return lower


def _store_exclusive_two(method: str) -> Handler:
    """Lower STREXD and STLEXD."""

    def lower(b: Builder, instruction: Instruction) -> None:
        status, first, last, target = operands(b, instruction, 4)
        both = b.join(b.read(register(b, first)), b.read(register(b, last)), 32)
        b.write(register(b, status), b.call(method, place(b, target).address, both, width=8))

    return lower


def _swap(width: int) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, source, where = operands(b, instruction, 3)
        value = b.read(register(b, source))
        b.write(register(b, target), b.call("swp", place(b, where).address, value, width=width))

    return lower


def _barrier(method: str) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        for option in operands(b, instruction, 0, 1):
            if not isinstance(option, FenceOption) or option.option not in OPTIONS:
                raise b.unsupported("its option")
            b.emit(method, kind=option.option)
        if not instruction.operands:
            b.emit(method)

    return lower


def _isb(b: Builder, instruction: Instruction) -> None:
    operands(b, instruction, 0, 1)
    b.emit("isb")


def _multiples() -> dict[str, Handler]:
    modes = {"": (0, 1), "ia": (0, 1), "ib": (1, 1), "da": (0, -1), "db": (-1, -1)}
    found = {f"ldm{mode}": _multiple(*where, stores=False) for mode, where in modes.items()}
    return found | {f"stm{mode}": _multiple(*where, stores=True) for mode, where in modes.items()}


_SUFFIXES = (("", 4), ("b", 1), ("h", 2))
_HANDLERS: dict[str, Handler] = {
    **COMMON,
    **_multiples(),
    "movw": _half(0),
    "movt": _half(16),
    **{"ldr" + suffix: _load(width) for suffix, width in (("", 4), ("b", 1), ("h", 2))},
    **{"ldrs" + suffix: _load(width, signed=True) for suffix, width in (("b", 1), ("h", 2))},
    **{"str" + suffix: _store(width) for suffix, width in (("", 4), ("b", 1), ("h", 2))},
    "ldrd": _load_two,
    "strd": _store_two,
    **{name + suffix: _load_at(name, width) for name in ("ldrex", "ldaex", "lda") for suffix, width in _SUFFIXES},
    **{name + suffix: _store_exclusive(name, width) for name in ("strex", "stlex") for suffix, width in _SUFFIXES},
    **{"stl" + suffix: _store_release(width) for suffix, width in _SUFFIXES},
    **{name + "d": _load_exclusive_two(name) for name in ("ldrex", "ldaex")},
    **{name + "d": _store_exclusive_two(name) for name in ("strex", "stlex")},
    "swp": _swap(4),
    "swpb": _swap(1),
    "dmb": _barrier("dmb"),
    "dsb": _barrier("dsb"),
    "isb": _isb,
    "clrex": of_vcpu("clrex"),
    "wfe": of_vcpu("wfe"),
    "yield": of_vcpu("yield_"),
}
