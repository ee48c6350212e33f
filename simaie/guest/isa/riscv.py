"""The RISC-V guest, RV64 with the A extension (The RISC-V Instruction Set Manual, volume I).

Also the extensions Zabha (AMOs of 1 and 2 bytes), Zacas (AMOCAS), Zawrs (WRS) and, as an instruction set of its own,
Ztso (total store order).

`aq` and `rl` are the bits of LR, SC and the AMOs, and of loads and stores that have them (Zalasr). LR, SC and AMOs must
be aligned; plain accesses may be unaligned. SC returns 0 if it stored and 1 if not. A value loaded into a register is
sign-extended to its 8 bytes, except by LBU, LHU and LWU. Fences order main memory only: the I/O bits have no effect.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.errors import UsageError
from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.events import wait_for_interrupt, wait_for_store
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.load_store import LoadStoreCpu, extended
from simaie.guest.operands import accepts, has_widths
from simaie.guest.reservation import Cause, Elsewhere, ReservationRule
from simaie.op import Order

__all__ = ["RiscvCpu", "RiscvTsoCpu"]

_WORDS = (4, 8)
_AMOS = (4, 8, 1, 2)
_COMPARES = (4, 8, 16, 1, 2)
_ORDERS = {(0, 0): Order.RELAXED, (1, 0): Order.ACQUIRE, (0, 1): Order.RELEASE, (1, 1): Order.ACQ_REL}
_LETTERS = {1: "b", 2: "h", 4: "w", 8: "d", 16: "q"}
_PAIRS = {
    ("r", "r"): Barrier.LD_LD,
    ("r", "w"): Barrier.LD_ST,
    ("w", "r"): Barrier.ST_LD,
    ("w", "w"): Barrier.ST_ST,
}

Loaded = Coroutine[Any, Any, int]
Nothing = Coroutine[Any, Any, None]


def _set(letters: str) -> None:
    if not (isinstance(letters, str) and letters and set(letters) <= set("iorw")):
        raise UsageError(f"the sets of a fence are some letters of 'iorw', not {letters!r}")


class RiscvCpu(LoadStoreCpu):
    """A vCPU (a hart) of an RV64 guest.

    In all methods `address` is a guest-virtual address, `value` an unsigned integer, `width` the width in bytes (4 or
    8), and `aq` and `rl` the acquire and release bits (0 or 1).
    """

    isa: ClassVar[str] = "riscv"
    memory_model: ClassVar[str | None] = "rvwmo"
    address_bits: ClassVar[tuple[int, int]] = (48, 52)
    guarantees: ClassVar[Mapping[str, Guarantee]] = {"": Guarantee(8, 8, 16)}  # 16 bytes: AMOCAS.Q
    #: Volume I, "Load-Reserved/Store-Conditional Instructions": the reservation set is any set that holds the bytes of
    #: the LR, and Za64rs (mandatory since RVA22) bounds it to an aligned block of 64. An SC outside it must fail, one
    #: inside may store; any SC ends the reservation. A trap need not: volume II has the operating system execute an SC.
    reservation: ClassVar[ReservationRule | None] = ReservationRule(
        least=4,
        most=64,
        must=frozenset({Cause.FOREIGN_STORE, Cause.LOAD_LINKED, Cause.STORE_CONDITIONAL}),
        may=frozenset({Cause.NEIGHBOUR_STORE, Cause.OWN_STORE, Cause.EXCEPTION}),
        other_address=Elsewhere.INSIDE,
        other_width=Elsewhere.INSIDE,
        physical=True,
        promises_success=True,
    )
    forms: ClassVar[tuple[form.Form, ...]] = (
        *form.load_store(("lw", "sw", 4), ("lb", "sb", 1), ("lh", "sh", 2), ("ld", "sd", 8)),
        *form.pair("lr", "sc", 4, 8),
        form.atomic("amoadd", 1, 4, 8),
        form.atomic("amoswap", 1, 4, 8, 1, 2),
        form.atomic("amocas", 2, 4, 8, 16, kind="compare"),
        form.Form("fence", "fence"),
        form.Form("fence", "fence_tso"),
    )

    # -- loads and stores ---------------------------------------------------------------------

    def lb(self, address: int, *, aq: int = 0, rl: int = 0) -> Loaded:
        """Load a signed byte: LB."""
        return self._signed("lb", address, 1, aq, rl)

    def lh(self, address: int, *, aq: int = 0, rl: int = 0) -> Loaded:
        """Load 2 bytes, signed: LH."""
        return self._signed("lh", address, 2, aq, rl)

    def lw(self, address: int, *, aq: int = 0, rl: int = 0) -> Loaded:
        """Load 4 bytes, signed: LW."""
        return self._signed("lw", address, 4, aq, rl)

    def ld(self, address: int, *, aq: int = 0, rl: int = 0) -> Loaded:
        """Load 8 bytes: LD."""
        return self._load("ld" + _bits(aq, rl), address, 8, _ORDERS[aq, rl])

    def lbu(self, address: int) -> Loaded:
        """Load an unsigned byte: LBU."""
        return self._load("lbu", address, 1)

    def lhu(self, address: int) -> Loaded:
        """Load 2 bytes, unsigned: LHU."""
        return self._load("lhu", address, 2)

    def lwu(self, address: int) -> Loaded:
        """Load 4 bytes, unsigned: LWU."""
        return self._load("lwu", address, 4)

    def sb(self, address: int, value: int, *, aq: int = 0, rl: int = 0) -> Nothing:
        """Store a byte: SB."""
        return self._store("sb" + _bits(aq, rl), address, value, 1, _ORDERS[aq, rl])

    def sh(self, address: int, value: int, *, aq: int = 0, rl: int = 0) -> Nothing:
        """Store 2 bytes: SH."""
        return self._store("sh" + _bits(aq, rl), address, value, 2, _ORDERS[aq, rl])

    def sw(self, address: int, value: int, *, aq: int = 0, rl: int = 0) -> Nothing:
        """Store 4 bytes: SW."""
        return self._store("sw" + _bits(aq, rl), address, value, 4, _ORDERS[aq, rl])

    def sd(self, address: int, value: int, *, aq: int = 0, rl: int = 0) -> Nothing:
        """Store 8 bytes: SD."""
        return self._store("sd" + _bits(aq, rl), address, value, 8, _ORDERS[aq, rl])

    async def _signed(self, name: str, address: int, width: int, aq: int, rl: int) -> int:
        return extended(await self._load(name + _bits(aq, rl), address, width, _ORDERS[aq, rl]), width)

    # -- LR and SC ----------------------------------------------------------------------------

    @has_widths(*_WORDS)
    async def lr(self, address: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> int:
        """Load and reserve: LR.W or LR.D by width."""
        name = _named("lr", width, aq, rl)
        return extended(await self._load_linked(name, address, width, _ORDERS[aq, rl]), width)

    @has_widths(*_WORDS)
    async def sc(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> int:
        """Store if the reservation holds and contains all bytes; return 0 if it stored, 1 if not: SC.W, SC.D."""
        name = _named("sc", width, aq, rl)
        return 1 - await self._store_conditional(name, address, value, width, _ORDERS[aq, rl])

    # -- AMOs: all return the old value ---------------------------------------------------------

    @has_widths(*_AMOS)
    def amoswap(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Exchange the location with `value`; return the old value: AMOSWAP."""
        return self._amo("amoswap", "swap", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amoadd(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Add `value` to the location; return the old value: AMOADD."""
        return self._amo("amoadd", "add", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amoxor(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Exclusive-or the location with `value`; return the old value: AMOXOR."""
        return self._amo("amoxor", "xor", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amoand(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """And the location with `value`; return the old value: AMOAND."""
        return self._amo("amoand", "and", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amoor(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Or the location with `value`; return the old value: AMOOR."""
        return self._amo("amoor", "or", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amomin(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Store the signed minimum of the location and `value`; return the old value: AMOMIN."""
        return self._amo("amomin", "smin", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amomax(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Store the signed maximum of the location and `value`; return the old value: AMOMAX."""
        return self._amo("amomax", "smax", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amominu(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Store the unsigned minimum of the location and `value`; return the old value: AMOMINU."""
        return self._amo("amominu", "umin", address, value, width, aq, rl)

    @has_widths(*_AMOS)
    def amomaxu(self, address: int, value: int, *, width: int = 4, aq: int = 0, rl: int = 0) -> Loaded:
        """Store the unsigned maximum of the location and `value`; return the old value: AMOMAXU."""
        return self._amo("amomaxu", "umax", address, value, width, aq, rl)

    @has_widths(*_COMPARES)
    async def amocas(
        self, address: int, expected: int, new: int, *, width: int = 4, aq: int = 0, rl: int = 0
    ) -> int:
        """Store `new` if the location holds `expected`; return the old value: AMOCAS.

        Of 16 bytes (AMOCAS.Q), a value is one number whose low half is the even register.
        """
        mnemonic = _named("amocas", width, aq, rl, _COMPARES)
        old = await self._compare_and_swap(mnemonic, address, expected, new, width, _ORDERS[aq, rl])
        return extended(old, width) if width < 8 else old

    async def _amo(self, name: str, function: str, address: int, value: int, width: int, aq: int, rl: int) -> int:
        mnemonic = _named(name, width, aq, rl, _AMOS)
        return extended(await self._atomic(mnemonic, function, address, value, width, _ORDERS[aq, rl]), width)

    # -- fences and hints ---------------------------------------------------------------------

    @accepts(_set)
    def fence(self, predecessors: str = "rw", successors: str = "rw") -> Nothing:
        """Order the accesses in `predecessors` before those in `successors`, each letters of ``iorw``: FENCE."""
        _set(predecessors)
        _set(successors)
        kept = Barrier.NONE
        for (one, other), order in _PAIRS.items():
            if one in predecessors and other in successors:
                kept |= order
        return self._fence(f"fence {predecessors},{successors}", kept.text)

    def fence_tso(self) -> Nothing:
        """Order all accesses except a store before a load: FENCE.TSO."""
        return self._fence("fence.tso", (Barrier.FULL & ~Barrier.ST_LD).text)

    def fence_i(self) -> Nothing:
        """Order instruction fetches, but no data: FENCE.I."""
        return self._no_access("fence.i")

    def pause(self) -> Nothing:
        """Hint that this vCPU spins: PAUSE."""
        return self._hint("pause")

    def wrs_nto(self, *, spurious: bool = False) -> Nothing:
        """Wait until another vCPU stores to the bytes that this one has reserved: WRS.NTO.

        With the scheme's option ``events=hint``, the default, it is a hint that other vCPUs go first. Without a
        reservation it does not wait.

        Args:
            spurious: Whether the sleep may also end without a store, which then is a decision.
        """
        return wait_for_store(self, "wrs.nto", spurious=spurious)

    def wrs_sto(self) -> Nothing:
        """Wait a short time for a store to the bytes that this vCPU has reserved: WRS.STO. It may end at any time."""
        return self._hint("wrs.sto")

    def wfi(self, *, arrives: bool = False) -> Nothing:
        """Wait for an interrupt of `send_interrupt`, and take it: WFI. It is a hint as WRS.NTO is.

        Args:
            arrives: Whether the interrupt of a device may arrive as well, which then is a decision.
        """
        return wait_for_interrupt(self, "wfi", arrives=arrives)


class RiscvTsoCpu(RiscvCpu):
    """A vCPU (a hart) of an RV64 guest with Ztso: all accesses keep their order, but for a store before a load."""

    isa: ClassVar[str] = "riscv_ztso"
    memory_order: ClassVar[Barrier] = Barrier.FULL & ~Barrier.ST_LD
    memory_model: ClassVar[str | None] = "tso"


def _named(stem: str, width: int, aq: int, rl: int, widths: tuple[int, ...] = _WORDS) -> str:
    check_width(width, widths)
    return f"{stem}.{_LETTERS[width]}{_bits(aq, rl)}"


def _bits(aq: int, rl: int) -> str:
    if aq not in (0, 1) or rl not in (0, 1):
        raise UsageError(f"aq and rl are bits, not {aq!r} and {rl!r}")
    return "." + "aq" * aq + "rl" * rl if aq or rl else ""
