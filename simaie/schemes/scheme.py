"""What every scheme starts from: plain accesses go straight to RAM, and nothing else is there.

A scheme is one class with async methods; derive, and override what your emulator does differently. The constructor is
called once per execution with the host port, the page table and the machine's facts, so `self` may
hold fresh cells and locks. State of one vCPU goes in ``cpu.local``.

What vCPUs share has to be in cells and locks, which change by operations. An attribute that changes after the
constructor, a dictionary say, changes at moments that no scheduler chooses; explorations refuse such a scheme with
`EscapedStateError`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from simaie.barrier import Barrier, parse_barrier
from simaie.errors import UsageError
from simaie.host.host import Host, Ranges, join_parts, join_words, split_words
from simaie.host.pages import PageTable, crosses_page
from simaie.op import Function, Kind, Op, Order
from simaie.protocols import MachineFacts, Promise, VCpu, require_one_of

__all__ = ["BARRIERS", "Scheme"]

#: Which barriers an emulator emits: none at all; those that the guest asks for; and those that its architecture needs.
#: A set of orders in their place (``st-ld+st-st``, see `simaie.barrier`) is `full` for those orders only.
BARRIERS = ("none", "guest", "full")
_BEFORE_LOAD = Barrier.LD_LD | Barrier.ST_LD
_RELEASING = (Order.RELEASE, Order.ACQ_REL)
_ACQUIRING = (Order.ACQUIRE, Order.ACQ_REL, Order.SEQ_CST)
_BEFORE_STORE = Barrier.LD_ST | Barrier.ST_ST

#: In bytes: what an unlocked instruction of x86 reads and writes at once.
_HALF = 8

T = TypeVar("T")


class Scheme:
    """The base: loads and stores are plain host accesses, everything atomic is missing.

    barriers: see `BARRIERS`; ``"usual"`` for what this scheme's emulator does. wide_accesses: whether an access wider
    than the host word is to be ``"split"`` into several, which may tear, or ``"refuse"``d with a guest fault.
    """

    #: What the scheme promises beyond atomicity itself; checkers hold it to exactly this.
    promises: frozenset[Promise] = frozenset()
    #: The name under which it is registered; shown in messages.
    name: ClassVar[str] = "scheme"
    #: Attributes that may change because what the scheme does never depends on when: a cache of cells by their names,
    #: a counter for statistics. Also global, enclosing and default variables of its methods, by their names.
    constant_attributes: ClassVar[frozenset[str]] = frozenset()
    #: What the option ``barriers="usual"``, the default, stands for.
    usual_barriers: ClassVar[str] = "guest"

    def __init__(
        self,
        host: Host,
        pages: PageTable,
        machine: MachineFacts,
        *,
        barriers: str | None = "usual",
        wide_accesses: str = "split",
    ) -> None:
        require_one_of("wide_accesses", wide_accesses, ("split", "refuse"))
        host.refuses_wide = wide_accesses == "refuse"
        self.host = host
        self.pages = pages
        self.machine = machine
        self._full_system = machine.full_system
        #: Whether guest addresses are RAM addresses, with nothing to look up.
        self.flat = not machine.full_system and pages.is_identity
        # On a command line, "none" is read as None.
        self.barriers = self.usual_barriers if barriers == "usual" else barriers or "none"
        #: The orders for which barriers are emitted at all.
        self.emitted = _emitted(self.barriers)

    def enter(self, cpu: VCpu) -> None:
        """A vCPU has been made: give it the scheme's local state."""

    # -- addresses ----------------------------------------------------------------------------

    async def physical(self, address: int, *, write: bool) -> int:
        """Where in RAM a guest-virtual address is: a step in full-system mode, none in user mode.

        It is the place of one byte, and of what follows on its page; an access that may cross a page has `ranges`.
        """
        if self._full_system:
            return await self.pages.translate(address, write=write)
        return self.pages.resolve(address)

    async def ranges(self, address: int, width: int, *, write: bool) -> Ranges:
        """Where in RAM an access is: one range, or two if it crosses into a page whose frame does not follow.

        In full-system mode this is a step for each page. A page that is absent, or read-only for a write, faults here,
        before any part of the access is made.
        """
        if self._full_system:
            return await self.pages.translate_ranges(address, width, write=write)
        return self.pages.resolve_ranges(address, width)

    def crosses(self, address: int, width: int) -> bool:
        """Whether an access touches two pages, so that it may lie in two places of RAM."""
        return not self.flat and crosses_page(address, width)

    async def check_pages(self, address: int, width: int, *, write: bool) -> None:
        """Fault now if an access made of several smaller ones would fault at any of them: before the first is made.

        Only one that crosses a page needs it: of the others the first part faults.
        """
        if self._full_system and crosses_page(address, width):
            await self.pages.translate_ranges(address, width, write=write)

    def on_ram(self, address: int, write: bool, access: Callable[[int], Awaitable[T]]) -> Awaitable[T]:
        """``access(physical address)``, after the translation that the mode asks for; for accesses within a page."""
        if self._full_system:
            return self._translated(address, write, access)
        return access(self.pages.resolve(address))

    async def _translated(self, address: int, write: bool, access: Callable[[int], Awaitable[T]]) -> T:
        return await access(await self.pages.translate(address, write=write))

    # -- the access classes: an override may just as well be an `async def` ----------------------

    def load(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """A plain load."""
        if self.flat:
            return self.host.load(address, width)
        return self._load_mapped(address, width)

    async def _load_mapped(self, address: int, width: int) -> int:
        return await self.host.load_ranges(await self.ranges(address, width, write=False))

    def store(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[None]:
        """A plain store."""
        if self.flat:
            return self.host.store(address, width, value)
        return self._store_mapped(address, width, value)

    async def _store_mapped(self, address: int, width: int, value: int) -> None:
        await self.host.store_ranges(await self.ranges(address, width, write=True), value)

    def wait(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """Wait until `function` holds of a location."""
        if self.crosses(address, width):
            return self._wait_across(address, width, function)
        return self.on_ram(address, False, lambda at: Op(Kind.AWAIT, None, at, width, function=function))

    async def _wait_across(self, address: int, width: int, function: Function) -> int:
        """One wait for the parts of a location on two pages."""
        ranges = await self.ranges(address, width, write=False)
        widths, endian = [size for _, size in ranges], self.host.endian
        if len(ranges) == 1:
            return int(await Op(Kind.AWAIT, None, *ranges[0], function=function))
        both = Function(function.name, lambda parts: function.apply(join_parts(parts, widths, endian)))
        loads = tuple(Op(Kind.LOAD, None, *each) for each in ranges)
        return join_parts(await Op(Kind.AWAIT, value=loads, function=both), widths, endian)

    def load_linked(self, cpu: VCpu, address: int, width: int) -> Awaitable[int]:
        """LDREX and its kin."""
        raise self._missing("load-linked / store-conditional")

    def store_conditional(self, cpu: VCpu, address: int, width: int, value: int) -> Awaitable[bool]:
        """STREX and its kin."""
        raise self._missing("load-linked / store-conditional")

    async def clear_exclusive(self, cpu: VCpu) -> None:
        """CLREX: give up the reservation."""

    def atomic_rmw(self, cpu: VCpu, address: int, width: int, function: Function) -> Awaitable[int]:
        """A locked read-modify-write; returns the old value."""
        raise self._missing("locked read-modify-writes")

    def cmpxchg(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """A locked compare-and-exchange; by default a read-modify-write that may write the old value back."""
        function = Function(f"cmpxchg {expected} -> {new}", lambda old: new if old == expected else old)
        return self.atomic_rmw(cpu, address, width, function)

    def cmpxchg_unlocked(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> Awaitable[int]:
        """CMPXCHG8B or CMPXCHG16B of x86 without LOCK: loads, then stores, of 8 bytes each; it always writes."""
        return self._compare_and_write(cpu, address, width, expected, new)

    async def _compare_and_write(self, cpu: VCpu, address: int, width: int, expected: int, new: int) -> int:
        offsets, endian = range(0, width, _HALF), self.host.endian
        old = join_words([await self.load(cpu, address + i, _HALF) for i in offsets], _HALF, endian)
        parts = split_words(new if old == expected else old, width, _HALF, endian)
        for i, part in zip(offsets, parts, strict=True):
            await self.store(cpu, address + i, _HALF, part)
        return old

    async def fence(self, cpu: VCpu, kind: str) -> None:
        """A guest barrier becomes the same barrier of the host, or nothing with ``barriers="none"``.

        kind: the orders it keeps, see `simaie.barrier`.
        """
        order = parse_barrier(kind) & self.emitted
        if order:
            await self.host.fence(order.text)

    def in_order(self, order: Order, body: Awaitable[T]) -> Awaitable[T]:
        """`body`, an access of the guest with acquire or release order; SEQ_CST is that of AArch64's LDAR.

        As QEMU does it: a full barrier after what acquires and before what releases. So nothing stands between a
        release and an acquire that follows it, which the guest may count on (STLR, LDAR), but with ``barriers="full"``.
        """
        before = Barrier.FULL if order in _RELEASING else Barrier.NONE
        if order is Order.SEQ_CST and self.barriers not in ("none", "guest"):
            before = Barrier.ST_LD
        return self.between(before, Barrier.FULL if order in _ACQUIRING else Barrier.NONE, body)

    def between(self, before: Barrier, after: Barrier, body: Awaitable[T]) -> Awaitable[T]:
        """`body` with a host barrier on either side, as far as barriers are emitted at all."""
        before, after = before & self.emitted, after & self.emitted
        return self._fenced(before, after, body) if before or after else body

    async def _fenced(self, before: Barrier, after: Barrier, body: Awaitable[T]) -> T:
        if before:
            try:
                await self.host.fence(before.text)
            except BaseException:  # the execution ends here
                if isinstance(body, Coroutine):
                    body.close()  # never started: Python would warn about it
                raise
        result = await body
        if after:
            await self.host.fence(after.text)
        return result

    def order_plain_accesses(self) -> None:
        """Unless ``barriers`` is none or guest, put a host barrier before each plain load and store: for the orders
        that the guest counts on and the host does not keep. QEMU's rule (tcg_req_mo); atomic helpers get none.
        """
        if self.barriers in ("none", "guest"):
            return
        missing = self.machine.guest_order & ~self.machine.host_order & self.emitted
        before_load, before_store = missing & _BEFORE_LOAD, missing & _BEFORE_STORE
        if before_load:
            self.load = self._behind(before_load, self.load)  # type: ignore[method-assign]  # of this object alone
        if before_store:
            self.store = self._behind(before_store, self.store)  # type: ignore[method-assign]  # of this object alone

    def _behind(self, order: Barrier, access: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        return lambda *args: self._fenced(order, Barrier.NONE, access(*args))

    async def exception(self, cpu: VCpu, cause: str) -> None:
        """An exception is taken: let go of what a half-done instruction holds."""

    async def thread_exit(self, cpu: VCpu) -> None:
        """The guest thread is about to end."""

    @property
    def has_thread_exit(self) -> bool:
        """Whether `thread_exit` is overridden: if not, the engine need not call it."""
        return getattr(self.thread_exit, "__func__", None) is not Scheme.thread_exit

    def _missing(self, what: str) -> Exception:
        return UsageError(f"the scheme {self.name!r} does not emulate {what}; choose one that does")


def _emitted(barriers: object) -> Barrier:
    if barriers in ("guest", "full"):
        return Barrier.FULL
    if isinstance(barriers, str):
        with suppress(UsageError):
            return parse_barrier(barriers)
    raise UsageError(f"barriers must be none, guest, full or a set of orders such as st-ld+st-st, not {barriers!r}")
