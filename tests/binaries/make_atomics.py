"""Writes atomics.txt: every atomic and ordering instruction of each instruction set, and what it becomes.

    python tests/binaries/make_atomics.py

It needs the cross compilers of the Makefile. A line has the instruction set, the bytes in memory, the assembly, and the
call of the vCPU's method. Read the difference before you commit it: the last column is what the tests hold the decoders
to.
"""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from simaie.binary.abi import ABIS
from simaie.binary.atomics import DECODERS
from simaie.binary.lifter import lifter_for
from simaie.binary.x86 import FENCES, update_of

HERE = Path(__file__).parent
_TOOLS = {
    "arm": ("arm-linux-gnueabihf", ("-march=armv8-a", "-mfpu=neon-fp-armv8"), ".arm\n"),
    "thumb": ("arm-linux-gnueabihf", ("-march=armv8-a", "-mfpu=neon-fp-armv8", "-mthumb"), ".syntax unified\n.thumb\n"),
    "aarch64": ("aarch64-linux-gnu", ("-march=armv8.4-a",), ""),
    "riscv64": ("riscv64-linux-gnu", ("-march=rv64imac_zihintpause_zifencei_zawrs",), ""),
    "mips": ("mips-linux-gnu", ("-mips32r2",), ".set noreorder\n"),
    "mipsr6": ("mips-linux-gnu", ("-mips32r6",), ".set noreorder\n"),
    "ppc64le": ("powerpc64le-linux-gnu", ("-mpower9",), ""),
    "i386": ("x86_64-linux-gnu", ("--32",), ".intel_syntax noprefix\n"),
    "x86-64": ("x86_64-linux-gnu", (), ".intel_syntax noprefix\n"),
}


def _arm() -> Iterator[str]:
    for suffix in ("", "b", "h"):
        yield f"ldrex{suffix} r1, [r2]"
        yield f"strex{suffix} r3, r1, [r2]"
    for suffix in ("", "b", "h"):
        yield from (f"lda{suffix} r1, [r2]", f"stl{suffix} r1, [r2]")
        yield from (f"ldaex{suffix} r1, [r2]", f"stlex{suffix} r3, r1, [r2]")
    yield from ("ldaexd r4, r5, [r2]", "stlexd r3, r4, r5, [r2]")
    yield from ("ldrexd r4, r5, [r2]", "strexd r3, r4, r5, [r2]", "clrex", "isb", "yield")
    yield from ("wfe", "wfi", "sev", "sevl", "nop")
    for option in ("sy", "st", "ish", "ishst", "nsh", "nshst", "osh", "oshst"):
        yield f"dmb {option}"
        yield f"dsb {option}"
    yield "mrc p15, 0, r3, c13, c0, 3"


def _a32() -> Iterator[str]:
    yield from _arm()
    yield from ("swp r1, r3, [r2]", "swpb r1, r3, [r2]", "strexne r3, r1, [r2]", "ldrexeq sp, [lr]", "pld [r1]")


def _t32() -> Iterator[str]:
    yield from _arm()
    yield from ("ldrex r1, [r2, #8]", "strex r3, r1, [r2, #1020]")


def _a64() -> Iterator[str]:
    for name, suffix in itertools.product(("ldxr", "ldaxr", "ldar", "ldapr"), ("b", "h")):
        yield f"{name}{suffix} w1, [x2]"
    for name in ("ldxr", "ldaxr", "ldar", "ldapr"):
        yield from (f"{name} w1, [x2]", f"{name} x1, [sp]")
    for name, suffix in itertools.product(("stxr", "stlxr"), ("b", "h", "")):
        yield f"{name}{suffix} w3, w1, [x2]"
    yield from ("stxr w3, x1, [x2]", "stlxr w3, xzr, [sp]", "stlr w1, [x2]", "stlr x1, [x2]", "stlrb w1, [x2]")
    for name in ("ldxp", "ldaxp"):
        yield from (f"{name} w1, w3, [x2]", f"{name} x1, x3, [x2]")
    for name in ("stxp", "stlxp"):
        yield from (f"{name} w4, w1, w3, [x2]", f"{name} w4, x1, x3, [x2]")
    for order in ("", "a", "l", "al"):
        yield from (f"cas{order} w1, w3, [x2]", f"cas{order} x1, x3, [x2]", f"cas{order}b w1, w3, [x2]")
        yield from (f"casp{order} w0, w1, w4, w5, [x2]", f"casp{order} x0, x1, x4, x5, [x2]")
        yield from (f"swp{order} w1, w3, [x2]", f"swp{order}h w1, w3, [x2]")
        for name in ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin"):
            yield from (f"ld{name}{order} w1, w3, [x2]", f"ld{name}{order} x1, x3, [x2]")
    for name in ("add", "clr", "eor", "set", "smax", "smin", "umax", "umin"):
        yield from (f"st{name} w1, [x2]", f"st{name}l x1, [x2]", f"st{name}b w1, [x2]")
    yield from ("clrex", "isb", "yield", "wfe", "wfi", "sev", "sevl", "nop", "bti c")
    yield "prfm pldl1keep, [x1]"
    yield from ("ldlar w1, [x2]", "ldlarb w1, [x2]", "stllr x1, [sp]", "stllrh w1, [x2]")
    yield from ("ldapur w1, [x2, #-256]", "ldapur x1, [sp, #255]", "ldapurb w1, [x2, #1]", "ldapurh wzr, [x2]")
    yield from ("stlur w1, [x2, #-4]", "stlur xzr, [sp, #8]", "stlurb w1, [x2]", "stlurh w1, [x2]")
    yield from ("ldapursw x1, [x2, #4]", "ldapursb x1, [x2]", "ldapursb w1, [x2]", "ldapursh x1, [sp, #-2]")
    yield from (".inst 0x19238041 // swpp x1, x3, [x2]", ".inst 0x19e38041 // swppal x1, x3, [x2]")
    yield from (".inst 0x19a31041 // ldclrpa x1, x3, [x2]", ".inst 0x196333e1 // ldsetpl x1, x3, [sp]")
    for option in ("sy", "st", "ld", "ish", "ishst", "ishld", "nsh", "nshst", "nshld", "osh", "oshst", "oshld"):
        yield from (f"dmb {option}", f"dsb {option}")
    yield "mrs x3, tpidr_el0"
    yield from (".inst 0x99021a5a // stilp w26, w2, [x18]", ".inst 0xd9031bfb // stilp x27, x3, [sp]",
                ".inst 0xd9010a39 // stilp x25, x1, [x17, #-16]!", ".inst 0x99461bfe // ldiapp w30, w6, [sp]",
                ".inst 0xd9471aff // ldiapp xzr, x7, [x23]",
                ".inst 0x99440a9c // ldiapp w28, w4, [x20], #8")  # fmt: skip


def _riscv() -> Iterator[str]:
    names = ("swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu")
    for width, bits in itertools.product("wd", ("", ".aq", ".rl", ".aqrl")):
        yield f"lr.{width}{bits} a0, (a1)"
        yield f"sc.{width}{bits} a2, a0, (a1)"
        for name in names:
            yield f"amo{name}.{width}{bits} a0, a2, (a1)"
    yield "amoswap.w zero, zero, (a1)"
    yield from (".insn r 0x2f, 2, 0x14, a0, a1, a2 # amocas.w a0, a2, (a1)",
                ".insn r 0x2f, 3, 0x17, a0, a1, zero # amocas.d.aqrl a0, zero, (a1)",
                ".insn r 0x2f, 4, 0x15, a2, a1, a4 # amocas.q.rl a2, a4, (a1)",
                ".insn r 0x2f, 4, 0x14, zero, a1, a4 # amocas.q zero, a4, (a1)")  # fmt: skip
    for before, after in itertools.product(("r", "w", "rw", "iorw"), repeat=2):
        yield f"fence {before}, {after}"
    yield from ("fence.tso", "fence.i", "pause", "wrs.nto", "wrs.sto", "wfi")


def _mips() -> Iterator[str]:
    yield from ("ll $2, 0($4)", "ll $2, -8($4)", "sc $2, 12($4)", "pause", "rdhwr $3, $29", "pref 0, 0($4)")
    yield from (f"sync {kind}" for kind in (0, 4, 16, 17, 18, 19))


def _mips_release_6() -> Iterator[str]:
    yield from ("sync", "pause", "rdhwr $3, $29")
    yield from (".word 0x7c800035 # pref 0, 0($4)",)
    yield from (".word 0x7c823836 # ll $2, 112($4)", ".word 0x7c82ffa6 # sc $2, -1($4)",
                ".word 0x7c821876 # llwp $2, $3, ($4)", ".word 0x7c820066 # scwp $2, $0, ($4)")  # fmt: skip


def _ppc() -> Iterator[str]:
    for letter in "bhwd":
        for base in (0, 5):
            yield from (f"l{letter}arx 3, {base}, 4", f"st{letter}cx. 3, {base}, 4")
    yield from ("lqarx 6, 0, 4", "lqarx 6, 5, 4", "stqcx. 6, 0, 4", "stqcx. 6, 5, 4")
    for name in ("lwat", "ldat"):
        yield from (f"{name} 3, 4, {function}" for function in (*range(9), 16))
    for name in ("stwat", "stdat"):
        yield from (f"{name} 3, 4, {function}" for function in range(8))
    yield from ("lq 6, 16(5)", "lq 6, -32(5)", "stq 6, -16(5)", "stq 6, 16(0)")
    yield from ("sync", "lwsync", "ptesync", "eieio", "isync", "dcbt 0, 4")


def _x86() -> Iterator[str]:
    for prefix in ("", "lock "):
        for size, register in (("byte", "cl"), ("word", "cx"), ("dword", "ecx"), ("qword", "r9")):
            at = f"{size} ptr [rdi]"
            for name in ("add", "or", "adc", "sbb", "and", "sub", "xor"):
                yield from (f"{prefix}{name} {at}, {register}", f"{prefix}{name} {at}, 5")
            yield from (f"{prefix}xadd {at}, {register}", f"{prefix}cmpxchg {at}, {register}")
            yield from (f"{prefix}{name} {at}" for name in ("inc", "dec", "neg", "not"))
            if size != "byte":
                for name in ("bts", "btr", "btc"):
                    yield from (f"{prefix}{name} {at}, {register}", f"{prefix}{name} {at}, 3")
        yield from (f"{prefix}cmpxchg8b [rdi]", f"{prefix}cmpxchg16b [rdi]")
    for size, register in (("byte", "sil"), ("word", "dx"), ("dword", "r10d"), ("qword", "rax")):
        yield f"xchg {size} ptr [rdi], {register}"
    yield from ("mfence", "lfence", "sfence", "pause", "xchg ecx, edx", "mov dword ptr [rdi], ecx")


_LISTS = {
    "arm": _a32, "thumb": _t32, "aarch64": _a64, "riscv64": _riscv, "mips": _mips, "mipsr6": _mips_release_6,
    "ppc64le": _ppc, "x86-64": _x86,
}  # fmt: skip


def assembled(isa: str, source: str, folder: Path) -> bytes:
    triple, flags, head = _TOOLS[isa]
    text, made, raw = folder / "a.s", folder / "a.o", folder / "a.bin"
    if isa == "arm" and source.startswith("swp"):
        head += ".arch armv7-a\n"  # Armv8 has no SWP
    text.write_text(f"{head}{source}\n")
    subprocess.run([f"{triple}-as", *flags, text, "-o", made], check=True)
    subprocess.run([f"{triple}-objcopy", "-O", "binary", "-j", ".text", made, raw], check=True)
    return raw.read_bytes()


def becomes(isa: str, code: bytes) -> str:
    """Return what an instruction becomes: the call of a method, or ``lifted`` for one that Sleigh translates."""
    if isa != "x86-64":
        special = DECODERS[isa](code.ljust(4, b"\0"))
        return "lifted" if special is None else str(special)
    lifted = lifter_for(next(abi.language for abi in ABIS.values() if abi.name == isa)).lift(code.ljust(16, b"\0"), 0)
    assert lifted is not None
    update = update_of(code, lifted, long_mode=True)
    if update is None:
        fence = FENCES.get(lifted.mnemonic)
        return "lifted" if fence is None else f"{fence}()"
    operand = update.register or (str(update.immediate) if not update.name.startswith(("cmp", "neg", "not")) else "")
    lock = "lock_" if update.locked and update.name != "xchg" else ""
    carry = "+CF" if update.carry else ""
    return f"{lock}{update.name}({operand}{carry}, width={update.width})"


def main() -> None:
    """Write the table."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for isa, listed in _LISTS.items():
            for source in dict.fromkeys(listed()):
                code = assembled(isa, source, Path(folder))
                lines.append(f"{isa}\t{code.hex()}\t{source}\t{becomes(isa, code)}")
    (HERE / "atomics.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
