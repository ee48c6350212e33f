"""The atomic and ordering instructions of each instruction set, decoded here: which method of the vCPU each becomes.

No lifter says enough about them: Sleigh's P-code shows an exclusive or an acquire as a plain access, and some barriers
not at all. So they never reach the lifter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simaie.binary.atomics.aarch64 import decode_aarch64
from simaie.binary.atomics.arm import decode_arm
from simaie.binary.atomics.mips import (
    decode_mips,
    decode_mips_release_6,
    decode_mipsel,
    decode_mipsel_release_6,
)
from simaie.binary.atomics.ppc import decode_ppc
from simaie.binary.atomics.riscv import decode_riscv
from simaie.binary.atomics.special import Special
from simaie.binary.atomics.thumb import decode_thumb

__all__ = ["DECODERS", "Special"]

#: Name of an ABI, or ``thumb`` -> the decoder: takes the bytes at an address; None if Sleigh lifts the instruction. The
#: x86 ABIs are not here: their atomic instructions are ordinary ones with a prefix (`simaie.binary.x86`).
DECODERS: Mapping[str, Callable[[bytes], Special | None]] = {
    "arm": decode_arm,
    "thumb": decode_thumb,
    "aarch64": decode_aarch64,
    "riscv64": decode_riscv,
    "mips": decode_mips,
    "mipsel": decode_mipsel,
    "mipsr6": decode_mips_release_6,
    "mipsr6el": decode_mipsel_release_6,
    "ppc64le": decode_ppc,
}
