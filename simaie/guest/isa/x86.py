"""The x86 guest (Intel SDM, volume 3A, 8.1 "Locked atomic operations"): locked and unlocked read-modify-writes.

A method named after the instruction is the plain form, which reads and then writes without any guarantee; ``lock_...``
is the form with the LOCK prefix. Only XCHG with memory locks without the prefix. XADD, XCHG and the CMPXCHG family
return the old value; BT, BTS, BTR and BTC return the old bit; the arithmetic instructions return the new value, from
which the flags derive.

The bit offset of BT, BTS, BTR and BTC is a register by default: a signed number of bits from the address on, so that
it may select a bit of another word (SDM 2A, "BT"). With ``immediate=True`` it is a constant, of which only the bits
within the operand count.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar

from simaie.barrier import Barrier
from simaie.guest import form
from simaie.guest.cpu import check_width
from simaie.guest.events import wait_for_store, watch
from simaie.guest.function import rmw
from simaie.guest.guarantee import Guarantee
from simaie.guest.isa.x86_more import X86More
from simaie.guest.operands import has_widths
from simaie.guest.plain_rmw import read_then_write
from simaie.host.loaded import select
from simaie.op import Function, Kind, Op, Order
from simaie.trace import AccessKind

__all__ = ["X86Cpu"]

#: Of whatever has no width of its own in its name.
_WIDTHS = (1, 2, 4, 8)
#: The widths in which BT and its kin exist.
_BIT_STRINGS = (2, 4, 8)

Result = Callable[[int, int], int]  # (old, new) -> the value that the instruction returns


def _old(old: int, new: int) -> int:
    return old


def _new(old: int, new: int) -> int:
    return new


class X86Cpu(X86More):
    """A vCPU of an x86 guest.

    In all methods `address` is a guest-virtual address, `value` an integer, `width` the width in bytes, and `bit` a bit
    offset (see the module). Of a value the low `width` bytes count, as in a register: -1 is all ones.
    """

    isa: ClassVar[str] = "x86"
    address_bits: ClassVar[tuple[int, int]] = (47, 52)
    atomic_order: ClassVar[Order] = Order.SEQ_CST
    memory_order: ClassVar[Barrier] = Barrier.FULL & ~Barrier.ST_LD  # SDM volume 3, 8.2.2
    memory_model: ClassVar[str | None] = "tso"
    guarantees: ClassVar[Mapping[str, Guarantee]] = {
        "": Guarantee(8, 16, 16, line=64, split_locks=True, parts_too=False),
        "avx": Guarantee(8, 16, 16, line=64, split_locks=True, parts_too=False, pair=16),
    }
    forms: ClassVar[tuple[form.Form, ...]] = (
        form.load("load", *form.ANY_WIDTH),
        form.store("store", *form.ANY_WIDTH),
        form.atomic("lock_xadd", 1, *form.ANY_WIDTH, aligned=False),
        form.atomic("xchg", 1, *form.ANY_WIDTH, kind="exchange", aligned=False),
        form.atomic("lock_cmpxchg", 2, *form.ANY_WIDTH, kind="compare", aligned=False),
        form.atomic("lock_cmpxchg16b", 2, 16, kind="compare"),
        form.atomic("xadd", 1, *form.ANY_WIDTH, kind="plain-rmw", aligned=False),
        form.Form("fence", "mfence"),
        form.Form("fence", "sfence"),
    )

    # -- exchanges ----------------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def xchg(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Exchange the location with `value`; return the old value: XCHG with memory, which always locks."""
        check_width(width, _WIDTHS)
        update = rmw("swap", value, width)
        body = self._scheme.atomic_rmw(self, address, width, update)
        return self._access("xchg", AccessKind.ATOMIC, address, width, body, 1, update)

    @has_widths(*_WIDTHS)
    def xadd(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` to the location without LOCK; return the old value: XADD."""
        return self._plain("xadd", "add", address, value, width, _old)

    @has_widths(*_WIDTHS)
    def lock_xadd(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` to the location atomically; return the old value: LOCK XADD."""
        return self._locked("xadd", "add", address, value, width, _old)

    @has_widths(*_WIDTHS)
    def cmpxchg(self, address: int, expected: int, new: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Compare and exchange without LOCK; return the old value: CMPXCHG.

        It always writes: the old value if the comparison fails.
        """
        check_width(width, _WIDTHS)
        mask = (1 << 8 * width) - 1
        function = Function("cmpxchg", lambda old: select(old == expected & mask, new & mask, old))
        body = read_then_write(self._scheme, self, address, width, function)
        return self._access("cmpxchg", AccessKind.PLAIN_RMW, address, width, body, 1, function)

    @has_widths(*_WIDTHS)
    def lock_cmpxchg(self, address: int, expected: int, new: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Store `new` if the location holds `expected`, atomically; return the old value: LOCK CMPXCHG."""
        check_width(width, _WIDTHS)
        return self._compare("lock cmpxchg", address, expected, new, width, 1)

    def cmpxchg8b(self, address: int, expected: int, new: int) -> Coroutine[Any, Any, int]:
        """Compare and exchange 8 bytes without LOCK, always writing; return the old value: CMPXCHG8B."""
        return self._compare_unlocked("cmpxchg8b", address, expected, new, 8, 1)

    def lock_cmpxchg8b(self, address: int, expected: int, new: int) -> Coroutine[Any, Any, int]:
        """Compare and exchange 8 bytes atomically; return the old value: LOCK CMPXCHG8B."""
        return self._compare("lock cmpxchg8b", address, expected, new, 8, 1)

    def cmpxchg16b(self, address: int, expected: int, new: int) -> Coroutine[Any, Any, int]:
        """Compare and exchange 16 aligned bytes without LOCK, always writing; return the old value: CMPXCHG16B.

        A misaligned address faults.
        """
        return self._compare_unlocked("cmpxchg16b", address, expected, new, 16, 16)

    def lock_cmpxchg16b(self, address: int, expected: int, new: int) -> Coroutine[Any, Any, int]:
        """Compare and exchange 16 aligned bytes atomically; return the old value: LOCK CMPXCHG16B.

        A misaligned address faults.
        """
        return self._compare("lock cmpxchg16b", address, expected, new, 16, 16)

    def _compare_unlocked(
        self, name: str, address: int, expected: int, new: int, width: int, alignment: int
    ) -> Coroutine[Any, Any, int]:
        mask = (1 << 8 * width) - 1
        wanted = expected & mask, new & mask
        body = self._scheme.cmpxchg_unlocked(self, address, width, *wanted)
        return self._access(name, AccessKind.PLAIN_RMW, address, width, body, alignment, wanted)

    def _compare(
        self, name: str, address: int, expected: int, new: int, width: int, alignment: int
    ) -> Coroutine[Any, Any, int]:
        mask = (1 << 8 * width) - 1
        wanted = expected & mask, new & mask
        body = self._scheme.cmpxchg(self, address, width, *wanted)
        return self._access(name, AccessKind.ATOMIC, address, width, body, alignment, wanted)

    # -- arithmetic ---------------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def add(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` to the location without LOCK; return the new value: ADD."""
        return self._plain("add", "add", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def lock_add(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` to the location atomically; return the new value: LOCK ADD."""
        return self._locked("add", "add", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def sub(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Subtract `value` from the location without LOCK; return the new value: SUB."""
        return self._plain("sub", "sub", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def lock_sub(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Subtract `value` from the location atomically; return the new value: LOCK SUB."""
        return self._locked("sub", "sub", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def adc(self, address: int, value: int, *, carry: int = 0, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` and `carry` (0 or 1) to the location without LOCK; return the new value: ADC."""
        return self._plain("adc", "add", address, value + carry, width, _new)

    @has_widths(*_WIDTHS)
    def lock_adc(self, address: int, value: int, *, carry: int = 0, width: int = 4) -> Coroutine[Any, Any, int]:
        """Add `value` and `carry` (0 or 1) to the location atomically; return the new value: LOCK ADC."""
        return self._locked("adc", "add", address, value + carry, width, _new)

    @has_widths(*_WIDTHS)
    def sbb(self, address: int, value: int, *, carry: int = 0, width: int = 4) -> Coroutine[Any, Any, int]:
        """Subtract `value` and borrow `carry` (0 or 1) from the location without LOCK; return the new value: SBB."""
        return self._plain("sbb", "sub", address, value + carry, width, _new)

    @has_widths(*_WIDTHS)
    def lock_sbb(self, address: int, value: int, *, carry: int = 0, width: int = 4) -> Coroutine[Any, Any, int]:
        """Subtract `value` and borrow `carry` (0 or 1) from the location atomically; return the new value: LOCK SBB."""
        return self._locked("sbb", "sub", address, value + carry, width, _new)

    @has_widths(*_WIDTHS)
    def inc(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Increment the location without LOCK; return the new value: INC."""
        return self._plain("inc", "add", address, 1, width, _new)

    @has_widths(*_WIDTHS)
    def lock_inc(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Increment the location atomically; return the new value: LOCK INC."""
        return self._locked("inc", "add", address, 1, width, _new)

    @has_widths(*_WIDTHS)
    def dec(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Decrement the location without LOCK; return the new value: DEC."""
        return self._plain("dec", "sub", address, 1, width, _new)

    @has_widths(*_WIDTHS)
    def lock_dec(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Decrement the location atomically; return the new value: LOCK DEC."""
        return self._locked("dec", "sub", address, 1, width, _new)

    @has_widths(*_WIDTHS)
    def neg(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Negate the location without LOCK; return the new value: NEG."""
        return self._plain("neg", "neg", address, 0, width, _new)

    @has_widths(*_WIDTHS)
    def lock_neg(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Negate the location atomically; return the new value: LOCK NEG."""
        return self._locked("neg", "neg", address, 0, width, _new)

    # -- logic --------------------------------------------------------------------------------

    @has_widths(*_WIDTHS)
    def and_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """And the location with `value` without LOCK; return the new value: AND."""
        return self._plain("and", "and", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def lock_and(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """And the location with `value` atomically; return the new value: LOCK AND."""
        return self._locked("and", "and", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def or_(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Or the location with `value` without LOCK; return the new value: OR."""
        return self._plain("or", "or", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def lock_or(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Or the location with `value` atomically; return the new value: LOCK OR."""
        return self._locked("or", "or", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def xor(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Exclusive-or the location with `value` without LOCK; return the new value: XOR."""
        return self._plain("xor", "xor", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def lock_xor(self, address: int, value: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Exclusive-or the location with `value` atomically; return the new value: LOCK XOR."""
        return self._locked("xor", "xor", address, value, width, _new)

    @has_widths(*_WIDTHS)
    def not_(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Invert the bits of the location without LOCK; return the new value: NOT."""
        return self._plain("not", "not", address, 0, width, _new)

    @has_widths(*_WIDTHS)
    def lock_not(self, address: int, *, width: int = 4) -> Coroutine[Any, Any, int]:
        """Invert the bits of the location atomically; return the new value: LOCK NOT."""
        return self._locked("not", "not", address, 0, width, _new)

    # -- bits ---------------------------------------------------------------------------------

    @has_widths(*_BIT_STRINGS)
    async def bt(self, address: int, bit: int, *, width: int = 4, immediate: bool = False) -> int:
        """Return a bit: BT."""
        at, number = _bit_place(address, bit, width, immediate)
        body = self._scheme.load(self, at, width)
        value: int = await self._access("bt", AccessKind.LOAD, at, width, body)
        return value >> number & 1

    @has_widths(*_BIT_STRINGS)
    def bts(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Set a bit without LOCK; return the old bit: BTS."""
        return self._bit("bts", address, bit, width, immediate, locked=False)

    @has_widths(*_BIT_STRINGS)
    def lock_bts(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Set a bit atomically; return the old bit: LOCK BTS."""
        return self._bit("bts", address, bit, width, immediate, locked=True)

    @has_widths(*_BIT_STRINGS)
    def btr(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Clear a bit without LOCK; return the old bit: BTR."""
        return self._bit("btr", address, bit, width, immediate, locked=False)

    @has_widths(*_BIT_STRINGS)
    def lock_btr(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Clear a bit atomically; return the old bit: LOCK BTR."""
        return self._bit("btr", address, bit, width, immediate, locked=True)

    @has_widths(*_BIT_STRINGS)
    def btc(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Flip a bit without LOCK; return the old bit: BTC."""
        return self._bit("btc", address, bit, width, immediate, locked=False)

    @has_widths(*_BIT_STRINGS)
    def lock_btc(
        self, address: int, bit: int, *, width: int = 4, immediate: bool = False
    ) -> Coroutine[Any, Any, int]:
        """Flip a bit atomically; return the old bit: LOCK BTC."""
        return self._bit("btc", address, bit, width, immediate, locked=True)

    def _bit(
        self, name: str, address: int, bit: int, width: int, immediate: bool, *, locked: bool
    ) -> Coroutine[Any, Any, int]:
        at, number = _bit_place(address, bit, width, immediate)
        form = self._locked if locked else self._plain
        return form(name, name, at, number, width, lambda old, new: old >> number & 1)

    # -- the rest -----------------------------------------------------------------------------

    def mfence(self) -> Coroutine[Any, Any, None]:
        """Order all accesses: MFENCE."""
        return self._access("mfence", AccessKind.OTHER, 0, 0, self._scheme.fence(self, "full"))

    def lfence(self) -> Coroutine[Any, Any, None]:
        """Order earlier loads before all later accesses: LFENCE."""
        return self._access("lfence", AccessKind.OTHER, 0, 0, self._scheme.fence(self, "ld-ld+ld-st"))

    def sfence(self) -> Coroutine[Any, Any, None]:
        """Order earlier stores before later stores: SFENCE."""
        return self._access("sfence", AccessKind.OTHER, 0, 0, self._scheme.fence(self, "st-st"))

    def pause(self) -> Coroutine[Any, Any, None]:
        """Hint that this vCPU spins, so that other vCPUs go first: PAUSE."""
        return self._access("pause", AccessKind.OTHER, 0, 0, Op(Kind.PAUSE))

    def umonitor(self, address: int) -> Coroutine[Any, Any, None]:
        """Watch the line of 64 bytes around `address` for UMWAIT: UMONITOR."""
        return watch(self, "umonitor", address)

    def umwait(self, *, spurious: bool = False) -> Coroutine[Any, Any, None]:
        """Wait until another vCPU stores to the line that UMONITOR watches: UMWAIT. It does not wait without UMONITOR.

        With the scheme's option ``events=hint``, the default, it is a hint that other vCPUs go first.

        Args:
            spurious: Whether the sleep may also end without a store, as at a deadline, which then is a decision.
        """
        return wait_for_store(self, "umwait", spurious=spurious)

    # -- the two forms ------------------------------------------------------------------------

    async def _locked(
        self, name: str, function: str, address: int, value: int, width: int, result: Result
    ) -> int:
        mnemonic = f"lock {name}"
        check_width(width, _WIDTHS)
        update = self._update(function, value, width)
        body = self._scheme.atomic_rmw(self, address, width, update)
        old: int = await self._access(mnemonic, AccessKind.ATOMIC, address, width, body, 1, update)
        return result(old, update.apply(old))

    async def _plain(
        self, mnemonic: str, function: str, address: int, value: int, width: int, result: Result
    ) -> int:
        check_width(width, _WIDTHS)
        update = rmw(function, value, width)
        body = read_then_write(self._scheme, self, address, width, update)
        old: int = await self._access(mnemonic, AccessKind.PLAIN_RMW, address, width, body, 1, update)
        return result(old, update.apply(old))


def _bit_place(address: int, bit: int, width: int, immediate: bool) -> tuple[int, int]:
    """Return the address of the word that a bit offset selects, and the index of the bit in it.

    A register holds a signed offset of the operand's width, so it may select a word other than the one at `address`.
    """
    check_width(width, _BIT_STRINGS)
    bits = 8 * width
    if not immediate:
        bit = (bit + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
        address += bit // bits * width
    return address, bit % bits
