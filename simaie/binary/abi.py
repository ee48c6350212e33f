"""What is said about each kind of ELF file once: its language in Sleigh, its instruction set, its calling convention.

Sources: AAPCS32 and AAPCS64, the System V ABIs of x86-64, i386 and MIPS, the RISC-V psABI, the OpenPOWER ELFv2 ABI.
"""

from __future__ import annotations

from typing import NamedTuple

from simaie.host.ram import Endian

__all__ = ["ABIS", "EXTERNALS", "MIPS_RELEASE_6", "RETURN", "Abi"]

#: The address to which the outermost function of a thread returns; no segment may contain it. It is even: A32 on Arm.
RETURN = 0xFFFF_FF00
#: The address of the first function that a file uses and does not define; the others follow at distances of 16.
EXTERNALS = 0xFFFE_0000


class Abi(NamedTuple):
    """The calling convention of one kind of ELF file.

    Attributes:
        name: A name for messages.
        language: The name of the instruction set in Sleigh.
        isa: A name in `simaie.guest.isa.ISAS`.
        word: The width of a pointer, in bytes.
        endian: The byte order.
        arguments: The registers of the first arguments; empty if arguments are on the stack.
        stack: The stack pointer.
        link: The register with the return address; None if the return address is on the stack.
        result: The register of a result.
        thread: The register that points to thread-local storage; None if the ABI has none that user code reads.
        thread_bias: The address in `thread`, counted from the begin of the TLS block if the block follows it (then
            negative or 0), or from its end if the block precedes it (then `tls_above` is false).
        tls_above: Whether the TLS block lies above the thread pointer.
        entry: Registers that hold the address of a function at its entry.
        presets: Register -> the symbol whose address it holds.
        flags: The compiler flags that avoid vector and floating-point instructions.
        scratch: Registers of Sleigh's own that no instruction carries over to the next.
    """

    name: str
    language: str
    isa: str
    word: int
    endian: Endian
    arguments: tuple[str, ...]
    stack: str
    link: str | None
    result: str
    thread: str | None
    thread_bias: int = 0
    tls_above: bool = True
    entry: tuple[str, ...] = ()
    presets: tuple[tuple[str, str], ...] = ()
    flags: str = ""
    scratch: tuple[str, ...] = ()


def _numbered(letter: str, first: int, last: int) -> tuple[str, ...]:
    return tuple(f"{letter}{number}" for number in range(first, last + 1))


_ARM = Abi(
    "arm", "ARM:LE:32:v7", "arm", 4, "little", _numbered("r", 0, 3), "sp", "lr", "r0", None, 8,
    flags="-fno-tree-vectorize -mfpu=vfpv3-d16",
    scratch=("tmpNG", "tmpZR", "tmpCY", "tmpOV", "shift_carry", "mult_addr", "mult_dat8", "mult_dat16",
             "ISAModeSwitch", "TB"),
)  # fmt: skip
_MIPS = Abi(
    "mips", "MIPS:BE:32:default", "mips", 4, "big", _numbered("a", 0, 3), "sp", "ra", "v0", None, -0x7000,
    entry=("t9",), presets=(("gp", "_gp"),), flags="-msoft-float",
)  # fmt: skip
_MIPSEL = _MIPS._replace(name="mipsel", language="MIPS:LE:32:default", endian="little")
#: The ABIs of MIPS32 Release 6, whose instructions have other encodings, by byte order.
MIPS_RELEASE_6: dict[Endian, Abi] = {
    "big": _MIPS._replace(name="mipsr6", language="MIPS:BE:32:R6"),
    "little": _MIPSEL._replace(name="mipsr6el", language="MIPS:LE:32:R6"),
}
#: (e_machine, bits, byte order) -> its ABI; for MIPS that of the releases before 6.
ABIS: dict[tuple[str, int, Endian], Abi] = {
    ("EM_ARM", 32, "little"): _ARM,
    ("EM_AARCH64", 64, "little"): Abi(
        "aarch64", "AARCH64:LE:64:v8A", "aarch64", 8, "little", _numbered("x", 0, 7), "sp", "x30", "x0", "tpidr_el0",
        16, flags="-mgeneral-regs-only -mno-outline-atomics",
        scratch=("tmpNG", "tmpZR", "tmpCY", "tmpOV", "shift_carry"),
    ),
    ("EM_X86_64", 64, "little"): Abi(
        "x86-64", "x86:LE:64:default", "x86", 8, "little", ("RDI", "RSI", "RDX", "RCX", "R8", "R9"), "RSP", None,
        "RAX", "FS_OFFSET", 0, False, flags="-mgeneral-regs-only",
    ),
    ("EM_386", 32, "little"): Abi(
        "i386", "x86:LE:32:default", "x86", 4, "little", (), "ESP", None, "EAX", "GS_OFFSET", 0, False,
        flags="-mgeneral-regs-only",
    ),
    ("EM_RISCV", 64, "little"): Abi(
        "riscv64", "RISCV:LE:64:RV64GC", "riscv", 8, "little", _numbered("a", 0, 7), "sp", "ra", "a0", "tp", 0,
        presets=(("gp", "__global_pointer$"),), flags="-march=rv64imac -mabi=lp64",
    ),
    ("EM_MIPS", 32, "big"): _MIPS,
    ("EM_MIPS", 32, "little"): _MIPSEL,
    ("EM_PPC64", 64, "little"): Abi(
        "ppc64le", "PowerPC:LE:64:A2ALT", "ppc", 8, "little", _numbered("r", 3, 10), "r1", "LR", "r3", "r13",
        -0x7000, entry=("r12",), presets=(("r2", ".TOC."),), flags="-mno-vsx -mno-altivec",
    ),
}  # fmt: skip
