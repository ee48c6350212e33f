"""The guest instruction sets, by name."""

from __future__ import annotations

from simaie.errors import UnknownNameError
from simaie.guest.cpu import Cpu
from simaie.guest.isa.aarch64 import AArch64Cpu
from simaie.guest.isa.arm import ArmCpu
from simaie.guest.isa.mips import MipsCpu
from simaie.guest.isa.ppc import PpcCpu
from simaie.guest.isa.riscv import RiscvCpu
from simaie.guest.isa.x86 import X86Cpu

__all__ = ["ISAS", "AArch64Cpu", "ArmCpu", "MipsCpu", "PpcCpu", "RiscvCpu", "X86Cpu", "isa_class"]

_CLASSES: tuple[type[Cpu], ...] = (ArmCpu, X86Cpu, AArch64Cpu, RiscvCpu, MipsCpu, PpcCpu)
ISAS: dict[str, type[Cpu]] = {cls.isa: cls for cls in _CLASSES}


def isa_class(name: str) -> type[Cpu]:
    """Return the vCPU class of the instruction set `name`; raise UnknownNameError if there is no such set."""
    found = ISAS.get(name) if isinstance(name, str) else None
    if found is None:
        raise UnknownNameError("instruction set", name, ISAS)
    return found
