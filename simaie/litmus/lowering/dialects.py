"""The dialects by architecture: the vCPU that runs it, and the function that lowers one of its instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from simaie.litmus.instruction import Instruction
from simaie.litmus.lowering import aarch64, arm, mips, ppc, riscv, x86
from simaie.litmus.lowering.builder import Builder
from simaie.litmus.lowering.operands import either_range, signed_range
from simaie.litmus.model import Arch

__all__ = ["DIALECTS", "Dialect"]


class Dialect(NamedTuple):
    """One dialect.

    Attributes:
        isa: Instruction set of the program.
        register_bits: Width of a whole register in bits.
        lower: Appends an instruction to a thread.
        zero: Registers that always hold 0.
        opaque: Registers that exist but are not simulated.
        displacement: The least and the greatest constant offset of an address; None if it depends on the instruction,
            whose rules check it.
    """

    isa: str
    register_bits: int
    lower: Callable[[Builder, Instruction], None]
    zero: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    displacement: tuple[int, int] | None = None


DIALECTS: dict[Arch, Dialect] = {
    Arch.X86: Dialect("x86", 32, x86.lower_intel, opaque=x86.OPAQUE, displacement=either_range(32)),
    Arch.X86_64: Dialect("x86", 64, x86.lower_att, opaque=x86.OPAQUE, displacement=signed_range(32)),
    Arch.ARM: Dialect("arm", 32, arm.lower, opaque=arm.OPAQUE),
    Arch.AARCH64: Dialect("aarch64", 64, aarch64.lower, zero=aarch64.ZERO),
    Arch.RISCV: Dialect("riscv", 64, riscv.lower, zero=riscv.ZERO, displacement=signed_range(12)),
    Arch.MIPS: Dialect("mips", 64, mips.lower, zero=mips.ZERO, displacement=signed_range(16)),
    Arch.PPC: Dialect("ppc", 64, ppc.lower, opaque=ppc.OPAQUE, displacement=signed_range(16)),
}
