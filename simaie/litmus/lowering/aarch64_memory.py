"""The AArch64 instructions that access memory; the mnemonic defines the width, or else the register does."""

from __future__ import annotations

from simaie.guest.isa.aarch64_lse import ATOMICS, ORDERS
from simaie.litmus.instruction import Instruction, Operand
from simaie.litmus.lowering.arm_operands import NO_OFFSET, Offsets, offsets, place
from simaie.litmus.lowering.builder import AnyRegister, Builder, Value
from simaie.litmus.lowering.operands import Handler, bits_of, operands, register

__all__ = ["MEMORY"]

#: Suffix -> width in bytes; None for the width of the register.
_WIDTHS: dict[str, int | None] = {"": None, "b": 1, "h": 2}
_SIGNED_WIDTHS = {"ldrsb": 1, "ldrsh": 2, "ldrsw": 4}


def _offsets(instruction: Instruction, width: int) -> Offsets:
    """Return the valid offsets: LDR and STR have a scaled or a small one, LDUR and STUR a small one, others none."""
    small = range(-256, 256)
    if instruction.mnemonic.startswith(("ldur", "stur", "ldapur", "stlur")):
        return offsets([small])
    if instruction.mnemonic.startswith(("ldr", "str")):
        return offsets([small, range(0, 4096 * width, width)], [small])
    return NO_OFFSET


def _pair_offsets(width: int) -> Offsets:
    return offsets([range(-64 * width, 64 * width, width)])


def _load(method: str, width: int | None) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        chosen = register(b, target)
        size = width or bits_of(b, chosen) // 8
        at = place(b, source, _offsets(instruction, size))
        loaded = b.call(method, at.address, width=size)
        at.done()
        b.write(chosen, loaded)

    return lower


def _load_signed(method: str) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        target, source = operands(b, instruction, 2)
        chosen, at = register(b, target), place(b, source, _offsets(instruction, _SIGNED_WIDTHS[method]))
        options = {} if method == "ldrsw" else {"register": bits_of(b, chosen) // 8}
        loaded = b.call(method, at.address, **options)
        at.done()
        b.write(chosen, loaded)

    return lower


def _store(method: str, width: int | None) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        source, target = operands(b, instruction, 2)
        chosen = register(b, source)
        size = width or bits_of(b, chosen) // 8
        at = place(b, target, _offsets(instruction, size))
        b.emit(method, at.address, b.read(chosen), width=size)
        at.done()

    return lower


def _store_exclusive(method: str, width: int | None) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        status, source, target = operands(b, instruction, 3)
        chosen, address = register(b, source), place(b, target).address
        stored = b.call(method, address, b.read(chosen), width=width or bits_of(b, chosen) // 8)
        b.write(register(b, status), stored)

    return lower


# -- pairs ------------------------------------------------------------------------------------------


def _load_pair(b: Builder, instruction: Instruction) -> None:
    """Lower LDP: two registers, each loaded separately."""
    first, last, source = operands(b, instruction, 3)
    one, other = register(b, first), register(b, last)
    width = bits_of(b, one) // 8
    at = place(b, source, _pair_offsets(width))
    low = b.call("ldr", at.address, width=width)
    high = b.call("ldr", b.alu("add", at.address, width), width=width)
    at.done()
    b.write(one, low)
    b.write(other, high)


def _store_pair(b: Builder, instruction: Instruction) -> None:
    """Lower STP: two registers, each stored separately."""
    first, last, target = operands(b, instruction, 3)
    one, other = register(b, first), register(b, last)
    width = bits_of(b, one) // 8
    at = place(b, target, _pair_offsets(width))
    b.emit("str_", at.address, b.read(one), width=width)
    b.emit("str_", b.alu("add", at.address, width), b.read(other), width=width)
    at.done()


def _load_whole_pair(method: str) -> Handler:
    """Lower the loads of two registers with one access: LDXP, LDAXP, LDIAPP."""

    def lower(b: Builder, instruction: Instruction) -> None:
        first, last, source = operands(b, instruction, 3)
        one, other = register(b, first), register(b, last)
        bits = bits_of(b, one)
        low, high = b.halves(b.call(method, place(b, source).address, width=bits // 8), bits)
        b.write(one, low)
        b.write(other, high)

    return lower


def _store_whole_pair(b: Builder, instruction: Instruction) -> None:
    """Lower STILP."""
    first, last, target = operands(b, instruction, 3)
    bits, both = _pair_of(b, first, last)
    b.emit(instruction.mnemonic, place(b, target).address, both, width=bits // 8)


def _store_exclusive_pair(method: str) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        status, first, last, target = operands(b, instruction, 4)
        bits, both = _pair_of(b, first, last)
        b.write(register(b, status), b.call(method, place(b, target).address, both, width=bits // 8))

    return lower


def _compare_and_swap_pair(order: str) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        old_low, old_high, low, high, where = operands(b, instruction, 5)
        bits, expected = _pair_of(b, old_low, old_high)
        _, new = _pair_of(b, low, high)
        old = b.call("casp", place(b, where).address, expected, new, width=bits // 8, **_ordered(order))
        for target, value in zip((old_low, old_high), b.halves(old, bits), strict=True):
            b.write(register(b, target), value)

    return lower


def _fetch_pair(method: str, order: str) -> Handler:
    """Lower SWPP, LDCLRP and LDSETP, whose two registers are source and target."""

    def lower(b: Builder, instruction: Instruction) -> None:
        first, last, where = operands(b, instruction, 3)
        bits, value = _pair_of(b, first, last)
        if bits != 64:
            raise b.unsupported("its registers")
        old = b.call(method, place(b, where).address, value, **_ordered(order))
        for target, half in zip((first, last), b.halves(old, bits), strict=True):
            b.write(register(b, target), half)

    return lower


def _pair_of(b: Builder, first: Operand, last: Operand) -> tuple[int, Value]:
    """Return the width of one of two registers in bits, and the values of both as one number."""
    one, other = register(b, first), register(b, last)
    bits = bits_of(b, one)
    return bits, b.join(b.read(one), b.read(other), bits)


# -- single-instruction atomics ---------------------------------------------------------------------


def _compare_and_swap(order: str, width: int | None) -> Handler:
    def lower(b: Builder, instruction: Instruction) -> None:
        expected, new, where = operands(b, instruction, 3)
        chosen, address = register(b, expected), place(b, where).address
        options = {"width": width or bits_of(b, chosen) // 8, **_ordered(order), **_dropping(b, chosen)}
        b.write(chosen, b.call("cas", address, b.read(chosen), b.read(register(b, new)), **options))

    return lower


def _fetch(method: str, order: str, width: int | None) -> Handler:
    """Lower SWP and the LD forms, with the operands source, target, place."""

    def lower(b: Builder, instruction: Instruction) -> None:
        source, target, where = operands(b, instruction, 3)
        chosen, address = register(b, source), place(b, where).address
        options = {"width": width or bits_of(b, chosen) // 8, **_ordered(order), **_dropping(b, register(b, target))}
        b.write(register(b, target), b.call(method, address, b.read(chosen), **options))

    return lower


def _apply(method: str, order: str, width: int | None) -> Handler:
    """Lower the ST forms, with the operands source, place."""

    def lower(b: Builder, instruction: Instruction) -> None:
        source, where = operands(b, instruction, 2)
        chosen, address = register(b, source), place(b, where).address
        options = {"width": width or bits_of(b, chosen) // 8, **_ordered(order)}
        b.emit(method, address, b.read(chosen), into=None, **options)

    return lower


def _ordered(order: str) -> dict[str, int | str]:
    return {"order": order} if order else {}


def _dropping(b: Builder, target: AnyRegister) -> dict[str, int]:
    """Return the option of an atomic whose old value goes to the register `target`, which may be the zero register."""
    return {"zero": 1} if b.is_zero(target) else {}


def _atomics() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for order in ORDERS:
        found["casp" + order] = _compare_and_swap_pair(order)
        for name in ("swpp", "ldclrp", "ldsetp"):
            found[name + order] = _fetch_pair(name, order)
        for suffix, width in _WIDTHS.items():
            found["cas" + order + suffix] = _compare_and_swap(order, width)
            found["swp" + order + suffix] = _fetch("swp", order, width)
            for name in ATOMICS:
                found[f"ld{name}{order}{suffix}"] = _fetch("ld" + name, order, width)
                if order in ("", "l"):
                    found[f"st{name}{order}{suffix}"] = _apply("st" + name, order, width)
    return found


def _accesses() -> dict[str, Handler]:
    found: dict[str, Handler] = {}
    for suffix, width in _WIDTHS.items():
        for name in ("ldr", "ldar", "ldapr", "ldapur", "ldlar", "ldxr", "ldaxr"):
            found[name + suffix] = _load(name, width)
        for name, method in (("str", "str_"), ("stlr", "stlr"), ("stlur", "stlur"), ("stllr", "stllr")):
            found[name + suffix] = _store(method, width)
        for name in ("stxr", "stlxr"):
            found[name + suffix] = _store_exclusive(name, width)
        found["ldur" + suffix], found["stur" + suffix] = found["ldr" + suffix], found["str" + suffix]
    return found


MEMORY: dict[str, Handler] = {
    **_accesses(),
    **_atomics(),
    **{name: _load_signed(name) for name in _SIGNED_WIDTHS},
    **{name.replace("r", "ur", 1): _load_signed(name) for name in _SIGNED_WIDTHS},
    **dict.fromkeys(("ldp", "ldnp"), _load_pair),
    **dict.fromkeys(("stp", "stnp"), _store_pair),
    **{name: _load_whole_pair(name) for name in ("ldxp", "ldaxp", "ldiapp")},
    "stilp": _store_whole_pair,
    **{name: _store_exclusive_pair(name) for name in ("stxp", "stlxp")},
}
