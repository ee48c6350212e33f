"""Which accesses an architecture guarantees to be single-copy atomic: one row for each instruction set, as data.

| ISA | plain loads and stores | exclusives and atomics | source |
|---|---|---|---|
| `x86` | 1 to 8 bytes, also unaligned within 64 bytes | any that the instruction has, split ones too | SDM 3A, 9.1 |
| `arm` | 1, 2, 4 aligned; 8 aligned with LPAE | 8 aligned | DDI 0406C, A3.5.3 |
| `aarch64` | 1 to 8 aligned | 16 aligned | DDI 0487, B2.2.1 |
| `riscv` | 1 to 8 aligned (RV64) | 8 aligned | unprivileged ISA, 1.4 and A |
| `mips`, `ppc` | 1 to 8 aligned | 8 aligned | MIPS64 vol. II; Power ISA, book II, 1.4 |

x86 guarantees 16 bytes to CMPXCHG16B only: vector accesses are not judged. Of an instruction set that is not here,
nothing is known and nothing judged. The alignment is that of the guest-virtual address.
"""

from __future__ import annotations

import msgspec

from simaie.trace import AccessKind, Instruction

__all__ = ["ARM_LPAE", "GUARANTEES", "Guarantee"]

_ATOMICS = frozenset({AccessKind.ATOMIC, AccessKind.LOAD_LINKED, AccessKind.STORE_CONDITIONAL})
_PLAIN = frozenset({AccessKind.LOAD, AccessKind.STORE, AccessKind.PLAIN_RMW})


class Guarantee(msgspec.Struct, frozen=True):
    """Widths in bytes. line: an unaligned access within so many bytes counts as aligned; 1 if it must be aligned.

    split: whether locked instructions are atomic at any address.
    """

    plain: int
    atomic: int
    line: int = 1
    split: bool = False

    def covers(self, instruction: Instruction) -> bool:
        """Whether each of the instruction's loads and stores is guaranteed to be single-copy atomic."""
        width, address = instruction.width, instruction.address
        if instruction.access in _ATOMICS:
            return width <= self.atomic and (self.split or address % width == 0)
        if instruction.access not in _PLAIN or width > self.plain:
            return False
        return address % width == 0 or address // self.line == (address + width - 1) // self.line


ARM_LPAE = Guarantee(8, 8)

GUARANTEES: dict[str, Guarantee] = {
    "x86": Guarantee(8, 16, line=64, split=True),
    "arm": Guarantee(4, 8),
    "aarch64": Guarantee(8, 16),
    "riscv": Guarantee(8, 8),
    "mips": Guarantee(8, 8),
    "ppc": Guarantee(8, 8),
}
