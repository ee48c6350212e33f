"""The 64-bit SPARC guest (The SPARC Architecture Manual, version 9): loads, stores, CASA, LDSTUB, SWAP, MEMBAR.

The memory model is TSO, the only one that every implementation has (8.4.4); PSO and RMO are left out. Under TSO an
atomic is ordered before and after all other accesses (8.4.6, D.4). All accesses must be aligned (6.3.1.1). The widths
of addresses depend on the implementation. The loads and stores of register pairs (LDD, STD) are deprecated and left
out. A value loaded into a register is sign-extended to its 8 bytes by LDSB, LDSH and LDSW only.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.errors import UsageError
from simaie.guest import form
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu
from simaie.guest.operands import takes
from simaie.host.ram import Endian
from simaie.op import Order

__all__ = ["SparcCpu"]

#: The bits of the field mmask of MEMBAR (A.31), from the lowest: #LoadLoad, #StoreLoad, #LoadStore, #StoreStore.
_MASK = (Barrier.LD_LD, Barrier.ST_LD, Barrier.LD_ST, Barrier.ST_ST)

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


class SparcCpu(LoadStoreCpu):
    """A vCPU of a SPARC V9 guest under TSO.

    In all methods `address` is a guest-virtual address and `value` an unsigned integer.
    """

    isa: ClassVar[str] = "sparc"
    byte_order: ClassVar[Endian] = "big"
    memory_order: ClassVar[Barrier] = Barrier.FULL & ~Barrier.ST_LD
    memory_model: ClassVar[str | None] = "tso"
    atomic_order: ClassVar[Order] = Order.SEQ_CST
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 8)}  # D.4.1, "Value Atomicity"
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("lduw", "stw", 4), ("ldub", "stb", 1), ("lduh", "sth", 2), ("ldx", "stx", 8), aligned=True),
        form.atomic("swap", 1, 4),
        form.atomic("ldstub", 0, 1),
        form.atomic("casa", 2, 4, kind="compare"),
        form.atomic("casxa", 2, 8, kind="compare"),
        form.Form("fence", "membar"),
    )

    def ldub(self, address: int) -> Loaded:
        """Load an unsigned byte: LDUB."""
        return self._load("ldub", address, 1)

    def lduh(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LDUH."""
        return self._load("lduh", address, 2, alignment=2)

    def lduw(self, address: int) -> Loaded:
        """Load 4 bytes, unsigned: LDUW."""
        return self._load("lduw", address, 4, alignment=4)

    def ldx(self, address: int) -> Loaded:
        """Load 8 bytes: LDX."""
        return self._load("ldx", address, 8, alignment=8)

    def ldsb(self, address: int) -> Loaded:
        """Load a signed byte: LDSB."""
        return self._load_signed("ldsb", address, 1)

    def ldsh(self, address: int) -> Loaded:
        """Load 2 bytes, signed: LDSH."""
        return self._load_signed("ldsh", address, 2, alignment=2)

    def ldsw(self, address: int) -> Loaded:
        """Load 4 bytes, signed: LDSW."""
        return self._load_signed("ldsw", address, 4, alignment=4)

    def stb(self, address: int, value: int) -> Nothing:
        """Store a byte: STB."""
        return self._store("stb", address, value, 1)

    def sth(self, address: int, value: int) -> Nothing:
        """Store 2 bytes: STH."""
        return self._store("sth", address, value, 2, alignment=2)

    def stw(self, address: int, value: int) -> Nothing:
        """Store 4 bytes: STW."""
        return self._store("stw", address, value, 4, alignment=4)

    def stx(self, address: int, value: int) -> Nothing:
        """Store 8 bytes: STX."""
        return self._store("stx", address, value, 8, alignment=8)

    # -- atomics ------------------------------------------------------------------------------

    def swap(self, address: int, value: int) -> Loaded:
        """Exchange 4 bytes with `value`; return the old value: SWAP."""
        return self._atomic("swap", "swap", address, value, 4)

    def ldstub(self, address: int) -> Loaded:
        """Set a byte to 0xFF; return the old value: LDSTUB."""
        return self._atomic("ldstub", "swap", address, 0xFF, 1)

    def casa(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 4 bytes hold `expected`; return the old value: CASA."""
        return self._compare_and_swap("casa", address, expected, new, 4)

    def casxa(self, address: int, expected: int, new: int) -> Loaded:
        """Store `new` if the 8 bytes hold `expected`; return the old value: CASXA."""
        return self._compare_and_swap("casxa", address, expected, new, 8)

    # -- barriers -----------------------------------------------------------------------------

    @takes(mmask=tuple(range(16)))
    def membar(self, mmask: int = 15) -> Nothing:
        """Order accesses: MEMBAR; the bits of `mmask` are 1 #LoadLoad, 2 #StoreLoad, 4 #LoadStore, 8 #StoreStore."""
        if mmask not in range(16):
            raise UsageError(f"the mask of MEMBAR has four bits, from 0 to 15, not {mmask!r}")
        kept = Barrier.NONE
        for bit, order in enumerate(_MASK):
            if mmask >> bit & 1:
                kept |= order
        return self._fence("membar", kept.text)

    def stbar(self) -> Nothing:
        """Order stores: STBAR."""
        return self._fence("stbar", "st-st")
