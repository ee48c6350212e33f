"""A64: exclusives, acquire and release, FEAT_LSE, FEAT_LSE128, FEAT_LRCPC2 and 3, FEAT_LOR, barriers, hints.

Source: Arm ARM DDI 0487, C4.1.
"""

from __future__ import annotations

from simaie.binary.atomics.barriers import option_of
from simaie.binary.atomics.special import Address, Part, Special

__all__ = ["decode_aarch64"]

_ATOMICS = ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin")
_ZERO = 31
#: The atomics of FEAT_LSE128 by the bits o3 and opc.
_OF_16_BYTES = {1: "ldclrp", 3: "ldsetp", 8: "swpp"}
_HINTS = {1: "yield_", 2: "wfe", 3: "wfi", 4: "sev", 5: "sevl"}


def decode_aarch64(code: bytes) -> Special | None:
    """Return an atomic or ordering instruction at the begin of `code`; None for any other."""
    word = int.from_bytes(code[:4], "little")
    if word & 0x3F00_0000 == 0x0800_0000:
        return _exclusive_class(word)
    if word & 0x3F20_0C00 == 0x3820_0000:
        return _atomic(word)
    if word & 0x3F20_0C00 == 0x1900_0000:
        return _unscaled(word)
    if word & 0xBF20_EC00 == 0x9900_0800:
        return _ordered_pair(word)
    if word & 0xFF20_0C00 == 0x1920_0000:
        return _atomic_of_16_bytes(word)
    if word & 0xFFFF_F01F == 0xD503_301F:
        return _barrier(word)
    if word & 0xFFFF_F01F == 0xD503_201F:  # a hint without a meaning here is a NOP, PAC and BTI too
        return Special(4, _HINTS.get(word >> 5 & 127, "nop"))
    if word & 0xFFC0_0000 == 0xF980_0000 or word & 0xFF00_0000 == 0xD800_0000:  # PRFM
        return Special(4, "nop")
    if word & 0xFFFF_FFE0 == 0xD53B_D040:  # MRS Xt, TPIDR_EL0
        return Special(4, "thread", into=_into(word & 31, 8))
    return None


def _value(number: int, width: int) -> Part:
    return Part("", width, 0) if number == _ZERO else Part(f"x{number}", width)


def _into(number: int, width: int) -> tuple[Part, ...]:
    """Return the register of a result, zero-extended from `width` bytes; none if it is XZR."""
    return () if number == _ZERO else (Part(f"x{number}", width),)


def _base(word: int) -> Address:
    number = word >> 5 & 31
    return Address(("sp" if number == _ZERO else f"x{number}",))


def _exclusive_class(word: int) -> Special | None:
    """Decode "load/store exclusive" and "compare and swap": o2 L o1 ... o0."""
    o2, load, o1, o0 = word >> 23 & 1, word >> 22 & 1, word >> 21 & 1, word >> 15 & 1
    width, address = 1 << (word >> 30), _base(word)
    status, second, first = word >> 16 & 31, word >> 10 & 31, word & 31
    options: tuple[tuple[str, int | str], ...] = (("width", width),)
    if not o2 and not o1:
        if load:
            return Special(4, "ldaxr" if o0 else "ldxr", address, options=options, into=_into(first, width))
        name = "stlxr" if o0 else "stxr"
        return Special(4, name, address, ((_value(first, width),),), options, into=_into(status, 4))
    if not o2 and width >= 4:
        return _pair(word, "a" * load, o0, options)
    ordered = (*options, ("order", "a" * load + "l" * o0))
    if not o2:
        return _pair_swap(word, ("a" * load) + "l" * o0)
    if not o1:
        if load:
            return Special(4, "ldar" if o0 else "ldlar", address, options=options, into=_into(first, width))
        return Special(4, "stlr" if o0 else "stllr", address, ((_value(first, width),),), options)
    if second != _ZERO:
        return None
    values = (_value(status, width),), (_value(first, width),)
    return Special(4, "cas", address, values, ordered, into=_into(status, width))


def _pair(word: int, load: str, o0: int, options: tuple[tuple[str, int | str], ...]) -> Special:
    width = int(options[0][1])
    status, second, first = word >> 16 & 31, word >> 10 & 31, word & 31
    if load:
        into = _value(first, width), _value(second, width)  # XZR has no name: that half is dropped
        return Special(4, "ldaxp" if o0 else "ldxp", _base(word), options=options, into=into)
    value = _value(first, width), _value(second, width)
    return Special(4, "stlxp" if o0 else "stxp", _base(word), (value,), options, into=_into(status, 4))


def _pair_swap(word: int, order: str) -> Special:
    width = 8 if word >> 30 & 1 else 4
    old, new = word >> 16 & 31, word & 31
    expected = Part(f"x{old}", width), Part(f"x{old + 1}", width)
    wanted = _value(new, width), _value(new + 1, width)
    return Special(
        4, "casp", _base(word), (expected, wanted), (("width", width), ("order", order)), into=expected
    )


def _atomic(word: int) -> Special | None:
    acquire, release, o3, opcode = word >> 23 & 1, word >> 22 & 1, word >> 15 & 1, word >> 12 & 7
    width, address, first = 1 << (word >> 30), _base(word), word & 31
    if o3 and opcode == 4:
        return Special(4, "ldapr", address, options=(("width", width),), into=_into(first, width))
    if o3 and opcode:
        return None
    order = "a" * acquire + "l" * release
    options = ("width", width), ("order", order)
    value = (_value(word >> 16 & 31, width),)
    if o3:
        return Special(4, "swp", address, (value,), options, into=_into(first, width))
    name = _ATOMICS[opcode]
    if first == _ZERO and not acquire:  # the ST form
        return Special(4, f"st{name}", address, (value,), options)
    return Special(4, f"ld{name}", address, (value,), options, into=_into(first, width))


def _atomic_of_16_bytes(word: int) -> Special | None:
    """Decode SWPP, LDCLRP and LDSETP, whose first register is the low half."""
    name, first, second = _OF_16_BYTES.get(word >> 12 & 15), word & 31, word >> 16 & 31
    if name is None or _ZERO in (first, second):
        return None
    order = "a" * (word >> 23 & 1) + "l" * (word >> 22 & 1)
    pair = Part(f"x{first}", 8), Part(f"x{second}", 8)
    return Special(4, name, _base(word), (pair,), (("order", order),), into=pair)


def _unscaled(word: int) -> Special | None:
    """Decode LDAPUR and STLUR, which have an offset."""
    width, offset = 1 << (word >> 30), (word >> 12 & 511 ^ 256) - 256
    address, options, first = Address(_base(word).registers, offset), (("width", width),), word & 31
    opcode = word >> 22 & 3
    if opcode > 1:  # the sign is extended to a register of 8 or 4 bytes
        register = 8 if opcode == 2 else 4
        if width >= register:
            return None
        return Special(4, "ldapurs", address, options=(*options, ("register", register)), into=_into(first, register))
    if opcode:
        return Special(4, "ldapur", address, options=options, into=_into(first, width))
    return Special(4, "stlur", address, ((_value(first, width),),), options)


def _ordered_pair(word: int) -> Special | None:
    """Decode LDIAPP and STILP; their forms that write the base back move it after a load, before a store."""
    opcode, width, address = word >> 22 & 3, 8 if word >> 30 & 1 else 4, _base(word)
    if opcode > 1:
        return None
    step = 0 if word >> 12 & 1 else 2 * width
    if not opcode:
        step = -step
        address = address._replace(offset=step)
    moved = (address.registers[0], step) if step else None
    options = (("width", width),)
    pair = _value(word & 31, width), _value(word >> 16 & 31, width)
    if opcode:
        return Special(4, "ldiapp", address, options=options, into=pair, moved=moved)
    return Special(4, "stilp", address, (pair,), options, moved=moved)


def _barrier(word: int) -> Special | None:
    kind = word >> 5 & 7
    if kind in (4, 5):
        return Special(4, "dsb" if kind == 4 else "dmb", plain=(option_of(word >> 8 & 15),))
    name = {2: "clrex", 6: "isb"}.get(kind)
    return Special(4, name) if name else None
