"""The registers of each architecture: every spelling, and the whole register that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from simaie.litmus.instruction import Register
from simaie.litmus.model import Arch

__all__ = ["find_register", "registers_of"]


def _words(text: str) -> list[str]:
    return text.split()


_X86_WHOLE = ("AX", "BX", "CX", "DX", "SI", "DI", "BP", "SP")
_SEGMENTS = ("cs", "ds", "es", "fs", "gs", "ss")
_RISCV_ABI = _words(
    "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
)
_MIPS_ABI = _words(
    "zero at v0 v1 a0 a1 a2 a3 t0 t1 t2 t3 t4 t5 t6 t7 s0 s1 s2 s3 s4 s5 s6 s7 t8 t9 k0 k1 gp sp fp ra"
)


def find_register(arch: Arch, name: str) -> Register | None:
    """Return the register with the given spelling, in any case and with or without the sigils `%` and `$`, or None."""
    return registers_of(arch).get(name.removeprefix("%").removeprefix("$").lower())


@cache
def registers_of(arch: Arch) -> Mapping[str, Register]:
    """Return every register of an architecture by its lower-case spelling, without sigil."""
    match arch:
        case Arch.X86:
            return _x86()
        case Arch.X86_64:
            return _x86_64()
        case Arch.ARM:
            return _arm()
        case Arch.AARCH64:
            return _aarch64()
        case Arch.RISCV:
            return _numbered("x", 32, 64) | _aliases("x", _RISCV_ABI) | _aliases("x", {"fp": 8})
        case Arch.MIPS:
            return _numbered("$", 32, 64) | _aliases("$", _MIPS_ABI) | _aliases("$", {"s8": 30})
        case Arch.PPC:
            return _numbered("r", 32, 64) | _numbered("cr", 8, 4) | _named({"ctr": 64, "lr": 64, "xer": 64})


def _numbered(prefix: str, count: int, bits: int) -> dict[str, Register]:
    return {f"{prefix}{n}".removeprefix("$"): Register(f"{prefix}{n}", bits) for n in range(count)}


def _aliases(prefix: str, names: Iterable[str] | Mapping[str, int]) -> dict[str, Register]:
    numbers = names if isinstance(names, Mapping) else {name: n for n, name in enumerate(names)}
    return {name: Register(f"{prefix}{n}", 64) for name, n in numbers.items()}


def _named(bits: Mapping[str, int]) -> dict[str, Register]:
    return {name.lower(): Register(name, width) for name, width in bits.items()}


def _x86() -> dict[str, Register]:
    found = _named({"EIP": 32, "EFLAGS": 32})
    for half in _X86_WHOLE:
        whole = "E" + half
        found |= {whole.lower(): Register(whole, 32), half.lower(): Register(whole, 16)}
        found |= _bytes(half, whole, low=half.endswith("X"))
    return found


def _x86_64() -> dict[str, Register]:
    found = _named(dict.fromkeys(_SEGMENTS, 16) | {"rip": 64, "eflags": 32})
    for half in (name.lower() for name in _X86_WHOLE):
        whole = "r" + half
        found |= {whole: Register(whole, 64), "e" + half: Register(whole, 32), half: Register(whole, 16)}
        found |= _bytes(half, whole, low=True)
    for n in range(8, 16):
        whole = f"r{n}"
        found |= {
            whole + suffix: Register(whole, bits)
            for suffix, bits in (("", 64), ("d", 32), ("w", 16), ("b", 8))
        }
    return found


def _bytes(half: str, whole: str, *, low: bool) -> dict[str, Register]:
    """Return the byte registers: `al` and `ah` for `ax`, but only `sil` for `si` (and that in 64-bit mode only)."""
    stem = half.lower()
    if stem.endswith("x"):
        return {stem[0] + "l": Register(whole, 8), stem[0] + "h": Register(whole, 8, 8)}
    return {stem + "l": Register(whole, 8)} if low else {}


def _arm() -> dict[str, Register]:
    found = {f"r{n}": Register(f"R{n}", 32) for n in range(13)}
    for n, name in enumerate(("SP", "LR", "PC"), start=13):
        found |= {name.lower(): Register(name, 32), f"r{n}": Register(name, 32)}
    return found


def _aarch64() -> dict[str, Register]:
    found: dict[str, Register] = {}
    for n in range(31):
        found |= {f"x{n}": Register(f"X{n}", 64), f"w{n}": Register(f"X{n}", 32)}
    found |= {"xzr": Register("XZR", 64), "wzr": Register("XZR", 32), "lr": Register("X30", 64)}
    return found | {"sp": Register("SP", 64), "wsp": Register("SP", 32)}
