"""Each instruction of each instruction set with what it returns and what it leaves in memory, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["CASES", "Case", "X", "Y"]

X, Y = 0x1000, 0x1100
#: All bytes differ, and each is negative as a signed number.
PATTERN = int.from_bytes(bytes(range(0x81, 0xA1)), "little")
VALUE = int.from_bytes(bytes(range(0x11, 0x31)), "little")


class Case(NamedTuple):
    """One instruction.

    Attributes:
        args: Its operands.
        width: Bytes of the location at X.
        before: The value of the location before it.
        result: What it returns.
        after: The value of the location afterwards; None if it does not change.
        options: Its options.
        first: The instruction before it, as (name, operands, options); None for none.
        failing: The schemes under which it fails, a store-conditional to more bytes than were load-linked: the
            architecture allows that it stores, so it is a decision of native, and cas has not seen the other bytes.
    """

    args: tuple[Any, ...] = ()
    width: int = 4
    before: int = 0
    result: Any = None
    after: int | None = None
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    first: tuple[Any, ...] | None = None
    failing: frozenset[str] = frozenset()


def low(value: int, width: int) -> int:
    """The low `width` bytes."""
    return value & (1 << 8 * width) - 1


def signed(value: int, width: int, register: int = 8) -> int:
    """A negative value of `width` bytes, sign-extended to a register."""
    return low(value - (1 << 8 * width), register)


def load(width: int, extended: int = 0, /, **options: Any) -> Case:
    """A load, sign-extended to a register of `extended` bytes unless that is 0."""
    value = low(PATTERN, width)
    return Case((X,), width, value, signed(value, width, extended) if extended else value, None, options)


def store(width: int, /, **options: Any) -> Case:
    return Case((X, VALUE), width, low(PATTERN, width), None, low(VALUE, width), options)


def conditional(linked: str, width: int, stored: int, /, **options: Any) -> Case:
    """A store-conditional after its load-linked."""
    return store(width, **options)._replace(result=stored, first=(linked, (X,), options))


def compare(width: int, register: int = 0, /, **options: Any) -> Case:
    """A compare-and-swap that stores."""
    before = low(PATTERN, width)
    result = signed(before, width, register) if register else before
    return Case((X, before, VALUE), width, before, result, low(VALUE, width), options)


FUNCTIONS: dict[str, Callable[[int, int, int], int]] = {
    "add": lambda old, x, width: old + x,
    "sub": lambda old, x, width: old - x,
    "and": lambda old, x, width: old & x,
    "or": lambda old, x, width: old | x,
    "xor": lambda old, x, width: old ^ x,
    "clear": lambda old, x, width: old & ~x,
    "swap": lambda old, x, width: x,
    # The old value is negative, the operand is not.
    "smax": lambda old, x, width: x,
    "smin": lambda old, x, width: old,
    "umax": lambda old, x, width: old,
    "umin": lambda old, x, width: x,
    "neg": lambda old, x, width: -old,
    "not": lambda old, x, width: ~old,
}


def fetch(name: str, width: int = 4, register: int = 0, /, *, returns: str = "old", **options: Any) -> Case:
    """A read-modify-write with an operand, which returns the old value, the new one or nothing."""
    before = low(PATTERN, width)
    after = low(FUNCTIONS[name](before, low(VALUE, width), width), width)
    old = signed(before, width, register) if register else before
    return Case((X, VALUE), width, before, {"old": old, "new": after, "none": None}[returns], after, options)


def unary(function: str, operand: int = 0) -> Case:
    """A read-modify-write of x86 without an operand of the guest."""
    before = low(PATTERN, 4)
    after = low(FUNCTIONS[function](before, operand, 4), 4)
    return Case((X,), 4, before, after, after)


def bit(after: int) -> Case:
    """One of BT and its kind, of bit 3, which is 0 in 0x81."""
    return Case((X, 3), 4, 0x81, 0, after if after != 0x81 else None)


QUIET = Case(before=5)  # a fence or a hint
AMO = {"swap": "swap", "add": "add", "xor": "xor", "and": "and", "or": "or",
       "min": "smin", "max": "smax", "minu": "umin", "maxu": "umax"}  # fmt: skip
LSE = {"add": "add", "clr": "clear", "eor": "xor", "set": "or",
       "smax": "smax", "smin": "smin", "umax": "umax", "umin": "umin"}  # fmt: skip


def quiet(*names: str) -> dict[str, list[Case]]:
    return {name: [QUIET] for name in names}


def of_width(make: Callable[..., Case], *widths: int, **options: Any) -> list[Case]:
    """The case `make` of each width, which is an option of the instruction too."""
    cases = [make(width, **options) for width in widths]
    return [case._replace(options={**case.options, "width": width}) for case, width in zip(cases, widths, strict=True)]


def atomics(function: str, *widths: int, register: int = 0, returns: str = "old", **options: Any) -> list[Case]:
    """A read-modify-write of each width, which is an option of the instruction too."""
    cases = [fetch(function, width, register if width < 8 else 0, returns=returns, **options) for width in widths]
    return [case._replace(options={**case.options, "width": width}) for case, width in zip(cases, widths, strict=True)]


def conditionals(linked: str, stored: int, *widths: int, factor: int = 1) -> list[Case]:
    """A store-conditional of each width; the location has `factor` times as many bytes."""
    return [conditional(linked, factor * width, stored, width=width) for width in widths]


def pairs(make: Callable[..., Case], **options: Any) -> list[Case]:
    """A load or store of two registers of 4 or 8 bytes."""
    return [make(2 * width, width=width, **options) for width in (4, 8)]


ALL = (1, 2, 4, 8)
CASES: dict[str, dict[str, list[Case]]] = {}

CASES["arm"] = {
    "ldr": of_width(load, *ALL),
    "str_": of_width(store, *ALL),
    "ldrex": of_width(load, *ALL),
    "strex": conditionals("ldrex", 0, *ALL),
    "ldrexb": [load(1)],
    "ldrexh": [load(2)],
    "ldrexd": [load(8)],
    "strexb": [conditional("ldrexb", 1, 0)],
    "strexh": [conditional("ldrexh", 2, 0)],
    "strexd": [conditional("ldrexd", 8, 0)],
    "lda": of_width(load, 1, 2, 4),
    "stl": of_width(store, 1, 2, 4),
    "ldaex": of_width(load, *ALL),
    "stlex": conditionals("ldaex", 0, *ALL),
    "swp": atomics("swap", 1, 4),
    "swpb": [fetch("swap", 1)],
    **quiet("clrex", "dmb", "dsb", "isb", "wfe", "wfi", "sev", "sevl", "yield_"),
}
CASES["aarch64"] = {
    "ldr": of_width(load, *ALL),
    "ldrsb": [load(1, 8), load(1, 4, register=4)],
    "ldrsh": [load(2, 8), load(2, 4, register=4)],
    "ldrsw": [load(4, 8)],
    "str_": of_width(store, *ALL),
    "ldp": pairs(load),
    "stp": pairs(store),
    "ldar": of_width(load, *ALL),
    "ldapr": of_width(load, *ALL),
    "stlr": of_width(store, *ALL),
    "ldapur": of_width(load, *ALL),
    "ldapurs": [load(width, 8, width=width) for width in (1, 2, 4)] + [load(2, 4, width=2, register=4)],
    "stlur": of_width(store, *ALL),
    "ldlar": of_width(load, *ALL),
    "stllr": of_width(store, *ALL),
    "ldiapp": pairs(load),
    "stilp": pairs(store),
    "ldxr": of_width(load, *ALL),
    "ldaxr": of_width(load, *ALL),
    "ldxp": pairs(load),
    "ldaxp": pairs(load),
    "stxr": conditionals("ldxr", 0, *ALL),
    "stlxr": conditionals("ldaxr", 0, *ALL),
    "stxp": conditionals("ldxp", 0, 4, 8, factor=2),
    "stlxp": conditionals("ldaxp", 0, 4, 8, factor=2),
    "cas": of_width(compare, *ALL, order="al"),
    "casp": pairs(compare, order="a"),
    "swp": atomics("swap", *ALL, order="l"),
    **{"ld" + name: atomics(function, *ALL, order="al") for name, function in LSE.items()},
    **{"st" + name: atomics(function, *ALL, returns="none", order="l") for name, function in LSE.items()},
    "swpp": [fetch("swap", 16), fetch("swap", 16, order="al")],
    "ldclrp": [fetch("clear", 16, order="a")],
    "ldsetp": [fetch("or", 16, order="l")],
    **quiet("clrex", "dmb", "dsb", "isb", "wfe", "wfi", "sev", "sevl", "yield_"),
}
LOCKED = {
    **{name: atomics(name.rstrip("_"), *ALL, returns="new") for name in ("add", "sub", "and_", "or_", "xor")},
    "adc": [Case((X, 2), 4, 5, 8, 8, {"carry": 1})],
    "sbb": [Case((X, 2), 4, 5, 2, 2, {"carry": 1})],
    "inc": [unary("add", 1)],
    "dec": [unary("sub", 1)],
    "neg": [unary("neg")],
    "not_": [unary("not")],
    "bts": [bit(0x89)],
    "btr": [bit(0x81), Case((X, 7), 4, 0x81, 1, 1)],
    "btc": [bit(0x89)],
    "xadd": atomics("add", *ALL),
    "cmpxchg": of_width(compare, *ALL),
    "cmpxchg8b": [compare(8)],
    "cmpxchg16b": [compare(16)],
}
CASES["x86"] = {
    **LOCKED,
    **{"lock_" + name.rstrip("_"): cases for name, cases in LOCKED.items()},
    "xchg": atomics("swap", *ALL),
    "bt": [bit(0x81)],
    "cmpccxadd": [
        Case((X, 5, 3), 4, 5, 5, 8, {"condition": "z"}),
        Case((X, 6, 3), 4, 5, 5, None, {"condition": "nb"}),
        Case((X, 1, 3), 8, (1 << 64) - 1, (1 << 64) - 1, 2, {"condition": "l", "width": 8}),
    ],
    "movnti": of_width(store, 4, 8),
    "movups_load": [load(16)],
    "movups": [store(16)],
    "movaps_load": [load(16)],
    "movaps": [store(16)],
    "vmovups_load": [load(32)],
    "vmovups": [store(32)],
    "rep_movs": [Case((X, X + 8, 2), 16, (7 << 96) + (6 << 64), None, (7 << 96) + (6 << 64) + (7 << 32) + 6)],
    "rep_stos": [Case((X, VALUE, 3), 16, 0, None, sum(low(VALUE, 4) << 32 * i for i in range(3)))],
    **quiet("mfence", "lfence", "sfence", "pause", "umwait"),
    "umonitor": [Case((X,))],
}
CASES["riscv"] = {
    "lb": [load(1, 8, aq=1)], "lh": [load(2, 8)], "lw": [load(4, 8)], "ld": [load(8, rl=1, aq=1)],
    "lbu": [load(1)], "lhu": [load(2)], "lwu": [load(4)],
    "sb": [store(1)], "sh": [store(2)], "sw": [store(4, rl=1)], "sd": [store(8)],
    "lr": [load(4, 8), load(8, width=8, aq=1)],
    "sc": conditionals("lr", 0, 4, 8),
    **{"amo" + name: atomics(function, *ALL, register=8, aq=1, rl=1) for name, function in AMO.items()},
    "amocas": [*(compare(width, 8, width=width) for width in (1, 2, 4)), *of_width(compare, 8, 16, aq=1)],
    **quiet("fence", "fence_tso", "fence_i", "pause", "wrs_nto", "wrs_sto", "wfi"),
}  # fmt: skip
CASES["riscv_ztso"] = CASES["riscv"]
CASES["mips"] = {
    "lb": [load(1, 8)], "lh": [load(2, 8)], "lw": [load(4, 8)], "ld": [load(8)],
    "lbu": [load(1)], "lhu": [load(2)], "lwu": [load(4)],
    "sb": [store(1)], "sh": [store(2)], "sw": [store(4)], "sd": [store(8)],
    "ll": [load(4, 8)], "lld": [load(8)], "llwp": [load(8)], "lldp": [load(16)],
    "sc": [conditional("ll", 4, 1)], "scd": [conditional("lld", 8, 1)],
    "scwp": [conditional("llwp", 8, 1)], "scdp": [conditional("lldp", 16, 1)],
    **quiet("sync", "pause"),
}  # fmt: skip
POWER = {0: "add", 1: "xor", 2: "or", 3: "and", 4: "umax", 5: "smax", 6: "umin", 7: "smin", 8: "swap"}


def power(width: int) -> list[Case]:
    """LWAT or LDAT with each function."""
    equal, other = {"function": 16, "compare": 5}, {"function": 16, "compare": 6}
    unless = [Case((X, 7), width, 5, 5, None, equal), Case((X, 7), width, 5, 5, 7, other)]
    return [fetch(name, width, function=code) for code, name in POWER.items()] + unless


def power_stores(width: int) -> list[Case]:
    """STWAT or STDAT with each function."""
    return [fetch(name, width, returns="none", function=code) for code, name in POWER.items() if code < 8]


CASES["ppc"] = {
    "lbz": [load(1)], "lhz": [load(2)], "lha": [load(2, 8)], "lwz": [load(4)], "lwa": [load(4, 8)], "ld": [load(8)],
    "lq": [load(16)],
    "stb": [store(1)], "sth": [store(2)], "stw": [store(4)], "std": [store(8)], "stq": [store(16)],
    "lbarx": [load(1)], "lharx": [load(2)], "lwarx": [load(4)], "ldarx": [load(8)], "lqarx": [load(16)],
    "stbcx": [conditional("lbarx", 1, 1)], "sthcx": [conditional("lharx", 2, 1)],
    "stwcx": [conditional("lwarx", 4, 1)], "stdcx": [conditional("ldarx", 8, 1)],
    "stqcx": [conditional("lqarx", 16, 1)],
    "lwat": power(4), "ldat": power(8), "stwat": power_stores(4), "stdat": power_stores(8),
    **quiet("sync", "lwsync", "eieio", "isync"),
}  # fmt: skip
CASES["sparc"] = {
    "ldub": [load(1)], "lduh": [load(2)], "lduw": [load(4)], "ldx": [load(8)],
    "ldsb": [load(1, 8)], "ldsh": [load(2, 8)], "ldsw": [load(4, 8)],
    "stb": [store(1)], "sth": [store(2)], "stw": [store(4)], "stx": [store(8)],
    "swap": [fetch("swap")], "ldstub": [Case((X,), 1, 0x12, 0x12, 0xFF)],
    "casa": [compare(4), Case((X, 5, 6), 4, 4, 4)], "casxa": [compare(8)],
    **quiet("membar", "stbar"),
}  # fmt: skip
CASES["s390x"] = {
    "llgc": [load(1)], "llgh": [load(2)], "l": [load(4)], "lg": [load(8)], "lgf": [load(4, 8)], "lpq": [load(16)],
    "stc": [store(1)], "sth": [store(2)], "st": [store(4)], "stg": [store(8)], "stpq": [store(16)],
    "cs": [compare(4), Case((X, 5, 6), 4, 4, 4)], "csg": [compare(8)], "cds": [compare(8)], "cdsg": [compare(16)],
    "ts": [Case((X,), 1, 0x12, 0x12, 0xFF)],
    **{name: atomics(function, 4, 8) for name, function in
       {"laa": "add", "laal": "add", "lan": "and", "lao": "or", "lax": "xor"}.items()},
    "asi": [*atomics("add", 4, 8, returns="new"), Case((X + 2, 1), 8, 0, 1, 1 << 16)],
    "alsi": atomics("add", 4, 8, returns="new"),
    **{name: [fetch(function, 1, returns="new")] for name, function in {"ni": "and", "oi": "or", "xi": "xor"}.items()},
    **quiet("bcr"),
}  # fmt: skip
CASES["loongarch"] = {
    "ld_b": [load(1, 8)], "ld_h": [load(2, 8)], "ld_w": [load(4, 8)], "ld_d": [load(8)],
    "ld_bu": [load(1)], "ld_hu": [load(2)], "ld_wu": [load(4)],
    "st_b": [store(1)], "st_h": [store(2)], "st_w": [store(4)], "st_d": [store(8)],
    "ll": [load(4, 8), load(8, width=8)], "llacq": [load(4, 8), load(8, width=8)],
    "sc": conditionals("ll", 1, 4, 8), "screl": conditionals("llacq", 1, 4, 8),
    "sc_q": [store(16)._replace(result=1, first=("ll", (X,), {"width": 8}),
                                   failing=frozenset({"native", "cas"}))],
    **{"am" + name: atomics(function, *(ALL if name in ("swap", "add") else (4, 8)), register=8, db=1)
       for name, function in AMO.items()},
    "amcas": [*(compare(width, 8, width=width) for width in (1, 2, 4)), *of_width(compare, 8, db=1)],
    **quiet("dbar", "ibar"),
}  # fmt: skip
CASES["alpha"] = {
    "ldbu": [load(1)], "ldwu": [load(2)], "ldl": [load(4, 8)], "ldq": [load(8)],
    "ldq_u": [load(8)._replace(args=(X + 3,))],
    "stb": [store(1)], "stw": [store(2)], "stl": [store(4)], "stq": [store(8)],
    "stq_u": [store(8)._replace(args=(X + 5, VALUE))],
    "ldl_l": [load(4, 8)], "ldq_l": [load(8)],
    "stl_c": [conditional("ldl_l", 4, 1)], "stq_c": [conditional("ldq_l", 8, 1)],
    **quiet("mb", "wmb"),
}  # fmt: skip
CASES["m68k"] = {
    "cas": of_width(compare, 1, 2, 4),
    "cas2": [
        Case((X + 4, X, 3, 2, 7, 8), 8, (2 << 32) + 3, (2 << 32) + 3, (8 << 32) + 7),
        Case((X + 4, X, 3, 1, 7, 8), 8, (2 << 32) + 3, (2 << 32) + 3),
        Case((X + 2, X, 3, 2, 7, 8), 4, (2 << 16) + 3, (2 << 16) + 3, (8 << 16) + 7, {"width": 2}),
    ],
    "tas": [Case((X,), 1, 0x12, 0x12, 0x92)],
    **quiet("nop"),
}
CASES["sh4"] = {
    "movli_l": [load(4)], "movco_l": [conditional("movli_l", 4, 1)],
    "tas_b": [Case((X,), 1, 0, 1, 0x80), Case((X,), 1, 0x12, 0, 0x92)],
    **quiet("synco"),
}  # fmt: skip
CASES["xtensa"] = {
    "l8ui": [load(1)], "l16ui": [load(2)], "l16si": [load(2, 4)], "l32i": [load(4)],
    "s8i": [store(1)], "s16i": [store(2)], "s32i": [store(4)],
    "s32c1i": [compare(4), Case((X, 5, 6), 4, 4, 4)],
    "l32ai": [load(4)], "s32ri": [store(4)], "l32ex": [load(4)], "s32ex": [conditional("l32ex", 4, 1)],
    **quiet("clrex", "memw", "extw"),
}  # fmt: skip
CASES["openrisc"] = {
    "l_lbz": [load(1)], "l_lbs": [load(1, 4)], "l_lhz": [load(2)], "l_lhs": [load(2, 4)], "l_lwz": [load(4)],
    "l_sb": [store(1)], "l_sh": [store(2)], "l_sw": [store(4)],
    "l_lwa": [load(4)], "l_swa": [conditional("l_lwa", 4, 1)],
    **quiet("l_msync"),
}  # fmt: skip
CASES["microblaze"] = {
    "lbu": [load(1)], "lhu": [load(2)], "lw": [load(4)], "sb": [store(1)], "sh": [store(2)], "sw": [store(4)],
    "lwx": [load(4)], "swx": [conditional("lwx", 4, 0)],
    **quiet("mbar"),
}  # fmt: skip
CASES["hexagon"] = {
    "memw_locked": [load(4)], "memd_locked": [load(8)],
    "memw_locked_store": [conditional("memw_locked", 4, 1)], "memd_locked_store": [conditional("memd_locked", 8, 1)],
    "memw_aq": [load(4)], "memd_aq": [load(8)], "memw_rl": [store(4)], "memd_rl": [store(8)],
    **quiet("barrier", "syncht"),
}  # fmt: skip
