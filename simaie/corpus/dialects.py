"""The instruction sets with LL/SC, or with locked instructions other than x86's, by the names of their instructions.

A case that is written once for all of them takes a `Dialect` and has its suffix in its name. Arm has none, since it is
the guest of the RFC.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from simaie.guest.code import Ins, ins

__all__ = ["AARCH64", "ALSO_LLSC", "ALSO_WITH_AMOS", "ARM32", "LLSC", "POWER", "RISCV", "WITH_AMOS", "Dialect"]


class Dialect(NamedTuple):
    """The names of the instructions of one instruction set, as `simaie.ins` takes them.

    Attributes:
        isa: The instruction set.
        linked: Load-linked of 4 bytes; empty if there is none.
        conditional: Store-conditional of 4 bytes; empty if there is none.
        load: Plain load of 4 bytes.
        store: Plain store of 4 bytes.
        success: What the store-conditional returns if it stored.
        swap: Atomic exchange; empty if there is none.
        add: Atomic addition that returns the old value; empty if there is none.
        swap_code: The function code by which `swap` exchanges, if it has several functions.
        compare: Compare-and-swap of 4 bytes; empty if there is none, or if it has no cases.
        test: Test-and-set of a byte; empty if there is none.
        free: What the test-and-set returns if the byte was 0.
    """

    isa: str
    linked: str
    conditional: str
    load: str
    store: str
    success: int = 0
    swap: str = ""
    add: str = ""
    swap_code: int | None = None
    compare: str = ""
    test: str = ""
    free: int = 0

    @property
    def suffix(self) -> str:
        """What the name of a program has at its end."""
        return "" if self.isa == "arm" else f"-{self.isa}"

    @property
    def result(self) -> str:
        """The register that receives what a store-conditional returns."""
        return "stored" if self.success else "failed"

    def reserve(self, address: int, into: str | None = None) -> Ins:
        """Return the load-linked of a place."""
        return ins(self.linked, address, into=into)

    def attempt(self, address: int, value: Any, into: str = "") -> Ins:
        """Return the store-conditional of a place."""
        return ins(self.conditional, address, value, into=into or self.result)

    def exchange(self, address: int, value: int, into: str | None = None) -> Ins:
        """Return the atomic exchange of a place."""
        options = {} if self.swap_code is None else {"function": self.swap_code}
        return ins(self.swap, address, value, into=into, **options)

    def change(self, address: int, value: int) -> Ins:
        """Return an atomic instruction that changes 0 to `value`: an addition, or else an exchange."""
        return ins(self.add, address, value) if self.add else self.exchange(address, value, into="old")

    def count_success(self) -> list[Ins]:
        """Return instructions that add 1 to the register ``done`` if the last store-conditional stored."""
        if self.success:
            return [ins("reg_add", "done", self.result, into="done")]
        return [ins("reg_sub", 1, self.result, into="ok"), ins("reg_add", "done", "ok", into="done")]


ARM32 = Dialect("arm", "ldrex", "strex", "ldr", "str_", swap="swp")
AARCH64 = Dialect("aarch64", "ldxr", "stxr", "ldr", "str_", swap="swp", add="ldadd")
RISCV = Dialect("riscv", "lr", "sc", "lw", "sw", swap="amoswap", add="amoadd")
MIPS = Dialect("mips", "ll", "sc", "lw", "sw", success=1)
POWER = Dialect("ppc", "lwarx", "stwcx", "lwz", "stw", success=1, swap="lwat", add="lwat", swap_code=8)

#: All with LL/SC, Arm first, and those that also have atomic additions.
LLSC = (ARM32, AARCH64, RISCV, MIPS, POWER)
WITH_AMOS = (AARCH64, RISCV)

_LOONGARCH = Dialect("loongarch", "ll", "sc", "ld_w", "st_w", success=1, swap="amswap", add="amadd")
_SUPERH = Dialect("sh4", "movli_l", "movco_l", "load", "store", success=1, test="tas_b", free=1)
_XTENSA = Dialect("xtensa", "l32ex", "s32ex", "l32i", "s32i", success=1, compare="s32c1i")
#: Instruction sets of which one row of the audit has cases: those with LL/SC, and those with atomic instructions.
ALSO_LLSC = (
    Dialect("alpha", "ldl_l", "stl_c", "ldl", "stl", success=1),
    Dialect("hexagon", "memw_locked", "memw_locked_store", "load", "store", success=1),
    _LOONGARCH,
    Dialect("microblaze", "lwx", "swx", "lw", "sw"),
    Dialect("openrisc", "l_lwa", "l_swa", "l_lwz", "l_sw", success=1),
    _SUPERH,
    _XTENSA,
)
ALSO_WITH_AMOS = (
    POWER,
    _LOONGARCH,
    _SUPERH,
    _XTENSA,
    Dialect("m68k", "", "", "load", "store", compare="cas", test="tas"),
    Dialect("s390x", "", "", "l", "st", add="laa", compare="cs", test="ts"),
    Dialect("sparc", "", "", "lduw", "stw", swap="swap", compare="casa", test="ldstub"),
)
