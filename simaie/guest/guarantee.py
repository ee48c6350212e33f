"""The accesses that an architecture guarantees to be single-copy atomic, and what any other access may become.

Each vCPU class has its own table, ``Cpu.guarantees``: the base architecture under the name ``""``, and one entry for
each extension with a stronger guarantee. The `native` scheme splits accesses by it, and the single-copy checker judges
by it.

An access without the guarantee is a sequence of smaller ones in any order. An access wider than the widest guaranteed
one is cut into parts of that width, and the guarantee holds of each part: the LDRD of Armv7 is two words. A misaligned
part is single bytes: Arm says so (DDI 0487, B2.2.1), RISC-V allows "any granularity" (RVWMO, appendix A), POWER leaves
number and alignment to the implementation (book II, 1.4), and x86 guarantees only bytes for an access across two cache
lines and for a vector (SDM 3A, 9.1.1).

An instruction that loads or stores two registers is two accesses, one for each half, unless the guarantee says more
(`Guarantee.pair`). The class of the instruction set has the mnemonics of such instructions in `Cpu.pairs`.
"""

from __future__ import annotations

import msgspec

from simaie.trace import AccessKind

__all__ = ["Guarantee"]

_PLAIN = frozenset({AccessKind.LOAD, AccessKind.STORE, AccessKind.PLAIN_RMW})
_ATOMIC = frozenset({AccessKind.ATOMIC, AccessKind.STORE_CONDITIONAL})


class Guarantee(msgspec.Struct, frozen=True):
    """The widest accesses, in bytes, that are single-copy atomic: plain ones, load-linked, and atomics with SC.

    Attributes:
        plain: The widest plain load or store.
        linked: The widest load-linked.
        atomic: The widest read-modify-write or store-conditional.
        line: An unaligned plain access within this many aligned bytes counts as aligned; 1 if it must be aligned.
        split_locks: Whether atomic instructions are atomic at any address.
        parts_too: Whether the guarantee holds for each part of a wider plain access.
        pair: The widest load or store of two registers that is indivisible as a whole if it is aligned, or within one
            line; 0 if only its halves are.
    """

    plain: int
    linked: int
    atomic: int
    line: int = 1
    split_locks: bool = False
    parts_too: bool = True
    pair: int = 0

    def covers(self, access: AccessKind, address: int, width: int) -> bool:
        """Return whether each load and store of such an instruction is guaranteed to be single-copy atomic.

        Args:
            access: Kind of the access.
            address: Its address.
            width: Its width in bytes.
        """
        if access in _PLAIN:
            if width > self.plain:
                return False
            return address % width == 0 or address // self.line == (address + width - 1) // self.line
        if access is AccessKind.LOAD_LINKED:
            return width <= self.linked and address % width == 0
        if access in _ATOMIC:
            return width <= self.atomic and (self.split_locks or address % width == 0)
        return False

    def parts_of_pair(self, access: AccessKind, address: int, width: int) -> tuple[int, ...]:
        """Return the widths of the smaller accesses that a load or store of two registers may become.

        Args:
            access: Kind of the access.
            address: Its address.
            width: Its width in bytes, that of both registers.
        """
        if width <= self.pair and (
            address % width == 0 or address // self.pair == (address + width - 1) // self.pair
        ):
            return (width,)
        half = width // 2
        return self.parts(access, address, half) + self.parts(access, address + half, half)

    def parts(self, access: AccessKind, address: int, width: int) -> tuple[int, ...]:
        """Return the widths of the smaller accesses that a load or store may become, in the order of addresses.

        Args:
            access: Kind of the access.
            address: Its address.
            width: Its width in bytes.
        """
        if self.covers(access, address, width):
            return (width,)
        widest = self.linked if access is AccessKind.LOAD_LINKED else self.plain
        if width <= widest or not self.parts_too:
            return (1,) * width
        first = self.parts(access, address, widest)
        return first + self.parts(access, address + widest, width - widest)
