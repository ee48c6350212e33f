"""The m68k guest from the MC68020 on (M68000 Family Programmer's Reference Manual): CAS, CAS2, TAS and NOP.

Plain accesses are `load` and `store`. The locked bus cycles of CAS, CAS2 and TAS are indivisible at any address on the
MC68020 to MC68040; the MC68060 leaves misaligned ones and CAS2 to software. The manual defines no memory order among
several processors; here nothing is ordered, neither plain accesses nor atomics, except by NOP, which waits for all
pending bus cycles.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.operands import has_widths
from simaie.host.ram import Endian
from simaie.trace import AccessKind

__all__ = ["M68kCpu"]

_WIDTHS = (4, 1, 2)
_TWO = (4, 2)
_LETTERS = {1: "b", 2: "w", 4: "l"}


class M68kCpu(LoadStoreCpu):
    """A vCPU of an m68k guest.

    In all methods `address` is a guest-virtual address, and `width` the width in bytes.
    """

    isa: ClassVar[str] = "m68k"
    address_bits: ClassVar[tuple[int, int]] = (32, 32)
    byte_order: ClassVar[Endian] = "big"
    register_width: ClassVar[int] = 4
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(4, 4, 4, split_locks=True)}
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("load", *_WIDTHS),
        form.store("store", *_WIDTHS),
        form.atomic("cas", 2, *_WIDTHS, kind="compare", aligned=False),
        form.atomic("tas", 0, 1),
        form.Form("fence", "nop"),
    )

    @has_widths(*_WIDTHS)
    def cas(self, address: int, expected: int, new: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Store `new` if the location holds `expected`; return the old value: CAS."""
        check_width(width, _WIDTHS)
        mask = (1 << 8 * width) - 1
        wanted = expected & mask, new & mask
        body = self._scheme.cmpxchg(self, address, width, *wanted)
        return self._access(f"cas.{_LETTERS[width]}", AccessKind.ATOMIC, address, width, body, 1, wanted)

    @has_widths(*_TWO)
    def cas2(
        self, first: int, second: int, expected1: int, expected2: int, new1: int, new2: int, *, width: int = 4
    ) -> Coroutine[Any, Any, int]:
        """Store to two locations if both hold what is expected; return both old values: CAS2.

        If the locations overlap, which the manual leaves undefined, the second store comes last.

        Args:
            first: Address of the first location.
            second: Address of the second location.
            expected1: The value to compare with the first location.
            expected2: The value to compare with the second location.
            new1: The value to store to the first location.
            new2: The value to store to the second location.
            width: Width of each location in bytes, 2 or 4.

        Returns:
            The old values as one number, whose low half is that of the first location.
        """
        check_width(width, _TWO)
        mask = (1 << 8 * width) - 1
        expected, new = (expected1 & mask, expected2 & mask), (new1 & mask, new2 & mask)
        return self._compare_two(f"cas2.{_LETTERS[width]}", (first, second), width, expected, new)

    def tas(self, address: int) -> Coroutine[Any, Any, int]:
        """Set the highest bit of a byte; return the old byte, from which the flags derive: TAS."""
        return self._atomic("tas", "or", address, 0x80, 1)

    def nop(self) -> Coroutine[Any, Any, None]:
        """Wait for all pending bus cycles, which orders all accesses: NOP."""
        return self._fence("nop", "full")
