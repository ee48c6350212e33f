"""The fields that dialects write inside a mnemonic, split off by one function per dialect.

Each function takes the mnemonic in lower case and returns the bare mnemonic with its fields. An unknown mnemonic stays
whole: `frobeq` on Arm is no conditional `frob`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from simaie.litmus.model import Arch

__all__ = ["Parts", "is_branch", "split_mnemonic"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Parts(msgspec.Struct, frozen=True):
    """A mnemonic split into its fields; `width` is in bits."""

    mnemonic: str
    condition: str | None = None
    width: int | None = None
    acquire: bool = False
    release: bool = False


_ARM_CONDITIONS = _words("eq ne cs hs cc lo mi pl vs vc hi ls ge lt gt le al")
_ARM_FLAGLESS = _words(
    "b bl bx blx bxj cmp cmn tst teq ldr ldrb ldrh ldrd ldrsb ldrsh str strb strh strd ldm ldmia ldmib "
    "ldmda ldmdb stm stmia stmib stmda stmdb push pop ldrex ldrexb ldrexh ldrexd strex strexb strexh "
    "strexd lda ldab ldah ldaex ldaexb ldaexh ldaexd stl stlb stlh stlex stlexb stlexh stlexd swp swpb "
    "movw movt nop clrex uxtb uxth sxtb sxth svc mls sdiv udiv wfe sev"
)
_ARM_FLAG_SETTING = _words("add adc sub sbc rsb rsc and orr orn eor bic mov mvn mul mla lsl lsr asr ror")
_ARM_KNOWN = _ARM_FLAGLESS | _ARM_FLAG_SETTING | {word + "s" for word in _ARM_FLAG_SETTING}

_X86_CONDITIONS = _words(
    "o no b nae c ae nb nc e z ne nz be na a nbe s ns p pe np po l nge ge nl le ng g nle"
)
_X86_CONDITIONAL = ("j", "set", "cmov")
_ATT_KNOWN = _words(
    "mov xchg cmpxchg xadd add adc sub sbb and or xor not neg inc dec cmp test lea shl sal shr sar rol "
    "ror bt bts btr btc imul mul push pop call ret jmp movnti bsf bsr bswap"
)
_ATT_WIDTHS = {"b": 8, "w": 16, "l": 32, "q": 64}
_RISCV_WIDTHS = {"b": 8, "h": 16, "w": 32, "d": 64, "q": 128}
_RISCV_ORDERS = {"aq": (True, False), "rl": (False, True), "aqrl": (True, True)}
_PPC_CONDITIONS = _words("eq ne lt gt le ge so ns un nu nl ng")


def _whole(word: str) -> Parts:
    return Parts(word)


def _arm(word: str) -> Parts:
    stem, tail = word[:-2], word[-2:]
    if word not in _ARM_KNOWN and stem in _ARM_KNOWN and tail in _ARM_CONDITIONS:
        return Parts(stem, condition=tail)
    return Parts(word)


def _aarch64(word: str) -> Parts:
    stem, _, tail = word.partition(".")
    return Parts(stem, condition=tail) if stem in ("b", "bc") and tail in _ARM_CONDITIONS else Parts(word)


def _x86(word: str) -> Parts:
    for stem in _X86_CONDITIONAL:
        tail = word.removeprefix(stem)
        if word.startswith(stem) and tail in _X86_CONDITIONS:
            return Parts(stem, condition=tail)
    return Parts(word)


def _x86_64(word: str) -> Parts:
    conditional = _x86(word)
    stem, width = word[:-1], _ATT_WIDTHS.get(word[-1:])
    if conditional.condition or word in _ATT_KNOWN or width is None:
        return conditional
    if stem in _ATT_KNOWN:
        return Parts(stem, width=width)
    inner = _x86(stem)
    return (
        Parts("cmov", inner.condition, width) if inner.mnemonic == "cmov" and inner.condition else Parts(word)
    )


def _riscv(word: str) -> Parts:
    parts = word.split(".")
    acquire = release = False
    while len(parts) > 1 and parts[-1] in _RISCV_ORDERS:
        order = _RISCV_ORDERS[parts.pop()]
        acquire, release = acquire or order[0], release or order[1]
    width = None
    if len(parts) == 2 and (parts[0] in ("lr", "sc") or parts[0].startswith("amo")):
        width = _RISCV_WIDTHS.get(parts[1])
    mnemonic = parts[0] if width else ".".join(parts)
    return Parts(mnemonic, width=width, acquire=acquire, release=release)


def _ppc(word: str) -> Parts:
    tail = word[1:]
    return Parts("b", condition=tail) if word.startswith("b") and tail in _PPC_CONDITIONS else Parts(word)


_SPLITTERS: Mapping[Arch, Callable[[str], Parts]] = {
    Arch.X86: _x86,
    Arch.X86_64: _x86_64,
    Arch.ARM: _arm,
    Arch.AARCH64: _aarch64,
    Arch.RISCV: _riscv,
    Arch.MIPS: _whole,
    Arch.PPC: _ppc,
}

_BRANCHES: Mapping[Arch, frozenset[str]] = {
    Arch.X86: _words("j jmp call loop loope loopne jecxz"),
    Arch.X86_64: _words("j jmp call loop loope loopne jrcxz jecxz"),
    Arch.ARM: _words("b bl blx cbz cbnz adr"),
    Arch.AARCH64: _words("b bc bl cbz cbnz tbz tbnz adr"),
    Arch.RISCV: _words(
        "beq bne blt bge bltu bgeu bgt ble bgtu bleu beqz bnez blez bgez bltz bgtz j jal call tail"
    ),
    Arch.MIPS: _words("b beq bne beqz bnez blez bgtz bltz bgez beql bnel bal j jal"),
    Arch.PPC: _words("b bl bdnz bdz"),
}


def split_mnemonic(arch: Arch, word: str) -> Parts:
    """Split a mnemonic (in lower case) into its fields."""
    return _SPLITTERS[arch](word)


def is_branch(arch: Arch, mnemonic: str) -> bool:
    """Return whether a bare word among the operands of this (bare) mnemonic is a label."""
    return mnemonic in _BRANCHES[arch]
