"""The guest instruction sets, by name."""

from __future__ import annotations

from simaie.errors import UnknownNameError
from simaie.guest.cpu import Cpu
from simaie.guest.isa.arm import ArmCpu
from simaie.guest.isa.x86 import X86Cpu

__all__ = ["ISAS", "ArmCpu", "X86Cpu", "isa_class"]

ISAS: dict[str, type[Cpu]] = {cls.isa: cls for cls in (ArmCpu, X86Cpu)}


def isa_class(name: str) -> type[Cpu]:
    """The vCPU class of the instruction set `name`; UnknownNameError if there is none."""
    try:
        return ISAS[name]
    except KeyError:
        raise UnknownNameError("instruction set", name, ISAS) from None
