"""The accesses that each instruction set guarantees to be single-copy atomic, by its name.

| ISA | plain loads and stores | load-linked | atomics, store-conditionals | source |
|---|---|---|---|---|
| `x86` | 1 to 8 bytes, also unaligned within 64 bytes | - | any, split ones too | SDM 3A, 9.1 |
| `arm` | 1, 2, 4 aligned; 8 aligned with LPAE | 8 aligned | 8 aligned | DDI 0406C, A3.5.3 |
| `aarch64` | 1 to 8 aligned; any within 16 with LSE2 | 8 aligned; 16 with LSE2 | 16 aligned | DDI 0487, B2.2.1 |
| `riscv` | 1 to 8 aligned (RV64) | 8 aligned | 8 aligned | unprivileged ISA, 1.4 and A |
| `mips`, `ppc` | 1 to 8 aligned | 8 aligned | 8 aligned | MIPS64 vol. II; Power ISA, book II, 1.4 |

x86 guarantees 16 bytes only to CMPXCHG16B: vector accesses are not judged. Accesses of an instruction set that is not
in the table are not judged. The alignment is that of the guest-virtual address.
"""

from __future__ import annotations

from simaie.guest.guarantee import Guarantee
from simaie.guest.isa import ISAS

__all__ = ["ARM_LPAE", "ARM_LSE2", "GUARANTEES", "Guarantee"]

GUARANTEES: dict[str, Guarantee] = {name: cls.guarantees[""] for name, cls in ISAS.items()}
ARM_LPAE = ISAS["arm"].guarantees["lpae"]
ARM_LSE2 = ISAS["aarch64"].guarantees["lse2"]
